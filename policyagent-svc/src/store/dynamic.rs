//! The dynamic store, which is in the memory of the service.
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

use super::{EditError, StoreError};
use crate::control::client::ask_with;
use crate::control::request::{Reply, Request};
use crate::document::{Document, DocumentError, directory_of};
use crate::model::PolicyFile;
use crate::paths::Paths;

/// How long the service may take for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often others may be faster.
const ATTEMPTS: u32 = 100;

/// A document of the dynamic store; relative paths in it start where the settings are.
pub(crate) fn dynamic_document(paths: &Paths, text: &str) -> Result<Document, DocumentError> {
    let text = Zeroizing::new(text.to_owned());
    Document::from_text(Path::new("dynamic policy"), &directory_of(&paths.settings()), text)
}

fn not_understood() -> StoreError {
    StoreError::Refused("the service's answer is to another question".to_owned())
}

/// The document with its revision.
pub(super) fn read(paths: &Paths) -> Result<(u64, Document), StoreError> {
    let (reply, document) = ask_with(&paths.socket(), Request::DynamicPolicy, &[], PATIENCE)?;
    match (reply, str::from_utf8(&document)) {
        (Reply::DynamicPolicy { revision, .. }, Ok(text)) => Ok((revision, dynamic_document(paths, text)?)),
        (Reply::Error { message }, _) => Err(StoreError::Refused(message)),
        _ => Err(not_understood()),
    }
}

/// As [`super::Store::edit`]; `edit` is asked again if somebody else was faster.
pub(super) fn edit<R, E>(
    paths: &Paths,
    mut edit: impl FnMut(&str) -> Result<(String, R), E>,
) -> Result<R, EditError<E>> {
    for _ in 0..ATTEMPTS {
        let (revision, old) = read(paths)?;
        let (new, result) = edit(old.text()).map_err(EditError::Refused)?;
        let new = dynamic_document(paths, &Zeroizing::new(new)).map_err(StoreError::Document)?;
        PolicyFile::parse(&new).map_err(StoreError::Document)?;
        if new.text() == old.text() {
            return Ok(result);
        }
        let request = Request::SetDynamicPolicy { revision, octets: new.text().len() };
        let replaced = ask_with(&paths.socket(), request, new.text().as_bytes(), PATIENCE);
        match replaced.map_err(StoreError::Service)?.0 {
            Reply::Done { .. } => return Ok(result),
            Reply::OtherRevision { .. } => {}
            Reply::Error { message } => return Err(StoreError::Refused(message).into()),
            _ => return Err(not_understood().into()),
        }
    }
    Err(StoreError::Refused(format!("others have changed the dynamic policy {ATTEMPTS} times meanwhile")).into())
}
