//! Vendor IDs that announce what an end does beyond RFC 2409.
use crate::policy::rule::Rule;
use crate::wire::payload::vendor::{UNITY_1_0, XAUTH};

/// Those of extended authentication (draft-beaulieu-ike-xauth-02 §4) and of Cisco's additions to Mode Config, where the
/// rule has the one or the other.
pub fn of_remote_access(rule: &Rule) -> impl Iterator<Item = &'static [u8]> {
    let xauth = rule.xauth.is_some().then_some(XAUTH.as_slice());
    let unity = rule.mode_config.is_some().then_some(UNITY_1_0.as_slice());
    xauth.into_iter().chain(unity)
}
