//! Each figure is caused, and no other moves with it but those that belong together.
use super::*;
use crate::driver::memory::Kind;
use crate::statistics::{Figure, Statistics};
use ikecore::ids::IpsecSaId;

async fn figures(engine: &EngineHandle) -> Statistics {
    engine.statistics().await.expect("the engine runs")
}

/// Waits until a figure has a value.
async fn wait_for(engine: &EngineHandle, figure: Figure, value: u64) -> Statistics {
    let begin = Instant::now();
    loop {
        let statistics = figures(engine).await;
        if statistics.get(figure) == Some(value) {
            return statistics;
        }
        assert!(begin.elapsed() < PATIENCE, "{figure:?} is {:?}, not {value}", statistics.get(figure));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Asserts all figures that are given; those of them that are 0 have moved for nothing.
#[track_caller]
fn assert_figures(statistics: &Statistics, expected: &[(Figure, u64)]) {
    for (figure, value) in expected {
        assert_eq!(statistics.get(*figure), Some(*value), "{figure:?}");
    }
}

/// Two engines with one pair of SAs that an acquire of `a` asked for.
async fn pair_of_engines() -> [(EngineHandle, Script); 2] {
    let ports = ports();
    let hosts = [engine(A, ports), engine(B, ports)];
    for ((engine, _), (me, peer)) in hosts.iter().zip([(A, B), (B, A)]) {
        engine.set_policy(policy(me, peer, b"a shared key")).await.expect("runs").expect("the driver takes it");
    }
    let mut events = hosts[0].0.subscribe();
    hosts[0].1.acquire(acquire());
    let outcome = outcome(&mut events).await;
    assert!(matches!(outcome, NegotiationEvent::Succeeded { .. }), "{outcome:?}");
    wait_until(&hosts[1].0, "SAs at b", |snapshot| snapshot.ipsec_sas.len() == 1).await;
    hosts
}

async fn pair(engine: &EngineHandle) -> IpsecSaId {
    engine.snapshot().await.expect("the engine runs").ipsec_sas[0].id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_negotiation_moves_the_figures_of_its_end() {
    let [(a, _), (b, _)] = pair_of_engines().await;
    let both = [
        (Figure::MainModes, 1),
        (Figure::QuickModes, 1),
        (Figure::MainModesStarted, 1),
        (Figure::QuickModesStarted, 1),
        (Figure::IsadbListSize, 1),
        (Figure::ActiveMainModes, 1),
        (Figure::HalfOpenMainModes, 0),
        (Figure::ConnectionListSize, 0),
        // ESP and IPComp.
        (Figure::GetSpis, 2),
        (Figure::GetSpiFailures, 0),
        (Figure::KeyAdditions, 1),
        (Figure::KeyAdditionFailures, 0),
        (Figure::KeyUpdates, 1),
        (Figure::KeyUpdateFailures, 0),
        (Figure::PendingKeys, 0),
        (Figure::ActiveSas, 1),
        (Figure::ActiveTunnels, 0),
        (Figure::SasAdded, 1),
        (Figure::SasDeleted, 0),
        (Figure::Rekeys, 0),
        (Figure::NegotiationFailures, 0),
        (Figure::AcquireFailures, 0),
        (Figure::ActiveAcquire, 0),
        (Figure::SendFailures, 0),
    ];
    let of_a = figures(&a).await;
    assert_figures(&of_a, &both);
    assert_figures(&of_a, &[(Figure::Acquires, 1), (Figure::MainModesOfPeers, 0), (Figure::AcquiresJoined, 0)]);
    let of_b = figures(&b).await;
    assert_figures(&of_b, &both);
    assert_figures(&of_b, &[(Figure::Acquires, 0), (Figure::MainModesOfPeers, 1)]);
    for figure in [Figure::BadSpi, Figure::NotDecrypted, Figure::OffloadedSas, Figure::AcquireHeapSize] {
        assert_eq!(of_a.get(figure), None, "{figure:?} is nothing that the memory driver knows");
        assert!(!figure.unknown().is_empty());
    }
    a.shutdown().await;
    b.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traffic_stays_in_the_sums_when_its_pair_is_replaced_and_ends() {
    let [(a, driver), (b, _)] = pair_of_engines().await;
    let first = pair(&a).await;
    let usage = Usage {
        outbound_octets: 300,
        outbound_packets: 3,
        inbound_octets: 200,
        inbound_packets: 2,
        replays: Some(4),
        integrity_failures: Some(5),
    };
    driver.set_usage(first, usage);
    let traffic = [
        (Figure::ConfidentialSent, 300),
        (Figure::ConfidentialReceived, 200),
        (Figure::AuthenticatedSent, 300),
        (Figure::AuthenticatedReceived, 200),
        (Figure::TransportSent, 300),
        (Figure::TransportReceived, 200),
        (Figure::TunnelSent, 0),
        (Figure::TunnelReceived, 0),
        (Figure::Replays, 4),
        (Figure::NotAuthenticated, 5),
    ];
    a.usage(first).await.expect("the engine runs").expect("the driver tells");
    assert_figures(&figures(&a).await, &traffic);
    // What a driver tells may fall when an SA ends by itself; the sum does not.
    driver.set_usage(first, Usage { outbound_octets: 0, ..usage });
    a.usage(first).await.expect("the engine runs").expect("the driver tells");
    assert_figures(&figures(&a).await, &traffic);
    // Nobody asks for this before the pair ends, and yet it is in the sum.
    driver.set_usage(first, Usage { outbound_octets: 1000, ..usage });
    a.command(Command::RekeyIpsecSa(first)).await.expect("the engine runs");
    let after = wait_for(&a, Figure::SasDeleted, 1).await;
    assert_figures(
        &after,
        &[
            (Figure::Rekeys, 1),
            (Figure::ActiveSas, 1),
            (Figure::SasAdded, 2),
            (Figure::QuickModes, 2),
            (Figure::TransportSent, 1000),
            (Figure::TransportReceived, 200),
            (Figure::ConfidentialSent, 1000),
            (Figure::Replays, 4),
        ],
    );
    // With the driver goes what it has; what it counted stays.
    let second = pair(&a).await;
    driver.set_usage(second, Usage { outbound_octets: 7, ..Usage::default() });
    a.usage(second).await.expect("the engine runs").expect("the driver tells");
    driver.lose("gone");
    let after = wait_for(&a, Figure::SasDeleted, 2).await;
    assert_figures(&after, &[(Figure::TransportSent, 1007), (Figure::ActiveSas, 0), (Figure::PendingKeys, 0)]);
    a.shutdown().await;
    b.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_driver_refuses_is_counted_by_its_kind() {
    for (kind, figure) in [
        (Kind::AllocSpi, Figure::GetSpiFailures),
        (Kind::InstallInbound, Figure::KeyUpdateFailures),
        (Kind::InstallOutbound, Figure::KeyAdditionFailures),
    ] {
        let ports = ports();
        let ((a, driver), (b, _)) = (engine(A, ports), engine(B, ports));
        a.set_policy(policy(A, B, b"a shared key")).await.expect("runs").expect("the driver takes it");
        b.set_policy(policy(B, A, b"a shared key")).await.expect("runs").expect("the driver takes it");
        let mut events = a.subscribe();
        driver.fail(kind, 1, "no room");
        driver.acquire(acquire());
        let outcome = outcome(&mut events).await;
        assert!(matches!(outcome, NegotiationEvent::Failed { .. }), "{kind:?}: {outcome:?}");
        let statistics = figures(&a).await;
        let failures = [Figure::GetSpiFailures, Figure::KeyUpdateFailures, Figure::KeyAdditionFailures];
        for other in failures {
            assert_eq!(statistics.get(other), Some(u64::from(other == figure)), "{kind:?}: {other:?}");
        }
        assert_figures(
            &statistics,
            &[(Figure::AcquireFailures, 1), (Figure::SasAdded, 0), (Figure::QuickModesFailed, 1)],
        );
        a.shutdown().await;
        b.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acquires_are_active_join_and_fail() {
    let (a, driver) = engine(A, ports());
    a.set_policy(policy(A, B, b"a shared key")).await.expect("runs").expect("the driver takes it");
    let mut events = a.subscribe();
    driver.acquire(acquire());
    let active = wait_for(&a, Figure::Acquires, 1).await;
    assert_figures(&active, &[(Figure::ActiveAcquire, 1), (Figure::IsadbListSize, 1), (Figure::ActiveMainModes, 0)]);
    driver.acquire(acquire());
    assert_figures(&wait_for(&a, Figure::Acquires, 2).await, &[(Figure::AcquiresJoined, 1)]);
    // Nobody answers at B.
    let outcome = outcome(&mut events).await;
    assert!(matches!(outcome, NegotiationEvent::Failed { .. }), "{outcome:?}");
    let failed = figures(&a).await;
    assert_figures(
        &failed,
        &[
            (Figure::ActiveAcquire, 0),
            (Figure::AcquireFailures, 1),
            (Figure::MainModesFailed, 1),
            (Figure::NegotiationFailures, 1),
            (Figure::Retransmitted, 3),
        ],
    );
    // No rule is for this one.
    let mut stray = acquire();
    stray.flow.remote = Ipv4Addr::new(127, 0, 0, 9).into();
    driver.acquire(stray);
    let after = wait_for(&a, Figure::Acquires, 3).await;
    assert_figures(&after, &[(Figure::AcquireFailures, 2), (Figure::AcquiresJoined, 1), (Figure::ActiveAcquire, 0)]);
    a.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_cookies_and_malformed_messages_are_told_apart() {
    let (ike, nat_t) = ports();
    let (a, _) = engine(A, (ike, nat_t));
    a.set_policy(policy(A, B, b"a shared key")).await.expect("runs").expect("the driver takes it");
    let socket = UdpSocket::bind((B, 0)).expect("a free port");
    // A header alone: quick mode under cookies that nobody has.
    let mut message = [[7; 8], [8; 8]].concat();
    message.extend([0, 0x10, 32, 1, 0, 0, 0, 1, 0, 0, 0, 28]);
    socket.send_to(&message, (A, ike)).expect("sent");
    let after = wait_for(&a, Figure::Datagrams, 1).await;
    assert_figures(&after, &[(Figure::InvalidCookies, 1), (Figure::InvalidPackets, 0), (Figure::Dropped, 1)]);
    socket.send_to(&message[..20], (A, ike)).expect("sent");
    let after = wait_for(&a, Figure::Datagrams, 2).await;
    assert_figures(&after, &[(Figure::InvalidCookies, 1), (Figure::InvalidPackets, 1), (Figure::Dropped, 2)]);
    a.shutdown().await;
}
