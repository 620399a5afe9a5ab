//! What the fuzz target for policy documents has of netsh.
use std::path::Path;

use super::document::PolicyDocument;
use super::static_context::dump::dump;
use crate::netsh::language::{Context, Interpreter};
use crate::netsh::script::{Dialect, StatementKind, statements};

/// The document as a script: each line is a command, or a remark.
///
/// # Panics
/// If a line cannot be read.
pub(crate) fn dumped_script_is_read(path: &Path, text: &str) {
    // A document that cannot be edited, as its tables have unusual forms, is refused.
    let Ok(script) = PolicyDocument::parse(path, text).and_then(|document| dump(&document)) else { return };
    let mut interpreter = Interpreter::new(Context::Root);
    for statement in statements(Dialect::Netsh, &script) {
        let StatementKind::Netsh(words) = statement.kind else { panic!("a line of the script is not for netsh") };
        let read = interpreter.interpret(words);
        assert!(read.is_ok(), "a line of the script cannot be read");
    }
}
