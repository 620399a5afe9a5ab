//! Two daemons that rekey again and again under traffic, while a third host sends them whatever it can think of; and a
//! responder in a flood of forged first messages. `make soak SECONDS=n`; a short run otherwise.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use ikecore::crypto::group::Group;
use tests::capture::{Capture, Kind};
use tests::daemon::{Daemon, Driver};
use tests::load::{self, Client, Extent, Flood, Flow};
use tests::netns::{A, B, Namespace, WIRE, World};
use tests::policy_text::Policy;

/// Lives short enough for many rekeys.
const MAIN_MODE_SECONDS: u32 = 20;
const QUICK_MODE_SECONDS: u32 = 10;

/// Growth of a daemon's memory that is no leak, in KiB.
const GROWTH: u64 = 8 * 1024;

/// Datagrams a second of what leads to nothing, to each daemon.
const GARBAGE: u32 = 200;

/// First messages a second, each from one of so many addresses.
const FIRST_MESSAGES: u32 = 2_000;
const FORGED_ADDRESSES: u16 = 2_000;

/// What the table of half-open main modes, buffers and traces may take in a flood, in KiB.
const FLOOD_GROWTH: u64 = 24 * 1024;

fn seconds(short: u64) -> u64 {
    std::env::var("SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(short)
}

/// Garbage from host `from`, from addresses that the other host routes back.
fn garbage(from: &Namespace, net: [u8; 2], to: (&Namespace, &str), via: &str) -> Flood {
    let sockets = load::sockets(from, net, 50);
    to.0.ip(&[&format!("route add {}.{}.0.0/16 via {via} dev {WIRE}", net[0], net[1])]);
    Flood::start(sockets, to.1.parse().expect("a constant address"), Flow::Garbage, GARBAGE)
}

#[test]
fn rekeys_under_traffic_and_garbage_leave_nothing_behind() {
    let seconds = seconds(25);
    let world = World::new();
    let capture = Capture::start(&world);
    let policy = |policy: Policy| {
        Policy { main_mode_seconds: MAIN_MODE_SECONDS, quick_mode_seconds: QUICK_MODE_SECONDS, ..policy }.text()
    };
    let mut a = Daemon::start(&world.a, Driver::Userspace, &policy(Policy::between(A, B)));
    let mut b = Daemon::start(&world.b, Driver::Userspace, &policy(Policy::between(B, A)));
    assert!(world.a.ping_until_answered(A.inside, B.inside, Duration::from_secs(15)), "{}", a.oakley());
    let floods = [
        garbage(&world.a, [10, 21], (&world.b, B.wire), A.wire),
        garbage(&world.b, [10, 22], (&world.a, A.wire), B.wire),
    ];
    // The trace's and the allocator's buffers have their size after the first rekeys.
    let mut before = None;
    let begin = Instant::now();
    let end = begin + Duration::from_secs(seconds);
    let (mut sent, mut answered) = (0, 0);
    while Instant::now() < end {
        answered += world.a.ping(A.inside, B.inside, 25);
        sent += 25;
        let memory = (a.process().memory(), b.process().memory());
        let settled = begin.elapsed() > Duration::from_secs((seconds / 4).min(60));
        before = before.or_else(|| settled.then_some(memory));
        // The old and the new one may stand side by side while they change.
        let sas = (a.isakmp_sas(), a.ipsec_sas(), b.isakmp_sas(), b.ipsec_sas());
        assert!([sas.0, sas.1, sas.2, sas.3].iter().all(|count| (1..=3).contains(count)), "{sas:?}\n{}", a.oakley());
        println!("{sent} pings, {answered} answered, SAs {sas:?}, memory {} and {} KiB", memory.0, memory.1);
    }
    println!("{} and {} datagrams of garbage", floods[0].sent(), floods[1].sent());
    assert!(floods.iter().all(|flood| flood.sent() >= seconds * u64::from(GARBAGE) / 4), "no flood");
    // A rekey may lose a packet that is under way, not more.
    assert!(answered * 50 >= sent * 49, "{answered} of {sent} pings answered:\n{}", a.oakley());
    assert_eq!(capture.count(Kind::Echo), 0, "pings in clear");
    let (before, after) = (before.unwrap_or_default(), (a.process().memory(), b.process().memory()));
    assert!(after.0 <= before.0 + GROWTH && after.1 <= before.1 + GROWTH, "memory grew from {before:?} to {after:?}");
    for daemon in [&mut a, &mut b] {
        let output = daemon.output();
        assert!(daemon.process().is_running() && !output.contains("panicked"), "{output}");
    }
}

#[test]
fn a_flood_of_first_messages_costs_little_and_true_peers_get_through() {
    let world = World::new();
    let mut policy = Policy::between(B, A).transport().proposals("aes256-sha256-ecp256", "aes256-sha256");
    policy.remote = "10.0.0.0/8".to_owned();
    // Without the trace, as it runs by default: a trace of every forged message costs more than the message.
    let mut responder = Daemon::start_quiet(&world.b, Driver::Memory, &policy.text());
    let peer = B.wire_ip();
    let client = |last| {
        let address = Ipv4Addr::new(10, 9, 0, last);
        world.a.ip(&[&format!("addr add {address}/24 dev {WIRE}")]);
        Client::new(&world.a, IpAddr::V4(address), peer, Group::Ecp256, Extent::QuickMode)
    };
    let first = client(99).first_message();
    let mut honest = client(100);
    honest.negotiate(Duration::from_secs(10)).expect("they negotiate while all is quiet");
    honest.end();
    let sockets = load::sockets(&world.a, [10, 23], FORGED_ADDRESSES);
    world.b.ip(&[&format!("route add 10.23.0.0/16 via {} dev {WIRE}", A.wire)]);
    let (memory, spent) = (responder.process().memory(), responder.process().processor_time());
    let flood = Flood::start(sockets, peer, Flow::FirstMessages(first), FIRST_MESSAGES);
    let begin = Instant::now();
    let end = begin + Duration::from_secs(seconds(10).min(60));
    // Until the table is full nobody has to make way.
    std::thread::sleep(Duration::from_secs(2));
    let (mut tried, mut slowest, mut most) = (0, Duration::ZERO, 0);
    while Instant::now() < end {
        tried += 1;
        let took = honest.negotiate(Duration::from_secs(10));
        let took = took.unwrap_or_else(|| panic!("negotiation {tried} was shut out:\n{}", responder.oakley()));
        honest.end();
        slowest = slowest.max(took);
        most = most.max(responder.process().memory());
        std::thread::sleep(Duration::from_millis(200));
    }
    let sent = flood.sent();
    let spent = responder.process().processor_time() - spent;
    println!(
        "{sent} first messages in {:?}: {tried} true negotiations, the slowest in {slowest:?}; memory {memory} KiB, at most \
         {most}; {:.0} us of CPU for each message",
        begin.elapsed(),
        spent.as_secs_f64() * 1e6 / sent as f64
    );
    drop(flood);
    assert!(tried >= 5 && sent >= 5_000, "{tried} {sent}");
    assert!(most <= memory + FLOOD_GROWTH, "memory grew from {memory} to {most} KiB");
    assert!(responder.isakmp_sas() <= 600, "half-open main modes are not bounded");
    honest.negotiate(Duration::from_secs(10)).expect("they negotiate after the flood");
}
