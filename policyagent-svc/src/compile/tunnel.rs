//! Tunnels seen from this machine, and the pairs of rules of which Windows makes one.
//!
//! A tunnel of Windows is two rules, one a direction: what this host sends has the peer as its end, what it receives this
//! host. SAs come in pairs anyway, so that the half that ends here says nothing but where this host's end is.
use ikecore::policy::rule::TunnelEndpoints;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Compiler;
use super::machine::Machine;
use crate::model::{self, ConnectionType, Filter, Policy, PolicyFile};

/// The rules of a policy that are half a tunnel.
#[derive(Debug, Default)]
pub(super) struct Halves<'a> {
    /// The rules for what this host receives, each with the other half: by name.
    received: BTreeMap<&'a str, &'a model::Rule>,
    /// This host's ends of the rules for what it sends.
    ends: BTreeMap<&'a str, IpAddr>,
}

impl<'a> Halves<'a> {
    /// Those of `policy` on this machine.
    pub(super) fn of(policy: &'a Policy, file: &'a PolicyFile, machine: &Machine) -> Self {
        let mut halves = Self::default();
        let end = |rule: &'a model::Rule| {
            let tunnel = rule.tunnel.filter(|tunnel| tunnel.local.is_none() && rule.active)?;
            Some((rule, tunnel.remote?))
        };
        let (received, sent): (Vec<_>, Vec<_>) =
            policy.rules.iter().filter_map(end).partition(|(_, remote)| machine.addresses.contains(remote));
        if received.is_empty() {
            return halves;
        }
        let mut by_traffic: BTreeMap<(bool, BTreeSet<String>), Vec<&model::Rule>> = BTreeMap::new();
        for (rule, remote) in sent {
            by_traffic.entry((remote.is_ipv4(), traffic(rule, file, false))).or_default().push(rule);
        }
        for (rule, own) in received {
            let others = by_traffic.get(&(own.is_ipv4(), traffic(rule, file, true))).into_iter().flatten();
            for other in others {
                halves.received.entry(rule.name.as_str()).or_insert(*other);
                halves.ends.entry(other.name.as_str()).or_insert(own);
            }
        }
        halves
    }

    /// The other half of a rule for what this host receives.
    pub(super) fn other(&self, rule: &model::Rule) -> Option<&'a model::Rule> {
        self.received.get(rule.name.as_str()).copied()
    }
}

/// The traffic of a rule's filters, or what answers it.
fn traffic(rule: &model::Rule, file: &PolicyFile, answers: bool) -> BTreeSet<String> {
    let filters = file.filter_list(&rule.filter_list).map(|list| list.filters.as_slice()).unwrap_or_default();
    let way = |filter: &Filter, back: bool| {
        let mut ends = [(&filter.source, filter.source_port), (&filter.destination, filter.destination_port)];
        if back {
            ends.reverse();
        }
        let [(from, from_port), (to, to_port)] = ends;
        format!("{from}[{from_port}] {to}[{to_port}] {}", filter.protocol)
    };
    let ways = filters.iter().flat_map(|filter| {
        let back = filter.mirrored.then(|| way(filter, !answers));
        [way(filter, answers)].into_iter().chain(back)
    });
    ways.collect()
}

/// A rule's tunnel on a machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Ends {
    /// The endpoints; nothing is transport mode.
    pub(super) tunnel: Option<TunnelEndpoints>,
    /// They had to be exchanged, as the rule is written for the other end.
    pub(super) exchanged: bool,
    /// There is to be a tunnel, and the machine has no address that could be its end.
    pub(super) waits: bool,
}

impl Compiler<'_> {
    /// A rule's tunnel seen from this machine; nothing if another rule is for it, or no interface is that the rule is about.
    pub(super) fn tunnel(&mut self, rule: &model::Rule) -> Option<Ends> {
        let of = |tunnel| Ends { tunnel: Some(tunnel), ..Ends::default() };
        let Some(tunnel) = rule.tunnel else { return Some(Ends::default()) };
        let who = format!("rule {:?}", rule.name);
        let Some(remote) = tunnel.remote else {
            if let Some(local) = tunnel.local.filter(|local| !self.machine.addresses.contains(local)) {
                self.warn(rule.position, format!("{who}: the tunnel's end {local} is no address of this machine"));
            }
            return Some(of(tunnel));
        };
        if let Some(other) = self.halves.other(rule) {
            if other.filter_action.name != rule.filter_action.name {
                let message = format!(
                    "{who}: rule {:?} is the same tunnel the other way; its filter action {:?} is in force, not {:?}",
                    other.name, other.filter_action.name, rule.filter_action.name
                );
                self.warn(rule.position, message);
            }
            return None;
        }
        let tunnel = TunnelEndpoints {
            local: tunnel.local.or_else(|| self.halves.ends.get(rule.name.as_str()).copied()),
            ..tunnel
        };
        let family = |address: &IpAddr| address.is_ipv4() == remote.is_ipv4();
        let of_type = self.machine.addresses_of(rule.connection_type).find(family);
        if tunnel.local.is_none() && of_type.is_none() {
            if rule.connection_type != ConnectionType::All {
                let kind = rule.connection_type.name();
                self.warn(
                    rule.position,
                    format!("{who}: no interface of type {kind:?} has an address for a tunnel to {remote}"),
                );
                return None;
            }
            let message = format!(
                "{who}: this machine has no address for a tunnel to {remote}: the traffic is blocked until it has one"
            );
            self.warn(rule.position, message);
            return Some(Ends { waits: true, ..Ends::default() });
        }
        let tunnel = match rule.connection_type {
            ConnectionType::All => tunnel,
            _ => TunnelEndpoints { local: tunnel.local.or(of_type), ..tunnel },
        };
        let is_here = |address: IpAddr| self.machine.addresses.contains(&address);
        match tunnel.local {
            Some(local) if is_here(remote) && !is_here(local) => {
                let tunnel = TunnelEndpoints { local: Some(remote), remote: Some(local) };
                Some(Ends { exchanged: true, ..of(tunnel) })
            }
            local => {
                let stranger = local.filter(|local| !is_here(*local));
                if let Some(local) = stranger {
                    let message = format!(
                        "{who}: neither end of the tunnel, {local} and {remote}, is an address of this machine"
                    );
                    self.warn(rule.position, message);
                } else if is_here(remote) {
                    self.warn(rule.position, format!("{who}: the tunnel's remote end {remote} is this machine"));
                }
                Some(of(tunnel))
            }
        }
    }
}
