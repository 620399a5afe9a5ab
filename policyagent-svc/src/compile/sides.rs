//! Filters, written without regard to the host, become selectors seen from this host.
use ikecore::policy::selector::{Prefix, Selector};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{Filter, Side};

/// What `pool` stands for in a rule.
#[derive(Clone, Copy)]
pub(super) enum PoolSide<'a> {
    /// The peer's side: the addresses that it may be given.
    Remote(&'a [Prefix]),
    /// This host's side: the address that it will be given, which is not known yet.
    Local,
}

/// The selectors of `filter` for a host with these addresses. Where neither side is this host's more than the other, it
/// is the source, or if `exchanged` the destination.
pub(super) fn selectors(
    filter: &Filter,
    addresses: &BTreeSet<IpAddr>,
    exchanged: bool,
    pool: PoolSide<'_>,
) -> Vec<Selector> {
    let pair = |local, remote, selector: &dyn Fn(Prefix, Prefix) -> Selector| {
        pair(local, remote, addresses, pool, selector).collect::<Vec<_>>()
    };
    let mut selectors = Vec::new();
    let source_is_here = is_here(filter.source, addresses);
    let destination_is_here = is_here(filter.destination, addresses);
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
        })
        .into_iter()
        .for_each(|selector| selectors.push(selector));
    }
    selectors
}

fn is_here(side: Side, addresses: &BTreeSet<IpAddr>) -> bool {
    match side {
        Side::Me | Side::Any => true,
        // Decided by the rule.
        Side::Pool => false,
        Side::Prefix(prefix) => addresses.iter().any(|address| prefix.contains(*address)),
    }
}

/// Each pair of a block of `local` and one of `remote` that are of one family.
fn pair(
    local: Side,
    remote: Side,
    addresses: &BTreeSet<IpAddr>,
    pool: PoolSide<'_>,
    selector: &dyn Fn(Prefix, Prefix) -> Selector,
) -> impl Iterator<Item = Selector> {
    let remotes = blocks(remote, addresses, pool);
    blocks(local, addresses, pool).into_iter().flat_map(move |local| {
        let same = remotes.iter().filter(|remote| remote.address().is_ipv4() == local.address().is_ipv4());
        same.map(|remote| selector(local, *remote)).collect::<Vec<_>>()
    })
}

fn blocks(side: Side, addresses: &BTreeSet<IpAddr>, pool: PoolSide<'_>) -> Vec<Prefix> {
    match (side, pool) {
        (Side::Me, _) => addresses.iter().copied().map(Prefix::host).collect(),
        (Side::Prefix(prefix), _) => vec![prefix],
        (Side::Pool, PoolSide::Remote(blocks)) => blocks.to_vec(),
        (Side::Any, _) | (Side::Pool, PoolSide::Local) => {
            let all = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
            all.into_iter().filter_map(|address| Prefix::new(address, 0).ok()).collect()
        }
    }
}
