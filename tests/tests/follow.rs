//! The policy follows what the machine is: addresses, routes, hosts by name.

use std::time::{Duration, Instant};

use tests::daemon::{Daemon, Driver};
use tests::netns::{A, B, Namespace, World};
use tests::policy_text::{Policy, RULE};
use tests::process::wait_until;

const PATIENCE: Duration = Duration::from_secs(20);

/// What a change of the network takes at most until it is in force; most of it passes in asking.
const SOON: Duration = Duration::from_secs(1);

/// A permit rule for each of these destinations, named as the destination.
fn rules(destinations: &[(&str, &str)]) -> String {
    let mut text = "[[policy]]\nname = \"follow\"\nassigned = true\n".to_owned();
    for (to, more) in destinations {
        text += &format!(
            "\n[[policy.rule]]\nname = \"{to}\"\nfilter_list = \"{to}\"\nfilter_action = \"pass\"\n{more}\n\n\
             [[filter_list]]\nname = \"{to}\"\nfilters = [{{ source = \"me\", destination = \"{to}\" }}]\n"
        );
    }
    text + "\n[[filter_action]]\nname = \"pass\"\naction = \"permit\"\n"
}

/// The rules that are in force.
fn in_force(daemon: &Daemon<'_>) -> Vec<String> {
    let status = daemon.status();
    let rules = status["policy"]["rules"].as_array().expect("a list").iter();
    rules.filter_map(|rule| rule.as_str()).map(str::to_owned).collect()
}

/// Changes the network, and waits until these rules are in force.
#[track_caller]
fn change(daemon: &Daemon<'_>, namespace: &Namespace, line: &str, expected: &[&str]) {
    namespace.ip(&[line]);
    let changed = Instant::now();
    let held = wait_until(PATIENCE, || in_force(daemon) == expected);
    let took = changed.elapsed();
    assert!(held, "after {line:?} in force is {:?}, not {expected:?}\n{}", in_force(daemon), daemon.output());
    // The look that needs no notice comes after 20 seconds only.
    assert!(took < SOON, "{line:?} was in force after {took:?}");
}

/// Addresses, routes and dial-up interfaces come and go, and so do the filters that are for them.
#[test]
fn the_policy_follows_addresses_and_routes_at_once() {
    let host = Namespace::new("follow");
    host.ip(&[
        "link add eth0 type veth peer name eth0p",
        "link add ppp0 type veth peer name ppp0p",
        "link set eth0 up",
        "link set eth0p up",
        "link set ppp0 up",
        "link set ppp0p up",
        "addr add 10.1.0.1/24 dev eth0",
    ]);
    let dialup = "connection_type = \"dialup\"";
    let text = rules(&[("gateway", ""), ("2001:db8:7::7", ""), ("10.7.0.7", dialup), ("10.8.0.8", "")]);
    let mut daemon = Daemon::start(&host, Driver::Memory, &text);
    assert_eq!(in_force(&daemon), ["10.8.0.8"]);
    let warnings = daemon.status()["policy"]["warnings"].to_string();
    assert!(warnings.contains("this machine knows no server \\\"gateway\\\"; the filter waits for one"), "{warnings}");
    change(&daemon, &host, "route add default via 10.1.0.254", &["gateway", "10.8.0.8"]);
    change(&daemon, &host, "route del default", &["10.8.0.8"]);
    // A router on the link, as IPv6 has it.
    change(&daemon, &host, "route add default via fe80::254 dev eth0", &["gateway", "10.8.0.8"]);
    change(&daemon, &host, "route del default via fe80::254 dev eth0", &["10.8.0.8"]);
    change(&daemon, &host, "addr add 2001:db8::1/64 dev eth0 nodad", &["2001:db8:7::7", "10.8.0.8"]);
    change(&daemon, &host, "addr add 10.2.0.1/24 dev ppp0", &["2001:db8:7::7", "10.7.0.7", "10.8.0.8"]);
    change(&daemon, &host, "link set ppp0 down", &["2001:db8:7::7", "10.8.0.8"]);
    change(&daemon, &host, "addr del 2001:db8::1/64 dev eth0", &["10.8.0.8"]);
    change(&daemon, &host, "addr del 10.1.0.1/24 dev eth0", &[]);
    daemon.stop();
}

/// A driver that can do nothing for link-local addresses has the rest of the policy, now and later.
#[test]
fn a_router_on_the_link_is_left_out_where_the_driver_knows_no_links() {
    let host = Namespace::new("router");
    host.ip(&[
        "link add eth0 type veth peer name eth0p",
        "link set eth0 up",
        "link set eth0p up",
        "addr add 10.1.0.1/24 dev eth0",
        "route add default via fe80::254 dev eth0",
    ]);
    let mut daemon = Daemon::start(&host, Driver::Userspace, &rules(&[("gateway", ""), ("2001:db8:7::7", "")]));
    assert_eq!(in_force(&daemon), [""; 0]);
    let warnings = daemon.status()["policy"]["warnings"].to_string();
    let told = "the filter is not for \\\"gateway\\\" at fe80::254%eth0, as the SA driver does nothing for";
    assert!(warnings.contains(told), "{warnings}");
    change(&daemon, &host, "route add default via 10.1.0.254", &["gateway"]);
    change(&daemon, &host, "addr add 2001:db8::1/64 dev eth0 nodad", &["gateway", "2001:db8:7::7"]);
    daemon.stop();
}

/// A peer by its name is waited for, found, and found elsewhere; the two negotiate.
#[test]
fn a_peer_by_name_is_found_and_followed() {
    let world = World::new();
    let policy = Policy::between(A, B).transport().text();
    let named = policy.replace(&format!("\"{}\"", B.wire), "\"b.example\"");
    assert_ne!(policy, named);
    let a = Daemon::start_with_hosts(&world.a, Driver::Memory, &named, "127.0.0.1 localhost\n");
    let b = Daemon::start(&world.b, Driver::Memory, &Policy::between(B, A).transport().text());
    let warnings = || a.status()["policy"]["warnings"].to_string();
    let waits = "no address of \\\"b.example\\\" was found yet; the filter waits for one";
    assert!(warnings().contains(waits), "{}", warnings());
    let hosts = |line: &str| std::fs::write(a.path("hosts"), format!("127.0.0.1 localhost\n{line}\n")).expect("a file");
    hosts("192.0.2.77 b.example");
    // Names are looked up again when the addresses of this host change.
    world.a.ip(&["addr add 10.66.0.1/32 dev lo"]);
    assert!(wait_until(PATIENCE, || in_force(&a) == [RULE]), "{}\n{}", a.status(), a.output());
    assert!(!warnings().contains(waits), "{}", warnings());
    hosts(&format!("{} b.example", B.wire));
    let version = a.status()["policy"]["version"].clone();
    world.a.ip(&["addr del 10.66.0.1/32 dev lo"]);
    // The address of this host has gone, and that of the other is another.
    let is_new = || a.status()["policy"]["version"].as_u64() >= version.as_u64().map(|version| version + 2);
    assert!(wait_until(PATIENCE, is_new), "{}\n{}", a.status(), a.output());
    a.run(&["initiate", RULE]);
    assert!(wait_until(PATIENCE, || (b.isakmp_sas(), b.ipsec_sas()) == (1, 1)), "{}", b.oakley());
    assert_eq!(a.status()["ike_sas"][0]["remote"], format!("{}:500", B.wire));
}
