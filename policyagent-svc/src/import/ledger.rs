//! What became of each option: no option that was read is without a fate.
use core::fmt;
use std::cell::RefCell;
use std::rc::Rc;
use zeroize::Zeroizing;

/// A place in a file that was read; lines count from 1.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct At {
    /// The file, as it was named.
    pub(crate) file: Rc<str>,
    /// The line.
    pub(crate) line: usize,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What became of an option, from the least to the most that a person must know. Of several the last counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fate {
    /// No section that is loaded has it.
    Unused,
    /// It belongs to what was left out as a whole.
    LeftOut,
    /// It stands in the document.
    Translated,
    /// It has no counterpart, and needs none.
    NotNeeded,
    /// It stands in the document, and means something else in some way.
    Different,
    /// It has no counterpart, and what is protected, or how, changes.
    Lost,
}

impl Fate {
    /// All, the gravest first.
    pub(crate) const ALL: [Self; 6] =
        [Self::Lost, Self::Different, Self::NotNeeded, Self::Translated, Self::LeftOut, Self::Unused];

    /// What a list of such options is called.
    pub(crate) const fn heading(self) -> &'static str {
        match self {
            Self::Lost => "no counterpart, and it changes what is protected, or how",
            Self::Different => "translated with a difference",
            Self::NotNeeded => "no counterpart, and none needed",
            Self::Translated => "translated",
            Self::LeftOut => "left out with what they belong to",
            Self::Unused => "in no section that is loaded",
        }
    }
}

/// What is said of an option.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub(crate) struct Note {
    /// Why there is no counterpart, or what the difference is.
    pub(crate) why: String,
    /// What to do; empty: nothing.
    pub(crate) instead: String,
}

/// An option as it stands in a file.
pub(crate) struct Entry {
    /// Where.
    pub(crate) at: At,
    /// The section, as in `connections.a.children.b` or `conn a`.
    pub(crate) section: String,
    /// The name.
    pub(crate) option: String,
    /// The value without its quotes; it may be a secret and is wiped when dropped.
    pub(crate) value: Zeroizing<String>,
    state: RefCell<(Fate, Vec<Note>)>,
}

/// The names of options whose values are not repeated.
const SECRETS: [&str; 3] = ["secret", "pin", "secrets"];

impl Entry {
    /// An option that nobody has looked at.
    pub(crate) fn new(at: At, section: &str, option: &str, value: &str) -> Rc<Self> {
        Rc::new(Self {
            at,
            section: section.to_owned(),
            option: option.to_owned(),
            value: Zeroizing::new(value.to_owned()),
            state: RefCell::new((Fate::Unused, Vec::new())),
        })
    }

    fn raise(&self, fate: Fate) {
        let mut state = self.state.borrow_mut();
        state.0 = state.0.max(fate);
    }

    fn note(&self, fate: Fate, why: String, instead: &str) {
        self.raise(fate);
        let note = Note { why, instead: instead.to_owned() };
        let mut state = self.state.borrow_mut();
        if !state.1.contains(&note) {
            state.1.push(note);
        }
    }

    /// It stands in the document.
    pub(crate) fn translated(&self) {
        self.raise(Fate::Translated);
    }

    /// What it belongs to is left out.
    pub(crate) fn left_out(&self) {
        self.raise(Fate::LeftOut);
    }

    /// Another says otherwise, and goes before it.
    pub(crate) fn overridden(&self, why: String) {
        self.note(Fate::LeftOut, why, "");
    }

    /// It needs no counterpart.
    pub(crate) fn not_needed(&self, why: impl Into<String>) {
        self.note(Fate::NotNeeded, why.into(), "");
    }

    /// It is translated, with a difference.
    pub(crate) fn differs(&self, why: impl Into<String>) {
        self.note(Fate::Different, why.into(), "");
    }

    /// It has no counterpart, which matters.
    pub(crate) fn lost(&self, why: impl Into<String>, instead: &str) {
        self.note(Fate::Lost, why.into(), instead);
    }

    /// What became of it, and what is said of it.
    pub(crate) fn state(&self) -> (Fate, Vec<Note>) {
        self.state.borrow().clone()
    }

    /// The value as it may be shown.
    pub(crate) fn shown(&self) -> &str {
        let named = SECRETS.iter().any(|name| self.option.eq_ignore_ascii_case(name));
        // What stands with secrets may be one, whatever it is called.
        let among = self.section == "secrets" || self.section.starts_with("secrets.");
        let among = among && self.option != "file" && !self.option.starts_with("id");
        if named || among { "(secret)" } else { &self.value }
    }
}

/// No `derive`: the value may be a secret.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}.{} = {:?}", self.at, self.section, self.option, self.shown())
    }
}

/// Everything that was read, in its order.
#[derive(Default, Debug)]
pub(crate) struct Ledger {
    /// The options.
    pub(crate) entries: Vec<Rc<Entry>>,
}

impl Ledger {
    /// Keeps an option that was read.
    pub(crate) fn add(&mut self, entry: &Rc<Entry>) {
        self.entries.push(Rc::clone(entry));
    }
}
