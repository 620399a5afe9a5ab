//! The informational exchange: what peers notify and delete, and what this host tells them.
use super::Endpoint;
use super::quick_mode::check_unused;
use super::tables::IkeSa;
use crate::event::{EventKind, Failure, IkeSaEvent, IpsecSaEvent, MessageEvent, Reject};
use crate::exchange::info::{self, Information};
use crate::exchange::message::Incoming;
use crate::exchange::quick::IpsecSa;
use crate::ids::{IkeSaId, IpsecSaId, MessageId, Spi};
use crate::wire::{NotifyType, ProtocolId};
use std::sync::Arc;

impl Endpoint {
    /// A message in clear proves nothing. During main mode it may explain why nothing better comes.
    pub(super) fn clear_information(&mut self, id: IkeSaId, message: &Incoming<'_>) -> Result<(), Reject> {
        let all = info::read_clear(message)?;
        let Some(sa) = self.ike_sas.get_mut(&id) else { return Ok(()) };
        if sa.path.remote.ip() != message.path.remote.ip() {
            return Err(Reject::WrongAddress { expected: sa.path.remote });
        }
        let rule = Arc::clone(&sa.rule);
        for information in all {
            let Information::Notify { notify, data, .. } = information else { continue };
            let negotiating = self.ike_sas.get_mut(&id).and_then(IkeSa::negotiating_mut);
            if let Some(negotiating) = negotiating.filter(|_| notify.is_error()) {
                let what = match negotiating.exchange.unanswered().last().map(|message| message.name) {
                    Some("main mode message 1") => "the main mode proposal",
                    Some(name) => name,
                    None => "main mode",
                };
                let text = match what {
                    "the main mode proposal" => Some(offered(&rule)),
                    "main mode message 5" => Some(format!(
                        "the pre-shared key of rule {:?} probably differs from the peer's, or it refuses our identity",
                        rule.name
                    )),
                    _ => None,
                };
                negotiating.suspicion = Some(Failure::PeerRefused { what, notify, text });
            }
            self.tell_notification(notify, false, &data);
        }
        Ok(())
    }

    fn tell_notification(&mut self, notify: NotifyType, authenticated: bool, data: &[u8]) {
        // Some peers explain themselves in text.
        let text =
            core::str::from_utf8(data).ok().filter(|text| text.len() > 4 && text.chars().all(|c| !c.is_control()));
        let text = text.map(str::to_owned);
        self.tell(EventKind::Message(MessageEvent::Notification { notify, authenticated, text }));
    }

    /// A message that an ISAKMP SA protects.
    pub(super) fn protected_information(&mut self, id: IkeSaId, message: &Incoming<'_>) -> Result<(), Reject> {
        let message_id = message.header.message_id;
        let Some(standing) = self.ike_sas.get(&id).and_then(IkeSa::standing) else { return Ok(()) };
        if message_id == MessageId::PHASE_1 {
            return Err(message.unexpected("established"));
        }
        check_unused(standing, message_id, message)?;
        let keys = Arc::clone(&standing.sa.keys);
        let all = info::read_protected(message, &keys, &mut self.shared.cx())?;
        if let Some(standing) = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut) {
            standing.used.insert(message_id);
        }
        for information in all {
            match information {
                Information::Notify { notify, spi, data, .. } => self.notified(id, notify, &spi, &data),
                Information::DeleteIpsec { protocol, spis } => self.peer_deleted_ipsec(id, protocol, &spis),
                Information::DeleteIke { cookies } => {
                    for cookies in cookies {
                        self.peer_deleted_ike(id, cookies);
                    }
                }
            }
        }
        Ok(())
    }

    fn notified(&mut self, id: IkeSaId, notify: NotifyType, spi: &[u8], data: &[u8]) {
        self.tell_notification(notify, true, data);
        let Some(path) = self.ike_sas.get(&id).map(|sa| sa.path) else { return };
        if notify == NotifyType::INITIAL_CONTACT {
            return self.forget_peer(path.remote.ip(), Some(id), &Failure::InitialContact);
        }
        if !notify.is_error() {
            return;
        }
        // Which quick mode: named by message ID in the data (Windows), else the only one that still waits for the peer.
        let Some(standing) = self.ike_sas.get(&id).and_then(IkeSa::standing) else { return };
        let named = data.first_chunk::<4>().map(|octets| MessageId(u32::from_be_bytes(*octets)));
        let running = |message_id: &MessageId| {
            standing.quick_modes.get(message_id).and_then(|running| running.exchange.as_ref()).is_some()
        };
        let message_id = named.filter(running).or_else(|| {
            let mut open = standing.quick_modes.iter().filter(|(_, running)| {
                running.exchange.as_ref().is_some_and(|exchange| exchange.unanswered().next().is_some())
            });
            let only = open.next().map(|(message_id, _)| *message_id);
            only.filter(|_| open.next().is_none())
        });
        let _ = spi;
        let Some(message_id) = message_id else { return };
        let Some(exchange) = standing.quick_modes.get(&message_id).and_then(|running| running.exchange.as_ref()) else {
            return;
        };
        let cleanup = exchange.cleanup();
        let negotiation = standing.quick_modes.get(&message_id).map(|running| running.negotiation);
        let rule =
            negotiation.and_then(|id| self.negotiations.get(&id)).and_then(|negotiation| negotiation.rule.clone());
        let text = rule.and_then(|rule| {
            let offers = &rule.quick_mode()?.offers;
            let list: Vec<String> = offers
                .iter()
                .map(|offer| match offer.pfs {
                    Some(group) => format!("{} with PFS {}", offer.suite, group.name()),
                    None => format!("{} without PFS", offer.suite),
                })
                .collect();
            let filters: Vec<String> = rule.filters.iter().map(ToString::to_string).collect();
            Some(format!("offered were {} for {}", list.join(", "), filters.join(", ")))
        });
        let failure = Failure::PeerRefused { what: "the quick mode proposal", notify, text };
        self.fail_quick_mode(id, message_id, failure, cleanup, false);
    }

    fn peer_deleted_ipsec(&mut self, id: IkeSaId, protocol: ProtocolId, spis: &[Spi]) {
        let Some(peer) = self.ike_sas.get(&id).map(|sa| sa.path.remote.ip()) else { return };
        for spi in spis {
            // RFC 2408 §3.15: the sender names SPIs of its own choice, those that this host sends to.
            let named = self.pairs.values().find(|pair| {
                pair.sa.outbound.spi == *spi
                    && pair.sa.outbound.protocol == protocol
                    && pair.sa.path.remote.ip() == peer
            });
            if let Some(pair) = named.map(|pair| pair.sa.id) {
                self.remove_pair(pair, Failure::DeletedByPeer("IPsec"), false);
            }
        }
    }

    fn peer_deleted_ike(&mut self, id: IkeSaId, cookies: crate::ids::Cookies) {
        // Only SAs with the same peer may be deleted under this one.
        let Some(peer) = self.ike_sas.get(&id).map(|sa| sa.path.remote.ip()) else { return };
        let named = self.ike_sas.iter().find(|(_, sa)| sa.cookies == cookies && sa.path.remote.ip() == peer);
        if let Some(named) = named.map(|(id, _)| *id) {
            self.end_ike_sa(named, Failure::DeletedByPeer("ISAKMP"), false);
        }
    }

    /// Sends a protected message; it is never repeated (RFC 2408 §4.8).
    pub(super) fn inform(&mut self, id: IkeSaId, information: &Information) {
        let Some(message_id) = self.new_message_id(id) else { return };
        let Some((path, keys)) = self.ike_sas.get(&id).and_then(|sa| {
            let standing = sa.standing()?;
            Some((sa.path, Arc::clone(&standing.sa.keys)))
        }) else {
            return;
        };
        if let Ok(message) = info::protected(path, &keys, message_id, information) {
            self.send(&message);
        }
    }

    /// Tells the peer that a pair is gone, under any ISAKMP SA with it.
    pub(super) fn tell_peer_pair_deleted(&mut self, id: IpsecSaId) {
        let Some(sa) = self.pairs.get(&id).map(|pair| pair.sa.clone()) else { return };
        let ike_sa = self.ike_sas.iter().rev().find(|(_, ike)| {
            ike.standing().is_some()
                && ike.path.remote.ip() == sa.path.remote.ip()
                && ike.path.local.ip() == sa.path.local.ip()
        });
        if let Some(ike_sa) = ike_sa.map(|(id, _)| *id) {
            self.tell_peer_deleted(ike_sa, &sa);
        }
    }

    pub(super) fn tell_peer_deleted(&mut self, ike_sa: IkeSaId, sa: &IpsecSa) {
        let spi = sa.inbound.spi;
        self.shared.trace.step(|| EventKind::IpsecSa(IpsecSaEvent::DeleteSent(spi)));
        let information = Information::DeleteIpsec { protocol: sa.inbound.protocol, spis: vec![spi] };
        self.inform(ike_sa, &information);
    }

    pub(super) fn tell_peer_ike_deleted(&mut self, id: IkeSaId) {
        let Some(cookies) = self.ike_sas.get(&id).map(|sa| sa.cookies) else { return };
        self.shared.trace.step(|| EventKind::IkeSa(IkeSaEvent::DeleteSent));
        self.inform(id, &Information::DeleteIke { cookies: vec![cookies] });
    }
}

/// What message 1 offered, for people.
fn offered(rule: &crate::policy::rule::Rule) -> String {
    let list: Vec<String> = rule
        .main_mode
        .offers
        .iter()
        .map(|offer| format!("{}/{}/{}", offer.cipher.name(), offer.hash.name(), offer.group.name()))
        .collect();
    format!("offered were {}", list.join(", "))
}
