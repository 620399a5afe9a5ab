//! Data attributes and their values by name.
use super::super::attribute::{Attribute, AttributeValue};
use super::super::codes::{
    AuthenticationAlgorithm, AuthenticationMethod, ConfigAttribute, EncapsulationMode, EncryptionAlgorithm,
    ExtendedSequenceNumber, GroupDescription, GroupType, HashAlgorithm, IkeAttribute, IpsecAttribute, LifeType,
};
use super::super::error::{Part, WireError};
use super::super::reader::Reader;
use super::{Node, Shown, octets, payloads, text};
use core::ops::Range;

/// Whose attributes they are.
#[derive(Clone, Copy)]
pub(super) enum Kinds {
    /// A transform's for the ISAKMP SA.
    Ike,
    /// A transform's for ESP, AH or IPComp.
    Ipsec,
    /// The transaction exchange's.
    Config,
}

/// Adds the attributes in `octets`, which stand at `base` in the chain, to `out`, as far as they go.
pub(super) fn list(kinds: Kinds, octets: &[u8], base: usize, out: &mut Vec<Node>) -> Result<(), WireError> {
    let mut reader = Reader::new(Part::Attribute, octets);
    while !reader.is_empty() {
        let start = reader.offset();
        let attribute = Attribute::decode(&mut reader)?;
        out.push(node(kinds, &attribute, base + start..base + reader.offset()));
    }
    Ok(())
}

fn node(kinds: Kinds, attribute: &Attribute<'_>, at: Range<usize>) -> Node {
    let kind = attribute.kind;
    let (name, value) = match kinds {
        Kinds::Ike => (IkeAttribute(kind).to_string(), ike(IkeAttribute(kind), attribute)),
        Kinds::Ipsec => (IpsecAttribute(kind).to_string(), ipsec(IpsecAttribute(kind), attribute)),
        Kinds::Config => (ConfigAttribute(kind).to_string(), config(ConfigAttribute(kind), attribute)),
    };
    let secret = matches!(kinds, Kinds::Config) && ConfigAttribute(kind).is_secret();
    let shown = if secret { Shown::Secret } else { Shown::Meaning };
    Node { shown, ..Node::new(name, value, at) }
}

/// The value as a code of the type that `name` makes; anything else as it is.
fn code<T: From<u16> + ToString>(attribute: &Attribute<'_>) -> String {
    match attribute.as_u64().map(u16::try_from) {
        Some(Ok(value)) => T::from(value).to_string(),
        _ => plain(attribute),
    }
}

fn ike(kind: IkeAttribute, attribute: &Attribute<'_>) -> String {
    match kind {
        IkeAttribute::ENCRYPTION_ALGORITHM => code::<EncryptionAlgorithm>(attribute),
        IkeAttribute::HASH_ALGORITHM => code::<HashAlgorithm>(attribute),
        IkeAttribute::AUTHENTICATION_METHOD => code::<AuthenticationMethod>(attribute),
        IkeAttribute::GROUP_DESCRIPTION => code::<GroupDescription>(attribute),
        IkeAttribute::GROUP_TYPE => code::<GroupType>(attribute),
        IkeAttribute::LIFE_TYPE => code::<LifeType>(attribute),
        IkeAttribute::KEY_LENGTH | IkeAttribute::FIELD_SIZE => with_unit(attribute, " bits"),
        IkeAttribute::LIFE_DURATION | IkeAttribute::PRF => with_unit(attribute, ""),
        _ => plain(attribute),
    }
}

fn ipsec(kind: IpsecAttribute, attribute: &Attribute<'_>) -> String {
    match kind {
        IpsecAttribute::LIFE_TYPE => code::<LifeType>(attribute),
        IpsecAttribute::GROUP_DESCRIPTION => code::<GroupDescription>(attribute),
        IpsecAttribute::ENCAPSULATION_MODE => code::<EncapsulationMode>(attribute),
        IpsecAttribute::AUTHENTICATION_ALGORITHM => code::<AuthenticationAlgorithm>(attribute),
        IpsecAttribute::EXTENDED_SEQUENCE_NUMBER => code::<ExtendedSequenceNumber>(attribute),
        IpsecAttribute::KEY_LENGTH => with_unit(attribute, " bits"),
        IpsecAttribute::LIFE_DURATION => with_unit(attribute, ""),
        _ => plain(attribute),
    }
}

fn config(kind: ConfigAttribute, attribute: &Attribute<'_>) -> String {
    match attribute.value {
        AttributeValue::Variable(data) => payloads::config_value(kind, data),
        AttributeValue::Basic(_) if kind.is_secret() => format!("{}, not shown", octets(2)),
        AttributeValue::Basic(value) => value.to_string(),
    }
}

/// A number with its unit.
fn with_unit(attribute: &Attribute<'_>, unit: &str) -> String {
    attribute.as_u64().map_or_else(|| plain(attribute), |value| format!("{value}{unit}"))
}

fn plain(attribute: &Attribute<'_>) -> String {
    match attribute.value {
        AttributeValue::Basic(value) => value.to_string(),
        AttributeValue::Variable(data) => text(data),
    }
}
