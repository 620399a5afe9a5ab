//! From a datagram to the exchange that it belongs to.
use super::Endpoint;
use super::fragments::is_fragment;
use super::tables::{Phase, first_message};
use crate::event::negotiation::Role;
use crate::event::{EventKind, Failure, MessageEvent, Reject};
use crate::exchange::Path;
use crate::exchange::message::Incoming;
use crate::ids::{Cookies, IkeSaId};
use crate::wire::error::Fault;
use crate::wire::{ExchangeType, Header, WireError};
use bytes::Bytes;

impl Endpoint {
    /// Takes a datagram. Whatever it is, what it does not belong to is as it was before.
    pub(super) fn datagram(&mut self, path: Path, octets: &[u8]) {
        self.counters.datagrams += 1;
        if let Err(reason) = self.take(path, octets, false) {
            if let Reject::Malformed(WireError { fault: Fault::MajorVersion(_), .. }) = reason {
                self.answer_other_version(path, octets);
            }
            let cookies = Header::read(octets).ok().map(|header| header.cookies());
            self.drop_datagram(cookies, octets.len(), reason);
        }
    }

    /// Takes a message; `assembled`: it came in fragments, and is none itself.
    pub(super) fn take(&mut self, path: Path, octets: &[u8], assembled: bool) -> Result<(), Reject> {
        self.shared.trace.context.local = Some(path.local);
        self.shared.trace.context.remote = Some(path.remote);
        let message = match Incoming::decode(octets, path) {
            Ok(message) => message,
            Err(error) => return self.malformed(path, octets, error),
        };
        let found = self.find(&message);
        if let Some(id) = found {
            self.note_answer(id);
            self.focus(id);
            // The datagram's own addresses, which may not be those of the SA.
            self.shared.trace.context.local = Some(path.local);
            self.shared.trace.context.remote = Some(path.remote);
        }
        self.shared
            .trace
            .step(|| EventKind::Message(MessageEvent::Received { octets: Bytes::copy_from_slice(octets) }));
        if let Some(result) = self.about_delete(&message) {
            return result;
        }
        match found {
            _ if self.stopping => Err(Reject::Stopping),
            _ if is_fragment(&message) && !assembled => self.fragment(found, &message),
            Some(id) => self.deliver(id, &message),
            None => self.unknown(&message),
        }
    }

    /// A datagram whose header is wrong (RFC 2408 §5.2): of a first message the sender is told, of a later one it is kept in
    /// mind why there is no better one.
    fn malformed(&mut self, path: Path, octets: &[u8], error: WireError) -> Result<(), Reject> {
        let Some(header) = Header::read(octets).ok().filter(|header| !header.initiator.is_zero() && !self.stopping)
        else {
            return Err(error.into());
        };
        if header.version >> 4 != Header::VERSION >> 4 {
            let message = Incoming { header, octets, path };
            if let Some(id) = self.find(&message) {
                self.note_answer(id);
            }
            self.suspect_version(&message, &error);
            return Err(error.into());
        }
        let message = Incoming { header, octets, path };
        let found = self.find(&message);
        if let Some(id) = found {
            self.note_answer(id);
        }
        match found {
            None if header.responder.is_zero() => {
                self.refuse_first(&message, Failure::Malformed(error.clone()), error.into())
            }
            None => Err(error.into()),
            Some(id) => {
                self.suspect(id, &message, Failure::Malformed(error.clone()));
                Err(error.into())
            }
        }
    }

    /// The ISAKMP SA that a message names.
    pub(super) fn find(&self, message: &Incoming<'_>) -> Option<IkeSaId> {
        let Cookies { initiator, responder } = message.header.cookies();
        let own = |cookie, role| {
            let id = *self.by_cookie.get(&cookie)?;
            (self.ike_sas.get(&id)?.role == role).then_some(id)
        };
        own(initiator, Role::Initiator).or_else(|| {
            if responder.is_zero() {
                self.by_first_message.get(&first_message(message)).copied()
            } else {
                own(responder, Role::Responder)
            }
        })
    }

    /// A message for no SA that stands: a first message, or nothing.
    fn unknown(&mut self, message: &Incoming<'_>) -> Result<(), Reject> {
        let Cookies { initiator, responder } = message.header.cookies();
        if !responder.is_zero() {
            return self.with_dos_cookie(message).unwrap_or(Err(Reject::UnknownCookies { initiator, responder }));
        }
        match message.header.exchange {
            ExchangeType::MAIN | ExchangeType::AGGRESSIVE => self.begin_main_mode_as_responder(message, false),
            ExchangeType::INFORMATIONAL => Err(Reject::UnknownCookies { initiator, responder }),
            received @ (ExchangeType::BASE | ExchangeType::AUTH_ONLY) => {
                self.refuse_first(message, Failure::ExchangeType { received }, Reject::Exchange(received))
            }
            exchange => Err(Reject::Exchange(exchange)),
        }
    }

    pub(super) fn deliver(&mut self, id: IkeSaId, message: &Incoming<'_>) -> Result<(), Reject> {
        let Some(sa) = self.ike_sas.get(&id) else { return Ok(()) };
        let known = sa.cookies;
        let established = matches!(sa.phase, Phase::Established(_));
        match message.header.exchange {
            ExchangeType::MAIN | ExchangeType::AGGRESSIVE => self.main_mode_message(id, message),
            ExchangeType::INFORMATIONAL if !message.is_encrypted() => self.clear_information(id, message),
            ExchangeType::QUICK | ExchangeType::INFORMATIONAL | ExchangeType::TRANSACTION if !established => {
                Err(message.unexpected("main mode"))
            }
            received if !established => {
                self.suspect(id, message, Failure::ExchangeType { received });
                Err(Reject::Exchange(received))
            }
            // From here on the keys are those of both cookies.
            _ if message.header.cookies() != known => {
                let Cookies { initiator, responder } = message.header.cookies();
                Err(Reject::UnknownCookies { initiator, responder })
            }
            ExchangeType::QUICK => self.quick_mode_message(id, message),
            ExchangeType::TRANSACTION => self.transaction_message(id, message),
            ExchangeType::INFORMATIONAL => self.protected_information(id, message),
            exchange => Err(Reject::Exchange(exchange)),
        }
    }

    pub(super) fn drop_datagram(&mut self, cookies: Option<Cookies>, len: usize, reason: Reject) {
        self.counters.dropped += 1;
        match &reason {
            Reject::Malformed(_) => self.counters.malformed += 1,
            Reject::Hash(_) | Reject::Undecipherable(_) => self.counters.authentication_failures += 1,
            Reject::Refused(failure) if failure.is_authentication() => self.counters.authentication_failures += 1,
            _ => {}
        }
        self.tell(EventKind::Message(MessageEvent::Dropped { cookies, reason, len }));
    }
}
