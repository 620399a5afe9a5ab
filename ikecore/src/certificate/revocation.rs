//! Revocation lists (RFC 5280 §5).
use super::CertificateFault;
use core::fmt;
use webpki::{BorrowedCertRevocationList, CertRevocationList, Error, OwnedCertRevocationList};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

/// A revocation list that could be read; its signature is looked at when a chain is checked against it.
pub struct RevocationList {
    /// Where it came from.
    pub name: String,
    pub(super) list: CertRevocationList<'static>,
    /// When it was issued, in seconds since 1970.
    pub(super) issued: i64,
    pub(super) issuer: Vec<u8>,
}

impl RevocationList {
    /// Reads a list that came from the file of that `name`.
    pub fn from_der(name: &str, der: Vec<u8>) -> Result<Self, CertificateFault> {
        let fault = |reason: String| CertificateFault::RevocationList { name: name.to_owned(), reason };
        let (_, parsed) = CertificateRevocationList::from_der(&der).map_err(|error| fault(error.to_string()))?;
        let (issued, issuer) = (parsed.last_update().timestamp(), parsed.issuer().as_raw().to_vec());
        let list: OwnedCertRevocationList = BorrowedCertRevocationList::from_der(&der)
            .and_then(|list| list.to_owned())
            .map_err(|error| fault(reason(&error)))?;
        Ok(Self { name: name.to_owned(), list: list.into(), issued, issuer })
    }
}

/// What is not supported, in words.
pub(super) fn reason(error: &Error) -> String {
    match error {
        Error::UnsupportedCrlVersion => "it is of version 1, allowed is version 2".to_owned(),
        Error::UnsupportedDeltaCrl => "it is a delta, allowed are complete lists".to_owned(),
        Error::UnsupportedIndirectCrl => "it is indirect, allowed are lists of the issuer itself".to_owned(),
        other => other.to_string(),
    }
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RevocationList({})", self.name)
    }
}
