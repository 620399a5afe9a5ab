//! The options that the three programs know, and what becomes of each: data, of which docs/import.md has a table.
use super::ledger::Entry;

/// What becomes of an option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// It becomes this of a policy document.
    Translated(&'static str),
    /// It has no counterpart and needs none: why.
    NotNeeded(&'static str),
    /// It has no counterpart, and without it other traffic is protected, or otherwise.
    Lost {
        /// Values that ask for nothing: with them nothing is lost.
        unless: &'static [&'static str],
        /// What is lost.
        why: &'static str,
        /// What to do.
        instead: &'static str,
    },
}

/// An option: the kind of its section, its name, and what becomes of it.
pub(crate) type Known = (&'static str, &'static str, Class);

/// Options that are IKEv2's alone.
pub(crate) const IKEV2: Class = Class::NotNeeded("IKEv2 only");

/// Options that say how the program runs, not what it protects.
pub(crate) const PROGRAM: Class = Class::NotNeeded("about that program's own work, not about what is protected");

/// Options for the kernel's policies that no policy document has.
pub(crate) const fn lost(unless: &'static [&'static str], why: &'static str, instead: &'static str) -> Class {
    Class::Lost { unless, why, instead }
}

/// Writes down what becomes of an option by its class; what is translated may get notes later.
pub(crate) fn classify(entry: &Entry, class: Option<Class>, program: &str) {
    match class {
        None => entry.lost(
            format!("{program} has no such option as far as this command knows"),
            "look up what it is meant to do",
        ),
        Some(Class::Translated(_)) => entry.translated(),
        Some(Class::NotNeeded(why)) => entry.not_needed(why),
        Some(Class::Lost { unless, .. }) if unless.iter().any(|value| entry.value.eq_ignore_ascii_case(value)) => {
            entry.not_needed("the value is what holds without it");
        }
        Some(Class::Lost { why, instead, .. }) => entry.lost(why, instead),
    }
}
