//! What an earlier run left in the kernel when it could not clear up after itself.
use super::mark;
use super::message::name_of;
use super::message::state_name;
use super::netlink::{Kernel, Refusal};
use ikecore::sa::driver::SaName;
use netlink_packet_core::Parseable;
use netlink_packet_xfrm::policy::{DelGetMessage as PolicyName, ModifyMessage as PolicyMessage};
use netlink_packet_xfrm::state::GetDumpMessage;
use netlink_packet_xfrm::{UserPolicyId, UserSaInfo, XFRM_USER_POLICY_INFO_LEN, XfrmAttrs, XfrmMessage};
use nix::errno::Errno;

/// Deletes the SAs and policies of this thread's network namespace that carry the numbers of [`mark`], and nothing else.
/// Returns how many SAs and policies there were.
///
/// So there can be one daemon with this driver in a network namespace.
pub(super) fn remove(kernel: &mut Kernel) -> Result<(usize, usize), Refusal> {
    let mut policies: Vec<UserPolicyId> = Vec::new();
    kernel
        .dump(XfrmMessage::GetPolicy(PolicyName::default()), &mut |_, payload| policies.extend(own_policy(payload)))?;
    for id in &policies {
        let name = PolicyName { user_policy_id: *id, nlas: Vec::new() };
        gone_is_fine(kernel.request(XfrmMessage::DeletePolicy(name), 0))?;
    }
    let mut states: Vec<SaName> = Vec::new();
    kernel
        .dump(XfrmMessage::GetDumpSa(GetDumpMessage::default()), &mut |_, payload| states.extend(own_state(payload)))?;
    for name in &states {
        if let Ok(name) = state_name(*name) {
            gone_is_fine(kernel.request(XfrmMessage::DeleteSa(name), 0))?;
        }
    }
    Ok((states.len(), policies.len()))
}

fn own_policy(payload: &[u8]) -> Option<UserPolicyId> {
    // The crate's parser takes the fixed part for granted.
    if payload.len() < XFRM_USER_POLICY_INFO_LEN {
        return None;
    }
    let policy = PolicyMessage::parse(payload).ok()?;
    let info = policy.user_policy_info;
    let own_template = policy.nlas.iter().any(|attribute| match attribute {
        XfrmAttrs::Template(templates) => templates.iter().any(|template| mark::rule(template.reqid).is_some()),
        _ => false,
    });
    (own_template || mark::is_own_index(info.index)).then_some(UserPolicyId {
        selector: info.selector,
        index: 0,
        direction: info.direction,
    })
}

fn own_state(payload: &[u8]) -> Option<SaName> {
    // The fixed part only: the attributes hold keys.
    let info = UserSaInfo::parse(payload).ok()?;
    // The SA without SPI that stands in while an acquire waits goes by itself and cannot be named.
    (mark::rule(info.reqid).is_some() && info.id.spi != 0).then(|| name_of(&info)).flatten()
}

/// Deleting what is not there is no error.
pub(super) fn gone_is_fine(outcome: Result<(), Refusal>) -> Result<(), Refusal> {
    match outcome {
        Err(Refusal { errno: Errno::ESRCH | Errno::ENOENT, .. }) => Ok(()),
        other => other,
    }
}
