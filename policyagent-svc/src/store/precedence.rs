//! Which stores' policies apply, and why others do not.
use std::fmt;

use super::Location;
use crate::model::PolicyFile;

/// What there is of a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Offer {
    /// There is none.
    Absent,
    /// Its document has faults, and no good version of it is known.
    Failed,
    /// No policy of it is assigned.
    Unassigned,
    /// These policies of it are.
    Assigned(Vec<String>),
}

impl Offer {
    /// What a document offers that was read of a store at this place.
    pub(crate) fn of(location: Location, file: Option<&PolicyFile>) -> Self {
        let Some(file) = file else { return Self::Absent };
        let in_force = file.policies.iter().filter(|policy| policy.assigned || location == Location::Dynamic);
        let names: Vec<String> = in_force.map(|policy| policy.name.clone()).collect();
        if names.is_empty() { Self::Unassigned } else { Self::Assigned(names) }
    }
}

/// What becomes of a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Verdict {
    /// Which.
    pub(crate) location: Location,
    /// The policies that are assigned in it.
    pub(crate) policies: Vec<String>,
    /// Why they apply, or do not.
    pub(crate) why: Why,
}

impl Verdict {
    /// True if its policies are in force.
    pub(crate) fn applies(&self) -> bool {
        matches!(self.why, Why::Applies(_))
    }
}

/// Why the policies of a store apply, or do not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// They do, and those of this store do because of this.
    Applies(Location),
    /// There is no such store.
    Absent,
    /// It has faults, and no good version is known.
    Failed,
    /// No policy of it is assigned.
    Unassigned,
    /// The directory assigns these.
    Directory(Vec<String>),
    /// The persistent store cannot be in force.
    BlockMode,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applies(Location::Persistent) => {
                f.write_str("what is assigned in the persistent store always applies")
            }
            Self::Applies(Location::Directory) => f.write_str("the directory assigns it to this computer"),
            Self::Applies(Location::Local) => f.write_str("the directory assigns no policy to this computer"),
            Self::Applies(Location::Dynamic) => f.write_str("all that is in the dynamic store applies"),
            Self::Absent => f.write_str("there is no such store"),
            Self::Failed => f.write_str("it has faults, and no good version of it is known"),
            Self::Unassigned => f.write_str("no policy in it is assigned"),
            Self::Directory(policies) => {
                write!(f, "the directory assigns {} to this computer, which goes before it", policies.join(", "))
            }
            Self::BlockMode => {
                f.write_str("the persistent store has faults, and no good version of it is known: block mode")
            }
        }
    }
}

/// Decides about all stores; in the order in which their filters go before each other.
pub(crate) fn precedence(offer: impl Fn(Location) -> Offer) -> [Verdict; 4] {
    let blocks = offer(Location::Persistent) == Offer::Failed;
    let directory = offer(Location::Directory);
    Location::ALL.map(|location| {
        let (policies, why) = match (offer(location), &directory) {
            (Offer::Failed, _) => (Vec::new(), Why::Failed),
            (Offer::Absent, _) => (Vec::new(), Why::Absent),
            (Offer::Unassigned, _) => (Vec::new(), Why::Unassigned),
            (Offer::Assigned(own), _) if blocks => (own, Why::BlockMode),
            (Offer::Assigned(own), Offer::Assigned(of_directory)) if location == Location::Local => {
                (own, Why::Directory(of_directory.clone()))
            }
            (Offer::Assigned(own), _) => (own, Why::Applies(location)),
        };
        Verdict { location, policies, why }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of the stores, in their order: `+` if they apply.
    fn verdicts(offers: [Offer; 4]) -> Vec<String> {
        let offer = |location| offers[Location::ALL.iter().position(|one| *one == location).unwrap()].clone();
        let shown = |verdict: Verdict| format!("{}{}", if verdict.applies() { "+ " } else { "" }, verdict.why);
        precedence(offer).map(shown).to_vec()
    }

    #[test]
    fn each_store_applies_or_says_why_not() {
        let some = |name: &str| Offer::Assigned(vec![name.to_owned()]);
        let all = [some("base"), some("domain"), some("lab"), some("by hand")];
        assert_eq!(
            verdicts(all.clone()),
            [
                "+ what is assigned in the persistent store always applies",
                "+ the directory assigns it to this computer",
                "the directory assigns domain to this computer, which goes before it",
                "+ all that is in the dynamic store applies",
            ]
        );
        let local = "+ the directory assigns no policy to this computer";
        for other in [Offer::Absent, Offer::Unassigned, Offer::Failed] {
            let [base, _, lab, by_hand] = all.clone();
            assert_eq!(verdicts([base, other, lab, by_hand])[2], local);
        }
        let [_, domain, lab, by_hand] = all;
        let blocked = verdicts([Offer::Failed, domain, lab, by_hand]);
        assert_eq!(blocked[0], "it has faults, and no good version of it is known");
        assert!(blocked[1..].iter().all(|why| why.ends_with(": block mode")), "{blocked:?}");
        assert_eq!(
            verdicts([Offer::Absent, Offer::Absent, Offer::Unassigned, Offer::Absent])[2],
            "no policy in it is assigned"
        );
    }
}
