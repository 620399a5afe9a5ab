//! What makes this host begin: packets that need protection, and the administrator.
use super::Endpoint;
use super::io::Command;
use crate::address::{HostAddress, Scope};
use crate::event::negotiation::Cause;
use crate::event::{EndpointEvent, EventKind, Failure, NegotiationEvent, Phase};
use crate::exchange::Path;
use crate::ids::NegotiationId;
use crate::policy::rule::Rule;
use crate::policy::selector::{Direction, Flow, Prefix, Selector};
use crate::sa::driver::Acquire;
use std::net::IpAddr;
use std::sync::Arc;

impl Endpoint {
    pub(super) fn acquire(&mut self, acquire: Acquire) {
        self.counters.acquires += 1;
        let flow = acquire.flow;
        let policy = Arc::clone(&self.shared.policy);
        let found = policy.lookup_flow(&flow, Direction::Outbound).filter(|(rule, _)| rule.quick_mode().is_some());
        let rule = found.map(|(rule, _)| rule.name.clone());
        self.tell(EventKind::Endpoint(EndpointEvent::Acquire { flow, rule }));
        if found.is_some() {
            self.begin_for_acquire(acquire);
        }
    }

    /// Begins what a packet needs, unless that is under way.
    pub(super) fn begin_for_acquire(&mut self, acquire: Acquire) {
        let flow = acquire.flow;
        let policy = Arc::clone(&self.shared.policy);
        if let Some((rule, filter)) =
            policy.lookup_flow(&flow, Direction::Outbound).filter(|(rule, _)| rule.quick_mode().is_some())
        {
            self.begin_for_flow(Cause::Acquire(flow), rule, filter, &flow, Some(acquire));
        }
    }

    fn begin_for_flow(
        &mut self,
        cause: Cause,
        rule: &Arc<Rule>,
        filter: &Selector,
        flow: &Flow,
        acquire: Option<Acquire>,
    ) {
        let (local, remote) = match rule.tunnel {
            Some(tunnel) => match (tunnel.source(&self.shared.policy.local_addresses), tunnel.remote) {
                (Some(local), Some(remote)) => (local.into(), remote.into()),
                (_, None) => return self.refuse_command(Failure::PeerBegins { rule: rule.name.clone() }),
                (None, _) => return self.refuse_command(Failure::NoPolicyForFlow(*flow)),
            },
            None => (HostAddress::new(flow.local, flow.scope), HostAddress::new(flow.remote, flow.scope)),
        };
        // What comes from another address than the one that the peer gave is not for the SAs that stand with it.
        let has_pair = |granted: &IpAddr| {
            let selector = Selector { local: Prefix::host(*granted), ..*filter };
            self.index.traffic.of(&selector).any(|id| self.pairs.get(&id).is_some_and(|pair| !pair.replaced))
        };
        if rule.gets_address() && self.granted.iter().any(has_pair) && matches!(cause, Cause::Acquire(_)) {
            return;
        }
        let selector = rule.sa_selector(filter, flow);
        let path = self.path(local, remote);
        if acquire.is_some_and(|acquire| self.join_offered(rule, selector, path, acquire)) {
            return;
        }
        self.want_ipsec_sa(cause, rule, path, selector, None);
    }

    /// Main mode begins between the ports of IKE.
    const fn path(&self, local: HostAddress, remote: HostAddress) -> Path {
        let port = self.config.ike_port;
        Path { local: local.with_port(port), remote: remote.with_port(port) }
    }

    /// An address of this host of the same family as the peer's; of the same link, if that is link-local.
    fn local_address(&self, remote: HostAddress) -> Option<IpAddr> {
        if remote.scope() != Scope::ANY {
            let mut on_links = self.shared.policy.on_links.iter();
            return on_links.find(|own| own.scope() == remote.scope()).map(|own| own.ip());
        }
        let (own, remote) = (&self.shared.policy.local_addresses, remote.ip());
        own.iter().map(|prefix| prefix.address()).find(|own| own.is_ipv4() == remote.is_ipv4() && !own.is_loopback())
    }

    /// What was asked for cannot even begin: a negotiation that fails at once, so that whoever asked hears of it.
    fn refuse_command(&mut self, failure: Failure) {
        let id = NegotiationId(self.handle_number());
        self.shared.trace.context.negotiation = Some(id);
        let role = crate::event::negotiation::Role::Initiator;
        self.tell_started(role, Cause::Command, None);
        let failed =
            NegotiationEvent::Failed { role, phase: Phase::MainMode, failure, seconds: 0, rule: None, selector: None };
        self.tell(EventKind::Negotiation(failed));
    }

    pub(super) fn command(&mut self, command: Command) {
        let by = "the administrator";
        match command {
            Command::InitiateFlow(flow) => {
                let policy = Arc::clone(&self.shared.policy);
                match policy.lookup_flow(&flow, Direction::Outbound).filter(|(rule, _)| rule.quick_mode().is_some()) {
                    Some((rule, filter)) => self.begin_for_flow(Cause::Command, rule, filter, &flow, None),
                    None => self.refuse_command(Failure::NoPolicyForFlow(flow)),
                }
            }
            Command::InitiateRule { rule, peer } => self.initiate_rule(&rule, peer),
            Command::RekeyIpsecSa(id) => self.rekey_pair(id, Cause::Command),
            Command::RekeyIkeSa(id) => self.rekey_ike_sa(id, Cause::Command, true),
            Command::DeleteIpsecSa(id) if self.soft_sas.contains_key(&id) => self.end_soft_sa(id, Failure::Ended(by)),
            Command::DeleteIpsecSa(id) => self.remove_pair(id, Failure::Ended(by), true),
            Command::DeleteIkeSa(id) => self.end_ike_sa(id, Failure::Ended(by), true),
            Command::DeletePeer(peer) => self.delete_peer(Some(peer), by),
            Command::DeleteAll => self.delete_peer(None, by),
            Command::SetDetail(detail) => self.shared.trace.set_detail(detail),
            Command::Shutdown => self.shut_down(),
        }
    }

    /// Each filter of the rule, for the peer that it names or that the administrator names.
    fn initiate_rule(&mut self, name: &str, peer: Option<HostAddress>) {
        // The default response only answers.
        let begins = |rule: &&Arc<Rule>| rule.quick_mode().is_some() && !self.shared.policy.is_default_response(rule);
        let found = self.shared.policy.rule(name).filter(begins).map(Arc::clone);
        let Some(rule) = found else { return self.refuse_command(Failure::NoSuchRule(name.to_owned())) };
        for filter in rule.filters.clone() {
            let remote = match rule.tunnel {
                Some(tunnel) => match tunnel.remote {
                    Some(remote) => remote.into(),
                    None => return self.refuse_command(Failure::PeerBegins { rule: name.to_owned() }),
                },
                None if filter.remote.is_host() => HostAddress::new(filter.remote.address(), filter.scope),
                None => match peer {
                    Some(peer) if filter.remote.contains(peer.ip()) && filter.scope.covers(peer.scope()) => peer,
                    _ => {
                        self.refuse_command(Failure::PeerNotNamed { rule: name.to_owned(), filter });
                        continue;
                    }
                },
            };
            let local = match rule.tunnel {
                Some(tunnel) => tunnel.local,
                None => filter.local.is_host().then(|| filter.local.address()),
            };
            let Some(local) = local.or_else(|| self.local_address(remote)) else {
                self.refuse_command(Failure::PeerNotNamed { rule: name.to_owned(), filter });
                continue;
            };
            let flow = Flow {
                local,
                remote: remote.ip(),
                scope: remote.scope().max(filter.scope),
                protocol: filter.protocol,
                local_port: filter.local_port,
                remote_port: filter.remote_port,
            };
            self.begin_for_flow(Cause::Command, &rule, &filter, &flow, None);
        }
    }
}
