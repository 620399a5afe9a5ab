//! Filters, written without regard to the host, become selectors seen from this host.
use ikecore::address::Scope;
use ikecore::policy::selector::{Prefix, Selector};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::addresses::Machine;
use crate::model::{Filter, Side};

/// What `pool` stands for in a rule.
#[derive(Clone, Copy)]
pub(super) enum PoolSide<'a> {
    /// The peer's side: the addresses that it may be given.
    Remote(&'a [Prefix]),
    /// This host's side: the address that it will be given, which is not known yet.
    Local,
}

/// The selectors of `filter` for `machine`. Where neither side is this host's more than the other, it
/// is the source, or if `exchanged` the destination.
pub(super) fn selectors(filter: &Filter, machine: &Machine, exchanged: bool, pool: PoolSide<'_>) -> Vec<Selector> {
    let pair = |local, remote, selector: &dyn Fn(Prefix, Prefix) -> Selector| {
        pair(local, remote, machine, pool, selector).collect::<Vec<_>>()
    };
    let mut selectors = Vec::new();
    let source_is_here = is_here(filter.source, machine);
    let destination_is_here = is_here(filter.destination, machine);
    let one_is_me = filter.source == Side::Me || filter.destination == Side::Me;
    let pool_is_here = matches!(pool, PoolSide::Local);
    let (forward, backward) = match (source_is_here, destination_is_here) {
        _ if filter.source == Side::Pool => (pool_is_here, !pool_is_here),
        _ if filter.destination == Side::Pool => (!pool_is_here, pool_is_here),
        _ if one_is_me => (filter.source == Side::Me, filter.destination == Side::Me),
        (true, true) => (true, filter.mirrored),
        (false, false) => (!exchanged, exchanged),
        one => one,
    };
    if forward {
        pair(filter.source, filter.destination, &|local, remote| Selector {
            local,
            remote,
            protocol: filter.protocol,
            local_port: filter.source_port,
            remote_port: filter.destination_port,
            scope: Scope::ANY,
        })
        .into_iter()
        .for_each(|selector| selectors.push(selector));
    }
    if backward {
        pair(filter.destination, filter.source, &|local, remote| Selector {
            local,
            remote,
            protocol: filter.protocol,
            local_port: filter.destination_port,
            remote_port: filter.source_port,
            scope: Scope::ANY,
        })
        .into_iter()
        .for_each(|selector| selectors.push(selector));
    }
    selectors
}

fn is_here(side: Side, machine: &Machine) -> bool {
    match side {
        Side::Me | Side::Any => true,
        // Decided by the rule.
        Side::Pool => false,
        Side::Prefix(prefix) if prefix.is_link_local() => machine.on_links.iter().any(|own| prefix.contains(own.ip())),
        Side::Prefix(prefix) => machine.addresses.iter().any(|address| prefix.contains(*address)),
        Side::OnLink(prefix, interface) => {
            let link = machine.link(interface);
            machine.on_links.iter().any(|own| link == Some(own.scope()) && prefix.contains(own.ip()))
        }
    }
}

/// Each pair of a block of `local` and one of `remote` that are of one family, and not on different links.
fn pair(
    local: Side,
    remote: Side,
    machine: &Machine,
    pool: PoolSide<'_>,
    selector: &dyn Fn(Prefix, Prefix) -> Selector,
) -> impl Iterator<Item = Selector> {
    let remotes = blocks(remote, local, machine, pool);
    blocks(local, remote, machine, pool).into_iter().flat_map(move |(local, on)| {
        let same = remotes.iter().filter(|(remote, at)| {
            remote.address().is_ipv4() == local.address().is_ipv4() && (on.covers(*at) || at.covers(on))
        });
        same.map(|(remote, at)| Selector { scope: on.max(*at), ..selector(local, *remote) }).collect::<Vec<_>>()
    })
}

/// The blocks of a side, each with its link; `other` is the other side.
fn blocks(side: Side, other: Side, machine: &Machine, pool: PoolSide<'_>) -> Vec<(Prefix, Scope)> {
    let anywhere = |blocks: Vec<Prefix>| blocks.into_iter().map(|block| (block, Scope::ANY)).collect();
    match (side, pool) {
        (Side::Me, _) if other.is_link_local() => {
            machine.on_links.iter().map(|own| (Prefix::host(own.ip()), own.scope())).collect()
        }
        (Side::Me, _) => anywhere(machine.addresses.iter().copied().map(Prefix::host).collect()),
        (Side::Prefix(prefix), _) => anywhere(vec![prefix]),
        // Without its interface there is nothing that it could be for.
        (Side::OnLink(prefix, interface), _) => {
            machine.link(interface).map(|link| (prefix, link)).into_iter().collect()
        }
        (Side::Pool, PoolSide::Remote(blocks)) => anywhere(blocks.to_vec()),
        (Side::Any, _) | (Side::Pool, PoolSide::Local) => {
            let all = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
            anywhere(all.into_iter().filter_map(|address| Prefix::new(address, 0).ok()).collect())
        }
    }
}
