//! Files that configurations include, or name.
use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use zeroize::Zeroizing;

/// The most octets of a file.
const MAX_OCTETS: u64 = 1 << 22;

/// Where files come from.
pub(crate) trait Files {
    /// The octets of a file.
    fn read(&self, path: &Path) -> io::Result<Zeroizing<Vec<u8>>>;
    /// The names in a directory, sorted; none if it cannot be read.
    fn list(&self, directory: &Path) -> Vec<String>;
}

/// Those of the system.
pub(crate) struct System;

impl Files for System {
    fn read(&self, path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() || metadata.len() > MAX_OCTETS {
            return Err(io::Error::other(format!("no file, or more than {MAX_OCTETS} octets")));
        }
        std::fs::read(path).map(Zeroizing::new)
    }

    fn list(&self, directory: &Path) -> Vec<String> {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }
}

/// Files that are not there: for tests, and for fuzzing.
pub(crate) struct Memory(BTreeMap<PathBuf, Vec<u8>>);

impl Memory {
    /// Files with these paths and texts.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec())).collect())
    }
}

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
        let octets = self.0.get(path).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(Zeroizing::new(octets.clone()))
    }

    fn list(&self, directory: &Path) -> Vec<String> {
        let inside = |path: &PathBuf| {
            let rest = path.strip_prefix(directory).ok()?.components().next()?;
            rest.as_os_str().to_str().map(str::to_owned)
        };
        let mut names: Vec<String> = self.0.keys().filter_map(inside).collect();
        names.dedup();
        names
    }
}

/// The files that a pattern names, sorted: `*`, `?` and `[a-z]` stand in names, not for slashes. Without these it is the
/// file itself, there or not.
pub(crate) fn matching(files: &dyn Files, pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let name = match component {
            Component::Normal(name) => name.to_str().unwrap_or_default(),
            other => {
                found.iter_mut().for_each(|path| path.push(other));
                continue;
            }
        };
        if !name.contains(['*', '?', '[']) {
            found.iter_mut().for_each(|path| path.push(name));
            continue;
        }
        let pattern: Vec<char> = name.chars().collect();
        let names = |directory: &PathBuf| {
            let names = files.list(directory);
            let fits = |name: &String| {
                let characters: Vec<char> = name.chars().collect();
                (!name.starts_with('.') || pattern.first() == Some(&'.')) && fits(&pattern, &characters)
            };
            names.into_iter().filter(fits).map(|name| directory.join(name)).collect::<Vec<_>>()
        };
        found = found.iter().flat_map(names).take(super::MAX_FILES + 1).collect();
    }
    found
}

/// Whether a name is of a pattern. Row by row, so that no pattern takes longer than its length times the name's.
fn fits(pattern: &[char], name: &[char]) -> bool {
    // What stands at `at` of the name fits what is left of the pattern.
    let mut row: Vec<bool> = (0..=name.len()).map(|at| at == 0).collect();
    let mut rest = pattern;
    while let Some((&first, after)) = rest.split_first() {
        let mut next = vec![false; name.len() + 1];
        rest = after;
        if first == '*' {
            let mut reached = false;
            for (now, before) in next.iter_mut().zip(&row) {
                reached |= before;
                *now = reached;
            }
        } else {
            let set = if first == '[' { after.iter().position(|c| *c == ']').filter(|end| *end > 0) } else { None };
            let members = set.and_then(|end| after.get(..end));
            if let Some(end) = set {
                rest = after.get(end + 1..).unwrap_or_default();
            }
            let takes = |c: char| members.map_or(first == '?' || first == c, |members| of_set(members, c));
            for (at, c) in name.iter().enumerate() {
                if row.get(at) == Some(&true)
                    && takes(*c)
                    && let Some(now) = next.get_mut(at + 1)
                {
                    *now = true;
                }
            }
        }
        row = next;
    }
    row.last() == Some(&true)
}

/// Whether a character is of a set as in `[a-z]` or `[!a-z]`.
fn of_set(members: &[char], c: char) -> bool {
    let (negated, members) = match members {
        ['!' | '^', members @ ..] => (true, members),
        members => (false, members),
    };
    let range = members.windows(3).any(|three| matches!(three, [a, '-', b] if (*a..=*b).contains(&c)));
    (range || members.contains(&c)) != negated
}
