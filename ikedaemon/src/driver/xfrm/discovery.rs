//! Neighbour discovery is exempt from all policies.
//!
//! Without it no IPv6 packet finds its way on the link, those of the negotiation included: a policy for all traffic
//! between two neighbours would cut them off for good. The contract's selectors cannot name ICMP types, so the driver sees
//! to it by itself, as soon as there is a policy for IPv6.
use super::mark;
use netlink_packet_xfrm::policy::{DelGetMessage as PolicyName, ModifyMessage as PolicyMessage};
use netlink_packet_xfrm::{
    AF_INET6, IPPROTO_ICMPV6, Selector, UserPolicyId, UserPolicyInfo, XFRM_POLICY_ALLOW, XFRM_POLICY_IN,
    XFRM_POLICY_OUT,
};

/// Neighbor Solicitation and Neighbor Advertisement (RFC 4861 §4.3, §4.4): the messages that go to single hosts.
const TYPES: [u16; 2] = [135, 136];

/// Each exemption: the policy, and its name for deletion. `count` is that of [`mark::index`] for the first.
pub(super) fn exemptions(count: u32) -> impl Iterator<Item = (PolicyMessage, PolicyName)> {
    let each = TYPES.into_iter().flat_map(|kind| [XFRM_POLICY_IN, XFRM_POLICY_OUT].map(|direction| (kind, direction)));
    (count..).zip(each).map(|(count, (kind, direction))| {
        // In the place of the source port the kernel has the ICMP type, in both directions.
        let selector = Selector {
            family: AF_INET6,
            proto: IPPROTO_ICMPV6,
            sport: kind,
            sport_mask: u16::MAX,
            ..Selector::default()
        };
        let info = UserPolicyInfo {
            selector,
            index: mark::index(count, direction),
            direction,
            action: XFRM_POLICY_ALLOW,
            // The kernel looks at them before all others.
            priority: 0,
            ..UserPolicyInfo::default()
        };
        let name = UserPolicyId { selector, index: 0, direction };
        (
            PolicyMessage { user_policy_info: info, nlas: Vec::new() },
            PolicyName { user_policy_id: name, nlas: Vec::new() },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::exemptions;
    use netlink_packet_core::Emitable;
    use std::collections::BTreeSet;

    #[test]
    fn four_policies_with_four_names() {
        let all: Vec<_> = exemptions(5).collect();
        let names: BTreeSet<Vec<u8>> = all
            .iter()
            .map(|(_, name)| {
                let mut octets = vec![0; name.buffer_len()];
                name.emit(&mut octets);
                octets
            })
            .collect();
        assert_eq!((all.len(), names.len()), (4, 4));
        for (policy, name) in all {
            assert_eq!(policy.user_policy_info.selector, name.user_policy_id.selector);
            assert_eq!(policy.user_policy_info.direction, name.user_policy_id.direction);
        }
    }
}
