//! What hosts announce by vendor IDs in messages 1 and 2, beside the revision of NAT traversal.
use super::Settings;
use crate::policy::rule::Rule;
use crate::wire::payload::vendor::{
    DPD, DPD_1_0, FRAGMENTATION, FRAGMENTATION_MAIN_MODE, INITIAL_CONTACT, MS_NT5, MS_NT5_2003, NLBS_PRESENT,
    UNITY_1_0, XAUTH,
};
use crate::wire::{Chain, PayloadType};

/// What a peer announces. No hash covers vendor IDs, so nothing that matters for protection may hang on them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Announced {
    /// It answers R-U-THERE (RFC 3706 §5.1).
    pub dpd: bool,
    /// It puts fragments together.
    pub fragmentation: bool,
    /// It is Windows, which acknowledges deletes.
    pub microsoft: bool,
    /// It is a member of a cluster.
    pub cluster: bool,
}

impl Announced {
    /// Reads message 1 or 2.
    pub fn read(chain: &Chain<'_>) -> Self {
        let mut announced = Self::default();
        for payload in chain.all(PayloadType::VENDOR) {
            // A later minor version speaks this one too.
            announced.dpd |= payload.body.starts_with(&DPD);
            announced.fragmentation |= payload.body.starts_with(&FRAGMENTATION);
            // Its version follows.
            announced.microsoft |= payload.body.starts_with(&MS_NT5);
            announced.cluster |= payload.body == NLBS_PRESENT;
        }
        announced
    }
}

/// What this host announces, whatever the rule. `first_contact`: no SA stands with the peer's address. The members of a
/// cluster learn from that who of them is to serve it, before they can read the notification INITIAL-CONTACT.
pub fn own(settings: &Settings, first_contact: bool) -> impl Iterator<Item = &'static [u8]> {
    let announced: [(bool, &[&[u8]]); 5] = [
        (settings.as_windows, &[&MS_NT5_2003]),
        // Asked, this host always answers: RFC 3706 §5.1 wants both ends to say so.
        (true, &[&DPD_1_0]),
        // Some know only the one form, some only the other.
        (settings.fragmentation, &[&FRAGMENTATION, &FRAGMENTATION_MAIN_MODE]),
        (settings.initial_contact && first_contact, &[&INITIAL_CONTACT]),
        (settings.of_cluster, &[&NLBS_PRESENT]),
    ];
    announced.into_iter().filter(|(does, _)| *does).flat_map(|(_, ids)| ids.iter().copied())
}

/// Those of extended authentication (draft-beaulieu-ike-xauth-02 §4) and of Cisco's additions to Mode Config, where the
/// rule has the one or the other.
pub fn of_remote_access(rule: &Rule) -> impl Iterator<Item = &'static [u8]> {
    let xauth = rule.xauth.is_some().then_some(XAUTH.as_slice());
    let unity = rule.mode_config.is_some().then_some(UNITY_1_0.as_slice());
    xauth.into_iter().chain(unity)
}
