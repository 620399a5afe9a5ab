//! A simulated network between two hosts, in virtual time.
use super::host::Host;
use crate::endpoint::{Input, Transmit};
use crate::rng::SecureRandom;
use crate::testing::SeededRandom;
use crate::time::{Duration, Time};
use std::collections::BTreeMap;

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

/// Two hosts and the network between them.
pub struct Network {
    /// The hosts.
    pub hosts: [Host; 2],
    /// The time.
    pub now: Time,
    weather: Weather,
    random: SeededRandom,
    /// Datagrams under way by arrival; the number keeps their order.
    under_way: BTreeMap<(Time, u64), (usize, Transmit)>,
    sequence: u64,
    /// Every datagram that was sent, with the index of its sender.
    pub log: Vec<(usize, Transmit)>,
}

impl Network {
    /// A network whose accidents come of `seed`.
    pub fn new(hosts: [Host; 2], weather: Weather, seed: u64) -> Self {
        Self {
            hosts,
            now: Time::from_secs(1),
            weather,
            random: SeededRandom::new(seed),
            under_way: BTreeMap::new(),
            sequence: 0,
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
                self.log.push((host, transmit.clone()));
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
