//! The cookie by which a flooded Windows has initiators show that messages reach them: message 1 is sent again with it in
//! the place of the responder's cookie.
//!
//! The notification is in clear, and may be forged. So message 1 goes out without a cookie too whenever it is repeated.
use super::Endpoint;
use super::tables::IkeSa;
use crate::exchange::message::Outgoing;
use crate::ids::{Cookie, IkeSaId};

/// So often message 1 goes out at once with a new cookie.
const MOST: u32 = 4;

/// Where the responder's cookie stands in a message.
pub(super) const AT: core::ops::Range<usize> = 8..16;

/// What a responder has asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    cookie: Option<Cookie>,
    times: u32,
}

impl Asked {
    /// Message 1 with the cookie, if one was asked for.
    pub(super) fn message_1(&self, message: &Outgoing) -> Option<Outgoing> {
        let cookie = self.cookie.filter(|_| message.name == "main mode message 1")?;
        let mut octets = message.octets.to_vec();
        octets.get_mut(AT)?.copy_from_slice(&cookie.0);
        let octets = bytes::Bytes::from(octets);
        Some(Outgoing { plain: octets.clone(), octets, ..message.clone() })
    }
}

impl Endpoint {
    /// A responder asks for its cookie; whether that is true is not known.
    pub(super) fn dos_cookie(&mut self, id: IkeSaId, data: &[u8]) {
        let Some(cookie) = data.try_into().ok().map(Cookie).filter(|cookie| !cookie.is_zero()) else { return };
        let Some(negotiating) = self.ike_sas.get_mut(&id).and_then(IkeSa::negotiating_mut) else { return };
        let asked = &mut negotiating.dos_cookie;
        if asked.times >= MOST || asked.cookie == Some(cookie) {
            return;
        }
        *asked = Asked { cookie: Some(cookie), times: asked.times + 1 };
        let message = negotiating.exchange.unanswered().find_map(|message| negotiating.dos_cookie.message_1(message));
        if let Some(message) = message {
            self.send(&message);
        }
    }
}
