//! The names of algorithms in policy files.
use ikecore::crypto::cipher::CipherAlg;
use ikecore::crypto::group::Group;
use ikecore::crypto::hash::HashAlg;
use ikecore::proposal::offer::MainModeOffer;
use ikecore::proposal::suite::{EspCipher, Integrity, IpsecSuite};

use crate::document::{Value, allowed, suggestion};

/// The ciphers of main mode.
pub(super) const CIPHERS: [(&str, CipherAlg); 8] = [
    ("aes256", CipherAlg::Aes256),
    ("aes192", CipherAlg::Aes192),
    ("aes128", CipherAlg::Aes128),
    ("camellia256", CipherAlg::Camellia256),
    ("camellia192", CipherAlg::Camellia192),
    ("camellia128", CipherAlg::Camellia128),
    ("3des", CipherAlg::TripleDes),
    ("des", CipherAlg::Des),
];

/// The hashes of main mode.
pub(super) const HASHES: [(&str, HashAlg); 5] = [
    ("sha512", HashAlg::Sha512),
    ("sha384", HashAlg::Sha384),
    ("sha256", HashAlg::Sha256),
    ("sha1", HashAlg::Sha1),
    ("md5", HashAlg::Md5),
];

/// The Diffie-Hellman groups.
pub(super) const GROUPS: [(&str, Group); 20] = [
    ("modp768", Group::Modp768),
    ("modp1024", Group::Modp1024),
    ("modp1536", Group::Modp1536),
    ("modp2048", Group::Modp2048),
    ("modp3072", Group::Modp3072),
    ("modp4096", Group::Modp4096),
    ("modp6144", Group::Modp6144),
    ("modp8192", Group::Modp8192),
    ("ecp256", Group::Ecp256),
    ("ecp384", Group::Ecp384),
    ("ecp521", Group::Ecp521),
    ("modp1024s160", Group::Modp1024Order160),
    ("modp2048s224", Group::Modp2048Order224),
    ("modp2048s256", Group::Modp2048Order256),
    ("ecp192", Group::Ecp192),
    ("ecp224", Group::Ecp224),
    ("ecp224bp", Group::Brainpool224),
    ("ecp256bp", Group::Brainpool256),
    ("ecp384bp", Group::Brainpool384),
    ("ecp512bp", Group::Brainpool512),
];

/// The ciphers of ESP.
pub(super) const ESP_CIPHERS: [(&str, EspCipher); 21] = [
    ("aes256", EspCipher::Aes256Cbc),
    ("aes192", EspCipher::Aes192Cbc),
    ("aes128", EspCipher::Aes128Cbc),
    ("camellia256", EspCipher::Camellia256Cbc),
    ("camellia192", EspCipher::Camellia192Cbc),
    ("camellia128", EspCipher::Camellia128Cbc),
    ("3des", EspCipher::TripleDesCbc),
    ("des", EspCipher::DesCbc),
    ("null", EspCipher::Null),
    ("aes256ctr", EspCipher::Aes256Ctr),
    ("aes192ctr", EspCipher::Aes192Ctr),
    ("aes128ctr", EspCipher::Aes128Ctr),
    ("aes256gcm16", EspCipher::Aes256Gcm16),
    ("aes192gcm16", EspCipher::Aes192Gcm16),
    ("aes128gcm16", EspCipher::Aes128Gcm16),
    ("aes256gcm12", EspCipher::Aes256Gcm12),
    ("aes192gcm12", EspCipher::Aes192Gcm12),
    ("aes128gcm12", EspCipher::Aes128Gcm12),
    ("aes256gcm8", EspCipher::Aes256Gcm8),
    ("aes192gcm8", EspCipher::Aes192Gcm8),
    ("aes128gcm8", EspCipher::Aes128Gcm8),
];

/// The integrity algorithms of ESP and AH.
pub(super) const INTEGRITIES: [(&str, Integrity); 7] = [
    ("sha512", Integrity::HmacSha512_256),
    ("sha384", Integrity::HmacSha384_192),
    ("sha256", Integrity::HmacSha256_128),
    ("sha256_96", Integrity::HmacSha256_96),
    ("sha1", Integrity::HmacSha1_96),
    ("md5", Integrity::HmacMd5_96),
    ("aesxcbc", Integrity::AesXcbc96),
];

/// What `names` says for `word`, which is a part of `value`; a fault that names all of them if it says nothing.
fn find<T: Copy>(value: &Value<'_>, part: &str, word: &str, names: &[(&'static str, T)]) -> Option<T> {
    let found = names.iter().find(|(name, _)| *name == word).map(|(_, algorithm)| *algorithm);
    if found.is_none() {
        let names = || names.iter().map(|(name, _)| *name);
        let hint = suggestion(word, names());
        let hint = if hint.is_empty() { ",".to_owned() } else { hint };
        value.fault(format!("{part} of {} is {word:?}{hint} allowed: {}", value.what(), allowed(names())));
    }
    found
}

/// The words of `text` between its hyphens, if there are `N`.
fn words<const N: usize>(value: &Value<'_>, form: &str) -> Option<[String; N]> {
    let text = value.text()?.to_ascii_lowercase();
    let words: Vec<String> = text.split('-').map(str::to_owned).collect();
    let words = <[String; N]>::try_from(words).ok();
    if words.is_none() {
        value.fault(format!("{} is {text:?}, allowed: {form}", value.what()));
    }
    words
}

/// A main-mode offer: `aes256-sha256-modp2048`.
pub(super) fn main_mode_offer(value: &Value<'_>) -> Option<MainModeOffer> {
    let [cipher, hash, group] = words(value, "cipher-hash-group, as in \"aes256-sha256-modp2048\"")?;
    // All three are looked at, so that each wrong one is named.
    let cipher = find(value, "the cipher", &cipher, &CIPHERS);
    let hash = find(value, "the hash", &hash, &HASHES);
    let group = find(value, "the group", &group, &GROUPS);
    let offer = MainModeOffer { cipher: cipher?, hash: hash?, group: group? };
    for (name, is_available) in [
        (offer.cipher.name(), offer.cipher.is_available()),
        (offer.hash.name(), offer.hash.is_available()),
        (offer.group.name(), offer.group.is_available()),
    ] {
        if !is_available {
            missing(value, name);
            return None;
        }
    }
    Some(offer)
}

fn missing(value: &Value<'_>, name: &str) {
    value.fault(format!("{}: this host's libcrypto does not offer {name}", value.what()));
}

/// A group by its name.
pub(super) fn group(value: &Value<'_>) -> Option<Group> {
    let group = value.one_of(&GROUPS)?;
    if !group.is_available() {
        missing(value, group.name());
        return None;
    }
    Some(group)
}

/// In the place of an integrity algorithm: ESP without one.
pub(crate) const NONE: &str = "none";

/// The algorithms of ESP: `aes256-sha256`, `aes256gcm16`.
pub(super) fn esp(value: &Value<'_>) -> Option<IpsecSuite> {
    let text = value.text()?.to_ascii_lowercase();
    let (cipher, integrity) = match text.split_once('-') {
        Some((cipher, integrity)) => (cipher, Some(integrity)),
        None => (text.as_str(), None),
    };
    let cipher = find(value, "the cipher", cipher, &ESP_CIPHERS);
    let integrity = match integrity {
        Some(NONE) => None,
        Some(word) => Some(find(value, "the integrity algorithm", word, &INTEGRITIES)?),
        None if cipher?.is_aead() => None,
        None => {
            let integrities = allowed(INTEGRITIES.iter().map(|(name, _)| *name));
            value.fault(format!(
                "{} is {text:?} without an integrity algorithm; allowed: {text}- followed by one of {integrities}, or {NONE} if \
                 nobody shall know whether packets are forged",
                value.what()
            ));
            return None;
        }
    };
    let cipher = cipher?;
    let suite = IpsecSuite::Esp { cipher, integrity };
    match (suite.is_sound(), integrity) {
        (false, Some(_)) => {
            let cipher = cipher.name();
            value.fault(format!(
                "{} is {text:?}, but {cipher} authenticates by itself; allowed: the cipher alone",
                value.what()
            ));
            None
        }
        (false, None) => {
            value.fault(format!(
                "{} is {text:?}, which protects nothing; allowed: an integrity algorithm with {}",
                value.what(),
                cipher.name()
            ));
            None
        }
        _ => available(value, suite),
    }
}

/// The algorithm of AH: `sha256`.
pub(super) fn ah(value: &Value<'_>) -> Option<IpsecSuite> {
    let integrity = find(value, "the integrity algorithm", &value.text()?.to_ascii_lowercase(), &INTEGRITIES)?;
    available(value, IpsecSuite::Ah { integrity })
}

fn available(value: &Value<'_>, suite: IpsecSuite) -> Option<IpsecSuite> {
    let (cipher, integrity) = match suite {
        IpsecSuite::Esp { cipher, integrity } => (Some(cipher), integrity),
        IpsecSuite::Ah { integrity } => (None, Some(integrity)),
    };
    let cipher = cipher.filter(|cipher| !cipher.is_available()).map(EspCipher::name);
    let integrity = integrity.filter(|integrity| !integrity.is_available()).map(Integrity::name);
    if let Some(name) = cipher.or(integrity) {
        missing(value, name);
        return None;
    }
    Some(suite)
}

/// What a table of names calls an algorithm.
fn name_in<T: PartialEq>(names: &[(&'static str, T)], algorithm: &T) -> &'static str {
    // Every algorithm has its name here.
    names.iter().find(|(_, other)| other == algorithm).map_or("", |(name, _)| name)
}

/// A main-mode offer as policy files have it.
pub(crate) fn main_mode_offer_text(offer: &MainModeOffer) -> String {
    let MainModeOffer { cipher, hash, group } = offer;
    format!("{}-{}-{}", name_in(&CIPHERS, cipher), name_in(&HASHES, hash), group_text(*group))
}

/// A group as policy files have it.
pub(crate) fn group_text(group: Group) -> &'static str {
    name_in(&GROUPS, &group)
}

/// The group that policy files call so.
pub(crate) fn group_named(text: &str) -> Option<Group> {
    GROUPS.iter().find(|(name, _)| *name == text).map(|(_, group)| *group)
}

/// The algorithms of ESP or AH as policy files have them.
pub(crate) fn suite_text(suite: IpsecSuite) -> String {
    match suite {
        IpsecSuite::Esp { cipher, integrity: Some(integrity) } => {
            format!("{}-{}", name_in(&ESP_CIPHERS, &cipher), name_in(&INTEGRITIES, &integrity))
        }
        IpsecSuite::Esp { cipher, integrity: None } if cipher.is_aead() => name_in(&ESP_CIPHERS, &cipher).to_owned(),
        IpsecSuite::Esp { cipher, integrity: None } => format!("{}-{NONE}", name_in(&ESP_CIPHERS, &cipher)),
        IpsecSuite::Ah { integrity } => name_in(&INTEGRITIES, &integrity).to_owned(),
    }
}
