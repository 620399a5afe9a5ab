//! The attributes of one transform: each type once, the life apart (RFC 2409 Appendix A, RFC 2407 §4.5).
use super::codes::group_name;
use super::suite::Lifetime;
use crate::wire::attribute::{Attribute, AttributeValue};
use crate::wire::codes::{
    AuthenticationAlgorithm, AuthenticationMethod, EncapsulationMode, EncryptionAlgorithm, ExtendedSequenceNumber,
    HashAlgorithm, IkeAttribute, IpsecAttribute, LifeType,
};
use std::collections::{BTreeMap, BTreeSet};

/// What stands for an attribute that is not there.
pub(super) const ABSENT: &str = "absent";

/// Whose attributes they are: the number spaces differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Space {
    /// The ISAKMP SA's.
    Ike,
    /// An ESP or AH SA's.
    Ipsec,
}

impl Space {
    const fn life_type(self) -> u16 {
        match self {
            Self::Ike => IkeAttribute::LIFE_TYPE.0,
            Self::Ipsec => IpsecAttribute::LIFE_TYPE.0,
        }
    }

    const fn life_duration(self) -> u16 {
        match self {
            Self::Ike => IkeAttribute::LIFE_DURATION.0,
            Self::Ipsec => IpsecAttribute::LIFE_DURATION.0,
        }
    }

    /// The name of an attribute type.
    pub(super) const fn name(self, kind: u16) -> Option<&'static str> {
        match self {
            Self::Ike => IkeAttribute(kind).name(),
            Self::Ipsec => IpsecAttribute(kind).name(),
        }
    }

    /// The name of a value; [`ABSENT`] for none.
    pub(super) fn value(self, attribute: Option<&Attribute<'_>>) -> String {
        let Some(attribute) = attribute else { return ABSENT.to_owned() };
        let Some(code) = number(attribute) else { return plain(attribute) };
        match self {
            Self::Ike => match IkeAttribute(attribute.kind) {
                IkeAttribute::ENCRYPTION_ALGORITHM => EncryptionAlgorithm(code).to_string(),
                IkeAttribute::HASH_ALGORITHM => HashAlgorithm(code).to_string(),
                IkeAttribute::AUTHENTICATION_METHOD => AuthenticationMethod(code).to_string(),
                IkeAttribute::GROUP_DESCRIPTION => group_name(code),
                _ => plain(attribute),
            },
            Self::Ipsec => match IpsecAttribute(attribute.kind) {
                IpsecAttribute::GROUP_DESCRIPTION => group_name(code),
                IpsecAttribute::ENCAPSULATION_MODE => EncapsulationMode(code).to_string(),
                IpsecAttribute::AUTHENTICATION_ALGORITHM => AuthenticationAlgorithm(code).to_string(),
                IpsecAttribute::EXTENDED_SEQUENCE_NUMBER => ExtendedSequenceNumber(code).to_string(),
                _ => plain(attribute),
            },
        }
    }
}

/// The value as a code of 16 bits.
pub(super) fn number(attribute: &Attribute<'_>) -> Option<u16> {
    attribute.as_u64().and_then(|value| u16::try_from(value).ok())
}

/// A value without a name: the number, or how much it is.
fn plain(attribute: &Attribute<'_>) -> String {
    match (attribute.as_u64(), attribute.value) {
        (Some(value), _) => value.to_string(),
        (None, AttributeValue::Variable(octets)) => format!("{} octets", octets.len()),
        (None, AttributeValue::Basic(value)) => value.to_string(),
    }
}

/// Attributes that make a transform unusable whatever the policy says: which, what stands there, what may.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    pub(super) attribute: &'static str,
    pub(super) received: String,
    pub(super) allowed: String,
}

/// The attributes of one transform.
#[derive(Clone, Debug)]
pub(super) struct Attributes<'a> {
    /// All but those of the life, by type.
    values: BTreeMap<u16, Attribute<'a>>,
    /// The life; 0 where none is given.
    pub(super) lifetime: Lifetime,
    /// The first thing that is wrong with the list in itself.
    pub(super) fault: Option<Fault>,
}

impl<'a> Attributes<'a> {
    /// Sorts a list. Whether a number came basic or variable makes no difference (RFC 2407 §4.5 restricts the sender).
    pub(super) fn read(space: Space, list: &[Attribute<'a>]) -> Self {
        let mut read = Self { values: BTreeMap::new(), lifetime: Lifetime::default(), fault: None };
        let mut unit = None;
        for attribute in list {
            let result = if attribute.kind == space.life_type() {
                read.unit(unit.replace(*attribute))
            } else if attribute.kind == space.life_duration() {
                read.duration(unit.take(), attribute)
            } else {
                read.value(space, attribute)
            };
            if let Err(fault) = result {
                read.fault.get_or_insert(fault);
            }
        }
        if let Err(fault) = read.unit(unit) {
            read.fault.get_or_insert(fault);
        }
        read
    }

    /// The attribute of a type.
    pub(super) fn get(&self, kind: impl Into<u16>) -> Option<&Attribute<'a>> {
        self.values.get(&kind.into())
    }

    /// The value of a type as a code; `None` also for what is no such number.
    pub(super) fn code(&self, kind: impl Into<u16>) -> Option<u16> {
        self.get(kind).and_then(number)
    }

    /// True if the attribute of a type has this value; with `None`: if it is not there.
    pub(super) fn has(&self, kind: impl Into<u16>, code: Option<u16>) -> bool {
        match (self.get(kind), code) {
            (Some(attribute), Some(code)) => number(attribute) == Some(code),
            (None, None) => true,
            _ => false,
        }
    }

    /// Refuses a list that is wrong in itself, or that has attributes other than those of `negotiated`.
    pub(super) fn check<T: Copy + Into<u16>>(&self, space: Space, negotiated: &[T]) -> Result<(), Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let surplus =
            self.values.values().find(|attribute| !negotiated.iter().any(|kind| (*kind).into() == attribute.kind));
        surplus.map_or(Ok(()), |attribute| {
            Err(Fault {
                attribute: space.name(attribute.kind).unwrap_or("Attribute Type"),
                received: space.value(Some(attribute)),
                allowed: ABSENT.to_owned(),
            })
        })
    }

    /// The types that are there in one only, or with different values.
    pub(super) fn differences(&self, other: &Self) -> BTreeSet<u16> {
        self.values.keys().chain(other.values.keys()).copied().filter(|kind| !self.agrees(other, *kind)).collect()
    }

    /// True if the attribute of a type is there in neither, or with the same value in both.
    fn agrees(&self, other: &Self, kind: u16) -> bool {
        match (self.get(kind), other.get(kind)) {
            (Some(own), Some(other)) => same(own, other),
            (own, other) => own.is_none() && other.is_none(),
        }
    }

    /// A life type was left without its duration.
    fn unit(&self, left: Option<Attribute<'_>>) -> Result<(), Fault> {
        left.map_or(Ok(()), |unit| {
            Err(Fault {
                attribute: "Life Duration",
                received: ABSENT.to_owned(),
                allowed: format!("a duration after each Life Type, also after {}", life_unit(&unit)),
            })
        })
    }

    fn duration(&mut self, unit: Option<Attribute<'_>>, duration: &Attribute<'_>) -> Result<(), Fault> {
        // RFC 2407 §4.5: a Life Duration must always follow a Life Type.
        let Some(unit) = unit else {
            let allowed = "a Life Type before each Life Duration".to_owned();
            return Err(Fault { attribute: "Life Type", received: ABSENT.to_owned(), allowed });
        };
        let slot = match number(&unit).map(LifeType) {
            Some(LifeType::SECONDS) => &mut self.lifetime.seconds,
            Some(LifeType::KILOBYTES) => &mut self.lifetime.kilobytes,
            _ => {
                let allowed = format!("{}, {}", LifeType::SECONDS, LifeType::KILOBYTES);
                return Err(Fault { attribute: "Life Type", received: life_unit(&unit), allowed });
            }
        };
        let Some(value) = clamped(duration) else {
            let allowed = "1 octet or more".to_owned();
            return Err(Fault { attribute: "Life Duration", received: plain(duration), allowed });
        };
        // RFC 2407 §4.5.2: several entries are in order as long as they do not conflict.
        if *slot != 0 && *slot != value {
            let allowed = format!("one duration of each kind, {slot} was given before");
            return Err(Fault { attribute: "Life Duration", received: value.to_string(), allowed });
        }
        *slot = value;
        Ok(())
    }

    fn value(&mut self, space: Space, attribute: &Attribute<'a>) -> Result<(), Fault> {
        let Some(name) = space.name(attribute.kind) else {
            let allowed = match space {
                Space::Ike => "those of RFC 2409 Appendix A",
                Space::Ipsec => "those of RFC 2407 §4.5 and RFC 4304",
            };
            return Err(Fault {
                attribute: "Attribute Type",
                received: format!("unknown ({})", attribute.kind),
                allowed: allowed.to_owned(),
            });
        };
        let before = *self.values.entry(attribute.kind).or_insert(*attribute);
        if same(&before, attribute) {
            return Ok(());
        }
        let allowed = format!("one value, {} was given before", space.value(Some(&before)));
        Err(Fault { attribute: name, received: space.value(Some(attribute)), allowed })
    }
}

/// Whether a basic and a variable attribute, or two of one kind, mean the same.
fn same(one: &Attribute<'_>, other: &Attribute<'_>) -> bool {
    match (one.as_u64(), other.as_u64()) {
        (Some(one), Some(other)) => one == other,
        _ => one.value == other.value,
    }
}

fn life_unit(unit: &Attribute<'_>) -> String {
    number(unit).map_or_else(|| plain(unit), |code| LifeType(code).to_string())
}

/// A duration of any length, at most 2^32 - 1; `None` without octets.
fn clamped(duration: &Attribute<'_>) -> Option<u32> {
    match duration.value {
        AttributeValue::Basic(value) => Some(value.into()),
        AttributeValue::Variable([]) => None,
        AttributeValue::Variable(octets) => Some(octets.iter().fold(0_u32, |value, octet| {
            value.checked_mul(256).and_then(|value| value.checked_add((*octet).into())).unwrap_or(u32::MAX)
        })),
    }
}
