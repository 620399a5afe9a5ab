//! Quick mode: the IPsec SAs (RFC 2409 §5.5, RFC 2407 §4.5).
use super::super::attributes::{ABSENT, Attributes, Fault, Space};
use super::super::codes::{IpsecCodes, esp_transform, transform_name};
use super::super::encode::body;
use super::super::mismatch::Mismatch;
use super::super::offer::QuickModeOffer;
use super::super::suite::{EspCipher, IpsecSuite, Lifetime};
use super::reply::offered_transform;
use super::{Closest, Refusal, Refused, alternatives, alternatives_of, closest, mismatch, with_key_length};
use crate::crypto::group::Group;
use crate::ids::Spi;
use crate::wire::codes::{
    AuthenticationAlgorithm, EncapsulationMode, ExtendedSequenceNumber, IpsecAttribute, ProtocolId,
};
use crate::wire::payload::{Proposal, Sa, Transform};

/// What quick mode agreed on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChosenQuickMode {
    /// Proposal #.
    pub proposal: u8,
    /// Transform #.
    pub transform: u8,
    /// The algorithms.
    pub suite: IpsecSuite,
    /// The life of the SAs: the shorter of both sides', see [`Lifetime::agreed`].
    pub lifetime: Lifetime,
    /// The group of the second Diffie-Hellman exchange; `None` is no perfect forward secrecy.
    pub pfs: Option<Group>,
    /// Sequence numbers have 64 bits.
    pub extended_sequence_numbers: bool,
    /// How packets are wrapped, as the transform says it.
    pub mode: EncapsulationMode,
    /// The peer's SPI: that of packets that leave.
    pub peer_spi: Spi,
    /// Set where the responder's life is shorter than what the initiator asked for: what RESPONDER-LIFETIME should tell
    /// it (RFC 2407 §4.6.3.1). `None` with the initiator.
    pub notify_lifetime: Option<Lifetime>,
    /// The SA payload's body with the chosen transform alone, its attributes as received; the SPI is the peer's.
    body: Vec<u8>,
}

/// Where the SPI of the first proposal stands in the body of an SA payload: after DOI, situation, the proposal's generic
/// header and its four fields of one octet (RFC 2408 §3.4, §3.5).
const SPI_AT: usize = 4 + 4 + 4 + 4;

impl ChosenQuickMode {
    /// The body of the SA payload that a responder answers with: what was chosen, with the SPI for packets to itself.
    pub fn reply(&self, own_spi: Spi) -> Vec<u8> {
        let mut body = self.body.clone();
        if let Some(spi) = body.get_mut(SPI_AT..).and_then(<[u8]>::first_chunk_mut) {
            *spi = own_spi.0.to_be_bytes();
        }
        body
    }
}

/// The attributes that are negotiated. Others, such as Key Rounds, must not be there, since this host would not do what
/// they say.
const NEGOTIATED: [IpsecAttribute; 5] = [
    IpsecAttribute::GROUP_DESCRIPTION,
    IpsecAttribute::ENCAPSULATION_MODE,
    IpsecAttribute::AUTHENTICATION_ALGORITHM,
    IpsecAttribute::KEY_LENGTH,
    IpsecAttribute::EXTENDED_SEQUENCE_NUMBER,
];

/// The responder's choice: the first of the peer's transforms that one of `offers` accepts in one of `modes`.
///
/// `ke_len` is the length of the peer's Key Exchange payload in octets, `None` without one; it must fit the group of the
/// chosen transform. Offers without PFS accept a peer that asks for it, with any group that this host runs but those
/// that are [`Group::only_by_name`]: it costs this host a computation and makes nothing weaker. Offers with PFS accept their own group only.
///
/// A transform without Encapsulation Mode, which RFC 2407 §4.5 leaves to the host, is for transport mode.
///
/// The error tells of every refused transform where it first differs from the offer that it is closest to. No more than
/// 255 transforms are looked at.
pub fn select_quick_mode(
    sa: &Sa<'_>,
    offers: &[QuickModeOffer],
    modes: &[EncapsulationMode],
    ke_len: Option<usize>,
) -> Result<ChosenQuickMode, Vec<Mismatch>> {
    let mut refused = Refused::default();
    for proposal in alternatives_of(sa, &mut refused) {
        let peer_spi = match peer_spi(proposal) {
            Ok(spi) => spi,
            Err(fault) => {
                refused.add(proposal.number, 0, fault);
                continue;
            }
        };
        for transform in &proposal.transforms {
            if refused.is_full() {
                return Err(refused.0);
            }
            match accept(proposal.protocol, transform, offers, modes, ke_len) {
                Ok(Accepted { offer, received, pfs, mode }) => {
                    let lifetime = offer.lifetime.agreed(received);
                    return Ok(ChosenQuickMode {
                        proposal: proposal.number,
                        transform: transform.number,
                        suite: offer.suite,
                        lifetime,
                        pfs,
                        extended_sequence_numbers: offer.extended_sequence_numbers,
                        mode,
                        peer_spi,
                        notify_lifetime: (lifetime != received.effective()).then_some(lifetime),
                        body: single(proposal, transform),
                    });
                }
                Err(fault) => refused.add(proposal.number, transform.number, fault),
            }
        }
    }
    Err(refused.0)
}

/// The initiator's check: the reply must have one proposal with one transform, which must be one of those in `offered`,
/// the body of this host's SA payload (RFC 2408 §4.2). `offers` are what that body was made of: they say what the wire
/// does not, which is how far an integrity check value is cut.
///
/// Attributes may stand in another order and another form; a life may be shorter, or left out.
pub fn verify_quick_mode_reply(
    sa: &Sa<'_>,
    offers: &[QuickModeOffer],
    offered: &[u8],
) -> Result<ChosenQuickMode, Mismatch> {
    let (proposal, transform, lifetime) = offered_transform(Space::Ipsec, sa, offered)?;
    let refuse = |fault: Fault| mismatch(proposal.number, transform.number, fault);
    let peer_spi = peer_spi(proposal).map_err(|refusal| mismatch(proposal.number, transform.number, refusal))?;
    let received = Received::read(proposal.protocol, transform);
    let codes = received.codes();
    let suite = offers.iter().map(|offer| offer.suite).find(|suite| IpsecCodes::of(*suite) == codes);
    let suite = suite.ok_or_else(|| refuse(received.difference(TRANSFORM, offers, &[])))?;
    Ok(ChosenQuickMode {
        proposal: proposal.number,
        transform: transform.number,
        suite,
        lifetime,
        pfs: received.group(),
        extended_sequence_numbers: received.has_extended_sequence_numbers(),
        mode: received.mode(),
        peer_spi,
        notify_lifetime: None,
        body: single(proposal, transform),
    })
}

/// The SPI of an ESP or AH proposal; of other protocols, which no offer accepts, whatever it is.
fn peer_spi(proposal: &Proposal<'_>) -> Result<Spi, Refusal> {
    let esp_or_ah = matches!(proposal.protocol, ProtocolId::ESP | ProtocolId::AH);
    let received = match proposal.spi_value() {
        // RFC 4302 §2.4, RFC 4303 §2.1: 0 to 255 are not negotiated.
        Some(spi) if spi.0 > 255 || !esp_or_ah => return Ok(spi),
        None if !esp_or_ah => return Ok(Spi::default()),
        Some(spi) => spi.to_string(),
        None => format!("{} octets", proposal.spi.len()),
    };
    let allowed = "4 octets, from 0x00000100 on".to_owned();
    Err(Refusal::spi(Fault { attribute: "SPI", received, allowed }))
}

/// A transform that an offer accepts.
struct Accepted {
    offer: QuickModeOffer,
    /// The life that the transform has.
    received: Lifetime,
    pfs: Option<Group>,
    mode: EncapsulationMode,
}

fn accept(
    protocol: ProtocolId,
    transform: &Transform<'_>,
    offers: &[QuickModeOffer],
    modes: &[EncapsulationMode],
    ke_len: Option<usize>,
) -> Result<Accepted, Refusal> {
    let received = Received::read(protocol, transform);
    let offer = match closest(offers.iter().map(|offer| (*offer, received.agreement(offer, modes)))) {
        Closest::Accepted(offer) => offer,
        Closest::Differs { attribute, near } => return Err(received.difference(attribute, &near, modes).into()),
    };
    let attributes = &received.attributes;
    attributes.check(Space::Ipsec, &NEGOTIATED).map_err(Refusal::attributes)?;
    let pfs = received.group();
    check_key_exchange(pfs, ke_len).map_err(Refusal::key_exchange)?;
    Ok(Accepted { offer, received: attributes.lifetime, pfs, mode: received.mode() })
}

/// RFC 2409 §5.5: the Key Exchange payload is there if, and only if, a group is negotiated, and is of that group.
fn check_key_exchange(pfs: Option<Group>, ke_len: Option<usize>) -> Result<(), Fault> {
    let needed = pfs.map(Group::public_len);
    if needed == ke_len {
        return Ok(());
    }
    let octets = |len: Option<usize>| len.map_or_else(|| ABSENT.to_owned(), |len| format!("{len} octets"));
    let of = pfs.map_or_else(|| " without Group Description".to_owned(), |group| format!(" for {group}"));
    Err(Fault { attribute: "Key Exchange payload", received: octets(ke_len), allowed: octets(needed) + &of })
}

/// The index in [`Received::agreement`] of the cipher, which is told also by who has no offers to compare with.
const TRANSFORM: usize = 1;

/// A transform of the peer, read.
struct Received<'a> {
    protocol: ProtocolId,
    /// Transform-ID.
    id: u8,
    attributes: Attributes<'a>,
}

impl<'a> Received<'a> {
    fn read(protocol: ProtocolId, transform: &Transform<'a>) -> Self {
        Self { protocol, id: transform.id, attributes: Attributes::read(Space::Ipsec, &transform.attributes) }
    }

    fn codes(&self) -> IpsecCodes {
        let code = |kind| self.attributes.code(kind);
        IpsecCodes {
            protocol: self.protocol,
            transform: self.id,
            key_length: code(IpsecAttribute::KEY_LENGTH),
            authentication: code(IpsecAttribute::AUTHENTICATION_ALGORITHM).map(AuthenticationAlgorithm),
        }
    }

    /// The group, if there is one that this host runs.
    fn group(&self) -> Option<Group> {
        self.attributes.code(IpsecAttribute::GROUP_DESCRIPTION).and_then(|group| Group::try_from(group).ok())
    }

    /// The encapsulation mode. RFC 2407 §4.5 leaves the default to the host; implementations that do not send the
    /// attribute mean transport mode.
    fn mode(&self) -> EncapsulationMode {
        match self.attributes.get(IpsecAttribute::ENCAPSULATION_MODE) {
            None => EncapsulationMode::TRANSPORT,
            // A value of more than 16 bits is no mode; 0 is reserved.
            Some(_) => EncapsulationMode(self.attributes.code(IpsecAttribute::ENCAPSULATION_MODE).unwrap_or(0)),
        }
    }

    fn has_extended_sequence_numbers(&self) -> bool {
        self.attributes.has(IpsecAttribute::EXTENDED_SEQUENCE_NUMBER, Some(ExtendedSequenceNumber::EXTENDED.0))
    }

    /// In which respects the transform agrees with an offer, in the order in which differences are told.
    fn agreement(&self, offer: &QuickModeOffer, modes: &[EncapsulationMode]) -> [bool; 6] {
        let wanted = IpsecCodes::of(offer.suite);
        let has = |kind, code| self.attributes.has(kind, code);
        let protocol = self.protocol == wanted.protocol;
        [
            protocol,
            protocol && self.id == wanted.transform && has(IpsecAttribute::KEY_LENGTH, wanted.key_length),
            has(IpsecAttribute::AUTHENTICATION_ALGORITHM, wanted.authentication.map(|algorithm| algorithm.0)),
            modes.contains(&self.mode()),
            match offer.pfs {
                Some(group) => has(IpsecAttribute::GROUP_DESCRIPTION, Some(group.id())),
                None => {
                    has(IpsecAttribute::GROUP_DESCRIPTION, None)
                        || self.group().is_some_and(|group| !group.only_by_name())
                }
            },
            if offer.extended_sequence_numbers {
                self.has_extended_sequence_numbers()
            } else {
                // RFC 4304 §2: without the attribute, sequence numbers have 32 bits.
                has(IpsecAttribute::EXTENDED_SEQUENCE_NUMBER, None)
                    || has(IpsecAttribute::EXTENDED_SEQUENCE_NUMBER, Some(ExtendedSequenceNumber::SHORT.0))
            },
        ]
    }

    /// What the transform has for the respect of an index of [`Self::agreement`], and what the offers `near` it have.
    fn difference(&self, index: usize, near: &[QuickModeOffer], modes: &[EncapsulationMode]) -> Fault {
        let get = |kind: IpsecAttribute| self.attributes.get(kind);
        let value = |kind| Space::Ipsec.value(get(kind));
        let codes = || near.iter().map(|offer| IpsecCodes::of(offer.suite));
        let (attribute, received, allowed) = match index {
            0 => {
                let allowed = alternatives(codes().map(|codes| codes.protocol.to_string()));
                ("Protocol-ID", self.protocol.to_string(), allowed)
            }
            TRANSFORM => {
                let name = |codes: IpsecCodes| {
                    let bits = codes.key_length.map(|bits| bits.to_string());
                    transform_with_key(codes.protocol, codes.transform, bits.as_deref())
                };
                let bits = get(IpsecAttribute::KEY_LENGTH).map(|bits| Space::Ipsec.value(Some(bits)));
                let received = transform_with_key(self.protocol, self.id, bits.as_deref());
                ("Transform-ID", received, alternatives(codes().map(name)))
            }
            2 => {
                let name = |codes: IpsecCodes| match codes.authentication {
                    Some(algorithm) => algorithm.to_string(),
                    None => ABSENT.to_owned(),
                };
                let received = value(IpsecAttribute::AUTHENTICATION_ALGORITHM);
                ("Authentication Algorithm", received, alternatives(codes().map(name)))
            }
            3 => {
                let received = match get(IpsecAttribute::ENCAPSULATION_MODE) {
                    None => format!("{ABSENT}, taken for {}", EncapsulationMode::TRANSPORT),
                    Some(mode) => Space::Ipsec.value(Some(mode)),
                };
                ("Encapsulation Mode", received, alternatives(modes.iter().map(EncapsulationMode::to_string)))
            }
            4 => {
                let name = |offer: &QuickModeOffer| match offer.pfs {
                    Some(group) => group.to_string(),
                    None => format!("{NO_GROUP} or any group that this host runs but 22 to 24"),
                };
                let received = match get(IpsecAttribute::GROUP_DESCRIPTION) {
                    None => NO_GROUP.to_owned(),
                    Some(group) => Space::Ipsec.value(Some(group)),
                };
                ("Group Description", received, alternatives(near.iter().map(name)))
            }
            _ => {
                let name = |offer: &QuickModeOffer| {
                    if offer.extended_sequence_numbers {
                        ExtendedSequenceNumber::EXTENDED.to_string()
                    } else {
                        format!("{ABSENT}, {}", ExtendedSequenceNumber::SHORT)
                    }
                };
                let kind = IpsecAttribute::EXTENDED_SEQUENCE_NUMBER;
                ("Extended (64-bit) Sequence Number", value(kind), alternatives(near.iter().map(name)))
            }
        };
        Fault { attribute, received, allowed }
    }
}

/// What stands for the group where there is no perfect forward secrecy.
const NO_GROUP: &str = "none";

/// The name of a Transform-ID with its key length.
fn transform_with_key(protocol: ProtocolId, id: u8, bits: Option<&str>) -> String {
    let own = EspCipher::ALL.into_iter().filter(|cipher| cipher.key_length_attribute().is_some());
    let variable = protocol == ProtocolId::ESP && own.map(esp_transform).any(|transform| transform.0 == id);
    with_key_length(&transform_name(protocol, id), bits, variable)
}

/// The SA payload with the one transform that was chosen, its attributes as they were received.
fn single(proposal: &Proposal<'_>, transform: &Transform<'_>) -> Vec<u8> {
    body(vec![Proposal { transforms: vec![transform.clone()], ..proposal.clone() }])
}
