//! A store that is edited, and what is held back of its edits.
use zeroize::Zeroizing;

use super::document::PolicyDocument;
use super::error::RunError;
use super::store::PolicyStore;

/// What a command makes of a document.
pub(super) type Edit<'a> = &'a mut dyn FnMut(&mut PolicyDocument) -> Result<(), RunError>;

/// A store, and what is held back.
pub(super) struct Place {
    /// `local`, `persistent`, `domain`, `dynamic`.
    pub(super) name: &'static str,
    pub(super) store: Box<dyn PolicyStore>,
    held: Option<Held>,
}

/// A document as it will be, once it is written.
struct Held {
    before: Zeroizing<String>,
    after: Zeroizing<String>,
}

impl Place {
    pub(super) fn new(name: &'static str, store: Box<dyn PolicyStore>) -> Self {
        Self { name, store, held: None }
    }

    /// The document, with what is held back.
    pub(super) fn document(&self) -> Result<PolicyDocument, RunError> {
        match &self.held {
            Some(held) => PolicyDocument::parse(self.store.path(), &held.after),
            None => PolicyDocument::parse(self.store.path(), &self.store.read()?),
        }
    }

    /// Changes the document: at once, or when [`Self::write`] is called. After an error it is as it was.
    pub(super) fn edit(&mut self, edit: Edit<'_>, hold: bool) -> Result<(), RunError> {
        if !hold {
            let path = self.store.path().to_owned();
            return self.store.edit(&mut |text| {
                let mut document = PolicyDocument::parse(&path, text)?;
                edit(&mut document)?;
                Ok(document.text())
            });
        }
        let mut document = self.document()?;
        edit(&mut document)?;
        document.check()?;
        let after = Zeroizing::new(document.text());
        match &mut self.held {
            Some(held) => held.after = after,
            None => self.held = Some(Held { before: self.store.read()?, after }),
        }
        Ok(())
    }

    /// Writes what is held back. The text that stood there before is given, for who must put it back.
    pub(super) fn write(&mut self) -> Result<Option<Written>, RunError> {
        let Some(Held { before, after }) = self.held.take() else { return Ok(None) };
        self.store.edit(&mut |text| if *text == *before { Ok(after.to_string()) } else { Err(RunError::Overtaken) })?;
        Ok(Some(Written { before, after }))
    }

    /// Forgets what is held back.
    pub(super) fn forget(&mut self) {
        self.held = None;
    }

    /// Puts back what stood there before, unless somebody else has changed it meanwhile.
    pub(super) fn put_back(&mut self, written: &Written) -> Result<(), RunError> {
        self.store.edit(&mut |text| {
            if *text == *written.after { Ok(written.before.to_string()) } else { Err(RunError::Overtaken) }
        })
    }
}

/// What was written, and what stood there before.
pub(super) struct Written {
    before: Zeroizing<String>,
    after: Zeroizing<String>,
}
