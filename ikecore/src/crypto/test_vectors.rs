//! Reads the published test vectors that lie beside the repository, where they do.
#![expect(clippy::disallowed_macros, reason = "tests say what they skip")]
use serde_json::Value;

use super::HashAlg;
use crate::ids::{Cookie, Cookies};

/// The file `name`, or `None` with a message where it is absent.
pub(super) fn load(name: &str) -> Option<Value> {
    let path = format!("{}/../../shared/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {path} is absent");
        return None;
    };
    Some(serde_json::from_str(&text).expect("the vectors are JSON"))
}

/// The elements of the list `key`, which is not empty; nothing for an absent file.
pub(super) fn cases(file: Option<&Value>, key: &str) -> Vec<Value> {
    let Some(file) = file else { return Vec::new() };
    let cases = file[key].as_array().expect("a list").clone();
    assert!(!cases.is_empty(), "{key} is empty");
    cases
}

/// The text `key`.
pub(super) fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("no text {key} in {case}"))
}

/// The number `key`.
pub(super) fn number(case: &Value, key: &str) -> usize {
    let number = case[key].as_u64().unwrap_or_else(|| panic!("no number {key} in {case}"));
    usize::try_from(number).expect("a small number")
}

/// The octets `key`.
pub(super) fn octets(case: &Value, key: &str) -> Vec<u8> {
    hex(text(case, key))
}

/// The octets that hexadecimal digits stand for.
pub(super) fn hex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2), "half an octet in {digits}");
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal")).collect()
}

/// The hash algorithm that the case names, if it is one of ours.
pub(super) fn hash_named(name: &str) -> Option<HashAlg> {
    HashAlg::ALL.into_iter().find(|hash| hash.name().to_lowercase().replace('-', "") == name)
}

/// The hash algorithm of the case.
pub(super) fn hash(case: &Value) -> HashAlg {
    hash_named(text(case, "hash")).expect("a known hash")
}

/// The cookies of the case.
pub(super) fn cookies(case: &Value) -> Cookies {
    let cookie = |key| Cookie(octets(case, key).try_into().expect("8 octets"));
    Cookies { initiator: cookie("cky_i"), responder: cookie("cky_r") }
}
