//! Messages of another major version, that is IKEv2: who sends them is told which version this host speaks, and who answers
//! with them is not waited for without a reason.
use super::Endpoint;
use crate::event::Failure;
use crate::event::negotiation::Role;
use crate::exchange::message::Incoming;
use crate::exchange::{Path, info};
use crate::time::Time;
use crate::wire::error::WireError;
use crate::wire::{Header, NotifyType};

/// The exchange type by which IKEv2 begins, and its flag of answers (RFC 7296 §3.1).
const IKE_SA_INIT: u8 = 34;
const RESPONSE: u8 = 0x20;

/// Answers that go out at once after a pause, and in each second from then on.
const ALLOWANCE: u32 = 10;

/// How many answers may still go out.
pub(super) struct Allowance {
    left: u32,
    since: Time,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { left: ALLOWANCE, since: Time::ZERO }
    }
}

impl Allowance {
    /// Takes one, if there is one.
    fn take(&mut self, now: Time) -> bool {
        let seconds = u32::try_from(now.since(self.since).as_secs()).unwrap_or(u32::MAX);
        if seconds > 0 {
            self.left = self.left.saturating_add(seconds.saturating_mul(ALLOWANCE)).min(ALLOWANCE);
            self.since = now;
        }
        let is_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_left
    }
}

impl Endpoint {
    /// A datagram whose header is of another major version. RFC 7296 §2.5 has IKEv2 hosts expect an unprotected
    /// INVALID_MAJOR_VERSION whose header says what the sender speaks; of version 1 that is the informational exchange of
    /// RFC 2408 §5.2. Cookies and message ID are those of the message.
    pub(super) fn answer_other_version(&mut self, path: Path, octets: &[u8]) {
        let Ok(header) = Header::read(octets) else { return };
        let is_whole = usize::try_from(header.length).ok() == Some(octets.len());
        // The first request of an SA, and no answer: so that two hosts never answer each other.
        let begins = header.exchange.0 == IKE_SA_INIT && header.flags.0 & RESPONSE == 0 && header.responder.is_zero();
        if !is_whole || header.version >> 4 != 2 || !begins || header.initiator.is_zero() || self.stopping {
            return;
        }
        let notify = NotifyType::INVALID_MAJOR_VERSION;
        let message = info::clear(path, header.cookies(), header.message_id, notify);
        // Whoever forges addresses gets no more octets out of this host than went in, and not many.
        if message.octets.len() <= octets.len() && self.versions.take(self.shared.now) {
            self.send(&message);
        }
    }
    /// The peer seems to answer this host's first message in another version: then it speaks no other. Nothing proves that
    /// it was the peer, so it is a reason only if no answer in version 1 comes. The SPIs of IKEv2 stand where the cookies
    /// do (RFC 7296 §3.1), that of the responder may be zero in a refusal.
    pub(super) fn suspect_version(&mut self, message: &Incoming<'_>, error: &WireError) {
        let Some(id) = self.find(message) else { return };
        let Some(sa) = self.ike_sas.get_mut(&id) else { return };
        let is_unanswered = sa.role == Role::Initiator && sa.cookies.responder.is_zero();
        if !is_unanswered || sa.path.remote != message.path.remote {
            return;
        }
        if let Some(negotiating) = sa.negotiating_mut() {
            negotiating.suspicion = Some(Failure::Malformed(error.clone()));
        }
    }
}
