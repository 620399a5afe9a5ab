//! What a flooded responder asks of peers that know Windows' cookie against floods: message 1 once more, with the cookie in
//! the place of the responder's. Until it comes nothing is kept of them, so whoever forges addresses fills no table.
//!
//! Nobody else knows of it; for others there is [`super::admission`].
use super::Endpoint;
use super::dos_cookie::AT;
use crate::address::HostAddress;
use crate::crypto::hash::HashAlg;
use crate::event::Reject;
use crate::exchange::Path;
use crate::exchange::info;
use crate::exchange::message::Incoming;
use crate::exchange::vendor::Announced;
use crate::ids::{Cookie, Cookies, MessageId};
use crate::secret::Secret;
use crate::time::Time;
use crate::wire::{ExchangeType, NotifyType};
use std::net::{IpAddr, SocketAddr};

/// Seconds during which the cookie of a message stays the same. One of the slice before is good too.
const SLICE: u64 = 150;

/// Octets of the key.
const KEY: usize = 32;

/// What the cookies are made with; there is none before the first is needed.
#[derive(Default)]
pub(super) struct Key(Option<Secret<Vec<u8>>>);

impl Endpoint {
    /// Whether the sender of a message 1 has to show first that it is where it says; if so, it is asked to.
    pub(super) fn demand_dos_cookie(&mut self, message: &Incoming<'_>) -> bool {
        let flooded = self.index.half_open.len() >= self.config.half_open_cookie;
        let knows = || message.clear(&[]).is_ok_and(|chain| Announced::read(&chain).microsoft);
        if !flooded || message.header.exchange != ExchangeType::MAIN || !knows() {
            return false;
        }
        let mut message_id = [0; 4];
        if self.make_dos_key().is_none() || self.shared.rng.fill(&mut message_id).is_err() {
            return false;
        }
        let initiator = message.header.initiator;
        let Some(cookie) = self.own_dos_cookie(initiator, message.path, self.slice()) else { return false };
        let cookies = Cookies { initiator, responder: Cookie::ZERO };
        let message_id = MessageId(u32::from_be_bytes(message_id).max(1));
        let data = cookie.0.to_vec();
        let demand = info::clear_with(message.path, cookies, message_id, NotifyType::MS_DOS_COOKIE, data);
        // Whoever forges addresses gets no more octets out of this host than went in.
        if demand.octets.len() <= message.octets.len() {
            self.send(&demand);
        }
        true
    }

    /// Takes a message for no SA as message 1 if the responder's cookie in it is one that this host asked for.
    pub(super) fn with_dos_cookie(&mut self, message: &Incoming<'_>) -> Option<Result<(), Reject>> {
        let Cookies { initiator, responder } = message.header.cookies();
        let slice = self.slice();
        let is_own = [Some(slice), slice.checked_sub(1)]
            .into_iter()
            .flatten()
            .any(|slice| self.own_dos_cookie(initiator, message.path, slice) == Some(responder));
        if !is_own || message.header.exchange != ExchangeType::MAIN {
            return None;
        }
        // From here on it is what it was without the cookie.
        let mut octets = message.octets.to_vec();
        octets.get_mut(AT)?.fill(0);
        let message = Incoming::decode(&octets, message.path).ok()?;
        Some(match self.find(&message) {
            Some(id) => self.deliver(id, &message),
            None => self.begin_main_mode_as_responder(&message, true),
        })
    }

    fn slice(&self) -> u64 {
        self.shared.now.since(Time::ZERO).as_secs() / SLICE
    }

    fn make_dos_key(&mut self) -> Option<()> {
        if self.dos_key.0.is_none() {
            let mut key = vec![0; KEY];
            self.shared.rng.fill(&mut key).ok()?;
            self.dos_key.0 = Some(Secret::new(key));
        }
        Some(())
    }

    /// The cookie for a message from and to these addresses; none before one was asked for.
    fn own_dos_cookie(&self, initiator: Cookie, path: Path, slice: u64) -> Option<Cookie> {
        let key = self.dos_key.0.as_ref()?;
        let end = |end: SocketAddr| {
            let address = match end.ip() {
                IpAddr::V4(address) => address.to_ipv6_mapped(),
                IpAddr::V6(address) => address,
            };
            let scope = HostAddress::from(end).scope().0.to_be_bytes();
            [address.octets().as_slice(), &scope, &end.port().to_be_bytes()].concat()
        };
        let (local, remote) = (end(path.local), end(path.remote));
        // All parts have a fixed length.
        let digest = HashAlg::Sha256.digest(&[key.expose(), &initiator.0, &remote, &local, &slice.to_be_bytes()]);
        digest.as_ref().first_chunk().copied().map(Cookie)
    }
}
