//! Interoperation on a real kernel with ESP: the cases run inside a User-Mode Linux guest.

use std::process::ExitCode;
use std::time::Duration;

use ikecore::testing::authority::KeyKind;
use tests::capture::{Capture, Kind, count};
use tests::charon::{Charon, Connection, Kernel, Mode};
use tests::daemon::Driver;
use tests::netns::{A, Addresses, B, World};
use tests::scenario::l2tp::{self, ClientPort};
use tests::scenario::liveliness::Mourning;
use tests::scenario::moving::{Unique, comes_back_elsewhere};
use tests::scenario::{
    CUT, EXTENDED, GCM, GCM_CUT, GROUPS, RARE, Role, SUITES, behind_nat, boot_mode, bundles, certificates, control,
    default_response, driver_failure, exempt, links, liveliness, netsh, recovery, rekeys, rekeys_and_deletes,
    road_warriors, shapes, soft_sas, traps, whole_life,
};
use tests::uml::{self, Case};

fn main() -> ExitCode {
    let modes = [Mode::Tunnel, Mode::Transport];
    let mut cases = Vec::new();
    for mode in modes {
        let name = format!("harness_two_charons_{}", mode.name());
        cases.push(Case::new(name, move || harness_two_charons(mode == Mode::Transport)));
    }
    // The longest cases, one after the other, so that the guests share them.
    for driver in [Driver::Xfrm, Driver::PfKey, Driver::Userspace] {
        for mode in modes {
            let name = format!("{}_{}_rekeys_lose_no_packet", driver.name(), mode.name());
            cases.push(Case::new(name, move || rekeys::lose_no_packet(driver, Kernel::Netlink, mode)));
        }
        let name = format!("{}_rekeys_at_once_lose_no_packet", driver.name());
        cases.push(Case::new(name, move || rekeys::at_once(driver, Kernel::Netlink, Mode::Tunnel, 1)));
    }
    for driver in [Driver::Xfrm, Driver::PfKey, Driver::Userspace] {
        for mode in modes {
            // PF_KEY has no AES-GCM, and cuts HMAC-SHA-256 with any of the suites.
            let more = [CUT, GCM].into_iter().filter(|_| driver != Driver::PfKey);
            for suite in SUITES.into_iter().chain(more) {
                for role in Role::ALL {
                    let suite_name = suite.quick_mode.replace('-', "_");
                    let name = format!("{}_{}_{suite_name}_{}", driver.name(), mode.name(), role.name());
                    let suite = suite.for_driver(driver);
                    cases.push(Case::new(name, move || whole_life(driver, Kernel::Netlink, suite, mode, role)));
                }
            }
            let name = format!("{}_{}_the_daemon_rekeys_and_deletes", driver.name(), mode.name());
            cases.push(Case::new(name, move || rekeys_and_deletes(driver, Kernel::Netlink, mode)));
        }
    }
    rare_suites(&mut cases);
    for (name, key, main_mode, role) in [
        ("xfrm_certificates_rsa_initiator", KeyKind::Rsa(2048), "aes256-sha256-modp2048", Role::Initiator),
        ("xfrm_certificates_ecdsa_responder", KeyKind::P384, "aes256-sha256-ecp384", Role::Responder),
    ] {
        let run = move || certificates::signatures(Driver::Xfrm, Kernel::Netlink, key, main_mode, role);
        cases.push(Case::new(name, run));
    }
    for mode in modes {
        for words in &netsh::WORDS {
            let suite = words.suite.quick_mode.replace('-', "_");
            let name = format!("xfrm_{}_netsh_static_{suite}", mode.name());
            cases.push(Case::new(name, move || netsh::static_policy(Driver::Xfrm, Kernel::Netlink, mode, words)));
            let name = format!("xfrm_{}_netsh_dynamic_{suite}", mode.name());
            cases.push(Case::new(name, move || netsh::dynamic_policy(Driver::Xfrm, Kernel::Netlink, mode, words)));
        }
    }
    protection(&mut cases);
    several_protocols(&mut cases);
    l2tp_links(&mut cases);
    conduct(&mut cases);
    uml::main(cases)
}

/// Suites that are met now and then, each once with every driver that has it and in both roles.
fn rare_suites(cases: &mut Vec<Case>) {
    for driver in [Driver::Xfrm, Driver::PfKey, Driver::Userspace] {
        let more = GCM_CUT.into_iter().chain(EXTENDED).filter(|_| driver != Driver::PfKey);
        // The groups are the core's affair, whatever the driver.
        let groups = GROUPS.into_iter().filter(|_| driver == Driver::Xfrm);
        for (suite, mode) in
            RARE.into_iter().chain(more).chain(groups).zip([Mode::Tunnel, Mode::Transport].into_iter().cycle())
        {
            for role in Role::ALL {
                let suite_name = suite.quick_mode.replace('-', "_");
                let name = format!("{}_rare_{suite_name}_{}", driver.name(), role.name());
                cases.push(Case::new(name, move || whole_life(driver, Kernel::Netlink, suite, mode, role)));
            }
        }
    }
}

/// What can be protected, and how.
fn protection(cases: &mut Vec<Case>) {
    let modes = [Mode::Tunnel, Mode::Transport];
    for role in Role::ALL {
        let end = role.name();
        for (driver, hash, listed) in [
            (Driver::Xfrm, "sha1", "HMAC_SHA1_96"),
            (Driver::Xfrm, "sha256", "HMAC_SHA2_256_128"),
            (Driver::Xfrm, "aesxcbc", "AES_XCBC_96"),
            (Driver::PfKey, "sha1", "HMAC_SHA1_96"),
            (Driver::PfKey, "sha256_96", "HMAC_SHA2_256_128"),
            (Driver::Userspace, "sha1", "HMAC_SHA1_96"),
            (Driver::Userspace, "sha256", "HMAC_SHA2_256_128"),
            (Driver::Userspace, "aesxcbc", "AES_XCBC_96"),
        ] {
            for mode in modes {
                let name = format!("{}_ah_{hash}_{}_{end}", driver.name(), mode.name());
                let run = move || shapes::authentication_header(driver, hash, listed, [A, B], mode, role);
                cases.push(Case::new(name, run));
            }
        }
        for driver in [Driver::Xfrm, Driver::Userspace] {
            for mode in modes {
                let name = format!("{}_ah_ipv6_{}_{end}", driver.name(), mode.name());
                let ends = [A, B].map(Addresses::ipv6);
                let run = move || {
                    shapes::authentication_header(driver, "sha256", "HMAC_SHA2_256_128", ends, mode, role);
                };
                cases.push(Case::new(name, run));
            }
        }
        for driver in [Driver::Xfrm, Driver::PfKey, Driver::Userspace] {
            for mode in modes {
                let name = format!("{}_in_udp_{}_{end}", driver.name(), mode.name());
                cases.push(Case::new(name, move || shapes::in_udp(driver, mode, role)));
            }
        }
        for driver in [Driver::Xfrm, Driver::Userspace] {
            for (shape, own, other, mode) in [
                ("ipv6_tunnel", A.ipv6(), B.ipv6(), Mode::Tunnel),
                ("ipv6_transport", A.ipv6(), B.ipv6(), Mode::Transport),
                ("ipv4_in_ipv6_tunnel", A.ipv4_inside_ipv6(), B.ipv4_inside_ipv6(), Mode::Tunnel),
                ("ipv6_in_ipv4_tunnel", A.ipv6_inside_ipv4(), B.ipv6_inside_ipv4(), Mode::Tunnel),
            ] {
                let name = format!("{}_{shape}_{end}", driver.name());
                cases.push(Case::new(name, move || shapes::addresses(driver, own, other, mode, role)));
            }
            cases.push(Case::new(format!("{}_one_port_{end}", driver.name()), move || shapes::one_port(driver, role)));
            let name = format!("{}_icmp_alone_{end}", driver.name());
            cases.push(Case::new(name, move || shapes::icmp_alone(driver, role)));
            let name = format!("{}_two_rules_{end}", driver.name());
            cases.push(Case::new(name, move || shapes::two_rules(driver, role)));
        }
        for driver in [Driver::Xfrm, Driver::PfKey, Driver::Userspace] {
            let name = format!("{}_one_port_in_clear_{end}", driver.name());
            cases.push(Case::new(name, move || shapes::one_port_in_clear(driver, role)));
        }
    }
    for role in Role::ALL {
        let name = format!("xfrm_link_local_{}", role.name());
        cases.push(Case::new(name, move || links::transport(Driver::Xfrm, role)));
    }
    cases.push(Case::new(
        "xfrm_link_local_one_address_on_two_interfaces".to_owned(),
        links::one_address_on_two_interfaces,
    ));
    for driver in [Driver::Xfrm, Driver::Userspace] {
        let name = format!("{}_transport_through_a_nat", driver.name());
        cases.push(Case::new(name, move || behind_nat::transport_through_a_nat(driver)));
    }
}

/// L2TP servers and clients.
fn l2tp_links(cases: &mut Vec<Case>) {
    for driver in [Driver::Xfrm, Driver::PfKey, Driver::Userspace] {
        let name = format!("{}_l2tp_client_behind_a_nat", driver.name());
        cases.push(Case::new(name, move || l2tp::a_client_behind_a_nat(driver, ClientPort::Own)));
        let name = format!("{}_l2tp_clients_behind_one_nat", driver.name());
        cases.push(Case::new(name, move || l2tp::clients_behind_one_nat(driver)));
        let name = format!("{}_l2tp_the_daemon_behind_a_nat", driver.name());
        cases.push(Case::new(name, move || l2tp::the_daemon_behind_a_nat(driver)));
    }
    let run = || l2tp::a_client_behind_a_nat(Driver::Xfrm, ClientPort::Any);
    cases.push(Case::new("xfrm_l2tp_client_with_any_port_behind_a_nat", run));
}

/// IPComp inside ESP, and AH around it.
fn several_protocols(cases: &mut Vec<Case>) {
    let modes = [Mode::Tunnel, Mode::Transport];
    for role in Role::ALL {
        let end = role.name();
        for driver in [Driver::Xfrm, Driver::PfKey, Driver::Userspace] {
            for mode in modes {
                let name = format!("{}_compression_{}_{end}", driver.name(), mode.name());
                cases.push(Case::new(name, move || bundles::compression(driver, mode, false, role)));
            }
        }
        for driver in [Driver::Xfrm, Driver::Userspace] {
            let name = format!("{}_compression_in_udp_{end}", driver.name());
            cases.push(Case::new(name, move || bundles::compression(driver, Mode::Tunnel, true, role)));
        }
        let driver = Driver::Xfrm;
        let name = format!("xfrm_the_peer_alone_compresses_{end}");
        cases.push(Case::new(name, move || bundles::the_peer_alone_compresses(driver, role)));
        let name = format!("xfrm_the_daemon_alone_compresses_{end}");
        cases.push(Case::new(name, move || bundles::the_daemon_alone_compresses(driver, role)));
    }
    for mode in modes {
        for (drivers, compression) in [
            ([Driver::Xfrm, Driver::PfKey], false),
            ([Driver::PfKey, Driver::Xfrm], true),
            ([Driver::Userspace, Driver::Xfrm], false),
            ([Driver::Userspace, Driver::PfKey], true),
        ] {
            let [own, other] = drivers.map(Driver::name);
            let name = format!("{own}_and_{other}_ah_around_esp_{}", mode.name());
            cases.push(Case::new(name, move || bundles::ah_around_esp(drivers, mode, compression)));
        }
    }
}

/// What administrators, accidents and the kernel do to the SAs.
fn conduct(cases: &mut Vec<Case>) {
    let name = |driver: Driver, what: &str| format!("{}_{what}", driver.name());
    cases.push(Case::new("the_usual_boot_mode", boot_mode::the_usual_mode));
    for driver in [Driver::Xfrm, Driver::PfKey, Driver::Userspace] {
        let what = name(driver, "clear_traffic_until_the_peer_comes_up");
        cases.push(Case::new(what, move || soft_sas::until_charon_comes(driver)));
        cases.push(Case::new(name(driver, "default_exemptions"), move || exempt::each_value(driver)));
    }
    for driver in [Driver::Xfrm, Driver::PfKey, Driver::Userspace] {
        cases.push(Case::new(name(driver, "commands_initiate_and_rekey"), move || {
            control::initiates_and_rekeys(driver);
        }));
        cases.push(Case::new(name(driver, "commands_terminate"), move || control::terminates(driver)));
        cases.push(Case::new(name(driver, "idle_sas_end"), move || liveliness::idle_sas_end(driver, Kernel::Netlink)));
        let run = move || default_response::strangers_are_answered(driver);
        cases.push(Case::new(name(driver, "strangers_are_answered"), run));
        cases.push(Case::new(name(driver, "the_peer_restarts"), move || recovery::the_peer_restarts(driver)));
        let run = move || liveliness::the_peer_dies(driver, Kernel::Netlink, Mourning::Restart);
        cases.push(Case::new(name(driver, "the_peer_dies"), run));
        let run = move || recovery::the_daemon_is_killed(driver, Kernel::Netlink, Mode::Transport);
        cases.push(Case::new(name(driver, "the_daemon_is_killed"), run));
        cases.push(Case::new(name(driver, "life_in_kilobytes"), move || shapes::life_in_kilobytes(driver)));
    }
    for mourning in Mourning::ALL {
        let name = format!("xfrm_the_daemon_dies_and_the_peer_{}", mourning.name());
        cases.push(Case::new(name, move || liveliness::the_daemon_dies(Driver::Xfrm, mourning)));
    }
    for driver in [Driver::Xfrm, Driver::PfKey, Driver::Userspace] {
        for mode in [Mode::Tunnel, Mode::Transport] {
            let name = format!("{}_{}_traffic_of_either_end", driver.name(), mode.name());
            cases.push(Case::new(name, move || traps::at_both_ends(driver, mode)));
        }
    }
    let driver = Driver::Xfrm;
    cases.push(Case::new(name(driver, "two_road_warriors_with_users"), move || {
        road_warriors::with_users(driver, Kernel::Netlink);
    }));
    cases.push(Case::new(name(driver, "two_road_warriors_with_certificates"), move || {
        road_warriors::with_certificates(driver, Kernel::Netlink);
    }));
    for (unique, what) in [(Unique::Keep, "kept"), (Unique::Replace, "replaced"), (Unique::Refuse, "refused")] {
        let name = name(driver, &format!("a_peer_comes_back_elsewhere_and_is_{what}"));
        cases.push(Case::new(name, move || comes_back_elsewhere(driver, Kernel::Netlink, unique)));
    }
    cases.push(Case::new(name(driver, "two_pools_for_two_identities"), move || {
        road_warriors::two_pools(driver, Kernel::Netlink);
    }));
    cases.push(Case::new(name(driver, "addresses_of_both_families"), move || {
        road_warriors::both_families(driver, Kernel::Netlink);
    }));
    cases
        .push(Case::new(name(driver, "initiate_tells_the_reason"), move || control::initiate_tells_the_reason(driver)));
    for driver in [Driver::Xfrm, Driver::PfKey] {
        for role in Role::ALL {
            let name = format!("{}_the_kernel_refuses_the_policy_{}", driver.name(), role.name());
            cases.push(Case::new(name, move || driver_failure::the_kernel_refuses_the_policy(driver, role)));
        }
    }
    for role in Role::ALL {
        for driver in [Driver::Xfrm, Driver::PfKey] {
            let name = format!("{}_the_kernel_refuses_{}", driver.name(), role.name());
            cases.push(Case::new(name, move || driver_failure::the_kernel_refuses(driver, role)));
        }
    }
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
