//! Packets that travel through SAs.
use std::net::SocketAddr;
use std::time::Duration;

use ikecore::proposal::suite::{EspCipher, Integrity, IpsecSuite, Lifetime, Mode};
use ikecore::sa::driver::{Direction, SaOp, TrafficAction, TrafficPolicy};
use ikedaemon::driver::DriverMessage;

use super::bench::{Bench, Established, Shape, USUAL, parse};
use super::{Case, Host, Needs};

pub(super) const CASES: &[Case] = &[
    Case::new("every_esp_suite_in_tunnel_mode", Needs::Traffic, |bench| esp_suites(bench, Mode::Tunnel)),
    Case::new("every_esp_suite_in_transport_mode", Needs::Traffic, |bench| esp_suites(bench, Mode::Transport))
        .only(|can| can.transport),
    Case::new("every_ah_suite", Needs::Traffic, ah_suites).only(|can| can.ah && can.transport),
    Case::new("long_datagrams", Needs::Traffic, long_datagrams).only(|can| can.transport),
    Case::new("tunnels_between_and_for_both_families", Needs::Traffic, families),
    Case::new("a_wide_replay_window", Needs::Traffic, wide_window),
    Case::new("extended_sequence_numbers", Needs::Traffic, extended_sequence_numbers),
    Case::new("esp_in_udp", Needs::Traffic, encapsulated).only(|can| can.udp_encapsulation),
    Case::new("a_peer_behind_a_nat_moves_to_another_port", Needs::Traffic, other_port)
        .only(|can| can.udp_encapsulation),
    Case::new("a_tunnel_moves_to_another_address", Needs::Traffic, other_address).only(|can| can.udp_encapsulation),
    Case::new("limits_in_octets", Needs::Traffic, octet_limits),
    Case::new("limits_in_seconds", Needs::Traffic, second_limits),
    Case::new("the_newest_pair_carries_the_traffic", Needs::Traffic, rekey),
    Case::new("half_a_pair_takes_what_arrives_and_diverts_nothing", Needs::Traffic, half),
    Case::new("each_packet_takes_the_sa_of_its_selector", Needs::Traffic, selectors),
    Case::new("an_acquire_is_answered_by_an_installation", Needs::Traffic, acquire),
    Case::new("what_is_blocked_one_way_is_protected_the_other", Needs::Traffic, blocked_one_way),
    Case::new("a_wrong_key_is_counted", Needs::Traffic, wrong_key),
    Case::new("a_driver_that_ends_takes_its_sas_along", Needs::Traffic, end),
];

/// Sends three datagrams to B and two back, and compares the counters.
#[track_caller]
fn travels(bench: &mut Bench<'_>, shape: &Shape, pair: Established) {
    let before = Host::BOTH.map(|host| bench.usage(host, pair.id));
    let from = bench.socket(Host::A, shape.inner(Host::A), 0);
    let to = bench.socket(Host::B, shape.inner(Host::B), 7777);
    for size in [1, 100, 1000] {
        assert!(bench.arrives(&from, &to, size), "{shape:?}: {size} octets to B");
    }
    for size in [17, 1200] {
        assert!(bench.arrives(&to, &from, size), "{shape:?}: {size} octets to A");
    }
    let [a, b] = Host::BOTH.map(|host| bench.usage(host, pair.id));
    let out = (a.outbound_packets - before[0].outbound_packets, b.inbound_packets - before[1].inbound_packets);
    let back = (b.outbound_packets - before[1].outbound_packets, a.inbound_packets - before[0].inbound_packets);
    // In IPv6, neighbour discovery may take the same way.
    if shape.ipv6 || shape.ipv6_inside {
        assert!(out.0 == out.1 && out.0 >= 3 && back.0 == back.1 && back.0 >= 2, "{shape:?}: {out:?} {back:?}");
    } else {
        assert_eq!((out, back), ((3, 3), (2, 2)), "{shape:?}");
    }
    assert!(a.outbound_octets - before[0].outbound_octets >= 1101, "{shape:?}: {a:?}");
    assert!(b.inbound_octets - before[1].inbound_octets >= 1101, "{shape:?}: {b:?}");
    for usage in [a, b] {
        assert_eq!((usage.replays.unwrap_or(0), usage.integrity_failures.unwrap_or(0)), (0, 0), "{shape:?}");
    }
}

#[track_caller]
fn whole_life(bench: &mut Bench<'_>, shape: &Shape) {
    let pair = bench.establish(shape);
    travels(bench, shape, pair);
    for host in Host::BOTH {
        bench.delete(host, shape, pair);
    }
}

fn blocked_one_way(bench: &mut Bench<'_>) {
    for mode in [Mode::Transport, Mode::Tunnel] {
        let shape = Shape::new(mode);
        let both = shape.policy(Host::A);
        let block = TrafficPolicy {
            selector: both.selector.going(Direction::Inbound),
            action: TrafficAction::Block,
            priority: 900,
            ..both
        };
        bench.must(Host::A, SaOp::SetPolicies(vec![both, block]));
        let pair = bench.establish(&shape);
        let from = bench.socket(Host::A, shape.inner(Host::A), 0);
        let to = bench.socket(Host::B, shape.inner(Host::B), 7777);
        assert!(bench.arrives(&from, &to, 100), "{mode}: out");
        assert_eq!(bench.usage(Host::B, pair.id).inbound_packets, 1, "{mode}");
        assert!(bench.is_lost(&to, &from, 100), "{mode}: in");
        bench.must(Host::A, SaOp::SetPolicies(vec![both]));
        assert!(bench.arrives(&to, &from, 100), "{mode}: in, once nothing blocks it");
        for host in Host::BOTH {
            bench.delete(host, &shape, pair);
        }
        bench.must(Host::A, SaOp::SetPolicies(vec![]));
    }
}

fn esp_suites(bench: &mut Bench<'_>, mode: Mode) {
    let (aead, plain): (Vec<_>, Vec<_>) = EspCipher::ALL.into_iter().partition(|cipher| cipher.is_aead());
    let plain = plain.into_iter().zip(Integrity::ALL.into_iter().cycle()).map(|(cipher, alg)| (cipher, Some(alg)));
    let bare = [EspCipher::TripleDesCbc, EspCipher::Aes256Cbc].map(|cipher| (cipher, None));
    for (cipher, integrity) in plain.chain(aead.into_iter().map(|cipher| (cipher, None))).chain(bare) {
        for ipv6 in [false, true] {
            if ipv6 && cipher == EspCipher::TripleDesCbc {
                continue;
            }
            let suite = IpsecSuite::Esp { cipher, integrity };
            let window = if suite.alone().authenticates() { 32 } else { 0 };
            whole_life(bench, &Shape { suite, ipv6, ipv6_inside: ipv6, window, ..Shape::new(mode) });
        }
    }
}

fn ah_suites(bench: &mut Bench<'_>) {
    for integrity in Integrity::ALL {
        for (mode, ipv6) in
            [(Mode::Transport, false), (Mode::Transport, true), (Mode::Tunnel, false), (Mode::Tunnel, true)]
        {
            let suite = IpsecSuite::Ah { integrity };
            for extended in [false, true] {
                whole_life(bench, &Shape { suite, ipv6, extended, ..Shape::new(mode) });
            }
        }
    }
}

/// Datagrams that come in fragments.
fn long_datagrams(bench: &mut Bench<'_>) {
    let ah = IpsecSuite::Ah { integrity: Integrity::HmacSha1_96 };
    let suites = if bench.capabilities().ah { &[USUAL, ah][..] } else { &[USUAL] };
    for (suite, ipv6) in suites.iter().flat_map(|suite| [false, true].map(|ipv6| (*suite, ipv6))) {
        for mode in [Mode::Transport, Mode::Tunnel] {
            let shape = Shape { suite, ipv6, ipv6_inside: ipv6, ..Shape::new(mode) };
            let pair = bench.establish(&shape);
            let from = bench.socket(Host::A, shape.inner(Host::A), 0);
            let to = bench.socket(Host::B, shape.inner(Host::B), 7777);
            for size in [1400, 4000] {
                assert!(bench.arrives(&from, &to, size), "{shape:?}: {size} octets to B");
                assert!(bench.arrives(&to, &from, size), "{shape:?}: {size} octets to A");
            }
            for host in Host::BOTH {
                let usage = bench.usage(host, pair.id);
                assert_eq!((usage.replays.unwrap_or(0), usage.integrity_failures.unwrap_or(0)), (0, 0), "{shape:?}");
                bench.delete(host, &shape, pair);
            }
        }
    }
}

fn families(bench: &mut Bench<'_>) {
    for (ipv6, ipv6_inside) in [(false, true), (true, false), (true, true)] {
        whole_life(bench, &Shape { ipv6, ipv6_inside, ..Shape::new(Mode::Tunnel) });
    }
}

fn wide_window(bench: &mut Bench<'_>) {
    for window in [0, 64, 1000] {
        whole_life(bench, &Shape { window, ..Shape::new(Mode::Tunnel) });
    }
}

fn extended_sequence_numbers(bench: &mut Bench<'_>) {
    let gcm = IpsecSuite::Esp { cipher: EspCipher::Aes256Gcm16, integrity: None };
    for suite in [USUAL, gcm] {
        for (mode, window) in [(Mode::Tunnel, 64), (Mode::Transport, 0)] {
            whole_life(bench, &Shape { suite, window, extended: true, ..Shape::new(mode) });
        }
    }
}

/// Opens NAT-T sockets at both hosts and installs SAs that use them.
#[track_caller]
fn establish_encapsulated(bench: &mut Bench<'_>, shape: &Shape) -> Established {
    for host in Host::BOTH {
        bench.open_natt(host, shape.outer(host), 4500);
    }
    bench.establish(shape)
}

fn encapsulated(bench: &mut Bench<'_>) {
    let modes = if bench.capabilities().transport { &[Mode::Tunnel, Mode::Transport][..] } else { &[Mode::Tunnel] };
    for host in Host::BOTH {
        for ipv6 in [false, true] {
            bench.open_natt(host, Shape { ipv6, ..Shape::new(Mode::Tunnel) }.outer(host), 4500);
        }
    }
    for mode in modes {
        for ipv6 in [false, true] {
            let shape = Shape { encapsulation: Some((4500, 4500)), ipv6, ipv6_inside: ipv6, ..Shape::new(*mode) };
            whole_life(bench, &shape);
        }
    }
}

fn other_port(bench: &mut Bench<'_>) {
    let shape = Shape { encapsulation: Some((4500, 4500)), ..Shape::new(Mode::Tunnel) };
    let pair = establish_encapsulated(bench, &shape);
    travels(bench, &shape, pair);
    // From now on B's packets come from another port.
    let (a, b) = (shape.outer(Host::A), shape.outer(Host::B));
    let (natt, moved) = (SocketAddr::new(a, 4500), SocketAddr::new(b, 4501));
    bench.open_natt(Host::B, b, 4501);
    bench.must(Host::B, SaOp::Update { id: pair.id, local: moved, remote: natt });
    let from = bench.socket(Host::B, shape.inner(Host::B), 0);
    let to = bench.socket(Host::A, shape.inner(Host::A), 7777);
    assert!(bench.arrives(&from, &to, 100), "a packet from a new port");
    let mapping = bench.told(Host::A, "that the peer moved", |message| match message {
        DriverMessage::Mapping(mapping) => Some(*mapping),
        _ => None,
    });
    assert_eq!((mapping.remote, mapping.sa), (moved, shape.name(Host::A, pair.spis[0])));
    bench.must(Host::A, SaOp::Update { id: pair.id, local: natt, remote: moved });
    let before = bench.usage(Host::A, pair.id);
    assert!(before.outbound_packets == 3 && before.inbound_packets == 3, "counters go along: {before:?}");
    travels(bench, &shape, pair);
    let told = bench.told_within(Host::A, Duration::from_millis(100));
    assert!(!told.iter().any(|message| matches!(message, DriverMessage::Mapping(_))), "{told:?}");
}

fn other_address(bench: &mut Bench<'_>) {
    for (window, extended) in [(32, false), (256, false), (64, true)] {
        let shape = Shape { encapsulation: Some((4500, 4500)), window, extended, ..Shape::new(Mode::Tunnel) };
        let shape = Shape { ipv6_inside: true, ..shape };
        let pair = if window == 32 {
            // The other address of B is that of its inner network.
            bench.open_natt(Host::B, parse(Host::B.addresses().inside), 4600);
            establish_encapsulated(bench, &shape)
        } else {
            bench.establish(&shape)
        };
        travels(bench, &shape, pair);
        let local = SocketAddr::new(shape.outer(Host::A), 4500);
        let moved = SocketAddr::new(parse(Host::B.addresses().inside), 4600);
        let before = bench.usage(Host::A, pair.id);
        bench.must(Host::B, SaOp::Update { id: pair.id, local: moved, remote: local });
        bench.must(Host::A, SaOp::Update { id: pair.id, local, remote: moved });
        assert_eq!(bench.usage(Host::A, pair.id), before, "counters go along");
        travels(bench, &shape, pair);
        // Here and back again, while B stays: its window must not take A's packets for replays, nor A's window forget.
        bench.must(Host::A, SaOp::Update { id: pair.id, local, remote: (shape.outer(Host::B), 4500).into() });
        bench.must(Host::A, SaOp::Update { id: pair.id, local, remote: moved });
        travels(bench, &shape, pair);
        for host in Host::BOTH {
            bench.delete(host, &shape, pair);
            assert!(bench.try_usage(host, pair.id).is_err());
        }
    }
}

fn octet_limits(bench: &mut Bench<'_>) {
    let soft = Lifetime { seconds: 0, kilobytes: 2 };
    let hard = Lifetime { seconds: 0, kilobytes: 8 };
    let shape = Shape { soft, hard, ..Shape::new(Mode::Tunnel) };
    let pair = bench.establish(&shape);
    let outbound = shape.name(Host::B, pair.spis[1]);
    let from = bench.socket(Host::A, shape.inner(Host::A), 0);
    let to = bench.socket(Host::B, shape.inner(Host::B), 7777);
    assert!(bench.arrives(&from, &to, 1000));
    assert!(expiries(bench.told_within(Host::A, Duration::from_millis(100))).is_empty(), "after 1000 octets");
    assert!(bench.arrives(&from, &to, 1000));
    bench.send(&from, to.local_addr().expect("bound"), 1000);
    let expiry = |message: &DriverMessage| match message {
        DriverMessage::Expire(expire) => Some((expire.sa, expire.hard)),
        _ => None,
    };
    assert_eq!(bench.told(Host::A, "the soft limit", expiry), (outbound, false));
    bench.usage(Host::A, pair.id);
    for _ in 0..8 {
        bench.send(&from, to.local_addr().expect("bound"), 1000);
    }
    assert_eq!(bench.told(Host::A, "the hard limit", expiry), (outbound, true));
    // The driver has ended it; the deletion of the rest is no error.
    let usage = bench.usage(Host::B, pair.id);
    assert!(usage.inbound_octets <= 8 * 1024 + 1100, "{usage:?}");
    while to.try_recv(&mut [0; 2000]).is_ok() {}
    assert!(bench.is_lost(&from, &to, 1000), "through an SA at its end");
    bench.delete(Host::A, &shape, pair);
}

fn expiries(messages: Vec<DriverMessage>) -> Vec<bool> {
    messages
        .into_iter()
        .filter_map(|message| match message {
            DriverMessage::Expire(expire) => Some(expire.hard),
            _ => None,
        })
        .collect()
}

fn second_limits(bench: &mut Bench<'_>) {
    let soft = Lifetime { seconds: 2, kilobytes: 0 };
    let hard = Lifetime { seconds: 4, kilobytes: 0 };
    let shape = Shape { soft, hard, ..Shape::new(Mode::Tunnel) };
    let start = std::time::Instant::now();
    let pair = bench.establish(&shape);
    let mut wanted = vec![
        (shape.name(Host::A, pair.spis[0]), false),
        (shape.name(Host::B, pair.spis[1]), false),
        (shape.name(Host::A, pair.spis[0]), true),
        (shape.name(Host::B, pair.spis[1]), true),
    ];
    while !wanted.is_empty() {
        let told = bench.told(Host::A, "a limit in seconds", |message| match message {
            DriverMessage::Expire(expire) => Some((expire.sa, expire.hard)),
            _ => None,
        });
        let place = wanted.iter().position(|wanted| *wanted == told).unwrap_or_else(|| panic!("{told:?}: {wanted:?}"));
        wanted.remove(place);
        let elapsed = start.elapsed().as_secs_f32();
        let due = if told.1 { 4.0 } else { 2.0 };
        // Kernels count whole seconds from the second of installation on.
        assert!((due - 1.1..due + 2.0).contains(&elapsed), "{told:?} after {elapsed} s");
    }
    bench.delete(Host::A, &shape, pair);
}

fn rekey(bench: &mut Bench<'_>) {
    let shape = Shape::new(Mode::Tunnel);
    for host in Host::BOTH {
        bench.must(host, SaOp::SetPolicies(vec![shape.policy(host)]));
    }
    let old = bench.establish(&shape);
    travels(bench, &shape, old);
    // Kernels tell the age of SAs in seconds.
    bench.told_within(Host::A, Duration::from_millis(1100));
    let new = bench.establish(&shape);
    travels(bench, &shape, new);
    assert_eq!(bench.usage(Host::A, old.id).outbound_packets, 3, "the old one rests");
    // A gives the new one up while B still uses it: what comes is taken, what leaves takes the old one again.
    let before = bench.usage(Host::A, new.id);
    bench.must(Host::A, SaOp::DeleteOutbound(new.id));
    let from = bench.socket(Host::B, shape.inner(Host::B), 0);
    let to = bench.socket(Host::A, shape.inner(Host::A), 7777);
    assert!(bench.arrives(&from, &to, 100), "to half a pair");
    assert!(bench.arrives(&to, &from, 100), "from half a pair");
    let after = bench.usage(Host::A, new.id);
    assert_eq!((after.inbound_packets, after.outbound_packets), (before.inbound_packets + 1, 0));
    assert_eq!(bench.usage(Host::A, old.id).outbound_packets, 4);
    drop((from, to));
    bench.must(Host::A, SaOp::DeleteOutbound(new.id));
    // Then all of it, and the next one takes over.
    for host in Host::BOTH {
        bench.delete(host, &shape, new);
    }
    travels(bench, &shape, old);
    bench.told_within(Host::A, Duration::from_millis(1100));
    let new = bench.establish(&shape);
    travels(bench, &shape, new);
    for host in Host::BOTH {
        bench.delete(host, &shape, old);
    }
    travels(bench, &shape, new);
    for host in Host::BOTH {
        bench.delete(host, &shape, new);
    }
    // The standing policy is in force again.
    let from = bench.socket(Host::A, shape.inner(Host::A), 0);
    let to = bench.socket(Host::B, shape.inner(Host::B), 7777);
    assert!(bench.is_lost(&from, &to, 100), "in clear");
    bench.told(Host::A, "that an SA is needed", |message| {
        matches!(message, DriverMessage::Acquire(acquire) if acquire.reqid == shape.reqid).then_some(())
    });
}

fn half(bench: &mut Bench<'_>) {
    let modes = if bench.capabilities().transport { &[Mode::Tunnel, Mode::Transport][..] } else { &[Mode::Tunnel] };
    for mode in modes {
        let shape = Shape::new(*mode);
        for host in Host::BOTH {
            bench.must(host, SaOp::SetPolicies(vec![shape.policy(host)]));
        }
        let old = bench.establish(&shape);
        travels(bench, &shape, old);
        bench.told_within(Host::A, Duration::from_millis(1100));
        let id = bench.id();
        let spis = Host::BOTH.map(|host| bench.alloc_spi(host, &shape));
        let [a_in, a_out] = shape.pair(Host::A, id, spis[0], spis[1]).steps();
        let [b_in, b_out] = shape.pair(Host::B, id, spis[1], spis[0]).steps();
        bench.must(Host::A, a_in);
        bench.must(Host::B, b_in);
        // What leaves goes as before.
        travels(bench, &shape, old);
        // B takes the new SA; A, of which only half is there, takes what arrives.
        bench.must(Host::B, b_out);
        let from = bench.socket(Host::B, shape.inner(Host::B), 0);
        let to = bench.socket(Host::A, shape.inner(Host::A), 7777);
        assert!(bench.arrives(&from, &to, 100), "{shape:?}: to half a pair");
        assert!(bench.arrives(&to, &from, 100), "{shape:?}: from half a pair");
        let (a, b) = (bench.usage(Host::A, id), bench.usage(Host::B, id));
        assert_eq!((a.inbound_packets, a.outbound_packets, b.inbound_packets, b.outbound_packets), (1, 0, 0, 1));
        drop((from, to));
        bench.must(Host::A, a_out);
        let new = Established { id, spis };
        travels(bench, &shape, new);
        for host in Host::BOTH {
            bench.delete(host, &shape, old);
            bench.delete(host, &shape, new);
            bench.must(host, SaOp::SetPolicies(vec![]));
        }
    }
}

fn selectors(bench: &mut Bench<'_>) {
    let wide = Shape::new(Mode::Tunnel);
    let shapes = [7777, 7778].map(|port| Shape { port, ..wide });
    for host in Host::BOTH {
        bench.must(host, SaOp::SetPolicies(vec![wide.policy(host)]));
    }
    // The later pair is the newer one, and yet not for packets of the earlier.
    let pairs = shapes.map(|shape| bench.establish(&shape));
    let from = bench.socket(Host::A, wide.inner(Host::A), 0);
    for (shape, times) in [(shapes[0], 4), (shapes[1], 2)] {
        let to = bench.socket(Host::B, shape.inner(Host::B), shape.port);
        for _ in 0..times {
            assert!(bench.arrives(&from, &to, 100));
        }
    }
    assert_eq!(pairs.map(|pair| bench.usage(Host::A, pair.id).outbound_packets), [4, 2]);
    assert_eq!(pairs.map(|pair| bench.usage(Host::B, pair.id).inbound_packets), [4, 2]);
    let other = bench.socket(Host::B, wide.inner(Host::B), 7779);
    assert!(bench.is_lost(&from, &other, 100), "no SA is for this port");
}

fn acquire(bench: &mut Bench<'_>) {
    for mode in if bench.capabilities().transport { &[Mode::Tunnel, Mode::Transport][..] } else { &[Mode::Tunnel] } {
        let shape = Shape::new(*mode);
        for host in Host::BOTH {
            bench.must(host, SaOp::SetPolicies(vec![shape.policy(host)]));
        }
        let from = bench.socket(Host::A, shape.inner(Host::A), 0);
        let to = bench.socket(Host::B, shape.inner(Host::B), 7777);
        assert!(bench.is_lost(&from, &to, 100));
        bench.told(Host::A, "that an SA is needed", |message| {
            matches!(message, DriverMessage::Acquire(_)).then_some(())
        });
        let pair = bench.establish(&shape);
        // A driver may have kept the packet that asked, and send it now.
        bench.told_within(Host::A, Duration::from_millis(100));
        drop(to);
        travels(bench, &shape, pair);
        for host in Host::BOTH {
            bench.must(host, SaOp::SetPolicies(vec![]));
            bench.delete(host, &shape, pair);
        }
    }
}

fn wrong_key(bench: &mut Bench<'_>) {
    let shape = Shape::new(Mode::Tunnel);
    let id = bench.id();
    let [a, b] = Host::BOTH.map(|host| bench.alloc_spi(host, &shape));
    bench.must_install(Host::B, shape.pair(Host::B, id, b, a));
    let mut pair = shape.pair(Host::A, id, a, b);
    pair.outbound.integrity_key = ikecore::secret::Secret::new(vec![0; shape.suite.integrity_key_len()]);
    bench.must_install(Host::A, pair);
    let from = bench.socket(Host::A, shape.inner(Host::A), 0);
    let to = bench.socket(Host::B, shape.inner(Host::B), 7777);
    assert!(bench.is_lost(&from, &to, 100), "with a wrong key");
    let usage = bench.usage(Host::B, id);
    assert_eq!((usage.integrity_failures, usage.inbound_packets), (Some(1), 0), "{usage:?}");
    // What no SA is there for any more has a bad SPI.
    let before = bench.drops(Host::B);
    assert_eq!(before.not_decrypted.unwrap_or(1), 1, "{before:?}");
    bench.must(Host::B, SaOp::Delete { id, inbound: vec![shape.name(Host::B, b)] });
    assert!(bench.is_lost(&from, &to, 100), "without an SA");
    let after = bench.drops(Host::B);
    assert_eq!(after.bad_spi, before.bad_spi.map(|count| count + 1), "{before:?} {after:?}");
}

fn end(bench: &mut Bench<'_>) {
    let shape = Shape::new(Mode::Tunnel);
    let pair = bench.establish(&shape);
    travels(bench, &shape, pair);
    let from = bench.socket(Host::A, shape.inner(Host::A), 0);
    let to = bench.socket(Host::B, shape.inner(Host::B), 7777);
    bench.reopen(Host::A);
    assert!(bench.is_lost(&from, &to, 100), "B wants protection, A has none");
    bench.reopen(Host::B);
    assert!(bench.arrives(&from, &to, 100), "nobody wants protection");
    drop((from, to));
    // The SPIs are free again.
    let Established { id, spis } = pair;
    bench.must_install(Host::A, shape.pair(Host::A, id, spis[0], spis[1]));
    bench.must_install(Host::B, shape.pair(Host::B, id, spis[1], spis[0]));
    travels(bench, &shape, pair);
}
