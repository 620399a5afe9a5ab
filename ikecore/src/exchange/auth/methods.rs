//! The numbers of authentication methods.
use super::signature;
use crate::crypto::signature::SignatureAlg;
use crate::event::negotiation::Role;
use crate::policy::remote_access::Xauth;
use crate::policy::rule::{AuthMethod, Rule};
use crate::wire::AuthenticationMethod;

/// The number of a rule's method, where this host is in this role. With extended authentication it tells the peer besides
/// which end's user is to be authenticated, the initiator's or the responder's (draft-beaulieu-ike-xauth-02 §7.2,
/// draft-ietf-ipsec-isakmp-hybrid-auth-05 §4); of signatures there are such numbers for RSA only.
pub(super) fn code(rule: &Rule, method: &AuthMethod, role: Role) -> Option<AuthenticationMethod> {
    let of_initiator = match (&rule.xauth, role) {
        (None, _) => return plain(method),
        (Some(Xauth::Client(_)), role) => role == Role::Initiator,
        (Some(Xauth::Server), role) => role == Role::Responder,
    };
    let (init, resp) = match method {
        AuthMethod::PreSharedKey(_) => {
            (AuthenticationMethod::XAUTH_INIT_PRE_SHARED, AuthenticationMethod::XAUTH_RESP_PRE_SHARED)
        }
        AuthMethod::Certificate(method) if method.own.algorithm() == SignatureAlg::Rsa => {
            (AuthenticationMethod::XAUTH_INIT_RSA, AuthenticationMethod::XAUTH_RESP_RSA)
        }
        AuthMethod::Hybrid(method) if method.fits(rule.xauth.as_ref()) => {
            (AuthenticationMethod::HYBRID_INIT_RSA, AuthenticationMethod::HYBRID_RESP_RSA)
        }
        AuthMethod::Certificate(_) | AuthMethod::Hybrid(_) => return None,
    };
    Some(if of_initiator { init } else { resp })
}

/// Without extended authentication.
fn plain(method: &AuthMethod) -> Option<AuthenticationMethod> {
    match method {
        AuthMethod::PreSharedKey(_) => Some(AuthenticationMethod::PRE_SHARED_KEY),
        AuthMethod::Certificate(method) => Some(signature::code(method.own.algorithm())),
        // The client would prove nothing at all.
        AuthMethod::Hybrid(_) => None,
    }
}
