//! Blocks of addresses as identities of phase 1 (RFC 2407 §4.6.2): names like others.
use super::*;
use crate::identity::Identity;

const NAMES: [[&str; 2]; 4] = [
    ["10.9.0.0/24", "192.0.2.2"],
    ["192.0.2.0-192.0.2.9", "10.9.0.0/24"],
    ["fd00::/8", "fd00::1-fd00::ffff"],
    ["fqdn:client.example", "0.0.0.0/0"],
];

fn parse(text: &str) -> Identity {
    text.parse().expect("an identity")
}

#[test]
fn each_end_may_be_a_block_of_addresses() {
    for (aggressive, names) in NAMES.iter().flat_map(|names| [(false, names), (true, names)]) {
        for required in [false, true] {
            let mut network = pair(1, Weather::default(), |index, policy| {
                policy.aggressive_mode = aggressive;
                policy.local_id = Some(parse(names[index]));
                policy.remote_id = required.then(|| parse(names[1 - index]));
            });
            initiate(&mut network);
            network.run(Duration::from_secs(5));
            assert_agree(&network);
            assert_eq!(twins(&network), 1, "{names:?}: {:?}", network.hosts.each_ref().map(Host::failures));
            let identities = network.hosts.each_ref().map(|host| host.endpoint.snapshot().ike_sas[0].identity.clone());
            assert_eq!(identities, [Some(parse(names[1])), Some(parse(names[0]))]);
            network.hosts.iter().for_each(assert_settled);
            shut_down(&mut network);
        }
    }
}

/// What lies in a block is not the block.
#[test]
fn only_the_same_block_will_do() {
    for (sent, required) in [
        ("192.0.2.1", "192.0.2.0/24"),
        ("192.0.2.0/25", "192.0.2.0/24"),
        ("192.0.2.0-192.0.2.255", "192.0.2.0/24"),
        ("192.0.2.0/24", "192.0.2.1"),
    ] {
        let mut network = pair(2, Weather::default(), |index, policy| {
            if index == 0 {
                policy.local_id = Some(parse(sent));
            } else {
                policy.remote_id = Some(parse(required));
            }
        });
        initiate(&mut network);
        network.run(Duration::from_secs(200));
        let (received, allowed) = (parse(sent), parse(required));
        let failure = Failure::IdentityMismatch { received, allowed: allowed.into(), rule: "rule".to_owned() };
        assert_eq!(network.hosts[1].failures(), [failure]);
        assert_eq!(network.hosts[0].failures().len(), 1);
        network.hosts.iter().for_each(assert_settled);
        shut_down(&mut network);
    }
}
