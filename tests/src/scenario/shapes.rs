//! What can be protected, and how: AH, IPv6, ESP in UDP, one protocol and port, several pairs of nets.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{PATIENCE, Role, Setting, suiting};
use crate::capture::Kind;
use crate::charon::{Connection, Kernel, Mode};
use crate::daemon::Driver;
use crate::interop::Row;
use crate::netns::{A, Addresses, B, World};
use crate::policy_text::{Policy, Protocol, Upper};
use crate::process::wait_until;

/// The port of a service.
const PORT: u16 = 7777;

/// What the service says and hears, each way.
const GREETING: &[u8] = b"protected by policy";

/// AH with HMAC of `hash`, whose negotiated name at charon is `listed`: pings, those that come in fragments, and those whose
/// options the hosts on the way fill in.
pub fn authentication_header(
    driver: Driver,
    hash: &str,
    listed: &str,
    [own, other]: [Addresses; 2],
    mode: Mode,
    role: Role,
) {
    let ipv6 = own.wire.contains(':');
    let what = format!("AH {hash}-modp2048, {}{}", if ipv6 { "IPv6, " } else { "" }, mode.name());
    let _row = Row::charon(what, Kernel::Netlink, driver, role.alone());
    let offer = format!("{hash}-modp2048");
    let (main_mode, quick_mode) = ("aes128-sha1-modp1024", offer.as_str());
    let policy = Policy { protocol: Protocol::Ah, ..Policy::between(own, other) }.proposals(main_mode, quick_mode);
    let connection =
        Connection { protocol: Protocol::Ah, ..Connection::between(other, own) }.proposals(main_mode, quick_mode);
    let world = World::new();
    let setting = Setting::start(&world, driver, Kernel::Netlink, &policy.mode(mode), &connection.mode(mode));
    negotiate_and_delete(&setting, role, |setting| {
        assert_eq!(setting.charon.installed()[0].suite, format!("{listed} MODP_2048"));
        let (from, to) = setting.ends;
        let recorded: &[&str] = if ipv6 { &[] } else { &["-R"] };
        for how in [&["-s", "3000"][..], recorded] {
            let ping = [&["-n", "-c", "1", "-W", "5", "-I", from][..], how, &[to]].concat();
            let report = world.a.run("ping", &ping);
            assert!(report.contains(" 1 received"), "{how:?}: {report}\n{}", setting.daemon.oakley());
        }
        // In user space the kernel has no SAs.
        let host = if driver == Driver::Userspace { &world.b } else { &world.a };
        let states = host.run("ip", &["xfrm", "state"]);
        assert!(states.contains("proto ah") && !states.contains("proto esp"), "{states}");
    });
}

/// Hosts with other addresses than usual: IPv6, or one family within the other.
pub fn addresses(driver: Driver, own: Addresses, other: Addresses, mode: Mode, role: Role) {
    let family = |address: &str| if address.contains(':') { "IPv6" } else { "IPv4" };
    let what = match mode {
        Mode::Transport => format!("{}, transport", family(own.wire)),
        Mode::Tunnel => format!("{} in {}, tunnel", family(own.inside), family(own.wire)),
    };
    let _row = Row::charon(what, Kernel::Netlink, driver, role.alone());
    let world = World::new();
    let policy = Policy::between(own, other).mode(mode);
    let connection = Connection::between(other, own).mode(mode);
    let setting = Setting::start(&world, driver, Kernel::Netlink, &policy, &connection);
    negotiate_and_delete(&setting, role, |setting| {
        let packets = setting.capture.packets();
        let protected = packets.iter().filter(|packet| packet.kind == Kind::Esp);
        let outer: Vec<String> = protected.map(|packet| packet.source.to_string()).collect();
        assert!(outer.iter().all(|source| [own.wire, other.wire].contains(&source.as_str())), "{outer:?}");
    });
}

/// ESP in UDP, which the peer wants as if there were a NAT.
pub fn in_udp(driver: Driver, mode: Mode, role: Role) {
    let what = format!("ESP in UDP, wanted by the peer, {}", mode.name());
    let _row = Row::charon(what, Kernel::Netlink, driver, role.alone());
    let world = World::new();
    let (policy, connection) = suiting(driver, mode);
    let setting = Setting::start(&world, driver, Kernel::Netlink, &policy, &connection.encapsulated());
    negotiate_and_delete(&setting, role, |setting| {
        assert!(setting.charon.installed()[0].encapsulated);
        assert_eq!(setting.capture.count(Kind::Esp), 0, "ESP outside UDP");
    });
}

#[track_caller]
pub(super) fn negotiate_and_delete(setting: &Setting<'_>, role: Role, check: impl FnOnce(&Setting<'_>)) {
    setting.negotiate(role);
    setting.exchange_traffic();
    check(setting);
    let first = setting.charon.installed().remove(0);
    setting.charon.rekey_child();
    setting.successor(&first);
    setting.exchange_traffic();
    setting.charon.terminate();
    setting.wait_nothing_left();
    setting.wait_kernels_empty();
}

/// Only ICMP is protected; all else goes in clear.
pub fn icmp_alone(driver: Driver, role: Role) {
    let _row = Row::charon("Selectors of ICMP alone, transport", Kernel::Netlink, driver, role.alone());
    let world = World::new();
    let policy = Policy { upper: Some(Upper::Icmp), ..Policy::between(A, B) }.transport();
    let icmp = || vec!["dynamic[icmp]".to_owned()];
    let connection = Connection { local_ts: icmp(), remote_ts: icmp(), ..Connection::between(B, A).transport() };
    let setting = Setting::start(&world, driver, Kernel::Netlink, &policy, &connection);
    setting.negotiate(role);
    setting.exchange_traffic();
    let child = setting.charon.installed().remove(0);
    assert!(child.local_ts[0].contains("icmp") && child.remote_ts[0].contains("icmp"), "{child:?}");
    let before = setting.capture.count(Kind::Esp);
    greet_in_clear(&setting, B.wire);
    assert_eq!(setting.capture.count(Kind::Esp), before, "TCP in ESP");
    setting.charon.terminate();
    setting.wait_nothing_left();
    setting.wait_kernels_empty();
}

/// All between two nets is protected but TCP to one port, which both ends let through.
pub fn one_port_in_clear(driver: Driver, role: Role) {
    let what = "One TCP port in clear between protected nets, tunnel";
    let _row = Row::charon(what, Kernel::Netlink, driver, role.alone());
    let world = World::new();
    // Connections from host `a` shall have an address of the net.
    world.a.ip(&[&format!("route replace {} via {} src {}", B.net, B.wire, A.inside)]);
    let (policy, connection) = suiting(driver, Mode::Tunnel);
    let policy = Policy { permitted: Some(Upper::TcpPort(PORT)), ..policy };
    let pass = Some((format!("{}[tcp/{PORT}]", B.net), format!("{}[tcp]", A.net)));
    let connection = Connection { pass, ..connection };
    let setting = Setting::start(&world, driver, Kernel::Netlink, &policy, &connection);
    // Without SAs, with them, and afterwards.
    greet_in_clear(&setting, B.inside);
    assert_eq!((setting.capture.count(Kind::Ike), setting.capture.count(Kind::Esp)), (0, 0), "it needs no SAs");
    setting.negotiate(role);
    setting.exchange_traffic();
    let before = setting.capture.count(Kind::Esp);
    greet_in_clear(&setting, B.inside);
    assert_eq!(setting.capture.count(Kind::Esp), before, "TCP in ESP");
    setting.exchange_traffic();
    setting.charon.terminate();
    setting.wait_nothing_left();
    setting.wait_kernels_empty();
    greet_in_clear(&setting, B.inside);
}

/// A connection to `to` is served, and crosses the wire in clear.
#[track_caller]
fn greet_in_clear(setting: &Setting<'_>, to: &str) {
    let port = PORT.to_be_bytes();
    let of_connection = |octets: &[u8]| [octets.get(0..2), octets.get(2..4)].contains(&Some(&port));
    let in_clear = || {
        let packets = setting.capture.packets();
        packets.iter().filter(|packet| packet.kind == Kind::Other && of_connection(&packet.payload)).count()
    };
    let before = in_clear();
    let server = serve_once(setting.world, to);
    let answer = greet(setting.world, to);
    let answer = answer.unwrap_or_else(|e| panic!("no answer by TCP: {e}\n{}", setting.daemon.oakley()));
    assert_eq!(answer, GREETING);
    server.join().expect("the server does not panic").expect("the server is served");
    // SYN, SYN and ACK, ACK, and a segment each way.
    assert!(wait_until(PATIENCE, || in_clear() >= before + 5), "{before}, then {} packets in clear", in_clear());
}

/// A server at the address `to` of host `b` that answers one greeting.
fn serve_once(world: &World, to: &str) -> JoinHandle<std::io::Result<()>> {
    let service = service(to);
    let listener = world.b.within(move || TcpListener::bind(service)).expect("the port is free");
    std::thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut heard = vec![0; GREETING.len()];
        stream.read_exact(&mut heard)?;
        stream.write_all(&heard)
    })
}

/// Greets it from host `a`, and returns the answer.
fn greet(world: &World, to: &str) -> std::io::Result<Vec<u8>> {
    let service = service(to);
    world.a.within(move || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&service, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(GREETING)?;
        let mut answer = vec![0; GREETING.len()];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    })
}

fn service(to: &str) -> SocketAddr {
    format!("{to}:{PORT}").parse().expect("an address and a port")
}

/// Only TCP to one port is protected; all else goes in clear.
pub fn one_port(driver: Driver, role: Role) {
    let _row = Row::charon("Selectors of one TCP port, transport", Kernel::Netlink, driver, role.alone());
    let world = World::new();
    let policy = Policy { upper: Some(Upper::TcpPort(PORT)), ..Policy::between(A, B) }.transport();
    let connection = Connection {
        local_ts: vec![format!("dynamic[tcp/{PORT}]")],
        remote_ts: vec!["dynamic[tcp]".to_owned()],
        ..Connection::between(B, A).transport()
    };
    let setting = Setting::start(&world, driver, Kernel::Netlink, &policy, &connection);
    let server = serve_once(&world, B.wire);
    if role == Role::Responder {
        setting.charon.initiate().unwrap_or_else(|error| panic!("charon: {error}\n{}", setting.daemon.oakley()));
        setting.wait_daemon_ipsec_sas(1);
    }
    // As initiator the first SYN is what starts the negotiation; TCP sends it again.
    let answer = greet(&world, B.wire);
    let answer = answer.unwrap_or_else(|e| panic!("no answer by TCP: {e}\n{}", setting.daemon.oakley()));
    assert_eq!(answer, GREETING);
    server.join().expect("the server does not panic").expect("the server is served");
    // SYN, SYN and ACK, ACK, and a segment each way.
    assert!(setting.capture.wait_count(Kind::Esp, 5, PATIENCE), "the connection in ESP");
    assert_eq!(world.a.ping(A.wire, B.wire, 2), 2, "pings beside the filter");
    assert!(setting.capture.wait_count(Kind::Echo, 4, PATIENCE), "pings in clear");
    let to_port = PORT.to_be_bytes();
    let clear = setting.capture.packets().into_iter().filter(|packet| packet.kind == Kind::Other);
    let leaked: Vec<_> = clear.filter(|packet| packet.payload.get(2..4) == Some(&to_port)).collect();
    assert!(leaked.is_empty(), "TCP in clear: {leaked:?}");
    let child = setting.charon.installed().remove(0);
    assert!(child.packets_in >= 3 && child.packets_out >= 2, "{child:?}");
    assert!(child.local_ts[0].contains("tcp/7777"), "{child:?}");
    setting.charon.terminate();
    setting.wait_nothing_left();
    setting.wait_kernels_empty();
}

/// Two rules for two pairs of nets: each has its own quick mode, both on one main mode.
pub fn two_rules(driver: Driver, role: Role) {
    let what = "Two pairs of nets, two quick modes on one ISAKMP SA";
    let _row = Row::charon(what, Kernel::Netlink, driver, role.alone());
    let (own, other) = (("10.11.1.0/24", "10.11.1.1"), ("10.11.2.0/24", "10.11.2.1"));
    let pair = |(near, _): (&str, &str), (far, _): (&str, &str)| vec![(near.to_owned(), far.to_owned())];
    let world = World::new();
    world.a.ip(&[&format!("addr add {}/24 dev lo", own.1), &format!("route add {} via {}", other.0, B.wire)]);
    world.b.ip(&[&format!("addr add {}/24 dev lo", other.1), &format!("route add {} via {}", own.0, A.wire)]);
    let policy = Policy { also: pair(own, other), ..Policy::between(A, B) };
    let connection = Connection { also: pair(other, own), ..Connection::between(B, A) };
    let setting = Setting::start(&world, driver, Kernel::Netlink, &policy, &connection);
    setting.negotiate(role);
    setting.exchange_traffic();
    match role {
        Role::Initiator => {
            assert!(world.a.ping_until_answered(own.1, other.1, PATIENCE), "{}", setting.daemon.oakley());
        }
        Role::Responder => setting.charon.initiate_child("c2").expect("a second quick mode"),
    }
    setting.wait_daemon_ipsec_sas(2);
    // charon may have answered the first pings of the second rule before it protected its side.
    assert!(wait_until(PATIENCE, || setting.charon.installed().len() == 2), "{}", setting.charon.log());
    setting.settle();
    assert_eq!(world.a.ping(own.1, other.1, 3), 3, "pings of the second rule");
    setting.exchange_traffic();
    assert_eq!((setting.charon.list_sas().len(), setting.charon.installed().len()), (1, 2));
    assert_eq!(setting.capture.in_clear(&[own.1], None), []);
    assert_eq!(setting.daemon.isakmp_sas(), 1);
    setting.charon.terminate_child();
    setting.wait_daemon_ipsec_sas(1);
    assert_eq!(world.a.ping(own.1, other.1, 2), 2, "the second rule's SAs stay");
    setting.charon.terminate();
    setting.wait_nothing_left();
    setting.wait_kernels_empty();
}

/// The life in kilobytes is nearly over long before that in seconds: the daemon makes new SAs in time.
pub fn life_in_kilobytes(driver: Driver) {
    let _row = Row::charon("Life in kilobytes", Kernel::Netlink, driver, Role::Initiator.alone());
    let world = World::new();
    let (policy, connection) = suiting(driver, Mode::Transport);
    let policy = Policy { quick_mode_kilobytes: 200, ..policy };
    let setting = Setting::start(&world, driver, Kernel::Netlink, &policy, &connection);
    setting.negotiate(Role::Initiator);
    let first = setting.charon.installed().remove(0);
    // 300 times 1 KB, each way, in 15 s.
    let arguments = ["-n", "-c", "300", "-i", "0.05", "-s", "996", "-W", "1", "-I", A.wire, B.wire];
    let began = Instant::now();
    let report = world.a.run("ping", &arguments);
    // charon uses its new SAs when it has the third message of quick mode: a packet that overtakes that is lost.
    let answered = report.contains(" 300 received") || report.contains(" 299 received");
    assert!(answered, "{report}\n{}", setting.daemon.oakley());
    assert!(began.elapsed() < Duration::from_secs(60), "so that no life in seconds was over");
    let second = setting.successor(&first);
    assert_ne!(first.spi_out, second.spi_out);
    assert_eq!(setting.daemon.isakmp_sas(), 1);
    // The old pair waits for its end, and then is gone at both ends.
    let replaced = || setting.charon.installed().iter().any(|child| child.spi_in == first.spi_in);
    assert!(wait_until(Duration::from_secs(90), || !replaced()), "{}", setting.daemon.oakley());
    setting.wait_daemon_ipsec_sas(1);
    setting.exchange_traffic();
}
