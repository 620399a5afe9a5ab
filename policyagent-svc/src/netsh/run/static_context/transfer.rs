//! `exportpolicy` and `importpolicy`: policy documents in files of their own.
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

use crate::netsh::run::document::PolicyDocument;
use crate::netsh::run::{RunError, Session};

/// The first line of an exported file. A document in it is like any other (docs/policy.md).
pub(super) const MAGIC: &str = "# policyagent: exported IPsec policies, format 1";

/// What a file that is imported may hold at most.
const MAX_OCTETS: u64 = 16 << 20;

impl Session {
    /// `exportpolicy`: everything of the store goes into a new file, or takes the place of an old one.
    pub(super) fn export(&mut self, file: &Path) -> Result<(), RunError> {
        let text = self.document()?.to_export()?;
        let text = Zeroizing::new(format!("{MAGIC}\n{text}"));
        let path = with_extension(file);
        write(&path, text.as_bytes()).map_err(|error| RunError::File { path, error })
    }

    /// `importpolicy`: everything of the file comes into the store, or nothing.
    pub(super) fn import(&mut self, file: &Path) -> Result<(), RunError> {
        let path = with_extension(file);
        let text = read(&path)?;
        let other = PolicyDocument::parse(&path, &text)?;
        // What is wrong with the file shall be said of the file.
        other.check()?;
        self.edit(&mut |document| document.merge(&other))
    }
}

/// A name without an extension gets `.ipsec`.
fn with_extension(file: &Path) -> PathBuf {
    if file.extension().is_some() { file.to_owned() } else { file.with_extension("ipsec") }
}

/// It may hold pre-shared keys: nobody else reads it. A file that is there is replaced as a whole.
fn write(path: &Path, octets: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = File::options().write(true).create_new(true).mode(0o600).open(&new).and_then(|mut file| {
        file.write_all(octets)?;
        file.sync_all()?;
        fs::rename(&new, path)
    });
    if written.is_err() {
        // It is of no use; what counts is the error.
        let _ = fs::remove_file(&new);
    }
    written
}

fn read(path: &Path) -> Result<Zeroizing<String>, RunError> {
    let failed = |error| RunError::File { path: path.to_owned(), error };
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > MAX_OCTETS {
        let message = format!("{length} octets long, allowed: {MAX_OCTETS}");
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, message)));
    }
    let octets = Zeroizing::new(fs::read(path).map_err(failed)?);
    let foreign = || RunError::Foreign { path: path.to_owned(), magic: MAGIC };
    let text = std::str::from_utf8(&octets).map_err(|_| foreign())?;
    if text.lines().next() != Some(MAGIC) {
        return Err(foreign());
    }
    Ok(Zeroizing::new(text.to_owned()))
}
