//! Link-local peers of our own daemons: what needs no ESP of the kernel.

use std::time::Duration;

use tests::daemon::{Daemon, Driver};
use tests::netns::{A, Addresses, B, World};
use tests::policy_text::{Policy, RULE};
use tests::process::wait_until;
use tests::scratch::Scratch;

const PATIENCE: Duration = Duration::from_secs(20);

/// A host on an interface that is made later.
const LATE_A: Addresses = Addresses { wire: "fe80::9:1%late0", ..A };
const LATE_B: Addresses = Addresses { wire: "fe80::9:2%late0", ..B };

/// The rule waits for its interface; when that comes, the two negotiate.
#[test]
fn a_rule_waits_for_its_interface() {
    let world = World::new();
    let text = |own, other| Policy::between(own, other).transport().text();
    let a = Daemon::start(&world.a, Driver::Memory, &text(LATE_A, LATE_B));
    let b = Daemon::start(&world.b, Driver::Memory, &text(LATE_B, LATE_A));
    let warnings = |daemon: &Daemon<'_>| daemon.status()["policy"]["warnings"].to_string();
    for daemon in [&a, &b] {
        let warned = warnings(daemon);
        assert!(warned.contains("there is no interface \\\"late0\\\"; the filter waits for it"), "{warned}");
    }
    world.a.ip(&[&format!("link add late0 type veth peer name late0 netns {}", world.b.path())]);
    for (namespace, address) in [(&world.a, "fe80::9:1"), (&world.b, "fe80::9:2")] {
        namespace.ip(&[&format!("addr add {address}/64 dev late0 nodad"), "link set late0 up"]);
    }
    for daemon in [&a, &b] {
        let in_force = || daemon.status()["policy"]["rules"].to_string().contains(RULE);
        assert!(wait_until(PATIENCE, in_force), "{}", daemon.status());
        assert_eq!(warnings(daemon), "[]");
    }
    a.run(&["initiate", RULE]);
    assert!(wait_until(PATIENCE, || (b.isakmp_sas(), b.ipsec_sas()) == (1, 1)), "{}", b.oakley());
    assert_eq!(b.status()["ike_sas"][0]["remote"], "[fe80::9:1%late0]:500");
    a.run(&["terminate", "--peer", LATE_B.wire]);
    assert!(wait_until(PATIENCE, || (b.isakmp_sas(), b.ipsec_sas()) == (0, 0)), "{}", b.oakley());
}

/// What the driver cannot protect it refuses, and says what could.
#[test]
fn a_driver_without_links_refuses_the_policy_with_the_reason() {
    let world = World::new();
    world.add_link_local();
    let root = Scratch::new("root");
    let policy = Policy::between(A.link_local(), B.link_local()).transport().text();
    let policy = root.write("policy.toml", &policy).display().to_string();
    let (program, directory) = (tests::daemon::program().display().to_string(), root.path().display().to_string());
    // It ends at once.
    let arguments = ["--root", &directory, "run", "--driver", Driver::Userspace.name(), "--policy", &policy];
    let output = world.a.output(&program, &arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{told}");
    let reason = "this driver cannot protect link-local addresses: packets from and to them never pass its device; allowed: \
                  the driver xfrm";
    assert!(told.contains(reason), "{told}");
}
