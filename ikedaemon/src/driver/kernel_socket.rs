//! What a Linux kernel with IPsec must know of the listener's sockets: their traffic is exempt from the policies, and
//! the NAT-T socket's ESP is the kernel's.
use crate::sys::set_socket_option;
use netlink_packet_core::Emitable;
use netlink_packet_xfrm::{
    AF_INET, AF_INET6, Selector, UserPolicyInfo, XFRM_POLICY_ALLOW, XFRM_POLICY_IN, XFRM_POLICY_OUT,
};
use std::io;
use std::os::fd::BorrowedFd;

/// `UDP_ENCAP` of `linux/udp.h`.
const UDP_ENCAP: libc::c_int = 100;
/// ESP in UDP as RFC 3948 has it: `UDP_ENCAP_ESPINUDP` of `linux/udp.h`.
const UDP_ENCAP_ESPINUDP: libc::c_int = 2;

/// Exempts a socket from the policies in both directions; for the NAT-T socket (`encapsulation`) has the kernel take
/// ESP out of UDP.
///
/// Without the exemption, the daemon's own messages would wait for the SA that they negotiate (RFC 4301 §5 leaves IKE's
/// exemption to the implementation), and ESP in UDP would match the policy that wants it protected a second time.
pub(crate) fn prepare_socket(socket: BorrowedFd<'_>, ipv6: bool, encapsulation: bool) -> io::Result<()> {
    for direction in [XFRM_POLICY_IN, XFRM_POLICY_OUT] {
        bypass(socket, ipv6, direction)?;
    }
    if encapsulation { encapsulate(socket) } else { Ok(()) }
}

/// Has the kernel take ESP out of the UDP that this socket receives.
pub(crate) fn encapsulate(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_socket_option(socket, libc::IPPROTO_UDP, UDP_ENCAP, &UDP_ENCAP_ESPINUDP.to_ne_bytes())
}

fn bypass(socket: BorrowedFd<'_>, ipv6: bool, direction: u8) -> io::Result<()> {
    let (level, name, family) = if ipv6 {
        (libc::IPPROTO_IPV6, libc::IPV6_XFRM_POLICY, AF_INET6)
    } else {
        (libc::IPPROTO_IP, libc::IP_XFRM_POLICY, AF_INET)
    };
    let policy = UserPolicyInfo {
        selector: Selector { family, ..Selector::default() },
        direction,
        action: XFRM_POLICY_ALLOW,
        ..UserPolicyInfo::default()
    };
    let mut octets = vec![0; policy.buffer_len()];
    policy.emit(&mut octets);
    set_socket_option(socket, level, name, &octets)
}
