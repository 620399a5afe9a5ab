//! GUIDs, by which objects keep their identity whatever they are called, and wherever they are kept.
use core::fmt;
use ikecore::rng::SecureRandom as _;
use ikedaemon::random::SystemRandom;
use std::str::FromStr;

/// A GUID, in its form in memory: the first three of its fields are little-endian.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Guid(pub(crate) [u8; 16]);

/// No GUID.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no GUID, allowed: 32 hexadecimal digits in braces, as in {{3f91a819-7647-11d1-864d-d46a00000000}}")]
pub(crate) struct NoGuid(String);

/// The system gives no randomness.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the system gives no random octets for a new GUID")]
pub(crate) struct NoRandomness;

impl Guid {
    /// From the fields in the order of the text.
    pub(crate) const fn new(a: u32, b: u16, c: u16, d: [u8; 8]) -> Self {
        let (a, b, c) = (a.to_le_bytes(), b.to_le_bytes(), c.to_le_bytes());
        Self([a[0], a[1], a[2], a[3], b[0], b[1], c[0], c[1], d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]])
    }

    /// A new one, of the random kind (RFC 9562 §5.4).
    pub(crate) fn random() -> Result<Self, NoRandomness> {
        let mut octets = [0; 16];
        SystemRandom::new().fill(&mut octets).map_err(|_| NoRandomness)?;
        octets[7] = octets[7] & 0x0f | 0x40;
        octets[8] = octets[8] & 0x3f | 0x80;
        Ok(Self(octets))
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let g = &self.0;
        let a = u32::from_le_bytes([g[0], g[1], g[2], g[3]]);
        let (b, c) = (u16::from_le_bytes([g[4], g[5]]), u16::from_le_bytes([g[6], g[7]]));
        write!(f, "{{{a:08x}-{b:04x}-{c:04x}-{:02x}{:02x}-", g[8], g[9])?;
        g[10..].iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
        f.write_str("}")
    }
}

impl FromStr for Guid {
    type Err = NoGuid;

    fn from_str(text: &str) -> Result<Self, NoGuid> {
        let parse = || {
            let inner = text.strip_prefix('{')?.strip_suffix('}')?;
            let groups: Vec<&str> = inner.split('-').collect();
            let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
            let digits = inner.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
            if lengths != [8, 4, 4, 4, 12] || !digits {
                return None;
            }
            let number = |group: &str| u64::from_str_radix(group, 16).ok();
            let tail = (number(groups[3])? << 48 | number(groups[4])?).to_be_bytes();
            let small = |group| u16::try_from(number(group)?).ok();
            Some(Self::new(u32::try_from(number(groups[0])?).ok()?, small(groups[1])?, small(groups[2])?, tail))
        };
        parse().ok_or_else(|| NoGuid(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_that_of_the_fields_and_memory_is_mixed() {
        let guid: Guid = "{22202163-4F4C-11D1-863B-00A0248D3021}".parse().unwrap();
        assert_eq!(guid.0[..8], [0x63, 0x21, 0x20, 0x22, 0x4c, 0x4f, 0xd1, 0x11]);
        assert_eq!(guid.0[8..], [0x86, 0x3b, 0x00, 0xa0, 0x24, 0x8d, 0x30, 0x21]);
        assert_eq!(guid.to_string(), "{22202163-4f4c-11d1-863b-00a0248d3021}");
        for wrong in [
            "",
            "{}",
            " {22202163-4F4C-11D1-863B-00A0248D3021}",
            "{+2202163-4F4C-11D1-863B-00A0248D3021}",
            "22202163-4F4C-11D1-863B-00A0248D3021",
            "{22202163-4F4C-11D1-863B-00A0248D302}",
            "{2220216x-4F4C-11D1-863B-00A0248D3021}",
            "{22202163-4F4C-11D1-863B00A0248D-3021}",
        ] {
            assert_eq!(wrong.parse::<Guid>(), Err(NoGuid(wrong.to_owned())));
        }
    }

    #[test]
    fn new_ones_differ_and_are_of_version_4() {
        let (a, b) = (Guid::random().unwrap(), Guid::random().unwrap());
        assert_ne!(a, b);
        let text = a.to_string();
        assert_eq!((&text[15..16], "89ab".contains(&text[20..21])), ("4", true), "{text}");
        assert_eq!(text.parse(), Ok(a));
    }
}
