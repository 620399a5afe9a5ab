//! The SA payload with its proposals and transforms.
use super::super::chain::{GENERIC_HEADER, RawPayload};
use super::super::codes::{PayloadType, ProtocolId, TransformId};
use super::super::error::WireError;
use super::super::payload::sa::{MAX_PROPOSALS, MAX_TRANSFORMS, ProposalHead, links};
use super::super::payload::{Proposal, Sa, Transform};
use super::attributes::{self, Kinds};
use super::{Node, hex};

/// Adds the fields of an SA payload to `out`, as far as they go. Its body stands at `base` in the chain.
pub(super) fn fields(body: &[u8], base: usize, out: &mut Vec<Node>) -> Result<(), WireError> {
    let (doi, situation, inner) = Sa::head(body)?;
    let before = body.len() - inner.len();
    out.push(Node::new("DOI", doi, base..base + 4));
    out.push(Node::new("Situation", situation, base + 4..base + 8));
    let (proposals, fault) = links(PayloadType::PROPOSAL, MAX_PROPOSALS, inner);
    for raw in &proposals {
        out.push(nested(raw, base + before, proposal));
    }
    fault.map_or(Ok(()), |fault| Err(fault.moved(before)))
}

/// A payload inside another whose inner octets stand at `base` in the chain.
fn nested(
    raw: &RawPayload<'_>,
    base: usize,
    fields: impl Fn(&[u8], usize, &mut Vec<Node>) -> Result<(), WireError>,
) -> Node {
    let at = base + raw.offset..base + raw.offset + raw.whole.len();
    let base = at.start + GENERIC_HEADER;
    let mut children = Vec::new();
    if let Err(error) = fields(raw.body, base, &mut children) {
        children.push(Node::fault(&error.moved(base)));
    }
    Node::with(format!("{} payload", raw.kind), super::octets(raw.whole.len()), at, children)
}

fn proposal(body: &[u8], base: usize, out: &mut Vec<Node>) -> Result<(), WireError> {
    let ProposalHead { number, protocol, spi, count, inner } = Proposal::head(body)?;
    let before = body.len() - inner.len();
    out.push(Node::new("Proposal #", number, base..base + 1));
    out.push(Node::new("Protocol-Id", protocol, base + 1..base + 2));
    out.push(Node::new("SPI Size", spi.len(), base + 2..base + 3));
    out.push(Node::new("# of Transforms", count, base + 3..base + 4));
    if !spi.is_empty() {
        out.push(Node::new("SPI", hex(spi), base + 4..base + 4 + spi.len()));
    }
    let (transforms, fault) = links(PayloadType::TRANSFORM, MAX_TRANSFORMS, inner);
    for raw in &transforms {
        out.push(nested(raw, base + before, |body, base, out| transform(protocol, body, base, out)));
    }
    fault.map_or(Ok(()), |fault| Err(fault.moved(before)))?;
    Proposal::check_count(body, count, transforms.len())
}

fn transform(protocol: ProtocolId, body: &[u8], base: usize, out: &mut Vec<Node>) -> Result<(), WireError> {
    let (number, id, inner) = Transform::head(body)?;
    out.push(Node::new("Transform #", number, base..base + 1));
    out.push(Node::new("Transform-Id", TransformId(protocol, id), base + 1..base + 2));
    let kinds = if protocol == ProtocolId::ISAKMP { Kinds::Ike } else { Kinds::Ipsec };
    let before = body.len() - inner.len();
    attributes::list(kinds, inner, base + before, out).map_err(|error| error.moved(before))
}
