//! Policies in PF_KEY's terms, and which of them the kernel holds.
use super::codec::{
    AddressExtension, Extension, ExtensionType, IpsecRequest, Level, MessageType, PROTOCOL_ANY, PolicyDirection as Way,
    PolicyExtension, PolicyType, SaType,
};
use super::link::{Link, LinkError};
use super::reqids::{Exhausted, Reqids, Stream};
use super::sa::mode_number;
use crate::driver::policy_table::{PolicyChange, PolicyDirection};
use ikecore::policy::selector::{Flow, Prefix, Selector};
use ikecore::proposal::suite::Mode;
use ikecore::sa::driver::{Acquire, TrafficAction, TrafficPolicy};
use ikecore::wire::codes::ProtocolId;
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// The first octet of the kernel's priority of all policies of this driver; what a start finds with it is a crash's
/// remains. The other three octets are the policy's own priority.
const PRIORITY_MARK: u32 = 0x5000_0000;
const PRIORITY_MASK: u32 = 0xff00_0000;
const PRIORITY_MAX: u32 = !PRIORITY_MASK;

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
    /// A tunnel without ends.
    #[error("a policy of tunnel mode needs the tunnel's endpoints")]
    Endpoints,
}

/// The policies in the kernel.
#[derive(Debug, Default)]
pub(super) struct Policies {
    /// By direction and selector: the kernel's number, and what is in force.
    installed: BTreeMap<(PolicyDirection, Selector), (u32, TrafficPolicy)>,
}

impl Policies {
    /// Makes all changes or none; the error comes with the change that failed.
    pub(super) fn apply(
        &mut self,
        link: &mut Link,
        reqids: &mut Reqids,
        changes: &[PolicyChange],
    ) -> Result<(), (PolicyChange, PolicyError)> {
        for (index, change) in changes.iter().enumerate() {
            if let Err(error) = self.apply_one(link, reqids, *change) {
                for done in changes.iter().take(index).rev() {
                    if let Err(error) = self.apply_one(link, reqids, done.inverse()) {
                        tracing::warn!("driver pfkey: cannot undo: {done}: {error}");
                    }
                }
                return Err((*change, error));
            }
        }
        Ok(())
    }

    fn apply_one(&mut self, link: &mut Link, reqids: &mut Reqids, change: PolicyChange) -> Result<(), PolicyError> {
        let (kind, direction, policy) = match change {
            // Never SPDUPDATE for a new one: it would overwrite another program's policy with the same selector.
            PolicyChange::Add { direction, policy } => (MessageType::SPDADD, direction, policy),
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

    /// The best that is known of the packet that made the kernel send an ACQUIRE: Linux says over PF_KEY which policy it
    /// matched and between which addresses the SA is to be, but nothing of the packet itself.
    pub(super) fn acquire(&self, id: u32, source: IpAddr, destination: IpAddr) -> Option<Acquire> {
        let (_, policy) = self.installed.values().find(|(known, _)| *known == id)?;
        let Selector { local, remote, protocol, local_port, remote_port } = policy.selector;
        // In transport mode the SA's addresses are the packet's; in tunnel mode they are the tunnel's, and the blocks of
        // the policy are all that is left.
        let known = |block: Prefix, address| if block.contains(address) { address } else { block.address() };
        let (local, remote) = match policy.action {
            TrafficAction::Protect { mode: Mode::Transport, .. } => (known(local, source), known(remote, destination)),
            _ => (local.address(), remote.address()),
        };
        Some(Acquire { flow: Flow { local, remote, protocol, local_port, remote_port }, reqid: policy.reqid })
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
        if let Some(policy) = entry.policy().filter(|policy| policy.priority & PRIORITY_MASK == PRIORITY_MARK) {
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

/// The whole policy, for SPDADD and SPDUPDATE.
fn whole(
    direction: PolicyDirection,
    policy: TrafficPolicy,
    reqids: &mut Reqids,
) -> Result<Vec<Extension>, PolicyError> {
    if policy.priority & PRIORITY_MASK != 0 {
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
        TrafficAction::Protect { protocol, mode, endpoints, inbound_passthrough } => {
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
            let level =
                if inbound_passthrough && direction != PolicyDirection::Outbound { Level::USE } else { Level::UNIQUE };
            let reqid = reqids.of(Stream::new(policy.reqid, mode, policy.selector))?;
            // The IP protocol's number.
            let protocol = if protocol == ProtocolId::AH { 51 } else { 50 };
            (PolicyType::IPSEC, vec![IpsecRequest { protocol, mode: mode_number(mode), level, reqid, endpoints }])
        }
    };
    let Selector { local, remote, protocol, local_port, remote_port } = policy.selector;
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
            priority: PRIORITY_MARK | policy.priority,
            requests,
        }),
    ])
}
