//! The stores that are edited: documents, text in and text out.
use std::path::Path;
use zeroize::Zeroizing;

use super::error::RunError;
use crate::document::Document;
use crate::store::{EditError, Store};

/// Makes a new text of a document's text, or says why not.
pub(crate) type Change<'a> = &'a mut dyn FnMut(&str) -> Result<String, RunError>;

/// Where a policy document is kept.
pub(crate) trait PolicyStore {
    /// What messages call the document; relative paths in it start at its directory.
    fn path(&self) -> &Path;

    /// The document's text; empty if there is none yet.
    fn read(&self) -> Result<Zeroizing<String>, RunError>;

    /// Puts what `change` makes of the text in its place, if the model finds no fault in it. After an error everything is
    /// as it was.
    fn edit(&mut self, change: Change<'_>) -> Result<(), RunError>;

    /// The directory of a domain, if it is one.
    fn domain(&mut self) -> Option<&mut dyn DomainStore> {
        None
    }
}

impl PolicyStore for Store {
    fn path(&self) -> &Path {
        self.path()
    }

    fn read(&self) -> Result<Zeroizing<String>, RunError> {
        let document = self.read().map_err(|error| RunError::Document(error.to_string()))?;
        Ok(document.map(Document::into_text).unwrap_or_default())
    }

    fn edit(&mut self, change: Change<'_>) -> Result<(), RunError> {
        Self::edit(self, |text| change(text).map(|text| (text, ()))).map_err(|error| match error {
            EditError::Refused(error) => error,
            EditError::Store(error) => RunError::Document(error.to_string()),
        })
    }
}

/// The store of a domain: its directory, in which a policy is assigned to group policy objects.
pub(crate) trait DomainStore {
    /// The domain's name.
    fn name(&self) -> &str;

    /// Assigns a policy to a group policy object, or takes it from it.
    fn assign(&mut self, policy: &str, gpo: Option<&str>, on: bool) -> Result<(), RunError>;

    /// What is assigned to a group policy object, or without one to this machine; `None`: nothing is.
    fn assigned(&mut self, gpo: Option<&str>) -> Result<Option<GpoAssigned>, RunError>;
}

/// A policy that a group policy object assigns.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct GpoAssigned {
    /// The group policy object's name.
    pub(crate) gpo: String,
    /// Its distinguished name.
    pub(crate) gpo_dn: String,
    /// The policy's name.
    pub(crate) policy: String,
    /// For people.
    pub(crate) description: Option<String>,
    /// When it was changed.
    pub(crate) last_modified: Option<String>,
}
