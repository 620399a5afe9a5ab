//! L2TP over IPsec: clients behind a NAT, and their server. At either end the daemon or charon protects what xl2tpd sends.

use std::time::Instant;

use serde_json::Value;

use crate::capture::{Capture, Kind};
use crate::charon::{Charon, ChildSa, Connection, Kernel};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, B, Namespace, World};
use crate::process::wait_until;
use crate::xl2tpd::{self, Xl2tpd};

use super::{PATIENCE, Role};

/// The port of L2TP.
const PORT: u16 = 1701;

/// What the kernel needs to translate addresses.
const NAT_MODULES: [&str; 2] = ["xt_MASQUERADE", "iptable_nat"];

/// The policy of an L2TP server, or of a client, by its one `filter`.
fn policy(filter: &str) -> String {
    format!(
        r#"[[policy]]
name = "test"
assigned = true

[policy.main_mode]
offers = ["aes256-sha1-modp2048"]

[[policy.rule]]
name = "l2tp"
filter_list = "l2tp"
filter_action = "require"
authentication = [{{ preshared_key = "correct horse battery" }}]

[[filter_list]]
name = "l2tp"
filters = [{filter}]

[[filter_action]]
name = "require"
action = "negotiate"
offers = [{{ esp = "aes256-sha1" }}]
"#
    )
}

/// What a server protects.
const OF_SERVER: &str = r#"{ source = "me", destination = "any", protocol = "udp", source_port = 1701 }"#;

/// Makes host `b` a NAT, and sees that the kernel has L2TP.
fn prepare(world: &World) {
    world.b.run("modprobe", &[&["-a"], &xl2tpd::MODULES[..], &NAT_MODULES[..]].concat());
    world.b.run("sysctl", &["-qw", "net.ipv4.ip_forward=1"]);
    let masquerade = "-t nat -A POSTROUTING -o wire0 -p udp -j MASQUERADE --to-ports 30000-40000";
    world.b.run("iptables-legacy", &masquerade.split(' ').collect::<Vec<_>>());
}

/// A host behind the NAT, the one with the number `number`, and its address.
fn client_host(world: &World, number: u8) -> (Namespace, String) {
    let host = Namespace::new(&format!("client{number}"));
    let [inside, own] = [1, 2].map(|end| format!("10.20.{number}.{end}"));
    world.b.ip(&[
        &format!("link add lan{number} type veth peer name lan0 netns {}", host.path()),
        &format!("addr add {inside}/24 dev lan{number}"),
        &format!("link set lan{number} up"),
    ]);
    host.ip(&[&format!("addr add {own}/24 dev lan0"), "link set lan0 up", &format!("route add default via {inside}")]);
    (host, own)
}

/// What charon proposes between an end with this address and selector, and the other one.
fn connection((local, local_ts): (&str, String), (remote, remote_ts): (&str, String)) -> Connection {
    let connection = Connection::between(A, B).transport().proposals("aes256-sha1-modp2048", "aes256-sha1");
    Connection {
        local: local.to_owned(),
        remote: remote.to_owned(),
        local_id: local.to_owned(),
        remote_id: remote.to_owned(),
        local_ts: vec![format!("dynamic[{local_ts}]")],
        remote_ts: vec![format!("dynamic[{remote_ts}]")],
        ..connection
    }
}

/// Waits until `host` has a PPP link with `address` at its end.
#[track_caller]
fn wait_link(host: &Namespace, address: &str, logs: impl Fn() -> String) {
    let link = format!("inet {address} peer {}/32", xl2tpd::SERVER);
    let addresses = || host.run("ip", &["-o", "-4", "addr"]);
    assert!(wait_until(PATIENCE, || addresses().contains(&link)), "{}\n{}", addresses(), logs());
}

/// Ends L2TP and waits for the end of PPP: what pppd sent without IPsec SAs would go in clear.
#[track_caller]
fn end_link(host: &Namespace, mut xl2tpd: Xl2tpd) {
    xl2tpd.stop();
    let links = || host.run("ip", &["-o", "link"]);
    assert!(wait_until(PATIENCE, || !links().contains("ppp")), "{}", links());
}

/// The server on host `a`, and host `b` as the NAT before its clients.
struct Server<'a> {
    world: &'a World,
    daemon: Daemon<'a>,
    xl2tpd: Xl2tpd,
    capture: Capture,
}

impl<'a> Server<'a> {
    fn start(world: &'a World, driver: Driver) -> Self {
        prepare(world);
        let capture = Capture::start(world);
        let daemon = Daemon::start(&world.a, driver, &policy(OF_SERVER));
        let xl2tpd = Xl2tpd::server(&world.a, A.wire);
        Self { world, daemon, xl2tpd, capture }
    }

    #[track_caller]
    fn wait_pairs(&self, count: usize) {
        let held = wait_until(PATIENCE, || self.daemon.ipsec_sas() == count);
        assert!(held, "{} pairs, not {count}:\n{}", self.daemon.ipsec_sas(), self.daemon.oakley());
    }

    /// Nothing but IKE and ESP in UDP crossed the wire between the server and the NAT.
    #[track_caller]
    fn assert_all_protected(&self) {
        let packets = self.capture.packets();
        for kind in [Kind::L2tp, Kind::Esp, Kind::Echo] {
            let found: Vec<_> = packets.iter().filter(|packet| packet.kind == kind).collect();
            assert!(found.is_empty(), "{kind:?}: {found:?}\n{}", self.daemon.oakley());
        }
    }
}

/// A client behind the NAT.
struct Client {
    host: Namespace,
    charon: Charon,
    port: u16,
}

impl Client {
    /// The client with the number `number`, whose L2TP comes from `port`.
    fn start(server: &Server<'_>, number: u8, port: u16) -> Self {
        Self::proposing(server, number, port, &format!("udp/{port}"))
    }

    /// The same, proposing `upper` for its side.
    fn proposing(server: &Server<'_>, number: u8, port: u16, upper: &str) -> Self {
        let (host, own) = client_host(server.world, number);
        let connection = connection((&own, upper.to_owned()), (A.wire, format!("udp/{PORT}")));
        let charon = Charon::start(&host, Kernel::Netlink, &connection);
        Self { host, charon, port }
    }

    /// Negotiates, and then connects by L2TP: what xl2tpd sent before charon protects it would go in clear.
    #[track_caller]
    fn connect(&self, server: &Server<'_>, address: &str) -> Xl2tpd {
        self.charon.initiate().unwrap_or_else(|error| panic!("charon: {error}\n{}", server.daemon.oakley()));
        self.charon.wait_installed();
        let xl2tpd = Xl2tpd::client(&self.host, A.wire, self.port);
        let logs = || format!("{}\n{}\n{}", xl2tpd.log(), server.xl2tpd.log(), server.daemon.oakley());
        wait_link(&self.host, address, logs);
        xl2tpd
    }

    /// Has charon replace its pair.
    #[track_caller]
    fn rekey(&self) {
        let old = self.charon.installed().remove(0);
        self.charon.rekey_child();
        self.wait_successor(&old);
    }

    /// Has the daemon make new SAs of both phases with this client.
    #[track_caller]
    fn be_rekeyed(&self, server: &Server<'_>) {
        let status = server.daemon.status();
        let find = |list: &str, fits: &dyn Fn(&Value) -> bool| {
            let found = status[list].as_array().and_then(|all| all.iter().find(|one| fits(one)));
            found.unwrap_or_else(|| panic!("none of {list} with the client: {status}")).clone()
        };
        let pair = find("ipsec_sas", &|pair| pair["selector"]["remote_port"] == self.port);
        let ike_sa = find("ike_sas", &|sa| sa["remote"] == pair["remote"]);
        let handle = |of: &Value| of["id"].as_str().expect("a handle").to_owned();
        let cookies = self.charon.list_sas()[0].cookies.clone();
        let old = self.charon.installed().remove(0);
        server.daemon.run(&["rekey", "--ike-sa", &handle(&ike_sa)]);
        self.charon.wait_sas("a new IKE SA, begun by the daemon", PATIENCE, |sas| {
            sas.iter().any(|sa| sa.state == "ESTABLISHED" && sa.cookies != cookies && !sa.initiator)
        });
        server.daemon.run(&["rekey", "--ipsec-sa", &handle(&pair)]);
        self.wait_successor(&old);
    }

    /// Waits for a pair that is not `old`.
    #[track_caller]
    fn wait_successor(&self, old: &ChildSa) {
        self.charon.wait_sas("a new pair of IPsec SAs", PATIENCE, |sas| {
            let mut children = sas.iter().flat_map(|sa| &sa.children);
            children.any(|child| child.state == "INSTALLED" && child.spi_in != old.spi_in)
        });
    }

    /// Ends the link, then the SAs.
    #[track_caller]
    fn end(&self, xl2tpd: Xl2tpd) {
        end_link(&self.host, xl2tpd);
        self.charon.terminate();
        self.charon.wait_sas("no SAs left", PATIENCE, <[_]>::is_empty);
    }

    /// Pings the server through PPP.
    #[track_caller]
    fn exchange_traffic(&self, server: &Server<'_>, address: &str) {
        let answered = self.host.ping(address, xl2tpd::SERVER, 3);
        assert_eq!(answered, 3, "pings through PPP:\n{}\n{}", server.xl2tpd.log(), server.daemon.oakley());
    }
}

/// The UDP port of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientPort {
    /// That of L2TP, which it proposes, as Windows does.
    Own,
    /// Another one, and it proposes any.
    Any,
}

/// One client, from nothing to its end.
pub fn a_client_behind_a_nat(driver: Driver, port: ClientPort) {
    let (words, port, upper, proposed) = match port {
        ClientPort::Own => ("", PORT, "udp/1701", PORT),
        ClientPort::Any => (" with any port", 51_701, "udp", 0),
    };
    let what = format!("L2TP client (xl2tpd){words} behind NAT: PPP, rekey, delete by the peer, transport");
    let _row = Row::charon(what, Kernel::Netlink, driver, Role::Responder.alone());
    let world = World::new();
    let mut server = Server::start(&world, driver);
    let client = Client::proposing(&server, 1, port, upper);
    let link = client.connect(&server, xl2tpd::FIRST_CLIENT);
    client.exchange_traffic(&server, xl2tpd::FIRST_CLIENT);
    let status = server.daemon.status();
    let pair = &status["ipsec_sas"][0];
    assert_eq!(status["ipsec_sas"].as_array().map(Vec::len), Some(1), "{status}");
    assert_eq!((pair["mode"].as_str(), pair["encapsulated"].as_bool()), (Some("transport"), Some(true)), "{pair}");
    let selector = serde_json::json!({
        "local": A.wire, "remote": B.wire, "protocol": 17, "local_port": PORT, "remote_port": proposed
    });
    assert_eq!(pair["selector"], selector);
    client.rekey();
    client.exchange_traffic(&server, xl2tpd::FIRST_CLIENT);
    client.end(link);
    server.wait_pairs(0);
    assert!(wait_until(PATIENCE, || server.daemon.isakmp_sas() == 0), "{}", server.daemon.oakley());
    assert_eq!(world.a.run("ip", &["xfrm", "state"]), "");
    server.xl2tpd.stop();
    server.assert_all_protected();
    assert!(server.capture.count(Kind::EspInUdp) > 20, "L2TP, PPP and pings in ESP");
}

/// Two clients with ports of their own at once, and a third with the port of the first, which must wait for that one's end.
pub fn clients_behind_one_nat(driver: Driver) {
    let what = "L2TP clients (xl2tpd) behind one NAT: two with their own ports, rekeys by us, a third with a port in use refused";
    let _row = Row::charon(what, Kernel::Netlink, driver, Role::Responder.alone());
    let world = World::new();
    let mut server = Server::start(&world, driver);
    let [first, second, third] =
        [(1, PORT), (2, PORT + 1), (3, PORT)].map(|(number, port)| Client::start(&server, number, port));
    let first_link = first.connect(&server, xl2tpd::FIRST_CLIENT);
    let second_link = second.connect(&server, xl2tpd::SECOND_CLIENT);
    server.wait_pairs(2);
    let both = || {
        first.exchange_traffic(&server, xl2tpd::FIRST_CLIENT);
        second.exchange_traffic(&server, xl2tpd::SECOND_CLIENT);
    };
    both();

    let refusal = third.charon.initiate().expect_err("a third client with the port of the first");
    assert!(refusal.contains("INVALID_ID_INFORMATION"), "{refusal}");
    let reason = "in transport mode two hosts behind one NAT cannot have the same ports";
    server.daemon.wait_oakley("the reason", PATIENCE, |trace| trace.contains(reason));
    server.wait_pairs(2);
    // The first one's pair is now the newest, as the second one's was before.
    first.be_rekeyed(&server);
    both();

    first.end(first_link);
    server.wait_pairs(1);
    second.exchange_traffic(&server, xl2tpd::SECOND_CLIENT);
    let third_link = third.connect(&server, xl2tpd::FIRST_CLIENT);
    third.exchange_traffic(&server, xl2tpd::FIRST_CLIENT);
    second.exchange_traffic(&server, xl2tpd::SECOND_CLIENT);
    third.end(third_link);
    second.end(second_link);
    server.wait_pairs(0);
    server.xl2tpd.stop();
    server.assert_all_protected();
}

/// The daemon with xl2tpd is the client behind the NAT, charon with xl2tpd the server: the first packet of L2TP makes the
/// daemon begin.
pub fn the_daemon_behind_a_nat(driver: Driver) {
    let what = "L2TP (xl2tpd) from behind NAT: PPP, rekey, delete by us, transport";
    let _row = Row::charon(what, Kernel::Netlink, driver, Role::Initiator.alone());
    let world = World::new();
    prepare(&world);
    let (host, own) = client_host(&world, 1);
    let upper = || format!("udp/{PORT}");
    let connection = Connection { remote: B.wire.to_owned(), ..connection((A.wire, upper()), (&own, upper())) };
    let capture = Capture::start(&world);
    let charon = Charon::start(&world.a, Kernel::Netlink, &connection);
    let server = Xl2tpd::server(&world.a, A.wire);
    let filter = format!(
        r#"{{ source = "me", destination = "{}", protocol = "udp", source_port = {PORT}, destination_port = {PORT} }}"#,
        A.wire
    );
    let mut daemon = Daemon::start(&host, driver, &policy(&filter));
    let client = Xl2tpd::client(&host, A.wire, PORT);
    wait_link(&host, xl2tpd::FIRST_CLIENT, || {
        format!("{}\n{}\n{}\n{}", client.log(), server.log(), daemon.oakley(), charon.log())
    });
    let settled = Instant::now();
    let exchange_traffic = || {
        let answered = host.ping(xl2tpd::FIRST_CLIENT, xl2tpd::SERVER, 3);
        assert_eq!(answered, 3, "pings through PPP:\n{}\n{}", client.log(), daemon.oakley());
    };
    exchange_traffic();
    let child = charon.installed().remove(0);
    assert_eq!((child.mode.as_str(), child.encapsulated), ("TRANSPORT", true));
    // charon has a name for the port where the system has one.
    let ports = ["udp/1701", "udp/l2f", "udp/l2tp"];
    let of_port = |selectors: &[String]| selectors.iter().all(|one| ports.iter().any(|port| one.contains(port)));
    assert!(of_port(&child.local_ts) && of_port(&child.remote_ts), "{child:?}");
    let pair = daemon.status()["ipsec_sas"][0]["id"].as_str().expect("a handle").to_owned();
    daemon.run(&["rekey", "--ipsec-sa", &pair]);
    charon.wait_sas("a new pair of IPsec SAs", PATIENCE, |sas| {
        let mut children = sas.iter().flat_map(|sa| &sa.children);
        children.any(|new| new.state == "INSTALLED" && new.spi_in != child.spi_in)
    });
    exchange_traffic();
    end_link(&host, client);
    daemon.stop();
    charon.wait_sas("no SAs after the daemon's deletes", PATIENCE, <[_]>::is_empty);
    // charon may take its inbound SA into use before it protects the way back.
    let in_clear = capture.packets().into_iter().filter(|packet| {
        let of_server = packet.source == A.wire_ip();
        matches!(packet.kind, Kind::L2tp | Kind::Esp | Kind::Echo) && (!of_server || packet.time > settled)
    });
    assert_eq!(in_clear.collect::<Vec<_>>(), []);
    assert!(capture.count(Kind::EspInUdp) > 20, "L2TP, PPP and pings in ESP");
}
