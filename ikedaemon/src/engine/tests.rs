//! Engines over loopback with the memory driver.
use super::{Config, EngineHandle, EventStream, start};
use crate::driver::memory::{MemoryDriver, Script};
use crate::driver::open::Opened;
use crate::sinks::oakley;
use crate::sinks::testing::with_subscriber;
use ikecore::crypto::cipher::CipherAlg;
use ikecore::crypto::group::Group;
use ikecore::crypto::hash::HashAlg;
use ikecore::endpoint::{Command, Snapshot};
use ikecore::event::{Detail, Event, EventKind, NegotiationEvent};
use ikecore::policy::db::PolicyDb;
use ikecore::policy::rule::{AuthMethod, MainModePolicy, QuickModePolicy, Rule, RuleAction};
use ikecore::policy::selector::{Flow, Prefix, Selector};
use ikecore::proposal::offer::{MainModeOffer, QuickModeOffer};
use ikecore::proposal::suite::{EspCipher, Integrity, IpsecSuite, Lifetime, ProtectionSuite};
use ikecore::sa::driver::{Acquire, Usage};
use ikecore::secret::Secret;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing_subscriber::layer::SubscriberExt;

const PATIENCE: Duration = Duration::from_secs(10);
const A: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
const B: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Two free ports: of IKE and of NAT traversal.
fn ports() -> (u16, u16) {
    let sockets = [(); 2].map(|()| UdpSocket::bind("0.0.0.0:0").expect("a free port"));
    let [ike, nat_t] = sockets.map(|socket| socket.local_addr().expect("bound").port());
    (ike, nat_t)
}

/// An engine at `address`, and the other end of its driver.
fn engine(address: IpAddr, (ike_port, nat_t_port): (u16, u16)) -> (EngineHandle, Script) {
    let mut config = Config::default();
    config.endpoint.ike_port = ike_port;
    config.endpoint.nat_t_port = nat_t_port;
    config.endpoint.retransmit_first = Duration::from_millis(100);
    config.endpoint.transmissions = 4;
    config.listen = vec![(address, ike_port).into(), (address, nat_t_port).into()];
    let (driver, script) = MemoryDriver::new();
    (start(config, Box::new(driver)).expect("free ports"), script)
}

const ESP: IpsecSuite = IpsecSuite::Esp { cipher: EspCipher::Aes128Cbc, integrity: Some(Integrity::HmacSha1_96) };

const COMPRESSED: ProtectionSuite = ProtectionSuite { compression: true, main: ESP, outer: None };

/// The policy of `me`: all traffic with `peer` is protected, by the key `key`.
fn policy(me: IpAddr, peer: IpAddr, key: &[u8]) -> Arc<PolicyDb> {
    let lifetime = Lifetime { seconds: 3600, kilobytes: 0 };
    let offer = |suite| QuickModeOffer { suite, lifetime, pfs: None, extended_sequence_numbers: false };
    let quick = QuickModePolicy {
        name: "secure".to_owned(),
        offers: vec![offer(COMPRESSED), offer(ESP.alone())],
        inbound_passthrough: false,
        fallback_to_clear: false,
        idle: 0,
    };
    let main = MainModePolicy {
        name: "main".to_owned(),
        offers: vec![MainModeOffer { cipher: CipherAlg::Aes128, hash: HashAlg::Sha1, group: Group::Modp1024 }],
        lifetime,
        quick_mode_limit: 0,
        soft_lifetime: 28_800,
    };
    let rule = Rule {
        name: "the rule".to_owned(),
        filters: vec![Selector::between(Prefix::host(me), Prefix::host(peer))],
        action: RuleAction::Negotiate(Arc::new(quick)),
        main_mode: Arc::new(main),
        authentication: vec![AuthMethod::PreSharedKey(Arc::new(Secret::new(key.to_vec())))],
        tunnel: None,
        local_id: None,
        remote_id: None,
        aggressive_mode: false,
        xauth: None,
        mode_config: None,
        dpd: None,
        uniqueness: ikecore::policy::rule::Uniqueness::Keep,
        reqid: 1,
    };
    Arc::new(PolicyDb::new(1, vec![Arc::new(rule)], vec![Prefix::host(me)]).expect("a sound policy"))
}

fn acquire() -> Acquire {
    Acquire {
        flow: Flow {
            local: A,
            remote: B,
            protocol: 17,
            local_port: 9,
            remote_port: 9,
            scope: ikecore::address::Scope::ANY,
        },
        reqid: 1,
    }
}

/// The outcome of the next negotiation that ends.
async fn outcome(events: &mut EventStream) -> NegotiationEvent {
    let wait = async {
        while let Some(event) = events.next().await {
            if let Event { kind: EventKind::Negotiation(outcome), .. } = event.as_ref()
                && !matches!(outcome, NegotiationEvent::Started { .. })
            {
                return outcome.clone();
            }
        }
        panic!("the engine has ended");
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the negotiation ends")
}

/// Waits until a snapshot is as it should be.
async fn wait_until(engine: &EngineHandle, what: &str, condition: impl Fn(&Snapshot) -> bool) -> Snapshot {
    let begin = Instant::now();
    loop {
        let snapshot = engine.snapshot().await.expect("the engine runs");
        if condition(&snapshot) {
            return snapshot;
        }
        assert!(begin.elapsed() < PATIENCE, "{what}: {snapshot:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_engines_negotiate_use_and_delete() {
    let ports = ports();
    let ((a, driver_a), (b, driver_b)) = (engine(A, ports), engine(B, ports));
    a.set_policy(policy(A, B, b"a shared key")).await.expect("the engine runs").expect("the driver takes it");
    b.set_policy(policy(B, A, b"a shared key")).await.expect("the engine runs").expect("the driver takes it");
    let mut events = a.subscribe();
    driver_a.acquire(acquire());
    let outcome = outcome(&mut events).await;
    assert!(matches!(outcome, NegotiationEvent::Succeeded { .. }), "{outcome:?}");

    let at_a = wait_until(&a, "SAs at a", |snapshot| snapshot.ipsec_sas.len() == 1).await;
    let at_b = wait_until(&b, "SAs at b", |snapshot| snapshot.ipsec_sas.len() == 1).await;
    assert_eq!(at_a.ipsec_sas[0].inbound, at_b.ipsec_sas[0].outbound);
    assert_eq!(at_a.ipsec_sas[0].outbound, at_b.ipsec_sas[0].inbound);
    let keys = |script: &Script| {
        let pair = *script.pairs().first().expect("installed");
        let keys = |pair: &ikecore::sa::driver::SaPair| {
            (pair.inbound.encryption_key.expose().clone(), pair.outbound.encryption_key.expose().clone())
        };
        script.with_pair(pair, keys).expect("installed")
    };
    let (of_a, of_b) = (keys(&driver_a), keys(&driver_b));
    assert_eq!((of_a.0, of_a.1), (of_b.1, of_b.0), "each end's way in is the other's way out");

    let pair = at_a.ipsec_sas[0].id;
    let usage = Usage { outbound_packets: 3, outbound_octets: 300, ..Usage::default() };
    driver_a.set_usage(pair, usage);
    assert_eq!(a.usage(pair).await, Ok(Ok(usage)));
    let unknown = a.usage(ikecore::ids::IpsecSaId(99)).await.expect("the engine runs");
    assert!(unknown.is_err(), "{unknown:?}");

    let begin = Instant::now();
    assert!(a.shutdown().await, "everything was deleted in time");
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert!(driver_a.pairs().is_empty());
    wait_until(&b, "a's deletes", |snapshot| snapshot.ipsec_sas.is_empty() && snapshot.ike_sas.is_empty()).await;
    assert!(driver_b.pairs().is_empty());
    assert!(a.snapshot().await.is_err(), "an engine that has ended says so");
    // The ports are free again.
    let (again, _) = engine(A, ports);
    again.shutdown().await;
    b.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_in_force_when_the_driver_has_it_or_is_lost() {
    for lost in [false, true] {
        let (engine, driver) = engine(A, ports());
        driver.set_on_demand(true);
        let handle = engine.clone();
        let setting = tokio::spawn(async move { handle.set_policy(policy(A, B, b"a shared key")).await });
        let begin = Instant::now();
        while driver.waiting() == 0 {
            assert!(begin.elapsed() < PATIENCE, "the driver is asked");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(engine.snapshot().await.is_ok(), "others are served meanwhile");
        assert!(!setting.is_finished());
        if lost {
            driver.lose("gone");
        } else {
            assert!(driver.answer());
        }
        let outcome = tokio::time::timeout(PATIENCE, setting).await.expect("an answer").expect("no panic");
        let set = outcome.expect("the engine runs");
        assert_eq!(set.is_err(), lost, "{set:?}");
        driver.set_on_demand(false);
        engine.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn different_keys_fail_and_the_trace_tells_it_without_secrets() {
    let directory = std::env::temp_dir().join(format!("policyagent-engine-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    let trace = oakley::start(&oakley::Config { enabled: true, ..oakley::Config::new(directory.clone()) });
    let trace = trace.expect("a thread");
    let (ike, nat_t) = ports();
    let failure = {
        let runtime_trace = trace.clone();
        // A runtime of one thread, so that the subscriber of the thread is that of the engines.
        tokio::task::spawn_blocking(move || {
            let subscriber = tracing_subscriber::registry().with(runtime_trace.layer());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            with_subscriber(subscriber, || {
                runtime.block_on(async {
                    let ((a, _driver_a), (b, _driver_b)) = (engine(A, (ike, nat_t)), engine(B, (ike, nat_t)));
                    a.attach(&runtime_trace);
                    b.attach(&runtime_trace);
                    a.set_policy(policy(A, B, b"one zebra"))
                        .await
                        .expect("the engine runs")
                        .expect("the driver takes it");
                    b.set_policy(policy(B, A, b"another zebra"))
                        .await
                        .expect("the engine runs")
                        .expect("the driver takes it");
                    let mut events = b.subscribe();
                    let command = Command::InitiateRule { rule: "the rule".to_owned(), peer: None };
                    a.command(command).await.expect("the engine runs");
                    let outcome = tokio::time::timeout(PATIENCE, outcome(&mut events)).await;
                    a.shutdown().await;
                    b.shutdown().await;
                    outcome
                })
            })
        })
        .await
        .expect("no panic")
        .expect("the negotiation ends")
    };
    let NegotiationEvent::Failed { failure, .. } = failure else { panic!("{failure:?}") };
    assert!(trace.flush(PATIENCE));
    let text = std::fs::read_to_string(directory.join("Oakley.log")).expect("the log");
    let _ = std::fs::remove_dir_all(&directory);
    for expected in [
        " Initialization OK\n".to_owned(),
        format!(" to 127.0.0.2:Type 2.{ike}\n"),
        format!(" from 127.0.0.1.{ike}\n"),
        " Received Phase 1 Transform 1\n".to_owned(),
        " Phase 1 SA accepted: transform=1\n".to_owned(),
        " constructing NONCE (ISAKMP)\n".to_owned(),
        format!(" {failure}\n"),
        " AUTH_FAIL audit 545 ".to_owned(),
        " isakmp_stop\n".to_owned(),
    ] {
        assert!(text.contains(&expected), "{expected:?} is not in\n{text}");
    }
    assert!(text.lines().all(|line| line.as_bytes().get(2) == Some(&b'-')), "every line has its stamp:\n{text}");
    for secret in ["zebra", &hex(b"one zebra"), &hex(b"another zebra")] {
        assert!(!text.contains(secret), "{text}");
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_datagrams_does_not_keep_requests_waiting() {
    let ports = ports();
    let (engine, _driver) = engine(A, ports);
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flood = {
        let (stop, to) = (Arc::clone(&stop), SocketAddr::from((A, ports.0)));
        std::thread::spawn(move || {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
            // The header of a message that no exchange waits for.
            let mut message = [7; 28];
            message[16..28].copy_from_slice(&[1, 0x10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 28]);
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                // A full buffer is what a flood is about.
                let _ = socket.send_to(&message, to);
            }
        })
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let begin = Instant::now();
        engine.snapshot().await.expect("the engine runs");
        slowest = slowest.max(begin.elapsed());
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    flood.join().expect("no panic");
    let counters = engine.counters().await.expect("the engine runs");
    assert!(counters.listener.received > 500, "it was a flood: {counters:?}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    engine.shutdown().await;
}

#[tokio::test]
async fn a_policy_that_the_driver_refuses_is_told() {
    let (engine, driver) = engine(A, ports());
    driver.fail(crate::driver::memory::Kind::SetPolicies, 1, "no room");
    let refused = engine.set_policy(policy(A, B, b"key")).await.expect("the engine runs");
    assert!(refused.is_err_and(|error| error.to_string().contains("no room")));
    engine.shutdown().await;
}

#[tokio::test]
async fn a_lost_driver_is_told_and_can_be_replaced() {
    let ports = ports();
    let (engine, driver) = engine(A, ports);
    engine.set_policy(policy(A, B, b"key")).await.expect("the engine runs").expect("the driver takes it");
    let mut events = engine.subscribe();
    driver.lose("the kernel went away");
    let wait = async {
        loop {
            let event = events.next().await.expect("the engine runs");
            if let EventKind::Endpoint(ikecore::event::EndpointEvent::DriverLost { reason }) = &event.kind {
                return reason.clone();
            }
        }
    };
    let reason = tokio::time::timeout(PATIENCE, wait).await.expect("it is told");
    assert_eq!(reason, "the kernel went away");
    let usage = engine.usage(ikecore::ids::IpsecSaId(1)).await.expect("the engine runs");
    assert!(usage.is_err_and(|error| error.to_string().contains("lost")));
    let (next, script) = MemoryDriver::new();
    let open = || Ok(Opened { driver: Box::new(next), why: "the test wants it".to_owned() });
    let replaced = engine.replace_driver(open).await.expect("the engine runs").expect("the sockets are prepared");
    assert_eq!((replaced.0.name, replaced.1.as_str()), ("memory", "the test wants it"));
    wait_for_policies(&script).await;
    assert_eq!(engine.counters().await.expect("the engine runs").drivers_lost, 1);
    assert!(engine.shutdown().await);
}

/// What one end's driver cannot run is neither offered nor accepted; another driver, which can, has it again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offers_that_the_driver_cannot_run_are_left_out() {
    let ports = ports();
    let ((a, driver_a), (b, _)) = (engine(A, ports), engine(B, ports));
    driver_a.support_no(COMPRESSED);
    let set = a.set_policy(policy(A, B, b"a shared key")).await.expect("the engine runs").expect("the driver takes it");
    assert_eq!(set.len(), 1);
    let text = "rule \"the rule\": the offer ESP AES-128-CBC HMAC-SHA-1-96 with IPComp DEFLATE is left out: driver memory: \
                told not to have it";
    assert_eq!(set[0].to_string(), text);
    assert_eq!(b.set_policy(policy(B, A, b"a shared key")).await.expect("the engine runs"), Ok(Vec::new()));
    let negotiated = async |from: &EngineHandle| {
        let mut events = from.subscribe();
        let command = Command::InitiateRule { rule: "the rule".to_owned(), peer: None };
        from.command(command).await.expect("the engine runs");
        let outcome = outcome(&mut events).await;
        assert!(matches!(outcome, NegotiationEvent::Succeeded { .. }), "{outcome:?}");
        wait_until(&a, "SAs at a", |snapshot| snapshot.ipsec_sas.len() == 1).await.ipsec_sas[0].suite
    };
    // B offers both, and A takes the second.
    assert_eq!(negotiated(&b).await, ESP.alone());
    b.command(Command::DeleteAll).await.expect("the engine runs");
    wait_until(&a, "b's deletes", |snapshot| snapshot.ipsec_sas.is_empty() && snapshot.ike_sas.is_empty()).await;
    assert_eq!(negotiated(&a).await, ESP.alone());
    b.command(Command::DeleteAll).await.expect("the engine runs");
    wait_until(&a, "b's deletes", |snapshot| snapshot.ipsec_sas.is_empty() && snapshot.ike_sas.is_empty()).await;

    let (next, _script) = MemoryDriver::new();
    let open = || Ok(Opened { driver: Box::new(next), why: "the test wants it".to_owned() });
    a.replace_driver(open).await.expect("the engine runs").expect("the sockets are prepared");
    assert_eq!(negotiated(&a).await, COMPRESSED);
    // Without any that it can run a rule stays as it is: the negotiation will tell why it fails.
    let (none, script) = MemoryDriver::new();
    script.support_no(COMPRESSED);
    script.support_no(ESP.alone());
    let open = || Ok(Opened { driver: Box::new(none), why: "the test wants it".to_owned() });
    a.replace_driver(open).await.expect("the engine runs").expect("the sockets are prepared");
    let set = a.set_policy(policy(A, B, b"a shared key")).await.expect("the engine runs").expect("the driver takes it");
    assert_eq!((set.len(), set[0].has_others), (2, false));
    assert!(set[1].to_string().contains("is kept, for there is no other, but it will fail"), "{}", set[1]);
    assert!(a.shutdown().await && b.shutdown().await);
}

async fn wait_for_policies(script: &Script) {
    let begin = Instant::now();
    while script.policies().is_empty() {
        assert!(begin.elapsed() < PATIENCE, "the policy did not reach the new driver: {:?}", script.records());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_slow_subscriber_loses_events_and_stops_nobody() {
    let ports = ports();
    let (engine, driver) = engine(A, ports);
    let mut slow = engine.subscribe();
    let unknown = Acquire { reqid: 9, ..acquire() };
    // Without a policy each acquire is one event.
    for _ in 0..10_000 {
        driver.acquire(unknown);
    }
    let begin = Instant::now();
    let acquires = || async { engine.snapshot().await.expect("the engine runs").counters.acquires };
    while acquires().await < 10_000 {
        assert!(begin.elapsed() < PATIENCE);
        tokio::task::yield_now().await;
    }
    assert!(slow.next().await.is_some());
    assert!(slow.lost() >= 10_000 - 4096, "{}", slow.lost());
    engine.shutdown().await;
}

#[tokio::test]
async fn shutdown_is_bounded_when_the_driver_hangs() {
    let ports = ports();
    let (engine, driver) = engine(A, ports);
    driver.set_on_demand(true);
    let setting = tokio::spawn({
        let engine = engine.clone();
        async move { engine.set_policy(policy(A, B, b"key")).await }
    });
    engine.set_detail(Detail::Trace);
    while driver.waiting() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let begin = Instant::now();
    let (one, two) = tokio::join!(engine.shutdown(), engine.shutdown());
    assert_eq!((one, two), (false, false), "not everything was done");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    engine.ended().await;
    assert!(setting.await.expect("no panic").is_err(), "the engine ended before the driver answered");
}

mod statistics;
