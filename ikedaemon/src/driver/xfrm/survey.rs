//! Whether this kernel really has IPsec: many take XFRM requests, but have no ESP to carry them out.
use super::netlink::{Kernel, Refusal};
use super::{leftover, message};
use crate::driver::{Capabilities, kernel_socket, trial};
use ikecore::proposal::suite::{EspCipher, Integrity, IpsecSuite, Mode, ProtectionSuite};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_xfrm::XfrmMessage;
use nix::errno::Errno;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::AsFd;

const ESP: IpsecSuite = IpsecSuite::Esp { cipher: EspCipher::Aes128Cbc, integrity: Some(Integrity::HmacSha1_96) };
const AH: IpsecSuite = IpsecSuite::Ah { integrity: Integrity::HmacSha1_96 };

/// What was found.
pub(super) struct Survey {
    /// ESP over IPv4: the one thing without which there is no use for this driver.
    pub(super) esp: Result<(), Refusal>,
    /// The rest.
    pub(super) capabilities: Capabilities,
}

/// Adds and deletes SAs on the loopback addresses of this thread's network namespace.
pub(super) fn survey(kernel: &mut Kernel) -> Survey {
    let (ipv4, ipv6) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST));
    let esp = try_suite(kernel, ESP.alone(), false, Mode::Tunnel, ipv4);
    let has = |kernel: &mut Kernel, suite: IpsecSuite, mode, address| {
        try_suite(kernel, suite.alone(), false, mode, address).is_ok()
    };
    let transport = has(kernel, ESP, Mode::Transport, ipv4);
    let esp6 = has(kernel, ESP, Mode::Transport, ipv6);
    let ah = has(kernel, AH, Mode::Transport, ipv4);
    let udp_encapsulation = esp.is_ok()
        && UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|socket| kernel_socket::encapsulate(socket.as_fd()))
            .is_ok();
    let parts: Vec<&str> =
        [(esp.is_ok(), "ESP"), (esp6, "ESP over IPv6"), (ah, "AH"), (udp_encapsulation, "ESP in UDP")]
            .into_iter()
            .filter_map(|(present, name)| present.then_some(name))
            .collect();
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let with = if parts.is_empty() { "no IPsec".to_owned() } else { parts.join(", ") };
    let description = format!("Linux {} with {with}", release.trim());
    let capabilities = Capabilities {
        name: super::NAME,
        ah,
        transport,
        udp_encapsulation,
        link_local: true,
        owns_encapsulation: true,
        description,
    };
    Survey { esp, capabilities }
}

/// Adds and deletes an SA that never sees traffic, layer by layer.
pub(super) fn try_suite(
    kernel: &mut Kernel,
    suite: ProtectionSuite,
    extended_sequence_numbers: bool,
    mode: Mode,
    address: IpAddr,
) -> Result<(), Refusal> {
    let spec = trial::sa(suite, extended_sequence_numbers, mode, address);
    let unfit = |text| Refusal { errno: Errno::EINVAL, text: Some(text) };
    for layer in spec.layers() {
        let add = XfrmMessage::AddSa(message::state(&spec, &layer).map_err(unfit)?.take());
        match kernel.request(add, NLM_F_CREATE | NLM_F_EXCL) {
            // Left over, or somebody else tries at this moment: the kernel can.
            Ok(()) | Err(Refusal { errno: Errno::EEXIST, .. }) => {
                let delete = message::state_name(spec.name_of(&layer)).map_err(unfit)?;
                leftover::gone_is_fine(kernel.request(XfrmMessage::DeleteSa(delete), 0))?;
            }
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(())
}
