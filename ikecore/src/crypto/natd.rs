//! The hash of a NAT-D payload (RFC 3947 §3.2).
use core::net::{IpAddr, SocketAddr};

use super::hash::{Digest, HashAlg};
use crate::ids::Cookies;

#[cfg(test)]
mod tests;

/// hash(CKY-I | CKY-R | IP | Port), the address in 4 or 16 octets (RFC 3947 §3.2).
///
/// An IPv4 address that a dual-stack socket shows as `::ffff:a.b.c.d` counts as the IPv4 address that was on the wire.
pub fn natd_hash(hash: HashAlg, cookies: &Cookies, addr: SocketAddr) -> Digest {
    let port = addr.port().to_be_bytes();
    let digest = |ip: &[u8]| hash.digest(&[&cookies.initiator.0, &cookies.responder.0, ip, &port]);
    match addr.ip().to_canonical() {
        IpAddr::V4(ip) => digest(&ip.octets()),
        IpAddr::V6(ip) => digest(&ip.octets()),
    }
}
