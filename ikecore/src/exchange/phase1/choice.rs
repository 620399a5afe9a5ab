//! What is offered, and what is chosen: a rule, algorithms, and an authentication method.
use super::super::Cx;
use super::super::auth::{self, Authentication};
use crate::address::HostAddress;
use crate::event::negotiation::Role;
use crate::event::{EventKind, Failure, IkeSaEvent, Reject};
use crate::policy::rule::Rule;
use crate::proposal::encode::encode_main_mode;
use crate::proposal::select::{ChosenMainMode, select_main_mode, verify_main_mode_reply};
use crate::wire::Sa;
use std::sync::Arc;

/// What a phase 1 is negotiated by.
#[derive(Clone)]
pub struct Choice {
    /// How the two ends prove who they are; it knows the rule.
    pub authentication: Authentication,
    /// The algorithms and the life.
    pub chosen: ChosenMainMode,
}

/// The body of the SA payload that offers what a rule has: for each of its offers and each of its authentication methods
/// one transform. The error: the rule has no method.
pub fn offer(rule: &Rule, peer: HostAddress) -> Result<Vec<u8>, Failure> {
    let methods = auth::offered(rule, Role::Initiator);
    if methods.is_empty() {
        return Err(Failure::NoPolicyForPeer { peer });
    }
    Ok(encode_main_mode(&rule.main_mode.offers, &methods, rule.main_mode.lifetime))
}

/// The responder's choice: the first rule that accepts one of the peer's transforms decides, and the transform which of
/// its authentication methods.
pub(super) fn choose(
    offered: &Sa<'_>,
    rules: &[Arc<Rule>],
    peer: HostAddress,
    cx: &mut Cx<'_>,
) -> Result<Choice, Failure> {
    let mut mismatches = Vec::new();
    for rule in rules {
        let policy = &rule.main_mode;
        cx.trace.step(|| EventKind::IkeSa(IkeSaEvent::policy_found(rule)));
        match select_main_mode(offered, &policy.offers, &auth::offered(rule, Role::Responder), policy.lifetime) {
            Ok(chosen) => {
                // The transform was chosen by the rule's own methods.
                let Some(authentication) = Authentication::chosen(rule, chosen.suite.authentication, Role::Responder)
                else {
                    continue;
                };
                let choice = Choice { authentication, chosen };
                choice.trace(cx);
                return Ok(choice);
            }
            Err(refused) => {
                for mismatch in &refused {
                    cx.trace.step(|| EventKind::IkeSa(IkeSaEvent::TransformRefused(mismatch.clone())));
                }
                mismatches.extend(refused.into_iter().filter(|new| !mismatches.contains(new)).collect::<Vec<_>>());
            }
        }
    }
    Err(if rules.is_empty() {
        Failure::NoPolicyForPeer { peer }
    } else {
        Failure::NoProposalChosen { phase: "main mode", mismatches }
    })
}

/// The initiator's check of the responder's choice; `offered` is the body of this host's SA payload.
pub(super) fn accept_reply(reply: &Sa<'_>, offered: &[u8], rule: &Arc<Rule>) -> Result<Choice, Reject> {
    let chosen = verify_main_mode_reply(reply, offered)
        .map_err(|mismatch| Reject::Refused(Failure::ChoiceNotOffered(mismatch)))?;
    // What is among the offers has one of the rule's methods.
    let authentication = Authentication::chosen(rule, chosen.suite.authentication, Role::Initiator)
        .ok_or(Reject::Local("finding the authentication method"))?;
    Ok(Choice { authentication, chosen })
}

impl Choice {
    /// Tells what was chosen.
    pub fn trace(&self, cx: &mut Cx<'_>) {
        let ChosenMainMode { transform, suite, lifetime, .. } = self.chosen;
        cx.trace.step(|| EventKind::IkeSa(IkeSaEvent::ProposalAccepted { transform, suite, lifetime }));
    }
}
