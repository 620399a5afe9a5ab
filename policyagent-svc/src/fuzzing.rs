//! Bodies of the fuzz targets for what the program reads, with the seeds of their corpora. They live here so that ordinary
//! tests replay the corpora.

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
