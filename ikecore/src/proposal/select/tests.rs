//! What main and quick mode share: octets made by hand, and the search for the closest offer.
use super::*;
use crate::proposal::encode::body;
use crate::wire::attribute::AttributeWriter;
use crate::wire::codes::ProtocolId;
use crate::wire::payload::Transform;

mod bundles;
mod main_mode;
mod quick_mode;
mod random;

/// A proposal made by hand.
pub(super) struct Made<'a> {
    pub(super) number: u8,
    pub(super) protocol: ProtocolId,
    pub(super) spi: &'a [u8],
    /// Transform-ID and attributes, numbered from 1.
    pub(super) transforms: Vec<(u8, AttributeWriter)>,
}

/// The body of an SA payload.
pub(super) fn made(proposals: &[Made<'_>]) -> Vec<u8> {
    let of = |made: &Made<'_>| made.transforms.clone();
    let lists: Vec<_> = proposals.iter().map(of).collect();
    let proposals = proposals.iter().zip(&lists).map(|(made, lists)| Proposal {
        number: made.number,
        protocol: made.protocol,
        spi: made.spi,
        transforms: (1..=u8::MAX)
            .zip(lists)
            .map(|(number, (id, list))| Transform { number, id: *id, attributes: list.attributes() })
            .collect(),
    });
    body(proposals.collect())
}

/// Attributes by type and number.
pub(super) fn attributes(list: &[(u16, u32)]) -> AttributeWriter {
    let mut writer = AttributeWriter::new();
    for (kind, value) in list {
        writer.number(*kind, *value);
    }
    writer
}

/// Attribute, received and allowed value of each mismatch.
pub(super) fn told(mismatches: &[Mismatch]) -> Vec<(&str, &str, &str)> {
    mismatches.iter().map(|told| (told.attribute, told.received.as_str(), told.allowed.as_str())).collect()
}

#[test]
fn the_closest_offer_agrees_in_most_and_comes_first() {
    let of = |rows: [[bool; 3]; 3]| closest(rows.into_iter().enumerate());
    let differs = |attribute, near: &[usize]| Closest::Differs { attribute, near: near.to_vec() };
    let (t, f) = (true, false);
    assert_eq!(of([[t, t, f], [t, t, t], [t, t, t]]), Closest::Accepted(1));
    assert_eq!(of([[f, f, t], [t, f, t], [f, t, f]]), differs(1, &[1]));
    assert_eq!(of([[f, t, t], [t, f, t], [f, t, t]]), differs(0, &[0, 2]));
    assert_eq!(closest(core::iter::empty::<(usize, [bool; 3])>()), differs(0, &[]));
}
