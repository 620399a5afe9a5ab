//! Variables of scripts: those that the script itself sets.
use std::collections::BTreeMap;

use super::super::language::lexer::Placed;
use crate::document::Position;

/// Names, in capitals, with what they are, or nothing where that is not known.
#[derive(Debug)]
pub(super) struct Variables {
    set: BTreeMap<String, Option<String>>,
    /// The system's own.
    given: &'static [(&'static str, &'static str)],
}

/// As long as a line may become; variables that double themselves come to it soon.
const LONGEST: usize = 32_768;

impl Variables {
    /// Those by which batch files name the system's directory.
    pub(super) const fn of_windows() -> Self {
        Self { set: BTreeMap::new(), given: &[("SYSTEMROOT", "C:\\Windows"), ("WINDIR", "C:\\Windows")] }
    }

    /// None.
    pub(super) const fn none() -> Self {
        Self { set: BTreeMap::new(), given: &[] }
    }

    /// Sets a variable; an empty value takes it away. Values that are too long are not kept.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        let known = !value.is_empty() && value.len() <= LONGEST;
        self.set.insert(key(name), known.then(|| value.to_owned()));
    }

    /// What the variable is, is no longer known.
    pub(super) fn forget(&mut self, name: &str) {
        self.set.insert(key(name), None);
    }

    /// What any variable is, is no longer known.
    pub(super) fn forget_all(&mut self) {
        self.set.values_mut().for_each(|value| *value = None);
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let name = key(name);
        match self.set.get(&name) {
            Some(value) => value.as_deref(),
            None => self.given.iter().find(|(own, _)| *own == name).map(|(_, value)| *value),
        }
    }

    /// True if the script names the variable where it sets it. Any other name may be a part of a key, and is not told.
    pub(super) fn names(&self, name: &str) -> bool {
        self.set.contains_key(&key(name))
    }
}

fn key(name: &str) -> String {
    name.trim().to_ascii_uppercase()
}

/// A line with its variables filled in.
pub(super) struct Filled {
    /// Its characters. Those of a variable that has no value are left as they are, and count as quoted.
    pub(super) characters: Vec<Placed>,
    /// Where variables have no value, and why.
    pub(super) missing: Vec<(Position, String)>,
}

impl Variables {
    /// The line with each `%NAME%` replaced; the characters that come of it stand where the `%` stood.
    pub(super) fn fill(&self, line: &[Placed]) -> Filled {
        let mut filled = Filled { characters: Vec::with_capacity(line.len()), missing: Vec::new() };
        let mut at = 0;
        while let Some(placed) = line.get(at) {
            at += 1;
            if placed.character != '%' {
                filled.characters.push(*placed);
                continue;
            }
            let rest = line.get(at..).unwrap_or_default();
            match rest.first().map(|next| next.character) {
                Some('%') => {
                    filled.characters.push(*placed);
                    at += 1;
                    continue;
                }
                Some(next) if next.is_ascii_digit() || matches!(next, '*' | '~') => {
                    filled.miss(&[*placed], "this is an argument of the batch file, and it has none".to_owned());
                    continue;
                }
                _ => {}
            }
            // A sign alone is left out.
            let Some(length) = rest.iter().position(|next| next.character == '%') else { continue };
            let name: String = rest.iter().take(length).map(|placed| placed.character).collect();
            let whole = line.get(at - 1..=at + length).unwrap_or_default();
            at += length + 1;
            match self.get(&name) {
                Some(value) if filled.characters.len() + value.len() <= LONGEST => {
                    filled.characters.extend(value.chars().map(|character| Placed { character, ..*placed }));
                }
                Some(_) => filled.miss(whole, "the line becomes too long by its variables".to_owned()),
                None => {
                    let told =
                        if self.names(&name) { format!("the variable {name:?}") } else { "this variable".to_owned() };
                    let why = format!("{told} is not set in this script; allowed: set NAME=VALUE before it");
                    filled.miss(whole, why);
                }
            }
        }
        filled
    }
}

impl Filled {
    fn miss(&mut self, whole: &[Placed], why: String) {
        self.characters.extend(whole.iter().map(|placed| Placed { quoted: true, ..*placed }));
        self.missing.extend(whole.first().map(|first| (first.at, why)));
    }
}
