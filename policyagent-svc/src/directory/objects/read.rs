//! The document that says what objects say.
use super::names::{Names, guid_in, normal};
use super::{Class, Contents, Object, ObjectFaults, Remark, Table, Value, filters, numbers};
use crate::directory::blob::isakmp::{MAP_CERTIFICATES, NO_CERTIFICATE_REQUEST};
use crate::directory::blob::nfa::{ALL, DIAL_UP, LAN, NfaMethod};
use crate::directory::blob::{Blob, FilterBlob, IsakmpBlob, NegotiationBlob, NfaBlob, PolicyBlob, Read, negotiation};
use crate::guid::Guid;
use crate::model::algorithms::NONE;
use std::collections::BTreeMap;
use toml::value::Datetime;

/// The longest life that a document may name, in seconds.
const LONGEST: u32 = 31_536_000;

/// The document for `objects`. What it cannot say is a fault if traffic would be treated otherwise without it, and a note if
/// not.
pub(crate) fn read(objects: &[Object]) -> Result<Contents, ObjectFaults> {
    let mut reading = Reading::default();
    for object in objects {
        reading.by_dn.insert(normal(&object.dn), object);
    }
    let of = |class| objects.iter().filter(move |object| object.class == class);
    let mut lists = Vec::new();
    let mut names = Names::default();
    for object in of(Class::Filter) {
        let name = names.take(&object.name, &format!("filter list {}", object.guid));
        reading.names.insert(object.guid, name.clone());
        let mut table = head(object, &name);
        reading.filter_list(object, &mut table);
        lists.push(Value::Table(table));
    }
    let mut actions = Vec::new();
    let mut names = Names::default();
    for object in of(Class::Negotiation) {
        if object.kind == Some(numbers::DEFAULT_RESPONSE) {
            continue;
        }
        let name = names.take(&object.name, &format!("filter action {}", object.guid));
        reading.names.insert(object.guid, name.clone());
        let mut table = head(object, &name);
        reading.filter_action(object, &mut table);
        actions.push(Value::Table(table));
    }
    let mut policies = Vec::new();
    let mut names = Names::default();
    for object in of(Class::Policy) {
        let name = names.take(&object.name, &format!("policy {}", object.guid));
        let mut table = head(object, &name);
        reading.policy(object, &mut table);
        policies.push(Value::Table(table));
    }
    if !reading.faults.is_empty() {
        return Err(ObjectFaults(reading.faults));
    }
    let document = &mut reading.contents.document.0;
    for (key, values) in [("policy", policies), ("filter_list", lists), ("filter_action", actions)] {
        if !values.is_empty() {
            document.insert(key.to_owned(), Value::Array(values));
        }
    }
    Ok(reading.contents)
}

#[derive(Default)]
struct Reading<'a> {
    by_dn: BTreeMap<String, &'a Object>,
    /// What the document calls filter lists and filter actions.
    names: BTreeMap<Guid, String>,
    contents: Contents,
    faults: Vec<Remark>,
}

/// What the tables of all kinds begin with.
fn head(object: &Object, name: &str) -> Table {
    let mut table = Table::new();
    table.insert("name".to_owned(), name.into());
    if let Some(description) = object.description.as_deref().filter(|text| !text.is_empty()) {
        table.insert("description".to_owned(), description.into());
    }
    table.insert("guid".to_owned(), object.guid.to_string().into());
    if let Some(changed) = object.changed.as_deref().and_then(moment) {
        table.insert("last_modified".to_owned(), Value::Datetime(changed));
    }
    table
}

/// A moment as a directory says it (`20261128024000.0Z`), as a document does.
pub(crate) fn moment(text: &str) -> Option<Datetime> {
    let part = |from: usize, to: usize| text.get(from..to).filter(|part| part.chars().all(|c| c.is_ascii_digit()));
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    text.parse().ok()
}

impl<'a> Reading<'a> {
    fn fault(&mut self, object: &Object, message: impl Into<String>) {
        self.faults.push(Remark { object: object.dn.clone(), message: message.into() });
    }

    fn note(&mut self, object: &Object, message: impl Into<String>) {
        self.contents.notes.push(Remark { object: object.dn.clone(), message: message.into() });
    }

    /// The binary value. This project's own section goes before the published fields: its keys are put in `table`.
    fn blob<T: Blob>(&mut self, object: &Object, table: &mut Table) -> Option<T> {
        let Read { blob, extension, unknown } = match T::read(&object.data.0) {
            Ok(read) => read,
            Err(error) => {
                self.fault(object, error.to_string());
                return None;
            }
        };
        if unknown != 0 {
            self.note(
                object,
                format!("{unknown} octets at the end of ipsecData are of no known version, and left out"),
            );
        }
        let Some(text) = extension else { return Some(blob) };
        match text.parse::<Table>() {
            Ok(extension) => table.extend(extension),
            // Its own words could repeat a key.
            Err(_) => self.fault(object, "the extension of ipsecData is no TOML"),
        }
        None
    }

    fn reference(&mut self, from: &Object, dn: &str, class: Class) -> Option<&'a Object> {
        let found = self.by_dn.get(&normal(dn)).copied().filter(|object| object.class == class);
        if found.is_none() {
            self.fault(from, format!("it refers to the {} {dn}, which is not there", class.name()));
        }
        found
    }

    fn filter_list(&mut self, object: &Object, table: &mut Table) {
        let Some(blob) = self.blob::<FilterBlob>(object, table) else { return };
        match filters::read(&blob) {
            Ok((list, notes)) => {
                table.insert("filters".to_owned(), Value::Array(list));
                notes.into_iter().for_each(|note| self.note(object, note));
            }
            Err(faults) => faults.into_iter().for_each(|fault| self.fault(object, fault)),
        }
    }

    fn filter_action(&mut self, object: &Object, table: &mut Table) {
        let passthrough = match object.action {
            Some(numbers::PERMIT) => {
                table.insert("action".to_owned(), "permit".into());
                return;
            }
            Some(numbers::BLOCK) => {
                table.insert("action".to_owned(), "block".into());
                return;
            }
            Some(numbers::NEGOTIATE) => false,
            Some(numbers::PASSTHROUGH) => true,
            other => {
                let found = other.map_or_else(|| "absent".to_owned(), |guid| guid.to_string());
                self.fault(
                    object,
                    format!(
                        "ipsecNegotiationPolicyAction is {found}, allowed: {} (permit), {} (block), {} (negotiate), {} \
                         (negotiate with inbound passthrough)",
                        numbers::PERMIT,
                        numbers::BLOCK,
                        numbers::NEGOTIATE,
                        numbers::PASSTHROUGH
                    ),
                );
                return;
            }
        };
        table.insert("action".to_owned(), "negotiate".into());
        self.offers(object, table);
        if passthrough {
            table.insert("inbound_passthrough".to_owned(), true.into());
        }
    }

    /// The offers of quick mode, and what belongs to them.
    fn offers(&mut self, object: &Object, table: &mut Table) {
        let Some(blob) = self.blob::<NegotiationBlob>(object, table) else { return };
        let mut offers = Vec::new();
        let (mut with_pfs, mut fallback) = (0, false);
        for (number, offer) in blob.offers.iter().enumerate() {
            if offer.algorithms.is_empty() {
                fallback = true;
                continue;
            }
            match quick_mode_offer(offer) {
                Ok(table) => {
                    with_pfs += usize::from(offer.pfs);
                    offers.push(Value::Table(table));
                }
                Err(what) => self.note(object, format!("offer {} is left out: {what}", number + 1)),
            }
        }
        if offers.is_empty() {
            self.fault(object, "it has no offer that can be used, allowed: at least one");
        }
        if with_pfs != 0 {
            if with_pfs != offers.len() {
                self.note(object, "some offers have PFS and some have not: all get it");
            }
            table.insert("pfs".to_owned(), true.into());
        }
        if fallback {
            table.insert("fallback_to_clear".to_owned(), true.into());
        }
        table.insert("offers".to_owned(), Value::Array(offers));
    }

    fn main_mode(&mut self, object: &Object) -> (Table, u32) {
        let mut table = Table::new();
        // They are about the rules, and hold whatever an extension says of main mode.
        let options = IsakmpBlob::read(&object.data.0).map_or(0, |read| read.blob.options);
        let Some(blob) = self.blob::<IsakmpBlob>(object, &mut table) else { return (table, options) };
        let mut offers: Vec<Value> = Vec::new();
        let before = blob.new_groups.iter().map_while(|number| numbers::name(&numbers::NEW_GROUPS, (*number).into()));
        offers.extend(before.map(Value::from));
        for (number, method) in blob.methods.iter().enumerate() {
            let offer =
                numbers::name(&numbers::NEW_GROUPS, method.replacement.into()).map(str::to_owned).or_else(|| {
                    let cipher = numbers::name(&numbers::CIPHERS, method.cipher)?;
                    let hash = numbers::name(&numbers::HASHES, method.hash)?;
                    Some(format!("{cipher}-{hash}-{}", numbers::name(&numbers::GROUPS, method.group)?))
                });
            match offer {
                // As 2048 bits may be said twice, for those that know of the one place or the other.
                Some(offer) => {
                    if !offers.iter().any(|other| other.as_str() == Some(&offer)) {
                        offers.push(offer.into());
                    }
                }
                None => self.note(
                    object,
                    format!(
                        "method {} is left out: it has the cipher {}, the hash {} and the group {}",
                        number + 1,
                        method.cipher,
                        method.hash,
                        method.group
                    ),
                ),
            }
        }
        if offers.is_empty() {
            self.fault(object, "it has no method that can be used, allowed: at least one");
        }
        table.insert("offers".to_owned(), Value::Array(offers));
        let kilobytes = blob.methods.first().map_or(0, |method| method.kilobytes);
        let seconds = if blob.seconds == 0 { 28_800 } else { blob.seconds.min(LONGEST) };
        if blob.seconds > LONGEST {
            self.note(object, format!("the lifetime is {} s, and taken as {LONGEST} s", blob.seconds));
        }
        if (seconds, kilobytes) != (28_800, 0) {
            table.insert("lifetime".to_owned(), lifetime(seconds, kilobytes));
        }
        if blob.master_pfs {
            table.insert("master_pfs".to_owned(), true.into());
        } else if blob.quick_mode_limit != 0 {
            table.insert("quick_mode_limit".to_owned(), blob.quick_mode_limit.into());
        }
        (table, options)
    }

    fn policy(&mut self, object: &Object, table: &mut Table) {
        if let Some(PolicyBlob { polling_interval }) = self.blob(object, table)
            && !matches!(polling_interval, 0 | 10_800)
        {
            table.insert("polling_interval".to_owned(), polling_interval.into());
        }
        let mut options = 0;
        match &object.isakmp {
            Some(dn) => {
                if let Some(isakmp) = self.reference(object, dn, Class::Isakmp) {
                    self.contents.unnamed.isakmp.insert(object.guid, isakmp.guid);
                    let (main_mode, read) = self.main_mode(isakmp);
                    options = read;
                    table.insert("main_mode".to_owned(), Value::Table(main_mode));
                }
            }
            None => self.fault(object, "it has no ipsecISAKMPReference, which is required"),
        }
        let mut rules = Vec::new();
        let mut names = Names::default();
        names.take(crate::model::default_response::NAME, "");
        // The directory gives them in any order.
        let mut nfas = object.nfas.clone();
        nfas.sort_by_key(|dn| (guid_in(dn), normal(dn)));
        for dn in &nfas {
            let Some(nfa) = self.reference(object, dn, Class::Nfa) else { continue };
            match &nfa.filter {
                Some(_) => rules.push(Value::Table(self.rule(nfa, options, &mut names))),
                None if table.contains_key("default_response") => {
                    self.fault(nfa, "it is a second rule without a filter list; allowed: one, the default response");
                }
                None => {
                    self.contents.unnamed.default_rules.insert(object.guid, nfa.guid);
                    let default = self.default_response(object, nfa, options);
                    table.insert("default_response".to_owned(), Value::Table(default));
                }
            }
        }
        if !rules.is_empty() {
            table.insert("rule".to_owned(), Value::Array(rules));
        }
    }

    fn rule(&mut self, nfa: &Object, options: u32, names: &mut Names) -> Table {
        let list = nfa.filter.as_deref().and_then(|dn| self.reference(nfa, dn, Class::Filter));
        let list = list.and_then(|object| self.names.get(&object.guid).cloned()).unwrap_or_default();
        let name = names.take(&nfa.name, &list);
        let mut table = head(nfa, &name);
        table.insert("filter_list".to_owned(), list.into());
        match nfa.negotiation.as_deref().map(|dn| self.reference(nfa, dn, Class::Negotiation)) {
            Some(action) => match action.map(|action| self.names.get(&action.guid).cloned()) {
                Some(Some(name)) => {
                    table.insert("filter_action".to_owned(), name.into());
                }
                Some(None) => self.fault(nfa, "its filter action is one for default responses"),
                None => {}
            },
            None => self.fault(nfa, "it has no ipsecNegotiationPolicyReference, which is required"),
        }
        self.nfa(nfa, options, &mut table);
        table
    }

    fn default_response(&mut self, policy: &Object, nfa: &Object, options: u32) -> Table {
        let mut table = Table::new();
        match nfa.negotiation.as_deref().map(|dn| self.reference(nfa, dn, Class::Negotiation)) {
            Some(Some(action)) => match self.names.get(&action.guid).cloned() {
                Some(name) => {
                    table.insert("filter_action".to_owned(), name.into());
                }
                None => {
                    self.contents.unnamed.default_actions.insert(policy.guid, action.guid);
                    self.offers(action, &mut table);
                    // It is no filter action, which alone could say so.
                    if table.remove("fallback_to_clear").is_some() {
                        self.note(action, "falling back to clear is not for the default response, and left out");
                    }
                }
            },
            Some(None) => {}
            None => self.fault(nfa, "it has no ipsecNegotiationPolicyReference, which is required"),
        }
        self.nfa(nfa, options, &mut table);
        table
    }

    /// What a rule has besides its references.
    fn nfa(&mut self, nfa: &Object, options: u32, table: &mut Table) {
        let Some(blob) = self.blob::<NfaBlob>(nfa, table) else { return };
        let mut methods = Vec::new();
        for (number, method) in blob.methods.iter().enumerate() {
            let flags = options | blob.flags.get(number).copied().unwrap_or_default();
            match method_table(method, flags) {
                Some(method) => methods.push(Value::Table(method)),
                None => self.note(nfa, format!("authentication method {} is left out: {method:?}", number + 1)),
            }
        }
        if !methods.is_empty() {
            table.insert("authentication".to_owned(), Value::Array(methods));
        }
        if let Some(remote) = blob.tunnel {
            let tunnel = Table::from_iter([("remote".to_owned(), remote.to_string().into())]);
            table.insert("tunnel".to_owned(), Value::Table(tunnel));
        }
        match blob.interfaces {
            ALL => {}
            LAN => {
                table.insert("connection_type".to_owned(), "lan".into());
            }
            DIAL_UP => {
                table.insert("connection_type".to_owned(), "dialup".into());
            }
            other => self.note(nfa, format!("the interface type {other:#x} is unknown, and taken as all")),
        }
        if !blob.interface.is_empty() {
            self.note(nfa, format!("the name {:?} of an interface is left out", blob.interface));
        }
        if !blob.is_active {
            table.insert("active".to_owned(), false.into());
        }
    }
}

fn method_table(method: &NfaMethod, flags: u32) -> Option<Table> {
    let mut table = Table::new();
    match method {
        NfaMethod::PresharedKey(key) => {
            table.insert("preshared_key".to_owned(), key.as_str().into());
        }
        NfaMethod::Certificate(name) => {
            table.insert("root_ca".to_owned(), name.as_str().into());
            for (bit, key) in [(MAP_CERTIFICATES, "certificate_mapping"), (NO_CERTIFICATE_REQUEST, "exclude_ca_name")] {
                if flags & bit != 0 {
                    table.insert(key.to_owned(), true.into());
                }
            }
        }
        NfaMethod::Kerberos => {
            table.insert("kerberos".to_owned(), true.into());
        }
        NfaMethod::Unknown(_) => return None,
    }
    Some(table)
}

/// An offer of quick mode, or why there is none.
fn quick_mode_offer(offer: &negotiation::NegotiationOffer) -> Result<Table, String> {
    let mut table = Table::new();
    for algorithm in &offer.algorithms {
        let integrity = |number| {
            numbers::name(&numbers::HASHES, number)
                .ok_or_else(|| format!("the integrity algorithm {number} is unknown"))
        };
        let (key, value) = match algorithm.kind {
            negotiation::AH => ("ah", integrity(algorithm.algorithm)?.to_owned()),
            negotiation::ESP => {
                let cipher = numbers::name(&numbers::ESP_CIPHERS, algorithm.algorithm)
                    .ok_or_else(|| format!("the cipher {} of ESP is unknown", algorithm.algorithm))?;
                match (cipher, algorithm.integrity) {
                    ("null", 0) => {
                        return Err("ESP with neither cipher nor integrity algorithm protects nobody".to_owned());
                    }
                    (cipher, 0) => ("esp", format!("{cipher}-{NONE}")),
                    (cipher, number) => ("esp", format!("{cipher}-{}", integrity(number)?)),
                }
            }
            other => return Err(format!("the type {other} of an algorithm is unknown")),
        };
        if table.insert(key.to_owned(), value.into()).is_some() {
            return Err(format!("it has {key} twice"));
        }
    }
    let seconds = if offer.seconds == 0 { 3600 } else { offer.seconds.min(LONGEST) };
    // The largest number stands for no limit, as 0 stands for the default.
    let kilobytes = match offer.kilobytes {
        0 => 100_000,
        u32::MAX => 0,
        other => other,
    };
    if (seconds, kilobytes) != (3600, 100_000) {
        table.insert("lifetime".to_owned(), lifetime(seconds, kilobytes));
    }
    Ok(table)
}

fn lifetime(seconds: u32, kilobytes: u32) -> Value {
    let table = Table::from_iter([
        ("seconds".to_owned(), Value::from(seconds)),
        ("kilobytes".to_owned(), Value::from(kilobytes)),
    ]);
    Value::Table(table)
}
