//! NAT traversal (RFC 3947 and its drafts): which revision both ends speak, and whether a NAT is between them.
use super::Path;
use crate::crypto::hash::HashAlg;
use crate::crypto::natd::natd_hash;
use crate::ids::Cookies;
use crate::policy::selector::{Prefix, Selector};
use crate::proposal::suite::Mode;
use crate::wire::payload::vendor::{NAT_T_DRAFT_02, NAT_T_DRAFT_02_NEWLINE, NAT_T_DRAFT_03, RFC_3947};
use crate::wire::{Chain, ChainWriter, EncapsulationMode, NatOa, PayloadType, Vendor};
use std::net::IpAddr;

#[cfg(test)]
mod tests;

/// A revision of NAT traversal; each has numbers of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Revision {
    /// draft-ietf-ipsec-nat-t-ike-02 and -03: private numbers.
    Draft,
    /// RFC 3947.
    Rfc,
}

impl Revision {
    /// What this host announces in messages 1 and 2, the preferred first.
    pub const VENDOR_IDS: [&'static [u8]; 4] = [&RFC_3947, &NAT_T_DRAFT_03, &NAT_T_DRAFT_02_NEWLINE, &NAT_T_DRAFT_02];

    /// The best revision that a peer announces.
    pub fn announced(chain: &Chain<'_>) -> Option<Self> {
        chain.all(PayloadType::VENDOR).filter_map(|payload| Self::of(&Vendor { data: payload.body })).max()
    }

    fn of(vendor: &Vendor<'_>) -> Option<Self> {
        let known = |id: &[u8]| vendor.data == id;
        if known(&RFC_3947) {
            Some(Self::Rfc)
        } else if known(&NAT_T_DRAFT_03) || known(&NAT_T_DRAFT_02_NEWLINE) || known(&NAT_T_DRAFT_02) {
            Some(Self::Draft)
        } else {
            None
        }
    }

    /// The type of the NAT-D payload.
    pub const fn nat_d(self) -> PayloadType {
        match self {
            Self::Draft => PayloadType::NAT_D_DRAFT,
            Self::Rfc => PayloadType::NAT_D,
        }
    }

    /// The type of the NAT-OA payload.
    pub const fn nat_oa(self) -> PayloadType {
        match self {
            Self::Draft => PayloadType::NAT_OA_DRAFT,
            Self::Rfc => PayloadType::NAT_OA,
        }
    }

    /// The Encapsulation Mode of ESP in UDP (RFC 3947 §5.1).
    pub const fn encapsulation_mode(self, mode: Mode) -> EncapsulationMode {
        match (self, mode) {
            (Self::Draft, Mode::Transport) => EncapsulationMode::UDP_TRANSPORT_DRAFT,
            (Self::Draft, Mode::Tunnel) => EncapsulationMode::UDP_TUNNEL_DRAFT,
            (Self::Rfc, Mode::Transport) => EncapsulationMode::UDP_TRANSPORT,
            (Self::Rfc, Mode::Tunnel) => EncapsulationMode::UDP_TUNNEL,
        }
    }
}

/// The addresses of both ends as one of them sees them, the initiator's first (RFC 3947 §5.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OriginalAddresses {
    /// Of the initiator.
    pub initiator: IpAddr,
    /// Of the responder.
    pub responder: IpAddr,
}

impl OriginalAddresses {
    /// Adds the NAT-OA payloads.
    pub fn push(&self, chain: &mut ChainWriter, revision: Revision) {
        for address in [self.initiator, self.responder] {
            chain.push(revision.nat_oa(), |writer| NatOa { address }.encode(writer));
        }
    }

    /// Reads them; `None` if they are not both there. Some send only their own, which says no more than where their
    /// packets come from.
    pub fn read(chain: &Chain<'_>, revision: Revision) -> Option<Self> {
        let mut all = chain.all(revision.nat_oa()).map(|payload| payload.decode(NatOa::decode).ok());
        Some(Self { initiator: all.next()??.address, responder: all.next()??.address })
    }

    /// Whether a responder that sees these addresses means with `received` what its initiator proposed: each of the two
    /// hosts by the address that was proposed, or by the one that the responder sees.
    pub fn fit(&self, received: &Selector, proposed: &Selector) -> bool {
        let fits = |received, proposed, seen| received == proposed || received == Prefix::host(seen);
        fits(received.local, proposed.local, self.initiator)
            && fits(received.remote, proposed.remote, self.responder)
            && (received.protocol, received.local_port, received.remote_port)
                == (proposed.protocol, proposed.local_port, proposed.remote_port)
    }
}

/// What NAT detection found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Nat {
    /// A NAT is before this host.
    pub local: bool,
    /// A NAT is before the peer.
    pub remote: bool,
}

impl Nat {
    /// True if a NAT is anywhere between.
    pub const fn between(self) -> bool {
        self.local || self.remote
    }
}

/// Adds the NAT-D payloads: the first speaks of the peer's end, the second of this host's (RFC 3947 §3.2).
pub fn push(chain: &mut ChainWriter, revision: Revision, hash: HashAlg, cookies: &Cookies, path: Path) {
    for address in [path.remote, path.local] {
        chain.push(revision.nat_d(), |writer| writer.bytes(natd_hash(hash, cookies, address).as_ref()));
    }
}

/// Compares the peer's NAT-D payloads with what this host sees; `None` if there are none.
pub fn detect(chain: &Chain<'_>, revision: Revision, hash: HashAlg, cookies: &Cookies, path: Path) -> Option<Nat> {
    let mut payloads = chain.all(revision.nat_d()).map(|payload| payload.body);
    let mine = payloads.next()?;
    let theirs: Vec<&[u8]> = payloads.collect();
    if theirs.is_empty() {
        return None;
    }
    // A peer with several addresses sends a NAT-D for each: one that fits is enough (RFC 3947 §3.2).
    let remote = natd_hash(hash, cookies, path.remote);
    Some(Nat {
        local: natd_hash(hash, cookies, path.local).as_ref() != mine,
        remote: !theirs.contains(&remote.as_ref()),
    })
}
