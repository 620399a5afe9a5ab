//! Clear text that arrives although it should be protected: the kernel's own policies refuse it.
//!
//! XFRM policies work in kernels that have no ESP at all: a policy that blocks needs no SA. They see a packet when it is
//! given to a socket or forwarded. What this driver decrypted is exempt: IPv4 by `disable_policy` of its device, IPv6
//! by a mark, for IPv6 has no such setting for packets that arrive.
use super::{INJECTED_MARK, XFRM_PRIORITIES};
use crate::netlink::Netlink;
use crate::sys;
use ikecore::policy::selector::{Prefix, Selector};
use ikecore::sa::driver::{Direction, TrafficAction, TrafficPolicy};
use netlink_packet_core::Emitable as _;
use netlink_packet_xfrm::constants::{
    XFRM_POLICY_ALLOW, XFRM_POLICY_BLOCK, XFRM_POLICY_FWD, XFRM_POLICY_IN, XFRM_POLICY_OUT,
};
use netlink_packet_xfrm::policy::{DelGetMessage, ModifyMessage};
use netlink_packet_xfrm::{Address, LifetimeConfig, Mark, UserPolicyId, UserPolicyInfo, XfrmAttrs, XfrmMessage};
use netlink_sys::protocols::NETLINK_XFRM;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;

/// ICMPv6 types of neighbour discovery (RFC 4861 §4): router solicitation to redirect. They cannot be protected before
/// the neighbour is known.
const NEIGHBOUR_DISCOVERY: std::ops::RangeInclusive<u16> = 133..=137;

/// One policy of the kernel, but for its priority.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Place {
    selector: Selector,
    direction: u8,
    /// Only for packets that this driver decrypted.
    injected: bool,
}

/// What the policy says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Verdict {
    action: u8,
    priority: u32,
}

/// The kernel's policies that this driver installed; removed on drop.
pub(super) struct Filter {
    netlink: Netlink,
    installed: BTreeMap<Place, Verdict>,
}

impl Filter {
    /// Removes what a crash left. An error: this kernel has no XFRM, or this process may not use it.
    pub(super) fn new() -> io::Result<Self> {
        let mut filter = Self { netlink: Netlink::open(NETLINK_XFRM)?, installed: BTreeMap::new() };
        filter.clean()?;
        Ok(filter)
    }

    /// Makes the kernel's policies those that `policies`, the first to look at first, mean for packets that arrive.
    /// `own` are this host's addresses.
    pub(super) fn set_policies(&mut self, policies: &[TrafficPolicy], own: &BTreeSet<IpAddr>) -> io::Result<()> {
        let policies = || policies.iter().filter(|policy| policy.selector.goes(Direction::Inbound));
        let mut wanted = BTreeMap::new();
        let mut priority = *XFRM_PRIORITIES.start();
        let any = policies().any(|policy| policy.action != TrafficAction::Permit);
        if any {
            let verdict = Verdict { action: XFRM_POLICY_ALLOW, priority };
            wanted.extend(exempt(own).map(|place| (place, verdict)));
        }
        for policy in policies().filter(|_| any) {
            priority = priority.saturating_add(1).min(*XFRM_PRIORITIES.end());
            let action = match policy.action {
                TrafficAction::Permit | TrafficAction::Protect { inbound_passthrough: true, .. } => XFRM_POLICY_ALLOW,
                TrafficAction::Block | TrafficAction::Protect { .. } => XFRM_POLICY_BLOCK,
            };
            for direction in [XFRM_POLICY_IN, XFRM_POLICY_FWD] {
                // Decrypted IPv6 packets that are forwarded cannot be told from others.
                if direction == XFRM_POLICY_IN || policy.selector.local.address().is_ipv4() {
                    let place = Place { selector: policy.selector.both_ways(), direction, injected: false };
                    wanted.entry(place).or_insert(Verdict { action, priority });
                }
            }
        }
        for (place, verdict) in &wanted {
            if self.installed.get(place) != Some(verdict) {
                let message = ModifyMessage { user_policy_info: info(place, *verdict), nlas: mark(place) };
                self.netlink.request(XfrmMessage::UpdatePolicy(message), 0)?;
                self.installed.insert(*place, *verdict);
            }
        }
        let gone: Vec<Place> = self.installed.keys().filter(|place| !wanted.contains_key(place)).copied().collect();
        for place in gone {
            let info = info(&place, Verdict { action: 0, priority: 0 });
            let user_policy_id =
                UserPolicyId { selector: info.selector, direction: place.direction, ..UserPolicyId::default() };
            let message = DelGetMessage { user_policy_id, nlas: mark(&place) };
            // It may be gone already.
            let _ = self.netlink.request(XfrmMessage::DeletePolicy(message), 0);
            self.installed.remove(&place);
        }
        Ok(())
    }

    /// Removes all policies whose priority is one of ours.
    fn clean(&mut self) -> io::Result<()> {
        let found = self.netlink.dump(XfrmMessage::GetPolicy(DelGetMessage::default()))?;
        for reply in found {
            let (XfrmMessage::AddPolicy(policy) | XfrmMessage::UpdatePolicy(policy)) = reply else { continue };
            let info = policy.user_policy_info;
            if XFRM_PRIORITIES.contains(&info.priority) && info.direction != XFRM_POLICY_OUT {
                let user_policy_id = UserPolicyId { selector: info.selector, direction: info.direction, index: 0 };
                let nlas = policy.nlas.into_iter().filter(|nla| matches!(nla, XfrmAttrs::Mark(_))).collect();
                let message = DelGetMessage { user_policy_id, nlas };
                let _ = self.netlink.request(XfrmMessage::DeletePolicy(message), 0);
            }
        }
        self.installed.clear();
        Ok(())
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        let _ = self.clean();
    }
}

/// What is never refused: packets that this driver decrypted, neighbour discovery, the traffic of a link, and that of
/// this host with itself. For IPv4 the device and the loopback device are exempt by their settings.
fn exempt(own: &BTreeSet<IpAddr>) -> impl Iterator<Item = Place> {
    let prefix = |address: &str, len| address.parse().ok().and_then(|address| Prefix::new(address, len).ok());
    let between = |remote: Option<Prefix>, local: Option<Prefix>| Some(Selector::between(local?, remote?));
    let (any4, any6) = (prefix("0.0.0.0", 0), prefix("::", 0));
    let (link4, link6) = (prefix("169.254.0.0", 16), prefix("fe80::", 10));
    let links = [
        between(any4, prefix("224.0.0.0", 4)),
        between(any4, prefix("255.255.255.255", 32)),
        between(link4, link4),
        between(any6, prefix("ff00::", 8)),
        between(link6, link6),
    ];
    // The kernel has the type of ICMP where others have their source port: the peer's.
    let discovery = NEIGHBOUR_DISCOVERY.map(move |kind| {
        let all = between(any6, any6)?;
        Some(Selector { protocol: super::packet::protocol::ICMPV6, remote_port: kind, ..all })
    });
    let own: Vec<Prefix> =
        own.iter().filter(|address| address.is_ipv6()).map(|address| Prefix::host(*address)).collect();
    let own = own.into_iter().map(|address| Some(Selector::between(address, address)));
    let plain = links.into_iter().chain(discovery).chain(own).flatten();
    let injected = between(any6, any6).map(|selector| Place { selector, direction: XFRM_POLICY_IN, injected: true });
    injected.into_iter().chain(plain.map(|selector| Place { selector, direction: XFRM_POLICY_IN, injected: false }))
}

fn mark(place: &Place) -> Vec<XfrmAttrs> {
    let mark = Mark { value: INJECTED_MARK, mask: u32::MAX };
    place.injected.then_some(XfrmAttrs::Mark(mark)).into_iter().collect()
}

fn info(place: &Place, verdict: Verdict) -> UserPolicyInfo {
    let Selector { local, remote, protocol, local_port, remote_port, .. } = place.selector;
    let mut info = UserPolicyInfo { direction: place.direction, ..verdict_info(verdict) };
    let selector = &mut info.selector;
    selector.family = if local.address().is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }.try_into().unwrap_or(0);
    (selector.saddr, selector.prefixlen_s) = (Address::from_ip(&remote.address()), remote.prefix_len());
    (selector.daddr, selector.prefixlen_d) = (Address::from_ip(&local.address()), local.prefix_len());
    selector.proto = protocol;
    (selector.sport, selector.dport) = (remote_port, local_port);
    selector.sport_mask = if remote_port == 0 { 0 } else { u16::MAX };
    selector.dport_mask = if local_port == 0 { 0 } else { u16::MAX };
    info
}

fn verdict_info(verdict: Verdict) -> UserPolicyInfo {
    let no_limit = LifetimeConfig {
        soft_byte_limit: u64::MAX,
        hard_byte_limit: u64::MAX,
        soft_packet_limit: u64::MAX,
        hard_packet_limit: u64::MAX,
        ..LifetimeConfig::default()
    };
    UserPolicyInfo {
        action: verdict.action,
        priority: verdict.priority,
        lifetime_cfg: no_limit,
        ..UserPolicyInfo::default()
    }
}

/// Exempts a socket from the kernel's policies, in both directions. A kernel without XFRM has none to exempt from.
pub(super) fn exempt_socket(socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<()> {
    for direction in [XFRM_POLICY_IN, XFRM_POLICY_OUT] {
        let mut info = verdict_info(Verdict { action: XFRM_POLICY_ALLOW, priority: 0 });
        info.direction = direction;
        info.selector.family = if ipv6 { libc::AF_INET6 } else { libc::AF_INET }.try_into().unwrap_or(0);
        let mut octets = vec![0; info.buffer_len()];
        info.emit(&mut octets);
        match sys::set_socket_policy(socket, ipv6, &octets) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOPROTOOPT | libc::EOPNOTSUPP)) => return Ok(()),
            result => result?,
        }
    }
    Ok(())
}
