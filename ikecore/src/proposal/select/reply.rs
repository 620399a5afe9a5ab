//! The initiator's check of what the responder chose.
use super::super::attributes::{Attributes, Fault, Space};
use super::super::codes::transform_name;
use super::super::mismatch::Mismatch;
use super::super::suite::Lifetime;
use super::{Refusal, mismatch};
use crate::wire::codes::ProtocolId;
use crate::wire::payload::{Proposal, Sa, Transform};

/// The one proposal and transform of a reply, and the life agreed on, if `offered`, the body of this host's SA payload,
/// has that transform.
pub(super) fn offered_transform<'s, 'a>(
    space: Space,
    reply: &'s Sa<'a>,
    offered: &[u8],
) -> Result<(&'s Proposal<'a>, &'s Transform<'a>, Lifetime), Mismatch> {
    let (proposal, transform) = single(reply)?;
    let refuse = |fault: Fault| mismatch(proposal.number, transform.number, fault);
    // What this host has sent can be decoded; if it could not, nothing was offered.
    let offered = Sa::decode(offered).map(|sa| sa.proposals).unwrap_or_default();
    let of_protocol = || offered.iter().filter(|other| other.protocol == proposal.protocol);
    if of_protocol().next().is_none() {
        let allowed: Vec<String> = offered.iter().map(|other| other.protocol.to_string()).collect();
        let received = proposal.protocol.to_string();
        return Err(refuse(Fault { attribute: "Protocol-ID", received, allowed: allowed.join(", ") }));
    }
    let received = Attributes::read(space, &transform.attributes);
    // RFC 2408 §4.2: the responder should retain both numbers, which makes the transform of the same numbers the first
    // to look at; but it is the content that must be one of those offered.
    let numbered =
        |other: &Proposal<'_>, of: &Transform<'_>| other.number == proposal.number && of.number == transform.number;
    let mut candidates: Vec<(&Proposal<'_>, &Transform<'_>)> =
        of_protocol().flat_map(|other| other.transforms.iter().map(move |of| (other, of))).collect();
    candidates.sort_by_key(|(other, of)| !numbered(other, of));
    let mut first = None;
    for (_, candidate) in candidates {
        match compare(space, proposal.protocol, transform, &received, candidate) {
            Ok(lifetime) => return Ok((proposal, transform, lifetime)),
            Err(fault) => first = first.or(Some(fault)),
        }
    }
    let received = transform_name(proposal.protocol, transform.id);
    let nothing = Fault { attribute: "Transform-ID", received, allowed: "nothing".to_owned() };
    Err(first.map_or_else(|| refuse(nothing), |refusal| mismatch(proposal.number, transform.number, refusal)))
}

/// RFC 2409 §5: a responder must answer with one proposal; RFC 2408 §4.2: and of that with one transform.
fn single<'s, 'a>(reply: &'s Sa<'a>) -> Result<(&'s Proposal<'a>, &'s Transform<'a>), Mismatch> {
    let one = |attribute, count: usize| Fault { attribute, received: count.to_string(), allowed: "1".to_owned() };
    let [proposal] = reply.proposals.as_slice() else {
        return Err(mismatch(0, 0, one("number of proposals", reply.proposals.len())));
    };
    let [transform] = proposal.transforms.as_slice() else {
        return Err(mismatch(proposal.number, 0, one("number of transforms", proposal.transforms.len())));
    };
    Ok((proposal, transform))
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
    if let Some(kind) = received.difference(&offered) {
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
