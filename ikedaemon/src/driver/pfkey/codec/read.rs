//! From octets to messages.
use super::octets::Octets;
use super::{
    AddressExtension, Algorithm, CodecError, Extension, ExtensionType, Header, IpsecRequest, Level, LifetimeExtension,
    Message, MessageType, PolicyDirection, PolicyExtension, PolicyType, SaExtension, SaType, UNIT, VERSION,
};
use ikecore::ids::Spi;
use ikecore::secret::Secret;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

impl Message {
    /// Reads one whole message. An extension of unknown type is passed over (RFC 2367 §2.3).
    pub(in super::super) fn decode(message: &[u8]) -> Result<Self, CodecError> {
        let mut octets = Octets::new(message);
        let version = octets.u8("the header")?;
        if version != VERSION {
            return Err(CodecError::Version(version));
        }
        let kind = MessageType(octets.u8("the header")?);
        let errno = octets.u8("the header")?;
        let sa_type = SaType(octets.u8("the header")?);
        let said = usize::from(octets.u16("the header")?) * UNIT;
        octets.take(2, "the header")?;
        let sequence = octets.u32("the header")?;
        let process = octets.u32("the header")?;
        if said != message.len() {
            return Err(CodecError::Length { said, got: message.len() });
        }
        let mut extensions = Vec::new();
        while !octets.is_empty() {
            extensions.push(extension(&mut octets)?);
        }
        Ok(Self { header: Header { kind, errno, sa_type, sequence, process }, extensions })
    }
}

fn extension(octets: &mut Octets<'_>) -> Result<Extension, CodecError> {
    let len = usize::from(octets.u16("an extension")?) * UNIT;
    let kind = ExtensionType(octets.u16("an extension")?);
    let body_len = len.checked_sub(4).ok_or(CodecError::Extension { kind: kind.0, octets: len })?;
    let mut body = Octets::new(octets.take(body_len, "an extension")?);
    Ok(match kind {
        ExtensionType::SA => Extension::Sa(sa(&mut body)?),
        ExtensionType::LIFETIME_CURRENT | ExtensionType::LIFETIME_HARD | ExtensionType::LIFETIME_SOFT => {
            Extension::Lifetime(kind, lifetime(&mut body)?)
        }
        ExtensionType::ADDRESS_SRC
        | ExtensionType::ADDRESS_DST
        | ExtensionType::ADDRESS_PROXY
        | ExtensionType::NAT_OA => Extension::Address(kind, address(&mut body)?),
        ExtensionType::KEY_AUTH | ExtensionType::KEY_ENCRYPT => Extension::Key(kind, key(&mut body)?),
        ExtensionType::SUPPORTED_AUTH | ExtensionType::SUPPORTED_ENCRYPT => {
            Extension::Supported(kind, supported(&mut body)?)
        }
        ExtensionType::SPIRANGE => {
            Extension::SpiRange { min: body.u32("the SPI range")?, max: body.u32("the SPI range")? }
        }
        ExtensionType::SA2 => {
            let mode = body.u8("SA2")?;
            body.take(3, "SA2")?;
            Extension::Sa2 { mode, sequence: body.u32("SA2")?, reqid: body.u32("SA2")? }
        }
        ExtensionType::POLICY => Extension::Policy(policy(&mut body)?),
        ExtensionType::NAT_TYPE => Extension::NatType(body.u8("the NAT type")?),
        ExtensionType::NAT_SPORT | ExtensionType::NAT_DPORT => {
            Extension::NatPort(kind, u16::from_be_bytes(body.array("the NAT port")?))
        }
        other => Extension::Other(other),
    })
}

fn sa(body: &mut Octets<'_>) -> Result<SaExtension, CodecError> {
    const WHAT: &str = "the SA";
    Ok(SaExtension {
        spi: Spi(u32::from_be_bytes(body.array(WHAT)?)),
        replay_window: body.u8(WHAT)?,
        state: body.u8(WHAT)?,
        integrity: body.u8(WHAT)?,
        encryption: body.u8(WHAT)?,
        flags: body.u32(WHAT)?,
    })
}

fn lifetime(body: &mut Octets<'_>) -> Result<LifetimeExtension, CodecError> {
    const WHAT: &str = "the lifetime";
    Ok(LifetimeExtension {
        allocations: body.u32(WHAT)?,
        octets: body.u64(WHAT)?,
        add_time: body.u64(WHAT)?,
        use_time: body.u64(WHAT)?,
    })
}

fn address(body: &mut Octets<'_>) -> Result<AddressExtension, CodecError> {
    let protocol = body.u8("the address")?;
    let prefix_len = body.u8("the address")?;
    body.take(2, "the address")?;
    Ok(AddressExtension { protocol, prefix_len, address: socket_address(body)? })
}

/// A `sockaddr_in` of 16 octets or a `sockaddr_in6` of 28.
fn socket_address(octets: &mut Octets<'_>) -> Result<SocketAddr, CodecError> {
    const WHAT: &str = "the socket address";
    let family = octets.u16(WHAT)?;
    let port = u16::from_be_bytes(octets.array(WHAT)?);
    match i32::from(family) {
        libc::AF_INET => {
            let address = Ipv4Addr::from(octets.array::<4>(WHAT)?);
            octets.take(8, WHAT)?;
            Ok(SocketAddrV4::new(address, port).into())
        }
        libc::AF_INET6 => {
            let flow = octets.u32(WHAT)?;
            let address = Ipv6Addr::from(octets.array::<16>(WHAT)?);
            let scope = octets.u32(WHAT)?;
            Ok(SocketAddrV6::new(address, port, flow, scope).into())
        }
        _ => Err(CodecError::Family(family)),
    }
}

fn key(body: &mut Octets<'_>) -> Result<Secret<Vec<u8>>, CodecError> {
    let bits = body.u16("the key")?;
    body.take(2, "the key")?;
    let octets = body.rest();
    let key = octets.get(..usize::from(bits).div_ceil(8)).ok_or(CodecError::Key { bits, octets: octets.len() })?;
    Ok(Secret::new(key.to_vec()))
}

fn supported(body: &mut Octets<'_>) -> Result<Vec<Algorithm>, CodecError> {
    const WHAT: &str = "the supported algorithms";
    body.take(4, WHAT)?;
    let mut algorithms = Vec::new();
    while !body.is_empty() {
        let algorithm = Algorithm {
            id: body.u8(WHAT)?,
            iv_len: body.u8(WHAT)?,
            min_bits: body.u16(WHAT)?,
            max_bits: body.u16(WHAT)?,
        };
        body.take(2, WHAT)?;
        algorithms.push(algorithm);
    }
    Ok(algorithms)
}

fn policy(body: &mut Octets<'_>) -> Result<PolicyExtension, CodecError> {
    const WHAT: &str = "the policy";
    let action = PolicyType(body.u16(WHAT)?);
    let direction = PolicyDirection(body.u8(WHAT)?);
    body.take(1, WHAT)?;
    let (id, priority) = (body.u32(WHAT)?, body.u32(WHAT)?);
    let mut requests = Vec::new();
    while !body.is_empty() {
        requests.push(request(body)?);
    }
    Ok(PolicyExtension { action, direction, id, priority, requests })
}

fn request(body: &mut Octets<'_>) -> Result<IpsecRequest, CodecError> {
    const WHAT: &str = "the IPsec request";
    // This one length is in octets, not in units of 8.
    let len = usize::from(body.u16(WHAT)?);
    let inner = len.checked_sub(2).ok_or(CodecError::Extension { kind: ExtensionType::POLICY.0, octets: len })?;
    let mut request = Octets::new(body.take(inner, WHAT)?);
    let protocol = request.u16(WHAT)?;
    let mode = request.u8(WHAT)?;
    let level = Level(request.u8(WHAT)?);
    request.take(2, WHAT)?;
    let reqid = request.u32(WHAT)?;
    request.take(4, WHAT)?;
    let endpoints =
        if request.is_empty() { None } else { Some((socket_address(&mut request)?, socket_address(&mut request)?)) };
    Ok(IpsecRequest { protocol, mode, level, reqid, endpoints })
}
