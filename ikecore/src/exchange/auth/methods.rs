//! Which authentication methods a rule offers and accepts.
use crate::event::negotiation::Role;
use crate::policy::remote_access::Xauth;
use crate::policy::rule::Rule;
use crate::wire::AuthenticationMethod;

/// The methods of a rule with a pre-shared key. With extended authentication the method tells the peer which end's user
/// is to be authenticated, the initiator's or the responder's (draft-beaulieu-ike-xauth-02 §7.2).
pub const fn with_pre_shared_key(rule: &Rule, role: Role) -> AuthenticationMethod {
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
