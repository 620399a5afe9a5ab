//! What the kernel tells unasked: SAs needed, SAs at their limits, peers behind a NAT that moved.
use super::mark;
use super::message::{address, ipsec_protocol, name_of};
use crate::driver::DriverMessage;
use ikecore::address::Scope;
use ikecore::ids::Spi;
use ikecore::policy::selector::Flow;
use ikecore::sa::driver::{Acquire, Expire, Mapping, SaName};
use netlink_packet_core::Parseable;
use netlink_packet_xfrm::{
    AcquireMessage, IPPROTO_DCCP, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP, UserExpire, UserMapping, XFRM_MSG_ACQUIRE,
    XFRM_MSG_EXPIRE, XFRM_MSG_MAPPING, XFRM_POLICY_OUT, XFRM_USER_ACQUIRE_LEN, XFRMNLGRP_ACQUIRE, XFRMNLGRP_EXPIRE,
    XFRMNLGRP_MAPPING, XfrmAttrs,
};
use std::net::SocketAddr;

#[cfg(test)]
mod tests;

/// The multicast groups that carry them. (That of all changes of SAs would bring keys here.)
pub(super) const GROUPS: [u32; 3] = [XFRMNLGRP_ACQUIRE, XFRMNLGRP_EXPIRE, XFRMNLGRP_MAPPING];

/// `IPPROTO_UDPLITE`.
const UDP_LITE: u8 = 136;

/// The message for the engine in one of the kernel's, if it concerns this daemon.
pub(super) fn decode(message_type: u16, payload: &[u8]) -> Option<DriverMessage> {
    match message_type {
        XFRM_MSG_ACQUIRE => acquire(payload).map(DriverMessage::Acquire),
        XFRM_MSG_EXPIRE => {
            let expire = UserExpire::parse(payload).ok()?;
            Some(DriverMessage::Expire(Expire { sa: name_of(&expire.state)?, hard: expire.hard != 0 }))
        }
        XFRM_MSG_MAPPING => mapping(payload).map(DriverMessage::Mapping),
        _ => None,
    }
}

fn acquire(payload: &[u8]) -> Option<Acquire> {
    // The crate's parser takes the fixed part for granted.
    if payload.len() < XFRM_USER_ACQUIRE_LEN {
        return None;
    }
    let message = AcquireMessage::parse(payload).ok()?;
    let template = message.nlas.iter().find_map(|attribute| match attribute {
        XfrmAttrs::Template(templates) => templates.first(),
        _ => None,
    })?;
    let reqid = mark::rule(template.reqid)?;
    // The selector of an acquire is the packet: whole addresses, and ports under a full mask.
    let packet = message.acquire.selector;
    if message.acquire.policy.direction != XFRM_POLICY_OUT {
        return None;
    }
    // In place of ports the kernel has ICMP's type and code, GRE's key, ...
    let has_ports = [IPPROTO_TCP, IPPROTO_UDP, UDP_LITE, IPPROTO_SCTP, IPPROTO_DCCP].contains(&packet.proto);
    let port = |value: u16| if has_ports { value } else { 0 };
    let (local, remote) = (address(packet.family, &packet.saddr)?, address(packet.family, &packet.daddr)?);
    let flow = Flow {
        local,
        remote,
        // Of a socket that is bound to a device there is one with other addresses, too.
        scope: Scope::between(local, remote, packet.ifindex.cast_unsigned()),
        protocol: packet.proto,
        local_port: port(packet.sport),
        remote_port: port(packet.dport),
    };
    Some(Acquire { flow, reqid })
}

fn mapping(payload: &[u8]) -> Option<Mapping> {
    let mapping = UserMapping::parse(payload).ok()?;
    let sa = SaName {
        protocol: ipsec_protocol(mapping.id.proto)?,
        destination: address(mapping.id.family, &mapping.id.daddr)?,
        spi: Spi(mapping.id.spi),
    };
    let remote = SocketAddr::new(address(mapping.id.family, &mapping.new_saddr)?, mapping.new_sport);
    Some(Mapping { sa, remote })
}
