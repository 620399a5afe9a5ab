//! What is to be done in a directory so that it says what another document says.
use super::write::{Place, write};
use super::{
    Class, Contents, Object, ObjectFaults, Remark, Table, Tree, Unnamed, Value, guid_of, normal, tables, text,
};
use crate::guid::{Guid, NoRandomness};
use std::collections::{BTreeMap, BTreeSet};

/// A change of a directory. They are to be made in the order in which they are given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// Create an object, without its references.
    Add(Box<Object>),
    /// Replace attributes of an object.
    Replace {
        /// Its distinguished name.
        dn: String,
        /// The attributes; without values they are removed.
        attributes: Vec<Attribute>,
    },
    /// Delete an object.
    Delete {
        /// Its distinguished name.
        dn: String,
        /// Its class.
        class: Class,
    },
}

/// An attribute with its values.
pub(crate) type Attribute = (&'static str, Vec<Vec<u8>>);

/// Why there is no difference to tell.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DifferenceError {
    /// The new document cannot be written.
    #[error(transparent)]
    Faults(#[from] ObjectFaults),
    /// For new objects.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

impl Object {
    /// Its attributes but for its references.
    pub(crate) fn attributes(&self) -> Vec<Attribute> {
        let text = |text: &str| if text.is_empty() { Vec::new() } else { vec![text.as_bytes().to_vec()] };
        let guid = |guid: Option<Guid>| guid.map(|guid| guid.to_string().into_bytes()).into_iter().collect();
        let mut all = vec![
            ("ipsecName", text(&self.name)),
            ("ipsecID", text(&self.guid.to_string())),
            ("ipsecDataType", text("256")),
            ("ipsecData", vec![self.data.0.to_vec()]),
        ];
        if self.class != Class::Isakmp {
            all.push(("description", text(self.description.as_deref().unwrap_or_default())));
        }
        if self.class == Class::Negotiation {
            all.push(("ipsecNegotiationPolicyAction", guid(self.action)));
            all.push(("ipsecNegotiationPolicyType", guid(self.kind)));
        }
        all
    }

    /// Its references.
    fn references(&self) -> Vec<Attribute> {
        let all = |names: &[String]| {
            let names: BTreeSet<&String> = names.iter().collect();
            names.into_iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<_>>()
        };
        let one = |name: &Option<String>| all(name.as_slice());
        match self.class {
            Class::Policy => vec![("ipsecISAKMPReference", one(&self.isakmp)), ("ipsecNFAReference", all(&self.nfas))],
            Class::Nfa => vec![
                ("ipsecOwnersReference", all(&self.owners)),
                ("ipsecFilterReference", one(&self.filter)),
                ("ipsecNegotiationPolicyReference", one(&self.negotiation)),
            ],
            Class::Isakmp | Class::Negotiation | Class::Filter => vec![("ipsecOwnersReference", all(&self.owners))],
        }
    }
}

/// The changes between two documents.
#[derive(Debug)]
pub(crate) struct Difference {
    /// In the order in which they are to be made.
    pub(crate) changes: Vec<Change>,
    /// The objects of the old document, by their normal names: what is between them the changes take care of.
    pub(crate) known: BTreeSet<String>,
}

/// The changes that make `old` say what `new` says. What both say the same way is not touched.
pub(crate) fn difference(old: &Contents, new: &Tree, place: &Place<'_>) -> Result<Difference, DifferenceError> {
    let mut new = new.clone();
    let unnamed = identify(&mut new, old)?;
    // What is there can be written again: it was read.
    let before = write(&old.document, &old.unnamed, &Place { extensions: true, ..*place })?;
    let before: BTreeMap<&str, &Object> = before.iter().map(|object| (object.dn.as_str(), object)).collect();
    let mut after = write(&new, &unnamed, place)?;
    after.sort_by_key(|object| object.class);
    let mut changes = Vec::new();
    let changed = |new: Vec<Attribute>, old: Vec<Attribute>| -> Vec<Attribute> {
        new.into_iter().filter(|attribute| !old.contains(attribute)).collect()
    };
    let is_new = |object: &&Object| !before.contains_key(object.dn.as_str());
    changes.extend(after.iter().filter(is_new).map(|object| Change::Add(Box::new(object.clone()))));
    for object in &after {
        let Some(old) = before.get(object.dn.as_str()) else { continue };
        let attributes = changed(object.attributes(), old.attributes());
        if !attributes.is_empty() {
            changes.push(Change::Replace { dn: object.dn.clone(), attributes });
        }
    }
    for object in &after {
        let old = before.get(object.dn.as_str()).map(|old| old.references());
        // A new object has none yet.
        let old = old.unwrap_or_else(|| object.references().into_iter().map(|(name, _)| (name, Vec::new())).collect());
        let attributes = changed(object.references(), old);
        if !attributes.is_empty() {
            changes.push(Change::Replace { dn: object.dn.clone(), attributes });
        }
    }
    let there: BTreeSet<&str> = after.iter().map(|object| object.dn.as_str()).collect();
    for class in [Class::Nfa, Class::Policy, Class::Isakmp, Class::Negotiation, Class::Filter] {
        let gone = before.values().filter(|object| object.class == class && !there.contains(object.dn.as_str()));
        changes.extend(gone.map(|object| Change::Delete { dn: object.dn.clone(), class }));
    }
    // Who polls looks at the policy alone, so that it changes with what belongs to it; at last, so that he finds all.
    let touched: BTreeSet<String> = changes.iter().map(|change| change.dn().to_owned()).collect();
    for policy in after.iter().filter(|object| object.class == Class::Policy && before.contains_key(object.dn.as_str()))
    {
        let of_rule = |dn: &String| after.iter().find(|object| object.dn == *dn);
        let rules = policy.nfas.iter().filter_map(of_rule);
        let mut parts: BTreeSet<&String> = rules.flat_map(|rule| rule.filter.iter().chain(&rule.negotiation)).collect();
        parts.extend(policy.nfas.iter().chain(&policy.isakmp).chain([&policy.dn]));
        if parts.into_iter().any(|dn| touched.contains(dn)) {
            let attributes = vec![("ipsecData", vec![policy.data.0.to_vec()])];
            changes.push(Change::Replace { dn: policy.dn.clone(), attributes });
        }
    }
    Ok(Difference { changes, known: before.keys().map(|dn| normal(dn)).collect() })
}

impl Change {
    /// The distinguished name of its object.
    pub(crate) fn dn(&self) -> &str {
        match self {
            Self::Add(object) => &object.dn,
            Self::Replace { dn, .. } | Self::Delete { dn, .. } => dn,
        }
    }
}

/// Gives each table a GUID: the one that it has, that of the object of the same name, or a new one.
fn identify(new: &mut Tree, old: &Contents) -> Result<Unnamed, DifferenceError> {
    let mut taken = BTreeSet::new();
    let mut faults = Vec::new();
    let mut unnamed = Unnamed::default();
    for key in ["filter_list", "filter_action", "policy"] {
        let known = names(tables(&old.document.0, key));
        for table in each(&mut new.0, key) {
            let guid = give(table, &known, &mut taken, &mut faults)?;
            if key == "filter_list" {
                for filter in each(table, "filters") {
                    give(filter, &BTreeMap::new(), &mut BTreeSet::new(), &mut faults)?;
                }
            }
            if key != "policy" {
                continue;
            }
            let before = tables(&old.document.0, key).find(|policy| guid_of(policy) == Some(guid));
            let known = before.map(|policy| names(tables(policy, "rule"))).unwrap_or_default();
            for rule in each(table, "rule") {
                give(rule, &known, &mut taken, &mut faults)?;
            }
            let reuse = |of: &BTreeMap<Guid, Guid>| of.get(&guid).copied().map_or_else(Guid::random, Ok);
            unnamed.isakmp.insert(guid, reuse(&old.unnamed.isakmp)?);
            if let Some(default) = table.get("default_response").and_then(Value::as_table) {
                unnamed.default_rules.insert(guid, reuse(&old.unnamed.default_rules)?);
                if !default.contains_key("filter_action") {
                    unnamed.default_actions.insert(guid, reuse(&old.unnamed.default_actions)?);
                }
            }
        }
    }
    if faults.is_empty() { Ok(unnamed) } else { Err(ObjectFaults(faults).into()) }
}

fn names<'a>(tables: impl Iterator<Item = &'a Table>) -> BTreeMap<String, Guid> {
    tables.filter_map(|table| Some((text(table, "name")?.to_owned(), guid_of(table)?))).collect()
}

fn each<'a>(table: &'a mut Table, key: &str) -> impl Iterator<Item = &'a mut Table> {
    table.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_table_mut)
}

fn give(
    table: &mut Table,
    known: &BTreeMap<String, Guid>,
    taken: &mut BTreeSet<Guid>,
    faults: &mut Vec<Remark>,
) -> Result<Guid, NoRandomness> {
    let name = text(table, "name").unwrap_or_default();
    let guid = match (guid_of(table), known.get(name)) {
        (Some(guid), _) => guid,
        (None, Some(guid)) => *guid,
        (None, None) => Guid::random()?,
    };
    if !taken.insert(guid) {
        faults.push(Remark {
            object: format!("{name:?}"),
            message: format!("its guid {guid} is that of another object; allowed: another, or none"),
        });
    }
    table.insert("guid".to_owned(), guid.to_string().into());
    Ok(guid)
}
