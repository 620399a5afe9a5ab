//! The language of display filters: terms, `and`, `or`, `not` and parentheses.
use std::net::IpAddr;

use ikecore::ids::{Cookie, MessageId, Spi};
use ikecore::policy::selector::Prefix;
use ikecore::wire::{ExchangeType, NotifyType, PayloadType};

use super::{Filter, FilterError, Protocol, Term};

/// Parentheses and `not` within each other.
const DEEPEST: usize = 64;

/// What a term begins with.
const TERMS: &str = "peer, source, destination, port, cookie, spi, exchange, message-id, payload, notify, vendor, protocol, encrypted, fault, not \
                     or a parenthesis";

/// Reads a filter.
pub(super) fn filter(text: &str) -> Result<Filter, FilterError> {
    let mut words = Words { words: split(text)?, next: 0, end: text.len() };
    let filter = any(&mut words, 0)?;
    match words.take() {
        None => Ok(filter),
        Some(word) => Err(word.wrong("allowed here: and, or, or the end")),
    }
}

/// A word, or a parenthesis.
struct Word {
    at: usize,
    text: String,
    /// It stood in quotation marks: it is no keyword.
    quoted: bool,
}

impl Word {
    fn is(&self, keyword: &str) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(keyword)
    }

    fn wrong(&self, fault: impl std::fmt::Display) -> FilterError {
        FilterError { at: self.at, fault: format!("{:?}: {fault}", self.text) }
    }
}

/// The words of a text. A value with blanks or parentheses stands in quotation marks.
fn split(text: &str) -> Result<Vec<Word>, FilterError> {
    let mut words: Vec<Word> = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let at = text.len() - rest.len();
        let word = |text: &str, quoted| Word { at, text: text.to_owned(), quoted };
        let length = match c {
            _ if c.is_whitespace() => c.len_utf8(),
            '(' | ')' => {
                words.push(word(c.encode_utf8(&mut [0; 4]), false));
                1
            }
            '"' => {
                let inside = rest.get(1..).unwrap_or_default();
                let end =
                    inside.find('"').ok_or_else(|| FilterError { at, fault: "the quotation has no end".into() })?;
                words.push(word(inside.get(..end).unwrap_or_default(), true));
                end + 2
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "()\"".contains(c)).unwrap_or(rest.len());
                words.push(word(rest.get(..end).unwrap_or_default(), false));
                end
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(words)
}

struct Words {
    words: Vec<Word>,
    next: usize,
    end: usize,
}

impl Words {
    fn peek(&self) -> Option<&Word> {
        self.words.get(self.next)
    }

    fn take(&mut self) -> Option<&Word> {
        let word = self.words.get(self.next);
        self.next += 1;
        word
    }

    /// Takes the next word if it is this keyword.
    fn take_if(&mut self, keyword: &str) -> bool {
        let found = self.peek().is_some_and(|word| word.is(keyword));
        self.next += usize::from(found);
        found
    }

    fn missing(&self, what: &str) -> FilterError {
        FilterError { at: self.end, fault: format!("the filter ends here; {what}") }
    }
}

fn any(words: &mut Words, depth: usize) -> Result<Filter, FilterError> {
    let mut all_of = vec![all(words, depth)?];
    while words.take_if("or") {
        all_of.push(all(words, depth)?);
    }
    Ok(if all_of.len() == 1 { all_of.remove(0) } else { Filter::Any(all_of) })
}

fn all(words: &mut Words, depth: usize) -> Result<Filter, FilterError> {
    let mut one_of = vec![one(words, depth)?];
    while words.take_if("and") {
        one_of.push(one(words, depth)?);
    }
    Ok(if one_of.len() == 1 { one_of.remove(0) } else { Filter::All(one_of) })
}

fn one(words: &mut Words, depth: usize) -> Result<Filter, FilterError> {
    if let Some(word) = words.peek()
        && depth == DEEPEST
    {
        return Err(word.wrong("too many parentheses within each other"));
    }
    if words.take_if("not") {
        return Ok(Filter::Not(Box::new(one(words, depth + 1)?)));
    }
    if words.take_if("(") {
        let inside = any(words, depth + 1)?;
        return match words.take() {
            Some(word) if word.is(")") => Ok(inside),
            Some(word) => Err(word.wrong("allowed here: and, or, )")),
            None => Err(words.missing("a ) is missing")),
        };
    }
    term(words).map(Filter::Term)
}

fn term(words: &mut Words) -> Result<Term, FilterError> {
    let missing = words.missing(&format!("allowed here: {TERMS}"));
    let word = words.take().ok_or(missing)?;
    let read: fn(&str) -> Result<Term, String> = match word.text.to_ascii_lowercase().as_str() {
        _ if word.quoted => return Err(word.wrong(format!("allowed here: {TERMS}"))),
        "encrypted" => return Ok(Term::Encrypted),
        "fault" => return Ok(Term::Fault),
        "peer" => |text| block(text).map(Term::Peer),
        "source" => |text| block(text).map(Term::Source),
        "destination" => |text| block(text).map(Term::Destination),
        "port" => |text| text.parse().map(Term::Port).map_err(|_| "a number from 0 to 65535".to_owned()),
        "cookie" => |text| cookie(text).map(Term::Cookie),
        "spi" => |text| number(text).map(|number| Term::Spi(Spi(number))),
        "message-id" => |text| number(text).map(|number| Term::MessageId(MessageId(number))),
        "exchange" => |text| code::<_, u8>(text, " mode", ExchangeType::name, "main, quick").map(Term::Exchange),
        "payload" => |text| code::<_, u8>(text, "", PayloadType::name, "SA, KE, VID").map(Term::Payload),
        "notify" => |text| code::<_, u16>(text, "", NotifyType::name, "NO-PROPOSAL-CHOSEN").map(Term::Notify),
        "vendor" => |text| Ok(Term::Vendor(text.to_ascii_lowercase())),
        "protocol" => |text| protocol(text).map(Term::Protocol),
        _ => return Err(word.wrong(format!("allowed here: {TERMS}"))),
    };
    let missing = words.missing("a value is missing");
    let value = words.take().ok_or(missing)?;
    read(&value.text).map_err(|allowed| value.wrong(format!("allowed: {allowed}")))
}

fn block(text: &str) -> Result<Prefix, String> {
    let wrong = || "an address, or one with the length of a prefix: 10.0.0.1, 2001:db8::/32".to_owned();
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    match length {
        None => Ok(Prefix::host(address)),
        Some(length) => {
            let length = length.parse().map_err(|_| wrong())?;
            Prefix::new(address, length).map_err(|error| format!("{}; {error}", wrong()))
        }
    }
}

fn cookie(text: &str) -> Result<Cookie, String> {
    let is_hex = text.len() == 16 && text.bytes().all(|octet| octet.is_ascii_hexdigit());
    let value = u64::from_str_radix(text, 16).ok().filter(|_| is_hex);
    value.map(|value| Cookie(value.to_be_bytes())).ok_or_else(|| "16 hexadecimal digits".to_owned())
}

/// An SPI or a message ID, as they are shown.
fn number(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let is_hex = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_hexdigit());
    let value = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex);
    value.ok_or_else(|| "1 to 8 hexadecimal digits, with or without 0x".to_owned())
}

/// A code by its name, without regard to case, or by its number. `tail` of a name can be left out, and blanks of it
/// written as hyphens.
fn code<T, N>(text: &str, tail: &str, name: fn(T) -> Option<&'static str>, examples: &str) -> Result<T, String>
where
    T: From<N> + Copy,
    N: TryFrom<u32> + std::str::FromStr,
{
    if let Ok(number) = text.parse::<N>() {
        return Ok(T::from(number));
    }
    let plain = |name: &str| name.to_ascii_lowercase().replace([' ', '_'], "-");
    let wanted = plain(text);
    let is = |code: T| {
        name(code).is_some_and(|name| {
            let name = plain(name);
            name == wanted || !tail.is_empty() && name.strip_suffix(&plain(tail)) == Some(&wanted)
        })
    };
    let all = (0..=u32::from(u16::MAX)).map_while(|number| N::try_from(number).ok()).map(T::from);
    let found = all.into_iter().find(|code| is(*code));
    found.ok_or_else(|| format!("a number, or a name as it is shown, such as {examples}"))
}

fn protocol(text: &str) -> Result<Protocol, String> {
    let found = Protocol::ALL.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
    let names = || Protocol::ALL.map(|(name, _)| name).join(", ");
    found.map(|(_, protocol)| *protocol).ok_or_else(names)
}
