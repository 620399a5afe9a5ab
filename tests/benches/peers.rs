//! Our daemon and strongSwan's charon as responders, one after the other in one run, under the same load: main modes with
//! a pre-shared key, each deleted at once. Quick modes are left out, because charon needs a kernel with ESP for them.
//!
//! `BENCH_COUNT` is the number of negotiations of each, 400 by default.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use ikecore::crypto::group::Group;
use tests::charon::{Charon, Connection, Kernel};
use tests::daemon::{Daemon, Driver};
use tests::load::{Client, Extent};
use tests::netns::{A, B, World};
use tests::policy_text::Policy;
use tests::process::Process;

/// Clients that negotiate at the same time.
const CLIENTS: u8 = 4;
const PATIENCE: Duration = Duration::from_secs(20);

/// What was measured of one responder.
struct Measured {
    per_second: f64,
    milliseconds: f64,
    kibibytes: u64,
}

/// The addresses of the clients, on the wire of host `a`.
fn addresses() -> impl Iterator<Item = Ipv4Addr> {
    (0..CLIENTS).map(|number| Ipv4Addr::new(10, 9, 0, 100 + number))
}

fn world() -> World {
    let world = World::new();
    let lines: Vec<String> = addresses().map(|address| format!("addr add {address}/24 dev wire0")).collect();
    world.a.ip(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    world
}

/// `count` main modes, by all clients together.
fn measure(world: &World, responder: &Process, group: Group, count: u32) -> Measured {
    let peer = B.wire_ip();
    let mut clients: Vec<Client> =
        addresses().map(|address| Client::new(&world.a, IpAddr::V4(address), peer, group, Extent::MainMode)).collect();
    // The first of each are not counted: caches fill, threads start.
    for client in &mut clients {
        client.negotiate(PATIENCE).expect("the responder negotiates");
        client.end();
    }
    let each = count / u32::from(CLIENTS);
    let (start, before) = (Instant::now(), responder.processor_time());
    std::thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(move || {
                for _ in 0..each {
                    client.negotiate(PATIENCE).expect("the responder negotiates");
                    client.end();
                }
            });
        }
    });
    let count = f64::from(each * u32::from(CLIENTS));
    let spent = responder.processor_time() - before;
    Measured {
        per_second: count / start.elapsed().as_secs_f64(),
        milliseconds: spent.as_secs_f64() * 1_000.0 / count,
        kibibytes: responder.memory(),
    }
}

fn ours(group: Group, name: &str, count: u32) -> Measured {
    let world = world();
    let mut policy = Policy::between(B, A).transport().proposals(name, "aes256-sha256");
    policy.remote = "10.9.0.0/24".to_owned();
    let mut daemon = Daemon::start_quiet(&world.b, Driver::Memory, &policy.text());
    measure(&world, daemon.process(), group, count)
}

fn charons(group: Group, name: &str, count: u32) -> Measured {
    let world = world();
    let mut connection = Connection::between(B, A).transport().proposals(name, "aes256-sha256");
    connection.remote = "10.9.0.0/24".to_owned();
    connection.remote_id = "%any".to_owned();
    let charon = Charon::start_logging(&world.b, Kernel::Netlink, &connection, "default = -1");
    measure(&world, charon.process(), group, count)
}

fn main() {
    let count = std::env::var("BENCH_COUNT").ok().and_then(|text| text.parse().ok()).unwrap_or(400);
    println!("main modes with a pre-shared key, responder, {count} of each; both ends share this machine");
    println!("{:<30} {:>12} {:>14} {:>12}", "", "a second", "CPU ms each", "memory KiB");
    for (name, group) in [("aes256-sha256-modp2048", Group::Modp2048), ("aes256-sha256-ecp256", Group::Ecp256)] {
        let (own, other) = (ours(group, name, count), charons(group, name, count));
        for (who, measured) in [("policyagent", &own), ("charon", &other)] {
            let Measured { per_second, milliseconds, kibibytes } = measured;
            println!("{name:<30} {per_second:>12.0} {milliseconds:>14.2} {kibibytes:>12} {who}");
        }
        println!(
            "{name:<30} {:>12.2} {:>14.2} {:>12.2} ratio, charon's being 1",
            own.per_second / other.per_second,
            own.milliseconds / other.milliseconds,
            own.kibibytes as f64 / other.kibibytes as f64
        );
    }
}
