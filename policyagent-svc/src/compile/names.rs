//! The names by which the engine, `status` and the logs know the rules of all stores.
use std::collections::{BTreeMap, BTreeSet};

/// A rule by where it stands: store, policy and name.
pub(super) type Place<'a> = (&'a str, &'a str, &'a str);

/// Gives each rule a name of its own: the one that it has in its document, unless a rule of another store, or of another
/// policy of the dynamic store, has that. A rule keeps its name, and thereby its SAs, while others come and go.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    given: BTreeMap<(String, String, String), String>,
}

impl Names {
    /// The names of exactly these rules, in their order. No place is there twice.
    ///
    /// None of them is `reserved`: that is the default response's, where there is one.
    pub(super) fn assign(&mut self, places: &[Place<'_>], reserved: Option<&str>) -> Vec<String> {
        let known: BTreeSet<&Place<'_>> = places.iter().collect();
        self.given.retain(|(store, policy, name), given| {
            known.contains(&(store.as_str(), policy.as_str(), name.as_str())) && reserved != Some(given.as_str())
        });
        let mut taken: BTreeSet<String> = self.given.values().cloned().chain(reserved.map(str::to_owned)).collect();
        let mut name_of = |&(store, policy, name): &Place<'_>| {
            let place = (store.to_owned(), policy.to_owned(), name.to_owned());
            let given = self.given.entry(place).or_insert_with(|| {
                let numbered = (2..).map(|number| format!("{name} ({store} {number})"));
                let mut free = [name.to_owned(), format!("{name} ({store})")].into_iter().chain(numbered);
                // There are more numbers than names.
                free.find(|name| !taken.contains(name)).unwrap_or_default()
            });
            taken.insert(given.clone());
            given.clone()
        };
        places.iter().map(&mut name_of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_changed_only_where_they_are_taken_and_then_stay() {
        let mut names = Names::default();
        let local = ("local", "lab", "to b");
        assert_eq!(names.assign(&[local, ("local", "lab", "to c")], None), ["to b", "to c"]);
        let persistent = ("persistent", "base", "to b");
        let dynamic = [("dynamic", "one", "to b"), ("dynamic", "two", "to b"), ("dynamic", "three", "to d")];
        let all = [persistent, local, dynamic[0], dynamic[1], dynamic[2]];
        let expected = ["to b (persistent)", "to b", "to b (dynamic)", "to b (dynamic 2)", "to d"];
        assert_eq!(names.assign(&all, None), expected);
        // The first is gone: the others have SAs under their names.
        assert_eq!(names.assign(&[persistent, dynamic[1]], None), ["to b (persistent)", "to b (dynamic 2)"]);
        assert_eq!(
            names.assign(&[persistent, dynamic[1], local], None),
            ["to b (persistent)", "to b (dynamic 2)", "to b"]
        );
        // What looks like a name that was given is in nobody's way.
        let odd = ("local", "lab", "to b (dynamic)");
        assert_eq!(names.assign(&[odd, local, dynamic[0]], None), ["to b (dynamic)", "to b", "to b (dynamic 2)"]);
        let default = ("persistent", "base", "default response");
        assert_eq!(names.assign(&[default], None), ["default response"]);
        assert_eq!(names.assign(&[default], Some("default response")), ["default response (persistent)"]);
    }
}
