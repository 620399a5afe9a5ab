//! Certificates and revocation lists from files: PEM with any number of them, or DER with one.
use super::revocation::RevocationList;
use super::{Certificate, CertificateFault};
use x509_parser::pem::Pem;

/// The certificates of a file, in its order.
pub fn certificates_from_file(octets: &[u8]) -> Result<Vec<Certificate>, CertificateFault> {
    blocks(octets, &["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"])
        .map_err(|reason| CertificateFault::Malformed { reason })?
        .iter()
        .map(|der| Certificate::from_der(der))
        .collect()
}

/// The revocation lists of a file of that `name`.
pub fn lists_from_file(name: &str, octets: &[u8]) -> Result<Vec<RevocationList>, CertificateFault> {
    let fault = |reason| CertificateFault::RevocationList { name: name.to_owned(), reason };
    blocks(octets, &["X509 CRL"]).map_err(fault)?.into_iter().map(|der| RevocationList::from_der(name, der)).collect()
}

/// The blocks of PEM that have one of the labels; all of it where it is no PEM.
fn blocks(octets: &[u8], labels: &[&str]) -> Result<Vec<Vec<u8>>, String> {
    // A SEQUENCE of DER; no text begins so.
    if octets.first() == Some(&0x30) {
        return Ok(vec![octets.to_vec()]);
    }
    let mut found = Vec::new();
    for block in Pem::iter_from_buffer(octets) {
        let block = block.map_err(|error| error.to_string())?;
        if labels.contains(&block.label.as_str()) {
            found.push(block.contents);
        }
    }
    if found.is_empty() {
        Err(format!("there is no {} in PEM or DER", labels.first().unwrap_or(&"")))
    } else {
        Ok(found)
    }
}
