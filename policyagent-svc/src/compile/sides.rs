//! Filters, written without regard to the host, become selectors seen from this host.
use ikecore::address::{HostAddress, Scope};
use ikecore::policy::selector::{Direction, Prefix, Selector};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::machine::Machine;
use crate::model::{ConnectionType, Filter, Side};

/// What `pool` stands for in a rule.
#[derive(Clone, Copy)]
pub(super) enum PoolSide<'a> {
    /// The peer's side: the addresses that it may be given.
    Remote(&'a [Prefix]),
    /// This host's side: the address that it will be given, which is not known yet.
    Local,
}

/// How a rule sees its filters.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// From here.
    pub(super) machine: &'a Machine,
    /// `me` is the addresses of these interfaces.
    pub(super) connection: ConnectionType,
    /// Where neither side is this host's more than the other, it is the destination and not the source.
    pub(super) exchanged: bool,
    /// What `pool` stands for.
    pub(super) pool: PoolSide<'a>,
}

/// A block of addresses, with its link.
type Block = (Prefix, Scope);

impl View<'_> {
    /// The selectors of `filter`. One that is not mirrored is for one direction, unless it `negotiates`: SAs are for both.
    pub(super) fn selectors(&self, filter: &Filter, negotiates: bool) -> Vec<Selector> {
        let Filter { source, destination, .. } = filter;
        let pool_is_here = matches!(self.pool, PoolSide::Local);
        let (forward, backward) = match (self.is_here(source), self.is_here(destination)) {
            _ if *source == Side::Pool => (pool_is_here, !pool_is_here),
            _ if *destination == Side::Pool => (!pool_is_here, pool_is_here),
            _ if filter.sides().contains(&&Side::Me) => (*source == Side::Me, *destination == Side::Me),
            // What goes from one side to the other leaves, or arrives.
            (true, true) => (true, filter.mirrored || !negotiates),
            (false, false) => (!self.exchanged, self.exchanged),
            one => one,
        };
        let one_way = !filter.mirrored && !negotiates;
        let selector = |(local, remote): (Block, Block), local_port, remote_port, direction| Selector {
            local: local.0,
            remote: remote.0,
            protocol: filter.protocol,
            local_port,
            remote_port,
            scope: local.1.max(remote.1),
            direction: one_way.then_some(direction),
        };
        let (source_port, destination_port) = (filter.source_port, filter.destination_port);
        let mut selectors = Vec::new();
        if forward {
            let pairs = self.pairs(source, destination).into_iter();
            selectors.extend(pairs.map(|pair| selector(pair, source_port, destination_port, Direction::Outbound)));
        }
        if backward {
            let pairs = self.pairs(destination, source).into_iter();
            selectors.extend(pairs.map(|pair| selector(pair, destination_port, source_port, Direction::Inbound)));
        }
        selectors
    }

    fn is_here(&self, side: &Side) -> bool {
        let Machine { addresses, on_links, hosts, .. } = self.machine;
        match side {
            Side::Me | Side::Any => true,
            // Of the pool the rule decides; the servers are never this machine.
            Side::Pool | Side::Server(_) => false,
            Side::Prefix(prefix) if prefix.is_link_local() => on_links.iter().any(|own| prefix.contains(own.ip())),
            Side::Prefix(prefix) => addresses.iter().any(|address| prefix.contains(*address)),
            Side::OnLink(prefix, interface) => {
                let link = self.machine.link(*interface);
                on_links.iter().any(|own| link == Some(own.scope()) && prefix.contains(own.ip()))
            }
            Side::Range(range) => addresses.iter().any(|address| range.contains(*address)),
            Side::Host(name) => hosts.get(name).is_some_and(|host| !host.is_disjoint(addresses)),
        }
    }

    /// Each pair of a block of `local` and one of `remote` that are of one family, and not on different links.
    fn pairs(&self, local: &Side, remote: &Side) -> Vec<(Block, Block)> {
        let with_server = [local, remote].iter().any(|side| matches!(side, Side::Server(_)));
        let remotes = self.blocks(remote, local);
        let mut pairs = Vec::new();
        for one in self.blocks(local, remote) {
            let fits = |other: &&Block| {
                other.0.address().is_ipv4() == one.0.address().is_ipv4()
                    && (one.1.covers(other.1) || other.1.covers(one.1))
                    // To a server on the link this host speaks as one on the link.
                    && (!with_server || one.0.is_link_local() == other.0.is_link_local())
            };
            pairs.extend(remotes.iter().filter(fits).map(|other| (one, *other)));
        }
        pairs
    }

    /// The blocks of a side; `other` is the other side.
    fn blocks(&self, side: &Side, other: &Side) -> Vec<Block> {
        let machine = self.machine;
        let anywhere = |block: Prefix| (block, Scope::ANY);
        let host = |address: HostAddress| (Prefix::host(address.ip()), address.scope());
        let on_links = || machine.on_links_of(self.connection).map(host);
        let addresses = || machine.addresses_of(self.connection).map(Prefix::host).map(anywhere);
        match (side, self.pool) {
            (Side::Me, _) if other.is_link_local() => on_links().collect(),
            (Side::Me, _) if matches!(other, Side::Server(_)) => addresses().chain(on_links()).collect(),
            (Side::Me, _) => addresses().collect(),
            (Side::Prefix(prefix), _) => vec![anywhere(*prefix)],
            (Side::Range(range), _) => range.blocks().into_iter().map(anywhere).collect(),
            // Without its interface there is nothing that it could be for.
            (Side::OnLink(prefix, interface), _) => {
                machine.link(*interface).map(|link| (*prefix, link)).into_iter().collect()
            }
            (Side::Server(server), _) => machine.servers.get(server).into_iter().flatten().copied().map(host).collect(),
            (Side::Host(name), _) => {
                let addresses = machine.hosts.get(name).into_iter().flatten();
                addresses.copied().map(Prefix::host).map(anywhere).collect()
            }
            (Side::Pool, PoolSide::Remote(blocks)) => blocks.iter().copied().map(anywhere).collect(),
            (Side::Any, _) | (Side::Pool, PoolSide::Local) => {
                let all = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
                all.into_iter().filter_map(|address| Prefix::new(address, 0).ok()).map(anywhere).collect()
            }
        }
    }
}
