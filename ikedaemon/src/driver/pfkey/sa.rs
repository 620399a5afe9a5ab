//! SAs in PF_KEY's terms.
use super::algorithms::SuiteNumbers;
use super::codec::{
    AddressExtension, Extension, ExtensionType, LifetimeExtension, MODE_TRANSPORT, MODE_TUNNEL, MessageType,
    NAT_ESP_IN_UDP, STATE_MATURE, SaExtension, SaType,
};
use super::link::{Link, LinkError};
use super::reqids;
use ikecore::ids::Spi;
use ikecore::proposal::suite::{CPIS, Layer, Lifetime, Mode};
use ikecore::sa::driver::{Direction, SaLayer, SaName, SaSpec};
use ikecore::secret::Secret;
use ikecore::wire::codes::ProtocolId;
use nix::errno::Errno;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The SPIs to choose from: below are the reserved ones (RFC 4303 §2.1).
const SPI_MIN: u32 = 0x100;
/// The last one.
const SPI_MAX: u32 = u32::MAX;

/// The widest anti-replay window that Linux keeps for an SA made over PF_KEY; it cuts wider ones to this.
const REPLAY_WINDOW_MAX: u32 = 32;

/// PF_KEY's name of ESP, AH or IPComp.
pub(super) const fn sa_type(protocol: ProtocolId) -> SaType {
    match protocol {
        ProtocolId::ESP => SaType::ESP,
        ProtocolId::AH => SaType::AH,
        ProtocolId::IPCOMP => SaType::IPCOMP,
        _ => SaType::UNSPECIFIED,
    }
}

/// The core's name of ESP, AH or IPComp.
pub(super) const fn protocol(sa_type: SaType) -> Option<ProtocolId> {
    match sa_type {
        SaType::ESP => Some(ProtocolId::ESP),
        SaType::AH => Some(ProtocolId::AH),
        SaType::IPCOMP => Some(ProtocolId::IPCOMP),
        _ => None,
    }
}

/// The number of a mode.
pub(super) const fn mode_number(mode: Mode) -> u8 {
    match mode {
        Mode::Transport => MODE_TRANSPORT,
        Mode::Tunnel => MODE_TUNNEL,
    }
}

/// An address of one host.
pub(super) fn host(kind: ExtensionType, address: IpAddr) -> Extension {
    let prefix_len = if address.is_ipv4() { 32 } else { 128 };
    Extension::Address(kind, AddressExtension { protocol: 0, prefix_len, address: SocketAddr::new(address, 0) })
}

/// What names an SA in GET and DELETE. PF_KEY wants a source address too; Linux does not look at it.
pub(super) fn naming(sa: SaName) -> Vec<Extension> {
    let source = match sa.destination {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    vec![
        Extension::Sa(SaExtension {
            spi: sa.spi,
            replay_window: 0,
            state: STATE_MATURE,
            integrity: 0,
            encryption: 0,
            flags: 0,
        }),
        host(ExtensionType::ADDRESS_SRC, source),
        host(ExtensionType::ADDRESS_DST, sa.destination),
    ]
}

/// What GETSPI asks for.
pub(super) fn reservation(
    protocol: ProtocolId,
    source: IpAddr,
    destination: IpAddr,
    mode: Mode,
    reqid: u32,
) -> Vec<Extension> {
    let (min, max) = if protocol == ProtocolId::IPCOMP { CPIS.into_inner() } else { (SPI_MIN, SPI_MAX) };
    vec![
        host(ExtensionType::ADDRESS_SRC, source),
        host(ExtensionType::ADDRESS_DST, destination),
        Extension::SpiRange { min, max },
        Extension::Sa2 { mode: mode_number(mode), sequence: 0, reqid },
    ]
}

/// One layer of a direction, for ADD and UPDATE.
pub(super) fn whole(spec: &SaSpec, layer: &SaLayer<'_>, numbers: SuiteNumbers, reqid: u32) -> Vec<Extension> {
    let window = if layer.layer == Layer::Compression { 0 } else { spec.replay_window };
    let replay_window = u8::try_from(window.min(REPLAY_WINDOW_MAX)).unwrap_or(u8::MAX);
    let mut extensions = vec![
        Extension::Sa(SaExtension {
            spi: layer.spi,
            replay_window,
            state: STATE_MATURE,
            integrity: numbers.integrity,
            encryption: numbers.encryption,
            flags: 0,
        }),
        host(ExtensionType::ADDRESS_SRC, spec.source),
        host(ExtensionType::ADDRESS_DST, spec.destination),
        Extension::Sa2 { mode: mode_number(layer.mode), sequence: 0, reqid },
    ];
    // Without it Linux takes only packets of the outer address family into a tunnel. It is half of the SA's selector, too;
    // PF_KEY has no place for the other half, the reqid must do (see `reqids`).
    if spec.mode == Mode::Tunnel {
        let block = match spec.direction {
            Direction::Inbound => spec.selector.remote,
            Direction::Outbound => spec.selector.local,
        };
        let address = SocketAddr::new(block.address(), 0);
        let block = AddressExtension { protocol: 0, prefix_len: block.prefix_len(), address };
        extensions.push(Extension::Address(ExtensionType::ADDRESS_PROXY, block));
    }
    // One life for all: it ends with that of the main SA.
    let main = layer.layer == Layer::Sa(spec.suite);
    for (kind, limit) in [(ExtensionType::LIFETIME_HARD, spec.hard), (ExtensionType::LIFETIME_SOFT, spec.soft)] {
        if main && limit != Lifetime::default() {
            extensions.push(Extension::Lifetime(kind, lifetime(limit)));
        }
    }
    if !layer.integrity_key.is_empty() {
        extensions.push(Extension::Key(ExtensionType::KEY_AUTH, Secret::new(layer.integrity_key.to_vec())));
    }
    // Linux wants one with every ESP SA, for the NULL cipher one of 0 bits.
    let esp = layer.layer.protocol() == ProtocolId::ESP;
    if esp {
        extensions.push(Extension::Key(ExtensionType::KEY_ENCRYPT, Secret::new(layer.encryption_key.to_vec())));
    }
    if let Some(encapsulation) = spec.encapsulation.filter(|_| esp) {
        extensions.push(Extension::NatType(NAT_ESP_IN_UDP));
        extensions.push(Extension::NatPort(ExtensionType::NAT_SPORT, encapsulation.source_port));
        extensions.push(Extension::NatPort(ExtensionType::NAT_DPORT, encapsulation.destination_port));
    }
    extensions
}

/// Zero is no limit in both worlds.
fn lifetime(limit: Lifetime) -> LifetimeExtension {
    LifetimeExtension {
        allocations: 0,
        octets: u64::from(limit.kilobytes) * 1024,
        add_time: limit.seconds.into(),
        use_time: 0,
    }
}

/// What GET told of an SA, made into an UPDATE that gives it other UDP ports.
pub(super) fn with_ports(told: Vec<Extension>, source_port: u16, destination_port: u16) -> Vec<Extension> {
    told.into_iter()
        .filter_map(|extension| match extension {
            Extension::NatPort(kind @ ExtensionType::NAT_SPORT, _) => Some(Extension::NatPort(kind, source_port)),
            Extension::NatPort(kind @ ExtensionType::NAT_DPORT, _) => Some(Extension::NatPort(kind, destination_port)),
            // What the kernel counts, what it says only for information, and what it would not change.
            Extension::Lifetime(ExtensionType::LIFETIME_CURRENT, _)
            | Extension::Address(ExtensionType::ADDRESS_PROXY | ExtensionType::NAT_OA, _)
            | Extension::Supported(..)
            | Extension::Other(_) => None,
            kept => Some(kept),
        })
        .collect()
}

/// Deletes the SAs and SPIs that an earlier life of this driver left behind; returns how many there were.
pub(super) fn clean_up(link: &mut Link) -> Result<usize, LinkError> {
    let mut count = 0;
    for entry in link.dump(MessageType::DUMP)? {
        let ours = entry.reqid().is_some_and(|reqid| reqids::RANGE.contains(&reqid));
        let found = (protocol(entry.header.sa_type), entry.sa(), entry.address(ExtensionType::ADDRESS_DST));
        let (true, (Some(protocol), Some(sa), Some(destination))) = (ours, found) else { continue };
        // What an ACQUIRE left has no SPI, cannot be named and ends by itself.
        if sa.spi == Spi(0) {
            continue;
        }
        let name = SaName { protocol, destination: destination.address.ip(), spi: sa.spi };
        match link.ask(MessageType::DELETE, entry.header.sa_type, naming(name)) {
            Err(error) if !error.is(Errno::ESRCH) => return Err(error),
            _ => count += 1,
        }
    }
    Ok(count)
}
