//! Proposals as people write them in one word, on a command line: `aes256-sha256-modp2048`.
use ikecore::crypto::group::Group;
use ikecore::proposal::offer::{MainModeOffer, QuickModeOffer};
use ikecore::proposal::suite::{IpsecSuite, Lifetime};

use super::algorithms::{CIPHERS, ESP_CIPHERS, GROUPS, HASHES, INTEGRITIES, NONE};
use crate::document::{allowed, suggestion};

/// What a name stands for; the error tells all names.
fn named<T: Copy>(part: &str, word: &str, names: &[(&'static str, T)]) -> Result<T, String> {
    let found = names.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let all = || names.iter().map(|(name, _)| *name);
        let hint = suggestion(word, all());
        let hint = if hint.is_empty() { ",".to_owned() } else { hint };
        format!("{part} is {word:?}{hint} allowed: {}", allowed(all()))
    })
}

/// This host can only say what it could run itself.
fn available(name: &str, is_available: bool) -> Result<(), String> {
    if is_available { Ok(()) } else { Err(format!("this host's libcrypto does not offer {name}")) }
}

/// A proposal of main mode: cipher, hash and group.
pub(crate) fn main_mode_proposal(text: &str) -> Result<MainModeOffer, String> {
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower.split('-').collect();
    let [cipher, hash, group] = *words.as_slice() else {
        return Err("allowed: cipher-hash-group, as in aes256-sha256-modp2048".to_owned());
    };
    let offer = MainModeOffer {
        cipher: named("the cipher", cipher, &CIPHERS)?,
        hash: named("the hash", hash, &HASHES)?,
        group: named("the group", group, &GROUPS)?,
    };
    available(offer.cipher.name(), offer.cipher.is_available())?;
    available(offer.hash.name(), offer.hash.is_available())?;
    available(offer.group.name(), offer.group.is_available())?;
    Ok(offer)
}

/// A proposal of quick mode: `aes256-sha256` or `aes256gcm16` for ESP, `ah-sha256` for AH; then, for PFS, a group, and `esn`
/// for extended sequence numbers. Without a limit of its life.
pub(crate) fn quick_mode_proposal(text: &str) -> Result<QuickModeOffer, String> {
    let lower = text.to_ascii_lowercase();
    let mut words: Vec<&str> = lower.split('-').collect();
    let extended_sequence_numbers = words.last() == Some(&"esn");
    if extended_sequence_numbers {
        words.pop();
    }
    let group = |word: &&str| GROUPS.iter().find(|(name, _)| name == word).map(|(_, group)| *group);
    let pfs: Option<Group> = words.last().and_then(group).filter(|_| words.len() > 1);
    if let Some(group) = pfs {
        available(group.name(), group.is_available())?;
        words.pop();
    }
    let integrity = |word: &str| named("the integrity algorithm", word, &INTEGRITIES);
    let suite = match *words.as_slice() {
        ["ah", word] => IpsecSuite::Ah { integrity: integrity(word)? },
        [word] => IpsecSuite::Esp { cipher: named("the cipher", word, &ESP_CIPHERS)?, integrity: None },
        [cipher, word] => {
            let cipher = named("the cipher", cipher, &ESP_CIPHERS)?;
            let integrity = if word == NONE { None } else { Some(integrity(word)?) };
            IpsecSuite::Esp { cipher, integrity }
        }
        _ => {
            return Err("allowed: cipher-integrity, as in aes256-sha256, a cipher alone, or ah-integrity; then a group, then esn".to_owned());
        }
    };
    if !suite.is_sound() {
        return Err("without integrity algorithm: null and ctr protect nothing; with one: those with gcm authenticate by themselves".to_owned());
    }
    let suite_alone = suite.alone();
    if words.len() == 1 && !suite_alone.authenticates() {
        return Err(format!("{lower:?} names no integrity algorithm; allowed: one, or {}-{NONE}", words.join("-")));
    }
    if extended_sequence_numbers && !suite_alone.authenticates() {
        return Err("extended sequence numbers need an integrity algorithm".to_owned());
    }
    let lifetime = Lifetime::default();
    Ok(QuickModeOffer { suite: suite.alone(), lifetime, pfs, extended_sequence_numbers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proposals_are_read() {
        let offer = main_mode_proposal("AES256-sha1-modp2048").unwrap();
        assert_eq!((offer.cipher.name(), offer.group), ("AES-CBC-256", Group::Modp2048));
        for (text, expected, pfs, extended) in [
            ("aes256-sha256", "ESP AES-256-CBC HMAC-SHA-256-128", None, false),
            ("aes128gcm16-ecp256-esn", "ESP AES-128-GCM-16", Some(Group::Ecp256), true),
            ("ah-sha1-modp1024", "AH HMAC-SHA-1-96", Some(Group::Modp1024), false),
            ("3des-md5-esn", "ESP 3DES-CBC HMAC-MD5-96", None, true),
            ("3des-none-modp1024", "ESP 3DES-CBC without integrity", Some(Group::Modp1024), false),
        ] {
            let offer = quick_mode_proposal(text).unwrap();
            let told = (offer.suite.to_string(), offer.pfs, offer.extended_sequence_numbers);
            assert_eq!(told, (expected.to_owned(), pfs, extended), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_told() {
        for (text, expected) in [
            ("aes256-sha256", "allowed: cipher-hash-group"),
            ("aes265-sha256-modp2048", "the cipher is \"aes265\"; did you mean \"aes256\"? allowed: aes256, "),
            ("aes256-sha256-modp2047", "did you mean \"modp2048\"?"),
        ] {
            assert!(main_mode_proposal(text).unwrap_err().contains(expected), "{text}");
        }
        for (text, expected) in [
            ("aes256gcm16-sha1", "authenticate by themselves"),
            ("null", "null and ctr protect nothing"),
            ("null-none", "null and ctr protect nothing"),
            ("3des", "\"3des\" names no integrity algorithm; allowed: one, or 3des-none"),
            ("3des-none-esn", "extended sequence numbers need an integrity algorithm"),
            ("aes256-sha257", "did you mean \"sha256\"?"),
            ("modp2048", "the cipher is \"modp2048\""),
            ("a-b-c-d", "allowed: cipher-integrity"),
        ] {
            assert!(quick_mode_proposal(text).unwrap_err().contains(expected), "{text}");
        }
    }
}
