//! TOML documents with positions: every fault names file, line, column, what was found and what is allowed.
//!
//! The tree is walked by hand, not by serde: so that all faults of a file are found at once, and so that no message
//! repeats a value that is secret.
mod suggest;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use suggest::{allowed, suggestion};
pub(crate) use table::{Table, Value};

use crate::stamp::Stamp;
use core::fmt;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::de::DeTable;
use zeroize::Zeroizing;

/// A place in a file; lines and columns (in characters) count from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Position {
    /// The line.
    pub(crate) line: usize,
    /// The character of the line.
    pub(crate) column: usize,
}

/// Something wrong at a place of a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Fault {
    /// The file.
    pub(crate) path: PathBuf,
    /// Where in it.
    pub(crate) position: Position,
    /// What is wrong, and what is allowed.
    pub(crate) message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.path.display(), self.position.line, self.position.column, self.message)
    }
}

/// Why a document could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    /// The file could not be read at all.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// It has faults; at least one.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<Fault>),
}

/// What a file that is read may hold at most, so that a wrong path does not fill the memory.
const MAX_OCTETS: u64 = 16 << 20;

/// The text of a document. It may hold secrets and is wiped when dropped.
pub(crate) struct Document {
    path: PathBuf,
    /// Where relative paths in it start.
    directory: PathBuf,
    text: Zeroizing<String>,
    /// Where each line begins.
    lines: Vec<usize>,
    /// The files that were read for it, as they were before.
    files: RefCell<BTreeMap<PathBuf, Stamp>>,
}

impl Document {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, DocumentError> {
        let error = |error| DocumentError::File { path: path.to_owned(), error };
        check_length(std::fs::metadata(path).map_err(error)?.len()).map_err(error)?;
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(error)?);
        Self::from_text(path, &directory_of(path), text)
    }

    /// A document with this text, as if it stood in the file `path`; relative paths in it start at `directory`.
    pub(crate) fn from_text(path: &Path, directory: &Path, text: Zeroizing<String>) -> Result<Self, DocumentError> {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        check_length(length).map_err(|error| DocumentError::File { path: path.to_owned(), error })?;
        Ok(Self::new(path, directory, text))
    }

    fn new(path: &Path, directory: &Path, text: Zeroizing<String>) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let (path, directory) = (path.to_owned(), directory.to_owned());
        Self { path, directory, text, lines, files: RefCell::default() }
    }

    /// A document that is not in a file; `path` is for messages.
    #[cfg(test)]
    pub(crate) fn of(path: &str, text: &str) -> Self {
        let path = Path::new(path);
        Self::new(path, &directory_of(path), Zeroizing::new(text.to_owned()))
    }

    /// What messages call it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The files that were read while it was parsed, those that are not there among them, each as it was before it was read.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Stamp> {
        self.files.borrow().clone()
    }

    /// The text, wiped when dropped.
    pub(crate) fn into_text(self) -> Zeroizing<String> {
        self.text
    }

    /// Parses the document and has `read` take what it wants of it. The result comes with the warnings; with any fault
    /// there is none.
    pub(crate) fn parse<T>(
        &self,
        what: &str,
        read: impl FnOnce(Table<'_>) -> Option<T>,
    ) -> Result<(T, Vec<Fault>), DocumentError> {
        let faults = Faults::new(self);
        let (tree, errors) = DeTable::parse_recoverable(&self.text);
        for error in &errors {
            // The error's own words only: its Display would repeat the line, which may hold a secret.
            faults.fault(&error.span().unwrap_or(0..0), error.message());
        }
        if !errors.is_empty() {
            return Err(DocumentError::Faults(faults.sorted()));
        }
        let result = read(Table::new(&faults, tree.get_ref(), 0..0, what.to_owned()));
        match result {
            Some(result) if faults.faults.borrow().is_empty() => Ok((result, faults.warnings.into_inner())),
            _ => Err(DocumentError::Faults(faults.sorted())),
        }
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} octets", self.path.display(), self.text.len())
    }
}

/// The directory of a file.
pub(crate) fn directory_of(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}

fn check_length(length: u64) -> std::io::Result<()> {
    if length <= MAX_OCTETS {
        return Ok(());
    }
    let message = format!("{length} octets long, allowed: {MAX_OCTETS}");
    Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, message))
}

/// Collects what is wrong with a document while it is read.
pub(crate) struct Faults<'a> {
    document: &'a Document,
    faults: RefCell<Vec<Fault>>,
    warnings: RefCell<Vec<Fault>>,
}

impl<'a> Faults<'a> {
    fn new(document: &'a Document) -> Self {
        Self { document, faults: RefCell::default(), warnings: RefCell::default() }
    }

    /// The directory of the document, where relative paths start.
    fn directory(&self) -> &'a Path {
        &self.document.directory
    }

    fn position(&self, span: &Range<usize>) -> Position {
        let Document { text, lines, .. } = self.document;
        // Line 1 begins at 0.
        let line = lines.partition_point(|begin| *begin <= span.start);
        let begin = lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        Position { line, column: text.get(begin..span.start).unwrap_or_default().chars().count() + 1 }
    }

    fn at(&self, span: &Range<usize>, message: impl Into<String>) -> Fault {
        Fault { path: self.document.path.clone(), position: self.position(span), message: message.into() }
    }

    fn fault(&self, span: &Range<usize>, message: impl Into<String>) {
        let fault = self.at(span, message);
        self.faults.borrow_mut().push(fault);
    }

    fn warn(&self, span: &Range<usize>, message: impl Into<String>) {
        let warning = self.at(span, message);
        self.warnings.borrow_mut().push(warning);
    }

    /// The faults in the order of the file.
    fn sorted(&self) -> Vec<Fault> {
        let mut faults = self.faults.take();
        faults.sort();
        faults.dedup();
        faults
    }
}
