//! From messages to octets.
use super::{
    Extension, ExtensionType, IpsecRequest, Message, PolicyDirection, PolicyExtension, PolicyType, UNIT, VERSION,
};
use std::net::SocketAddr;
use zeroize::Zeroizing;

/// Enough for any message that we write, so that no key is left behind in memory that grew.
const CAPACITY: usize = 4096;

/// The octets of a policy without IPsec requests.
const POLICY_LEN: usize = 16;

impl Message {
    /// The message as it is sent. The octets hold keys, so they are wiped when dropped.
    pub(in super::super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut octets = Zeroizing::new(Vec::with_capacity(CAPACITY));
        octets.extend([VERSION, self.header.kind.0, self.header.errno, self.header.sa_type.0]);
        // The length is known at the end.
        octets.extend([0; 4]);
        octets.extend(self.header.sequence.to_ne_bytes());
        octets.extend(self.header.process.to_ne_bytes());
        for extension in &self.extensions {
            write_extension(&mut octets, extension);
        }
        let units = units(octets.len());
        put(&mut octets, 4, units);
        octets
    }
}

/// What the socket option `IP_IPSEC_POLICY` takes to exempt a socket from all policies of a direction.
pub(in super::super) fn bypass(direction: PolicyDirection) -> [u8; POLICY_LEN] {
    let mut octets = Vec::with_capacity(POLICY_LEN);
    let policy = PolicyExtension { action: PolicyType::BYPASS, direction, id: 0, priority: 0, requests: Vec::new() };
    write_extension(&mut octets, &Extension::Policy(policy));
    octets.try_into().unwrap_or_default()
}

/// A length in units; what does not fit becomes 0, which the kernel refuses.
fn units(octets: usize) -> u16 {
    u16::try_from(octets / UNIT).unwrap_or(0)
}

/// Sets the length field at `at`.
fn put(octets: &mut [u8], at: usize, value: u16) {
    if let Some(field) = octets.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *field = value.to_ne_bytes();
    }
}

fn write_extension(octets: &mut Vec<u8>, extension: &Extension) {
    let start = octets.len();
    octets.extend([0; 2]);
    octets.extend(kind(extension).0.to_ne_bytes());
    match extension {
        Extension::Sa(sa) => {
            octets.extend(sa.spi.0.to_be_bytes());
            octets.extend([sa.replay_window, sa.state, sa.integrity, sa.encryption]);
            octets.extend(sa.flags.to_ne_bytes());
        }
        Extension::Lifetime(_, lifetime) => {
            octets.extend(lifetime.allocations.to_ne_bytes());
            octets.extend(lifetime.octets.to_ne_bytes());
            octets.extend(lifetime.add_time.to_ne_bytes());
            octets.extend(lifetime.use_time.to_ne_bytes());
        }
        Extension::Address(_, address) => {
            octets.extend([address.protocol, address.prefix_len, 0, 0]);
            write_address(octets, address.address);
        }
        Extension::Key(_, key) => {
            let bits = u16::try_from(key.expose().len() * 8).unwrap_or(0);
            octets.extend(bits.to_ne_bytes());
            octets.extend([0; 2]);
            octets.extend(key.expose());
        }
        Extension::Supported(_, algorithms) => {
            octets.extend([0; 4]);
            for algorithm in algorithms {
                octets.extend([algorithm.id, algorithm.iv_len]);
                octets.extend(algorithm.min_bits.to_ne_bytes());
                octets.extend(algorithm.max_bits.to_ne_bytes());
                octets.extend([0; 2]);
            }
        }
        Extension::SpiRange { min, max } => {
            octets.extend(min.to_ne_bytes());
            octets.extend(max.to_ne_bytes());
            octets.extend([0; 4]);
        }
        Extension::Sa2 { mode, sequence, reqid } => {
            octets.extend([*mode, 0, 0, 0]);
            octets.extend(sequence.to_ne_bytes());
            octets.extend(reqid.to_ne_bytes());
        }
        Extension::Policy(policy) => {
            octets.extend(policy.action.0.to_ne_bytes());
            octets.extend([policy.direction.0, 0]);
            octets.extend(policy.id.to_ne_bytes());
            octets.extend(policy.priority.to_ne_bytes());
            for request in &policy.requests {
                write_request(octets, request);
            }
        }
        Extension::NatType(kind) => octets.extend([*kind, 0, 0, 0]),
        Extension::NatPort(_, port) => {
            octets.extend(port.to_be_bytes());
            octets.extend([0; 2]);
        }
        Extension::Other(_) => octets.extend([0; 4]),
    }
    octets.resize(octets.len().next_multiple_of(UNIT), 0);
    let units = units(octets.len() - start);
    put(octets, start, units);
}

const fn kind(extension: &Extension) -> ExtensionType {
    match extension {
        Extension::Sa(_) => ExtensionType::SA,
        Extension::Lifetime(kind, _)
        | Extension::Address(kind, _)
        | Extension::Key(kind, _)
        | Extension::Supported(kind, _)
        | Extension::NatPort(kind, _)
        | Extension::Other(kind) => *kind,
        Extension::SpiRange { .. } => ExtensionType::SPIRANGE,
        Extension::Sa2 { .. } => ExtensionType::SA2,
        Extension::Policy(_) => ExtensionType::POLICY,
        Extension::NatType(_) => ExtensionType::NAT_TYPE,
    }
}

fn write_request(octets: &mut Vec<u8>, request: &IpsecRequest) {
    let start = octets.len();
    octets.extend([0; 2]);
    octets.extend(request.protocol.to_ne_bytes());
    octets.extend([request.mode, request.level.0, 0, 0]);
    octets.extend(request.reqid.to_ne_bytes());
    octets.extend([0; 4]);
    if let Some((source, destination)) = request.endpoints {
        write_address(octets, source);
        write_address(octets, destination);
    }
    // This one length is in octets, not in units of 8.
    let len = u16::try_from(octets.len() - start).unwrap_or(0);
    put(octets, start, len);
}

/// A `sockaddr_in` of 16 octets or a `sockaddr_in6` of 28.
fn write_address(octets: &mut Vec<u8>, address: SocketAddr) {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    octets.extend(u16::try_from(family).unwrap_or(0).to_ne_bytes());
    octets.extend(address.port().to_be_bytes());
    match address {
        SocketAddr::V4(v4) => {
            octets.extend(v4.ip().octets());
            octets.extend([0; 8]);
        }
        SocketAddr::V6(v6) => {
            octets.extend(v6.flowinfo().to_ne_bytes());
            octets.extend(v6.ip().octets());
            octets.extend(v6.scope_id().to_ne_bytes());
        }
    }
}
