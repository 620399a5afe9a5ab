//! The numbers that tie a driver's policies to the SAs of a rule.
use std::collections::{BTreeMap, BTreeSet};

use super::names::Names;

/// The greatest number: PF_KEY of Linux takes no higher one from a daemon (`IPSEC_MANUAL_REQID_MAX`).
pub(super) const MAX: u32 = 0x3fff;

/// Gives each rule a number and keeps to it: a rule that stays under its name keeps its SAs when the policy changes, and
/// as a rule it has the same number after a restart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reqids {
    /// The names that the rules have.
    pub(super) names: Names,
    by_name: BTreeMap<String, u32>,
}

impl Reqids {
    /// The numbers of exactly these names, in their order; `None` if there are more than numbers.
    pub(crate) fn assign<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) -> Option<Vec<u32>> {
        let names: Vec<&str> = names.into_iter().collect();
        if names.len() > MAX as usize {
            return None;
        }
        let known: BTreeSet<&str> = names.iter().copied().collect();
        self.by_name.retain(|name, _| known.contains(name.as_str()));
        let mut taken: BTreeSet<u32> = self.by_name.values().copied().collect();
        let mut numbers = Vec::with_capacity(names.len());
        for name in names {
            if let Some(number) = self.by_name.get(name) {
                numbers.push(*number);
                continue;
            }
            let mut number = hash(name) % MAX + 1;
            while !taken.insert(number) {
                number = number % MAX + 1;
            }
            self.by_name.insert(name.to_owned(), number);
            numbers.push(number);
        }
        Some(numbers)
    }
}

/// FNV-1a: any spread will do, but it must be the same in every build.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, octet| (hash ^ u32::from(octet)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_keeps_its_number_while_others_come_and_go() {
        let mut reqids = Reqids::default();
        let first = reqids.assign(["a", "b", "c"]).unwrap();
        let second = reqids.assign(["z", "c", "a"]).unwrap();
        assert_eq!((second[1], second[2]), (first[2], first[0]));
        assert_eq!(Reqids::default().assign(["b"]).unwrap(), vec![first[1]], "the same after a restart");
    }

    #[test]
    fn numbers_are_unique_and_in_range_even_when_all_are_taken() {
        let names: Vec<String> = (0..MAX).map(|n| format!("rule {n}")).collect();
        let mut numbers = Reqids::default().assign(names.iter().map(String::as_str)).unwrap();
        numbers.sort_unstable();
        assert!(numbers.iter().copied().eq(1..=MAX));
        assert!(Reqids::default().assign(names.iter().map(String::as_str).chain(["one more"])).is_none());
    }
}
