//! Signatures and checks of certificates: what needs files and the date.
//!
//! A private key is in memory only while its signature is made, on a worker's thread and stack; what parses the peers'
//! packets never has it. Revocation lists are read at each check, so that a new one counts at once.
use ikecore::certificate::{CertificateFault, RevocationCheck, RevocationList, lists_from_file};
use ikecore::endpoint::{Sign, VerifyChain};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

/// The most octets of a private key's file.
const MAX_KEY: u64 = 65_536;

/// The most octets of a revocation list's file.
const MAX_LIST: u64 = 33_554_432;

/// The most files of a directory with revocation lists.
const MAX_FILES: usize = 256;

pub(super) fn sign(work: &Sign) -> Result<Vec<u8>, CertificateFault> {
    let file = read(&work.own.private_key, MAX_KEY).map_err(|error| work.no_key(error.to_string()))?;
    work.run(&file)
}

pub(super) fn verify(work: &VerifyChain, at_least: RevocationCheck) -> Result<(), CertificateFault> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    work.run(i64::try_from(now).unwrap_or(i64::MAX), at_least, &mut lists)
}

/// The lists of a file, or of the files of a directory that end in `.crl`, `.pem` or `.der`.
fn lists(path: &Path) -> Result<Vec<RevocationList>, CertificateFault> {
    let fault =
        |path: &Path, reason: String| CertificateFault::RevocationList { name: path.display().to_string(), reason };
    let files = files(path).map_err(|error| fault(path, error.to_string()))?;
    let mut lists = Vec::new();
    for file in files {
        let octets = read(&file, MAX_LIST).map_err(|error| fault(&file, error.to_string()))?;
        lists.extend(lists_from_file(&file.display().to_string(), &octets)?);
    }
    Ok(lists)
}

fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        let extension = file.extension().and_then(std::ffi::OsStr::to_str);
        if matches!(extension, Some("crl" | "pem" | "der")) && file.is_file() {
            files.push(file);
        }
    }
    if files.len() > MAX_FILES {
        return Err(io::Error::other(format!("{} files, allowed are {MAX_FILES}", files.len())));
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path, most: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > most {
        return Err(io::Error::other(format!("allowed is a file of at most {most} octets")));
    }
    // All room at once: a vector that grows leaves copies behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1));
    file.take(most).read_to_end(&mut octets)?;
    Ok(octets)
}
