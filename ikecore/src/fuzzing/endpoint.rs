//! Two endpoints, and a network that does what the fuzzer says.
use crate::address::Scope;
use crate::endpoint::{Command, Config, Input, Transmit};
use crate::event::Detail;
use crate::ids::MessageId;
use crate::policy::selector::Flow;
use crate::sa::driver::{Acquire, Expire, SaName};
use crate::testing::host::Host;
use crate::testing::policy::TestPolicy;
use crate::time::{Duration, Time};
use crate::wire::{ExchangeType, PayloadType};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

const ADDRESSES: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2))];

/// More operations do not find more, they only take longer.
const OPERATIONS: usize = 200;

/// More datagrams under way are lost.
const UNDER_WAY: usize = 64;

struct Pair {
    hosts: [Host; 2],
    now: Time,
    /// Datagrams under way, with the index of their receiver.
    wire: VecDeque<(usize, Transmit)>,
}

/// Reads the fuzzer's octets; behind the last one all are zero.
struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn one(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn some(&mut self, count: usize) -> &'a [u8] {
        let (some, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        some
    }
}

impl Pair {
    fn new(pfs: bool) -> Self {
        let host = |index: usize| {
            let [local, remote] = if index == 0 { ADDRESSES } else { [ADDRESSES[1], ADDRESSES[0]] };
            let mut policy = TestPolicy::new(local, remote);
            if pfs {
                policy.quick_mode.iter_mut().for_each(|offer| offer.pfs = Some(crate::crypto::group::Group::Ecp256));
            }
            let config = Config { detail: Detail::Trace, ..Config::default() };
            Host::new(config, if index == 0 { 1 } else { 2 }, policy.database())
        };
        Self { hosts: [host(0), host(1)], now: Time::from_secs(1), wire: VecDeque::new() }
    }

    fn collect(&mut self) {
        for (index, host) in self.hosts.iter_mut().enumerate() {
            for transmit in host.sent.drain(..) {
                if self.wire.len() < UNDER_WAY {
                    self.wire.push_back((1 - index, transmit));
                }
            }
            host.events.clear();
        }
    }

    fn feed(&mut self, index: usize, input: Input<'_>) {
        let now = self.now;
        if let Some(host) = self.hosts.get_mut(index) {
            host.feed(now, input);
        }
        self.collect();
    }

    fn deliver(&mut self, index: usize, like: &Transmit, octets: &[u8]) {
        self.feed(index, Input::Datagram { local: like.remote, remote: like.local, octets });
    }

    /// Lets the time pass; nothing is delivered.
    fn pass(&mut self, duration: Duration) {
        let until = self.now + duration;
        loop {
            let due = self.hosts.iter().enumerate().filter_map(|(index, host)| Some((host.wake?, index))).min();
            let Some((wake, index)) = due.filter(|(wake, _)| *wake <= until) else { break };
            self.now = self.now.max(wake);
            self.feed(index, Input::Timeout);
        }
        self.now = until;
    }

    fn operation(&mut self, octets: &mut Octets<'_>) {
        let choice = octets.one();
        let index = usize::from(choice >> 7);
        match choice & 0x7f {
            // Most of all, what a good network does.
            0..=47 => {
                if let Some((to, transmit)) = self.wire.pop_front() {
                    self.deliver(to, &transmit, &transmit.octets);
                }
            }
            48..=51 => {
                self.wire.pop_front();
            }
            52..=55 => self.wire.rotate_left(1.min(self.wire.len())),
            56..=59 => {
                if let Some((to, transmit)) = self.wire.front().cloned() {
                    self.deliver(to, &transmit, &transmit.octets);
                }
            }
            60..=71 => {
                if let Some((to, transmit)) = self.wire.front().cloned() {
                    let mut changed = transmit.octets.to_vec();
                    let (at, mask) = (usize::from(octets.one()), octets.one());
                    if let Some(octet) = changed.get_mut(at) {
                        *octet ^= mask;
                    }
                    self.deliver(to, &transmit, &changed);
                }
            }
            72..=75 => {
                if let Some((to, transmit)) = self.wire.front().cloned() {
                    let len = usize::from(octets.one());
                    self.deliver(to, &transmit, transmit.octets.get(..len).unwrap_or_default());
                }
            }
            76..=79 => {
                let len = usize::from(octets.one());
                let raw = octets.some(len);
                let like = Transmit {
                    local: (ADDRESSES[1 - index], 500).into(),
                    remote: (ADDRESSES[index], 500).into(),
                    octets: bytes::Bytes::new(),
                    marker: false,
                };
                self.deliver(index, &like, raw);
            }
            80..=95 => {
                // Behind the cipher and the hash.
                let exchange =
                    if octets.one().is_multiple_of(2) { ExchangeType::QUICK } else { ExchangeType::INFORMATIONAL };
                let message_id = MessageId(u32::from(octets.one()) + 1);
                let first = PayloadType(octets.one());
                let len = usize::from(octets.one());
                let body = octets.some(len);
                let forged =
                    self.hosts.get(index).and_then(|host| host.endpoint.forge(exchange, message_id, first, body));
                if let Some((path, message)) = forged {
                    let like = Transmit { local: path.local, remote: path.remote, octets: message, marker: false };
                    self.deliver(1 - index, &like, &like.octets);
                }
            }
            96..=103 => self.pass(Duration::from_secs(u64::from(octets.one()))),
            104..=107 => self.pass(Duration::from_secs(u64::from(octets.one()) * 300)),
            108..=111 => {
                let [local, remote] = if index == 0 { ADDRESSES } else { [ADDRESSES[1], ADDRESSES[0]] };
                let flow = Flow { local, remote, protocol: 1, local_port: 0, remote_port: 0, scope: Scope::ANY };
                self.feed(index, Input::Acquire(Acquire { flow, reqid: 1 }));
            }
            112..=115 => {
                let Some(host) = self.hosts.get(index) else { return };
                let snapshot = host.endpoint.snapshot();
                let (ike, ipsec) = (snapshot.ike_sas.last(), snapshot.ipsec_sas.last());
                let command = match (octets.one() % 5, ike, ipsec) {
                    (0, Some(sa), _) => Command::RekeyIkeSa(sa.id),
                    (1, Some(sa), _) => Command::DeleteIkeSa(sa.id),
                    (2, _, Some(sa)) => Command::RekeyIpsecSa(sa.id),
                    (3, _, Some(sa)) => Command::DeleteIpsecSa(sa.id),
                    _ => Command::DeleteAll,
                };
                self.feed(index, Input::Command(command));
            }
            116..=119 => {
                let hard = octets.one().is_multiple_of(2);
                let pair = self.hosts.get(index).and_then(|host| host.driver.pairs.values().next());
                let sa = pair.map(|pair| SaName {
                    protocol: pair.inbound.suite.protocol(),
                    destination: pair.inbound.destination,
                    spi: pair.inbound.spi,
                });
                if let Some(sa) = sa {
                    self.feed(index, Input::Expire(Expire { sa, hard }));
                }
            }
            120..=123 => {
                let (spis, installs) = (octets.one() % 2, octets.one() % 4);
                if let Some(host) = self.hosts.get_mut(index) {
                    host.driver.fail_spis += usize::from(spis);
                    host.driver.fail_inbound += usize::from(installs & 1);
                    host.driver.fail_outbound += usize::from(installs >> 1);
                }
            }
            _ => {
                let [local, remote] = if index == 0 { ADDRESSES } else { [ADDRESSES[1], ADDRESSES[0]] };
                let mut policy = TestPolicy::new(local, remote);
                if octets.one().is_multiple_of(2) {
                    policy.psk = b"another key";
                }
                self.feed(index, Input::Policy(policy.database().into()));
            }
        }
    }
}

/// Operations on two endpoints and the network between them: whatever happens, all that began ends, and nothing is left
/// behind.
///
/// # Panics
/// If something is.
pub fn fuzz_endpoint(data: &[u8]) {
    let mut octets = Octets(data);
    let mut pair = Pair::new(octets.one() % 2 == 1);
    for _ in 0..OPERATIONS {
        if octets.0.is_empty() {
            break;
        }
        pair.operation(&mut octets);
    }
    // Nobody answers any more: all retransmissions end. Rekeys of what stands would go on for hours: it is deleted.
    pair.wire.clear();
    for index in 0..2 {
        pair.feed(index, Input::Policy(crate::policy::db::PolicyDb::default().into()));
    }
    pair.wire.clear();
    pair.pass(Duration::from_secs(200));
    for host in &pair.hosts {
        assert!(host.endpoint.is_settled(), "something is still under way: {:#?}", host.endpoint.snapshot());
        assert!(host.driver.larval.is_empty(), "SPIs left behind: {:?}", host.driver.larval);
        let installed = host.driver.pairs.keys().copied();
        assert!(installed.eq(host.endpoint.snapshot().ipsec_sas.iter().map(|sa| sa.id)), "the driver has other pairs");
    }
    for index in 0..2 {
        pair.feed(index, Input::Command(Command::Shutdown));
    }
    for host in &pair.hosts {
        let snapshot = host.endpoint.snapshot();
        assert!(snapshot.ike_sas.is_empty() && snapshot.ipsec_sas.is_empty(), "left behind: {snapshot:#?}");
        assert!(host.driver.pairs.is_empty() && host.endpoint.is_stopped());
        assert_eq!(host.wake, None, "a timer is left");
    }
}

/// Seeds of the corpus by name: operations that lead somewhere.
pub fn endpoint_seeds() -> Vec<(&'static str, Vec<u8>)> {
    // The policy, host A's acquire, and nine deliveries.
    let negotiated = [&[0, 108][..], &[0; 9]].concat();
    let with = |more: &[u8]| [&negotiated, more].concat();
    let delete = |protocol: u8, spi: &[u8]| {
        let body = [&[0, 0, 0, 12 + spi.len() as u8, 0, 0, 0, 1, protocol, spi.len() as u8, 0, 1][..], spi].concat();
        [&[80, 1, 9, 12, body.len() as u8][..], &body].concat()
    };
    let notify = |number: u16| {
        let [high, low] = number.to_be_bytes();
        let body = [0, 0, 0, 12, 0, 0, 0, 1, 1, 0, high, low];
        [&[80, 1, 9, 11, body.len() as u8][..], &body].concat()
    };
    vec![
        ("negotiated", negotiated.clone()),
        ("pfs", [&[1, 108][..], &[0; 9]].concat()),
        ("both", [&[0, 108, 236][..], &[0; 18]].concat()),
        ("changed", [0, 108, 60, 20, 1, 0, 60, 30, 255, 0, 60, 40, 1, 0, 60, 50, 7, 0, 0, 0, 0, 0, 0].to_vec()),
        ("lost", [0, 108, 48, 96, 2, 0, 48, 96, 3, 0, 0, 0, 0, 0, 0, 0, 0].to_vec()),
        ("cut", [0, 108, 72, 40, 0, 72, 90, 0, 0, 72, 30, 0, 0, 0, 0, 0, 0].to_vec()),
        ("rekeyed", with(&[112, 2, 0, 0, 0, 112, 0, 0, 0, 0, 0, 0, 0, 96, 10, 0, 0])),
        ("expired", with(&[116, 1, 0, 0, 0, 116, 0, 0])),
        ("aged", with(&[104, 10, 0, 0, 0, 0, 104, 100, 0, 0, 0, 0, 0, 0, 0, 0])),
        ("refused", [&[0, 120, 1, 1, 108][..], &[0; 11]].concat()),
        ("policy", with(&[124, 0, 0, 0, 108, 0, 0, 0, 0, 0, 0])),
        ("delete-esp", with(&delete(3, &[0x10, 0, 0, 1]))),
        ("delete-isakmp", with(&delete(1, &[0; 16]))),
        ("initial-contact", with(&notify(24_578))),
        ("no-proposal", with(&notify(14))),
        ("quick-mode", with(&[80, 0, 7, 1, 8, 10, 0, 0, 8, 0, 0, 0, 0])),
    ]
}

#[cfg(test)]
mod tests;
