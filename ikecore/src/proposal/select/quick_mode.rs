//! Quick mode: the IPsec SAs (RFC 2409 §5.5, RFC 2407 §4.5).
use super::super::attributes::{ABSENT, Attributes, Fault, Space};
use super::super::codes::{IpsecCodes, esp_transform, transform_name};
use super::super::encode::{body, spi_octets};
use super::super::mismatch::Mismatch;
use super::super::offer::QuickModeOffer;
use super::super::suite::{CPIS, EspCipher, Layer, Lifetime, ProtectionSuite};
use super::reply::{offered_transforms, one};
use super::{
    Closest, MAX_INSPECTED, Refusal, Refused, alternatives, by_number, closest, mismatch, sharing, with_key_length,
};
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
    /// The protocols and their algorithms.
    pub suite: ProtectionSuite,
    /// The life of the SAs: the shorter of both sides', see [`Lifetime::agreed`].
    pub lifetime: Lifetime,
    /// The group of the second Diffie-Hellman exchange; `None` is no perfect forward secrecy.
    pub pfs: Option<Group>,
    /// Sequence numbers have 64 bits.
    pub extended_sequence_numbers: bool,
    /// How packets are wrapped, as the transform says it.
    pub mode: EncapsulationMode,
    /// The peer's SPI of ESP or, without it, AH: that of packets that leave.
    pub peer_spi: Spi,
    /// The peer's SPIs of the other protocols.
    pub companions: Vec<(ProtocolId, Spi)>,
    /// Set where the responder's life is shorter than what the initiator asked for: what RESPONDER-LIFETIME should tell
    /// it (RFC 2407 §4.6.3.1). `None` with the initiator.
    pub notify_lifetime: Option<Lifetime>,
    /// The SA payload's body with the chosen transforms alone, their attributes as received; the SPIs are the peer's.
    body: Vec<u8>,
}

impl ChosenQuickMode {
    /// The body of the SA payload that a responder answers with: what was chosen, with the SPIs for packets to itself.
    pub fn reply(&self, own: &[(ProtocolId, Spi)]) -> Vec<u8> {
        let own: Vec<(ProtocolId, Vec<u8>)> = own.iter().map(|(of, spi)| (*of, spi_octets(*of, *spi))).collect();
        // It is what this host wrote, so it can be decoded.
        let mut proposals = Sa::decode(&self.body).map(|sa| sa.proposals).unwrap_or_default();
        for proposal in &mut proposals {
            if let Some((_, spi)) = own.iter().find(|(of, _)| *of == proposal.protocol) {
                proposal.spi = spi;
            }
        }
        body(proposals)
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

/// The responder's choice: the first of the peer's transforms that one of `offers` accepts in one of `modes`. Where several
/// protocols share a number, it is the first transform for ESP or, without it, AH with which the others have an acceptable
/// one.
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
    for group in by_number(sa) {
        let together = match Together::read(&group) {
            Ok(together) => together,
            Err(fault) => {
                refused.add(group.first().map_or(0, |proposal| proposal.number), 0, fault);
                continue;
            }
        };
        for transform in &together.main.transforms {
            if refused.is_full() {
                return Err(refused.0);
            }
            match accept(&together, transform, offers, modes, ke_len) {
                Ok(Accepted { offer, received, pfs, mode, companions }) => {
                    let lifetime = offer.lifetime.agreed(received);
                    return Ok(ChosenQuickMode {
                        proposal: together.main.number,
                        transform: transform.number,
                        suite: offer.suite,
                        lifetime,
                        pfs,
                        extended_sequence_numbers: offer.extended_sequence_numbers,
                        mode,
                        peer_spi: together.spi,
                        companions: together.companion_spis(),
                        notify_lifetime: (lifetime != received.effective()).then_some(lifetime),
                        body: chosen_body(&group, |proposal| {
                            match companions.iter().find(|(of, _)| *of == proposal.protocol) {
                                Some((_, of)) => of,
                                None => transform,
                            }
                        }),
                    });
                }
                Err(fault) => refused.add(together.main.number, transform.number, fault),
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
    let (chosen, lifetime) = offered_transforms(Space::Ipsec, sa, offered)?;
    let group: Vec<&Proposal<'_>> = chosen.iter().map(|(proposal, _)| *proposal).collect();
    let (number, first) = chosen.first().map_or((0, 0), |(proposal, transform)| (proposal.number, transform.number));
    let together = Together::read(&group).map_err(|refusal| mismatch(number, first, refusal))?;
    let of = |of: &Proposal<'_>| chosen.iter().find(|(proposal, _)| proposal.protocol == of.protocol);
    let Some((proposal, transform)) = of(together.main) else {
        return Err(mismatch(number, first, one("number of proposals", 0)));
    };
    let received = Received::read(proposal.protocol, transform);
    let codes =
        |proposal: &Proposal<'_>, transform: &Transform<'_>| Received::read(proposal.protocol, transform).codes();
    let chosen_codes: Vec<IpsecCodes> = chosen.iter().map(|(proposal, transform)| codes(proposal, transform)).collect();
    let fits = |suite: &ProtectionSuite| {
        suite.layers().count() == chosen_codes.len()
            && suite.layers().all(|layer| chosen_codes.contains(&IpsecCodes::of(layer)))
    };
    let suite = offers.iter().map(|offer| offer.suite).find(fits);
    let differs = || received.difference(TRANSFORM, &main_codes(offers), offers, &[]);
    let suite = suite.ok_or_else(|| mismatch(proposal.number, transform.number, differs()))?;
    Ok(ChosenQuickMode {
        proposal: proposal.number,
        transform: transform.number,
        suite,
        lifetime,
        pfs: received.group(),
        extended_sequence_numbers: received.has_extended_sequence_numbers(),
        mode: received.mode(),
        peer_spi: together.spi,
        companions: together.companion_spis(),
        notify_lifetime: None,
        body: chosen_body(&group, |proposal| of(proposal).map_or(*transform, |(_, transform)| *transform)),
    })
}

/// The proposals under one number.
struct Together<'s, 'a> {
    /// That of ESP or, without it, AH; if there is neither, the first.
    main: &'s Proposal<'a>,
    /// The peer's SPI of that.
    spi: Spi,
    /// The others, with the peer's SPIs.
    others: Vec<(&'s Proposal<'a>, Spi)>,
}

impl<'s, 'a> Together<'s, 'a> {
    fn read(group: &[&'s Proposal<'a>]) -> Result<Self, Refusal> {
        let of = |protocol| group.iter().copied().filter(move |proposal: &&Proposal<'_>| proposal.protocol == protocol);
        // RFC 2408 §4.2: a protocol is applied once.
        if group.iter().any(|proposal| of(proposal.protocol).count() > 1) {
            return Err(sharing(group, "each protocol once under a proposal number").into());
        }
        let main = of(ProtocolId::ESP).chain(of(ProtocolId::AH)).chain(group.iter().copied()).next();
        let Some(main) = main else { return Err(sharing(group, "one protocol at least").into()) };
        let others = group.iter().filter(|proposal| proposal.protocol != main.protocol);
        let others = others.map(|proposal| Ok((*proposal, peer_spi(proposal)?))).collect::<Result<_, Refusal>>()?;
        Ok(Self { main, spi: peer_spi(main)?, others })
    }

    fn companion_spis(&self) -> Vec<(ProtocolId, Spi)> {
        self.others.iter().map(|(proposal, spi)| (proposal.protocol, *spi)).collect()
    }

    fn protocols(&self) -> impl Iterator<Item = ProtocolId> {
        core::iter::once(self.main.protocol).chain(self.others.iter().map(|(other, _)| other.protocol))
    }

    /// True if these are the protocols of the suite.
    fn has_protocols_of(&self, suite: ProtectionSuite) -> bool {
        let wanted = suite.protocols();
        self.protocols().count() == wanted.iter().count()
            && self.protocols().all(|own| wanted.iter().any(|protocol| protocol == own))
    }

    /// For each protocol that goes with ESP or AH, the first transform that an offer accepts.
    fn companions(
        &self,
        offer: &QuickModeOffer,
        modes: &[EncapsulationMode],
        pfs: Option<Group>,
    ) -> Result<Vec<(ProtocolId, &'s Transform<'a>)>, Fault> {
        let wanted = |protocol| offer.suite.layers().find(|layer| layer.protocol() == protocol);
        let choose = |(proposal, _): &(&'s Proposal<'a>, Spi)| {
            let protocol = proposal.protocol;
            let mut first = None;
            for transform in proposal.transforms.iter().take(MAX_INSPECTED) {
                let codes = wanted(protocol).map(IpsecCodes::of);
                match Received::read(protocol, transform).refused_beside(codes, offer, modes, pfs) {
                    None => return Ok((protocol, transform)),
                    Some(fault) => first = first.or(Some(fault)),
                }
            }
            Err(first.unwrap_or_else(|| sharing(&[proposal], "a transform")))
        };
        self.others.iter().map(choose).collect()
    }
}

/// The protocols of a suite, that of ESP or AH first.
fn together_names(suite: ProtectionSuite) -> String {
    let main = suite.main.protocol();
    let others = suite.protocols().iter().filter(move |protocol| *protocol != main);
    super::together(core::iter::once(main).chain(others))
}

fn main_codes(offers: &[QuickModeOffer]) -> Vec<IpsecCodes> {
    offers.iter().map(|offer| IpsecCodes::of(Layer::Sa(offer.suite.main))).collect()
}

/// The SPI of an ESP or AH proposal or the CPI of IPComp; of other protocols, which no offer accepts, whatever it is.
fn peer_spi(proposal: &Proposal<'_>) -> Result<Spi, Refusal> {
    let (fits, allowed): (fn(u32) -> bool, _) = match proposal.protocol {
        // RFC 4302 §2.4, RFC 4303 §2.1: 0 to 255 are not negotiated.
        ProtocolId::ESP | ProtocolId::AH => (|spi| spi > 255, "4 octets, from 0x00000100 on"),
        // RFC 3173 §3.3, §4.1: 2 octets, or 4 of which the first two are zero.
        ProtocolId::IPCOMP => (|cpi| CPIS.contains(&cpi), "2 octets, or 4, from 256 to 61439"),
        _ => return Ok(proposal.spi_value().unwrap_or_default()),
    };
    let received = match proposal.spi_value() {
        Some(spi) if fits(spi.0) => return Ok(spi),
        Some(spi) => spi.to_string(),
        None => format!("{} octets", proposal.spi.len()),
    };
    Err(Refusal::spi(Fault { attribute: "SPI", received, allowed: allowed.to_owned() }))
}

/// A transform that an offer accepts.
struct Accepted<'s, 'a> {
    offer: QuickModeOffer,
    /// The life that the transform has.
    received: Lifetime,
    pfs: Option<Group>,
    mode: EncapsulationMode,
    /// What goes with it.
    companions: Vec<(ProtocolId, &'s Transform<'a>)>,
}

fn accept<'s, 'a>(
    together: &Together<'s, 'a>,
    transform: &Transform<'_>,
    offers: &[QuickModeOffer],
    modes: &[EncapsulationMode],
    ke_len: Option<usize>,
) -> Result<Accepted<'s, 'a>, Refusal> {
    let received = Received::read(together.main.protocol, transform);
    let pfs = received.group();
    let agreement = |offer: &QuickModeOffer| {
        let codes = IpsecCodes::of(Layer::Sa(offer.suite.main));
        let protocols = together.has_protocols_of(offer.suite);
        let [transform, authentication, mode, group, numbers] = received.agreement(codes, offer, modes);
        let companions = protocols && together.companions(offer, modes, pfs).is_ok();
        [protocols, protocols && transform, authentication, mode, group, numbers, companions]
    };
    let offer = match closest(offers.iter().map(|offer| (*offer, agreement(offer)))) {
        Closest::Accepted(offer) => offer,
        Closest::Differs { attribute: 0, near } => {
            let allowed = alternatives(near.iter().map(|offer| together_names(offer.suite)));
            let received = super::together(together.protocols());
            return Err(Fault { attribute: "Protocol-ID", received, allowed }.into());
        }
        Closest::Differs { attribute: COMPANIONS, near } => {
            let faults = near.iter().filter_map(|offer| together.companions(offer, modes, pfs).err());
            let mut faults = faults.collect::<Vec<_>>();
            let allowed = alternatives(faults.iter().map(|fault| fault.allowed.clone()));
            let fault = faults.drain(..).next().map(|fault| Fault { allowed, ..fault });
            return Err(fault.unwrap_or_else(|| sharing(&[together.main], "nothing")).into());
        }
        Closest::Differs { attribute, near } => {
            return Err(received.difference(attribute, &main_codes(&near), &near, modes).into());
        }
    };
    let attributes = &received.attributes;
    attributes.check(Space::Ipsec, &NEGOTIATED).map_err(Refusal::attributes)?;
    check_key_exchange(pfs, ke_len).map_err(Refusal::key_exchange)?;
    let companions = together.companions(&offer, modes, pfs)?;
    Ok(Accepted { offer, received: attributes.lifetime, pfs, mode: received.mode(), companions })
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

/// The place of the cipher among the respects in which a transform agrees with an offer: after the protocols.
const TRANSFORM: usize = 1;
/// The place of what goes with ESP or AH: the last.
const COMPANIONS: usize = 6;

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

    /// In which respects the transform agrees with an offer, of which it should have the codes `wanted`; in the order in
    /// which differences are told, from [`TRANSFORM`] on.
    fn agreement(&self, wanted: IpsecCodes, offer: &QuickModeOffer, modes: &[EncapsulationMode]) -> [bool; 5] {
        let has = |kind, code| self.attributes.has(kind, code);
        [
            self.protocol == wanted.protocol
                && self.id == wanted.transform
                && has(IpsecAttribute::KEY_LENGTH, wanted.key_length),
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

    /// Why the transform cannot go with ESP or AH of the offer, if it cannot; `wanted` is what it should be. Mode and group
    /// are those of the whole, and need not be said again.
    fn refused_beside(
        &self,
        wanted: Option<IpsecCodes>,
        offer: &QuickModeOffer,
        modes: &[EncapsulationMode],
        pfs: Option<Group>,
    ) -> Option<Fault> {
        let Some(wanted) = wanted else {
            let received = self.protocol.to_string();
            return Some(Fault { attribute: "Protocol-ID", received, allowed: ABSENT.to_owned() });
        };
        let absent = |kind| self.attributes.has(kind, None);
        let [transform, authentication, mode, _, numbers] = self.agreement(wanted, offer, modes);
        let group = absent(IpsecAttribute::GROUP_DESCRIPTION) || self.group() == pfs;
        let mode = mode || absent(IpsecAttribute::ENCAPSULATION_MODE);
        let numbers = numbers || self.protocol == ProtocolId::IPCOMP;
        let respects = [transform, authentication, mode, group, numbers];
        match respects.iter().position(|agrees| !agrees) {
            Some(index) => {
                let fault = self.difference(index + TRANSFORM, &[wanted], &[*offer], modes);
                Some(Fault { received: format!("{} with {}", fault.received, self.protocol), ..fault })
            }
            None => self.attributes.check(Space::Ipsec, &NEGOTIATED).err(),
        }
    }

    /// What the transform has for a respect from [`TRANSFORM`] on, and what the offers `near` it have, whose codes are
    /// `codes`.
    fn difference(
        &self,
        index: usize,
        codes: &[IpsecCodes],
        near: &[QuickModeOffer],
        modes: &[EncapsulationMode],
    ) -> Fault {
        let get = |kind: IpsecAttribute| self.attributes.get(kind);
        let value = |kind| Space::Ipsec.value(get(kind));
        let codes = || codes.iter().copied();
        let (attribute, received, allowed) = match index {
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

/// The SA payload with the transforms that were chosen, their attributes as they were received.
fn chosen_body<'s, 'a: 's>(group: &[&Proposal<'a>], chosen: impl Fn(&Proposal<'a>) -> &'s Transform<'a>) -> Vec<u8> {
    let proposals = group.iter().map(|proposal| {
        let transforms = vec![chosen(proposal).clone()];
        Proposal { number: proposal.number, protocol: proposal.protocol, spi: proposal.spi, transforms }
    });
    body(proposals.collect())
}
