//! The names of algorithms.
use ikecore::crypto::cipher::CipherAlg;
use ikecore::crypto::group::Group;
use ikecore::crypto::hash::HashAlg;
use ikecore::proposal::suite::{EspCipher, Integrity};

use super::Wrong;
use crate::document::{allowed, suggestion};
use crate::netsh::command::PfsGroup;

use super::super::arguments::decimal;

/// The ciphers of main mode. DES and 3DES are those of Windows.
pub(crate) const CIPHERS: [(&str, CipherAlg); 8] = [
    ("DES", CipherAlg::Des),
    ("3DES", CipherAlg::TripleDes),
    ("AES128", CipherAlg::Aes128),
    ("AES192", CipherAlg::Aes192),
    ("AES256", CipherAlg::Aes256),
    ("CAMELLIA128", CipherAlg::Camellia128),
    ("CAMELLIA192", CipherAlg::Camellia192),
    ("CAMELLIA256", CipherAlg::Camellia256),
];

/// The hashes of main mode. MD5 and SHA1 are those of Windows.
pub(crate) const HASHES: [(&str, HashAlg); 5] = [
    ("MD5", HashAlg::Md5),
    ("SHA1", HashAlg::Sha1),
    ("SHA256", HashAlg::Sha256),
    ("SHA384", HashAlg::Sha384),
    ("SHA512", HashAlg::Sha512),
];

/// The ciphers of ESP. DES, 3DES and None are those of Windows.
pub(crate) const ESP_CIPHERS: [(&str, EspCipher); 21] = [
    ("DES", EspCipher::DesCbc),
    ("3DES", EspCipher::TripleDesCbc),
    ("None", EspCipher::Null),
    ("AES128", EspCipher::Aes128Cbc),
    ("AES192", EspCipher::Aes192Cbc),
    ("AES256", EspCipher::Aes256Cbc),
    ("AESGCM128", EspCipher::Aes128Gcm16),
    ("AESGCM192", EspCipher::Aes192Gcm16),
    ("AESGCM256", EspCipher::Aes256Gcm16),
    ("AESGCM128_12", EspCipher::Aes128Gcm12),
    ("AESGCM192_12", EspCipher::Aes192Gcm12),
    ("AESGCM256_12", EspCipher::Aes256Gcm12),
    ("AESGCM128_8", EspCipher::Aes128Gcm8),
    ("AESGCM192_8", EspCipher::Aes192Gcm8),
    ("AESGCM256_8", EspCipher::Aes256Gcm8),
    ("AESCTR128", EspCipher::Aes128Ctr),
    ("AESCTR192", EspCipher::Aes192Ctr),
    ("AESCTR256", EspCipher::Aes256Ctr),
    ("CAMELLIA128", EspCipher::Camellia128Cbc),
    ("CAMELLIA192", EspCipher::Camellia192Cbc),
    ("CAMELLIA256", EspCipher::Camellia256Cbc),
];

/// The integrity algorithms of ESP and AH; with ESP None besides. MD5 and SHA1 are those of Windows.
pub(crate) const INTEGRITIES: [(&str, Integrity); 7] = [
    ("MD5", Integrity::HmacMd5_96),
    ("SHA1", Integrity::HmacSha1_96),
    ("SHA256", Integrity::HmacSha256_128),
    ("SHA384", Integrity::HmacSha384_192),
    ("SHA512", Integrity::HmacSha512_256),
    ("SHA256_96", Integrity::HmacSha256_96),
    ("AESXCBC", Integrity::AesXcbc96),
];

/// The groups that have numbers of their own, as Windows gives them: 3 is not IANA's 3.
pub(crate) const WINDOWS_GROUPS: [(&str, Group); 3] =
    [("1", Group::Modp768), ("2", Group::Modp1024), ("3", Group::Modp2048)];

/// Elliptic curves by the names that later versions of Windows have.
const CURVES: [(&str, Group); 3] =
    [("ECDHP256", Group::Ecp256), ("ECDHP384", Group::Ecp384), ("ECDHP521", Group::Ecp521)];

/// What `names` has for `word`, in whatever case.
pub(super) fn find<T: Copy>(word: &str, names: &[(&'static str, T)]) -> Result<T, Wrong> {
    let found = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let all = || names.iter().map(|(name, _)| *name);
        Wrong { hint: suggestion(word, all()), ..Wrong::whole(word) }.allowed(&allowed(all()))
    })
}

/// What a value is called.
pub(crate) fn name_of<T: PartialEq>(value: &T, names: &[(&'static str, T)]) -> &'static str {
    names.iter().find(|(_, own)| own == value).map_or("", |(name, _)| name)
}

/// The group of a main-mode method.
pub(super) fn group(word: &str) -> Result<Group, Wrong> {
    let by_number = || {
        let upper = word.to_ascii_uppercase();
        let number: u16 = decimal(upper.strip_prefix("DHGROUP").or_else(|| upper.strip_prefix("DH"))?)?;
        Group::ALL.into_iter().find(|group| group.id() == number)
    };
    let named = find(word, &WINDOWS_GROUPS).ok().or_else(|| find(word, &CURVES).ok());
    named.or_else(by_number).ok_or_else(|| {
        let numbers: Vec<String> = Group::ALL.iter().map(|group| format!("DH{}", group.id())).collect();
        let curves = CURVES.iter().map(|(name, _)| *name);
        let all = WINDOWS_GROUPS.iter().map(|(name, _)| *name).chain(curves).chain(numbers.iter().map(String::as_str));
        Wrong::whole(word).allowed(&allowed(all))
    })
}

/// A group as a main-mode method has it.
pub(crate) fn group_name(group: Group) -> String {
    match name_of(&group, &WINDOWS_GROUPS) {
        "" => format!("DH{}", group.id()),
        name => name.to_owned(),
    }
}

/// The group of quick mode.
pub(super) fn pfs(word: &str) -> Option<PfsGroup> {
    match word.to_ascii_uppercase().as_str() {
        "NOPFS" => Some(PfsGroup::None),
        "GRPMM" => Some(PfsGroup::MainMode),
        upper => {
            let word = upper.strip_prefix("GRP").filter(|rest| find(rest, &WINDOWS_GROUPS).is_ok());
            // A bare number could be meant as IANA's.
            let is_bare = upper.starts_with(|first: char| first.is_ascii_digit());
            (!is_bare).then(|| group(word.unwrap_or(upper)).ok())?.map(PfsGroup::Group)
        }
    }
}

/// A group of quick mode as `pfsgroup` has it.
pub(crate) fn pfs_name(pfs: PfsGroup) -> String {
    match pfs {
        PfsGroup::None => "NOPFS".to_owned(),
        PfsGroup::MainMode => "GRPMM".to_owned(),
        PfsGroup::Group(group) => match name_of(&group, &WINDOWS_GROUPS) {
            "" => format!("DH{}", group.id()),
            name => format!("GRP{name}"),
        },
    }
}
