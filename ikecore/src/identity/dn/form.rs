//! Forms of distinguished names: names of which some values may be any.
use super::{Comparable, comparable, encode, split, text};
use core::fmt;
use std::collections::BTreeSet;

/// A distinguished name with `*` in the place of each value that may be any. The attributes and their order are as in the
/// names that it is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Form {
    /// The name, with asterisks for values.
    der: Vec<u8>,
    /// For each part of the name the types whose value may be any.
    any: Vec<BTreeSet<String>>,
}

/// The value that stands for any.
const ANY: &str = "*";

impl Form {
    /// The form that a text writes; `None` if no value is an asterisk alone, or the text is no name.
    pub fn parse(text: &str) -> Option<Self> {
        let der = encode(text).ok()?;
        let is_any = |part: &str| part.split_once('=').is_some_and(|(_, value)| value.trim() == ANY);
        let types = |part: &str| {
            let parts = split(part, '+').into_iter().filter(|part| is_any(part));
            // Each by itself, as a name of one value: so it has the type's number, whatever the text calls it.
            let names = parts.filter_map(|part| comparable(&encode(part).ok()?));
            names.flatten().flatten().map(|(kind, _)| kind).collect::<BTreeSet<String>>()
        };
        let any: Vec<_> = split(text, ',').into_iter().map(types).collect();
        any.iter().any(|types| !types.is_empty()).then_some(Self { der, any })
    }

    /// True if an encoded name is of the form.
    pub fn matches(&self, name: &[u8]) -> bool {
        let (Some(form), Some(name)) = (comparable(&self.der), comparable(name)) else { return false };
        let fits = |((form, name), any): ((&Comparable, &Comparable), &BTreeSet<String>)| {
            let kinds = |part: &Comparable| part.iter().map(|(kind, _)| kind.clone()).collect::<Vec<_>>();
            let is_there =
                |(kind, value): &(String, Vec<u8>)| any.contains(kind) || name.contains(&(kind.clone(), value.clone()));
            kinds(form) == kinds(name) && form.iter().all(is_there)
        };
        form.len() == name.len() && form.iter().zip(&name).zip(&self.any).all(fits)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(&self.der).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests;
