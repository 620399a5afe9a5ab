//! `ipsecNegotiationPolicy`: the offers of quick modes.
use super::{Blob, BlobError, Reader, Writer};
use crate::guid::Guid;

/// The number of AH among the types of algorithms.
pub(crate) const AH: u32 = 1;
/// The number of ESP.
pub(crate) const ESP: u32 = 2;

/// Algorithms that an offer has room for.
const SLOTS: usize = 3;
/// Octets of an offer, and of an algorithm in it.
const OFFER: usize = 80;
const ALGORITHM: usize = 20;

/// The value of an `ipsecNegotiationPolicy`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NegotiationBlob {
    /// In order of preference.
    pub(crate) offers: Vec<NegotiationOffer>,
}

/// An offer of quick mode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NegotiationOffer {
    /// 0 is the default.
    pub(crate) seconds: u32,
    /// 0 is the default.
    pub(crate) kilobytes: u32,
    /// Quick mode has a Diffie-Hellman exchange of its own.
    pub(crate) pfs: bool,
    /// At most three. None at all says that traffic falls back to clear.
    pub(crate) algorithms: Vec<Algorithm>,
}

/// An algorithm of an offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Algorithm {
    /// [`AH`]: 1 MD5, 2 SHA1. [`ESP`]: 0 null, 1 DES, 3 3DES.
    pub(crate) algorithm: u32,
    /// Of ESP: 0 none, 1 MD5, 2 SHA1.
    pub(crate) integrity: u32,
    /// [`AH`] or [`ESP`].
    pub(crate) kind: u32,
}

impl Blob for NegotiationBlob {
    const CLASS: &'static str = "ipsecNegotiationPolicy";
    const GUID: Guid = Guid::new(0x80dc_20b9, 0x2ec8, 0x11d1, [0xa8, 0x9e, 0x00, 0xa0, 0x24, 0x8d, 0x30, 0x21]);

    fn read_body(reader: &mut Reader<'_>) -> Result<Self, BlobError> {
        let count = reader.count("the number of offers", OFFER)?;
        Ok(Self { offers: (0..count).map(|_| offer(reader)).collect::<Result<_, _>>()? })
    }

    fn write_body(&self, writer: &mut Writer) {
        writer.length(self.offers.len());
        for offer in &self.offers {
            writer.u32(offer.seconds);
            writer.u32(offer.kilobytes);
            writer.u32(0);
            writer.boolean(offer.pfs);
            let used = offer.algorithms.iter().take(SLOTS);
            writer.length(used.len());
            for algorithm in used.clone() {
                writer.u32(algorithm.algorithm);
                writer.u32(algorithm.integrity);
                writer.u32(algorithm.kind);
                writer.zeros(8);
            }
            writer.zeros((SLOTS - used.len()) * ALGORITHM);
        }
    }
}

fn offer(reader: &mut Reader<'_>) -> Result<NegotiationOffer, BlobError> {
    let seconds = reader.u32("the lifetime of an offer")?;
    let kilobytes = reader.u32("the kilobytes of an offer")?;
    reader.bytes(4, "the field behind the lifetimes")?;
    let pfs = reader.boolean("the PFS of an offer")?;
    let at = reader.offset();
    let used = reader.u32("the number of algorithms")? as usize;
    if used > SLOTS {
        return Err(reader.error(at, "the number of algorithms", used.to_string(), format!("0 to {SLOTS}")));
    }
    let mut algorithms = Vec::with_capacity(SLOTS);
    for _ in 0..SLOTS {
        let algorithm = reader.u32("an algorithm")?;
        let integrity = reader.u32("the integrity of an algorithm")?;
        let kind = reader.u32("the type of an algorithm")?;
        reader.bytes(8, "the fields behind an algorithm")?;
        algorithms.push(Algorithm { algorithm, integrity, kind });
    }
    // What the other slots hold means nothing.
    algorithms.truncate(used);
    Ok(NegotiationOffer { seconds, kilobytes, pfs, algorithms })
}
