use super::{BindError, Config, Kind, Listener, Received, SendError};
use crate::driver::{Capabilities, DriverMessage, SaDriver};
use ikecore::ids::AskId;
use ikecore::proposal::offer::QuickModeOffer;
use ikecore::proposal::suite::Mode;
use ikecore::sa::driver::SaOp;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::BorrowedFd;
use std::task::{Context, Poll};
use std::time::Duration;

/// A driver that notes the sockets it prepares.
#[derive(Default)]
struct Notes {
    prepared: Vec<(bool, bool)>,
    refuse: bool,
}

impl SaDriver for Notes {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: "notes",
            ah: false,
            transport: true,
            udp_encapsulation: true,
            link_local: true,
            owns_encapsulation: false,
            description: "for tests".to_owned(),
        }
    }

    fn supports(&mut self, _offer: &QuickModeOffer, _mode: Mode) -> Result<(), String> {
        Ok(())
    }

    fn submit(&mut self, _: AskId, _: SaOp) {}

    fn poll_message(&mut self, _: &mut Context<'_>) -> Poll<DriverMessage> {
        Poll::Pending
    }

    fn prepare_socket(&mut self, _: BorrowedFd<'_>, ipv6: bool, encapsulation: bool) -> io::Result<()> {
        self.prepared.push((ipv6, encapsulation));
        if self.refuse { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
    }
}

/// Two free ports: of IKE and of NAT traversal.
fn ports() -> (u16, u16) {
    let free = || UdpSocket::bind("[::]:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    (free(), free())
}

fn listener(addresses: &[String], nat_t_port: u16) -> Listener {
    let addresses = addresses.iter().map(|address| address.parse().expect("an address")).collect();
    Listener::bind(&Config { addresses, nat_t_port }, &mut Notes::default()).expect("free ports")
}

#[test]
fn the_path_to_this_host_takes_long_datagrams() {
    for address in ["127.0.0.1:500", "[::1]:500"] {
        let address: SocketAddr = address.parse().expect("an address");
        let mut driver = Notes::default();
        let octets = super::path_mtu(address, address, &mut driver).expect("a path");
        assert!(octets >= 1_500, "{octets}");
        assert_eq!(driver.prepared, [(address.is_ipv6(), false)]);
        driver.refuse = true;
        super::path_mtu(address, address, &mut driver).expect_err("a socket that policies would touch");
    }
}

/// The next datagram that is something, and its octets.
async fn next(listener: &mut Listener) -> (Received, Vec<u8>) {
    let mut buffer = vec![0; super::MAX_DATAGRAM];
    let wait = async {
        loop {
            let received = poll_fn(|context| listener.poll_receive(context, &mut buffer)).await;
            if received.kind != Kind::Ignored {
                return received;
            }
        }
    };
    let received = tokio::time::timeout(Duration::from_secs(5), wait).await.expect("a datagram comes");
    (received, buffer[received.start..received.end].to_vec())
}

fn peer(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).expect("loopback");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    socket
}

fn answer(peer: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2000];
    let (length, from) = peer.recv_from(&mut buffer).expect("an answer");
    (buffer[..length].to_vec(), from)
}

#[tokio::test]
async fn who_is_addressed_answers() {
    let (ike, nat_t) = ports();
    let mut listener = listener(&[format!("0.0.0.0:{ike}"), format!("0.0.0.0:{nat_t}")], nat_t);
    let peer = peer("127.0.0.1:0");
    let own = peer.local_addr().expect("bound");
    for port in [ike, nat_t] {
        let to = SocketAddr::from(([127, 0, 0, 2], port));
        let sent: &[u8] = if port == nat_t { &[0, 0, 0, 0, 7] } else { &[7] };
        peer.send_to(sent, to).expect("sent");
        let (received, octets) = next(&mut listener).await;
        assert_eq!((received.kind, received.local, received.remote), (Kind::Ike, to, own));
        assert_eq!(octets, [7]);
        listener.send(received.local, received.remote, port == nat_t, b"hello").expect("sent");
        let expected: &[u8] = if port == nat_t { b"\0\0\0\0hello" } else { b"hello" };
        assert_eq!(answer(&peer), (expected.to_vec(), to));
    }
}

#[tokio::test]
async fn ipv6_too_and_apart_from_ipv4() {
    let (ike, nat_t) = ports();
    let both = [format!("[::]:{ike}"), format!("0.0.0.0:{ike}")];
    let mut listener = listener(&both, nat_t);
    let peers = [(peer("[::1]:0"), format!("[::1]:{ike}")), (peer("127.0.0.1:0"), format!("127.0.0.1:{ike}"))];
    for (peer, to) in peers {
        let to: SocketAddr = to.parse().expect("an address");
        peer.send_to(&[1, 2, 3], to).expect("sent");
        let (received, octets) = next(&mut listener).await;
        assert_eq!((received.local, received.remote), (to, peer.local_addr().expect("bound")));
        assert_eq!(octets, [1, 2, 3]);
        listener.send(received.local, received.remote, false, b"back").expect("sent");
        assert_eq!(answer(&peer), (b"back".to_vec(), to));
    }
}

#[tokio::test]
async fn the_nat_t_port_carries_three_things() {
    let (_, nat_t) = ports();
    let mut listener = listener(&[format!("127.0.0.1:{nat_t}")], nat_t);
    let peer = peer("127.0.0.1:0");
    let esp = [0, 0, 1, 0, 9, 9];
    for sent in [&[0xff][..], &[0xff, 0xff], &[], &[1, 2, 3], &[0, 0, 0], &esp, &[0, 0, 0, 0], &[0, 0, 0, 0, 5, 6]] {
        peer.send_to(sent, ("127.0.0.1", nat_t)).expect("sent");
    }
    let (received, octets) = next(&mut listener).await;
    assert_eq!((received.kind, octets.as_slice()), (Kind::Encapsulated, esp.as_slice()));
    let (received, octets) = next(&mut listener).await;
    assert_eq!((received.kind, octets.as_slice()), (Kind::Ike, [].as_slice()));
    let (received, octets) = next(&mut listener).await;
    assert_eq!((received.kind, octets.as_slice()), (Kind::Ike, [5, 6].as_slice()));
    let counters = listener.counters();
    assert_eq!((counters.received, counters.keep_alives, counters.short, counters.encapsulated), (8, 1, 4, 1));
}

#[tokio::test]
async fn an_icmp_error_stops_neither_reading_nor_sending_to_others() {
    let (ike, nat_t) = ports();
    let mut listener = listener(&[format!("127.0.0.1:{ike}")], nat_t);
    let own = SocketAddr::from(([127, 0, 0, 1], ike));
    let closed = peer("127.0.0.1:0").local_addr().expect("bound");
    let peer = peer("127.0.0.1:0");
    let to = peer.local_addr().expect("bound");
    // The first gives rise to an ICMP error, which the second must neither be blamed for nor be lost by.
    listener.send(own, closed, false, b"lost").expect("sent");
    listener.send(own, to, false, b"one").expect("sent in spite of the error before");
    assert_eq!(answer(&peer).0, b"one");
    listener.send(own, closed, false, b"lost").expect("sent");
    peer.send_to(b"two", own).expect("sent");
    assert_eq!(next(&mut listener).await.1, b"two");
    assert_eq!(listener.counters().icmp_errors, 2);
    assert_eq!((listener.counters().send_errors, listener.counters().receive_errors), (0, 0));
}

#[tokio::test]
async fn a_flood_on_one_socket_leaves_the_other_its_turn() {
    let (ike, nat_t) = ports();
    let mut listener = listener(&[format!("127.0.0.1:{ike}"), format!("127.0.0.1:{nat_t}")], nat_t);
    let peer = peer("127.0.0.1:0");
    for _ in 0..50 {
        peer.send_to(&[1], ("127.0.0.1", ike)).expect("sent");
    }
    peer.send_to(&[0, 0, 0, 0, 2], ("127.0.0.1", nat_t)).expect("sent");
    let mut before = 0;
    while next(&mut listener).await.1 != [2] {
        before += 1;
    }
    assert!(before <= 2, "{before} datagrams of the flood came first");
}

#[tokio::test]
async fn two_daemons_cannot_share_a_port() {
    let (ike, nat_t) = ports();
    let _first = listener(&[format!("127.0.0.1:{ike}")], nat_t);
    let config = Config { addresses: vec![SocketAddr::from(([127, 0, 0, 1], ike))], nat_t_port: nat_t };
    let error = Listener::bind(&config, &mut Notes::default()).expect_err("in use").to_string();
    assert!(error.starts_with(&format!("cannot listen on UDP 127.0.0.1:{ike}: Address already in use")), "{error}");
    assert!(error.contains(&format!("`ss -ulpn sport = :{ike}` shows which")), "{error}");
}

#[tokio::test]
async fn what_cannot_be_bound_says_what_helps() {
    let bind = |address: &str| {
        let config = Config { addresses: vec![address.parse().expect("an address")], nat_t_port: 4500 };
        Listener::bind(&config, &mut Notes::default()).expect_err("refused").to_string()
    };
    let error = bind("192.0.2.77:5000");
    assert!(error.starts_with("cannot listen on UDP 192.0.2.77:5000: ") && error.contains("`ip address`"), "{error}");
    let none = Config { addresses: Vec::new(), nat_t_port: 4500 };
    assert!(matches!(Listener::bind(&none, &mut Notes::default()), Err(BindError::NoAddress)));
}

#[tokio::test]
async fn the_driver_prepares_each_socket_and_may_refuse() {
    let (ike, nat_t) = ports();
    let addresses = [format!("127.0.0.1:{ike}"), format!("127.0.0.1:{nat_t}"), format!("[::1]:{nat_t}")];
    let addresses: Vec<SocketAddr> = addresses.iter().map(|address| address.parse().expect("an address")).collect();
    let mut driver = Notes::default();
    let config = Config { addresses: addresses.clone(), nat_t_port: nat_t };
    let listener = Listener::bind(&config, &mut driver).expect("free ports");
    assert_eq!(driver.prepared, [(false, false), (false, true), (true, true)]);
    assert_eq!(listener.addresses(), addresses);
    let mut other = Notes::default();
    listener.prepare(&mut other).expect("prepared");
    assert_eq!(other.prepared, driver.prepared);
    drop(listener);
    let mut refusing = Notes { refuse: true, ..Notes::default() };
    let error = Listener::bind(&config, &mut refusing).expect_err("refused").to_string();
    let expected = format!("the SA driver notes cannot prepare the socket on UDP 127.0.0.1:{ike}: permission denied");
    assert_eq!(error, expected);
}

#[tokio::test]
async fn nothing_is_sent_from_where_nothing_listens() {
    let (ike, nat_t) = ports();
    let mut listener = listener(&[format!("127.0.0.1:{ike}")], nat_t);
    let to = SocketAddr::from(([127, 0, 0, 1], 9));
    for local in [format!("127.0.0.2:{ike}"), format!("127.0.0.1:{nat_t}"), format!("[::1]:{ike}")] {
        let local = local.parse().expect("an address");
        assert!(matches!(listener.send(local, to, false, b"x"), Err(SendError::NoSocket(at)) if at == local));
    }
    assert_eq!(listener.counters().send_errors, 3);
}

#[test]
fn everywhere_is_every_address_on_both_ports() {
    let shown: Vec<String> = Config::everywhere(500, 4500).addresses.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["0.0.0.0:500", "0.0.0.0:4500", "[::]:500", "[::]:4500"]);
}

/// Runs `ip` in the network namespace of the calling thread.
fn ip(arguments: &str) {
    let output = std::process::Command::new("ip").args(arguments.split(' ')).output().expect("ip runs");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Two hosts with link-local addresses only, each a thread in a network namespace of its own.
#[test]
fn link_local_addresses_keep_their_interface() {
    use std::sync::mpsc::channel;
    let unshared = || nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET);
    let (tell_peer, peer_is_told) = channel::<()>();
    let (tell_host, host_is_told) = channel::<Option<i32>>();
    let peer = std::thread::spawn(move || {
        let own = unshared().ok().map(|()| nix::unistd::gettid().as_raw());
        tell_host.send(own).expect("the host waits");
        if own.is_none() || peer_is_told.recv().is_err() {
            return;
        }
        ip("link set engine-b addrgenmode none up");
        ip("address add fe80::b/64 dev engine-b nodad");
        let socket = peer("[::]:0");
        let index = nix::net::if_::if_nametoindex("engine-b").expect("the interface is there");
        let to = std::net::SocketAddrV6::new("fe80::a".parse().expect("an address"), 5500, 0, index);
        // The neighbour may not be up yet: sent until it answers.
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        let mut buffer = [0; 100];
        let answer = (0..50).find_map(|_| {
            let _ = socket.send_to(b"hello", to);
            socket.recv_from(&mut buffer).ok()
        });
        assert_eq!(answer, Some((4, to.into())));
    });
    let host = std::thread::spawn(move || {
        let other = host_is_told.recv().expect("the peer runs");
        let (Some(other), Ok(())) = (other, unshared()) else {
            eprintln!("skipped: no network namespaces of their own");
            return;
        };
        ip(&format!("link add engine-a type veth peer name engine-b netns {other}"));
        ip("link set engine-a addrgenmode none up");
        ip("address add fe80::a/64 dev engine-a nodad");
        tell_peer.send(()).expect("the peer waits");
        let index = nix::net::if_::if_nametoindex("engine-a").expect("the interface is there");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut listener = listener(&["[::]:5500".to_owned()], 4500);
            let (received, octets) = next(&mut listener).await;
            assert_eq!(octets, b"hello");
            let ends = [received.local, received.remote].map(|end| match end {
                SocketAddr::V6(end) => (*end.ip(), end.scope_id()),
                SocketAddr::V4(end) => panic!("{end}"),
            });
            assert_eq!(ends, [0xa, 0xb].map(|last| ([0xfe80, 0, 0, 0, 0, 0, 0, last].into(), index)));
            listener.send(received.local, received.remote, false, b"back").expect("sent");
        });
        // The interface goes with the namespace, and that with this thread.
        peer.join().expect("the peer has its answer");
    });
    host.join().expect("no panic");
}
