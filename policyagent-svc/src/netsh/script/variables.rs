//! Variables of scripts: those that the script itself sets.
use std::collections::BTreeMap;

use super::super::language::lexer::Placed;
use crate::document::Position;

/// Names, in capitals, and values.
#[derive(Debug)]
pub(super) struct Variables(BTreeMap<String, String>);

/// As long as a line may become; variables that double themselves come to it soon.
const LONGEST: usize = 32_768;

impl Variables {
    /// Those by which batch files name the system's directory.
    pub(super) fn of_windows() -> Self {
        let root = "C:\\Windows".to_owned();
        Self(BTreeMap::from([("SYSTEMROOT".to_owned(), root.clone()), ("WINDIR".to_owned(), root)]))
    }

    /// None.
    pub(super) const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// Sets a variable; an empty value takes it away. Values that are too long are not kept.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        let name = name.trim().to_ascii_uppercase();
        if value.is_empty() || value.len() > LONGEST {
            self.0.remove(&name);
        } else {
            self.0.insert(name, value.to_owned());
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_ascii_uppercase()).map(String::as_str)
    }
}

/// Why a line could not be filled in.
pub(super) enum NotFilled {
    /// A variable that the script does not set.
    Unknown(Position, String),
    /// It becomes too long.
    TooLong(Position),
}

impl Variables {
    /// The line with each `%NAME%` replaced; the characters that come of it stand where the `%` stood.
    pub(super) fn fill(&self, line: &[Placed]) -> Result<Vec<Placed>, NotFilled> {
        let mut filled = Vec::with_capacity(line.len());
        let mut at = 0;
        while let Some(placed) = line.get(at) {
            at += 1;
            if filled.len() > LONGEST {
                return Err(NotFilled::TooLong(placed.at));
            }
            if placed.character != '%' {
                filled.push(*placed);
                continue;
            }
            let rest = line.get(at..).unwrap_or_default();
            let value = |text: &str| text.chars().map(|character| Placed { character, ..*placed }).collect::<Vec<_>>();
            match rest.iter().position(|next| next.character == '%') {
                Some(0) => {
                    filled.push(*placed);
                    at += 1;
                }
                Some(length) => {
                    let name: String = rest.iter().take(length).map(|placed| placed.character).collect();
                    let found = self.get(&name).ok_or(NotFilled::Unknown(placed.at, name))?;
                    filled.extend(value(found));
                    at += length + 1;
                }
                // An argument of the batch file, of which there are none, or a sign alone.
                None => match rest.first() {
                    Some(next) if next.character.is_ascii_digit() || matches!(next.character, '*' | '~') => {
                        return Err(NotFilled::Unknown(placed.at, next.character.to_string()));
                    }
                    _ => filled.push(*placed),
                },
            }
        }
        Ok(filled)
    }
}
