//! What this host would answer to a peer's proposal, found without a negotiation: for those who want to know beforehand, or
//! afterwards why.
use super::auth;
use crate::address::HostAddress;
use crate::event::Failure;
use crate::event::negotiation::Role;
use crate::policy::db::PolicyDb;
use crate::policy::rule::Rule;
use crate::policy::selector::Selector;
use crate::proposal::mismatch::Mismatch;
use crate::proposal::select::{ChosenMainMode, ChosenQuickMode, select_main_mode, select_quick_mode};
use crate::proposal::suite::Mode;
use crate::wire::{AuthenticationMethod, EncapsulationMode, Proposal, Sa};
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// What a rule makes of a proposal.
#[derive(Clone, Debug)]
pub struct Considered<'a, C> {
    /// The rule.
    pub rule: &'a Arc<Rule>,
    /// What it refuses, up to what it accepts, in the peer's order.
    pub refused: Vec<Mismatch>,
    /// What it accepts.
    pub chosen: Option<C>,
}

/// The answer to a proposal of main mode that comes from `remote` to this host's address `local`: the rules that are asked,
/// in their order, up to the first that accepts something.
///
/// That is the rule by which main mode is negotiated. If the peer then proves to be one for whom another rule is meant that
/// takes the same proof, this host goes over to that. The error: no rule is for the peer.
pub fn main_mode<'a>(
    policy: &'a PolicyDb,
    local: HostAddress,
    remote: HostAddress,
    offered: &Sa<'_>,
) -> Result<Vec<Considered<'a, ChosenMainMode>>, Failure> {
    let rules = policy.main_mode_rules(local, remote);
    if rules.is_empty() {
        return Err(Failure::NoPolicyForPeer { peer: remote });
    }
    let mut considered = Vec::new();
    for rule in rules {
        let (policy, methods) = (&rule.main_mode, methods(rule));
        let select = |sa: &Sa<'_>| select_main_mode(sa, &policy.offers, &methods, policy.lifetime);
        let of_rule = consider(rule, offered, select, |chosen| (chosen.proposal, chosen.transform));
        let accepts = of_rule.chosen.is_some();
        considered.push(of_rule);
        if accepts {
            break;
        }
    }
    Ok(considered)
}

/// The methods by which a rule's peers may prove who they are when they begin.
pub fn methods(rule: &Rule) -> Vec<AuthenticationMethod> {
    auth::offered(rule, Role::Responder)
}

/// The answer to a proposal of quick mode for `traffic`, with a Key Exchange payload of so many octets, if there is one:
/// as if the peer had proven to be the one that the rule is for, and no NAT were between the two.
///
/// The error: no rule negotiates it.
pub fn quick_mode<'a>(
    policy: &'a PolicyDb,
    local: HostAddress,
    remote: HostAddress,
    traffic: &Selector,
    mode: Mode,
    ke_len: Option<usize>,
    offered: &Sa<'_>,
) -> Result<Considered<'a, ChosenQuickMode>, Failure> {
    let found = policy.quick_mode_rule_in_either(remote, local, traffic, mode, |_| true);
    let (rule, _) = found.map_err(|reason| Failure::no_rule(*traffic, reason))?;
    let offers = rule.quick_mode().map_or(&[][..], |policy| &policy.offers);
    let wrapped = match rule.mode() {
        Mode::Transport => EncapsulationMode::TRANSPORT,
        Mode::Tunnel => EncapsulationMode::TUNNEL,
    };
    let select = |sa: &Sa<'_>| select_quick_mode(sa, offers, &[wrapped], ke_len);
    Ok(consider(rule, offered, select, |chosen| (chosen.proposal, chosen.transform)))
}

/// What a rule accepts by `select`, and what it refuses before that.
fn consider<'a, C>(
    rule: &'a Arc<Rule>,
    offered: &Sa<'_>,
    select: impl Fn(&Sa<'_>) -> Result<C, Vec<Mismatch>>,
    numbers: impl Fn(&C) -> (u8, u8),
) -> Considered<'a, C> {
    match select(offered) {
        Ok(chosen) => {
            let before = before(offered, numbers(&chosen));
            let refused = select(&before).err().unwrap_or_default();
            Considered { rule, refused, chosen: Some(chosen) }
        }
        Err(refused) => Considered { rule, refused, chosen: None },
    }
}

/// What stands in a proposal before the transform that was chosen.
fn before<'a>(offered: &Sa<'a>, (number, transform): (u8, u8)) -> Sa<'a> {
    let mut proposals: Vec<Proposal<'a>> = Vec::new();
    for proposal in &offered.proposals {
        if proposal.number != number {
            proposals.push(proposal.clone());
            continue;
        }
        let earlier = proposal.transforms.iter().take_while(|of| of.number != transform).cloned().collect();
        proposals.push(Proposal { transforms: earlier, ..proposal.clone() });
        break;
    }
    proposals.retain(|proposal| !proposal.transforms.is_empty());
    Sa { proposals, ..offered.clone() }
}
