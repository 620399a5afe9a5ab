//! IKE fragmentation: when long messages go out in fragments, and the fragments that wait for the rest of their message.
//!
//! Fragments are kept only for ISAKMP SAs that are known by both cookies, so that only those who hear what this host
//! sends can have it keep anything; within bounds for each peer and for all, and not for long.
use super::Endpoint;
use super::tables::IkeSa;
use super::timers::Timer;
use crate::address::HostAddress;
use crate::event::Reject;
use crate::exchange::Path;
use crate::exchange::fragment::{self, Assembly};
use crate::exchange::message::{Incoming, Outgoing};
use crate::exchange::mode::Phase1;
use crate::ids::{Cookie, IkeSaId};
use crate::time::{Duration, Time};
use crate::wire::payload::Fragment;
use crate::wire::{Header, Padding, PayloadType, parse};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// How long fragments wait for the rest of their message.
const PATIENCE: Duration = Duration::from_secs(70);

/// Unfinished messages of one address, and octets of their fragments.
const OF_PEER: (usize, usize) = (8, 2 * fragment::MAX_MESSAGE);

/// The same for all addresses together.
const IN_ALL: (usize, usize) = (256, 32 * fragment::MAX_MESSAGE);

/// Octets of an IP datagram that every path takes, of IPv4 and of IPv6 (RFC 791, RFC 8200 §5).
const EVERY_PATH: (usize, usize) = (576, 1_280);

/// Octets of an IP datagram that hardly any path takes more than; so many are taken to pass where nothing else is known.
pub(super) const MOST_PATHS: usize = 1_500;

/// What tells one message in fragments from another. Fragments from elsewhere do not mix with the peer's.
type Key = (IkeSaId, SocketAddr, u16);

/// Messages that are not whole yet.
#[derive(Default)]
pub(super) struct Fragments {
    sets: BTreeMap<Key, (Time, Assembly)>,
    /// The oldest first.
    order: BTreeSet<(Time, Key)>,
    /// The id of the last message that this host sent in fragments.
    last_id: u16,
}

impl Fragments {
    /// How many messages, and how many octets, of one address or of all.
    fn load(&self, peer: Option<HostAddress>) -> (usize, usize) {
        let concerned =
            self.sets.iter().filter(|((_, remote, _), _)| peer.is_none_or(|peer| HostAddress::from(*remote) == peer));
        concerned.fold((0, 0), |(sets, octets), (_, (_, assembly))| (sets + 1, octets + assembly.octets()))
    }

    fn remove(&mut self, key: Key) {
        if let Some((since, _)) = self.sets.remove(&key) {
            self.order.remove(&(since, key));
        }
    }

    /// The oldest, of one address or of all, but for the one that is being added to.
    fn oldest(&self, peer: Option<HostAddress>, except: Key) -> Option<Key> {
        let keys = self.order.iter().map(|(_, key)| *key);
        keys.filter(|key| *key != except)
            .find(|(_, remote, _)| peer.is_none_or(|peer| HostAddress::from(*remote) == peer))
    }

    /// The address with the most octets: whoever fills the room makes way first.
    fn greediest(&self) -> Option<HostAddress> {
        let mut octets: BTreeMap<HostAddress, usize> = BTreeMap::new();
        for ((_, remote, _), (_, assembly)) in &self.sets {
            *octets.entry(HostAddress::from(*remote)).or_default() += assembly.octets();
        }
        octets.into_iter().max_by_key(|(_, octets)| *octets).map(|(peer, _)| peer)
    }

    /// Makes room until all bounds hold again.
    fn bound(&mut self, key: Key) {
        let exceeds = |(sets, octets): (usize, usize), most: (usize, usize)| sets > most.0 || octets > most.1;
        let peer = HostAddress::from(key.1);
        while exceeds(self.load(Some(peer)), OF_PEER) {
            let Some(victim) = self.oldest(Some(peer), key) else { return self.remove(key) };
            self.remove(victim);
        }
        while exceeds(self.load(None), IN_ALL) {
            let greediest = self.greediest();
            let Some(victim) = self.oldest(greediest, key).or_else(|| self.oldest(None, key)) else { return };
            self.remove(victim);
        }
    }

    #[cfg(test)]
    pub(super) fn load_of_all(&self) -> (usize, usize) {
        self.load(None)
    }
}

/// Octets of an ISAKMP message that fit into an IP datagram of so many octets, of IPv4 and of IPv6.
fn room(path: Path, marker: bool, (v4, v6): (usize, usize)) -> usize {
    const UDP: usize = 8;
    let (datagram, header) = if path.remote.is_ipv4() { (v4, 20) } else { (v6, 40) };
    datagram.saturating_sub(header + UDP + if marker { 4 } else { 0 })
}

/// True if the message holds a fragment of another.
pub(super) fn is_fragment(message: &Incoming<'_>) -> bool {
    message.header.next_payload == PayloadType::FRAGMENT && !message.is_encrypted()
}

impl Endpoint {
    /// A fragment came: tries every message that it completes like any other that comes.
    pub(super) fn fragment(&mut self, id: Option<IkeSaId>, message: &Incoming<'_>) -> Result<(), Reject> {
        let unexpected = || message.unexpected("a message that is whole");
        if !self.config.fragmentation {
            return Err(unexpected());
        }
        let cookies = message.header.cookies();
        let unknown = Reject::UnknownCookies { initiator: cookies.initiator, responder: cookies.responder };
        if cookies.responder.is_zero() {
            return Err(Reject::FragmentOfFirst);
        }
        let Some(id) = id else { return Err(unknown) };
        let Some(sa) = self.ike_sas.get(&id) else { return Err(unknown) };
        // Before message 2 is accepted, the responder's cookie is not known.
        if sa.cookies != cookies && !sa.cookies.responder.is_zero() {
            return Err(unknown);
        }
        let moves = sa.standing().is_some_and(super::tables::Standing::is_behind_nat);
        if !moves && sa.path.peer() != message.path.peer() {
            return Err(Reject::WrongAddress { expected: sa.path.remote });
        }
        let chain = parse(message.header.next_payload, message.body(), Padding::Forbidden)?;
        let [only] = chain.payloads.as_slice() else { return Err(unexpected()) };
        let fragment = only.decode(Fragment::decode)?;
        let key = (id, message.path.remote, fragment.id);
        let now = self.shared.now;
        let fragments = &mut self.fragments;
        let (since, assembly) = fragments.sets.entry(key).or_insert_with(|| (now, Assembly::default()));
        fragments.order.insert((*since, key));
        let whole = assembly.add(&fragment);
        fragments.bound(key);
        self.schedule_fragments();
        let (mut taken, mut refused) = (false, Ok(()));
        for octets in whole {
            match self.take(message.path, &octets, true) {
                Ok(()) => {
                    // What comes in fragments shows that the path needs them.
                    self.fragment_from_now(id);
                    taken = true;
                }
                Err(reject) => refused = Err(reject),
            }
        }
        // What is not authenticated yet may be forged, though it was taken: the true one may be among the others, or be
        // completed later. So the fragments stay until their time is over.
        if taken { Ok(()) } else { refused }
    }

    fn schedule_fragments(&mut self) {
        match self.fragments.order.first() {
            Some((since, _)) => self.timers.set(Timer::Fragments, *since + PATIENCE),
            None => self.timers.cancel(Timer::Fragments),
        }
    }

    /// The rest of some messages has not come.
    pub(super) fn fragments_timer(&mut self) {
        let now = self.shared.now;
        while let Some((_, key)) = self.fragments.order.first().copied().filter(|(at, _)| now.since(*at) >= PATIENCE) {
            self.fragments.remove(key);
        }
        self.schedule_fragments();
    }

    /// An ISAKMP SA is gone, and with it what was meant for it.
    pub(super) fn drop_fragments(&mut self, id: IkeSaId) {
        let keys: Vec<Key> = self.fragments.sets.keys().filter(|key| key.0 == id).copied().collect();
        for key in keys {
            self.fragments.remove(key);
            self.schedule_fragments();
        }
    }

    /// Long messages of an ISAKMP SA go out in fragments from now on, if the peer can take them.
    pub(super) fn fragment_from_now(&mut self, id: IkeSaId) {
        if let Some(sa) = self.ike_sas.get_mut(&id) {
            sa.fragmenting = true;
        }
    }

    /// A reply had to be repeated, and may be too long for the path.
    pub(super) fn fragment_what_is_repeated(&mut self, reply: &Outgoing) {
        if let Some(id) = self.sender(reply) {
            self.fragment_from_now(id);
        }
    }

    /// The ISAKMP SA that a message of this host belongs to.
    fn sender(&self, message: &Outgoing) -> Option<IkeSaId> {
        let cookies = Header::read(&message.octets).ok()?.cookies();
        let own = |cookie: Cookie| self.by_cookie.get(&cookie).copied();
        own(cookies.initiator).or_else(|| own(cookies.responder))
    }

    /// The fragments of a message that is too long to go out whole; `None`: it goes out as it is.
    pub(super) fn cut(&mut self, message: &Outgoing) -> Option<Vec<Bytes>> {
        let size = self.fragment_size(message)?;
        self.fragments.last_id = self.fragments.last_id.wrapping_add(1);
        fragment::cut(&message.octets, size, self.fragments.last_id)
    }

    /// How long the fragments of a message are to be; `None`: it goes out as it is.
    fn fragment_size(&self, message: &Outgoing) -> Option<usize> {
        let length = message.octets.len();
        let marker = message.path.local.port() == self.config.nat_t_port;
        let every = room(message.path, marker, EVERY_PATH);
        if length <= every || !self.config.fragmentation {
            return None;
        }
        let sa = self.sender(message).and_then(|id| self.ike_sas.get(&id))?;
        let whole = room(message.path, marker, (sa.path_mtu, sa.path_mtu));
        if !(sa.fragmenting || length > whole) || !sa.announced().fragmentation {
            return None;
        }
        // What routers have not said of the path may be known by messages that did not arrive, or not at all.
        let known = !sa.fragmenting && sa.path_mtu < MOST_PATHS;
        Some(if known { whole } else { every })
    }

    /// The system knows how long datagrams to a peer may be. What waits for its answer, and was longer, goes out at once in
    /// fragments.
    pub(super) fn path_mtu(&mut self, remote: SocketAddr, octets: usize) {
        let every = if remote.is_ipv4() { EVERY_PATH.0 } else { EVERY_PATH.1 };
        let octets = octets.max(every);
        for id in self.index.ike_sas.of(&remote.into()).collect::<Vec<_>>() {
            let concerned = |sa: &&mut IkeSa| sa.path.remote == remote && octets < sa.path_mtu;
            let Some(sa) = self.ike_sas.get_mut(&id).filter(concerned) else { continue };
            sa.path_mtu = octets;
            if sa.fragmenting {
                continue;
            }
            for message in sa.unanswered() {
                if self.fragment_size(&message).is_some() {
                    self.transmit(&message);
                }
            }
        }
    }
}

impl IkeSa {
    /// Messages of its main mode, or of its quick modes, that wait for an answer.
    fn unanswered(&self) -> Vec<Outgoing> {
        match &self.phase {
            super::tables::Phase::Negotiating(negotiating) => negotiating.exchange.unanswered().cloned().collect(),
            super::tables::Phase::Established(standing) => {
                let open = standing.quick_modes.values().filter_map(|running| running.exchange.as_ref());
                open.flat_map(crate::exchange::runner::Exchange::unanswered).cloned().collect()
            }
        }
    }

    /// What the peer announced so far.
    fn announced(&self) -> crate::exchange::vendor::Announced {
        match &self.phase {
            super::tables::Phase::Established(standing) => standing.sa.announced,
            super::tables::Phase::Negotiating(negotiating) => {
                negotiating.exchange.state().map(Phase1::announced).unwrap_or_default()
            }
        }
    }
}
