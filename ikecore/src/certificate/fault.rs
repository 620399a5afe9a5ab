//! Why a certificate does not prove who a peer is, or cannot be used to prove who this host is.
use crate::crypto::signature::{KeyError, SignatureAlg};
use crate::identity::Identity;
use core::fmt;
use std::net::IpAddr;
use x509_parser::time::ASN1Time;

/// A time, in seconds since 1970, for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Date(pub i64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(time) = ASN1Time::from_timestamp(self.0) else { return write!(f, "{} s since 1970", self.0) };
        let time = time.to_datetime();
        let (date, clock) = (time.date(), time.time());
        let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
        write!(f, "{year}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", clock.hour(), clock.minute(), clock.second())
    }
}

/// Why certificates do not do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CertificateFault {
    /// It cannot be read.
    #[error("a certificate cannot be read: {reason}")]
    Malformed {
        /// Why not.
        reason: String,
    },
    /// Its key cannot be used.
    #[error("certificate of {subject}: {error}")]
    Key {
        /// Whose it is.
        subject: String,
        /// Why not.
        error: KeyError,
    },
    /// The peer sent none.
    #[error("the peer sent no certificate")]
    Missing,
    /// The signature is not that of any of the certificates.
    #[error("the signature is not of the key of {}", list(subjects))]
    Signature {
        /// Whose the certificates are.
        subjects: Vec<String>,
    },
    /// The key is not of the kind that was agreed on.
    #[error("certificate of {subject} has a key for {found}, agreed was {agreed}", found = found.name(), agreed = agreed.name())]
    Algorithm {
        /// Whose it is.
        subject: String,
        /// What its key is for.
        found: SignatureAlg,
        /// What was agreed.
        agreed: SignatureAlg,
    },
    /// The identity is not among the alternative names.
    #[error("ID {identity} is in no SAN; SANs are {}", list(names))]
    OtherNames {
        /// What was claimed.
        identity: Identity,
        /// What is in the certificate.
        names: Vec<Identity>,
    },
    /// The identity is another address than that of the peer.
    #[error("ID {identity} is not the address of the peer, {peer}; allowed if remote_id says so")]
    OtherAddress {
        /// What was claimed.
        identity: Identity,
        /// The peer's address.
        peer: IpAddr,
    },
    /// The identity is another than the subject's name.
    #[error("ID {identity} is not the subject of the certificate, which is {subject}")]
    OtherSubject {
        /// What was claimed.
        identity: Identity,
        /// The subject.
        subject: String,
    },
    /// The key must not sign.
    #[error("key usage of the certificate of {subject} has neither digitalSignature nor nonRepudiation")]
    KeyUsage {
        /// Whose it is.
        subject: String,
    },
    /// The key is for something else.
    #[error(
        "certificate of {subject} is for {} only, allowed are ipsecIKE, iKEIntermediate, serverAuth, clientAuth, any, \
         or no extended key usage",
        purposes.join(", ")
    )]
    Purpose {
        /// Whose it is.
        subject: String,
        /// What for, as object identifiers.
        purposes: Vec<String>,
    },
    /// Its time is over.
    #[error("certificate of {subject} expired on {at}")]
    Expired {
        /// Whose it is.
        subject: String,
        /// When.
        at: Date,
    },
    /// Its time has not come.
    #[error("certificate of {subject} is valid from {from} on only")]
    NotYetValid {
        /// Whose it is.
        subject: String,
        /// From when on.
        from: Date,
    },
    /// It was revoked.
    #[error("certificate of {subject} was revoked on {at}")]
    Revoked {
        /// Whose it is.
        subject: String,
        /// When.
        at: Date,
    },
    /// Nothing says whether it was revoked.
    #[error("no revocation list tells whether the certificates from {subject} to CA {} are revoked", list(authorities))]
    RevocationUnknown {
        /// Whose it is.
        subject: String,
        /// The trusted authorities.
        authorities: Vec<String>,
    },
    /// What says so is too old.
    #[error("the revocation list for the certificate of {subject} or of its CA was to be renewed on {at}")]
    RevocationListExpired {
        /// Whose the certificate is.
        subject: String,
        /// When.
        at: Date,
    },
    /// A revocation list cannot be read or used.
    #[error("the revocation list {name}: {reason}")]
    RevocationList {
        /// Which.
        name: String,
        /// Why not.
        reason: String,
    },
    /// It does not lead to anybody who is trusted.
    #[error("no certificate chain to CA {} from {subject}, issued by {issuer}", list(authorities))]
    NoChain {
        /// Whose it is.
        subject: String,
        /// Who issued it.
        issuer: String,
        /// The trusted authorities.
        authorities: Vec<String>,
    },
    /// A chain is there, and wrong.
    #[error("the certificate chain from {subject}: {reason}")]
    Chain {
        /// Whose it is.
        subject: String,
        /// What is wrong.
        reason: String,
    },
    /// A key in the chain is too short by the policy.
    #[error("certificate of {subject} has an RSA key of {bits} bits, allowed are {allowed} and more")]
    Weak {
        /// Whose it is.
        subject: String,
        /// Bits.
        bits: u32,
        /// What the policy allows.
        allowed: u32,
    },
    /// This host cannot sign.
    #[error("no private key for {subject}: {file}: {reason}")]
    PrivateKey {
        /// Whose certificate it is for.
        subject: String,
        /// The file.
        file: String,
        /// Why not.
        reason: String,
    },
    /// More is wanted at once than waits for a worker, or the worker failed.
    #[error("the {0} was not made: too many are wanted at once, or it was aborted")]
    Aborted(
        /// What was wanted.
        &'static str,
    ),
}

fn list<T: ToString>(items: &[T]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
