//! Names: of objects in a directory, and among those of their kind in a document.
use crate::guid::Guid;
use std::collections::BTreeSet;

/// A distinguished name in the form in which two of the same object are the same.
pub(crate) fn normal(dn: &str) -> String {
    dn.split(',').map(str::trim).collect::<Vec<_>>().join(",").to_lowercase()
}

/// The name of what stands above: all behind the first comma that does not belong to a value.
pub(crate) fn parent(dn: &str) -> Option<&str> {
    let mut escaped = false;
    for (at, c) in dn.char_indices() {
        match c {
            '\\' if !escaped => escaped = true,
            ',' if !escaped => return Some(dn[at + 1..].trim_start()),
            _ => escaped = false,
        }
    }
    None
}

/// The GUID in the name of an object: `CN=ipsecNFA{...},...`.
pub(crate) fn guid_in(dn: &str) -> Option<Guid> {
    let first = dn.split(',').next()?;
    first.get(first.find('{')?..)?.parse().ok()
}

/// Names that are taken. A document has no two of a kind, nor empty ones; a directory has.
#[derive(Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// `wanted`, as far as a document can have it, or else what is nearest.
    pub(super) fn take(&mut self, wanted: &str, otherwise: &str) -> String {
        let printable: String = wanted.chars().filter(|c| !c.is_control()).take(240).collect();
        let printable = if printable.trim().is_empty() { otherwise.to_owned() } else { printable };
        let mut name = printable.clone();
        let mut number = 1;
        while !self.0.insert(name.clone()) {
            number += 1;
            name = format!("{printable} ({number})");
        }
        name
    }
}
