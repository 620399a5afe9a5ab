//! Scripts: where they come from.
use std::io::Read as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

use crate::netsh::arguments::NetshArgs;
use crate::netsh::script::{Dialect, Statement, decode, statements, statements_of_guess};

/// What a script may hold at most, so that a wrong path does not fill the memory.
const MAX_OCTETS: u64 = 16 << 20;

/// A script that was read.
pub(super) struct Source {
    /// What messages call it.
    pub(super) name: PathBuf,
    pub(super) dialect: Dialect,
    /// That nothing but the text says so.
    guessed: bool,
    text: Zeroizing<String>,
    /// That how it is encoded was guessed.
    pub(super) warning: Option<String>,
}

impl Source {
    /// A file; `-` is standard input.
    pub(super) fn file(path: &Path, arguments: &NetshArgs) -> Result<Self, String> {
        if path == Path::new("-") {
            return Self::standard_input(arguments);
        }
        let octets = octets_of(path)?;
        Self::new(path, &octets, arguments)
    }

    /// What comes in by standard input.
    pub(super) fn standard_input(arguments: &NetshArgs) -> Result<Self, String> {
        let name = Path::new("standard input");
        Self::new(
            name,
            &limited(std::io::stdin().lock()).map_err(|error| format!("standard input: {error}"))?,
            arguments,
        )
    }

    fn new(name: &Path, octets: &[u8], arguments: &NetshArgs) -> Result<Self, String> {
        let encoding = arguments.encoding.as_deref();
        let (text, warning) = decode(octets, encoding).map_err(|error| format!("{}: {error}", name.display()))?;
        let dialect = arguments.dialect.map_or_else(|| Dialect::of(name, &text), Into::into);
        let guessed = arguments.dialect.is_none() && Dialect::of_name(name).is_none();
        Ok(Self { name: name.to_owned(), dialect, guessed, text, warning })
    }

    /// Its parts.
    pub(super) fn statements(&self) -> Vec<Statement> {
        if self.guessed { statements_of_guess(self.dialect, &self.text) } else { statements(self.dialect, &self.text) }
    }
}

/// The octets of a file.
pub(super) fn octets_of(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let read = std::fs::File::open(path).and_then(limited);
    read.map_err(|error| format!("{}: {error}", path.display()))
}

fn limited(from: impl std::io::Read) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut octets = Zeroizing::new(Vec::new());
    from.take(MAX_OCTETS + 1).read_to_end(&mut octets)?;
    if octets.len() as u64 > MAX_OCTETS {
        let message = format!("longer than {MAX_OCTETS} octets");
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, message));
    }
    Ok(octets)
}
