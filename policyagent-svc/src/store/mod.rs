//! The policy stores: where policy documents are kept, and how they are changed.
//!
//! A document is changed under a lock, as a whole: what is there is read, the new text is read through the model, and only
//! if that finds no fault does it take the place of the old one, so that a crash at any moment leaves one of the two. The
//! last version that was good is kept apart from the file, which people edit by hand.
mod atomic;
mod dynamic;
mod precedence;
#[cfg(test)]
mod tests;

pub(crate) use dynamic::dynamic_document;
pub(crate) use precedence::{Offer, Verdict, Why, precedence};

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

use crate::control::client::ClientError;
use crate::document::{Document, DocumentError, directory_of};
use crate::lock::{FileLock, FileLockError};
use crate::model::PolicyFile;
use crate::paths::Paths;

/// How long edits wait for those of others.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Which store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Location {
    /// The policy file of this host, in force where the directory assigns none.
    Local,
    /// In force before and beside all others.
    Persistent,
    /// What was last read of the directory.
    Directory,
    /// In force beside the others until the service ends.
    Dynamic,
}

impl Location {
    /// All of them, in the order in which their filters go before each other.
    pub(crate) const ALL: [Self; 4] = [Self::Persistent, Self::Directory, Self::Local, Self::Dynamic];

    /// What it is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Persistent => "persistent",
            Self::Directory => "directory",
            Self::Dynamic => "dynamic",
        }
    }
}

/// Why a store could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Somebody else edits it.
    #[error("{0}; nothing was changed")]
    Lock(#[from] FileLockError),
    /// The service that has the dynamic store cannot be asked.
    #[error(transparent)]
    Service(#[from] ClientError),
    /// The service does not want the document.
    #[error("{0}")]
    Refused(String),
    /// The document cannot be read, or has faults.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// It cannot be written.
    #[error("{path}: cannot be written: {error}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// Why an edit changed nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EditError<E> {
    /// It does not want to.
    #[error("{0}")]
    Refused(E),
    /// The store cannot, or what came of it has faults.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A store.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    location: Location,
    path: PathBuf,
    /// The instance.
    paths: Paths,
    /// The file must be there: somebody named it.
    required: bool,
    last_good: PathBuf,
    /// How long an edit waits for that of somebody else.
    patience: Duration,
}

/// What a store holds.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The objects; nothing if the file is not there.
    pub(crate) file: Option<PolicyFile>,
    /// Why they are the last good version, and not the present one.
    pub(crate) error: Option<StoreError>,
}

impl Store {
    /// The local store of an instance: the policy file `named` by the settings or the command line, or the usual one.
    pub(crate) fn local(paths: &Paths, named: Option<&Path>) -> Self {
        let path = named.map_or_else(|| paths.policy(), Path::to_owned);
        Self::new(paths, Location::Local, path, named.is_some())
    }

    /// The persistent store of an instance.
    pub(crate) fn persistent(paths: &Paths) -> Self {
        Self::new(paths, Location::Persistent, paths.persistent(), false)
    }

    /// The copy that an instance keeps of its policy in the directory.
    pub(crate) fn directory(paths: &Paths) -> Self {
        Self::new(paths, Location::Directory, paths.directory_cache(), false)
    }

    /// The dynamic store of the running service of an instance. Its `path` is that of the control socket.
    pub(crate) fn dynamic(paths: &Paths) -> Self {
        Self::new(paths, Location::Dynamic, paths.socket(), true)
    }

    fn new(paths: &Paths, location: Location, path: PathBuf, required: bool) -> Self {
        // The name under which its last good version is known must not depend on where one calls from.
        let path = std::path::absolute(&path).unwrap_or(path);
        let last_good = paths.last_good().join(format!("{}.toml", location.name()));
        Self { location, path, paths: paths.clone(), required, last_good, patience: PATIENCE }
    }

    /// The file; of the dynamic store the control socket.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The document as it stands in the file; nothing if the file is not there and need not be.
    pub(crate) fn read(&self) -> Result<Option<Document>, StoreError> {
        if self.location == Location::Dynamic {
            return dynamic::read(&self.paths).map(|(_, document)| Some(document));
        }
        match Document::read(&self.path) {
            Ok(document) => Ok(Some(document)),
            Err(DocumentError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound && !self.required => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What the store holds. Of a file that cannot be read, or has faults, it is the last good version, if there is one.
    pub(crate) fn load(&self) -> Result<Loaded, StoreError> {
        let objects = |document: Document| {
            let file = PolicyFile::parse(&document)?;
            Ok(Loaded { file: Some(file), error: None })
        };
        let loaded = match self.read() {
            Ok(None) => return Ok(Loaded { file: None, error: None }),
            Ok(Some(document)) => objects(document),
            Err(error) => Err(error),
        };
        loaded.or_else(|error| match self.last_good().map(objects) {
            Some(Ok(last)) => Ok(Loaded { error: Some(error), ..last }),
            Some(Err(_)) | None => Err(error),
        })
    }

    /// What stands below the last good version: the local store is not always the same file.
    fn mark(&self) -> String {
        format!("\n# This is the last good version of {:?}: edit that one.\n", self.path)
    }

    /// The last good version of this file, if one was kept.
    pub(crate) fn last_good(&self) -> Option<Document> {
        let document = Document::read(&self.last_good).ok()?;
        let text = Zeroizing::new(document.text().strip_suffix(&self.mark())?.to_owned());
        // Paths in it start where they did in the file.
        Document::from_text(&self.last_good, &directory_of(&self.path), text).ok()
    }

    /// Keeps `text` as the last good version.
    pub(crate) fn keep(&self, text: &str) -> Result<(), StoreError> {
        if self.last_good().is_some_and(|document| document.text() == text) {
            return Ok(());
        }
        let directory = directory_of(&self.last_good);
        atomic::make_directory(&directory, 0o700)
            .map_err(|error| StoreError::Write { path: directory.clone(), error })?;
        let _lock = FileLock::take(&directory.join("lock"), self.patience)?;
        let text = Zeroizing::new(format!("{text}{}", self.mark()));
        atomic::write(&self.last_good, text.as_bytes())
            .map_err(|error| StoreError::Write { path: self.last_good.clone(), error })
    }

    /// Forgets the last good version: there is no file, and that is meant.
    pub(crate) fn forget(&self) -> Result<(), StoreError> {
        if self.last_good().is_none() {
            return Ok(());
        }
        std::fs::remove_file(&self.last_good).map_err(|error| StoreError::Write { path: self.last_good.clone(), error })
    }

    /// Has `edit` make a new text of the document's text, which is empty if the file is not there, and puts it in its place
    /// if the model finds no fault in it. Gives what `edit` gives besides. After an error the file is as it was.
    ///
    /// What `edit` gets is what stands in the file, faults and all.
    pub(crate) fn edit<R, E>(&self, edit: impl FnMut(&str) -> Result<(String, R), E>) -> Result<R, EditError<E>> {
        if self.location == Location::Dynamic {
            return dynamic::edit(&self.paths, edit);
        }
        let mode = if self.location == Location::Local { 0o755 } else { 0o700 };
        let check = |document: &Document| PolicyFile::parse(document).map(drop);
        // What is good is kept by the service, which has seen it in force.
        edit_file(&self.path, mode, self.patience, check, edit)
    }
}

/// Has `edit` make a new text of the text of a file, as [`Store::edit`] does, and puts it in its place if `check` finds no fault in
/// it. Gives what `edit` gives besides. A directory that is not there is made with this mode. Waits for somebody else's edit as long as `patience`.
pub(crate) fn edit_file<R, E>(
    path: &Path,
    directory_mode: u32,
    patience: Duration,
    check: impl Fn(&Document) -> Result<(), DocumentError>,
    mut edit: impl FnMut(&str) -> Result<(String, R), E>,
) -> Result<R, EditError<E>> {
    // A link stays one: what it leads to is edited.
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let write_error = |error| StoreError::Write { path: target.clone(), error };
    atomic::make_directory(&directory_of(&target), directory_mode).map_err(write_error)?;
    let _lock = FileLock::take(&atomic::beside(&target, "", ".lock"), patience).map_err(StoreError::Lock)?;
    let old = match Document::read(&target) {
        Ok(document) => document.into_text(),
        Err(DocumentError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => Zeroizing::default(),
        Err(error) => return Err(StoreError::Document(error).into()),
    };
    let (new, result) = edit(&old).map_err(EditError::Refused)?;
    let new = Document::from_text(path, &directory_of(path), Zeroizing::new(new)).map_err(StoreError::Document)?;
    check(&new).map_err(StoreError::Document)?;
    if new.text() == old.as_str() {
        return Ok(result);
    }
    atomic::write(&target, new.text().as_bytes()).map_err(write_error)?;
    Ok(result)
}
