//! Interoperation on a real kernel with ESP: the cases run inside a User-Mode Linux guest.

use std::process::ExitCode;
use std::time::Duration;

use tests::capture::{Capture, Kind, count};
use tests::charon::{Charon, Connection, Kernel, Mode};
use tests::daemon::Driver;
use tests::netns::{A, B, World};
use tests::scenario::{Role, SUITES, rekeys_and_deletes, whole_life};
use tests::uml::{self, Case};

fn main() -> ExitCode {
    let modes = [Mode::Tunnel, Mode::Transport];
    let mut cases = Vec::new();
    for mode in modes {
        let name = format!("harness_two_charons_{}", mode.name());
        cases.push(Case::new(name, move || harness_two_charons(mode == Mode::Transport)));
    }
    for driver in [Driver::Xfrm, Driver::PfKey] {
        for mode in modes {
            for suite in SUITES {
                for role in Role::ALL {
                    let suite_name = suite.main_mode.replace('-', "_");
                    let name = format!("{}_{}_{suite_name}_{}", driver.name(), mode.name(), role.name());
                    cases.push(Case::new(name, move || whole_life(driver, suite.for_driver(driver), mode, role)));
                }
            }
            let name = format!("{}_{}_the_daemon_rekeys_and_deletes", driver.name(), mode.name());
            cases.push(Case::new(name, move || rekeys_and_deletes(driver, mode)));
        }
    }
    uml::main(cases)
}

/// The harness itself, proven with a peer at both ends: what fails elsewhere is then ours.
fn harness_two_charons(transport: bool) {
    let world = World::new();
    let shape = |connection: Connection| if transport { connection.transport() } else { connection };
    let a = Charon::start(&world.a, Kernel::Netlink, &shape(Connection::between(A, B)));
    let b = Charon::start(&world.b, Kernel::Netlink, &shape(Connection::between(B, A)));
    let capture = Capture::start(&world);
    let (from, to) = if transport { (A.wire, B.wire) } else { (A.inside, B.inside) };
    a.initiate().expect("two charons agree");
    b.wait_installed();
    assert_eq!(world.a.ping(from, to, 3), 3, "pings through ESP");
    for charon in [&a, &b] {
        let child = &charon.installed()[0];
        assert_eq!((child.packets_in, child.packets_out), (3, 3));
        assert_eq!((child.mode.as_str(), child.encapsulated), (if transport { "TRANSPORT" } else { "TUNNEL" }, false));
    }
    assert!(world.b.run("ip", &["xfrm", "state"]).contains("proto esp"));
    let cookies = a.list_sas()[0].cookies.clone();
    b.rekey_ike();
    // The old one stays for some seconds, without its IPsec SAs.
    a.wait_sas("a new IKE SA with the IPsec SAs of the old one", Duration::from_secs(10), |sas| {
        sas.iter().any(|sa| sa.state == "ESTABLISHED" && sa.cookies != cookies && sa.children.len() == 1)
    });
    a.terminate_child();
    b.wait_sas("no IPsec SAs", Duration::from_secs(10), |sas| sas.iter().all(|sa| sa.children.is_empty()));
    b.terminate();
    a.wait_sas("no SAs after the peer's delete", Duration::from_secs(10), <[_]>::is_empty);
    assert_eq!(world.a.run("ip", &["xfrm", "state"]), "");
    let packets = capture.finish();
    assert_eq!(
        (count(&packets, Kind::Esp), count(&packets, Kind::Echo)),
        (6, 0),
        "3 pings and 3 replies, none in clear"
    );
}
