//! What the system says about its network: the default routes, and that something has changed.
use crate::netlink::Netlink;
use ikecore::address::{HostAddress, Scope};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket, AsyncSocketExt as _, SocketAddr, TokioSocket};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType, RouteVia};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

/// The routing table that everybody uses (`RT_TABLE_MAIN`).
const MAIN_TABLE: u32 = 254;

/// The gateways of the default routes, link-local ones with their links.
pub fn default_gateways() -> io::Result<BTreeSet<HostAddress>> {
    let mut netlink = Netlink::open(NETLINK_ROUTE)?;
    let mut found = BTreeSet::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut message = RouteMessage::default();
        message.header.address_family = family;
        // A kernel without the family has no routes of it.
        for reply in netlink.dump(RouteNetlinkMessage::GetRoute(message)).unwrap_or_default() {
            if let RouteNetlinkMessage::NewRoute(route) = reply {
                add_gateways(&route, &mut found);
            }
        }
    }
    Ok(found)
}

fn add_gateways(route: &RouteMessage, found: &mut BTreeSet<HostAddress>) {
    let table = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Table(table) => Some(*table),
        _ => None,
    });
    let is_main = table.unwrap_or_else(|| route.header.table.into()) == MAIN_TABLE;
    if !is_main || route.header.destination_prefix_length != 0 || route.header.kind != RouteType::Unicast {
        return;
    }
    let link = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    });
    let hops = route.attributes.iter().flat_map(|attribute| match attribute {
        RouteAttribute::MultiPath(hops) => hops.as_slice(),
        _ => &[],
    });
    let each = [(link.unwrap_or_default(), route.attributes.as_slice())].into_iter();
    for (link, attributes) in each.chain(hops.map(|hop| (hop.interface_index, hop.attributes.as_slice()))) {
        found.extend(attributes.iter().filter_map(gateway).map(|gateway| HostAddress::new(gateway, Scope(link))));
    }
}

fn gateway(attribute: &RouteAttribute) -> Option<IpAddr> {
    match attribute {
        RouteAttribute::Gateway(RouteAddress::Inet(address)) | RouteAttribute::Via(RouteVia::Inet(address)) => {
            Some(IpAddr::V4(*address))
        }
        RouteAttribute::Gateway(RouteAddress::Inet6(address)) | RouteAttribute::Via(RouteVia::Inet6(address)) => {
            Some(IpAddr::V6(*address))
        }
        _ => None,
    }
}

/// What tells that addresses, links or routes have changed.
pub struct Changes(TokioSocket);

impl Changes {
    /// Begins to listen; within a runtime.
    pub fn listen() -> io::Result<Self> {
        /// `RTMGRP_LINK`, `_IPV4_IFADDR`, `_IPV4_ROUTE`, `_IPV6_IFADDR`, `_IPV6_ROUTE` of rtnetlink(7).
        const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;
        let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
        socket.socket_mut().bind(&SocketAddr::new(0, GROUPS))?;
        Ok(Self(socket))
    }

    /// Waits until something has changed. What that is must be looked up: changes that come too fast are not told one
    /// by one.
    pub async fn next(&mut self) -> io::Result<()> {
        match self.0.recv_from_full().await {
            Err(error) if error.raw_os_error() != Some(libc::ENOBUFS) => Err(error),
            _ => Ok(()),
        }
    }
}
