//! Main mode: the ISAKMP SA (RFC 2409 §5, Appendix A).
use super::super::attributes::{Attributes, Fault, Space};
use super::super::codes::{encryption, hash};
use super::super::encode::body;
use super::super::mismatch::Mismatch;
use super::super::offer::MainModeOffer;
use super::super::suite::{IkeSuite, Lifetime};
use super::reply::{offered_transforms, one};
use super::{Closest, Refusal, Refused, alternatives, by_number, closest, mismatch, sharing, with_key_length};
use crate::crypto::cipher::CipherAlg;
use crate::crypto::group::Group;
use crate::crypto::hash::HashAlg;
use crate::wire::codes::{AuthenticationMethod, EncryptionAlgorithm, IkeAttribute, IkeTransform, ProtocolId};
use crate::wire::payload::{Proposal, Sa, Transform};

/// What main mode agreed on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChosenMainMode {
    /// Proposal #.
    pub proposal: u8,
    /// Transform #.
    pub transform: u8,
    /// The algorithms.
    pub suite: IkeSuite,
    /// The life of the ISAKMP SA: the shorter of both sides', see [`Lifetime::agreed`].
    pub lifetime: Lifetime,
    /// The body of the SA payload that says so: of the responder's reply, as made here or as received.
    pub body: Vec<u8>,
}

/// The responder's choice: the first of the peer's transforms that one of `offers` with one of the methods accepts.
///
/// The error tells of every refused transform where it first differs from the offer that it is closest to. No more than
/// 255 transforms are looked at.
pub fn select_main_mode(
    sa: &Sa<'_>,
    offers: &[MainModeOffer],
    authentication: &[AuthenticationMethod],
    lifetime: Lifetime,
) -> Result<ChosenMainMode, Vec<Mismatch>> {
    let usable = offers.iter().filter(|offer| offer.hash.is_available());
    let suites: Vec<IkeSuite> =
        usable.flat_map(|offer| authentication.iter().map(|method| suite(offer, *method))).collect();
    let mut refused = Refused::default();
    // RFC 2409 §5 allows a single proposal in phase 1. More of them, with numbers of their own, do no harm.
    for group in by_number(sa) {
        let [proposal] = *group.as_slice() else {
            let number = group.first().map_or(0, |proposal| proposal.number);
            refused.add(number, 0, sharing(&group, "one protocol under each proposal number"));
            continue;
        };
        if let Err(fault) = check_proposal(proposal) {
            refused.add(proposal.number, 0, fault);
            continue;
        }
        for transform in &proposal.transforms {
            if refused.is_full() {
                return Err(refused.0);
            }
            match accept(transform, &suites) {
                Ok((suite, received)) => {
                    return Ok(ChosenMainMode {
                        proposal: proposal.number,
                        transform: transform.number,
                        suite,
                        lifetime: lifetime.agreed(received),
                        body: reply(proposal.number, transform),
                    });
                }
                Err(fault) => refused.add(proposal.number, transform.number, fault),
            }
        }
    }
    Err(refused.0)
}

/// The initiator's check: the reply must have one proposal with one transform, which must be one of those in `offered`,
/// the body of this host's SA payload (RFC 2408 §4.2).
///
/// Attributes may stand in another order and another form; a life may be shorter, or left out.
pub fn verify_main_mode_reply(sa: &Sa<'_>, offered: &[u8]) -> Result<ChosenMainMode, Mismatch> {
    let (chosen, lifetime) = offered_transforms(Space::Ike, sa, offered)?;
    let [(proposal, transform)] = *chosen.as_slice() else {
        return Err(mismatch(0, 0, one("number of proposals", chosen.len())));
    };
    let refuse = |fault: Fault| mismatch(proposal.number, transform.number, fault);
    check_proposal(proposal).map_err(refuse)?;
    let suite = read_suite(&Attributes::read(Space::Ike, &transform.attributes)).map_err(refuse)?;
    let body = reply(proposal.number, transform);
    Ok(ChosenMainMode { proposal: proposal.number, transform: transform.number, suite, lifetime, body })
}

/// What must be so whatever the offers are.
fn check_proposal(proposal: &Proposal<'_>) -> Result<(), Fault> {
    if proposal.protocol != ProtocolId::ISAKMP {
        let received = proposal.protocol.to_string();
        return Err(Fault { attribute: "Protocol-ID", received, allowed: ProtocolId::ISAKMP.to_string() });
    }
    // RFC 2408 §3.5: an SPI of 0 to 16 octets, whose content is ignored.
    if proposal.spi.len() > 16 {
        let received = proposal.spi.len().to_string();
        return Err(Fault { attribute: "SPI Size", received, allowed: "0 to 16".to_owned() });
    }
    Ok(())
}

const fn suite(offer: &MainModeOffer, authentication: AuthenticationMethod) -> IkeSuite {
    IkeSuite { cipher: offer.cipher, hash: offer.hash, group: offer.group, authentication }
}

/// The suite that a transform is, and the life that it has.
fn accept(transform: &Transform<'_>, suites: &[IkeSuite]) -> Result<(IkeSuite, Lifetime), Refusal> {
    // RFC 2407 §4.4.2: KEY_IKE is the only transform of phase 1.
    if transform.id != IkeTransform::KEY_IKE.0 {
        let received = IkeTransform(transform.id).to_string();
        let allowed = IkeTransform::KEY_IKE.to_string();
        return Err(Fault { attribute: "Transform-ID", received, allowed }.into());
    }
    let attributes = Attributes::read(Space::Ike, &transform.attributes);
    match closest(suites.iter().map(|suite| (*suite, agreement(&attributes, suite)))) {
        Closest::Accepted(suite) => {
            attributes.check(Space::Ike, &NEGOTIATED).map_err(Refusal::attributes)?;
            Ok((suite, attributes.lifetime))
        }
        Closest::Differs { attribute, near } => Err(difference(&attributes, attribute, &near).into()),
    }
}

/// In which attributes a transform agrees with a suite, in the order in which differences are told.
fn agreement(attributes: &Attributes<'_>, suite: &IkeSuite) -> [bool; 4] {
    let (algorithm, key_length) = encryption(suite.cipher);
    [
        attributes.has(IkeAttribute::ENCRYPTION_ALGORITHM, Some(algorithm.0))
            && attributes.has(IkeAttribute::KEY_LENGTH, key_length),
        attributes.has(IkeAttribute::HASH_ALGORITHM, Some(hash(suite.hash).0)),
        attributes.has(IkeAttribute::AUTHENTICATION_METHOD, Some(suite.authentication.0)),
        attributes.has(IkeAttribute::GROUP_DESCRIPTION, Some(suite.group.id())),
    ]
}

/// The attributes that are negotiated: the mandatory ones (RFC 2409 §4) and the key length. Others, such as those of
/// private groups, must not be there, since this host would not do what they say.
const NEGOTIATED: [IkeAttribute; 5] = [
    IkeAttribute::ENCRYPTION_ALGORITHM,
    IkeAttribute::KEY_LENGTH,
    IkeAttribute::HASH_ALGORITHM,
    IkeAttribute::AUTHENTICATION_METHOD,
    IkeAttribute::GROUP_DESCRIPTION,
];

/// What stands in a transform for the attribute of an index of [`agreement`], and what the suites `near` it have there.
fn difference(attributes: &Attributes<'_>, index: usize, near: &[IkeSuite]) -> Fault {
    let received = |kind: IkeAttribute| Space::Ike.value(attributes.get(kind));
    let allowed = |name: fn(&IkeSuite) -> String| alternatives(near.iter().map(name));
    match index {
        0 => Fault {
            attribute: "Encryption Algorithm",
            received: encryption_received(attributes),
            allowed: allowed(|suite| encryption_name(suite.cipher)),
        },
        1 => Fault {
            attribute: "Hash Algorithm",
            received: received(IkeAttribute::HASH_ALGORITHM),
            allowed: allowed(|suite| hash(suite.hash).to_string()),
        },
        2 => Fault {
            attribute: "Authentication Method",
            received: received(IkeAttribute::AUTHENTICATION_METHOD),
            allowed: allowed(|suite| suite.authentication.to_string()),
        },
        _ => Fault {
            attribute: "Group Description",
            received: received(IkeAttribute::GROUP_DESCRIPTION),
            allowed: allowed(|suite| suite.group.to_string()),
        },
    }
}

fn encryption_received(attributes: &Attributes<'_>) -> String {
    let name = Space::Ike.value(attributes.get(IkeAttribute::ENCRYPTION_ALGORITHM));
    let bits = attributes.get(IkeAttribute::KEY_LENGTH).map(|bits| Space::Ike.value(Some(bits)));
    let variable = [EncryptionAlgorithm::AES_CBC, EncryptionAlgorithm::CAMELLIA_CBC]
        .iter()
        .any(|algorithm| attributes.has(IkeAttribute::ENCRYPTION_ALGORITHM, Some(algorithm.0)));
    with_key_length(&name, bits.as_deref(), variable)
}

fn encryption_name(cipher: CipherAlg) -> String {
    let (algorithm, bits) = encryption(cipher);
    with_key_length(&algorithm.to_string(), bits.map(|bits| bits.to_string()).as_deref(), false)
}

/// The suite of a transform that this host offered.
fn read_suite(attributes: &Attributes<'_>) -> Result<IkeSuite, Fault> {
    let cipher = |cipher: &CipherAlg| {
        let (algorithm, bits) = encryption(*cipher);
        attributes.has(IkeAttribute::ENCRYPTION_ALGORITHM, Some(algorithm.0))
            && attributes.has(IkeAttribute::KEY_LENGTH, bits)
    };
    let hash = |alg: &HashAlg| attributes.has(IkeAttribute::HASH_ALGORITHM, Some(hash(*alg).0));
    let group = |group: &Group| attributes.has(IkeAttribute::GROUP_DESCRIPTION, Some(group.id()));
    let missing = |index| move || difference(attributes, index, &[]);
    let method = attributes.code(IkeAttribute::AUTHENTICATION_METHOD).ok_or_else(missing(2))?;
    Ok(IkeSuite {
        cipher: CipherAlg::ALL.into_iter().find(cipher).ok_or_else(missing(0))?,
        hash: HashAlg::ALL.into_iter().find(hash).ok_or_else(missing(1))?,
        group: Group::ALL.into_iter().find(group).ok_or_else(missing(3))?,
        authentication: AuthenticationMethod(method),
    })
}

/// The SA payload with the one transform that was chosen, its attributes as they were received.
fn reply(proposal: u8, transform: &Transform<'_>) -> Vec<u8> {
    let transforms = vec![transform.clone()];
    body(vec![Proposal { number: proposal, protocol: ProtocolId::ISAKMP, spi: &[], transforms }])
}
