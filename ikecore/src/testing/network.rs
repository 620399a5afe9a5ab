//! A simulated network between two hosts, in virtual time.
use super::host::Host;
use crate::endpoint::{Input, Transmit};
use crate::rng::SecureRandom;
use crate::testing::SeededRandom;
use crate::time::{Duration, Time};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What the network does to datagrams, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// Lost.
    pub loss: u32,
    /// Delivered twice.
    pub duplicates: u32,
    /// Delayed by up to two seconds, so that later ones overtake.
    pub reordered: u32,
}

/// A NAT before the first host, which hides its address and ports.
#[derive(Clone, Copy, Debug)]
pub struct Translation {
    /// The address that the other host sees.
    pub public: IpAddr,
    /// What is added to the first host's ports; change it, and the NAT has forgotten its mapping.
    pub offset: u16,
}

/// What becomes of a datagram of the host with this index.
pub type Rewrite = Box<dyn FnMut(usize, &[u8]) -> Vec<u8>>;

/// Two hosts and the network between them.
pub struct Network {
    /// The hosts.
    pub hosts: [Host; 2],
    /// The time.
    pub now: Time,
    /// A NAT before the first host.
    pub nat: Option<Translation>,
    /// A NAT before the second host, which forwards the ports of IKE: its address, and that of the host behind it.
    pub forwarded: Option<(IpAddr, IpAddr)>,
    /// Changes datagrams on their way.
    pub meddle: Option<fn(&mut [u8])>,
    /// Makes others of datagrams on their way.
    pub rewrite: Option<Rewrite>,
    /// Datagrams, by their place in the log, that are lost whatever the weather.
    pub lost: Vec<usize>,
    /// Datagrams of more octets than this get lost.
    pub longest: Option<usize>,
    /// What it does to datagrams.
    pub weather: Weather,
    random: SeededRandom,
    /// Datagrams under way by arrival; the number keeps their order.
    under_way: BTreeMap<(Time, u64), (usize, Transmit)>,
    sequence: u64,
    /// The first host's address behind its NAT.
    pub inside: IpAddr,
    /// Every datagram that was sent, with the index of its sender.
    pub log: Vec<(usize, Transmit)>,
}

impl Network {
    /// A network whose accidents come of `seed`.
    pub fn new(hosts: [Host; 2], weather: Weather, seed: u64) -> Self {
        Self {
            hosts,
            now: Time::from_secs(1),
            nat: None,
            forwarded: None,
            meddle: None,
            rewrite: None,
            lost: Vec::new(),
            longest: None,
            weather,
            random: SeededRandom::new(seed),
            under_way: BTreeMap::new(),
            sequence: 0,
            inside: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            log: Vec::new(),
        }
    }

    fn draw(&mut self, below: u32) -> u32 {
        let mut octets = [0; 4];
        self.random.fill(&mut octets).map_or(0, |()| u32::from_be_bytes(octets) % below.max(1))
    }

    /// Gives a host an input.
    pub fn feed(&mut self, host: usize, input: Input<'_>) {
        let now = self.now;
        self.hosts[host].feed(now, input);
        self.collect();
    }

    /// Takes what the hosts sent.
    fn collect(&mut self) {
        for host in 0..2 {
            while let Some(transmit) = self.hosts[host].sent.pop_front() {
                let number = self.log.len();
                self.log.push((host, transmit.clone()));
                let too_long = self.longest.is_some_and(|longest| transmit.octets.len() > longest);
                if too_long || self.lost.contains(&number) {
                    continue;
                }
                let Some(transmit) = self.pass(host, transmit) else { continue };
                let copies = if self.draw(100) < self.weather.duplicates { 2 } else { 1 };
                for _ in 0..copies {
                    if self.draw(100) < self.weather.loss {
                        continue;
                    }
                    let mut delay = u64::from(1 + self.draw(20));
                    if self.draw(100) < self.weather.reordered {
                        delay += u64::from(self.draw(2_000));
                    }
                    self.sequence += 1;
                    let at = self.now + Duration::from_millis(delay);
                    self.under_way.insert((at, self.sequence), (1 - host, transmit.clone()));
                }
            }
        }
    }

    /// What becomes of a datagram at the NAT, and on its way.
    fn pass(&mut self, from: usize, mut transmit: Transmit) -> Option<Transmit> {
        if let Some(Translation { public, offset }) = self.nat {
            if from == 0 {
                transmit.local = SocketAddr::new(public, transmit.local.port() + offset);
            } else {
                // What is for a port without a mapping goes nowhere.
                let inside = transmit.remote.port().checked_sub(offset).filter(|port| matches!(port, 500 | 4500))?;
                transmit.remote = SocketAddr::new(self.inside, inside);
            }
        }
        if let Some((public, inside)) = self.forwarded {
            match from {
                0 => transmit.remote.set_ip(inside),
                _ => transmit.local.set_ip(public),
            }
        }
        if let Some(meddle) = self.meddle {
            let mut octets = transmit.octets.to_vec();
            meddle(&mut octets);
            transmit.octets = octets.into();
        }
        if let Some(rewrite) = &mut self.rewrite {
            transmit.octets = rewrite(from, &transmit.octets).into();
        }
        Some(transmit)
    }

    /// The next thing that happens; false if nothing ever will before `until`.
    pub fn step(&mut self, until: Time) -> bool {
        let arrival = self.under_way.keys().next().map(|(at, _)| *at);
        let wakes = self.hosts.iter().filter_map(|host| host.wake);
        let Some(next) = wakes.chain(arrival).min().filter(|next| *next <= until) else {
            self.now = until;
            return false;
        };
        self.now = self.now.max(next);
        if arrival.is_some_and(|at| at <= self.now) {
            if let Some((_, (host, transmit))) = self.under_way.pop_first() {
                let Transmit { local, remote, octets, .. } = transmit;
                // A listener keeps NAT keep-alives to itself.
                if *octets == [0xff] {
                    return true;
                }
                // What is local to the sender is remote to the receiver.
                self.hosts[host].receive(self.now, remote, local, &octets);
            }
        } else {
            for host in 0..2 {
                if self.hosts[host].wake.is_some_and(|wake| wake <= self.now) {
                    let now = self.now;
                    self.hosts[host].feed(now, Input::Timeout);
                }
            }
        }
        self.collect();
        true
    }

    /// Runs for so long.
    pub fn run(&mut self, duration: Duration) {
        let until = self.now + duration;
        while self.step(until) {}
    }
}
