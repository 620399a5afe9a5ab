//! The certificates of the machine, and of the authorities that it trusts.
use ikecore::certificate::{Certificate, MAX_CHAIN, certificates_from_file};
use ikecore::crypto::signature::SigningKey;
use ikecore::identity::dn;
use ikecore::policy::rule::{AuthMethod, CertificateMethod, OwnCertificate};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

use crate::model::RootCa;

/// The most octets of a file with certificates or a private key.
const MAX_FILE: u64 = 1_048_576;

/// What the certificate directories hold that can be used, in the order of the files' names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Certificates {
    own: Vec<Arc<OwnCertificate>>,
    authorities: Vec<Certificate>,
    own_directory: PathBuf,
    authorities_directory: PathBuf,
    /// What cannot be used, and why.
    faults: Vec<String>,
    /// Private keys that others can read, with their modes.
    open_keys: BTreeMap<PathBuf, u32>,
}

impl Certificates {
    /// Reads both directories. One that is not there is empty.
    pub(super) fn read(own_directory: &Path, authorities_directory: &Path) -> Self {
        let mut read = Self {
            own_directory: own_directory.to_owned(),
            authorities_directory: authorities_directory.to_owned(),
            ..Self::default()
        };
        for path in read.files(own_directory) {
            match own(&path) {
                Ok(own) => {
                    let mode = fs::metadata(&own.private_key).map_or(0, |metadata| metadata.mode() & 0o777);
                    if mode & 0o077 != 0 {
                        read.open_keys.insert(own.private_key.clone(), mode);
                    }
                    read.own.push(Arc::new(own));
                }
                Err(fault) => read.faults.push(format!("{}: {fault}", path.display())),
            }
        }
        for path in read.files(authorities_directory) {
            let certificates =
                octets(&path).and_then(|octets| certificates_from_file(&octets).map_err(|f| f.to_string()));
            match certificates {
                Ok(certificates) => {
                    for certificate in certificates {
                        if !read.authorities.contains(&certificate) {
                            read.authorities.push(certificate);
                        }
                    }
                }
                Err(fault) => read.faults.push(format!("{}: {fault}", path.display())),
            }
        }
        read
    }

    /// The files of a directory that have certificates.
    fn files(&mut self, directory: &Path) -> Vec<PathBuf> {
        let is_certificate = |path: &PathBuf| {
            matches!(path.extension().and_then(OsStr::to_str), Some("pem" | "crt" | "cer" | "der")) && path.is_file()
        };
        match fs::read_dir(directory) {
            Ok(entries) => {
                let mut files: Vec<PathBuf> =
                    entries.flatten().map(|entry| entry.path()).filter(is_certificate).collect();
                files.sort();
                files
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                self.faults.push(format!("{}: {error}", directory.display()));
                Vec::new()
            }
        }
    }

    /// What is to be said of the certificate of a method that was found here.
    pub(crate) fn warning(&self, method: &AuthMethod) -> Option<String> {
        let path = &method.own()?.private_key;
        let mode = self.open_keys.get(path)?;
        Some(format!(
            "its private key is {}, which others can read (mode {mode:03o}); it should be 600",
            path.display()
        ))
    }

    /// The method that an authority's name stands for on this machine; the error says what is missing.
    pub(crate) fn method(&self, wanted: &RootCa) -> Result<AuthMethod, String> {
        let is_wanted = |certificate: &&Certificate| dn::same_either_way(certificate.subject(), &wanted.name);
        let authorities: Vec<Certificate> = self.authorities.iter().filter(is_wanted).cloned().collect();
        let unusable = || match self.faults.as_slice() {
            [] => String::new(),
            faults => format!("; not used: {}", faults.join("; ")),
        };
        if authorities.is_empty() {
            let directory = self.authorities_directory.display();
            return Err(format!("{directory} has no certificate of the authority {:?}{}", wanted.text, unusable()));
        }
        let Some(own) = self.own.iter().find(|own| self.leads_to(own, &wanted.name)) else {
            let directory = self.own_directory.display();
            return Err(format!("{directory} has no certificate below the authority {:?}{}", wanted.text, unusable()));
        };
        let trust = wanted.strictness.clone().trust(authorities, wanted.exclude_ca_name);
        Ok(AuthMethod::Certificate(Arc::new(CertificateMethod { own: Arc::clone(own), trust: Arc::new(trust) })))
    }

    /// True if the certificate's issuers lead, name by name, to the authority. Whether the signatures do is for the peer to
    /// check.
    fn leads_to(&self, own: &OwnCertificate, authority: &[u8]) -> bool {
        let mut at = &own.certificate;
        for _ in 0..=MAX_CHAIN {
            if dn::same_either_way(at.issuer(), authority) {
                return true;
            }
            let mut known = own.issuers.iter().chain(&self.authorities);
            match known.find(|issuer| dn::same(issuer.subject(), at.issuer()) && !issuer.is_self_issued()) {
                Some(issuer) => at = issuer,
                None => return false,
            }
        }
        false
    }
}

fn octets(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let length = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > MAX_FILE {
        return Err(format!("{length} octets long, allowed: {MAX_FILE}"));
    }
    fs::read(path).map(Zeroizing::new).map_err(|error| error.to_string())
}

/// A certificate that this machine can sign by now.
fn own(path: &Path) -> Result<OwnCertificate, String> {
    let mut all = certificates_from_file(&octets(path)?).map_err(|fault| fault.to_string())?.into_iter();
    let certificate = all.next().ok_or("no certificate")?;
    // A root is known to whoever trusts it.
    let issuers: Vec<Certificate> = all.filter(|issuer| !issuer.is_self_issued()).collect();
    if issuers.len() >= MAX_CHAIN {
        return Err(format!("{} certificates, allowed: 1 to {MAX_CHAIN}", issuers.len() + 1));
    }
    certificate.check_usage().map_err(|fault| fault.to_string())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    certificate.check_date(i64::try_from(now).unwrap_or(i64::MAX)).map_err(|fault| fault.to_string())?;
    let private_key = path.with_extension("key");
    let key = octets(&private_key).map_err(|error| format!("{}: {error}", private_key.display()))?;
    let checked = SigningKey::from_file(&key).and_then(|key| key.check(certificate.key()));
    checked.map_err(|error| format!("{}: {error}", private_key.display()))?;
    Ok(OwnCertificate { certificate, issuers, private_key })
}
