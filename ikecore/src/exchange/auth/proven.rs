//! What a peer has proven, and whether that is what another rule asks.
//!
//! Main mode begins by one rule, before the peer says who it is; then another may be meant for it. And which rule its traffic
//! falls under shows in quick mode only. Either may ask more of the peer: another key, another authority, another identity.
use super::methods::code;
use super::{Authentication, PeerVerified, admit};
use crate::address::HostAddress;
use crate::event::negotiation::Role;
use crate::event::{EventKind, Failure, IkeSaEvent};
use crate::exchange::{Cx, Path};
use crate::identity::Identity;
use crate::policy::rule::{AuthMethod, Rule};
use crate::proposal::suite::IkeSuite;
use crate::wire::AuthenticationMethod;

/// What the peer has proven.
pub struct Proven<'a> {
    /// The rule by which phase 1 was negotiated.
    pub under: &'a Rule,
    /// The method that was agreed on in it.
    pub method: AuthenticationMethod,
    /// This host's role in it.
    pub role: Role,
    /// Who the peer is.
    pub identity: &'a Identity,
    /// Its address.
    pub peer: HostAddress,
    /// A NAT is before it.
    pub behind_nat: bool,
}

impl Authentication {
    /// The responder's authentication by the rule that is meant for the peer, now that it has proven who it is. Of the rules
    /// for its address that would have negotiated the same and taken the same proof it is the first that names its identity;
    /// else the rule that main mode began by; else the first that takes anybody. The error is why the rule that it began by
    /// does not do.
    pub fn of_identity(
        &self,
        suite: &IkeSuite,
        verified: &PeerVerified,
        path: Path,
        behind_nat: bool,
        cx: &mut Cx<'_>,
    ) -> Result<Self, Failure> {
        let (under, identity, peer) = (&self.rule, verified.identity(), path.peer());
        let names = |rule: &Rule| rule.remote_id.as_ref().is_some_and(|id| id.matches(identity));
        let proven = Proven { under, method: suite.authentication, role: Role::Responder, identity, peer, behind_nat };
        let (mut named, mut other) = (None, None);
        // A client of hybrid authentication has no name yet.
        if *identity != Identity::Nobody && !names(under) {
            for rule in cx.policy.main_mode_rules(path.own(), peer) {
                let mut offers = rule.main_mode.offers.iter();
                let negotiates = offers.any(|offer| (offer.cipher, offer.hash, offer.group) == suite.algorithms());
                if rule.name == under.name || !negotiates || proven.satisfies(rule).is_err() {
                    continue;
                }
                let place = if names(rule) { &mut named } else { &mut other };
                *place = place.take().or_else(|| Self::chosen(rule, suite.authentication, Role::Responder));
            }
        }
        let another = named.or_else(|| other.filter(|_| proven.satisfies(under).is_err()));
        if let Some(another) = &another {
            cx.trace.step(|| EventKind::IkeSa(IkeSaEvent::policy_found(&another.rule)));
        }
        let meant = another.unwrap_or_else(|| self.clone());
        meant.admit(verified, peer.ip(), behind_nat, cx)?;
        Ok(meant)
    }
}

impl Proven<'_> {
    /// Whether `rule` too would have taken that as proof of who the peer is.
    pub fn satisfies(&self, rule: &Rule) -> Result<(), Failure> {
        let used = || {
            let methods = self.under.authentication.iter();
            methods.filter(|method| code(self.under, method, self.role) == Some(self.method))
        };
        // Of several certificate methods it is not known any more which one it was: all must do.
        let allowed = |used: &AuthMethod| rule.authentication.iter().any(|allowed| allowed.takes_proof_of(used));
        if rule.name != self.under.name && !used().all(allowed) {
            return Err(Failure::OtherAuthentication { rule: rule.name.clone(), under: self.under.name.clone() });
        }
        let signed = used().any(|method| method.trust().is_some());
        admit(rule, signed, self.identity, self.peer.ip(), self.behind_nat)
    }
}
