//! The data path: what happens to each packet, without any I/O. Effects are queued, and taken by the worker.
use super::ah;
use super::esp::{self, OpenError, Opened, Sequence};
use super::hold::Hold;
use super::ipcomp::Ipcomp;
use super::packet::{HOP_LIMIT, NewHeader, Packet, leave_tunnel, protocol, renew_upper_checksum, tunnel_header};
use super::reassembly::Reassembly;
use super::sa::{Age, Main, Pair, Sa, new_number};
use super::spd::Spd;
use crate::driver::{DriverMessage, Drops};
use ikecore::ids::{IpsecSaId, Spi};
use ikecore::policy::selector::Flow;
use ikecore::proposal::suite::Mode;
use ikecore::rng::SecureRandom;
use ikecore::sa::driver::{Acquire, Direction, Expire, Mapping, SaName, TrafficAction, TrafficPolicy};
use ikecore::time::Time;
use ikecore::wire::codes::ProtocolId;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

mod control;
#[cfg(test)]
mod tests;

/// What the worker has to do.
#[derive(Debug)]
pub(super) enum Effect {
    /// Send this IP packet; it must not come back.
    Network(Vec<u8>),
    /// Give this IP packet to the host.
    Host(Vec<u8>),
    /// Tell the engine.
    Message(DriverMessage),
}

/// How a protected packet arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// The outer source, and its port if it came in UDP.
    pub(super) source: SocketAddr,
    /// The outer destination, and its port.
    pub(super) destination: SocketAddr,
    /// The outer DSCP and ECN.
    pub(super) traffic_class: u8,
    /// The outer TTL or hop limit.
    pub(super) hop_limit: u8,
    /// It came in UDP.
    pub(super) in_udp: bool,
}

impl Arrival {
    /// A datagram of the NAT-T socket, of whose IP header nothing is known but the addresses.
    pub(super) const fn in_udp(source: SocketAddr, destination: SocketAddr) -> Self {
        Self { source, destination, traffic_class: 0, hop_limit: HOP_LIMIT, in_udp: true }
    }

    /// A packet of a raw socket.
    pub(super) const fn raw(source: IpAddr, destination: IpAddr, traffic_class: u8, hop_limit: u8) -> Self {
        let (source, destination) = (SocketAddr::new(source, 0), SocketAddr::new(destination, 0));
        Self { source, destination, traffic_class, hop_limit, in_udp: false }
    }
}

/// What was dropped, for those who stand beside the data path.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    bad_spi: AtomicU64,
    not_decrypted: AtomicU64,
}

impl Dropped {
    /// The counts so far. The rest is counted for each pair.
    pub(super) fn drops(&self) -> Drops {
        let count = |counter: &AtomicU64| Some(counter.load(Ordering::Relaxed));
        Drops { bad_spi: count(&self.bad_spi), not_decrypted: count(&self.not_decrypted), ..Drops::default() }
    }
}

/// All state of the data path.
pub(super) struct Plane {
    random: Box<dyn SecureRandom>,
    spd: Spd,
    pairs: BTreeMap<IpsecSaId, Pair>,
    /// Inbound SAs by the names by which their packets come.
    arrivals: BTreeMap<SaName, IpsecSaId>,
    /// SPIs and CPIs that were given out and wait for their SA.
    reserved: BTreeSet<SaName>,
    ipcomp: Ipcomp,
    hold: Hold,
    reassembly: Reassembly,
    effects: VecDeque<Effect>,
    serial: u64,
    dropped: Arc<Dropped>,
}

impl Plane {
    /// A data path without policies.
    pub(super) fn new(random: Box<dyn SecureRandom>) -> Self {
        Self {
            random,
            spd: Spd::default(),
            pairs: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            reserved: BTreeSet::new(),
            ipcomp: Ipcomp::new(),
            hold: Hold::default(),
            reassembly: Reassembly::default(),
            effects: VecDeque::new(),
            serial: 0,
            dropped: Arc::default(),
        }
    }

    /// What it drops.
    pub(super) fn dropped(&self) -> Arc<Dropped> {
        Arc::clone(&self.dropped)
    }

    /// The next effect, in the order of what happened.
    pub(super) fn next_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// The policies.
    pub(super) const fn spd(&self) -> &Spd {
        &self.spd
    }

    /// True if time changes nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.pairs.is_empty() && self.hold.is_empty() && self.reassembly.is_empty()
    }

    /// A packet of this host, or one that it forwards, came to the device.
    pub(super) fn host_packet(&mut self, now: Time, octets: &[u8]) {
        let Some(packet) = Packet::parse(octets) else { return };
        // What belongs to one link was never meant for the peer.
        if packet.is_link_scoped() {
            return;
        }
        let flow = packet.outbound_flow();
        let policy = match self.spd.find(&flow, Direction::Outbound) {
            Some(policy) => *policy,
            None => return self.effects.push_back(Effect::Network(packet.octets.to_vec())),
        };
        match policy.action {
            TrafficAction::Permit => self.effects.push_back(Effect::Network(packet.octets.to_vec())),
            TrafficAction::Block => {}
            TrafficAction::Protect { mode, .. } => {
                // RFC 4303 §3.3.4: transport mode applies to whole packets only.
                if mode == Mode::Transport && packet.fragment.is_some() {
                    if let Some(whole) = self.reassembly.add(now, &packet) {
                        self.host_packet(now, &whole);
                    }
                    return;
                }
                match self.outbound_sa(&flow, &policy) {
                    Some(id) => self.protect(now, id, &packet),
                    None => self.acquire(now, flow, &policy, packet.octets),
                }
            }
        }
    }

    /// The newest SA for a packet of `flow`.
    fn outbound_sa(&self, flow: &Flow, policy: &TrafficPolicy) -> Option<IpsecSaId> {
        let TrafficAction::Protect { protocols, mode, endpoints, .. } = policy.action else { return None };
        let fits = |sa: &Sa| {
            let peer = endpoints.map_or(flow.remote, |(_, peer)| peer);
            !sa.ended
                && sa.protocols == protocols
                && sa.reqid == policy.reqid
                && sa.mode == mode
                && sa.selector.matches(flow)
                // Behind a NAT the peer's address is what it seems to be.
                && (sa.name.destination == peer || sa.encapsulation.is_some())
        };
        let fitting = self.pairs.iter().filter(|(_, pair)| pair.outbound.as_ref().is_some_and(fits));
        fitting.max_by_key(|(_, pair)| pair.serial).map(|(id, _)| *id)
    }

    fn acquire(&mut self, now: Time, flow: Flow, policy: &TrafficPolicy, octets: &[u8]) {
        self.hold.keep(now, flow, octets);
        if self.hold.may_ask(now, flow, policy.reqid) {
            self.tell(DriverMessage::Acquire(Acquire { flow, reqid: policy.reqid }));
        }
    }

    fn protect(&mut self, now: Time, id: IpsecSaId, packet: &Packet<'_>) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        let Some(sa) = &mut pair.outbound else { return };
        let (next_header, payload) = match sa.mode {
            Mode::Transport => (packet.protocol, packet.payload()),
            Mode::Tunnel if packet.source.is_ipv4() => (protocol::IPV4, packet.octets),
            Mode::Tunnel => (protocol::IPV6, packet.octets),
        };
        let compressed = sa.cpi.and_then(|cpi| self.ipcomp.compress(cpi, next_header, payload));
        let (next_header, payload) = match &compressed {
            Some(compressed) => (protocol::IPCOMP, compressed.as_slice()),
            None => (next_header, payload),
        };
        let Some(sequence) = pair.sequence.checked_add(1) else { return };
        let number = match u32::try_from(sequence) {
            _ if sa.extended => Sequence::Extended(sequence),
            Ok(short) => Sequence::Short(short),
            Err(_) => return,
        };
        let (protocol, protected) = match &sa.main {
            Main::Esp(transform) => {
                let mut room = [0_u8; 16];
                let Some(iv) = room.get_mut(..transform.iv_len()) else { return };
                if transform.wants_random_iv() {
                    // Without randomness nothing can be sent.
                    if self.random.fill(iv).is_err() {
                        return;
                    }
                } else {
                    // RFC 3686 §3.1, RFC 4106 §3.1: the counter is the sequence number, which never repeats.
                    iv.iter_mut().zip(sequence.to_be_bytes()).for_each(|(to, from)| *to = from);
                }
                let Ok(sealed) = transform.seal(sa.name.spi, number, iv, next_header, payload) else { return };
                (protocol::ESP, Cow::Owned(sealed))
            }
            // It goes in front once there is an IP packet.
            Main::Ah(_) => (next_header, Cow::Borrowed(payload)),
        };
        pair.sequence = sequence;
        let octets = payload.len();
        let authenticate = |plain: Vec<u8>| match (&sa.main, &sa.outer) {
            (Main::Ah(ah), _) => ah.seal(&plain, sa.name.spi, number),
            (Main::Esp(_), Some((spi, ah))) => ah.seal(&plain, *spi, number),
            (Main::Esp(_), None) => Some(plain),
        };
        let effect = match (sa.encapsulation, sa.mode) {
            (Some(encapsulation), _) => Some(Effect::Message(DriverMessage::SendEncapsulated {
                local: SocketAddr::new(sa.source, encapsulation.source_port),
                remote: SocketAddr::new(sa.name.destination, encapsulation.destination_port),
                packet: protected.into_owned().into(),
            })),
            (None, Mode::Transport) => {
                packet.replace_payload(protocol, &protected).and_then(authenticate).map(Effect::Network)
            }
            (None, Mode::Tunnel) => {
                let header = tunnel_header(packet, sa.source, sa.name.destination, protocol);
                header.packet(&protected).and_then(authenticate).map(Effect::Network)
            }
        };
        // A packet that became too long for IP is not sent, and its number is not used again.
        let Some(effect) = effect else { return };
        sa.count(octets);
        let (name, age) = (sa.name, sa.age(now, sequence));
        self.effects.push_back(effect);
        self.tell_age(name, age);
    }

    /// An ESP packet, from its SPI on, came from the network.
    pub(super) fn esp_packet(&mut self, now: Time, arrival: &Arrival, packet: &[u8]) {
        self.esp_of(None, now, arrival, packet);
    }

    /// An ESP packet, by itself or within the AH of a pair.
    fn esp_of(&mut self, outer: Option<IpsecSaId>, now: Time, arrival: &Arrival, packet: &[u8]) {
        let Some((spi, received)) = esp::header(packet) else { return };
        let Some((id, pair)) = self.arrived(ProtocolId::ESP, arrival, spi) else { return };
        let Main::Esp(transform) = &pair.inbound.main else { return };
        // What AH must be around comes in AH, and nothing else does.
        if outer != pair.inbound.outer.as_ref().map(|_| id) {
            return;
        }
        let Some((sequence, number)) = new_number(&pair.window, &pair.inbound, received) else {
            pair.replays += 1;
            return;
        };
        let opened = match transform.open(packet, number) {
            Ok(opened) => opened,
            Err(error) => {
                if error == OpenError::Integrity {
                    pair.integrity_failures += 1;
                }
                self.dropped.not_decrypted.fetch_add(1, Ordering::Relaxed);
                return;
            }
        };
        pair.window.note(sequence);
        self.deliver(now, id, arrival, opened);
    }

    /// An IP packet with AH came from the network.
    pub(super) fn ah_packet(&mut self, now: Time, arrival: &Arrival, octets: &[u8]) {
        let Some(packet) = Packet::parse(octets) else { return };
        let Some(header) = ah::Header::of(&packet) else { return };
        let Some((id, pair)) = self.arrived(ProtocolId::AH, arrival, header.spi) else { return };
        let (ah, window) = match (&pair.inbound.main, &pair.inbound.outer) {
            (Main::Ah(ah), _) => (ah, &mut pair.window),
            (Main::Esp(_), Some((_, ah))) => (ah, &mut pair.outer_window),
            (Main::Esp(_), None) => return,
        };
        let Some((sequence, number)) = new_number(window, &pair.inbound, header.sequence) else {
            pair.replays += 1;
            return;
        };
        if !ah.verify(&packet, &header, number) {
            pair.integrity_failures += 1;
            return;
        }
        window.note(sequence);
        let (next_header, payload) = (header.next_header, header.payload(&packet));
        match pair.inbound.main {
            Main::Ah(_) => self.deliver(now, id, arrival, Opened { next_header, payload: payload.to_vec() }),
            Main::Esp(_) if next_header == protocol::ESP => self.esp_of(Some(id), now, arrival, payload),
            Main::Esp(_) => {}
        }
    }

    /// The pair of a packet that arrived.
    fn arrived(&mut self, protocol: ProtocolId, arrival: &Arrival, spi: Spi) -> Option<(IpsecSaId, &mut Pair)> {
        let name = SaName { protocol, destination: arrival.destination.ip(), spi };
        let fits = |pair: &&mut Pair| !pair.inbound.ended && pair.inbound.encapsulation.is_some() == arrival.in_udp;
        let id = self.arrivals.get(&name).copied();
        let found = id.and_then(|id| Some((id, self.pairs.get_mut(&id).filter(fits)?)));
        if found.is_none() {
            self.dropped.bad_spi.fetch_add(1, Ordering::Relaxed);
        }
        found
    }

    /// What a packet of a pair held, once it is known to be the peer's.
    fn deliver(&mut self, now: Time, id: IpsecSaId, arrival: &Arrival, mut opened: Opened) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        let sa = &mut pair.inbound;
        let octets = opened.payload.len();
        let (mode, selector, in_udp) = (sa.mode, sa.selector, sa.encapsulation.is_some());
        if let (Some(cpi), protocol::IPCOMP) = (sa.cpi, opened.next_header) {
            match self.ipcomp.decompress(cpi, &opened.payload) {
                Some((next_header, payload)) => opened = Opened { next_header, payload },
                // It is counted, and goes no further.
                None => opened.next_header = protocol::NONE,
            }
        }
        let inner = match (mode, opened.next_header) {
            // RFC 4303 §2.6: dummy packets are dropped without a word.
            (_, protocol::NONE) => None,
            (Mode::Transport, next_header) => {
                let header = NewHeader {
                    source: arrival.source.ip(),
                    destination: arrival.destination.ip(),
                    traffic_class: arrival.traffic_class,
                    hop_limit: arrival.hop_limit,
                    dont_fragment: false,
                    protocol: next_header,
                };
                let mut inner = header.packet(&opened.payload);
                if let Some(inner) = inner.as_mut().filter(|_| in_udp) {
                    renew_upper_checksum(inner);
                }
                inner
            }
            (Mode::Tunnel, protocol::IPV4 | protocol::IPV6) => leave_tunnel(opened.payload, arrival.traffic_class),
            (Mode::Tunnel, _) => None,
        };
        sa.count(octets);
        let (name, age) = (sa.name, sa.age(now, 0));
        if in_udp {
            self.note_mapping(id, arrival.source);
        }
        self.tell_age(name, age);
        // RFC 4301 §5.2 step 4: the packet must be one that the SA is for, and none that is blocked.
        let blocked = |flow: &Flow| {
            self.spd.find(flow, Direction::Inbound).is_some_and(|policy| policy.action == TrafficAction::Block)
        };
        let fits = |inner: &Vec<u8>| {
            Packet::parse(inner).is_some_and(|packet| {
                let version = if packet.source.is_ipv4() { protocol::IPV4 } else { protocol::IPV6 };
                let version_fits = mode == Mode::Transport || version == opened.next_header;
                let flow = packet.inbound_flow();
                version_fits && !packet.is_link_scoped() && selector.matches(&flow) && !blocked(&flow)
            })
        };
        if let Some(inner) = inner.filter(fits) {
            self.effects.push_back(Effect::Host(inner));
        }
    }

    /// Tells once where the peer's packets come from now, if that is not where this host's go to.
    fn note_mapping(&mut self, id: IpsecSaId, remote: SocketAddr) {
        let Some(pair) = self.pairs.get_mut(&id) else { return };
        // Half a pair cannot move yet; it is told with the first packet afterwards.
        let Some(outbound) = &pair.outbound else { return };
        let Some(encapsulation) = outbound.encapsulation else { return };
        let known = SocketAddr::new(outbound.name.destination, encapsulation.destination_port);
        if remote == known {
            pair.mapping = None;
        } else if pair.mapping != Some(remote) {
            pair.mapping = Some(remote);
            let sa = pair.inbound.name;
            self.tell(DriverMessage::Mapping(Mapping { sa, remote }));
        }
    }

    /// Lets time pass.
    pub(super) fn tick(&mut self, now: Time) {
        self.hold.drop_old(now);
        self.reassembly.drop_old(now);
        let mut aged = Vec::new();
        for pair in self.pairs.values_mut() {
            let sequence = pair.sequence;
            aged.push((pair.inbound.name, pair.inbound.age(now, 0)));
            aged.extend(pair.outbound.as_mut().map(|outbound| (outbound.name, outbound.age(now, sequence))));
        }
        for (name, age) in aged {
            self.tell_age(name, age);
        }
    }

    fn tell_age(&mut self, sa: SaName, age: Age) {
        match age {
            Age::Same => {}
            Age::Soft => self.tell(DriverMessage::Expire(Expire { sa, hard: false })),
            Age::Hard => self.tell(DriverMessage::Expire(Expire { sa, hard: true })),
        }
    }

    fn tell(&mut self, message: DriverMessage) {
        self.effects.push_back(Effect::Message(message));
    }
}
