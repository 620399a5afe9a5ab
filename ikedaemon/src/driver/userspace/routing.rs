//! How traffic reaches the device: its link, a routing table of its own, and the rules that lead there.
use super::spd::Capture;
use super::{MARK, PRIORITY, TABLE, TUN_MTU};
use crate::netlink::Netlink;
use ikecore::policy::selector::Prefix;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_sys::protocols::NETLINK_ROUTE;
use nix::net::if_::if_nametoindex;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use rtnetlink::packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The route that takes over when those through the device are gone: traffic stops, and does not leave in clear.
const BACKSTOP_METRIC: u32 = u32::MAX - 1;
/// The metric of the routes through the device.
const METRIC: u32 = 1;
/// Where the kernel's settings of interfaces are.
const SETTINGS: &str = "/proc/sys/net";

/// One route of the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Route {
    remote: Prefix,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    /// Through the device, from this address if one is known.
    Device(Option<IpAddr>),
    /// Nowhere.
    Backstop,
    /// Not by this table.
    Elsewhere,
}

/// What was changed in the kernel's routing; undone on drop.
pub(super) struct Routing {
    netlink: Netlink,
    device: String,
    index: u32,
    /// IPv6 exists here.
    ipv6: bool,
    installed: BTreeSet<Route>,
    /// What `conf/all/rp_filter` was.
    reverse_path_filter: Option<String>,
}

fn family(ipv6: bool) -> AddressFamily {
    if ipv6 { AddressFamily::Inet6 } else { AddressFamily::Inet }
}

fn failure(what: &str) -> impl FnOnce(io::Error) -> String {
    let what = what.to_owned();
    move |error| format!("{what}: {error}")
}

impl Routing {
    /// Removes what a crash left, brings `device` up and leads to its table, which is empty yet.
    pub(super) fn new(device: &str, ipv6: bool) -> Result<Self, String> {
        let netlink = Netlink::open(NETLINK_ROUTE).map_err(failure("open a route netlink socket"))?;
        netlink.filter_dumps();
        let index = if_nametoindex(device).map_err(|error| format!("find device {device}: {error}"))?;
        let mut routing = Self {
            netlink,
            device: device.to_owned(),
            index,
            ipv6,
            installed: BTreeSet::new(),
            reverse_path_filter: None,
        };
        routing.clean();
        routing.settings()?;
        routing.link_up()?;
        routing.set_routes(routing.fixed())?;
        for ipv6 in [false, true].into_iter().take(1 + usize::from(ipv6)) {
            let flags = NLM_F_CREATE | NLM_F_EXCL;
            let rule = RouteNetlinkMessage::NewRule(rule(ipv6));
            routing.netlink.request(rule, flags).map_err(failure(&format!("add rule {PRIORITY}")))?;
        }
        Ok(routing)
    }

    /// Settings of the device and, where a strict reverse path filter would drop what the peers send, of the host.
    fn settings(&mut self) -> Result<(), String> {
        let device = self.device.clone();
        let set = |path: String, value: &str| {
            std::fs::write(format!("{SETTINGS}/{path}"), value).map_err(failure(&format!("set {path} to {value}")))
        };
        // Decrypted packets come from where the clear ones are not routed to.
        set(format!("ipv4/conf/{device}/rp_filter"), "0")?;
        // The kernel's own policies refuse clear text (see `filter`): what comes through the device was no clear text.
        set(format!("ipv4/conf/{device}/disable_policy"), "1")?;
        if self.ipv6 {
            // No link-local address, no router solicitations.
            set(format!("ipv6/conf/{device}/addr_gen_mode"), "1")?;
            set(format!("ipv6/conf/{device}/accept_ra"), "0")?;
        }
        // With a strict filter a packet is dropped whose sender is routed through another device than it came from, and
        // for this filter the peers are routed through ours. Loose: the sender must be routed at all.
        let strict = std::fs::read_dir(format!("{SETTINGS}/ipv4/conf"))
            .map(|entries| {
                entries.flatten().any(|entry| {
                    std::fs::read_to_string(entry.path().join("rp_filter")).is_ok_and(|value| value.trim() == "1")
                })
            })
            .unwrap_or(false);
        if strict {
            let path = "ipv4/conf/all/rp_filter";
            let old = std::fs::read_to_string(format!("{SETTINGS}/{path}")).unwrap_or_default();
            set(path.to_owned(), "2")?;
            self.reverse_path_filter = Some(old.trim().to_owned());
        }
        Ok(())
    }

    fn link_up(&mut self) -> Result<(), String> {
        let mut link = LinkMessage::default();
        link.header.index = self.index;
        link.header.flags = LinkFlags::Up;
        link.header.change_mask = LinkFlags::Up;
        link.attributes.push(LinkAttribute::Mtu(TUN_MTU));
        let message = RouteNetlinkMessage::SetLink(link);
        self.netlink.request(message, 0).map_err(failure(&format!("bring {} up", self.device)))
    }

    /// Has traffic to the blocks of `captures`, and no other, led to the device.
    pub(super) fn set_captures(&mut self, captures: &[Capture]) -> Result<(), String> {
        let mut wanted = self.fixed();
        for Capture { remote, local, all } in captures.iter().copied() {
            if remote.address().is_ipv6() && !self.ipv6 {
                return Err(format!("route {remote}: this host has no IPv6"));
            }
            wanted.insert(Route { remote, kind: Kind::Device(source_hint(remote, local)) });
            if all {
                wanted.insert(Route { remote, kind: Kind::Backstop });
            }
        }
        self.set_routes(wanted)
    }

    /// Lays the routes anew: the kernel removes those whose source address or whose device's state went away.
    pub(super) fn refresh(&mut self, captures: &[Capture]) {
        if captures.is_empty() {
            return;
        }
        self.installed.retain(|route| route.kind == Kind::Elsewhere);
        // What fails now is tried again the next time, and the backstops stay.
        let _ = self.set_captures(captures);
    }

    /// What belongs to a link, and never to a peer behind it.
    fn fixed(&self) -> BTreeSet<Route> {
        let v4 = [([224, 0, 0, 0], 4), ([255, 255, 255, 255], 32), ([169, 254, 0, 0], 16)];
        let v6 = [(0xff00, 8), (0xfe80, 10)];
        let v4 = v4.into_iter().map(|(address, len)| (IpAddr::from(Ipv4Addr::from(address)), len));
        let v6 = v6.into_iter().map(|(head, len)| (IpAddr::from(Ipv6Addr::new(head, 0, 0, 0, 0, 0, 0, 0)), len));
        let all = v4.chain(v6.filter(|_| self.ipv6));
        all.filter_map(|(address, len)| Prefix::new(address, len).ok())
            .map(|remote| Route { remote, kind: Kind::Elsewhere })
            .collect()
    }

    /// Adds first and removes then, so that nothing leaves in clear in between.
    fn set_routes(&mut self, wanted: BTreeSet<Route>) -> Result<(), String> {
        let add: Vec<Route> = wanted.difference(&self.installed).copied().collect();
        for route in add {
            self.add(route).map_err(failure(&format!("route {} through {}", route.remote, self.device)))?;
            // The same place in the table with another source is replaced.
            let first = Route { remote: route.remote, kind: Kind::Device(None) };
            let of_block = self.installed.range(first..).take_while(|old| old.remote == route.remote);
            let replaced: Vec<Route> = of_block.filter(|old| same_place(old, &route)).copied().collect();
            replaced.iter().for_each(|old| {
                self.installed.remove(old);
            });
            self.installed.insert(route);
        }
        let remove: Vec<Route> = self.installed.difference(&wanted).copied().collect();
        for route in remove {
            // It may be gone with its source address.
            let message = RouteNetlinkMessage::DelRoute(self.message(route));
            let _ = self.netlink.request(message, 0);
            self.installed.remove(&route);
        }
        Ok(())
    }

    fn add(&mut self, route: Route) -> io::Result<()> {
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        let message = RouteNetlinkMessage::NewRoute(self.message(route));
        match (self.netlink.request(message, flags), route.kind) {
            // The hint is only a hint: an address that may not be used is left out.
            (Err(error), Kind::Device(Some(_))) if error.raw_os_error() == Some(libc::EINVAL) => {
                let plain = Route { kind: Kind::Device(None), ..route };
                self.netlink.request(RouteNetlinkMessage::NewRoute(self.message(plain)), flags)
            }
            (result, _) => result,
        }
    }

    fn message(&self, route: Route) -> RouteMessage {
        let mut message = RouteMessage::default();
        let address = route.remote.address();
        message.header.address_family = family(address.is_ipv6());
        message.header.destination_prefix_length = route.remote.prefix_len();
        message.header.protocol = RouteProtocol::Static;
        message.attributes.push(RouteAttribute::Table(TABLE));
        message.attributes.push(RouteAttribute::Destination(RouteAddress::from(address)));
        (message.header.scope, message.header.kind) = match route.kind {
            Kind::Device(_) => (RouteScope::Link, RouteType::Unicast),
            Kind::Backstop => (RouteScope::Universe, RouteType::Prohibit),
            Kind::Elsewhere => (RouteScope::Universe, RouteType::Throw),
        };
        let metric = if route.kind == Kind::Backstop { BACKSTOP_METRIC } else { METRIC };
        message.attributes.push(RouteAttribute::Priority(metric));
        if let Kind::Device(source) = route.kind {
            message.attributes.push(RouteAttribute::Oif(self.index));
            message.attributes.extend(source.map(|source| RouteAttribute::PrefSource(RouteAddress::from(source))));
        }
        message
    }

    /// Removes all that carries our table or our rule's priority.
    fn clean(&mut self) {
        // The rules first: then nothing leads to the table any more. Each step is tried, whatever fails before it.
        for ipv6 in [false, true] {
            while self.netlink.request(RouteNetlinkMessage::DelRule(rule(ipv6)), 0).is_ok() {}
            let mut filter = RouteMessage::default();
            filter.header.address_family = family(ipv6);
            filter.attributes.push(RouteAttribute::Table(TABLE));
            // A table without routes does not exist.
            for reply in self.netlink.dump(RouteNetlinkMessage::GetRoute(filter)).unwrap_or_default() {
                let RouteNetlinkMessage::NewRoute(route) = reply else { continue };
                if route.attributes.contains(&RouteAttribute::Table(TABLE)) {
                    let _ = self.netlink.request(RouteNetlinkMessage::DelRoute(route), 0);
                }
            }
        }
        self.installed.clear();
    }
}

impl Drop for Routing {
    fn drop(&mut self) {
        self.clean();
        if let Some(old) = &self.reverse_path_filter {
            let path = format!("{SETTINGS}/ipv4/conf/all/rp_filter");
            // Whoever changed it in between wanted something else.
            if std::fs::read_to_string(&path).is_ok_and(|value| value.trim() == "2") {
                let _ = std::fs::write(path, old);
            }
        }
    }
}

fn same_place(a: &Route, b: &Route) -> bool {
    a.remote == b.remote && (a.kind == Kind::Backstop) == (b.kind == Kind::Backstop)
}

/// `not fwmark MARK lookup TABLE`.
fn rule(ipv6: bool) -> RuleMessage {
    let mut rule = RuleMessage::default();
    rule.header.family = family(ipv6);
    rule.header.action = RuleAction::ToTable;
    rule.header.flags = RuleFlags::Invert;
    rule.attributes.push(RuleAttribute::Priority(PRIORITY));
    rule.attributes.push(RuleAttribute::Table(TABLE));
    rule.attributes.push(RuleAttribute::FwMark(MARK));
    rule.attributes.push(RuleAttribute::FwMask(u32::MAX));
    rule
}

/// The addresses of this host.
pub(super) fn local_addresses() -> BTreeSet<IpAddr> {
    let Ok(addresses) = nix::ifaddrs::getifaddrs() else { return BTreeSet::new() };
    let all = addresses.filter_map(|interface| interface.address);
    all.filter_map(|address| {
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    })
    .collect()
}

/// The address of this host that shall be the source of packets to `remote`: the one that the host would take itself,
/// if it lies in `local`; else the first that does.
fn source_hint(remote: Prefix, local: Prefix) -> Option<IpAddr> {
    let own = local_addresses();
    usual_source(remote)
        .filter(|source| local.contains(*source))
        .or_else(|| own.into_iter().find(|address| local.contains(*address) && !address.is_loopback()))
}

/// The source address of packets to `remote` where our table does not exist. Nothing is sent.
fn usual_source(remote: Prefix) -> Option<IpAddr> {
    let domain = if remote.address().is_ipv4() { socket2::Domain::IPV4 } else { socket2::Domain::IPV6 };
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, None).ok()?;
    socket.set_mark(MARK).ok()?;
    let target = match remote.address() {
        address if remote.is_host() => address,
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() | 1).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() | 1).into(),
    };
    socket.connect(&SocketAddr::new(target, 9).into()).ok()?;
    socket.local_addr().ok()?.as_socket().map(|address| address.ip())
}
