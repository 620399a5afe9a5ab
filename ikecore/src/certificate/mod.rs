//! X.509 certificates (RFC 5280) as IKE uses them (RFC 4945): what one says, whom it names, whether a chain leads to a
//! certification authority that is trusted, and whether one was revoked.
//!
//! Nothing here reads files or the clock: octets and the time are given.
mod fault;
mod path;
mod pem;
mod pkcs7;
mod revocation;
mod signed_data;
#[cfg(test)]
mod tests;
mod trust;

pub use fault::{CertificateFault, Date};
pub use pem::{certificates_from_file, lists_from_file};
pub use pkcs7::certificates as certificates_from_pkcs7;
pub use revocation::RevocationList;
pub use trust::{RevocationCheck, Trust};

use crate::crypto::signature::PublicKey;
use crate::identity::{Identity, dn};
use core::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The most octets of a certificate.
pub const MAX_OCTETS: usize = 16_384;

/// The most certificates that a peer may send, and that this host has in a chain of its own.
pub const MAX_CHAIN: usize = 10;

/// The most subject alternative names of a certificate that are looked at.
const MAX_NAMES: usize = 256;

/// What a key may be used for (RFC 4945 §5.1.3.12): one of these must be among the purposes, if a certificate has any.
///
/// RFC 4945 names `ipsecIKE` and `anyExtendedKeyUsage`; `iKEIntermediate` is what older CAs write, and what most CAs that
/// issue for machines write is `serverAuth` and `clientAuth`.
const PURPOSES: [&str; 5] =
    ["1.3.6.1.5.5.7.3.17", "2.5.29.37.0", "1.3.6.1.5.5.8.2.2", "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"];

/// A certificate that could be read. Cheap to clone.
#[derive(Clone)]
pub struct Certificate(Arc<Parsed>);

struct Parsed {
    der: Vec<u8>,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    serial: Vec<u8>,
    /// The subject alternative names that can be identities.
    names: Vec<Identity>,
    key: PublicKey,
    not_before: i64,
    not_after: i64,
    /// False if a key usage is there without digitalSignature and nonRepudiation.
    may_sign: bool,
    /// False if a key usage is there without keyCertSign.
    may_certify: bool,
    /// The extended key usages, if there are any.
    purposes: Option<Vec<String>>,
}

impl Certificate {
    /// Reads a certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateFault> {
        let malformed = |reason: String| CertificateFault::Malformed { reason };
        if der.len() > MAX_OCTETS {
            return Err(malformed(format!("{} octets, allowed are {MAX_OCTETS}", der.len())));
        }
        let (rest, certificate) = X509Certificate::from_der(der).map_err(|error| malformed(error.to_string()))?;
        if !rest.is_empty() {
            return Err(malformed(format!("{} octets follow it", rest.len())));
        }
        let subject = certificate.subject().as_raw().to_vec();
        let key = PublicKey::from_der(certificate.public_key().raw)
            .map_err(|error| CertificateFault::Key { subject: dn_text(&subject), error })?;
        let names = match certificate.subject_alternative_name().map_err(|error| malformed(error.to_string()))? {
            Some(names) => names.value.general_names.iter().take(MAX_NAMES).filter_map(identity).collect(),
            None => Vec::new(),
        };
        let usage = certificate.key_usage().map_err(|error| malformed(error.to_string()))?;
        let purposes = certificate.extended_key_usage().map_err(|error| malformed(error.to_string()))?;
        Ok(Self(Arc::new(Parsed {
            der: der.to_vec(),
            issuer: certificate.issuer().as_raw().to_vec(),
            serial: certificate.raw_serial().to_vec(),
            names,
            key,
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            // RFC 4945 §5.1.3.2: digitalSignature or nonRepudiation, if there is a key usage.
            may_sign: usage
                .as_ref()
                .is_none_or(|usage| usage.value.digital_signature() || usage.value.non_repudiation()),
            // RFC 5280 §6.1.4 (n).
            may_certify: usage.as_ref().is_none_or(|usage| usage.value.key_cert_sign()),
            purposes: purposes.map(|purposes| purposes_of(purposes.value)),
            subject,
        })))
    }

    /// The certificate itself.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The encoded name of the subject; it may be empty.
    pub fn subject(&self) -> &[u8] {
        &self.0.subject
    }

    /// The encoded name of the issuer.
    pub fn issuer(&self) -> &[u8] {
        &self.0.issuer
    }

    /// The subject's public key.
    pub fn key(&self) -> &PublicKey {
        &self.0.key
    }

    /// True if the subject issued it itself.
    pub fn is_self_issued(&self) -> bool {
        dn::same(&self.0.subject, &self.0.issuer)
    }

    /// The identity that the certificate gives its subject: the subject's name if there is one (RFC 4945 §3.1.5), else the
    /// first subject alternative name.
    pub fn identity(&self) -> Option<Identity> {
        match dn::text(&self.0.subject) {
            Some(_) => Some(Identity::DerAsn1Dn(self.0.subject.clone())),
            None => self.0.names.first().cloned(),
        }
    }

    /// The name in the certificate that an identity is (RFC 4945 §3.1): the subject's, or one of the alternative names.
    pub fn name(&self, identity: &Identity) -> Result<Identity, CertificateFault> {
        let subject = Identity::DerAsn1Dn(self.0.subject.clone());
        let names = core::iter::once(&subject).chain(&self.0.names);
        names.clone().find(|name| name.matches(identity)).cloned().ok_or_else(|| match identity {
            Identity::DerAsn1Dn(_) => {
                CertificateFault::OtherSubject { identity: identity.clone(), subject: dn_text(&self.0.subject) }
            }
            _ => CertificateFault::OtherNames { identity: identity.clone(), names: self.0.names.clone() },
        })
    }

    /// Whether the key may be used to sign in IKE (RFC 4945 §5.1.3.2, §5.1.3.12).
    pub fn check_usage(&self) -> Result<(), CertificateFault> {
        if !self.0.may_sign {
            return Err(CertificateFault::KeyUsage { subject: self.to_string() });
        }
        match &self.0.purposes {
            Some(purposes) if !purposes.iter().any(|purpose| PURPOSES.contains(&purpose.as_str())) => {
                Err(CertificateFault::Purpose { subject: self.to_string(), purposes: purposes.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Whether the time, in seconds since 1970, is within the validity.
    pub fn check_date(&self, now: i64) -> Result<(), CertificateFault> {
        let subject = || self.to_string();
        if now > self.0.not_after {
            return Err(CertificateFault::Expired { subject: subject(), at: Date(self.0.not_after) });
        }
        if now < self.0.not_before {
            return Err(CertificateFault::NotYetValid { subject: subject(), from: Date(self.0.not_before) });
        }
        Ok(())
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl fmt::Display for Certificate {
    /// The name of the subject, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (dn::text(&self.0.subject), self.0.names.first()) {
            (Some(text), _) => f.write_str(&text),
            (None, Some(name)) => write!(f, "{name}"),
            (None, None) => f.write_str("no name"),
        }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({self})")
    }
}

/// The text of a name, for people.
pub fn dn_text(name: &[u8]) -> String {
    dn::text(name).unwrap_or_else(|| "no name".to_owned())
}

/// The identity that a subject alternative name is (RFC 4945 §5.1.3.6).
fn identity(name: &GeneralName<'_>) -> Option<Identity> {
    match name {
        GeneralName::DNSName(name) => format!("fqdn:{name}").parse().ok(),
        GeneralName::RFC822Name(name) => format!("user-fqdn:{name}").parse().ok(),
        GeneralName::IPAddress(octets) => {
            let v4 = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from)).ok().map(Identity::Address)
        }
        GeneralName::DirectoryName(name) => Some(Identity::DerAsn1Dn(name.as_raw().to_vec())),
        _ => None,
    }
}

fn purposes_of(usage: &x509_parser::extensions::ExtendedKeyUsage<'_>) -> Vec<String> {
    let known = [
        (usage.any, "2.5.29.37.0"),
        (usage.server_auth, "1.3.6.1.5.5.7.3.1"),
        (usage.client_auth, "1.3.6.1.5.5.7.3.2"),
        (usage.code_signing, "1.3.6.1.5.5.7.3.3"),
        (usage.email_protection, "1.3.6.1.5.5.7.3.4"),
        (usage.time_stamping, "1.3.6.1.5.5.7.3.8"),
        (usage.ocsp_signing, "1.3.6.1.5.5.7.3.9"),
    ];
    let known = known.into_iter().filter(|(there, _)| *there).map(|(_, purpose)| purpose.to_owned());
    known.chain(usage.other.iter().map(x509_parser::der_parser::Oid::to_id_string)).collect()
}
