//! The informational exchange: what peers notify and delete, and what this host tells them.
use super::Endpoint;
use super::quick_mode::check_unused;
use super::tables::{DELETED_LIMIT, IkeSa, Pair, Standing};
use crate::event::negotiation::Role;
use crate::event::{EventKind, Failure, IkeSaEvent, IpsecSaEvent, MessageEvent, Reject};
use crate::exchange::Path;
use crate::exchange::auth;
use crate::exchange::info::acknowledged::Unacknowledged;
use crate::exchange::info::{self, Information, Protected};
use crate::exchange::message::{Incoming, Outgoing};
use crate::exchange::mode::Phase1;
use crate::identity::Identity;
use crate::ids::{IkeSaId, IpsecSaId, MessageId, Spi};
use crate::policy::rule::AuthMethod;
use crate::sa::driver::SaName;
use crate::wire::{NotifyType, ProtocolId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many SPIs fit into a message that no network fragments.
const SPIS_OF_DELETE: usize = 128;

/// A delete of IPsec SAs is sent under so many ISAKMP SAs at most.
const TOLD_UNDER: usize = 4;

impl Endpoint {
    /// A message in clear proves nothing. During main mode it may explain why nothing better comes.
    pub(super) fn clear_information(&mut self, id: IkeSaId, message: &Incoming<'_>) -> Result<(), Reject> {
        let all = info::read_clear(message)?;
        let Some(sa) = self.ike_sas.get_mut(&id) else { return Ok(()) };
        if sa.path.peer() != message.path.peer() {
            return Err(Reject::WrongAddress { expected: sa.path.remote });
        }
        let (rule, path) = (Arc::clone(&sa.rule), sa.path);
        for information in all {
            let Information::Notify { notify, data, .. } = information else { continue };
            let negotiating = self.ike_sas.get_mut(&id).and_then(IkeSa::negotiating_mut);
            if let Some(negotiating) = negotiating.filter(|_| notify.is_error()) {
                let what = match negotiating.exchange.unanswered().last().map(|message| message.name) {
                    Some("main mode message 1") => "the main mode proposal",
                    Some("aggressive mode message 1") => "the aggressive mode proposal",
                    Some(name) => name,
                    None => "main mode",
                };
                let suite = negotiating.exchange.state().and_then(|state| state.progress().0);
                let keys = suite.is_some_and(|suite| suite.authentication.is_pre_shared_key());
                let text = match what {
                    "the main mode proposal" | "the aggressive mode proposal" => Some(offered(&rule)),
                    "main mode message 5" if notify == NotifyType::INVALID_ID_INFORMATION => {
                        // With a certificate and without a name in the policy it is what the certificate says.
                        let named = rule.authentication.iter().all(|it| matches!(it, AuthMethod::PreSharedKey(_)));
                        let own = rule.local_id.clone().or_else(|| named.then(|| Identity::Address(path.own().ip())));
                        Some(own.map_or_else(
                            || "it refuses our identity".to_owned(),
                            |own| format!("this host's identity is {own}"),
                        ))
                    }
                    // It is not about what message 5 proves.
                    "main mode message 5" if notify == NotifyType::NO_PROPOSAL_CHOSEN => None,
                    "main mode message 5" if keys => Some(format!(
                        "the pre-shared key of rule {:?} probably differs from the peer's, or it refuses our identity",
                        rule.name
                    )),
                    "main mode message 5" => {
                        Some(format!("it refuses this host's certificate or identity (rule {:?})", rule.name))
                    }
                    _ => None,
                };
                negotiating.suspicion = Some(Failure::PeerRefused { what, notify, text });
            }
            self.tell_notification(notify, false, &data);
            if notify == NotifyType::MS_DOS_COOKIE {
                self.dos_cookie(id, &data);
            }
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
        if standing.quick_modes.contains_key(&message_id) {
            // RFC 2408 §3.1: with the commit bit, CONNECTED has the message ID of the quick mode.
            return self.quick_mode_message(id, message);
        }
        check_unused(standing, message_id, message)?;
        // draft-ietf-ipsec-isakmp-hybrid-auth-05 §4: before it nothing else. That the peer wants no more may be said.
        let (proven, cookies) = (standing.has_proven_something(), standing.sa.keys.cookies);
        let may_say = |all: &[Information]| {
            all.iter().all(
                |one| matches!(one, Information::DeleteIke { cookies: all } if all.iter().all(|one| *one == cookies)),
            )
        };
        let keys = Arc::clone(&standing.sa.keys);
        let Protected { all, question } = info::read_protected(message, &keys, &mut self.shared.cx())?;
        if !proven && !may_say(&all) {
            return Err(message.unexpected("extended authentication"));
        }
        if let Some(standing) = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut) {
            standing.used.insert(message_id);
        }
        self.confirm(id, message.path);
        if let Some(question) = question {
            self.acknowledge(id, message, &question);
        }
        for information in all {
            match information {
                Information::Notify {
                    notify: notify @ (NotifyType::R_U_THERE | NotifyType::R_U_THERE_ACK),
                    spi,
                    data,
                    ..
                } => {
                    self.liveliness_notified(id, notify, &spi, &data, message)?;
                }
                Information::Notify { notify, data, .. } => self.notified(id, notify, &data),
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

    fn notified(&mut self, id: IkeSaId, notify: NotifyType, data: &[u8]) {
        self.tell_notification(notify, true, data);
        let Some(sa) = self.ike_sas.get(&id) else { return };
        if notify == NotifyType::INITIAL_CONTACT {
            let began = sa.began;
            // Who the user is, is not known before extended authentication.
            let standing = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut);
            return match standing.and_then(|standing| standing.preparation.as_mut()) {
                Some(preparation) => preparation.initial_contact = true,
                None => self.forget_peer(id, began),
            };
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
        let Some(message_id) = message_id else { return };
        let Some(exchange) = standing.quick_modes.get(&message_id).and_then(|running| running.exchange.as_ref()) else {
            return;
        };
        let cleanup = exchange.cleanup();
        let what = match exchange.unanswered().last().map(|message| message.name) {
            Some(name) if name != "quick mode message 1" => name,
            _ => "the quick mode proposal",
        };
        let negotiation = standing.quick_modes.get(&message_id).map(|running| running.negotiation);
        let rule =
            negotiation.and_then(|id| self.negotiations.get(&id)).and_then(|negotiation| negotiation.rule.clone());
        let text = rule.filter(|_| what == "the quick mode proposal").and_then(|rule| {
            let offers = &rule.quick_mode()?.offers;
            let list: Vec<String> = offers
                .iter()
                .map(|offer| {
                    let numbers = if offer.extended_sequence_numbers { " and extended sequence numbers" } else { "" };
                    match offer.pfs {
                        Some(group) => format!("{} with PFS {}{numbers}", offer.suite, group.name()),
                        None => format!("{} without PFS{numbers}", offer.suite),
                    }
                })
                .collect();
            let filters: Vec<String> = rule.filters.iter().map(ToString::to_string).collect();
            Some(format!("offered were {} in {} mode for {}", list.join(", "), rule.mode(), filters.join(", ")))
        });
        let failure = Failure::PeerRefused { what, notify, text };
        self.fail_quick_mode(id, message_id, failure, cleanup, false);
    }

    fn peer_deleted_ipsec(&mut self, id: IkeSaId, protocol: ProtocolId, spis: &[Spi]) {
        for spi in spis {
            let Some(sa) = self.ike_sas.get(&id) else { return };
            let Some(standing) = sa.standing() else { return };
            // RFC 2408 §3.15: the sender names SPIs of its own choice, those that this host sends to.
            let name = SaName { protocol, destination: sa.path.peer().ip(), spi: *spi };
            let (identity, user) = (standing.sa.peer.identity(), &standing.user);
            let link = sa.path.scope();
            let is_of_peer =
                |pair: &Pair| pair.sa.path.scope() == link && pair.identity == *identity && pair.user == *user;
            let is_peers = |pair: &IpsecSaId| self.pairs.get(pair).is_some_and(is_of_peer);
            let pair = self.index.outbound.of(&name).find(is_peers);
            if let Some(pair) = pair {
                self.remove_pair(pair, Failure::DeletedByPeer("IPsec"), false);
                continue;
            }
            // It may have overtaken the message, or the driver's answer, that makes the pair.
            let standing = self.ike_sas.get_mut(&id).and_then(IkeSa::standing_mut);
            let busy = |standing: &&mut Standing| {
                standing.deleted.len() < DELETED_LIMIT
                    && standing.quick_modes.values().any(|running| running.exchange.is_some())
            };
            if let Some(standing) = standing.filter(busy) {
                standing.deleted.insert(name);
            }
        }
    }

    fn peer_deleted_ike(&mut self, id: IkeSaId, cookies: crate::ids::Cookies) {
        let who = |sa: &IkeSa| {
            let standing = sa.standing()?;
            Some((sa.path.peer(), standing.sa.peer.identity().clone(), standing.user.clone()))
        };
        let find = |cookie| self.by_cookie.get(&cookie).copied();
        let Some(named) = find(cookies.initiator).or_else(|| find(cookies.responder)) else { return };
        let (Some(by), Some(sa)) = (self.ike_sas.get(&id), self.ike_sas.get(&named)) else { return };
        // Only SAs with the same peer may be deleted under this one.
        if sa.cookies != cookies || who(sa).is_none() || who(sa) != who(by) {
            return;
        }
        if self.hasten_all(named) {
            // Of what both ends have agreed on, half is still to be installed; a failure could not be told any more.
            self.retire_ike_sa(named, Role::Initiator);
        } else {
            let refusal = self.refusal(named).or_else(|| self.gave_nothing(named));
            self.end_ike_sa(named, refusal.unwrap_or(Failure::DeletedByPeer("ISAKMP")), false);
        }
    }

    /// Where the reply to a duplicate goes: a NAT may have given the peer another port, and then the one that hears it is
    /// where the duplicate came from.
    pub(super) fn follow(&self, id: IkeSaId, path: Path, reply: Option<Outgoing>) -> Option<Outgoing> {
        let sa = self.ike_sas.get(&id).filter(|sa| sa.path.peer() == path.peer());
        let follows = sa.and_then(IkeSa::standing).is_some_and(Standing::is_behind_nat);
        reply.map(|reply| if follows && reply.encrypted { Outgoing { path, ..reply } } else { reply })
    }

    /// An authentic message came under an ISAKMP SA.
    pub(super) fn confirm(&mut self, id: IkeSaId, path: Path) {
        self.hear(id);
        let Some(sa) = self.ike_sas.get(&id) else { return };
        let (cookie, role, peer) = (sa.cookies.initiator, sa.role, sa.path.peer());
        let behind_nat = sa.standing().is_some_and(Standing::is_behind_nat);
        if behind_nat && sa.path != path {
            // A NAT gave the peer a new mapping (RFC 3947 §4).
            self.move_ike_sa(id, path);
        }
        if role == Role::Initiator {
            return;
        }
        // If somebody changed copies of message 1 where no hash covers it, several main modes came of the one that the
        // peer began, and all may have ended well. This is the one that the peer knows.
        let Some(real) = self.ike_sas.get(&id).and_then(IkeSa::standing) else { return };
        let is_ghost = |of: &IkeSaId| {
            let other = self.ike_sas.get(of).filter(|_| *of != id);
            other.is_some_and(|other| {
                other.cookies.initiator == cookie && other.standing().is_some_and(|other| other.is_with_peer_of(real))
            })
        };
        for ghost in self.index.ike_sas.of(&peer).filter(is_ghost).collect::<Vec<_>>() {
            self.end_ike_sa(ghost, Failure::Replaced, false);
        }
    }

    /// Sends a protected message; it is never repeated (RFC 2408 §4.8), but for deletes to peers that acknowledge them.
    pub(super) fn inform(&mut self, id: IkeSaId, information: &Information) -> Option<Outgoing> {
        let message_id = self.new_message_id(id)?;
        let sa = self.ike_sas.get(&id)?;
        let (path, cookies, standing) = (sa.path, sa.cookies, sa.standing()?);
        let keys = &standing.sa.keys;
        let is_delete = matches!(information, Information::DeleteIpsec { .. } | Information::DeleteIke { .. });
        if is_delete && standing.sa.announced.microsoft {
            let rng = self.shared.rng.as_mut();
            let (message, delete) = Unacknowledged::new(path, keys, message_id, information, rng).ok()?;
            self.send_until_acknowledged((cookies, message_id), message.clone(), delete);
            return Some(message);
        }
        let message = info::protected(path, keys, message_id, information).ok()?;
        self.send(&message);
        Some(message)
    }

    /// The ISAKMP SAs under which a peer can be told something, the best first.
    fn ike_sas_with(&self, path: Path, identity: &Identity, user: Option<&str>) -> impl Iterator<Item = IkeSaId> {
        let fits = move |id: &IkeSaId| {
            let ike = self.ike_sas.get(id).filter(|ike| ike.path.own() == path.own())?;
            let is_of_peer = |of: &&Standing| of.sa.peer.identity() == identity && of.user.as_deref() == user;
            ike.standing().filter(is_of_peer)
        };
        // The newest; but one that is about to end may be gone before the message comes.
        let peer = path.peer();
        let all = self.index.ike_sas.of(&peer).rev();
        let mut all: Vec<_> = all.filter_map(|id| Some((fits(&id)?.retired, id))).collect();
        all.sort_by_key(|(retired, _)| *retired);
        let in_use = all.iter().filter(|(retired, _)| !retired).count();
        all.truncate(in_use.max(1));
        all.into_iter().map(|(_, id)| id)
    }

    /// The ISAKMP SA under which a peer can be told something.
    pub(super) fn ike_sa_with(&self, path: Path, identity: &Identity, user: Option<&str>) -> Option<IkeSaId> {
        self.ike_sas_with(path, identity, user).next()
    }

    /// Tells the peers that pairs are gone, many in one message. Where several ISAKMP SAs stand with a peer it is told under
    /// each: some peers, as strongSwan, look only among what they count as part of the one under which they are told.
    pub(super) fn tell_peers_deleted(&mut self, pairs: &[IpsecSaId]) {
        let mut groups: BTreeMap<(IkeSaId, u8), Vec<Spi>> = BTreeMap::new();
        for pair in pairs.iter().filter_map(|id| self.pairs.get(id)) {
            for ike_sa in self.ike_sas_with(pair.sa.path, &pair.identity, pair.user.as_deref()).take(TOLD_UNDER) {
                for SaName { protocol, spi, .. } in pair.sa.deleted_names() {
                    groups.entry((ike_sa, protocol.0)).or_default().push(spi);
                }
            }
        }
        for ((ike_sa, protocol), spis) in groups {
            self.focus(ike_sa);
            for spis in spis.chunks(SPIS_OF_DELETE) {
                for spi in spis {
                    self.shared.trace.step(|| EventKind::IpsecSa(IpsecSaEvent::DeleteSent(*spi)));
                }
                let information = Information::DeleteIpsec { protocol: ProtocolId(protocol), spis: spis.to_vec() };
                self.inform(ike_sa, &information);
            }
        }
    }

    /// Tells the peer that the SAs that it sends to are gone.
    pub(super) fn tell_peer_deleted(&mut self, ike_sa: IkeSaId, inbound: &[SaName]) {
        for &SaName { protocol, spi, .. } in inbound {
            self.shared.trace.step(|| EventKind::IpsecSa(IpsecSaEvent::DeleteSent(spi)));
            self.inform(ike_sa, &Information::DeleteIpsec { protocol, spis: vec![spi] });
        }
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
    let methods: Vec<String> = auth::offered(rule, Role::Initiator).iter().map(ToString::to_string).collect();
    format!("offered were {} with {}", list.join(", "), methods.join(", "))
}
