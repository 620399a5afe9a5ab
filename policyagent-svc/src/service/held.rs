//! A policy store as the service has it.
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

use crate::compile::Part;
use crate::control::report::{StoreReport, StoreState};
use crate::document::{Document, DocumentError};
use crate::model::PolicyFile;
use crate::stamp::{Stamp, stamp};
use crate::store::{Location, Offer, Store, StoreError, Verdict, Why};

/// How long, and how often, a file that was emptied is waited for.
const EMPTIED_PAUSE: Duration = Duration::from_millis(20);
const EMPTIED_LOOKS: u32 = 25;

/// A document that was read and is sound.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// The objects; nothing if the file is not there.
    pub(super) file: Option<PolicyFile>,
    /// The text that they were read from.
    pub(super) text: Zeroizing<String>,
    /// The files that were read with it: keys and certificates.
    files: BTreeMap<PathBuf, Stamp>,
    /// It is what was kept of an earlier time, as the present file has faults.
    pub(super) is_last_good: bool,
}

impl Content {
    /// Reads the objects of a document, and gives the files that it names whether it has faults or not.
    pub(super) fn of(document: Document) -> (Result<Self, DocumentError>, BTreeMap<PathBuf, Stamp>) {
        let file = PolicyFile::parse(&document);
        let files = document.files();
        let content = file.map(|file| Self {
            file: Some(file),
            text: document.into_text(),
            files: files.clone(),
            is_last_good: false,
        });
        (content, files)
    }
}

/// A store: what of it is in force, and how the last look at it ended.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) location: Location,
    /// Nothing: it is in memory alone.
    pub(super) store: Option<Store>,
    pub(super) content: Content,
    /// There is a version of it that is, or was, in force; be it that there is no file.
    pub(super) is_good: bool,
    /// The versions that were in force since the start.
    pub(super) version: u64,
    since: Instant,
    /// Why the last version is not in force.
    pub(super) error: Option<String>,
    /// It was refused for what is not its own fault: when anything else has changed it is looked at again.
    pub(super) waits: bool,
    /// The files as they were at the last look.
    seen: BTreeMap<PathBuf, Stamp>,
}

impl Held {
    /// A store of which nothing is in force yet.
    pub(super) fn new(location: Location, store: Option<Store>) -> Self {
        Self {
            location,
            is_good: store.is_none(),
            store,
            content: Content::default(),
            version: 0,
            since: Instant::now(),
            error: None,
            waits: false,
            seen: BTreeMap::new(),
        }
    }

    /// The files whose change is one of this store.
    pub(super) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.seen.keys()
    }

    /// True if a file is not as it was at the last look.
    pub(super) fn has_changed(&self) -> bool {
        self.store.is_some() && self.seen.iter().any(|(path, seen)| stamp(path) != *seen)
    }

    /// Reads the file. Gives what is to be in force of it from now on, if that is something else than now. Of a file with
    /// faults that is the last good version that was kept, if none is in force.
    pub(super) fn look(&mut self) -> Option<Content> {
        self.waits = false;
        let store = self.store.as_ref()?;
        self.wait_while_emptied(store);
        // Before it is read: what is written meanwhile is a change.
        let own = (store.path().to_owned(), stamp(store.path()));
        let (read, files) = match store.read() {
            Ok(Some(document)) => {
                let (content, files) = Content::of(document);
                (content.map_err(StoreError::from), files)
            }
            Ok(None) => (Ok(Content::default()), BTreeMap::new()),
            Err(error) => (Err(error), BTreeMap::new()),
        };
        self.seen = files;
        self.seen.insert(own.0, own.1);
        match read {
            Ok(content) => {
                self.error = None;
                let now = &self.content;
                let is_same = now.file.is_some() == content.file.is_some()
                    && now.text == content.text
                    && now.files == content.files;
                (!is_same || !self.is_good || now.is_last_good).then_some(content)
            }
            Err(error) => self.refuse(error.to_string()),
        }
    }

    /// Many editors empty a file before they write it anew: such a moment must not put nothing in force.
    fn wait_while_emptied(&self, store: &Store) {
        let is_empty = || fs::metadata(store.path()).is_ok_and(|metadata| metadata.len() == 0);
        for _ in 0..EMPTIED_LOOKS {
            if self.content.text.is_empty() || !is_empty() {
                return;
            }
            std::thread::sleep(EMPTIED_PAUSE);
        }
    }

    /// What was read cannot be in force. Gives the last good version, if none is in force already.
    pub(super) fn refuse(&mut self, error: String) -> Option<Content> {
        self.error = Some(error);
        if self.is_good {
            return None;
        }
        let last = self.store.as_ref()?.last_good()?;
        let (content, _) = Content::of(last);
        content.ok().map(|content| Content { is_last_good: true, ..content })
    }

    /// From now on this is in force.
    pub(super) fn put_in_force(&mut self, content: Content) {
        // That there is no file at the start is no version.
        if self.is_good || content.file.is_some() {
            self.version += 1;
        }
        self.content = content;
        self.is_good = true;
        self.since = Instant::now();
    }

    /// What of a content of this store is to be compiled.
    pub(super) fn part<'a>(&self, content: &'a Content) -> Option<Part<'a>> {
        let file = content.file.as_ref()?;
        Some(Part { store: self.location.name(), file, everything: self.location == Location::Dynamic })
    }

    /// What there is of it, with `content` in the place of what is so far.
    pub(super) fn offer(&self, content: Option<&Content>) -> Offer {
        match content {
            None if !self.is_good && self.error.is_some() => Offer::Failed,
            content => Offer::of(self.location, content.unwrap_or(&self.content).file.as_ref()),
        }
    }

    /// What is told of it.
    pub(super) fn report(&self, verdict: Verdict) -> StoreReport {
        let why = verdict.why.to_string();
        let state = match verdict.why {
            Why::Failed => StoreState::Failed,
            // What is in memory is there.
            Why::Absent if self.store.is_some() => StoreState::Absent,
            Why::Absent | Why::Unassigned => StoreState::NotAssigned,
            Why::Directory(_) | Why::BlockMode => StoreState::Overridden,
            Why::Applies(_) if self.content.is_last_good => StoreState::LastGood,
            Why::Applies(_) => StoreState::InForce,
        };
        StoreReport {
            store: self.location.name().to_owned(),
            path: self.store.as_ref().map(|store| store.path().to_owned()),
            state,
            why,
            policies: verdict.policies,
            version: self.version,
            age_seconds: self.since.elapsed().as_secs(),
            error: self.error.clone(),
        }
    }
}
