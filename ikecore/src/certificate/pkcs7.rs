//! Certificates wrapped in PKCS #7 (RFC 2408 §3.9, encoding 1; RFC 4945 §3.3.4): a SignedData without content.
use super::{Certificate, CertificateFault, MAX_CHAIN};
use openssl::pkcs7::Pkcs7;

/// The certificates in it.
pub fn certificates(der: &[u8]) -> Result<Vec<Certificate>, CertificateFault> {
    let malformed = |reason: String| CertificateFault::Malformed { reason };
    let library = |error: openssl::error::ErrorStack| malformed(format!("PKCS #7: {error}"));
    let wrapped = Pkcs7::from_der(der).map_err(library)?;
    let Some(certificates) = wrapped.signed().and_then(|signed| signed.certificates()) else { return Ok(Vec::new()) };
    if certificates.len() > MAX_CHAIN {
        return Err(malformed(format!("PKCS #7 with {} certificates, allowed are {MAX_CHAIN}", certificates.len())));
    }
    certificates.iter().map(|certificate| Certificate::from_der(&certificate.to_der().map_err(library)?)).collect()
}
