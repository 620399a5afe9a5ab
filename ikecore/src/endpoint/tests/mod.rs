//! In-memory pairs of endpoints with virtual time, by topic.
mod negotiate;

use super::*;
use crate::testing::host::Host;
use crate::testing::network::{Network, Weather};
use crate::testing::policy::TestPolicy;
use std::net::IpAddr;

pub(super) const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
pub(super) const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

/// Two hosts with policies that fit, changed by `change`: the index of the host, its policy.
pub(super) fn pair(seed: u64, weather: Weather, change: impl Fn(usize, &mut TestPolicy)) -> Network {
    pair_with(seed, weather, &Config::default(), change)
}

pub(super) fn pair_with(
    seed: u64,
    weather: Weather,
    config: &Config,
    change: impl Fn(usize, &mut TestPolicy),
) -> Network {
    let host = |index: usize, local, remote| {
        let mut policy = TestPolicy::new(local, remote);
        change(index, &mut policy);
        Host::new(config.clone(), seed.wrapping_mul(2).wrapping_add(index as u64), policy.database())
    };
    Network::new([host(0, A, B), host(1, B, A)], weather, seed ^ 0x5eed)
}

/// The administrator of the first host begins.
pub(super) fn initiate(network: &mut Network) {
    network.feed(0, Input::Command(Command::InitiateRule { rule: "rule".to_owned(), peer: None }));
}

/// Both hosts have the same pairs with the same keys, and nothing else.
pub(super) fn assert_agree(network: &Network) {
    let [a, b] = &network.hosts;
    assert_eq!(a.driver.pairs.len(), b.driver.pairs.len(), "{:?}\n{:?}", a.failures(), b.failures());
    for pair in a.driver.pairs.values() {
        let twin = b
            .driver
            .pairs
            .values()
            .find(|twin| twin.inbound.spi == pair.outbound.spi && twin.outbound.spi == pair.inbound.spi)
            .unwrap_or_else(|| panic!("no twin of {pair:?}"));
        for (ours, theirs) in [(&pair.outbound, &twin.inbound), (&pair.inbound, &twin.outbound)] {
            assert_eq!(ours.suite, theirs.suite);
            assert_eq!(ours.mode, theirs.mode);
            assert_eq!((ours.source, ours.destination), (theirs.source, theirs.destination));
            assert_eq!(ours.encryption_key.expose(), theirs.encryption_key.expose());
            assert_eq!(ours.integrity_key.expose(), theirs.integrity_key.expose());
            assert_eq!(ours.encryption_key.expose().len(), ours.suite.encryption_key_len());
        }
        assert_eq!(pair.inbound.selector.local, twin.inbound.selector.remote);
        assert_ne!(pair.inbound.encryption_key.expose(), pair.outbound.encryption_key.expose());
    }
    for host in &network.hosts {
        assert!(host.driver.larval.is_empty(), "SPIs left behind: {:?}", host.driver.larval);
    }
}
