//! Addresses that peers give to this host by Mode Config: they are put on the loopback interface, where they are this
//! host's whatever becomes of its other interfaces.
use crate::netlink::Netlink;
use ikecore::endpoint::AddressOp;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_sys::protocols::NETLINK_ROUTE;
use nix::net::if_::if_nametoindex;
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressHeaderFlags, AddressMessage, AddressProtocol, AddressScope,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use std::io;
use std::net::IpAddr;

/// The interface.
const INTERFACE: &str = "lo";

/// By this mark of the kernel's (from Linux 5.18 on) a later start knows what a crash left: a number that nobody else
/// uses.
const PROTOCOL: u8 = 0x9e;

/// Does what the core asks for. Nothing is opened before there is something to do.
#[derive(Debug, Default)]
pub(crate) struct Addresses;

impl Addresses {
    /// Removes what a crash left. Where this host may not, there is nothing left.
    pub(crate) fn clean(&self) {
        let Ok((mut netlink, index)) = open() else { return };
        let all = netlink.dump(RouteNetlinkMessage::GetAddress(AddressMessage::default())).unwrap_or_default();
        for reply in all {
            let RouteNetlinkMessage::NewAddress(found) = reply else { continue };
            let own = AddressAttribute::Protocol(AddressProtocol::from(PROTOCOL));
            if found.header.index == index && found.attributes.contains(&own) {
                let _ = netlink.request(RouteNetlinkMessage::DelAddress(found), 0);
            }
        }
    }

    /// Adds or removes an address; the error is in the words of the system.
    pub(crate) fn carry_out(&self, operation: AddressOp) -> Result<(), String> {
        let (mut netlink, index) = open().map_err(|error| error.to_string())?;
        let result = match operation {
            AddressOp::Add(address) => {
                let message = RouteNetlinkMessage::NewAddress(message(address, index));
                match netlink.request(message, NLM_F_CREATE | NLM_F_EXCL) {
                    Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
                    result => result,
                }
            }
            AddressOp::Remove(address) => {
                match netlink.request(RouteNetlinkMessage::DelAddress(message(address, index)), 0) {
                    Err(error) if error.raw_os_error() == Some(libc::EADDRNOTAVAIL) => Ok(()),
                    result => result,
                }
            }
        };
        result.map_err(|error| format!("interface {INTERFACE}: {error}"))
    }
}

fn open() -> io::Result<(Netlink, u32)> {
    Ok((Netlink::open(NETLINK_ROUTE)?, if_nametoindex(INTERFACE)?))
}

/// The address as one of a host: nothing is on a link with it.
fn message(address: IpAddr, index: u32) -> AddressMessage {
    let mut message = AddressMessage::default();
    let ipv4 = address.is_ipv4();
    message.header.family = if ipv4 { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.prefix_len = if ipv4 { 32 } else { 128 };
    message.header.scope = AddressScope::Universe;
    message.header.index = index;
    if ipv4 {
        message.attributes.push(AddressAttribute::Local(address));
    } else {
        // Nobody else is asked whether it is free: it came from who gives it.
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    message.attributes.push(AddressAttribute::Address(address));
    message.attributes.push(AddressAttribute::Protocol(AddressProtocol::from(PROTOCOL)));
    message
}
