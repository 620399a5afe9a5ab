//! Bodies of the fuzz targets for what the program reads, with the seeds of their corpora. They live here so that ordinary
//! tests replay the corpora.
use std::path::Path;
use zeroize::Zeroizing;

use crate::compile::{Machine, Part, Reqids, compile_all};
use crate::directory::blob::{Blob, FilterBlob, IsakmpBlob, NegotiationBlob, NfaBlob, PolicyBlob};
use crate::document::Document;
use crate::lint;
use crate::model::PolicyFile;
use crate::netsh::dumped_script_is_read;

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

/// Octets of a document that are read: more makes it slower, and not other.
const LONGEST: usize = 1 << 16;

/// Any octets as a policy document of a store: what can be read is compiled for a machine, looked through as `policyagent check`
/// does, and shown as commands of netsh.
///
/// # Panics
/// If a command that is made of it cannot be read.
pub fn document(octets: &[u8]) {
    let Some(text) = octets.get(..octets.len().min(LONGEST)).and_then(|octets| str::from_utf8(octets).ok()) else {
        return;
    };
    let path = Path::new("/nowhere/policy.toml");
    let text = Zeroizing::new(text.to_owned());
    let Ok(document) = Document::from_text(path, Path::new("/nowhere"), text) else { return };
    let Ok(file) = PolicyFile::parse(&document) else { return };
    let addresses = ["192.0.2.1", "198.51.100.1", "2001:db8::1"].iter().filter_map(|text| text.parse().ok());
    let machine = Machine { addresses: addresses.collect(), ..Machine::default() };
    let everything = Part { store: "dynamic", file: &file, everything: true };
    if let Ok(compiled) = compile_all(&[everything], &machine, &mut Reqids::default()) {
        lint::findings(&file, &compiled.db);
    }
    dumped_script_is_read(path, document.text());
}

/// Documents to begin with, by name.
pub fn document_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let of = |text: &str| text.as_bytes().to_vec();
    vec![
        ("host-to-host", of(include_str!("../../docs/examples/host-to-host.toml"))),
        ("site-to-site", of(include_str!("../../docs/examples/site-to-site.toml"))),
        ("server", of(include_str!("../../docs/examples/server.toml"))),
        ("client", of(include_str!("../../docs/examples/client.toml"))),
        ("gateway", of(include_str!("../../docs/examples/gateway.toml"))),
        ("schema", of(include_str!("fuzzing/schema.toml"))),
    ]
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

#[cfg(test)]
mod tests {
    #[test]
    fn every_seed_of_a_document_is_compiled() {
        for (name, octets) in super::document_seeds() {
            let text = String::from_utf8(octets).unwrap();
            let file = crate::model::tests::parse(&text);
            // Certificates of the examples are files of other machines.
            let fault = file.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(fault.is_empty() || fault.lines().all(|line| line.contains("No such file")), "{name}: {fault}");
        }
    }
}
