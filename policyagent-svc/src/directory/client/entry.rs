//! Entries, as searches give them.
use super::{ClientError, MAX_OCTETS};
use crate::directory::objects::Object;
use crate::directory::objects::{Class, Data, guid_in};
use ldap3::ResultEntry;
use ldap3::asn1::{PL, StructureTag};
use zeroize::Zeroizing;

/// An entry. Its octets come from a server and are taken apart without trust.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its distinguished name.
    pub(crate) dn: String,
    attributes: Vec<(String, Vec<Zeroizing<Vec<u8>>>)>,
}

fn primitive(tag: StructureTag) -> Option<Vec<u8>> {
    match tag.payload {
        PL::P(octets) => Some(octets),
        PL::C(_) => None,
    }
}

fn constructed(tag: StructureTag) -> Option<Vec<StructureTag>> {
    match tag.payload {
        PL::C(tags) => Some(tags),
        PL::P(_) => None,
    }
}

fn string(tag: StructureTag) -> Option<String> {
    String::from_utf8(primitive(tag)?).ok()
}

/// The URLs of a search result reference.
pub(super) fn references(entry: ResultEntry) -> Vec<String> {
    constructed(entry.0).into_iter().flatten().filter_map(string).collect()
}

impl Entry {
    /// The entry of a search result; nothing if it is none.
    pub(super) fn of(entry: ResultEntry) -> Option<Self> {
        let mut parts = constructed(entry.0)?.into_iter();
        let dn = string(parts.next()?)?;
        let mut attributes = Vec::new();
        for attribute in constructed(parts.next()?)? {
            let mut parts = constructed(attribute)?.into_iter();
            let name = string(parts.next()?)?.to_ascii_lowercase();
            let values = constructed(parts.next()?)?.into_iter().map(|value| primitive(value).map(Zeroizing::new));
            attributes.push((name, values.collect::<Option<_>>()?));
        }
        Some(Self { dn, attributes })
    }

    /// The values of an attribute.
    pub(crate) fn values(&self, name: &str) -> &[Zeroizing<Vec<u8>>] {
        let name = name.to_ascii_lowercase();
        self.attributes
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, values)| values.as_slice())
            .unwrap_or_default()
    }

    /// The values of an attribute that are text.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        self.values(name).iter().filter_map(|value| String::from_utf8(value.to_vec()).ok()).collect()
    }

    /// The first value of an attribute, if it is text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.texts(name).into_iter().next()
    }

    /// The class of an object of a policy.
    fn class(&self) -> Option<Class> {
        let classes = self.texts("objectClass");
        Class::ALL.into_iter().find(|class| classes.iter().any(|name| name.eq_ignore_ascii_case(class.name())))
    }

    /// The object of a policy.
    pub(super) fn object(&self) -> Result<Object, ClientError> {
        let what = || format!("the object {}", self.dn);
        let class = self.class().ok_or_else(|| {
            let classes = self.texts("objectClass").join(", ");
            ClientError::answer(
                what(),
                format!("its objectClass is {classes:?}"),
                Class::ALL.map(Class::name).join(", "),
            )
        })?;
        // Active Directory gives a part of many values, under another name.
        if let Some((name, _)) = self.attributes.iter().find(|(name, _)| name.contains(";range=")) {
            return Err(ClientError::answer(
                what(),
                format!("it has {name}"),
                "as many values as the server gives at once",
            ));
        }
        let id = || self.text("ipsecID").and_then(|text| text.parse().ok());
        let guid = guid_in(&self.dn).or_else(id).ok_or_else(|| {
            let allowed = format!("CN={}{{GUID}}", class.name());
            ClientError::answer(what(), "neither its name nor its ipsecID has a GUID", allowed)
        })?;
        let data = self.values("ipsecData").first().cloned().unwrap_or_default();
        if data.len() > MAX_OCTETS {
            let found = format!("its ipsecData has {} octets", data.len());
            return Err(ClientError::answer(what(), found, format!("{MAX_OCTETS} octets")));
        }
        let guid_of = |name| self.text(name).and_then(|text| text.parse().ok());
        Ok(Object {
            dn: self.dn.clone(),
            class,
            guid,
            name: self.text("ipsecName").unwrap_or_default(),
            description: self.text("description"),
            changed: self.text("whenChanged").or_else(|| self.text("modifyTimestamp")),
            data: Data(data),
            owners: self.texts("ipsecOwnersReference"),
            isakmp: self.text("ipsecISAKMPReference"),
            nfas: self.texts("ipsecNFAReference"),
            negotiation: self.text("ipsecNegotiationPolicyReference"),
            filter: self.text("ipsecFilterReference"),
            action: guid_of("ipsecNegotiationPolicyAction"),
            kind: guid_of("ipsecNegotiationPolicyType"),
        })
    }
}
