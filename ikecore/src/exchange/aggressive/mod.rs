//! Aggressive mode (RFC 2409 §5), with pre-shared keys (§5.4) and signatures (§5.1).
//!
//! ```text
//! 1  HDR, SA, KE, Ni, IDii         -->
//! 2                             <--  HDR, SA, KE, Nr, IDir, proof
//! 3  HDR*, proof                   -->
//! ```
//!
//! It shows both identities to everybody on the way, the responder's certificate too, and with a pre-shared key HASH_R to
//! whoever sends message 1, who can then try out keys as fast as it computes. So it is only for rules that ask for it in so
//! many words. What it is good for: the responder knows the initiator's identity before it must choose the key.
pub mod initiator;
mod msgs;
pub mod responder;

use super::Cx;
use super::message::Incoming;
use super::phase1::{Established, Phase1Keys};
use super::step::{Role as ExchangeRole, Step};
use super::vendor::Announced;
use super::work::Answer;
use crate::event::{Failure, Reject};
use crate::ids::Cookies;
use crate::policy::rule::Rule;
use crate::proposal::offer::MainModeOffer;
use crate::proposal::suite::IkeSuite;
use std::sync::Arc;

/// Aggressive mode in either role.
pub enum AggressiveMode {
    /// This host began.
    Initiator(initiator::State),
    /// The peer began.
    Responder(responder::State),
}

/// A rule as aggressive mode can negotiate it: of its offers those with the group of the first, since the initiator's
/// public value goes out before the responder can choose (RFC 2409 §5). `None` where the rule does not allow aggressive mode.
pub fn usable(rule: &Arc<Rule>) -> Option<Arc<Rule>> {
    let group = rule.main_mode.offers.first()?.group;
    if !rule.aggressive_mode {
        return None;
    }
    let offers: Vec<MainModeOffer> =
        rule.main_mode.offers.iter().filter(|offer| offer.group == group).copied().collect();
    if offers.len() == rule.main_mode.offers.len() {
        return Some(Arc::clone(rule));
    }
    let mut main_mode = rule.main_mode.as_ref().clone();
    main_mode.offers = offers;
    Some(Arc::new(Rule { main_mode: Arc::new(main_mode), ..rule.as_ref().clone() }))
}

impl ExchangeRole for AggressiveMode {
    type Outcome = Established;

    fn waits_for(&self) -> &'static str {
        match self {
            Self::Initiator(state) => state.waits_for(),
            Self::Responder(state) => state.waits_for(),
        }
    }

    fn receive(&self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<Self>, Reject> {
        match self {
            Self::Initiator(state) => Ok(state.receive(message, cx)?.lift(Self::Initiator)),
            Self::Responder(state) => Ok(state.receive(message, cx)?.lift(Self::Responder)),
        }
    }

    fn answer(self, answer: Answer, cx: &mut Cx<'_>) -> Result<Step<Self>, Failure> {
        match self {
            Self::Initiator(state) => Ok(state.answer(answer, cx)?.lift(Self::Initiator)),
            Self::Responder(state) => Ok(state.answer(answer, cx)?.lift(Self::Responder)),
        }
    }
}

impl AggressiveMode {
    /// True for a responder whose peer has not shown yet that messages reach it at its address.
    pub const fn is_unproven(&self) -> bool {
        matches!(self, Self::Responder(_))
    }

    /// The keys, once there are any.
    pub fn keys(&self) -> Option<&Phase1Keys> {
        match self {
            Self::Initiator(state) => state.keys(),
            Self::Responder(state) => state.keys(),
        }
    }

    /// What the peer has announced so far.
    pub fn announced(&self) -> Announced {
        match self {
            Self::Initiator(state) => state.announced(),
            Self::Responder(state) => state.announced(),
        }
    }

    /// The algorithms and the responder's cookie, as far as they are chosen.
    pub fn progress(&self) -> (Option<IkeSuite>, Option<Cookies>) {
        match self {
            Self::Initiator(state) => state.progress(),
            Self::Responder(state) => state.progress(),
        }
    }
}
