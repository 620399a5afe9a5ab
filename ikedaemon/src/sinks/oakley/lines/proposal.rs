//! SA payloads: proposals and transforms with every attribute.
use super::names;
use ikecore::wire::{
    AhTransform, Attribute, AttributeValue, AuthenticationAlgorithm, AuthenticationMethod, EncapsulationMode,
    EncryptionAlgorithm, EspTransform, HashAlgorithm, IkeAttribute, IpcompTransform, IpsecAttribute, LifeType,
    Proposal, ProtocolId, Sa, Transform,
};

/// Whose proposals they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// This host's, on their way out.
    Own,
    /// The peer's.
    Peer,
}

/// The lines of an SA payload.
pub(super) fn lines(sa: &Sa<'_>, side: Side, out: &mut Vec<String>) {
    let count = sa.proposals.len();
    for (index, proposal) in sa.proposals.iter().enumerate() {
        if proposal.protocol == ProtocolId::ISAKMP {
            let verb = if side == Side::Own { "Sending" } else { "Received" };
            for transform in &proposal.transforms {
                out.push(format!("{verb} Phase 1 Transform {}", transform.number));
                out.extend(transform.attributes.iter().map(phase_1));
            }
        } else {
            phase_2(proposal, index + 1 < count, side, out);
        }
    }
}

/// The value as a number that a code has.
fn code(attribute: &Attribute<'_>) -> Option<u16> {
    attribute.as_u64().and_then(|value| u16::try_from(value).ok())
}

/// The value as it stands.
fn plain(attribute: &Attribute<'_>) -> String {
    match (attribute.as_u64(), attribute.value) {
        (Some(value), _) => value.to_string(),
        (None, AttributeValue::Variable(octets)) => format!("{} octets", octets.len()),
        (None, AttributeValue::Basic(value)) => value.to_string(),
    }
}

const fn unit(life: LifeType) -> &'static str {
    match life {
        LifeType::SECONDS => "Seconds",
        LifeType::KILOBYTES => "Kilobytes",
        _ => "unknown units",
    }
}

fn phase_1(attribute: &Attribute<'_>) -> String {
    let kind = IkeAttribute(attribute.kind);
    let text = match (kind, code(attribute)) {
        (IkeAttribute::ENCRYPTION_ALGORITHM, Some(value)) => {
            format!("Encryption Alg {}", names::encryption(EncryptionAlgorithm(value)))
        }
        (IkeAttribute::HASH_ALGORITHM, Some(value)) => format!("Hash Alg {}", names::hash_code(HashAlgorithm(value))),
        (IkeAttribute::GROUP_DESCRIPTION, Some(value)) => format!("Oakley Group {value}"),
        (IkeAttribute::AUTHENTICATION_METHOD, Some(value)) => {
            format!("Auth Method {}", names::authentication(AuthenticationMethod(value)))
        }
        (IkeAttribute::LIFE_TYPE, Some(value)) => format!("Life type in {}", unit(LifeType(value))),
        (IkeAttribute::LIFE_DURATION, _) => format!("Life duration of {}", plain(attribute)),
        (IkeAttribute::KEY_LENGTH, _) => format!("Key Length {}", plain(attribute)),
        _ => format!("{kind} {}", plain(attribute)),
    };
    format!("     {text}")
}

fn phase_2(proposal: &Proposal<'_>, more: bool, side: Side, out: &mut Vec<String>) {
    let verb = if side == Side::Own { "Sending" } else { "Checking" };
    let Proposal { number, protocol, spi, transforms } = proposal;
    let name = protocol.name().unwrap_or("unknown");
    // Next Payload of the proposal: 2 if another one follows (RFC 2408 §3.5).
    let next = if more { 2 } else { 0 };
    out.push(format!(
        "{verb} Proposal {number}: Proto= {name}({}), num trans={} Next={next}",
        protocol.0,
        transforms.len()
    ));
    out.push(match <[u8; 4]>::try_from(*spi) {
        Ok(spi) => format!(" SPI is {}", u32::from_be_bytes(spi)),
        Err(_) => format!(" SPI is {}", names::hex(spi)),
    });
    for transform in transforms {
        out.push(format!("{verb} Transform # {}: ID={}", transform.number, transform_id(*protocol, transform)));
        out.extend(transform.attributes.iter().map(phase_2_attribute));
    }
}

fn transform_id(protocol: ProtocolId, transform: &Transform<'_>) -> String {
    let id = transform.id;
    let name = match protocol {
        ProtocolId::ESP => match EspTransform(id) {
            EspTransform::DES => Some("DES CBC"),
            EspTransform::TRIPLE_DES => Some("Triple DES CBC"),
            EspTransform::AES_CBC => Some("AES CBC"),
            EspTransform::NULL => Some("NULL"),
            other => other.name(),
        },
        ProtocolId::AH => match AhTransform(id) {
            AhTransform::MD5 => Some("MD5"),
            AhTransform::SHA => Some("SHA"),
            other => other.name(),
        },
        ProtocolId::IPCOMP => IpcompTransform(id).name(),
        _ => None,
    };
    format!("{}({id})", name.unwrap_or("unknown"))
}

fn phase_2_attribute(attribute: &Attribute<'_>) -> String {
    let kind = IpsecAttribute(attribute.kind);
    match (kind, code(attribute)) {
        (IpsecAttribute::ENCAPSULATION_MODE, Some(value)) => {
            format!(" tunnel mode is {}", names::encapsulation(EncapsulationMode(value)))
        }
        (IpsecAttribute::AUTHENTICATION_ALGORITHM, Some(value)) => {
            format!(" HMAC algorithm is {}", names::hmac(AuthenticationAlgorithm(value)))
        }
        (IpsecAttribute::LIFE_TYPE, Some(value)) => {
            format!(" SA life type in {}", unit(LifeType(value)).to_ascii_lowercase())
        }
        (IpsecAttribute::LIFE_DURATION, _) => format!(" SA life duration of {}", plain(attribute)),
        (IpsecAttribute::GROUP_DESCRIPTION, Some(value)) => format!(" PFS group is {value}"),
        (IpsecAttribute::KEY_LENGTH, _) => format!(" key length is {}", plain(attribute)),
        _ => format!(" {kind} is {}", plain(attribute)),
    }
}
