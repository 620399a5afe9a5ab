//! SAs and policies as they come and go.
use super::*;

#[test]
fn policies_permit_block_or_let_pass() {
    let link = Link::transport();
    let mut a = plane();
    a.host_packet(Time::ZERO, &link.packet(1));
    assert_eq!(network(&mut a), link.packet(1));
    let with = |action| vec![TrafficPolicy { action, ..link.policy() }];
    done(a.apply(Time::ZERO, SaOp::SetPolicies(with(TrafficAction::Permit)))).expect("set");
    a.host_packet(Time::ZERO, &link.packet(1));
    assert_eq!(network(&mut a), link.packet(1));
    done(a.apply(Time::ZERO, SaOp::SetPolicies(with(TrafficAction::Block)))).expect("set");
    a.host_packet(Time::ZERO, &link.packet(1));
    assert!(effects(&mut a).is_empty());
    let multicast = Link::new(Mode::Transport, ["10.0.0.1", "224.0.0.1"], ["10.0.0.1", "224.0.0.1"]);
    let local = Link::new(Mode::Transport, ["fe80::1", "fe80::2"], ["fe80::1", "fe80::2"]);
    for other in [multicast, local] {
        a.host_packet(Time::ZERO, &other.packet(1));
        assert!(effects(&mut a).is_empty());
    }
}

#[test]
fn a_packet_without_sa_acquires_and_is_sent_when_there_is_one() {
    let link = Link::transport();
    let mut a = plane();
    done(a.apply(Time::ZERO, SaOp::SetPolicies(vec![link.policy()]))).expect("set");
    for n in 0..3 {
        a.host_packet(Time::ZERO, &link.packet(n));
    }
    let asked = messages(&mut a);
    let [DriverMessage::Acquire(acquire)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((acquire.reqid, acquire.flow.remote, acquire.flow.remote_port), (7, ip("10.0.0.2"), 53));
    a.host_packet(Time::from_secs(1), &link.packet(3));
    assert_eq!(messages(&mut a).len(), 1);
    install(&mut a, Time::from_secs(2), link.pair(1)).expect("installed");
    a.release_held(Time::from_secs(2));
    assert_eq!(effects(&mut a).len(), 4);
    assert_eq!(usage(&mut a, 1).outbound_packets, 4);
}

#[test]
fn lifetimes_are_told_once_and_end_the_sa() {
    let lifetime = |seconds, kilobytes| Lifetime { seconds, kilobytes };
    let link = Link { soft: lifetime(10, 0), hard: lifetime(20, 0), ..Link::transport() };
    let (mut a, mut b) = sides(&link);
    let at = Time::from_secs;
    a.tick(at(9));
    assert_eq!(expires(&mut a), []);
    a.tick(at(10));
    a.tick(at(11));
    assert_eq!(expires(&mut a), [(0x1111, false), (0x2222, false)]);
    a.host_packet(at(19), &link.packet(1));
    let wire = network(&mut a);
    a.tick(at(20));
    assert_eq!(expires(&mut a), [(0x1111, true), (0x2222, true)]);
    a.host_packet(at(20), &link.packet(1));
    assert!(matches!(&effects(&mut a)[..], [Effect::Message(DriverMessage::Acquire(_))]));
    b.tick(at(20));
    assert_eq!(effects(&mut b).len(), 2);
    arrive(&mut b, at(20), &wire);
    assert!(effects(&mut b).is_empty());

    let link = Link { soft: lifetime(0, 1), hard: lifetime(0, 2), ..Link::transport() };
    let (mut a, _) = sides(&link);
    let mut told = Vec::new();
    for _ in 0..8 {
        // 256 octets of protected traffic.
        a.host_packet(Time::ZERO, &link.packet(248));
        told.extend(messages(&mut a).into_iter().map(|message| matches!(message, DriverMessage::Expire(e) if e.hard)));
    }
    assert_eq!(told, [false, true]);
    assert_eq!(usage(&mut a, 1).outbound_octets, 2048);
}

#[test]
fn the_newest_sa_sends_and_the_old_one_still_receives() {
    let link = Link::transport();
    let newer = Link { spis: [0x3333, 0x4444], ..link };
    let (mut a, mut b) = sides(&link);
    b.host_packet(Time::ZERO, &link.turned().packet(1));
    let old = network(&mut b);
    for (side, pair) in [(&mut a, newer.pair(2)), (&mut b, newer.turned().pair(2))] {
        install(side, Time::ZERO, pair).expect("installed");
    }
    a.host_packet(Time::ZERO, &link.packet(1));
    assert_eq!(network(&mut a)[20..24], [0, 0, 0x44, 0x44]);
    arrive(&mut a, Time::ZERO, &old);
    assert!(host(&mut a).is_some());
    for _ in 0..2 {
        done(a.apply(
            Time::ZERO,
            SaOp::Delete { id: IpsecSaId(2), inbound: newer.spec(Direction::Inbound).names().collect() },
        ))
        .expect("deleted, or gone");
    }
    a.host_packet(Time::ZERO, &link.packet(1));
    assert_eq!(network(&mut a)[20..24], [0, 0, 0x22, 0x22]);
}

#[test]
fn spis_are_not_reserved_ones_and_not_given_twice() {
    let mut a = plane();
    let alloc = |plane: &mut Plane, protocol| {
        let operation = SaOp::AllocSpi {
            protocol,
            source: ip("10.0.0.2"),
            destination: ip("10.0.0.1"),
            mode: Mode::Transport,
            reqid: 1,
        };
        match plane.apply(Time::ZERO, operation) {
            SaAnswer::Spi(result) => result,
            other => panic!("{other:?}"),
        }
    };
    let first = alloc(&mut a, ProtocolId::ESP).expect("an SPI");
    assert!(first.0 >= 0x100);
    a.random = Box::new(Counter(0));
    let second = alloc(&mut a, ProtocolId::ESP).expect("an SPI");
    assert_ne!(first, second);
    let name = SaName { protocol: ProtocolId::ESP, destination: ip("10.0.0.1"), spi: first };
    done(a.apply(Time::ZERO, SaOp::ReleaseSpi(name))).expect("released");
    a.random = Box::new(Counter(0));
    assert_eq!(alloc(&mut a, ProtocolId::ESP), Ok(first));
    a.random = Box::new(Counter(0));
    let cpi = alloc(&mut a, ProtocolId::IPCOMP).expect("a CPI");
    assert!(CPIS.contains(&cpi.0));
    a.random = Box::new(Counter(0));
    assert_ne!(alloc(&mut a, ProtocolId::IPCOMP), Ok(cpi));
    // Each protocol has its own.
    a.random = Box::new(Counter(0));
    assert_eq!(alloc(&mut a, ProtocolId::AH), Ok(first));
    let refused = alloc(&mut a, ProtocolId::ISAKMP).expect_err("ISAKMP");
    assert!(refused.to_string().contains("this driver runs ESP, AH and IPComp"), "{refused}");
}

#[test]
fn a_failing_operation_changes_nothing() {
    let link = Link::transport();
    let mut a = plane();
    let mut pair = link.pair(1);
    pair.outbound.encryption_key = Secret::new(vec![1; 3]);
    let refused = install(&mut a, Time::ZERO, pair).expect_err("a wrong key");
    assert!(refused.to_string().starts_with("driver userspace: add outbound SA "), "{refused}");
    assert!(a.spd().in_order().is_empty());
    // What stands of the first step goes with the pair, and so does an SPI without its SA.
    let inbound = link.spec(Direction::Inbound).names().collect();
    done(a.apply(Time::ZERO, SaOp::Delete { id: IpsecSaId(1), inbound })).expect("deleted");
    assert!(a.is_idle());
    install(&mut a, Time::ZERO, link.pair(1)).expect("installed");
    let twice = install(&mut a, Time::ZERO, link.pair(2)).expect_err("twice");
    assert!(twice.to_string().contains("0x00001111"), "{twice}");
    let outbound = Link { spis: [0x3333, 0x2222], ..link };
    let twice = install(&mut a, Time::ZERO, outbound.pair(2)).expect_err("twice");
    assert!(twice.to_string().contains("0x00002222"), "{twice}");
    let local = (link.ends[0], 0).into();
    assert!(done(a.apply(Time::ZERO, SaOp::Update { id: IpsecSaId(9), local, remote: local })).is_err());
    let mut tunnel = link.policy();
    tunnel.action = TrafficAction::Protect {
        protocols: Protocols::ESP,
        mode: Mode::Tunnel,
        endpoints: None,
        inbound_passthrough: false,
    };
    assert!(done(a.apply(Time::ZERO, SaOp::SetPolicies(vec![tunnel]))).is_err());
}

#[test]
fn what_is_link_local_is_refused_with_the_reason() {
    let link = Link::new(Mode::Transport, ["fe80::1", "fe80::2"], ["fe80::1", "fe80::2"]);
    let scope = ikecore::address::Scope(7);
    let mut plane = plane();
    let inbound = SaSpec { scope, ..link.spec(Direction::Inbound) };
    let first = done(plane.apply(Time::ZERO, SaOp::InstallInbound { id: IpsecSaId(1), sa: Box::new(inbound) }));
    let policy = link.policy();
    let policy = TrafficPolicy { selector: Selector { scope, ..policy.selector }, ..policy };
    let second = done(plane.apply(Time::ZERO, SaOp::SetPolicies(vec![policy])));
    for refused in [first, second] {
        let error = refused.expect_err("refused");
        assert!(error.reason.contains("allowed: the driver xfrm"), "{error}");
    }
}
