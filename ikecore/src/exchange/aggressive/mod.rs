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

use super::side::Side;
use crate::policy::rule::Rule;
use crate::proposal::offer::MainModeOffer;
use std::sync::Arc;

/// Aggressive mode in either role.
pub type AggressiveMode = Side<initiator::State, responder::State>;

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
