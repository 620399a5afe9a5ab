//! Whether a chain leads from a certificate to an authority that is trusted (RFC 5280 §6), and whether any in it was
//! revoked.
use super::revocation::{RevocationList, reason};
use super::signed_data::algorithms;
use super::trust::{RevocationCheck, Trust};
use super::{Certificate, CertificateFault, Date, PURPOSES, dn_text};
use crate::crypto::signature::SignatureAlg;
use crate::identity::dn;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use std::time::Duration;
use webpki::{
    CertRevocationList, EndEntityCert, Error, ExpirationPolicy, ExtendedKeyUsageValidator, KeyPurposeIdIter,
    RevocationCheckDepth, RevocationOptionsBuilder, UnknownStatusPolicy, VerifiedPath, anchor_from_trusted_cert,
};

/// The purposes of all certificates of a path: what [`Certificate::check_usage`] allows.
struct Purposes;

impl ExtendedKeyUsageValidator for Purposes {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        let mut any = false;
        for purpose in purposes {
            any = true;
            let arcs = purpose?.to_decoded_oid();
            let text = arcs.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
            if PURPOSES.contains(&text.as_str()) {
                return Ok(());
            }
        }
        if any { Err(Error::ExtensionValueInvalid) } else { Ok(()) }
    }
}

impl Trust {
    /// Checks the way from the first certificate of `chain` to one of the authorities; the others, in any order, may be on
    /// it. `now` is in seconds since 1970; `lists` are those of [`Self::revocation_lists`].
    pub fn check(&self, chain: &[Certificate], now: i64, lists: &[RevocationList]) -> Result<(), CertificateFault> {
        let Some((subject, others)) = chain.split_first() else { return Err(CertificateFault::Missing) };
        subject.check_usage()?;
        subject.check_date(now)?;
        let authorities: Vec<(&Certificate, CertificateDer<'_>)> =
            self.authorities.iter().map(|authority| (authority, CertificateDer::from(authority.der()))).collect();
        let (known, anchors): (Vec<&Certificate>, Vec<TrustAnchor<'_>>) = authorities
            .iter()
            .filter_map(|(authority, der)| Some((*authority, anchor_from_trusted_cert(der).ok()?)))
            .unzip();
        let others_der: Vec<CertificateDer<'_>> =
            others.iter().map(|certificate| CertificateDer::from(certificate.der())).collect();
        let wrong = |error: &Error| self.fault(error, subject, others, lists);
        let der = CertificateDer::from(subject.der());
        let entity = EndEntityCert::try_from(&der).map_err(|error| wrong(&error))?;
        let newest_first = sorted(lists);
        let revocation = match self.revocation_check {
            RevocationCheck::Off => None,
            RevocationCheck::Revoked | RevocationCheck::Strict => RevocationOptionsBuilder::new(&newest_first).ok(),
        };
        let revocation = match (self.revocation_check, revocation) {
            (RevocationCheck::Strict, None) => return Err(wrong(&Error::UnknownRevocationStatus)),
            (RevocationCheck::Strict, Some(options)) => Some(
                options.with_status_policy(UnknownStatusPolicy::Deny).with_expiration_policy(ExpirationPolicy::Enforce),
            ),
            // A list whose time is over still tells what was revoked.
            (_, options) => options.map(|options| {
                options.with_status_policy(UnknownStatusPolicy::Allow).with_expiration_policy(ExpirationPolicy::Ignore)
            }),
        };
        let revocation = revocation.map(|options| options.with_depth(RevocationCheckDepth::Chain).build());
        let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or_default()));
        let path = entity
            .verify_for_usage(&algorithms(self.legacy), &anchors, &others_der, time, Purposes, revocation, None)
            .map_err(|error| wrong(&error))?;
        let anchor = path.anchor();
        let of_anchor = known.iter().zip(&anchors).filter(|(_, of)| *of == anchor).map(|(authority, _)| *authority);
        self.check_path(&path, subject, others, &of_anchor.collect::<Vec<_>>(), now)
    }

    /// What the path's certificates must be besides: long enough keys, keys that may certify, an authority in its time.
    /// `authorities` are the certificates of the one that the path ends at.
    fn check_path(
        &self,
        path: &VerifiedPath<'_>,
        subject: &Certificate,
        others: &[Certificate],
        authorities: &[&Certificate],
        now: i64,
    ) -> Result<(), CertificateFault> {
        let mut path_of: Vec<&Certificate> = Vec::new();
        for issuer in path.intermediate_certificates() {
            path_of.extend(others.iter().find(|other| other.der() == issuer.der().as_ref()));
        }
        // Of several certificates of one authority, one in its time is enough.
        if let Some(Err(fault)) = authorities.iter().map(|authority| authority.check_date(now)).reduce(Result::or) {
            return Err(fault);
        }
        if let Some(unfit) = path_of.iter().chain(authorities).find(|certificate| !certificate.0.may_certify) {
            return Err(CertificateFault::Chain {
                subject: subject.to_string(),
                reason: format!("key usage of the certificate of {unfit} has no keyCertSign"),
            });
        }
        let allowed = self.least_bits();
        let weak = |certificate: &&&Certificate| {
            certificate.key().algorithm() == SignatureAlg::Rsa && certificate.key().bits() < allowed
        };
        let all = [&subject];
        match all.into_iter().chain(&path_of).chain(authorities).find(weak) {
            Some(weak) => Err(CertificateFault::Weak { subject: weak.to_string(), bits: weak.key().bits(), allowed }),
            None => Ok(()),
        }
    }

    /// The error of a path in words.
    fn fault(
        &self,
        error: &Error,
        subject: &Certificate,
        others: &[Certificate],
        lists: &[RevocationList],
    ) -> CertificateFault {
        let name = subject.to_string();
        let date = |time: &UnixTime| Date(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
        let all = || core::iter::once(subject).chain(others);
        match error {
            Error::CertRevoked => {
                let revoked = all().find_map(|certificate| Some((certificate, revocation_of(certificate, lists)?)));
                let (certificate, at) = revoked.map_or((subject, Date(0)), |(certificate, at)| (certificate, at));
                CertificateFault::Revoked { subject: certificate.to_string(), at }
            }
            Error::CertExpired { not_after, .. } => {
                let at = date(not_after);
                let expired = all().find(|certificate| Date(certificate.0.not_after) == at).unwrap_or(subject);
                CertificateFault::Expired { subject: expired.to_string(), at }
            }
            Error::CertNotValidYet { not_before, .. } => {
                let from = date(not_before);
                let early = all().find(|certificate| Date(certificate.0.not_before) == from).unwrap_or(subject);
                CertificateFault::NotYetValid { subject: early.to_string(), from }
            }
            Error::UnknownIssuer => CertificateFault::NoChain {
                subject: name,
                issuer: dn_text(subject.issuer()),
                authorities: self.names(),
            },
            Error::UnknownRevocationStatus => {
                CertificateFault::RevocationUnknown { subject: name, authorities: self.names() }
            }
            Error::CrlExpired { next_update, .. } => {
                CertificateFault::RevocationListExpired { subject: name, at: date(next_update) }
            }
            Error::UnsupportedSignatureAlgorithmContext(_) if !self.legacy => CertificateFault::Chain {
                subject: name,
                reason: "a signature is by an algorithm that is not allowed; SHA-1 needs legacy = true".to_owned(),
            },
            Error::ExtensionValueInvalid => CertificateFault::Chain {
                subject: name,
                reason: "an extension is invalid, or a CA is not one for IKE".to_owned(),
            },
            other => CertificateFault::Chain { subject: name, reason: reason(other) },
        }
    }
}

/// The lists, of one issuer the newest first: the first one of an issuer decides.
fn sorted(lists: &[RevocationList]) -> Vec<&CertRevocationList<'static>> {
    let mut lists: Vec<&RevocationList> = lists.iter().collect();
    lists.sort_by_key(|list| core::cmp::Reverse(list.issued));
    lists.into_iter().map(|list| &list.list).collect()
}

/// When a certificate was revoked.
fn revocation_of(certificate: &Certificate, lists: &[RevocationList]) -> Option<Date> {
    lists.iter().filter(|list| dn::same(&list.issuer, certificate.issuer())).find_map(|list| {
        let revoked = list.list.find_serial(&certificate.0.serial).ok()??;
        Some(Date(i64::try_from(revoked.revocation_date.as_secs()).unwrap_or(i64::MAX)))
    })
}
