//! Whether this kernel really has IPsec: many take XFRM requests, but have no ESP to carry them out.
use super::message;
use super::netlink::{Kernel, Refusal};
use crate::driver::Capabilities;
use crate::driver::kernel_socket;
use ikecore::address::Scope;
use ikecore::ids::Spi;
use ikecore::policy::selector::{Prefix, Selector};
use ikecore::proposal::suite::{EspCipher, Integrity, IpsecSuite, Lifetime, Mode};
use ikecore::sa::driver::{Direction, SaSpec};
use ikecore::secret::Secret;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_xfrm::XfrmMessage;
use nix::errno::Errno;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::AsFd;

/// The SPI of the dummy SAs: in the range that IANA reserves (RFC 4303 §2.1), so it meets no negotiated one.
const DUMMY_SPI: Spi = Spi(0xfe);

const ESP: IpsecSuite = IpsecSuite::Esp { cipher: EspCipher::Aes128Cbc, integrity: Some(Integrity::HmacSha1_96) };
const AH: IpsecSuite = IpsecSuite::Ah { integrity: Integrity::HmacSha1_96 };

/// What was found.
pub(super) struct Survey {
    /// ESP over IPv4: the one thing without which there is no use for this driver.
    pub(super) esp: Result<(), Refusal>,
    /// The rest.
    pub(super) capabilities: Capabilities,
}

/// Adds and deletes dummy SAs on the loopback addresses of this thread's network namespace.
pub(super) fn survey(kernel: &mut Kernel) -> Survey {
    let (ipv4, ipv6) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST));
    let esp = try_dummy(kernel, ESP, Mode::Tunnel, ipv4);
    let has = |kernel: &mut Kernel, suite, mode, address| try_dummy(kernel, suite, mode, address).is_ok();
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
    let capabilities =
        Capabilities { name: super::NAME, ah, transport, udp_encapsulation, owns_encapsulation: true, description };
    Survey { esp, capabilities }
}

fn try_dummy(kernel: &mut Kernel, suite: IpsecSuite, mode: Mode, address: IpAddr) -> Result<(), Refusal> {
    let spec = SaSpec {
        direction: Direction::Outbound,
        spi: DUMMY_SPI,
        suite,
        mode,
        source: address,
        destination: address,
        scope: Scope::ANY,
        selector: Selector::between(Prefix::host(address), Prefix::host(address)),
        encapsulation: None,
        // No traffic ever sees these keys. Kernels in FIPS mode refuse 3DES keys with equal parts, AES keys never.
        encryption_key: Secret::new(vec![0; suite.encryption_key_len()]),
        integrity_key: Secret::new(vec![0; suite.integrity_key_len()]),
        cpi: None,
        outer: None,
        reqid: 0,
        replay_window: 0,
        extended_sequence_numbers: false,
        soft: Lifetime::default(),
        // Should the daemon die between the two requests, the kernel clears up.
        hard: Lifetime { seconds: 2, kilobytes: 0 },
    };
    let name = spec.name();
    let unfit = |text| Refusal { errno: Errno::EINVAL, text: Some(text) };
    let mut layers = spec.layers().map(|layer| message::state(&spec, &layer));
    let Some(state) = layers.next() else { return Ok(()) };
    let add = XfrmMessage::AddSa(state.map_err(unfit)?.take());
    match kernel.request(add, NLM_F_CREATE | NLM_F_EXCL) {
        // Left over, or somebody else tries at this moment: the kernel can.
        Ok(()) | Err(Refusal { errno: Errno::EEXIST, .. }) => kernel
            .request(XfrmMessage::DeleteSa(message::state_name(name).map_err(unfit)?), 0)
            .or_else(|refusal| if refusal.errno == Errno::ESRCH { Ok(()) } else { Err(refusal) }),
        Err(refusal) => Err(refusal),
    }
}
