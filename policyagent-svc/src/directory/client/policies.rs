//! The searches for a policy and what belongs to it.
use super::{Assigned, Client, ClientError, Entry};
use crate::directory::objects::{Class, Object, moment, normal, parent};
use ldap3::{Scope, ldap_escape};
use std::collections::BTreeSet;

/// The attributes of objects of a policy.
const ATTRIBUTES: [&str; 16] = [
    "objectClass",
    "ipsecName",
    "ipsecID",
    "description",
    "whenChanged",
    "modifyTimestamp",
    "ipsecDataType",
    "ipsecData",
    "ipsecOwnersReference",
    "ipsecISAKMPReference",
    "ipsecNFAReference",
    "ipsecNegotiationPolicyReference",
    "ipsecFilterReference",
    "ipsecNegotiationPolicyAction",
    "ipsecNegotiationPolicyType",
    "distinguishedName",
];

impl Client {
    /// What an assignment object says; nothing if it is not there, or assigns nothing.
    pub(crate) async fn assigned_by(&mut self, dn: &str) -> Result<Option<Assigned>, ClientError> {
        // Whether it is there is asked before what it says (MS-GPIPSEC).
        if self.object_at(dn, &["1.1"]).await?.is_none() {
            return Ok(None);
        }
        let entry = self.object_at(dn, &["ipsecOwnersReference", "ipsecName", "description"]).await?;
        Ok(entry.and_then(|entry| {
            Some(Assigned {
                assignment: dn.to_owned(),
                policy: entry.text("ipsecOwnersReference")?,
                name: entry.text("ipsecName").unwrap_or_default(),
                description: entry.text("description"),
            })
        }))
    }

    /// When the policy was last changed, as the directory says it, and finer if it does: the first two are seconds.
    pub(crate) async fn changed(&mut self, policy: &str) -> Result<Option<String>, ClientError> {
        const STAMPS: [&str; 4] = ["whenChanged", "modifyTimestamp", "entryCSN", "uSNChanged"];
        let entry = self.object_at(policy, &STAMPS).await?;
        Ok(entry.map(|entry| {
            let mut stamps: Vec<String> = STAMPS.iter().filter_map(|name| entry.text(name)).collect();
            // That number is the server's own.
            if entry.text("uSNChanged").is_some() {
                stamps.push(self.server.clone());
            }
            stamps.join(" ")
        }))
    }

    /// When an object was last changed, for people: `2026-11-28T02:40:00Z`.
    pub(crate) async fn last_modified(&mut self, dn: &str) -> Result<Option<String>, ClientError> {
        const STAMPS: [&str; 2] = ["whenChanged", "modifyTimestamp"];
        let entry = self.object_at(dn, &STAMPS).await?;
        let stamp = entry.and_then(|entry| STAMPS.iter().find_map(|name| entry.text(name)));
        Ok(stamp.as_deref().and_then(moment).map(|time| time.to_string()))
    }

    /// A policy and all objects that belong to it, each found by its name.
    pub(crate) async fn policy(&mut self, dn: &str) -> Result<Vec<Object>, ClientError> {
        let mut objects = Vec::new();
        let mut seen = BTreeSet::new();
        let mut wanted = vec![(Class::Policy, dn.to_owned())];
        while let Some((class, dn)) = wanted.pop() {
            if !seen.insert(normal(&dn)) {
                continue;
            }
            let Some(entry) = self.find(class, &dn).await? else { continue };
            let object = entry.object()?;
            wanted.extend(object.isakmp.iter().map(|dn| (Class::Isakmp, dn.clone())));
            wanted.extend(object.nfas.iter().map(|dn| (Class::Nfa, dn.clone())));
            wanted.extend(object.negotiation.iter().map(|dn| (Class::Negotiation, dn.clone())));
            wanted.extend(object.filter.iter().map(|dn| (Class::Filter, dn.clone())));
            objects.push(object);
        }
        Ok(objects)
    }

    /// One object: below its container, by class and name (MS-GPIPSEC).
    async fn find(&mut self, class: Class, dn: &str) -> Result<Option<Entry>, ClientError> {
        let parts = parent(dn).and_then(|container| {
            // The names of these objects have no characters that stand for others.
            let (_, name) = dn.split(',').next()?.split_once('=')?;
            Some((name, container))
        });
        let Some((name, container)) = parts else {
            return Err(ClientError::answer("a reference", format!("it is {dn:?}"), "a distinguished name"));
        };
        let filter = format!("(&(objectClass={})(cn={}))", class.name(), ldap_escape(name));
        let found = self.search(container, Scope::OneLevel, &filter, &ATTRIBUTES).await?;
        Ok(found.unwrap_or_default().into_iter().next())
    }

    /// All objects of all policies.
    pub(crate) async fn everything(&mut self) -> Result<Vec<Object>, ClientError> {
        let container = self.container();
        let mut objects = Vec::new();
        for class in Class::ALL {
            let filter = format!("(objectClass={})", class.name());
            let found = self.search(&container, Scope::OneLevel, &filter, &ATTRIBUTES).await?;
            for entry in found.unwrap_or_default() {
                objects.push(entry.object()?);
            }
        }
        Ok(objects)
    }
}
