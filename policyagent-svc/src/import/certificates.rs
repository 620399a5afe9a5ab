//! Certificates and private keys: configurations name the certificate, documents both.
use ikecore::certificate::certificates_from_file;
use ikecore::crypto::signature::SigningKey;
use std::path::{Path, PathBuf};

use super::Context;
use super::connection::Own;

/// The certificate of this host, and the key of it among files and directories.
pub(crate) fn own(context: &Context<'_>, certificate: &Path, keys: &[PathBuf]) -> Result<Own, String> {
    let octets = context.files.read(certificate).map_err(|error| format!("{}: {error}", certificate.display()))?;
    let fault = |fault: &dyn core::fmt::Display| format!("{}: {fault}", certificate.display());
    let chain = certificates_from_file(&octets).map_err(|error| fault(&error))?;
    let Some(first) = chain.first() else { return Err(fault(&"holds no certificate")) };
    let inside = |path: &PathBuf| {
        let names = context.files.list(path);
        if names.is_empty() { vec![path.clone()] } else { names.iter().map(|name| path.join(name)).collect() }
    };
    let fits = |path: &PathBuf| {
        let Ok(octets) = context.files.read(path) else { return false };
        SigningKey::from_file(&octets).and_then(|key| key.check(first.key())).is_ok()
    };
    match keys.iter().flat_map(inside).find(fits) {
        Some(private_key) => Ok(Own { certificate: absolute(certificate), private_key: absolute(&private_key) }),
        None => {
            let places: Vec<String> = keys.iter().map(|path| path.display().to_string()).collect();
            Err(format!("the key of {} is not in {}", certificate.display(), places.join(", ")))
        }
    }
}

/// The files with certificates of a directory.
pub(crate) fn certificates_of(context: &Context<'_>, directory: &Path) -> Vec<PathBuf> {
    let names = context.files.list(directory);
    let is = |path: &PathBuf| context.files.read(path).is_ok_and(|octets| certificates_from_file(&octets).is_ok());
    names.iter().map(|name| absolute(&directory.join(name))).filter(is).collect()
}

/// The path as documents have it: their own relative ones start elsewhere.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
