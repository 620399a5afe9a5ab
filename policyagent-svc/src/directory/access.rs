//! Security filtering: whether a group policy object's security descriptor (MS-DTYP §2.4.6) lets a computer apply it.
//!
//! The octets come from a server and are taken apart without trust.
use std::collections::BTreeSet;
use std::fmt;

/// Something that rights are given to, in its binary form (MS-DTYP §2.4.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sid(Vec<u8>);

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.0[2..8].iter().fold(0_u64, |value, octet| value << 8 | u64::from(*octet));
        write!(f, "S-1-{authority}")?;
        self.0[8..].chunks_exact(4).try_for_each(|part| {
            write!(f, "-{}", part.iter().rev().fold(0_u32, |value, octet| value << 8 | u32::from(*octet)))
        })
    }
}

impl Sid {
    /// The one that these octets are; nothing if they are none.
    pub(crate) fn of(octets: &[u8]) -> Option<Self> {
        let (revision, count) = (*octets.first()?, usize::from(*octets.get(1)?));
        (revision == 1 && count <= 15 && octets.len() == 8 + 4 * count).then(|| Self(octets.to_vec()))
    }

    /// The one that octets begin with.
    fn first(octets: &[u8]) -> Option<Self> {
        let count = usize::from(*octets.get(1)?);
        Self::of(octets.get(..8 + 4 * count)?)
    }
}

/// Everyone, S-1-1-0, and whoever has proven who it is, S-1-5-11: every computer of a domain is both.
const OF_ALL: [&[u8]; 2] = [&[1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], &[1, 1, 0, 0, 0, 0, 0, 5, 11, 0, 0, 0]];

/// Who a computer is: itself and the groups that it is in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Token(BTreeSet<Sid>);

impl Token {
    /// Of the computer's own, and those of its groups.
    pub(crate) fn new(own: Sid, groups: impl IntoIterator<Item = Sid>) -> Self {
        let of_all = OF_ALL.into_iter().filter_map(Sid::of);
        Self(groups.into_iter().chain([own]).chain(of_all).collect())
    }
}

/// The control access right Apply-Group-Policy, {edacfd8f-ffb3-11d1-b41d-00a0c968f939}, as objects have it.
const APPLY: [u8; 16] =
    [0x8f, 0xfd, 0xac, 0xed, 0xb3, 0xff, 0xd1, 0x11, 0xb4, 0x1d, 0x00, 0xa0, 0xc9, 0x68, 0xf9, 0x39];

/// A control access right, and all rights.
const CONTROL_ACCESS: u32 = 0x100;
const GENERIC_ALL: u32 = 0x1000_0000;

/// Flags: of a descriptor, that it has a list of rights; of an entry, that it is for what stands below only; of an entry about
/// one right, that it names the right, and that it names a class.
const HAS_LIST: u16 = 0x4;
const INHERIT_ONLY: u8 = 0x8;
const NAMES_RIGHT: u32 = 1;
const NAMES_CLASS: u32 = 2;

fn short(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(octets.get(at..)?.first_chunk().copied()?))
}

fn long(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(octets.get(at..)?.first_chunk().copied()?))
}

/// What an entry of the list says of the right to apply: whether it gives or denies it, and to whom; nothing if it is about
/// something else.
fn about_apply(entry: &[u8]) -> Option<Option<(bool, Sid)>> {
    let (gives, is_of_object) = match entry.first()? {
        0 => (true, false),
        1 => (false, false),
        5 => (true, true),
        6 => (false, true),
        _ => return Some(None),
    };
    if entry.get(1)? & INHERIT_ONLY != 0 || long(entry, 4)? & (CONTROL_ACCESS | GENERIC_ALL) == 0 {
        return Some(None);
    }
    let mut at = 8;
    if is_of_object {
        let named = long(entry, at)?;
        at += 4;
        if named & NAMES_RIGHT != 0 {
            if entry.get(at..at + 16)? != APPLY {
                return Some(None);
            }
            at += 16;
        }
        if named & NAMES_CLASS != 0 {
            at += 16;
        }
    }
    Some(Some((gives, Sid::first(entry.get(at..)?)?)))
}

/// Whether the descriptor lets this computer apply the object that it belongs to; nothing if it is none.
///
/// The first entry that is about the right and about the computer decides (MS-DTYP §2.5.3.2).
pub(crate) fn may_apply(descriptor: &[u8], token: &Token) -> Option<bool> {
    if *descriptor.first()? != 1 {
        return None;
    }
    let list = usize::try_from(long(descriptor, 16)?).ok()?;
    // Without a list everybody may do everything.
    if short(descriptor, 2)? & HAS_LIST == 0 || list == 0 {
        return Some(true);
    }
    let list = descriptor.get(list..)?;
    let (length, count) = (usize::from(short(list, 2)?), short(list, 4)?);
    let mut rest = list.get(8..length)?;
    for _ in 0..count {
        let length = usize::from(short(rest, 2)?);
        let entry = rest.get(..length)?;
        if let Some((gives, sid)) = about_apply(entry)?
            && token.0.contains(&sid)
        {
            return Some(gives);
        }
        rest = &rest[length..];
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sid(last: &[u32]) -> Vec<u8> {
        let count = u8::try_from(last.len()).unwrap();
        [1, count, 0, 0, 0, 0, 0, 5].into_iter().chain(last.iter().flat_map(|part| part.to_le_bytes())).collect()
    }

    fn entry(kind: u8, flags: u8, mask: u32, right: Option<[u8; 16]>, sid: &[u8]) -> Vec<u8> {
        let mut body = mask.to_le_bytes().to_vec();
        if kind >= 5 {
            body.extend(u32::from(right.is_some()).to_le_bytes());
            body.extend(right.iter().flatten());
        }
        body.extend(sid);
        let length = u16::try_from(4 + body.len()).unwrap();
        [&[kind, flags], &length.to_le_bytes()[..], &body].concat()
    }

    /// A descriptor as a server gives it: the list alone.
    fn descriptor(entries: &[Vec<u8>]) -> Vec<u8> {
        let body = entries.concat();
        let (length, count) = (u16::try_from(8 + body.len()).unwrap(), u16::try_from(entries.len()).unwrap());
        let mut octets = vec![1, 0, 4, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 4, 0];
        octets.extend(length.to_le_bytes());
        octets.extend(count.to_le_bytes());
        octets.extend([0, 0]);
        octets.extend(body);
        octets
    }

    fn token() -> Token {
        Token::new(Sid::of(&sid(&[21, 1, 2, 3, 1100])).unwrap(), [Sid::of(&sid(&[21, 1, 2, 3, 515])).unwrap()])
    }

    #[test]
    fn the_first_entry_about_the_right_and_the_computer_decides() {
        let (own, group, other) = (sid(&[21, 1, 2, 3, 1100]), sid(&[21, 1, 2, 3, 515]), sid(&[21, 1, 2, 3, 1101]));
        let authenticated = sid(&[11]);
        let apply = |kind, sid: &[u8]| entry(kind, 0, CONTROL_ACCESS, Some(APPLY), sid);
        let other_right = [7; 16];
        for (entries, may) in [
            (vec![apply(5, &authenticated)], true),
            (vec![apply(5, &own)], true),
            (vec![apply(5, &group)], true),
            (vec![apply(5, &other)], false),
            (vec![], false),
            (vec![apply(6, &group), apply(5, &authenticated)], false),
            (vec![apply(6, &other), apply(5, &authenticated)], true),
            (vec![entry(5, 0, CONTROL_ACCESS, Some(other_right), &own)], false),
            (vec![entry(6, 0, CONTROL_ACCESS, Some(other_right), &own), apply(5, &own)], true),
            // All such rights, by an entry that names none.
            (vec![entry(5, 0, CONTROL_ACCESS, None, &own)], true),
            (vec![entry(0, 0, 0x000f_01ff, None, &own)], true),
            (vec![entry(0, 0, GENERIC_ALL, None, &own)], true),
            (vec![entry(1, 0, CONTROL_ACCESS, None, &own), apply(5, &own)], false),
            // To read is not to apply; what is for others below is not for this one; and other kinds are something else.
            (vec![entry(0, 0, 0x0002_0094, None, &own)], false),
            (vec![entry(5, INHERIT_ONLY, CONTROL_ACCESS, Some(APPLY), &own)], false),
            (vec![entry(2, 0, CONTROL_ACCESS, None, &own), apply(5, &own)], true),
        ] {
            assert_eq!(may_apply(&descriptor(&entries), &token()), Some(may), "{entries:02x?}");
        }
        let mut without = descriptor(&[]);
        without[2] = 0;
        assert_eq!(may_apply(&without, &token()), Some(true), "there is no list");
    }

    #[test]
    fn what_is_cut_off_or_changed_is_no_descriptor_and_never_panics() {
        let whole = descriptor(&[
            entry(6, 0, CONTROL_ACCESS, Some(APPLY), &sid(&[99])),
            entry(5, 0, CONTROL_ACCESS, Some(APPLY), &sid(&[21, 1, 2, 3, 1100])),
        ]);
        for length in 0..whole.len() {
            assert_eq!(may_apply(&whole[..length], &token()), None, "{length}");
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                let _ = may_apply(&changed, &token());
            }
        }
        for wrong in [&[][..], &[1], &[1, 1, 0, 0, 0, 0, 0, 5], &[2, 0, 0, 0, 0, 0, 0, 5], &[1, 0, 0, 0, 0, 0, 0, 5, 0]]
        {
            assert_eq!(Sid::of(wrong), None, "{wrong:?}");
        }
        assert_eq!(format!("{:?}", Sid::of(&sid(&[21, 1100])).unwrap()), "S-1-5-21-1100");
    }
}
