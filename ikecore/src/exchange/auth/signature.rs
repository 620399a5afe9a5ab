//! Authentication with signatures (RFC 2409 §5.1, RFC 4754) by the keys of certificates (RFC 4945).
//!
//! Messages 5 and 6 prove that their sender did the Diffie-Hellman computation, no more: until chain and signature are
//! right, what is in them is nobody's. What is cheap is checked first, and what takes long is asked of a worker.
use super::{Claim, Credential, Judgement, Means, Proof, Unconfirmed};
use crate::certificate::{Certificate, CertificateFault, MAX_CHAIN, Trust, certificates_from_pkcs7};
use crate::crypto::prf::Mac;
use crate::crypto::signature::SignatureAlg;
use crate::exchange::phase1::id_body;
use crate::exchange::work::{Ask, VerifyChain};
use crate::identity::{Identity, dn};
use crate::policy::rule::OwnCertificate;
use crate::wire::{
    AuthenticationMethod, Cert, CertEncoding, CertReq, Chain, ChainWriter, PayloadRule, PayloadType, Signature, Writer,
};
use std::sync::Arc;

/// What the peer sends besides ID.
pub(super) const RULES: &[PayloadRule] =
    &[PayloadRule::one(PayloadType::SIG), PayloadRule::up_to(PayloadType::CERT, MAX_CHAIN)];

/// The most authorities that a peer is asked by name: with more, it is asked for the certificate of any.
const MAX_REQUESTS: usize = 16;

/// What a kind of signature is offered as (RFC 2409 Appendix A, RFC 4754 §6).
pub(super) const fn code(algorithm: SignatureAlg) -> AuthenticationMethod {
    match algorithm {
        SignatureAlg::Rsa => AuthenticationMethod::RSA_SIGNATURES,
        SignatureAlg::Ecdsa256 => AuthenticationMethod::ECDSA_SHA256_P256,
        SignatureAlg::Ecdsa384 => AuthenticationMethod::ECDSA_SHA384_P384,
        SignatureAlg::Ecdsa521 => AuthenticationMethod::ECDSA_SHA512_P521,
    }
}

/// A CERTREQ for each authority that is trusted (RFC 4945 §3.2.3); an empty one for those that are not to be named.
pub(super) fn push_requests(trusts: &[Arc<Trust>], chain: &mut ChainWriter) {
    let mut names: Vec<&[u8]> = Vec::new();
    for authority in trusts.iter().filter(|trust| !trust.names_excluded).flat_map(|trust| &trust.authorities) {
        if !names.iter().any(|name| dn::same(name, authority.subject())) {
            names.push(authority.subject());
        }
    }
    if trusts.iter().any(|trust| trust.names_excluded) {
        names.push(&[]);
    }
    if names.len() > MAX_REQUESTS {
        names = vec![&[]];
    }
    for authority in names {
        chain.push(PayloadType::CERTREQ, |writer| {
            CertReq { encoding: CertEncoding::X509_SIGNATURE, authority }.encode(writer);
        });
    }
}

/// The first certificate that the peer asked for, else the first.
pub(super) fn credential(
    own: &[Arc<OwnCertificate>],
    requests: &[Vec<u8>],
    configured: Option<&Identity>,
    address: &Identity,
) -> Option<Credential> {
    let wanted = |own: &&Arc<OwnCertificate>| {
        let mut chain = core::iter::once(&own.certificate).chain(&own.issuers);
        chain.any(|certificate| requests.iter().any(|name| name.is_empty() || dn::same(name, certificate.issuer())))
    };
    let own = own.iter().find(wanted).or_else(|| own.first())?;
    let identity = match configured {
        // As it is encoded in the certificate: some peers compare octets.
        Some(identity) => own.certificate.name(identity).unwrap_or_else(|_| identity.clone()),
        None => own.certificate.identity().unwrap_or_else(|| address.clone()),
    };
    Some(Credential { id: id_body(&identity), means: Means::Signature(Arc::clone(own)) })
}

/// This host's proof: its certificate first, those of its issuers, the signature (RFC 4945 §3.3.2).
pub(super) fn proof(own: &OwnCertificate, signature: Vec<u8>) -> Proof {
    let certificates = core::iter::once(&own.certificate).chain(&own.issuers);
    let mut payloads: Vec<(PayloadType, Vec<u8>)> = certificates
        .map(|certificate| {
            let mut writer = Writer::new();
            Cert { encoding: CertEncoding::X509_SIGNATURE, data: certificate.der() }.encode(&mut writer);
            (PayloadType::CERT, writer.into_vec())
        })
        .collect();
    payloads.push((PayloadType::SIG, signature));
    Proof { payloads }
}

/// Reads the peer's proof.
pub(super) fn claim(identity: Identity, chain: &Chain<'_>) -> Result<Claim, CertificateFault> {
    let malformed = |error: crate::wire::WireError| CertificateFault::Malformed { reason: error.to_string() };
    let mut certificates: Vec<Certificate> = Vec::new();
    for payload in chain.all(PayloadType::CERT) {
        let cert = payload.decode(Cert::decode).map_err(malformed)?;
        let found = match cert.encoding {
            CertEncoding::X509_SIGNATURE => vec![Certificate::from_der(cert.data)?],
            CertEncoding::PKCS7 => certificates_from_pkcs7(cert.data)?,
            // Revocation lists, keys without a certificate and others: they are no harm and no help.
            _ => Vec::new(),
        };
        for certificate in found {
            if !certificates.contains(&certificate) {
                certificates.push(certificate);
            }
        }
    }
    if certificates.is_empty() {
        return Err(CertificateFault::Missing);
    }
    if certificates.len() > MAX_CHAIN {
        let reason = format!("{} certificates at once, allowed are {MAX_CHAIN}", certificates.len());
        return Err(CertificateFault::Malformed { reason });
    }
    let signature = chain.one(PayloadType::SIG).map(|payload| payload.decode(Signature::decode));
    let proof = match signature {
        Some(Ok(signature)) => signature.data.to_vec(),
        Some(Err(error)) => return Err(malformed(error)),
        None => return Err(CertificateFault::Signature { subjects: Vec::new() }),
    };
    Ok(Claim { identity, proof, certificates })
}

/// Whether the signature is that of a certificate that has the claimed name; then the chain has to be asked about. `agreed`
/// is the kind of signature that was agreed on.
pub(super) fn judge(
    trusts: &[Arc<Trust>],
    agreed: SignatureAlg,
    claim: Claim,
    hash: &Mac,
) -> Result<Judgement, CertificateFault> {
    let Claim { identity, proof, mut certificates } = claim;
    // RFC 4945 §3.3.2: the peer's own certificate comes first, but nobody must rely on it.
    let signs = |certificate: &Certificate| certificate.key().verify(hash.as_ref(), &proof);
    let Some(at) = certificates.iter().position(signs) else {
        return Err(CertificateFault::Signature { subjects: certificates.iter().map(ToString::to_string).collect() });
    };
    let own = certificates.remove(at);
    let found = own.key().algorithm();
    if agreed != found {
        return Err(CertificateFault::Algorithm { subject: own.to_string(), found, agreed });
    }
    let identity = own.name(&identity)?;
    own.check_usage()?;
    certificates.insert(0, own);
    let ask = Ask::VerifyChain(VerifyChain { chain: certificates, trusts: trusts.to_vec() });
    Ok(Judgement::Ask(Unconfirmed { identity }, ask))
}
