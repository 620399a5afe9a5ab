//! Bodies of the fuzz targets for what the program reads, with the seeds of their corpora. They live here so that ordinary
//! tests replay the corpora.
use crate::directory::blob::{Blob, FilterBlob, IsakmpBlob, NegotiationBlob, NfaBlob, PolicyBlob};

/// Any octets as a script of netsh, a batch file or a script of PowerShell.
///
/// # Panics
/// If a command is printed as another.
pub fn command(octets: &[u8]) {
    crate::netsh::fuzz_command(octets);
}

/// Inputs for [`command`], each with its file name.
pub fn command_seeds() -> Vec<(&'static str, Vec<u8>)> {
    crate::netsh::command_seeds()
}

/// Any octets as the binary value of an object of a directory. What can be read is written in a form that reads the same.
///
/// # Panics
/// If what was read reads otherwise when it is written.
pub fn blob(octets: &[u8]) {
    one::<PolicyBlob>(octets);
    one::<IsakmpBlob>(octets);
    one::<NegotiationBlob>(octets);
    one::<FilterBlob>(octets);
    if let Ok(read) = NfaBlob::read(octets) {
        // What later versions say of a rule is read and never written.
        let tunnel = read.blob.tunnel.filter(std::net::IpAddr::is_ipv4);
        let published = NfaBlob { flags: Vec::new(), tunnel, ..read.blob };
        let again = NfaBlob::read(&published.write(None)).map(|read| read.blob);
        assert_eq!(again, Ok(published));
    }
}

fn one<T: Blob + PartialEq + std::fmt::Debug>(octets: &[u8]) {
    if let Ok(read) = T::read(octets) {
        let again = T::read(&read.blob.write(read.extension.as_deref().map(String::as_str))).map(|read| read.blob);
        assert_eq!(again, Ok(read.blob));
    }
}

/// Values to begin with, by name.
pub fn blob_seeds() -> Vec<(&'static str, Vec<u8>)> {
    crate::directory::blob::seeds()
}

/// Any octets as a configuration of strongSwan or libreswan.
///
/// # Panics
/// If what is made of it is a document with a fault.
pub fn import(octets: &[u8]) {
    crate::import::fuzz_import(octets);
}

/// Inputs for [`import`], each with its file name.
pub fn import_seeds() -> Vec<(&'static str, Vec<u8>)> {
    crate::import::import_seeds()
}

/// Any octets as a capture.
///
/// # Panics
/// If what is shown stands where nothing is, or is not printable.
pub fn capture(octets: &[u8]) {
    crate::capture::fuzz_capture(octets);
}

/// Inputs for [`capture`], each with its file name.
pub fn capture_seeds() -> Vec<(&'static str, Vec<u8>)> {
    crate::capture::capture_seeds()
}
