//! What the peer of a standing ISAKMP SA has proven, and whether that is what another rule asks.
//!
//! Main mode is negotiated by one rule; which rule the peer's traffic falls under shows in quick mode only, and that one may
//! ask more of the peer: another key, another authority, another identity.
use super::admit;
use super::methods::code;
use crate::address::HostAddress;
use crate::event::Failure;
use crate::event::negotiation::Role;
use crate::identity::Identity;
use crate::policy::rule::{AuthMethod, Rule};
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
