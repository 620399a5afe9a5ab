//! The userspace driver between two hosts: real packets, seen on the wire from outside.
//!
//! The SAs are installed by hand, with the same keys at both ends.

mod userspace_hosts;

use std::net::IpAddr;
use std::time::Duration;

use ikecore::policy::selector::Prefix;
use ikecore::proposal::suite::Mode;
use ikecore::sa::driver::{SaAnswer, SaOp};
use ikedaemon::driver::DriverMessage;
use ikedaemon::driver::userspace::{PRIORITY, TABLE, probe};
use tests::capture::{Capture, Kind, count};
use tests::netns::{A, B, Namespace, World};
use userspace_hosts::{Encapsulated, Host, Link, both};

const PATIENCE: Duration = Duration::from_secs(5);

/// There were exactly `expected` packets of a kind on the wire, and no echo in clear.
#[track_caller]
fn check_wire(capture: &Capture, kind: Kind, expected: usize) {
    capture.wait_count(kind, expected, PATIENCE);
    let packets = capture.packets();
    assert_eq!((count(&packets, kind), count(&packets, Kind::Echo)), (expected, 0), "{packets:?}");
}

fn selected(link: &Link) -> (String, String) {
    (link.local.address().to_string(), link.remote.address().to_string())
}

/// Pings through `link` and looks at the wire.
#[track_caller]
fn check_protected(link: &Link, wire: Kind) {
    let world = World::new();
    let (a, b) = both(&world, link);
    assert!(matches!(a.install(link.pair(1)), SaAnswer::Done(Ok(()))));
    assert!(matches!(b.install(link.turned().pair(1)), SaAnswer::Done(Ok(()))));
    let capture = Capture::start(&world);
    let (from, to) = selected(link);
    assert_eq!(world.a.ping(&from, &to, 3), 3, "{link:?}");
    check_wire(&capture, wire, 6);
    let usage = a.usage(1);
    assert_eq!((usage.inbound_packets, usage.outbound_packets), (3, 3));
    assert_eq!((usage.replays, usage.integrity_failures), (Some(0), Some(0)));
    assert!(usage.inbound_octets >= 3 * 64, "{usage:?}");
}

#[test]
fn transport_mode_over_ipv4() {
    check_protected(&Link::hosts(A.wire, B.wire, Mode::Transport), Kind::Esp);
}

#[test]
fn transport_mode_over_ipv6() {
    check_protected(&Link::hosts(A.wire6, B.wire6, Mode::Transport), Kind::Esp);
}

#[test]
fn tunnel_mode_between_hosts() {
    check_protected(&Link::hosts(A.wire, B.wire, Mode::Tunnel), Kind::Esp);
}

#[test]
fn tunnel_mode_of_ipv4_in_ipv4() {
    check_protected(&Link::nets((A.wire, B.wire), (A.inside, B.inside)), Kind::Esp);
}

#[test]
fn tunnel_mode_of_ipv6_in_ipv4() {
    check_protected(&Link::nets((A.wire, B.wire), (A.inside6, B.inside6)), Kind::Esp);
}

#[test]
fn tunnel_mode_of_ipv4_in_ipv6() {
    check_protected(&Link::nets((A.wire6, B.wire6), (A.inside, B.inside)), Kind::Esp);
}

#[test]
fn tunnel_mode_of_ipv6_in_ipv6() {
    check_protected(&Link::nets((A.wire6, B.wire6), (A.inside6, B.inside6)), Kind::Esp);
}

/// A gateway forwards between a host behind it and the other end of the tunnel.
#[test]
fn a_gateway_protects_the_net_behind_it() {
    for (ends, net, host, far) in [
        ((A.wire, B.wire), "10.20.0", "10.20.0.2", B.inside),
        ((A.wire6, B.wire6), "10.20.0", "10.20.0.2", B.inside),
        ((A.wire, B.wire), "fd20:", "fd20::2", B.inside6),
    ] {
        let world = World::new();
        let behind = Namespace::new("behind");
        let (len, gateway, nodad) =
            if net.starts_with("fd") { (64, "fd20::1", "nodad") } else { (24, "10.20.0.1", "") };
        world.a.ip(&[
            &format!("link add lan0 type veth peer name lan0 netns {}", behind.path()),
            &format!("addr add {gateway}/{len} dev lan0 {nodad}"),
            "link set lan0 up",
        ]);
        behind.ip(&[
            &format!("addr add {host}/{len} dev lan0 {nodad}"),
            "link set lan0 up",
            &format!("route add default via {gateway}"),
        ]);
        world.a.run("sysctl", &["-q", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]);
        let mut link = Link::nets(ends, (host, far));
        link.local = Prefix::new(link.local.address(), len).expect("a prefix");
        let (a, b) = both(&world, &link);
        a.install(link.pair(1));
        b.install(link.turned().pair(1));
        assert!(behind.ping_until_answered(host, gateway, PATIENCE));
        let capture = Capture::start(&world);
        assert_eq!(behind.ping(host, far, 3), 3, "{link:?}");
        check_wire(&capture, Kind::Esp, 6);
    }
}

#[test]
fn esp_in_udp() {
    for mode in [Mode::Transport, Mode::Tunnel] {
        for (a, b) in [(A.wire, B.wire), (A.wire6, B.wire6)] {
            let mut link = Link::hosts(a, b, mode);
            link.encapsulated = Encapsulated::Yes;
            check_protected(&link, Kind::EspInUdp);
        }
    }
}

/// The first packet asks for SAs, waits for them and arrives.
#[test]
fn the_packet_that_acquires_is_delivered() {
    for (from, to) in [(A.wire, B.wire), (A.wire6, B.wire6)] {
        let world = World::new();
        let link = Link::hosts(from, to, Mode::Transport);
        let (a, b) = both(&world, &link);
        let capture = Capture::start(&world);
        let answered = std::thread::scope(|scope| {
            let pinging = scope.spawn(|| world.a.output("ping", &["-n", "-c", "1", "-W", "4", to]));
            let acquire = a.wait(PATIENCE, |message| match message {
                DriverMessage::Acquire(acquire) => Some(*acquire),
                _ => None,
            });
            assert_eq!((acquire.flow.local, acquire.flow.remote), (link.local.address(), link.remote.address()));
            assert_eq!(acquire.reqid, link.reqid);
            assert!(matches!(b.install(link.turned().pair(1)), SaAnswer::Done(Ok(()))));
            assert!(matches!(a.install(link.pair(1)), SaAnswer::Done(Ok(()))));
            pinging.join().expect("ping runs")
        });
        assert!(answered.status.success(), "{}", String::from_utf8_lossy(&answered.stdout));
        check_wire(&capture, Kind::Esp, 2);
    }
}

/// Fragments are put together for transport mode, and long ESP packets are fragmented.
#[test]
fn long_packets() {
    for link in [
        Link::hosts(A.wire, B.wire, Mode::Transport),
        Link::hosts(A.wire6, B.wire6, Mode::Transport),
        Link::hosts(A.wire, B.wire, Mode::Tunnel),
        Link::nets((A.wire6, B.wire6), (A.inside6, B.inside6)),
    ] {
        let world = World::new();
        let (a, b) = both(&world, &link);
        a.install(link.pair(1));
        b.install(link.turned().pair(1));
        let (_, to) = selected(&link);
        for size in ["1400", "4000"] {
            let output = world.a.output("ping", &["-n", "-c", "2", "-i", "0.2", "-W", "1", "-s", size, &to]);
            assert!(output.status.success(), "{link:?} {size}: {}", String::from_utf8_lossy(&output.stdout));
        }
    }
}

/// Clear text where ESP is required is refused; the sockets of IKE are exempt in both directions.
#[test]
fn clear_text_is_refused() {
    for (from, to) in [(A.wire, B.wire), (A.wire6, B.wire6)] {
        let world = World::new();
        let link = Link::hosts(from, to, Mode::Transport);
        assert!(world.a.ping_until_answered(from, to, PATIENCE));
        let b = Host::new(&world.b);
        b.set_policies(&[link.turned().policy()]);
        assert_eq!(world.a.ping(from, to, 2), 0);
        // An unprotected socket of the peer reaches the exempted socket of this host, and is answered.
        let plain = Host::socket(&world.a, &format!("{}", std::net::SocketAddr::new(link.local.address(), 500)));
        let exempt = Host::socket(&world.b, &format!("{}", std::net::SocketAddr::new(link.remote.address(), 500)));
        let other = Host::socket(&world.b, &format!("{}", std::net::SocketAddr::new(link.remote.address(), 501)));
        b.prepare(&exempt);
        for (socket, port, expected) in [(&exempt, 500, true), (&other, 501, false)] {
            plain.send_to(b"to", (link.remote.address(), port)).expect("a datagram is sent");
            socket.set_read_timeout(Some(Duration::from_millis(300))).expect("a socket");
            assert_eq!(socket.recv(&mut [0; 16]).is_ok(), expected, "{to} port {port}");
        }
        plain.set_read_timeout(Some(Duration::from_millis(300))).expect("a socket");
        exempt.send_to(b"fro", (link.local.address(), 500)).expect("a datagram is sent");
        assert!(plain.recv(&mut [0; 16]).is_ok());
        // The other socket's packets wait for an SA.
        other.send_to(b"fro", (link.local.address(), 500)).expect("a datagram is sent");
        assert!(plain.recv(&mut [0; 16]).is_err());
    }
}

/// A policy for all traffic of a host leaves it alone with itself and its link, and lets its routes recover.
#[test]
fn all_traffic_of_a_host() {
    for (from, to, loopback, all) in [(A.wire, B.wire, "127.0.0.1", "0.0.0.0"), (A.wire6, B.wire6, "::1", "::")] {
        let world = World::new();
        let mut link = Link::hosts(from, to, Mode::Transport);
        link.remote = Prefix::new(all.parse().expect("an address"), 0).expect("a prefix");
        let mut seen_from_b = Link::hosts(from, to, Mode::Transport).turned();
        seen_from_b.spis = (link.spis.1, link.spis.0);
        let (a, b) = (Host::new(&world.a), Host::new(&world.b));
        a.set_policies(&[link.policy()]);
        b.set_policies(&[seen_from_b.policy()]);
        let mut pair = Link::hosts(from, to, Mode::Transport).pair(1);
        pair.policy = link.policy();
        a.install(pair);
        b.install(seen_from_b.pair(1));
        assert_eq!(world.a.ping(from, to, 2), 2);
        assert_eq!(world.a.ping(loopback, loopback, 1), 1);
        assert_eq!(world.a.ping(from, from, 1), 1);
        world.a.ip(&["link set pa0 down"]);
        assert_eq!(world.a.ping(from, to, 1), 0);
        world.a.ip(&["link set pa0 up"]);
        assert!(world.a.ping_until_answered(from, to, Duration::from_secs(8)));
    }
}

/// What no policy names goes its way although it enters the device with the rest.
#[test]
fn other_traffic_to_the_same_host_passes() {
    for (from, to) in [(A.wire, B.wire), (A.wire6, B.wire6)] {
        let world = World::new();
        let mut link = Link::hosts(from, to, Mode::Transport);
        link.protocol = 6;
        let (a, _b) = both(&world, &link);
        let capture = Capture::start(&world);
        assert_eq!(world.a.ping(from, to, 3), 3);
        assert!(capture.wait_count(Kind::Echo, 6, PATIENCE));
        assert!(a.none(|message| matches!(message, DriverMessage::Acquire(_))));
    }
}

#[test]
fn replayed_and_forged_packets_are_counted_and_dropped() {
    let world = World::new();
    let link = Link::hosts(A.wire, B.wire, Mode::Transport);
    let (a, b) = both(&world, &link);
    a.install(link.pair(1));
    b.install(link.turned().pair(1));
    let capture = Capture::start(&world);
    assert_eq!(world.a.ping(A.wire, B.wire, 1), 1);
    assert!(capture.wait_count(Kind::Esp, 2, PATIENCE));
    let sent = capture.packets().into_iter().find(|p| p.kind == Kind::Esp && p.source == A.wire_ip()).expect("ESP");
    drop(a);
    let mut forged = sent.payload.clone();
    forged[7] = 9;
    for packet in [sent.payload.clone(), sent.payload, forged] {
        Host::send_raw(&world.a, B.wire_ip(), &packet);
    }
    std::thread::sleep(Duration::from_millis(200));
    let usage = b.usage(1);
    assert_eq!((usage.inbound_packets, usage.replays, usage.integrity_failures), (1, Some(2), Some(1)));
}

#[test]
fn an_sa_ends_after_its_octets() {
    let world = World::new();
    let mut link = Link::hosts(A.wire, B.wire, Mode::Transport);
    (link.soft.kilobytes, link.hard.kilobytes) = (2, 4);
    let (a, b) = both(&world, &link);
    a.install(link.pair(1));
    b.install(link.turned().pair(1));
    let output = world.a.output("ping", &["-n", "-c", "6", "-i", "0.1", "-W", "1", "-s", "1000", B.wire]);
    let text = String::from_utf8_lossy(&output.stdout);
    // The SAs count 1008 octets of each echo, the ICMP header with them. The fifth takes each past its 4096 octets: it still
    // passes, its answer too, and the sixth waits for another SA.
    assert!(text.contains(" 5 received"), "{text}");
    for hard in [false, true] {
        a.wait(PATIENCE, |message| match message {
            DriverMessage::Expire(expire) if expire.hard == hard => Some(()),
            _ => None,
        });
    }
    a.wait(PATIENCE, |message| matches!(message, DriverMessage::Acquire(_)).then_some(()));
    // It is still known until it is deleted.
    let usage = a.usage(1);
    assert_eq!((usage.outbound_packets, usage.outbound_octets), (5, 5 * 1008));
}

#[test]
fn an_sa_ends_after_its_seconds() {
    let world = World::new();
    let mut link = Link::hosts(A.wire, B.wire, Mode::Transport);
    (link.soft.seconds, link.hard.seconds) = (1, 2);
    let (a, _b) = both(&world, &link);
    a.install(link.pair(1));
    for hard in [false, true] {
        a.wait(PATIENCE, |message| match message {
            DriverMessage::Expire(expire) if expire.hard == hard => Some(()),
            _ => None,
        });
    }
}

/// Everything is removed at the end, and what a crash left is removed at the start.
#[test]
fn nothing_is_left() {
    let world = World::new();
    let left = || {
        let rules = world.a.run("ip", &["rule"]) + &world.a.run("ip", &["-6", "rule"]);
        let policies = world.a.run("ip", &["xfrm", "policy"]);
        let devices = world.a.run("ip", &["-br", "link", "show", "type", "tun"]);
        let routes = ["-4", "-6"].map(|family| {
            let output = world.a.output("ip", &[family, "route", "show", "table", &TABLE.to_string()]);
            String::from_utf8_lossy(&output.stdout).into_owned()
        });
        let rules = rules.lines().filter(|line| line.starts_with(&format!("{PRIORITY}:"))).count();
        (rules, policies.lines().count(), devices.lines().count(), routes.concat().lines().count())
    };
    world.a.ip(&[
        &format!("rule add pref {PRIORITY} not fwmark 0x50414f55 lookup {TABLE}"),
        &format!("route add prohibit 10.99.0.0/16 metric 4294967294 table {TABLE}"),
    ]);
    world.a.ip(&[
        "xfrm policy add src 10.99.0.0/16 dst 10.9.0.1 dir in action block priority 1346437125",
        "xfrm policy add src 10.98.0.0/16 dst 10.9.0.1 dir in action block priority 5",
    ]);
    world.a.run("sysctl", &["-q", "net.ipv4.conf.wire0.rp_filter=1", "net.ipv4.conf.all.rp_filter=1"]);
    let link = Link::hosts(A.wire, B.wire, Mode::Transport);
    let link6 = Link::hosts(A.wire6, B.wire6, Mode::Transport);
    let a = Host::new(&world.a);
    a.set_policies(&[link.policy(), link6.policy()]);
    a.install(link.pair(1));
    let (rules, policies, devices, routes) = left();
    assert_eq!((rules, devices), (2, 1));
    assert!(policies > 0);
    assert!(routes >= 4, "{routes}");
    assert!(!world.a.run("ip", &["route", "show", "table", &TABLE.to_string()]).contains("10.99"));
    assert_eq!(world.a.run("sysctl", &["-n", "net.ipv4.conf.all.rp_filter"]).trim(), "2");
    assert!(!world.a.run("ip", &["xfrm", "policy"]).contains("10.99"));
    drop(a);
    assert!(world.a.run("ip", &["xfrm", "policy"]).contains("10.98"), "the policy of another program");
    world.a.ip(&["xfrm policy del src 10.98.0.0/16 dst 10.9.0.1 dir in"]);
    assert_eq!(left(), (0, 0, 0, 0));
    assert_eq!(world.a.run("sysctl", &["-n", "net.ipv4.conf.all.rp_filter"]).trim(), "1");
    assert_eq!(world.a.ping(A.wire, B.wire, 1), 1);
}

/// Peers are heard although a strict reverse path filter was set, and a broken device lets nothing out in clear.
#[test]
fn strict_filters_and_lost_devices() {
    let world = World::new();
    for host in [&world.a, &world.b] {
        host.run("sysctl", &["-q", "net.ipv4.conf.wire0.rp_filter=1"]);
    }
    let link = Link::hosts(A.wire, B.wire, Mode::Transport);
    let (a, b) = both(&world, &link);
    a.install(link.pair(1));
    b.install(link.turned().pair(1));
    assert_eq!(world.a.ping(A.wire, B.wire, 1), 1);
    let capture = Capture::start(&world);
    world.a.run("ip", &["link", "del", "pa0"]);
    let lost = a.wait(PATIENCE, |message| match message {
        DriverMessage::Lost(reason) => Some(reason.clone()),
        _ => None,
    });
    assert!(lost.starts_with("userspace: "), "{lost}");
    assert_eq!(world.a.ping(A.wire, B.wire, 1), 0);
    assert_eq!(capture.count(Kind::Echo), 0);
}

#[test]
fn wrong_operations_are_refused_with_their_object() {
    let world = World::new();
    let link = Link::hosts(A.wire, B.wire, Mode::Transport);
    let a = Host::new(&world.a);
    a.install(link.pair(1));
    let reason = |operation| match a.operate(operation) {
        SaAnswer::Done(Err(error)) => error.to_string(),
        SaAnswer::Usage(Err(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    for step in link.pair(2).steps() {
        assert!(reason(step).contains("there is an SA of this name"));
    }
    let mut other = link.pair(2);
    other.outbound.spi = ikecore::ids::Spi(0x1234_5678);
    let [_, outbound] = other.steps();
    assert!(reason(outbound).contains("does not wait for it"));
    assert!(reason(SaOp::Query(ikecore::ids::IpsecSaId(7))).contains("no such pair"));
    let mut ah = link.pair(3);
    ah.inbound.suite =
        ikecore::proposal::suite::IpsecSuite::Ah { integrity: ikecore::proposal::suite::Integrity::HmacSha512_256 };
    let [inbound, _] = ah.steps();
    assert!(reason(inbound).contains("HMAC-SHA-512-256"), "a key of another algorithm");
}

/// What the driver needs is there for the root of a user namespace, too.
#[test]
fn works_in_a_user_namespace() {
    if std::env::var_os("USERSPACE_PROBE").is_some() {
        let capabilities = probe().expect("the driver can run");
        assert_eq!(capabilities.name, "userspace");
        let driver = ikedaemon::driver::userspace::UserspaceDriver::open().expect("the driver starts");
        drop(driver);
        return;
    }
    let own = std::env::current_exe().expect("a test has a path");
    let output = std::process::Command::new("unshare")
        .args(["-Urn"])
        .arg(own)
        .args(["--exact", "works_in_a_user_namespace", "--nocapture"])
        .env("USERSPACE_PROBE", "1")
        .output()
        .expect("unshare runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
}

/// A peer behind a NAT that moved is noticed, and packets follow an update.
#[test]
fn a_new_mapping_is_told_and_followed() {
    let world = World::new();
    let mut link = Link::hosts(A.wire, B.wire, Mode::Tunnel);
    link.encapsulated = Encapsulated::Yes;
    let (a, b) = both(&world, &link);
    a.install(link.pair(1));
    b.install(link.turned().pair(1));
    a.send_from(4501);
    assert_eq!(world.a.ping(A.wire, B.wire, 1), 0, "B answers to the old port");
    let mapping = b.wait(PATIENCE, |message| match message {
        DriverMessage::Mapping(mapping) => Some(*mapping),
        _ => None,
    });
    assert_eq!(mapping.remote, (A.wire_ip(), 4501).into());
    let local = (B.wire.parse::<IpAddr>().expect("an address"), 4500).into();
    let update = SaOp::Update { id: ikecore::ids::IpsecSaId(1), local, remote: mapping.remote };
    assert!(matches!(b.operate(update), SaAnswer::Done(Ok(()))));
    assert_eq!(world.a.ping(A.wire, B.wire, 2), 2);
}

/// Prints how fast one TCP stream is; for people: `cargo test --test userspace -- --ignored --nocapture throughput`.
#[test]
#[ignore = "it measures"]
fn throughput() {
    use std::io::{Read as _, Write as _};
    let world = World::new();
    let link = Link::hosts(A.wire, B.wire, Mode::Transport);
    let (a, b) = both(&world, &link);
    for suite in userspace_hosts::FAST_AND_SLOW {
        let id = suite.encryption_key_len() as u64;
        a.install(link.pair_of(id, suite));
        b.install(link.turned().pair_of(id, suite));
        let listener = world.b.within(|| std::net::TcpListener::bind((B.wire, 7000))).expect("a free port");
        let receiving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let (mut room, mut total) = (vec![0; 1 << 16], 0);
            while let Ok(read @ 1..) = stream.read(&mut room) {
                total += read;
            }
            total
        });
        let mut stream = world.a.within(|| std::net::TcpStream::connect((B.wire, 7000))).expect("connected");
        let (start, data) = (std::time::Instant::now(), vec![7; 1 << 16]);
        while start.elapsed() < Duration::from_secs(3) {
            stream.write_all(&data).expect("it is sent");
        }
        drop(stream);
        let total = receiving.join().expect("no panic");
        println!("{suite}: {:.0} Mbit/s", total as f64 * 8e-6 / start.elapsed().as_secs_f64());
        for (host, link) in [(&a, link), (&b, link.turned())] {
            let pair = link.pair_of(id, suite);
            host.operate(SaOp::Delete { id: pair.id, inbound: pair.inbound.names().collect() });
        }
    }
}

#[test]
fn default_exemptions() {
    tests::scenario::exempt::each_value(tests::daemon::Driver::Userspace);
}
