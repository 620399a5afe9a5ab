//! The numbers of authentication methods.
use crate::event::negotiation::Role;
use crate::policy::remote_access::Xauth;
use crate::policy::rule::{AuthMethod, Rule};
use crate::wire::AuthenticationMethod;

/// The number of a rule's method, where this host is in this role. With extended authentication it tells the peer besides
/// which end's user is to be authenticated, the initiator's or the responder's (draft-beaulieu-ike-xauth-02 §7.2).
pub(super) const fn code(rule: &Rule, method: &AuthMethod, role: Role) -> AuthenticationMethod {
    let AuthMethod::PreSharedKey(_) = method;
    match (&rule.xauth, role) {
        (None, _) => AuthenticationMethod::PRE_SHARED_KEY,
        (Some(Xauth::Client(_)), Role::Initiator) | (Some(Xauth::Server), Role::Responder) => {
            AuthenticationMethod::XAUTH_INIT_PRE_SHARED
        }
        (Some(Xauth::Client(_)), Role::Responder) | (Some(Xauth::Server), Role::Initiator) => {
            AuthenticationMethod::XAUTH_RESP_PRE_SHARED
        }
    }
}
