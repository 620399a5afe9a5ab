//! The numbers of authentication methods.
use super::signature;
use crate::event::negotiation::Role;
use crate::policy::remote_access::Xauth;
use crate::policy::rule::{AuthMethod, Rule};
use crate::wire::AuthenticationMethod;

/// The number of a rule's method, where this host is in this role. With extended authentication it tells the peer besides
/// which end's user is to be authenticated, the initiator's or the responder's (draft-beaulieu-ike-xauth-02 §7.2); of
/// signatures there are such numbers for RSA only.
pub(super) fn code(rule: &Rule, method: &AuthMethod, role: Role) -> Option<AuthenticationMethod> {
    let plain = match method {
        AuthMethod::PreSharedKey(_) => AuthenticationMethod::PRE_SHARED_KEY,
        AuthMethod::Certificate(method) => signature::code(method.certificate.key().algorithm()),
    };
    let of_initiator = match (&rule.xauth, role) {
        (None, _) => return Some(plain),
        (Some(Xauth::Client(_)), role) => role == Role::Initiator,
        (Some(Xauth::Server), role) => role == Role::Responder,
    };
    match (plain, of_initiator) {
        (AuthenticationMethod::PRE_SHARED_KEY, true) => Some(AuthenticationMethod::XAUTH_INIT_PRE_SHARED),
        (AuthenticationMethod::PRE_SHARED_KEY, false) => Some(AuthenticationMethod::XAUTH_RESP_PRE_SHARED),
        (AuthenticationMethod::RSA_SIGNATURES, true) => Some(AuthenticationMethod::XAUTH_INIT_RSA),
        (AuthenticationMethod::RSA_SIGNATURES, false) => Some(AuthenticationMethod::XAUTH_RESP_RSA),
        _ => None,
    }
}
