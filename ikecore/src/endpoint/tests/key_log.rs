//! The key log: complete when it is on, and nothing when it is off.
use super::*;
use crate::endpoint::key_log::EspKey;
use crate::ids::Cookies;
use crate::sa::driver::SaSpec;

fn logging() -> Config {
    Config { key_log: true, ..Config::default() }
}

/// The keys of phase 1 that a host told, by CKY-I.
fn isakmp(host: &Host) -> Vec<(Cookie, Vec<u8>)> {
    let keys = host.keys.iter().filter_map(|key| match key {
        LoggedKey::Isakmp { initiator, key } => Some((*initiator, key.expose().clone())),
        LoggedKey::Esp(_) => None,
    });
    keys.collect()
}

fn esp(host: &Host) -> Vec<&EspKey> {
    let keys = host.keys.iter().filter_map(|key| match key {
        LoggedKey::Esp(key) => Some(key),
        LoggedKey::Isakmp { .. } => None,
    });
    keys.collect()
}

fn is_key_of(key: &EspKey, sa: &SaSpec) -> bool {
    (key.source, key.destination, key.spi) == (sa.source, sa.destination, sa.spi)
        && key.encryption_key.expose() == sa.encryption_key.expose()
        && key.integrity_key.expose() == sa.integrity_key.expose()
}

fn cookies(host: &Host) -> Vec<Cookies> {
    host.endpoint.ike_sas.values().map(|sa| sa.cookies).collect()
}

#[test]
fn off_it_tells_nothing() {
    let mut network = pair(1, Weather::default(), |_, _| {});
    initiate(&mut network);
    network.run(Duration::from_secs(5));
    assert_agree(&network);
    network.hosts.iter().for_each(|host| assert!(host.keys.is_empty(), "{:?}", host.keys));
}

#[test]
fn on_it_tells_every_key_once_with_what_it_belongs_to() {
    let mut network = pair_with(1, Weather::default(), &logging(), |_, _| {});
    initiate(&mut network);
    network.run(Duration::from_secs(5));
    assert_agree(&network);
    let [a, b] = &network.hosts;
    assert_eq!(isakmp(a), isakmp(b));
    let told: Vec<_> = isakmp(a).into_iter().map(|(cookie, key)| (cookie, key.len())).collect();
    assert_eq!(told, [(cookies(a)[0].initiator, 32)], "AES-256");
    for host in [a, b] {
        let keys = esp(host);
        assert_eq!(keys.len(), 2, "{keys:?}");
        for pair in host.driver.pairs.values() {
            for sa in [&pair.inbound, &pair.outbound] {
                assert!(keys.iter().any(|key| is_key_of(key, sa)), "{keys:?} {sa:?}");
            }
        }
    }
    // Keys are not to be seen by who prints what leaves.
    assert!(format!("{:?}", a.keys).contains("key: <secret>"));

    let pair = *network.hosts[0].driver.pairs.keys().next().expect("a pair");
    network.feed(0, Input::Command(Command::RekeyIpsecSa(pair)));
    network.run(Duration::from_secs(5));
    for host in &network.hosts {
        assert_eq!((isakmp(host).len(), esp(host).len()), (1, 4));
    }
}

/// The messages that were enciphered show why it failed.
#[test]
fn of_a_main_mode_that_fails_the_key_is_told_too() {
    let mut network = pair_with(1, Weather::default(), &logging(), |host, policy| {
        if host == 1 {
            policy.psk = b"another";
        }
    });
    initiate(&mut network);
    network.run(Duration::from_secs(200));
    network.hosts.iter().for_each(assert_settled);
    // Different keys at the two ends are what is wrong; each tells its own.
    let [a, b] = network.hosts.each_ref().map(isakmp);
    assert_eq!((a.len(), b.len()), (1, 1));
    assert_eq!(a[0].0, b[0].0);
    assert_ne!(a[0].1, b[0].1);
}

/// Whoever forges message 4 makes the initiator have two keys; only the one that counted is told.
#[test]
fn a_forged_branch_is_not_told() {
    let Network { mut hosts, now, .. } = pair_with(1, Weather::default(), &logging(), |_, _| {});
    hosts[0].command(now, Command::InitiateRule { rule: "rule".to_owned(), peer: None });
    let mut number = 0;
    while let Some((from, sent)) = (0..2).find_map(|host| Some((host, hosts[host].sent.pop_front()?))) {
        number += 1;
        let (local, remote) = (sent.remote, sent.local);
        if number == 4 {
            // In the nonce: after the header and g^xr of 64 octets.
            let mut octets = sent.octets.to_vec();
            octets[28 + 4 + 64 + 4 + 2] ^= 1;
            hosts[0].receive(now, local, remote, &octets);
            assert_eq!(hosts[0].sent.len(), 1, "the forged message is answered like the true one");
        }
        hosts[1 - from].receive(now, local, remote, &sent.octets);
    }
    let [a, b] = &hosts;
    assert_eq!((a.driver.pairs.len(), isakmp(a).len()), (1, 1));
    assert_eq!(isakmp(a), isakmp(b));
}
