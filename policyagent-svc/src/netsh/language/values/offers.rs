//! Security methods: what is offered, in order of preference.
use ikecore::proposal::offer::MainModeOffer;
use ikecore::proposal::suite::{EspCipher, Integrity, IpsecSuite, Lifetime, ProtectionSuite};

use super::super::arguments::{Value, decimal};
use super::super::error::LanguageError;
use super::algorithms::{CIPHERS, ESP_CIPHERS, HASHES, INTEGRITIES, find, group, pfs};
use super::{Wrong, parts};
use crate::document::{allowed, suggestion};
use crate::model::Offer;
use crate::netsh::command::PfsGroup;

/// The life of SAs where a method says nothing.
pub(crate) const LIFETIME: Lifetime = Lifetime { seconds: 3600, kilobytes: 100_000 };

/// What a method can have for kilobytes; 0 besides, which is no limit.
const KILOBYTES: core::ops::RangeInclusive<u32> = 20_480..=0x7fff_ffff;
/// What a method can have for seconds.
const SECONDS: core::ops::RangeInclusive<u32> = 300..=172_799;

/// As many methods as a list may have; nobody has more to offer.
const MOST: usize = 64;

/// The methods of main mode.
pub(in super::super) fn main_mode_offers(value: &Value<'_>) -> Result<Vec<MainModeOffer>, LanguageError> {
    list(value, main_mode_offer)
}

/// The methods of quick mode.
pub(in super::super) fn offers(value: &Value<'_>) -> Result<Vec<Offer>, LanguageError> {
    list(value, offer)
}

fn list<T>(value: &Value<'_>, read: fn(&str) -> Result<T, Wrong>) -> Result<Vec<T>, LanguageError> {
    let text = value.plain()?;
    let words = parts(&text);
    if words.is_empty() || words.len() > MOST {
        let found = if words.is_empty() { text } else { format!("{} methods", words.len()) };
        let allowed = format!("1 to {MOST} methods with blanks between them");
        return Err(value.wrong(Wrong::whole(&found).allowed(&allowed)));
    }
    words.into_iter().map(|(at, word)| read(word).map_err(|wrong| value.wrong(wrong.after(at)))).collect()
}

fn main_mode_offer(word: &str) -> Result<MainModeOffer, Wrong> {
    let parts: Vec<&str> = word.split('-').collect();
    let &[cipher, hash, dh] = parts.as_slice() else {
        return Err(Wrong::whole(word).allowed("CIPHER-HASH-GROUP, as in 3DES-SHA1-2"));
    };
    let behind = |part: &str| part.chars().count() + 1;
    let found = find(cipher, &CIPHERS)?;
    let hash_at = behind(cipher);
    let hash_found = find(hash, &HASHES).map_err(|wrong| wrong.after(hash_at))?;
    let group = group(dh).map_err(|wrong| wrong.after(hash_at + behind(hash)))?;
    Ok(MainModeOffer { cipher: found, hash: hash_found, group })
}

/// A protocol of a method.
enum Protocol {
    Esp(EspCipher, Option<Integrity>),
    Ah(Integrity),
    Compression,
    ExtendedSequenceNumbers,
}

const FORM: &str = "ESP[CIPHER,INTEGRITY], AH[INTEGRITY] or AH[INTEGRITY]+ESP[CIPHER,INTEGRITY], each with a life behind it \
                    if wanted, as in ESP[3DES,SHA1]:100000k/3600s";

fn offer(word: &str) -> Result<Offer, Wrong> {
    let (suite, life) = word.split_once(':').map_or((word, None), |(suite, life)| (suite, Some(life)));
    let (mut esp, mut ah, mut compression, mut extended_sequence_numbers) = (None, None, false, false);
    let mut at = 0;
    for part in suite.split('+') {
        let here = |wrong: Wrong| wrong.after(at);
        match protocol(part).map_err(here)? {
            Protocol::Ah(integrity) if ah.is_none() && esp.is_none() && !compression => ah = Some(integrity),
            Protocol::Esp(cipher, integrity) if esp.is_none() && !compression => esp = Some((cipher, integrity)),
            Protocol::Compression if !compression => compression = true,
            Protocol::ExtendedSequenceNumbers if !extended_sequence_numbers => extended_sequence_numbers = true,
            _ => return Err(here(Wrong::whole(part).allowed("AH, ESP, IPCOMP and ESN in this order, each once"))),
        }
        at += part.chars().count() + 1;
    }
    let suite = match (esp, ah) {
        (Some((cipher, integrity)), outer) => {
            ProtectionSuite { outer, ..IpsecSuite::Esp { cipher, integrity }.alone() }
        }
        (None, Some(integrity)) => IpsecSuite::Ah { integrity }.alone(),
        (None, None) => return Err(Wrong::whole(word).allowed(FORM)),
    };
    if extended_sequence_numbers && !suite.authenticates() {
        return Err(Wrong::whole(word).allowed("ESN with an integrity algorithm only"));
    }
    let life_at = word.chars().count() - life.map_or(0, |life| life.chars().count());
    let lifetime = life.map_or(Ok(LIFETIME), lifetime).map_err(|wrong| wrong.after(life_at))?;
    Ok(Offer { suite: ProtectionSuite { compression, ..suite }, lifetime, extended_sequence_numbers })
}

fn protocol(part: &str) -> Result<Protocol, Wrong> {
    let whole = || Wrong::whole(part).allowed(FORM);
    if part.eq_ignore_ascii_case("IPCOMP") {
        return Ok(Protocol::Compression);
    }
    if part.eq_ignore_ascii_case("ESN") {
        return Ok(Protocol::ExtendedSequenceNumbers);
    }
    let (name, inner) = part.strip_suffix(']').and_then(|part| part.split_once('[')).ok_or_else(whole)?;
    let inner_at = name.chars().count() + 1;
    let inside = |wrong: Wrong| wrong.after(inner_at);
    if name.eq_ignore_ascii_case("AH") {
        return find(inner, &INTEGRITIES).map(Protocol::Ah).map_err(inside);
    }
    if !name.eq_ignore_ascii_case("ESP") {
        return Err(Wrong { hint: suggestion(name, ["ESP", "AH"]), ..whole() });
    }
    let (cipher_name, integrity) = inner.split_once(',').map_or((inner, None), |(cipher, rest)| (cipher, Some(rest)));
    let cipher = find(cipher_name.trim(), &ESP_CIPHERS).map_err(inside)?;
    let behind = |wrong: Wrong| inside(wrong).after(cipher_name.chars().count() + 1);
    let integrity = match integrity.map(str::trim) {
        None if cipher.is_aead() => None,
        Some(none) if none.eq_ignore_ascii_case("None") => None,
        Some(word) => Some(find(word, &INTEGRITIES).map_err(|wrong| {
            let names = INTEGRITIES.iter().map(|(name, _)| *name).chain(["None"]);
            behind(wrong.allowed(&allowed(names)))
        })?),
        None => return Err(whole()),
    };
    let sound = IpsecSuite::Esp { cipher, integrity }.is_sound();
    match integrity {
        _ if sound => Ok(Protocol::Esp(cipher, integrity)),
        Some(_) => {
            Err(inside(Wrong::whole(inner).allowed(&format!("{cipher_name} alone, as it authenticates by itself"))))
        }
        None => Err(inside(Wrong::whole(inner).allowed(&format!("{cipher_name} with an integrity algorithm")))),
    }
}

/// `100000k/3600s`, or one of the two.
fn lifetime(text: &str) -> Result<Lifetime, Wrong> {
    let wrong = || {
        let allowed = format!(
            "KILOBYTESk/SECONDSs, or one of the two; kilobytes from {} to {}, or 0 for no limit; seconds from {} to {}",
            KILOBYTES.start(),
            KILOBYTES.end(),
            SECONDS.start(),
            SECONDS.end()
        );
        Wrong::whole(text).allowed(&allowed)
    };
    let mut lifetime = LIFETIME;
    let (mut kilobytes, mut seconds) = (false, false);
    for part in text.split('/') {
        let unit = part.chars().last().map(|unit| unit.to_ascii_lowercase());
        let number: u32 = part.get(..part.len().saturating_sub(1)).and_then(decimal).ok_or_else(wrong)?;
        match unit {
            Some('k') if !kilobytes && !seconds && (KILOBYTES.contains(&number) || number == 0) => {
                (lifetime.kilobytes, kilobytes) = (number, true);
            }
            Some('s') if !seconds && SECONDS.contains(&number) => (lifetime.seconds, seconds) = (number, true),
            _ => return Err(wrong()),
        }
    }
    Ok(lifetime)
}

/// The group of quick mode.
pub(in super::super) fn pfs_group(value: &Value<'_>) -> Result<PfsGroup, LanguageError> {
    let text = value.plain()?;
    pfs(&text).ok_or_else(|| {
        let hint = suggestion(&text, ["NOPFS", "GRPMM", "GRP1", "GRP2", "GRP3"]);
        value.wrong(Wrong { hint, ..Wrong::whole(&text) })
    })
}
