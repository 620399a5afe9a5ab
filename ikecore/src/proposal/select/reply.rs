//! The initiator's check of what the responder chose.
use super::super::attributes::{Attributes, Fault, Space};
use super::super::codes::transform_name;
use super::super::mismatch::Mismatch;
use super::super::suite::Lifetime;
use super::{Refusal, alternatives, by_number, mismatch, together};
use crate::wire::codes::ProtocolId;
use crate::wire::payload::{Proposal, Sa, Transform};

/// What a responder chose: proposals that belong together, each with its transform.
pub(super) type Chosen<'s, 'a> = Vec<(&'s Proposal<'a>, &'s Transform<'a>)>;

/// The proposals of a reply with their transforms, and the life agreed on, if `offered`, the body of this host's SA payload,
/// has just these under one number.
pub(super) fn offered_transforms<'s, 'a>(
    space: Space,
    reply: &'s Sa<'a>,
    offered: &[u8],
) -> Result<(Chosen<'s, 'a>, Lifetime), Mismatch> {
    let chosen = single(reply)?;
    let protocols = || chosen.iter().map(|(proposal, _)| proposal.protocol);
    let (number, transform) = chosen.first().map_or((0, 0), |(proposal, of)| (proposal.number, of.number));
    // What this host has sent can be decoded; if it could not, nothing was offered.
    let offered = Sa::decode(offered).map(|sa| sa.proposals).unwrap_or_default();
    let offered = Sa { doi: reply.doi, situation: reply.situation, proposals: offered };
    let mut groups = by_number(&offered);
    let has = |group: &[&Proposal<'_>], protocol| group.iter().any(|other| other.protocol == protocol);
    let all = alternatives(groups.iter().map(|group| together(group.iter().map(|other| other.protocol))));
    groups.retain(|group| group.len() == chosen.len() && protocols().all(|protocol| has(group, protocol)));
    if groups.is_empty() {
        let fault = Fault { attribute: "Protocol-ID", received: together(protocols()), allowed: all };
        return Err(mismatch(number, transform, fault));
    }
    // RFC 2408 §4.2: the responder should retain both numbers, which makes the transforms of the same numbers the first to
    // look at; but it is the content that must be one of those offered.
    groups.sort_by_key(|group| group.first().is_none_or(|other| other.number != number));
    let mut first = None;
    for group in groups {
        let mut lifetime: Option<Lifetime> = None;
        let fits = chosen.iter().try_for_each(|(proposal, transform)| {
            let own = group.iter().find(|other| other.protocol == proposal.protocol);
            let agreed = own.map_or(Err(None), |own| offered_as(space, proposal, transform, own).map_err(Some))?;
            lifetime = Some(lifetime.map_or(agreed, |lifetime| lifetime.agreed(agreed)));
            Ok(())
        });
        match fits {
            Ok(()) => return Ok((chosen, lifetime.unwrap_or_default())),
            Err(mismatch) => first = first.or(mismatch),
        }
    }
    let nothing = Fault { attribute: "Transform-ID", received: together(protocols()), allowed: "nothing".to_owned() };
    Err(first.unwrap_or_else(|| mismatch(number, transform, nothing)))
}

/// The life agreed on if `transform` is one of `own`, a proposal of this host.
fn offered_as(
    space: Space,
    proposal: &Proposal<'_>,
    transform: &Transform<'_>,
    own: &Proposal<'_>,
) -> Result<Lifetime, Mismatch> {
    let received = Attributes::read(space, &transform.attributes);
    let mut candidates: Vec<&Transform<'_>> = own.transforms.iter().collect();
    candidates.sort_by_key(|candidate| candidate.number != transform.number);
    let mut first = None;
    for candidate in candidates {
        match compare(space, proposal.protocol, transform, &received, candidate) {
            Ok(lifetime) => return Ok(lifetime),
            Err(fault) => first = first.or(Some(fault)),
        }
    }
    let received = transform_name(proposal.protocol, transform.id);
    let nothing = Fault { attribute: "Transform-ID", received, allowed: "nothing".to_owned() };
    Err(mismatch(proposal.number, transform.number, first.unwrap_or_else(|| nothing.into())))
}

pub(super) fn one(attribute: &'static str, count: usize) -> Fault {
    Fault { attribute, received: count.to_string(), allowed: "1".to_owned() }
}

/// RFC 2409 §5: a responder must answer with one proposal, RFC 2408 §4.2: which is all that stands under one number; and of
/// each protocol of that with one transform. strongSwan repeats, under a second number, all but IPComp of what it chose.
fn single<'s, 'a>(reply: &'s Sa<'a>) -> Result<Chosen<'s, 'a>, Mismatch> {
    let groups = by_number(reply);
    let first = groups.first().map(Vec::as_slice).unwrap_or_default();
    let repeats = |proposal: &&Proposal<'a>| {
        let same = |other: &&Proposal<'a>| other.protocol == proposal.protocol && other.spi == proposal.spi;
        first.iter().filter(|other| same(other)).any(|other| other.transforms == proposal.transforms)
    };
    let compresses = first.iter().any(|proposal| proposal.protocol == ProtocolId::IPCOMP);
    let alone = groups.len() == 1 || (compresses && groups.iter().skip(1).flatten().all(repeats));
    let Some(group) = groups.first().filter(|_| alone) else {
        return Err(mismatch(0, 0, one("number of proposals", groups.len())));
    };
    let transform = |proposal: &&'s Proposal<'a>| match proposal.transforms.as_slice() {
        [transform] => Ok((*proposal, transform)),
        several => Err(mismatch(proposal.number, 0, one("number of transforms", several.len()))),
    };
    group.iter().map(transform).collect()
}

/// The life agreed on if `received` is the `candidate` that was offered.
fn compare(
    space: Space,
    protocol: ProtocolId,
    transform: &Transform<'_>,
    received: &Attributes<'_>,
    candidate: &Transform<'_>,
) -> Result<Lifetime, Refusal> {
    let offered = Attributes::read(space, &candidate.attributes);
    if transform.id != candidate.id {
        let name = |id| transform_name(protocol, id);
        let fault = Fault { attribute: "Transform-ID", received: name(transform.id), allowed: name(candidate.id) };
        return Err(fault.into());
    }
    if let Some(fault) = &received.fault {
        return Err(Refusal::attributes(fault.clone()));
    }
    // Mode and group are those of the whole, and some do not say them again with IPComp.
    let counts = |kind: &u16| protocol != ProtocolId::IPCOMP || received.get(*kind).is_some();
    if let Some(kind) = received.differences(&offered).into_iter().find(counts) {
        return Err(Fault {
            attribute: space.name(kind).unwrap_or("Attribute Type"),
            received: space.value(received.get(kind)),
            allowed: space.value(offered.get(kind)),
        }
        .into());
    }
    // A responder may keep to a shorter life and say so; peers also leave out what they do not limit. A longer one is a
    // change of the offer.
    let (ours, theirs) = (offered.lifetime, received.lifetime);
    for (unit, limit, received) in
        [("s", ours.effective().seconds, theirs.seconds), ("kB", ours.kilobytes, theirs.kilobytes)]
    {
        if limit != 0 && received > limit {
            let (received, allowed) = (format!("{received} {unit}"), format!("at most {limit} {unit}"));
            return Err(Fault { attribute: "Life Duration", received, allowed }.into());
        }
    }
    Ok(ours.agreed(theirs))
}
