//! ipsec.secrets, and which secret is whose.
use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use zeroize::Zeroizing;

use super::connection::Key;
use super::identity::{self, Id};
use super::ledger::{At, Entry, Ledger};
use super::{Context, ImportError, MAX_DEPTH, MAX_ENTRIES, Syntax};

/// What a secret is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A pre-shared key.
    PresharedKey,
    /// A user's password.
    Password,
    /// The file of a private key.
    PrivateKey,
}

/// A secret.
#[derive(Debug)]
pub(crate) struct Secret {
    /// Where it stands, with the fate of it.
    pub(crate) entry: Rc<Entry>,
    /// What it is for.
    pub(crate) kind: Kind,
    /// Whose it is; nobody's is everybody's.
    pub(crate) owners: Vec<Id>,
    /// Its octets, or the name of the file.
    pub(crate) key: Key,
    /// A connection has it.
    pub(crate) used: Cell<bool>,
}

/// The octets that a value stands for: `0x` and `0s` are before hexadecimal and base64 digits.
pub(crate) fn octets(value: &str, syntax: Syntax) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let prefixed = |a: &str, b: &str| value.strip_prefix(a).or_else(|| value.strip_prefix(b));
    if let Some(digits) = prefixed("0x", "0X") {
        return identity::octets_of(digits)
            .map(Zeroizing::new)
            .ok_or("has digits that are not hexadecimal, or an odd number");
    }
    if let Some(digits) = prefixed("0s", "0S") {
        return base64(digits).ok_or("has characters that are not of base64");
    }
    if syntax == Syntax::Libreswan
        && let Some(text) = prefixed("0t", "0T")
    {
        return Ok(Zeroizing::new(text.as_bytes().to_vec()));
    }
    Ok(Zeroizing::new(value.as_bytes().to_vec()))
}

fn base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut octets = Zeroizing::new(Vec::with_capacity(text.len()));
    let (mut bits, mut count) = (0_u32, 0_u32);
    for c in text.trim_end_matches('=').bytes().filter(|c| !c.is_ascii_whitespace()) {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            octets.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(octets)
}

/// The two ends whose key is looked for, as documents write them.
#[derive(Debug)]
pub(crate) struct Pair<'a> {
    /// This host's identity, and its address.
    pub(crate) local: (Option<&'a str>, Option<IpAddr>),
    /// The peer's.
    pub(crate) remote: (Option<&'a str>, Option<IpAddr>),
}

/// How well a secret's owner fits an end: 0 not at all.
fn fit(owners: &[Id], (id, address): (Option<&str>, Option<IpAddr>)) -> u32 {
    let address = address.map(|address| address.to_string());
    let one = |owner: &Id| match owner {
        Id::Any => 1,
        Id::Known(name) if Some(name.as_str()) == id => 20,
        // Main mode looks for the key by the address.
        Id::Known(name) if Some(name) == address.as_ref() => 10,
        Id::Known(_) | Id::Unknown(_) => 0,
    };
    owners.iter().map(one).max().unwrap_or_default()
}

/// The pre-shared key that fits the ends best.
pub(crate) fn preshared_key<'a>(secrets: &'a [Secret], pair: &Pair<'_>, syntax: Syntax) -> Option<&'a Secret> {
    let score = |secret: &Secret| {
        if secret.owners.is_empty() {
            return 1;
        }
        let (local, remote) = (fit(&secret.owners, pair.local), fit(&secret.owners, pair.remote));
        match (syntax, secret.owners.len()) {
            // One index is that of this host, several must have both.
            (Syntax::Libreswan, 1) => {
                if local > 0 {
                    1 + local
                } else {
                    0
                }
            }
            (Syntax::Libreswan, _) if local == 0 || remote == 0 => 0,
            _ if local == 0 && remote == 0 => 0,
            _ => 2 + local + remote,
        }
    };
    let keys = secrets.iter().filter(|secret| secret.kind == Kind::PresharedKey);
    let scored = keys.map(|secret| (score(secret), secret)).filter(|(score, _)| *score > 0);
    // The first of those that fit equally well.
    scored.rev().max_by_key(|(score, _)| *score).map(|(_, secret)| secret)
}

/// The password of a user; without a name, the only one that there is.
pub(crate) fn password<'a>(secrets: &'a [Secret], user: Option<&str>) -> Option<&'a Secret> {
    let mut passwords = secrets.iter().filter(|secret| secret.kind == Kind::Password);
    let Some(user) = user else {
        let only = passwords.next()?;
        return passwords.next().is_none().then_some(only);
    };
    let same = |owner: &Id| match owner {
        Id::Known(name) => name == user || name.split_once(':').is_some_and(|(_, name)| name == user),
        Id::Any | Id::Unknown(_) => false,
    };
    passwords.find(|secret| secret.owners.iter().any(same))
}

/// Reads files in the form of ipsec.secrets, and what they include.
pub(crate) fn read(
    context: &Context<'_>,
    texts: &[(String, Zeroizing<String>)],
    syntax: Syntax,
    ledger: &mut Ledger,
) -> Result<Vec<Secret>, ImportError> {
    let mut secrets = Vec::new();
    for (file, text) in texts {
        read_file(context, file, text, syntax, 0, ledger, &mut secrets)?;
    }
    Ok(secrets)
}

fn read_file(
    context: &Context<'_>,
    file: &str,
    text: &str,
    syntax: Syntax,
    depth: usize,
    ledger: &mut Ledger,
    secrets: &mut Vec<Secret>,
) -> Result<(), ImportError> {
    let file: Rc<str> = file.into();
    let at = |line| At { file: Rc::clone(&file), line };
    let fault = |line, message: &str| ImportError::Syntax { at: at(line), message: message.to_owned() };
    // An entry begins at the left margin and goes on in lines that do not.
    let mut entries: Vec<(usize, Vec<Word>)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let words = words(line).map_err(|message| fault(number, message))?;
        match entries.last_mut() {
            Some((_, last)) if line.starts_with([' ', '\t']) => last.extend(words),
            _ if words.is_empty() => {}
            _ => entries.push((number, words)),
        }
    }
    for (line, words) in entries {
        let is_include = words.first().is_some_and(|word| *word.text == "include");
        if let (true, Some(Word { text: pattern, .. })) = (is_include, words.get(1)) {
            if depth >= MAX_DEPTH {
                return Err(fault(line, "files are included too deep"));
            }
            for (file, text) in context.included(&at(line), pattern)? {
                read_file(context, &file, &text, syntax, depth + 1, ledger, secrets)?;
            }
            continue;
        }
        if ledger.entries.len() >= MAX_ENTRIES {
            return Err(ImportError::TooMuch { file: file.to_string() });
        }
        // What is in quotes is a secret rather than whose it is.
        let colon = words.iter().position(|Word { text, is_quoted }| {
            !is_quoted && (*text.as_str() == *":" || (text.ends_with(':') && !text.ends_with("::")))
        });
        let Some(colon) = colon else {
            return Err(fault(line, "has no colon between whose the secret is and the secret"));
        };
        let (owners, rest) = words.split_at(colon);
        let glued = rest.first().and_then(|word| word.text.strip_suffix(':')).filter(|word| !word.is_empty());
        let owners: Vec<&str> = owners.iter().map(|word| word.text.as_str()).chain(glued).collect();
        let [_, kind, values @ ..] = rest else { return Err(fault(line, "has nothing after the colon")) };
        let value = values.first().map_or("", |value| value.text.as_str());
        let kind = &kind.text;
        let section = if owners.is_empty() { "secret".to_owned() } else { format!("secret of {}", owners.join(" ")) };
        let name = kind.to_ascii_uppercase();
        // Where the kind is missing, the secret stands in its place.
        let name = if KINDS.contains(&name.as_str()) { name.as_str() } else { "secret" };
        let entry = Entry::new(at(line), &section, name, "(secret)");
        ledger.add(&entry);
        let id = |owner: &&str| match syntax {
            Syntax::Libreswan => identity::libreswan(owner),
            Syntax::Swanctl | Syntax::IpsecConf => identity::strongswan(owner),
        };
        let kind = match kind.to_ascii_uppercase().as_str() {
            "PSK" => Kind::PresharedKey,
            "XAUTH" => Kind::Password,
            "RSA" | "ECDSA" | "PKCS8" if syntax == Syntax::IpsecConf => {
                if values.len() > 1 {
                    entry.lost("private keys must not be encrypted", "write the key without passphrase, mode 600");
                }
                Kind::PrivateKey
            }
            "RSA" if syntax == Syntax::Libreswan => {
                entry.not_needed("libreswan ignores it too: its keys are in the NSS database");
                continue;
            }
            "EAP" | "NTLM" | "PPK" | "PPKS" => {
                entry.not_needed("IKEv2 only");
                continue;
            }
            "P12" | "PIN" => {
                entry.lost("keys are files, not containers or tokens", "extract certificate and key to PEM files");
                continue;
            }
            _ => {
                entry.lost("is no kind of secret that is known", "look up what it is meant to do");
                continue;
            }
        };
        match octets(value, syntax) {
            Ok(octets) if octets.is_empty() => entry.lost("is empty", "give it a value"),
            Ok(octets) => {
                let owners = owners.iter().map(id).collect();
                secrets.push(Secret { entry, kind, owners, key: Key(Rc::new(octets)), used: Cell::new(false) });
            }
            Err(why) => entry.lost(why, "correct it"),
        }
    }
    Ok(())
}

/// The kinds of secrets that programs have.
const KINDS: [&str; 11] = ["PSK", "XAUTH", "RSA", "ECDSA", "PKCS8", "EAP", "NTLM", "PPK", "PPKS", "P12", "PIN"];

/// A word of a line.
struct Word {
    /// Without quotes; wiped when dropped.
    text: Zeroizing<String>,
    /// It stood in quotes.
    is_quoted: bool,
}

/// The words of a line, up to a comment.
fn words(line: &str) -> Result<Vec<Word>, &'static str> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(c) = rest.chars().next() {
        if c == '#' {
            break;
        }
        let is_quoted = matches!(c, '"' | '\'');
        let (word, after) = if is_quoted {
            rest.get(1..).and_then(|inside| inside.split_once(c)).ok_or("a quote has no end")?
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            rest.split_at(end)
        };
        words.push(Word { text: Zeroizing::new(word.to_owned()), is_quoted });
        rest = after.trim_start();
    }
    Ok(words)
}

/// Says of what no connection has what becomes of it.
pub(crate) fn settle(secrets: &[Secret]) {
    for secret in secrets {
        match (secret.used.get(), secret.kind) {
            (true, _) => secret.entry.translated(),
            (false, Kind::PresharedKey | Kind::PrivateKey) => {
                secret.entry.not_needed("no connection that is translated has it");
            }
            // Passwords that no client has are those of users whom a gateway admits.
            (false, Kind::Password) => secret.entry.lost(
                "the users that a gateway admits are in a file of their own",
                "add a line to the users file, with the hash that `policyagent hash-password` prints",
            ),
        }
    }
}
