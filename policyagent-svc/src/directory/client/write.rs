//! Changes of a directory.
use super::connect::checked;
use super::{Client, ClientError, NO_SUCH_OBJECT};
use crate::directory::objects::difference::{Attribute, Change, Difference, difference};
use crate::directory::objects::{self, Class, Contents, Place, Tree, normal, parent};
use crate::guid::Guid;
use ldap3::Mod;
use std::collections::{BTreeSet, HashSet};

fn replaces(attributes: &[Attribute]) -> Vec<Mod<Vec<u8>>> {
    let set = |values: &Vec<Vec<u8>>| values.iter().cloned().collect::<HashSet<_>>();
    attributes.iter().map(|(name, values)| Mod::Replace(name.as_bytes().to_vec(), set(values))).collect()
}

impl Client {
    /// All policies as one document.
    pub(crate) async fn read_all(&mut self) -> Result<Contents, ClientError> {
        Ok(objects::read(&self.everything().await?)?)
    }

    /// Makes the directory say what `new` says, where `old` is what it says.
    pub(crate) async fn apply(&mut self, old: &Contents, new: &Tree) -> Result<(), ClientError> {
        let container = self.container();
        let place = Place { container: &container, extensions: self.settings.extensions };
        let Difference { changes, known } = difference(old, new, &place)?;
        // Before anything is changed.
        for change in &changes {
            if let Change::Delete { dn, class: Class::Isakmp | Class::Negotiation | Class::Filter } = change {
                self.check_unused(dn, &known).await?;
            }
        }
        for change in &changes {
            self.make(change).await?;
        }
        Ok(())
    }

    async fn make(&mut self, change: &Change) -> Result<(), ClientError> {
        match change {
            Change::Add(object) => {
                let mut attributes: Vec<(Vec<u8>, HashSet<Vec<u8>>)> =
                    vec![(b"objectClass".to_vec(), HashSet::from([object.class.name().as_bytes().to_vec()]))];
                for (name, values) in object.attributes() {
                    if !values.is_empty() {
                        attributes.push((name.as_bytes().to_vec(), values.into_iter().collect()));
                    }
                }
                self.add(&object.dn, attributes).await
            }
            Change::Replace { dn, attributes } => self.replace(dn, attributes).await,
            Change::Delete { dn, .. } => {
                let deleted = self.ldap.with_timeout(self.settings.timeout).delete(dn).await;
                checked(deleted, &format!("deleting {dn}"))
            }
        }
    }

    /// Somebody else may use it: by an object that is not of any policy that was read, or of one that came since.
    async fn check_unused(&mut self, dn: &str, known: &BTreeSet<String>) -> Result<(), ClientError> {
        let entry = self.object_at(dn, &["ipsecOwnersReference"]).await?;
        let owners = entry.map(|entry| entry.texts("ipsecOwnersReference")).unwrap_or_default();
        for by in owners {
            // Windows leaves names of what is no more.
            if !known.contains(&normal(&by)) && self.object_at(&by, &["1.1"]).await?.is_some() {
                return Err(ClientError::InUse { dn: dn.to_owned(), by });
            }
        }
        Ok(())
    }

    async fn add(&mut self, dn: &str, mut attributes: Vec<(Vec<u8>, HashSet<Vec<u8>>)>) -> Result<(), ClientError> {
        // The name of an object is an attribute of it; not every server adds it by itself.
        if let Some((kind, name)) = dn.split(',').next().and_then(|name| name.split_once('=')) {
            attributes.push((kind.as_bytes().to_vec(), HashSet::from([name.as_bytes().to_vec()])));
        }
        let added = self.ldap.with_timeout(self.settings.timeout).add(dn, attributes).await;
        checked(added, &format!("creating {dn}"))
    }

    async fn replace(&mut self, dn: &str, attributes: &[Attribute]) -> Result<(), ClientError> {
        let replaced = self.ldap.with_timeout(self.settings.timeout).modify(dn, replaces(attributes)).await;
        checked(replaced, &format!("changing {dn}"))
    }

    /// Has an assignment object name a policy: its GUID, name and description. Without one it names none.
    pub(crate) async fn assign(
        &mut self,
        assignment: &str,
        policy: Option<(Guid, &str, Option<&str>)>,
    ) -> Result<(), ClientError> {
        let value = |text: &str| if text.is_empty() { Vec::new() } else { vec![text.as_bytes().to_vec()] };
        let Some((guid, name, description)) = policy else {
            let nothing = [("ipsecOwnersReference", vec![]), ("ipsecName", vec![]), ("description", vec![])];
            return match self.replace(assignment, &nothing).await {
                Err(ClientError::Refused { code: NO_SUCH_OBJECT, .. }) => Ok(()),
                other => other,
            };
        };
        if self.object_at(assignment, &["1.1"]).await?.is_none() {
            self.make_containers(assignment).await?;
            let class = HashSet::from([b"ipsecPolicy".to_vec()]);
            self.add(assignment, vec![(b"objectClass".to_vec(), class)]).await?;
        }
        let attributes = [
            ("ipsecOwnersReference", value(&Class::Policy.dn(guid, &self.container()))),
            ("ipsecName", value(name)),
            ("description", value(description.unwrap_or_default())),
        ];
        self.replace(assignment, &attributes).await
    }

    /// The containers of a group policy object that stand above an assignment and that a new one lacks.
    async fn make_containers(&mut self, assignment: &str) -> Result<(), ClientError> {
        let mut missing = Vec::new();
        let mut dn = assignment;
        while let Some(above) = parent(dn) {
            dn = above;
            if !["cn=windows", "cn=microsoft", "cn=machine"]
                .iter()
                .any(|name| normal(dn).starts_with(&format!("{name},")))
                || self.object_at(dn, &["1.1"]).await?.is_some()
            {
                break;
            }
            missing.push(dn);
        }
        for dn in missing.into_iter().rev() {
            self.add(dn, vec![(b"objectClass".to_vec(), HashSet::from([b"container".to_vec()]))]).await?;
        }
        Ok(())
    }
}
