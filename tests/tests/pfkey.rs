//! The PF_KEY driver on a real kernel: the cases run inside a User-Mode Linux guest.

mod pfkey_hosts;

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::time::Duration;

use ikecore::crypto::esp::Integrity;
use ikecore::ids::{IpsecSaId, Spi};
use ikecore::policy::selector::{Flow, Prefix, Selector};
use ikecore::proposal::suite::{EspCipher, IpsecSuite, Lifetime, Mode};
use ikecore::sa::driver::{Acquire, Expire, Mapping, SaAnswer, SaOp, TrafficAction, TrafficPolicy};
use ikecore::wire::codes::ProtocolId;
use ikedaemon::driver::{DriverMessage, SaDriver as _};
use pfkey_hosts::*;
use tests::capture::{Capture, Kind, count};
use tests::netns::{A, Addresses, B, Namespace};
use tests::uml::{self, Case};

fn main() -> ExitCode {
    uml::main(vec![
        Case::new("pfkey_suites_transport", || suites(Mode::Transport)),
        Case::new("pfkey_suites_tunnel", || suites(Mode::Tunnel)),
        Case::new("pfkey_ipv6", ipv6),
        Case::new("pfkey_two_streams_in_one_tunnel", two_streams),
        Case::new("pfkey_acquire", acquire),
        Case::new("pfkey_permit_and_block", permit_and_block),
        Case::new("pfkey_layers", layers),
        Case::new("pfkey_expire", expire),
        Case::new("pfkey_late_installation", late_installation),
        Case::new("pfkey_all_or_nothing", all_or_nothing),
        Case::new("pfkey_refusals", refusals),
        Case::new("pfkey_remains_of_a_crash", remains),
        Case::new("pfkey_udp_encapsulation", udp_encapsulation),
        Case::new("pfkey_rekey", rekey),
    ])
}

/// Every suite that PF_KEY can: pings pass, as ESP or AH, and are counted.
fn suites(mode: Mode) {
    let mut pairs = Pairs::new();
    let plan = if mode == Mode::Tunnel { Plan::tunnel() } else { Plan::transport() };
    let (from, to) = if mode == Mode::Tunnel { (A.inside, B.inside) } else { (A.wire, B.wire) };
    let esp = |cipher, integrity| IpsecSuite::Esp { cipher, integrity };
    let suites = [
        esp(EspCipher::TripleDesCbc, Some(Integrity::HmacMd5_96)),
        esp(EspCipher::Aes128Cbc, Some(Integrity::HmacSha1_96)),
        esp(EspCipher::Aes192Cbc, Some(Integrity::HmacSha384_192)),
        esp(EspCipher::Aes256Cbc, Some(Integrity::HmacSha512_256)),
        esp(EspCipher::Null, Some(Integrity::HmacSha1_96)),
        esp(EspCipher::Aes256Cbc, Some(Integrity::HmacSha256_96)),
        esp(EspCipher::DesCbc, Some(Integrity::AesXcbc96)),
        esp(EspCipher::Aes192Ctr, Some(Integrity::HmacSha1_96)),
        esp(EspCipher::Camellia128Cbc, Some(Integrity::HmacSha1_96)),
        esp(EspCipher::Aes128Cbc, None),
        IpsecSuite::Ah { integrity: Integrity::HmacMd5_96 },
        IpsecSuite::Ah { integrity: Integrity::HmacSha1_96 },
        IpsecSuite::Ah { integrity: Integrity::HmacSha512_256 },
    ];
    for suite in suites {
        let plan = Plan { suite, ..plan.clone() };
        let spis = pairs.install(&plan);
        let capture = Capture::start(&pairs.world);
        assert_eq!(pairs.world.a.ping(from, to, 2), 2, "{suite} in {mode} mode");
        let packets = capture.finish();
        let kind = if suite.protocol() == ProtocolId::AH { Kind::Ah } else { Kind::Esp };
        assert_eq!((count(&packets, kind), count(&packets, Kind::Echo)), (4, 0), "{suite} in {mode} mode");
        for usage in [pairs.a.usage(&pairs.runtime, 1), pairs.b.usage(&pairs.runtime, 1)] {
            assert_eq!((usage.inbound_packets, usage.outbound_packets), (2, 2), "{suite}");
            // An echo's ICMP part; in tunnel mode with its IP header.
            assert!(usage.inbound_octets >= 2 * 64 && usage.outbound_octets >= 2 * 64, "{usage:?}");
        }
        pairs.delete(&plan, spis);
        pairs.assert_empty();
    }
}

fn ipv6() {
    let mut pairs = Pairs::new();
    let outer6 = (ip(A.wire6), ip(B.wire6));
    let transport = Plan {
        outer: outer6,
        selector: Selector::between(Prefix::host(outer6.0), Prefix::host(outer6.1)),
        ..Plan::transport()
    };
    let nets6 = Selector::between(prefix(A.net6), prefix(B.net6));
    let cases = [
        (transport, A.wire6, B.wire6),
        (Plan { outer: outer6, selector: nets6, ..Plan::tunnel() }, A.inside6, B.inside6),
        (Plan { outer: outer6, ..Plan::tunnel() }, A.inside, B.inside),
        (Plan { selector: nets6, ..Plan::tunnel() }, A.inside6, B.inside6),
    ];
    // Neighbours know each other before the policies stand.
    assert!(pairs.world.a.ping_until_answered(A.wire6, B.wire6, PATIENCE));
    for (plan, from, to) in cases {
        let spis = pairs.install(&plan);
        let capture = Capture::start(&pairs.world);
        let answered = pairs.world.a.ping(from, to, 2);
        assert_eq!(answered, 2, "{} through {:?}", plan.selector, plan.outer);
        let packets = capture.finish();
        assert_eq!((count(&packets, Kind::Esp), count(&packets, Kind::Echo)), (4, 0));
        pairs.delete(&plan, spis);
        pairs.assert_empty();
    }
    // Of that, too, nothing stays in the end.
    drop(pairs.a);
    assert_eq!(pairs.world.a.run("ip", &["xfrm", "policy"]), "");
}

/// Two pairs of one rule between the same tunnel endpoints: each carries its own traffic, though PF_KEY on Linux keeps no
/// selector with an SA.
fn two_streams() {
    let mut pairs = Pairs::new();
    let nets = Plan::tunnel();
    let hosts = Plan { id: 2, selector: Selector::between(Prefix::host(ip(A.wire)), prefix(B.net)), ..Plan::tunnel() };
    pairs.install(&nets);
    pairs.install(&hosts);
    assert_eq!(pairs.world.a.ping(A.inside, B.inside, 3), 3);
    assert_eq!(pairs.world.a.ping(A.wire, B.inside, 2), 2);
    for host in [&mut pairs.a, &mut pairs.b] {
        let packets = [1, 2].map(|id| {
            let usage = host.usage(&pairs.runtime, id);
            (usage.inbound_packets, usage.outbound_packets)
        });
        assert_eq!(packets, [(3, 3), (2, 2)]);
    }
}

/// Traffic without SA: the driver asks for one, with what is known of the packet.
fn acquire() {
    let mut pairs = Pairs::new();
    let transport = Plan { selector: Selector { protocol: 1, ..Plan::transport().selector }, ..Plan::transport() };
    let any_peer = TrafficPolicy {
        selector: Selector { remote: prefix("10.9.0.0/24"), ..transport.selector },
        priority: 200,
        ..transport.policy()
    };
    let tunnel = TrafficPolicy { reqid: 9, ..Plan::tunnel().policy() };
    pairs.a.done(&pairs.runtime, SaOp::SetPolicies(vec![any_peer, tunnel]));
    assert_eq!(pairs.world.a.ping(A.wire, B.wire, 1), 0);
    let Some(DriverMessage::Acquire(asked)) = pairs.a.event(&pairs.runtime, PATIENCE) else { panic!("no acquire") };
    let flow = Flow {
        local: ip(A.wire),
        remote: ip(B.wire),
        protocol: 1,
        local_port: 0,
        remote_port: 0,
        scope: ikecore::address::Scope::ANY,
    };
    assert_eq!(asked, Acquire { flow, reqid: 7 });
    assert_eq!(pairs.world.a.ping(A.inside, B.inside, 1), 0);
    let Some(DriverMessage::Acquire(asked)) = pairs.a.event(&pairs.runtime, PATIENCE) else { panic!("no acquire") };
    assert_eq!(asked.reqid, 9);
    assert!(tunnel.selector.matches(&asked.flow), "{}", asked.flow);
    // What was asked for, makes the traffic pass; and the temporary state of the kernel does not stand in the way.
    let spis = pairs.install(&transport);
    assert_eq!(pairs.world.a.ping(A.wire, B.wire, 2), 2);
    assert!(pairs.a.event(&pairs.runtime, Duration::from_millis(300)).is_none(), "nothing more to ask for");
    pairs.delete(&transport, spis);
    // Without the pair its traffic waits for SAs again.
    assert_eq!(pairs.world.a.ping(A.wire, B.wire, 1), 0);
    let Some(DriverMessage::Acquire(asked)) = pairs.a.event(&pairs.runtime, PATIENCE) else { panic!("no acquire") };
    assert_eq!(asked, Acquire { flow, reqid: 7 });
}

fn permit_and_block() {
    let mut pairs = Pairs::new();
    let all = Selector::between(Prefix::host(ip(B.wire)), prefix("10.9.0.0/24"));
    let echo = Selector { protocol: 1, ..all };
    let policy = |selector, action, priority| TrafficPolicy { selector, action, priority, reqid: 3 };
    let (block, permit) = (policy(all, TrafficAction::Block, 20), policy(echo, TrafficAction::Permit, 10));
    let ping = |pairs: &Pairs| pairs.world.a.ping(A.wire, B.wire, 1);
    pairs.b.done(&pairs.runtime, SaOp::SetPolicies(vec![block]));
    assert_eq!(ping(&pairs), 0);
    pairs.b.done(&pairs.runtime, SaOp::SetPolicies(vec![block, permit]));
    assert_eq!(ping(&pairs), 1);
    pairs.b.done(&pairs.runtime, SaOp::SetPolicies(vec![block, TrafficPolicy { priority: 30, ..permit }]));
    assert_eq!(ping(&pairs), 0, "the lower number is looked at first");
    // Protection that lets clear text in, but answers protected only: the echo is received, its reply waits for an SA.
    let TrafficAction::Protect { protocols, mode, endpoints, .. } = Plan::transport().policy().action else { panic!() };
    let optional = TrafficAction::Protect { protocols, mode, endpoints, inbound_passthrough: true };
    pairs.b.done(&pairs.runtime, SaOp::SetPolicies(vec![policy(echo, optional, 10)]));
    assert_eq!(ping(&pairs), 0);
    let Some(DriverMessage::Acquire(asked)) = pairs.b.event(&pairs.runtime, PATIENCE) else { panic!("no acquire") };
    assert_eq!((asked.flow.remote, asked.reqid), (ip(A.wire), 3));
    pairs.b.done(&pairs.runtime, SaOp::SetPolicies(Vec::new()));
    assert_eq!(ping(&pairs), 1);
    assert_eq!(pairs.world.b.run("ip", &["xfrm", "policy"]), "");
}

/// A pair's policy replaces the standing one with the same selector, and gives it back.
fn layers() {
    let mut pairs = Pairs::new();
    let plan = Plan::transport();
    let standing = TrafficPolicy { action: TrafficAction::Block, priority: 5, ..plan.policy() };
    pairs.a.done(&pairs.runtime, SaOp::SetPolicies(vec![standing]));
    assert_eq!(pairs.world.a.ping(A.wire, B.wire, 1), 0);
    let spis = pairs.install(&plan);
    assert_eq!(pairs.world.a.ping(A.wire, B.wire, 1), 1);
    pairs.delete(&plan, spis);
    assert_eq!(pairs.world.a.ping(A.wire, B.wire, 1), 0);
    let policies = pairs.world.a.run("ip", &["xfrm", "policy"]);
    assert_eq!(policies.matches("action block").count(), 3, "{policies}");
}

fn expire() {
    let mut pairs = Pairs::new();
    let lives = |seconds, kilobytes| Lifetime { seconds, kilobytes };
    let plan = Plan { soft: lives(1, 0), hard: lives(3, 0), ..Plan::transport() };
    let (to_a, to_b) = pairs.install(&plan);
    let names = [plan.name(ip(A.wire), to_a), plan.name(ip(B.wire), to_b)];
    for hard in [false, true] {
        let mut expired: Vec<Expire> = (0..2)
            .map(|_| match pairs.a.event(&pairs.runtime, PATIENCE) {
                Some(DriverMessage::Expire(expire)) => expire,
                other => panic!("{other:?} instead of expire, hard: {hard}"),
            })
            .collect();
        expired.sort_by_key(|expire| expire.sa != names[0]);
        assert_eq!(expired, names.map(|sa| Expire { sa, hard }));
    }
    assert_eq!(pairs.world.a.run("ip", &["xfrm", "state"]), "");
    // What is gone is no error to delete.
    pairs.delete(&plan, (to_a, to_b));
    pairs.assert_empty();

    let plan = Plan { id: 2, soft: lives(0, 1), hard: lives(0, 2), ..Plan::transport() };
    let spis = pairs.install(&plan);
    assert_eq!(pairs.world.b.ping(B.wire, A.wire, 20), 20);
    let Some(DriverMessage::Expire(expired)) = pairs.a.event(&pairs.runtime, PATIENCE) else { panic!("no expire") };
    assert!(!expired.hard);
    assert!(pairs.world.b.ping(B.wire, A.wire, 15) < 15, "the SA ends with its 2 KB");
    let hard = std::iter::from_fn(|| pairs.b.event(&pairs.runtime, Duration::from_millis(300)))
        .filter(|event| matches!(event, DriverMessage::Expire(Expire { hard: true, .. })))
        .count();
    assert!(hard >= 1);
    pairs.delete(&plan, spis);
}

/// The kernel forgets an SPI after a while; the SA that comes later gets it all the same.
fn late_installation() {
    let mut pairs = Pairs::new();
    for namespace in [&pairs.world.a, &pairs.world.b] {
        namespace.run("sysctl", &["-qw", "net.core.xfrm_acq_expires=1"]);
    }
    let plan = Plan::transport();
    let (to_a, to_b) = pairs.spis(&plan);
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(pairs.world.a.run("ip", &["xfrm", "state"]), "", "the SPIs are forgotten");
    pairs.b.install(&pairs.runtime, plan.reversed().pair(to_b, to_a)).expect("installed");
    pairs.a.install(&pairs.runtime, plan.pair(to_a, to_b)).expect("installed");
    assert_eq!(pairs.world.a.ping(A.wire, B.wire, 1), 1);
    let event = pairs.a.event(&pairs.runtime, Duration::from_millis(300));
    assert!(event.is_none(), "an SPI's end is no one's business: {event:?}");
}

/// Whatever fails of an installation, nothing of it stays.
fn all_or_nothing() {
    let mut pairs = Pairs::new();
    let plan = Plan::transport();
    let standing = TrafficPolicy { action: TrafficAction::Permit, ..plan.policy() };
    pairs.a.done(&pairs.runtime, SaOp::SetPolicies(vec![standing]));
    let policies = pairs.world.a.run("ip", &["xfrm", "policy"]);
    // Another program has the SPI of the outbound SA.
    pairs.world.a.ip(&[
        "xfrm state add src 10.9.0.1 dst 10.9.0.2 proto esp spi 0x4242 mode transport enc ecb(cipher_null) \"\"",
    ]);
    let foreign = pairs.world.a.run("ip", &["xfrm", "state"]);
    let (to_a, _) = pairs.spis(&plan);
    let error = pairs.a.install(&pairs.runtime, plan.pair(to_a, Spi(0x4242))).unwrap_err();
    assert!(error.starts_with("driver pfkey: add outbound SA ESP"), "{error}");
    assert!(
        error.ends_with("SPI 0x00004242 to 10.9.0.2 (ESP AES-128-CBC HMAC-SHA-1-96): EEXIST: File exists"),
        "{error}"
    );
    assert_eq!(pairs.world.a.run("ip", &["xfrm", "state"]), foreign);
    assert_eq!(pairs.world.a.run("ip", &["xfrm", "policy"]), policies);

    // Another program has a forward policy with the selector of the pair's.
    let tunnel = Plan::tunnel();
    pairs.world.a.ip(&["xfrm policy add src 10.10.2.0/24 dst 10.10.1.0/24 dir fwd priority 1"]);
    let policies = pairs.world.a.run("ip", &["xfrm", "policy"]);
    let (to_a, to_b) = pairs.spis(&tunnel);
    let error = pairs.a.install(&pairs.runtime, tunnel.pair(to_a, to_b)).unwrap_err();
    assert!(error.contains("add forward policy 10.10.1.0/24 <-> 10.10.2.0/24: EEXIST"), "{error}");
    assert_eq!(pairs.world.a.run("ip", &["xfrm", "state"]), foreign);
    assert_eq!(pairs.world.a.run("ip", &["xfrm", "policy"]), policies);
    let error = pairs.a.attempt(&pairs.runtime, SaOp::SetPolicies(vec![standing, tunnel.policy()])).unwrap_err();
    assert!(error.contains("add forward policy"), "{error}");
    assert_eq!(pairs.world.a.run("ip", &["xfrm", "policy"]), policies);
    // The same once more, without the other program's policy.
    pairs.world.a.ip(&["xfrm policy delete src 10.10.2.0/24 dst 10.10.1.0/24 dir fwd"]);
    let spis = pairs.install(&tunnel);
    assert_eq!(pairs.world.a.ping(A.inside, B.inside, 1), 1);
    pairs.delete(&tunnel, spis);
    pairs.a.done(&pairs.runtime, SaOp::SetPolicies(Vec::new()));
    assert_eq!(pairs.world.a.run("ip", &["xfrm", "policy"]), "");
}

fn refusals() {
    let mut pairs = Pairs::new();
    let capabilities = pairs.a.driver.capabilities();
    assert_eq!((capabilities.name, capabilities.ah, capabilities.owns_encapsulation), ("pfkey", true, true));
    assert!(
        capabilities.description.ends_with("with ESP and AH over PF_KEY version 2"),
        "{}",
        capabilities.description
    );
    let esp = |cipher, integrity| IpsecSuite::Esp { cipher, integrity };
    for (suite, reason) in [
        (esp(EspCipher::Aes128Gcm16, None), "this kernel offers no AES-128-GCM-16"),
        (
            esp(EspCipher::Aes128Cbc, Some(Integrity::HmacSha256_128)),
            "allowed: HMAC-SHA-256-96, sha256_96 in policy files",
        ),
    ] {
        let plan = Plan { suite, ..Plan::transport() };
        let (to_a, to_b) = pairs.spis(&plan);
        let error = pairs.a.install(&pairs.runtime, plan.pair(to_a, to_b)).unwrap_err();
        assert!(error.contains(reason), "{error}");
        pairs.b.done(&pairs.runtime, SaOp::ReleaseSpi(plan.name(ip(B.wire), to_b)));
        pairs.assert_empty();
    }
    let plan = Plan::transport();
    let (to_a, to_b) = pairs.spis(&plan);
    let mut pair = plan.pair(to_a, to_b);
    pair.inbound.extended_sequence_numbers = true;
    let error = pairs.a.install(&pairs.runtime, pair).unwrap_err();
    assert!(error.contains("PF_KEY has no extended sequence numbers"), "{error}");
    pairs.b.done(&pairs.runtime, SaOp::ReleaseSpi(plan.name(ip(B.wire), to_b)));
    pairs.assert_empty();
    let policy = TrafficPolicy { priority: 1 << 31, ..Plan::transport().policy() };
    let error = pairs.a.attempt(&pairs.runtime, SaOp::SetPolicies(vec![policy])).unwrap_err();
    assert!(error.contains("priority 2147483648 is out of range, allowed: 0 to 2147483647"), "{error}");
    assert!(matches!(pairs.a.ask(&pairs.runtime, SaOp::Query(IpsecSaId(99))), SaAnswer::Usage(Err(_))));
    pairs.assert_empty();
}

/// A driver that starts removes what one that ended without a word left, and nothing else.
fn remains() {
    let mut pairs = Pairs::new();
    let tunnel = Plan::tunnel();
    let permit = TrafficPolicy { action: TrafficAction::Permit, reqid: 2, ..Plan::transport().policy() };
    pairs.a.done(&pairs.runtime, SaOp::SetPolicies(vec![permit]));
    pairs.world.a.ip(&[
        "xfrm state add src 10.9.0.1 dst 10.9.0.2 proto esp spi 0x4242 reqid 1 mode transport enc ecb(cipher_null) \"\"",
        "xfrm policy add src 10.99.2.0/24 dst 10.99.1.0/24 dir out priority 400000",
    ]);
    let lists = |pairs: &Pairs| ["state", "policy"].map(|list| pairs.world.a.run("ip", &["xfrm", list]));
    pairs.install(&tunnel);
    pairs.spis(&tunnel);
    let [states, policies] = lists(&pairs);
    assert_eq!(
        (states.matches("proto esp").count(), policies.matches("priority").count()),
        (4, 7),
        "{states}{policies}"
    );
    let new = Host::new(&pairs.runtime, &pairs.world.a);
    std::mem::forget(std::mem::replace(&mut pairs.a, new));
    let [states, policies] = lists(&pairs);
    assert!(states.contains("0x00004242") && policies.contains("10.99.1.0/24"), "{states}{policies}");
    assert_eq!(
        (states.matches("proto esp").count(), policies.matches("priority").count()),
        (1, 1),
        "{states}{policies}"
    );
}

/// ESP in UDP: taken out by the kernel, and the peer's new mapping is told and followed.
fn udp_encapsulation() {
    let mut pairs = Pairs::new();
    let plan = Plan { encapsulation: true, ..Plan::transport() };
    let bind = |namespace: &Namespace, own: Addresses| {
        namespace.within(move || UdpSocket::bind((own.wire, 4500))).expect("port 4500 is free")
    };
    let (socket_a, socket_b) = (bind(&pairs.world.a, A), bind(&pairs.world.b, B));
    for (host, socket) in [(&mut pairs.a, &socket_a), (&mut pairs.b, &socket_b)] {
        host.driver.prepare_socket(socket.as_fd(), false, true).expect("the kernel can do it");
        socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a socket option");
    }
    let (to_a, _) = pairs.install(&plan);
    let capture = Capture::start(&pairs.world);
    assert_eq!(pairs.world.a.ping(A.wire, B.wire, 2), 2);
    // The capture is a thread of its own: it may be a packet behind.
    assert!(capture.wait_count(Kind::EspInUdp, 4, Duration::from_secs(5)));
    assert_eq!(capture.count(Kind::EspInUdp), 4);
    assert_eq!(capture.count(Kind::Esp) + capture.count(Kind::Echo), 0);
    // The sockets are exempt: what looks like IKE passes in clear, and reaches its socket.
    socket_a.send_to(&[0, 0, 0, 0, 1, 2, 3, 4], (B.wire, 4500)).expect("no policy forbids it");
    let mut buffer = [0; 100];
    let (len, _) = socket_b.recv_from(&mut buffer).expect("the datagram arrives");
    assert_eq!(&buffer[..len], [0, 0, 0, 0, 1, 2, 3, 4]);
    assert!(capture.wait_count(Kind::Ike, 1, Duration::from_secs(5)));
    assert_eq!(capture.count(Kind::Ike), 1);

    // b's packets come from port 4600 from now on.
    let local = SocketAddr::new(ip(B.wire), 4600);
    let remote = SocketAddr::new(ip(A.wire), 4500);
    pairs.b.done(&pairs.runtime, SaOp::Update { id: IpsecSaId(1), local, remote });
    let socket_c = pairs.world.b.within(|| UdpSocket::bind((B.wire, 4600))).expect("port 4600 is free");
    pairs.b.driver.prepare_socket(socket_c.as_fd(), false, true).expect("the kernel can do it");
    drop(socket_b);
    assert_eq!(pairs.world.b.ping(B.wire, A.wire, 1), 0, "a answers to the old port");
    let Some(DriverMessage::Mapping(mapping)) = pairs.a.event(&pairs.runtime, PATIENCE) else { panic!("no mapping") };
    assert_eq!(mapping, Mapping { sa: plan.name(ip(A.wire), to_a), remote: local });
    pairs.a.done(&pairs.runtime, SaOp::Update { id: IpsecSaId(1), local: remote, remote: local });
    assert_eq!(pairs.world.b.ping(B.wire, A.wire, 1), 1);
    let usage = pairs.a.usage(&pairs.runtime, 1);
    assert_eq!(usage.inbound_packets, 4, "the counts go on");
    let elsewhere = SocketAddr::new(ip("10.9.0.9"), 4500);
    let error = pairs.a.attempt(&pairs.runtime, SaOp::Update { id: IpsecSaId(1), local: remote, remote: elsewhere });
    assert!(error.unwrap_err().contains("PF_KEY cannot change the addresses"));
}

/// A new pair takes over from an old one without a packet lost, and the old one's end changes nothing.
fn rekey() {
    let mut pairs = Pairs::new();
    let old = Plan::tunnel();
    let new = Plan { id: 2, ..Plan::tunnel() };
    let spis = pairs.install(&old);
    assert_eq!(pairs.world.a.ping(A.inside, B.inside, 1), 1);
    pairs.install(&new);
    assert_eq!(pairs.world.a.ping(A.inside, B.inside, 1), 1);
    pairs.delete(&old, spis);
    assert_eq!(pairs.world.a.ping(A.inside, B.inside, 2), 2);
    let usage = pairs.b.usage(&pairs.runtime, 2);
    assert!(usage.inbound_packets >= 2 && usage.outbound_packets >= 2, "{usage:?}");
}
