//! A NAT for the ports of IKE, in user space: what comes to it from a client goes on to a server from other ports, and
//! back. Each end sees the other behind an address that is not its own.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::netns::Namespace;
use crate::process::bind_again;

/// The ports of IKE and of NAT traversal.
const PORTS: [u16; 2] = [500, 4500];

/// How long a thread waits before it looks whether it should end.
const PAUSE: Duration = Duration::from_millis(100);

/// A running relay.
#[derive(Debug)]
pub struct Relay {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Relay {
    /// Takes datagrams of one client at `inside`, a namespace and its address, and sends them on to `server` from `outside`,
    /// which may be another namespace. Each relay has other ports there.
    pub fn start(inside: (&Namespace, &str), outside: (&Namespace, &str), server: &str) -> Self {
        let address = |text: &str| -> IpAddr { text.parse().expect("an address") };
        let ((near_host, inside), (far_host, outside)) = (inside, outside);
        let (inside, outside, server) = (address(inside), address(outside), address(server));
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for port in PORTS {
            let bind = move |address: IpAddr, port: u16| {
                let socket = bind_again(SocketAddr::new(address, port));
                socket.set_read_timeout(Some(PAUSE)).expect("a socket");
                socket
            };
            let near = near_host.within(move || bind(inside, port));
            let far = far_host.within(move || bind(outside, 0));
            let (near, far) = (Arc::new(near), Arc::new(far));
            let client = Arc::new(Mutex::new(None));
            let server = SocketAddr::new(server, port);
            threads.push(pass(Arc::clone(&near), Arc::clone(&far), Arc::clone(&stop), {
                let client = Arc::clone(&client);
                move |from| {
                    *client.lock().expect("no thread panics with the lock") = Some(from);
                    Some(server)
                }
            }));
            threads.push(pass(far, near, Arc::clone(&stop), move |from| {
                (*client.lock().expect("no thread panics with the lock")).filter(|_| from == server)
            }));
        }
        Self { stop, threads }
    }
}

/// Passes datagrams on to where `to` says, given where they came from.
fn pass(
    near: Arc<UdpSocket>,
    far: Arc<UdpSocket>,
    stop: Arc<AtomicBool>,
    to: impl Fn(SocketAddr) -> Option<SocketAddr> + Send + 'static,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 65_535];
        while !stop.load(Ordering::Relaxed) {
            let Ok((length, from)) = near.recv_from(&mut buffer) else { continue };
            if let Some(to) = to(from) {
                // What cannot be sent is lost, as on any network.
                let _ = far.send_to(&buffer[..length], to);
            }
        }
    })
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
