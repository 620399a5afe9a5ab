//! Policies in PF_KEY's terms, and which of them the kernel holds.
use super::NO_LINKS;
use super::codec::{
    AddressExtension, Extension, ExtensionType, IpsecRequest, Level, LifetimeExtension, MessageType, PROTOCOL_ANY,
    PolicyDirection as Way, PolicyExtension, PolicyType, SaType,
};
use super::failed;
use super::link::{Link, LinkError};
use super::reqids::{Exhausted, Reqids, Stream};
use super::sa::mode_number;
use crate::driver::policy_table::{PolicyChange, PolicyDirection};
use ikecore::address::Scope;
use ikecore::policy::selector::{Flow, Prefix, Selector};
use ikecore::proposal::suite::Mode;
use ikecore::sa::driver::{Acquire, DriverError, TrafficAction, TrafficPolicy};
use ikecore::wire::codes::ProtocolId;
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The soft limit in octets of all policies of this driver ("policyag"); what a start finds with it is a crash's remains.
/// Linux keeps such limits of policies, tells them, and does not enforce them; this one is beyond reach anyway.
const MARK: LifetimeExtension =
    LifetimeExtension { allocations: 0, octets: 0x706f_6c69_6379_6167, add_time: 0, use_time: 0 };

/// The kernel's priority is twice the policy's, and one more for a general selector: see [`is_general`].
const PRIORITY_MAX: u32 = u32::MAX / 2;

/// Neighbor Solicitation and Neighbor Advertisement (RFC 4861 §4.3, §4.4): the messages that go to single hosts.
const DISCOVERY_TYPES: [u16; 2] = [135, 136];
/// ICMP for IPv6.
const ICMPV6: u8 = 58;

/// A policy cannot be changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum PolicyError {
    /// The kernel refused.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// No reqid for it.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// Its priority does not fit.
    #[error("priority {0} is out of range, allowed: 0 to {PRIORITY_MAX}")]
    Priority(u32),
    /// A policy for one link.
    #[error("{NO_LINKS}")]
    LinkLocal,
    /// A tunnel without ends.
    #[error("a policy of tunnel mode needs the tunnel's endpoints")]
    Endpoints,
}

/// The policies in the kernel.
#[derive(Debug, Default)]
pub(super) struct Policies {
    /// By direction and selector: the kernel's number, and what is in force.
    installed: BTreeMap<(PolicyDirection, Selector), (u32, TrafficPolicy)>,
    /// What exempts neighbour discovery, by the kernel's numbers, once it is needed.
    discovery: Option<Vec<u32>>,
}

impl Policies {
    /// Makes all changes or none.
    pub(super) fn apply(
        &mut self,
        link: &mut Link,
        reqids: &mut Reqids,
        changes: &[PolicyChange],
    ) -> Result<(), DriverError> {
        for (index, change) in changes.iter().enumerate() {
            if let Err(error) = self.apply_one(link, reqids, *change) {
                for done in changes.iter().take(index).rev() {
                    if let Err(error) = self.apply_one(link, reqids, done.inverse()) {
                        tracing::warn!("driver pfkey: cannot undo: {done}: {error}");
                    }
                }
                return Err(failed(change)(&error));
            }
        }
        Ok(())
    }

    fn apply_one(&mut self, link: &mut Link, reqids: &mut Reqids, change: PolicyChange) -> Result<(), PolicyError> {
        let (kind, direction, policy) = match change {
            // Never SPDUPDATE for a new one: it would overwrite another program's policy with the same selector.
            PolicyChange::Add { direction, policy } => {
                if policy.selector.local.address().is_ipv6() {
                    self.exempt_discovery(link)?;
                }
                // One of our own that could not be deleted may stand there still.
                let known = self.installed.contains_key(&(direction, policy.selector));
                (if known { MessageType::SPDUPDATE } else { MessageType::SPDADD }, direction, policy)
            }
            PolicyChange::Update { direction, new, .. } => (MessageType::SPDUPDATE, direction, new),
            PolicyChange::Delete { direction, policy } => {
                let place = (direction, policy.selector);
                if let Some((id, _)) = self.installed.get(&place) {
                    delete(link, *id)?;
                    self.installed.remove(&place);
                }
                return Ok(());
            }
        };
        let extensions = whole(direction, policy, reqids)?;
        let answer = link.ask(kind, SaType::UNSPECIFIED, extensions)?;
        let id = answer.policy().ok_or(LinkError::Lacks("the policy"))?.id;
        self.installed.insert((direction, policy.selector), (id, policy));
        Ok(())
    }

    /// Exempts neighbour discovery from all policies, if it is not yet. Without it no IPv6 packet finds its way on the
    /// link, those of the negotiation included; and a rule's selector cannot name ICMP types.
    fn exempt_discovery(&mut self, link: &mut Link) -> Result<(), PolicyError> {
        if self.discovery.is_some() {
            return Ok(());
        }
        let mut ids = Vec::new();
        for kind in DISCOVERY_TYPES {
            for direction in [Way::IN, Way::OUT] {
                // In the place of the source port Linux has the ICMP type, in both directions.
                let end = |extension, port| {
                    let address = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port);
                    Extension::Address(extension, AddressExtension { protocol: ICMPV6, prefix_len: 0, address })
                };
                let policy = PolicyExtension {
                    action: PolicyType::NONE,
                    direction,
                    id: 0,
                    // Before all others.
                    priority: 0,
                    requests: Vec::new(),
                };
                let extensions = vec![
                    end(ExtensionType::ADDRESS_SRC, kind),
                    end(ExtensionType::ADDRESS_DST, 0),
                    Extension::Policy(policy),
                    Extension::Lifetime(ExtensionType::LIFETIME_SOFT, MARK),
                ];
                match link.ask(MessageType::SPDADD, SaType::UNSPECIFIED, extensions) {
                    Ok(answer) => ids.extend(answer.policy().map(|policy| policy.id)),
                    // Another program exempts it; then it is for that to end it.
                    Err(error) if error.is(Errno::EEXIST) => {}
                    Err(error) => {
                        // What is there already stays in the way of nothing, but would be nobody's.
                        ids.into_iter().try_for_each(|id| delete(link, id))?;
                        return Err(error.into());
                    }
                }
            }
        }
        self.discovery = Some(ids);
        Ok(())
    }

    /// Removes all, for the end.
    pub(super) fn remove_all(&mut self, link: &mut Link) -> Result<(), LinkError> {
        let ids = self.installed.values().map(|(id, _)| *id).chain(self.discovery.take().unwrap_or_default());
        let done = ids.map(|id| delete(link, id)).fold(Ok(()), Result::and);
        self.installed.clear();
        done
    }

    /// The best that is known of the packet that made the kernel send an ACQUIRE: Linux says over PF_KEY which policy it
    /// matched and between which addresses the SA is to be, but nothing of the packet itself.
    pub(super) fn acquire(&self, id: u32, source: IpAddr, destination: IpAddr) -> Option<Acquire> {
        let (_, policy) = self.installed.values().find(|(known, _)| *known == id)?;
        let Selector { local, remote, protocol, local_port, remote_port, scope, .. } = policy.selector;
        // In transport mode the SA's addresses are the packet's; in tunnel mode they are the tunnel's, and the blocks of
        // the policy are all that is left.
        let known = |block: Prefix, address| if block.contains(address) { address } else { block.address() };
        let (local, remote) = match policy.action {
            TrafficAction::Protect { mode: Mode::Transport, .. } => (known(local, source), known(remote, destination)),
            _ => (local.address(), remote.address()),
        };
        Some(Acquire { flow: Flow { local, remote, protocol, local_port, remote_port, scope }, reqid: policy.reqid })
    }
}

/// The stream of traffic that a policy protects.
pub(super) const fn stream(policy: &TrafficPolicy) -> Option<Stream> {
    match policy.action {
        TrafficAction::Protect { mode, .. } => Some(Stream::new(policy.reqid, mode, policy.selector)),
        TrafficAction::Permit | TrafficAction::Block => None,
    }
}

/// Deletes the policies that an earlier life of this driver left behind; returns how many there were.
pub(super) fn clean_up(link: &mut Link) -> Result<usize, LinkError> {
    let mut count = 0;
    for entry in link.dump(MessageType::SPDDUMP)? {
        let ours = entry.lifetime(ExtensionType::LIFETIME_SOFT) == Some(MARK);
        if let Some(policy) = entry.policy().filter(|_| ours) {
            delete(link, policy.id)?;
            count += 1;
        }
    }
    Ok(count)
}

/// Deletes the policy with the kernel's number `id`, if it is still there.
fn delete(link: &mut Link, id: u32) -> Result<(), LinkError> {
    let policy =
        PolicyExtension { action: PolicyType::NONE, direction: Way::IN, id, priority: 0, requests: Vec::new() };
    match link.ask(MessageType::SPDDELETE2, SaType::UNSPECIFIED, vec![Extension::Policy(policy)]) {
        Err(error) if !error.is(Errno::ENOENT) => Err(error),
        _ => Ok(()),
    }
}

/// True if a selector names no protocol. Of two policies with the same priority the one that does is looked at first, as
/// its SA is the one that was negotiated for the packet. (With other interfaces the SA's own selector sees to that.)
const fn is_general(selector: &Selector) -> bool {
    selector.protocol == 0
}

/// The whole policy, for SPDADD and SPDUPDATE.
pub(super) fn whole(
    direction: PolicyDirection,
    policy: TrafficPolicy,
    reqids: &mut Reqids,
) -> Result<Vec<Extension>, PolicyError> {
    if policy.priority > PRIORITY_MAX {
        return Err(PolicyError::Priority(policy.priority));
    }
    let way = match direction {
        PolicyDirection::Inbound => Way::IN,
        PolicyDirection::Outbound => Way::OUT,
        PolicyDirection::Forward => Way::FORWARD,
    };
    let (action, requests) = match policy.action {
        TrafficAction::Permit => (PolicyType::NONE, Vec::new()),
        TrafficAction::Block => (PolicyType::DISCARD, Vec::new()),
        TrafficAction::Protect { protocols, mode, endpoints, inbound_passthrough } => {
            let endpoints = match (mode, endpoints) {
                (Mode::Transport, _) => None,
                (Mode::Tunnel, None) => return Err(PolicyError::Endpoints),
                (Mode::Tunnel, Some((local, remote))) => {
                    let end = |address| SocketAddr::new(address, 0);
                    Some(if direction == PolicyDirection::Outbound {
                        (end(local), end(remote))
                    } else {
                        (end(remote), end(local))
                    })
                }
            };
            let reqid = reqids.of(Stream::new(policy.reqid, mode, policy.selector))?;
            // From the inside out: the innermost makes the tunnel, the others protect its packets.
            let requests = protocols.iter().enumerate().map(|(index, protocol)| {
                let (mode, endpoints) = if index == 0 { (mode, endpoints) } else { (Mode::Transport, None) };
                // RFC 3173 §2.2: what would not become shorter comes without IPComp.
                let optional = inbound_passthrough || protocol == ProtocolId::IPCOMP;
                let level = if optional && direction != PolicyDirection::Outbound { Level::USE } else { Level::UNIQUE };
                // The IP protocol's number.
                let protocol = match protocol {
                    ProtocolId::IPCOMP => 108,
                    ProtocolId::AH => 51,
                    _ => 50,
                };
                IpsecRequest { protocol, mode: mode_number(mode), level, reqid, endpoints }
            });
            (PolicyType::IPSEC, requests.collect())
        }
    };
    let Selector { local, remote, protocol, local_port, remote_port, scope, .. } = policy.selector;
    if scope != Scope::ANY {
        return Err(PolicyError::LinkLocal);
    }
    let protocol = if protocol == 0 { PROTOCOL_ANY } else { protocol };
    let end = |kind, block: Prefix, port| {
        let address = SocketAddr::new(block.address(), port);
        Extension::Address(kind, AddressExtension { protocol, prefix_len: block.prefix_len(), address })
    };
    let (source, destination) = if direction == PolicyDirection::Outbound {
        ((local, local_port), (remote, remote_port))
    } else {
        ((remote, remote_port), (local, local_port))
    };
    Ok(vec![
        end(ExtensionType::ADDRESS_SRC, source.0, source.1),
        end(ExtensionType::ADDRESS_DST, destination.0, destination.1),
        Extension::Policy(PolicyExtension {
            action,
            direction: way,
            id: 0,
            priority: policy.priority * 2 + u32::from(is_general(&policy.selector)),
            requests,
        }),
        Extension::Lifetime(ExtensionType::LIFETIME_SOFT, MARK),
    ])
}
