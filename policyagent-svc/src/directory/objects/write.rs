//! The objects that say what a document says.
use super::{
    Class, Data, Object, ObjectFaults, Remark, Table, Tree, Unnamed, Value, filters, guid_of, numbers, tables, text,
};
use crate::directory::blob::isakmp::{IsakmpMethod, MAP_CERTIFICATES, NO_CERTIFICATE_REQUEST};
use crate::directory::blob::negotiation::{AH, Algorithm, ESP, NegotiationOffer};
use crate::directory::blob::nfa::{ALL, DIAL_UP, LAN, NfaMethod};
use crate::directory::blob::{Blob, IsakmpBlob, NegotiationBlob, NfaBlob, PolicyBlob};
use crate::guid::Guid;
use crate::model::INBOUND_ACTION;
use crate::model::algorithms::NONE;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Keys that are attributes of objects, or references, and never in an extension.
const OUTSIDE: [&str; 10] = [
    "name",
    "description",
    "guid",
    "last_modified",
    "action",
    "inbound_passthrough",
    "filter_list",
    "filter_action",
    "rule",
    "default_response",
];

/// What writing needs to know besides the document.
pub(crate) struct Place<'a> {
    /// The distinguished name of the store's container.
    pub(crate) container: &'a str,
    /// What the published fields cannot express is kept in a section of this project's own.
    pub(crate) extensions: bool,
}

/// All objects of a document whose tables have GUIDs. What objects cannot express is a fault for each, unless extensions
/// are allowed.
pub(crate) fn write(document: &Tree, unnamed: &Unnamed, place: &Place<'_>) -> Result<Vec<Object>, ObjectFaults> {
    let mut writing = Writing { place, objects: Vec::new(), faults: Vec::new(), references: BTreeMap::new() };
    for (key, class) in [("filter_list", Class::Filter), ("filter_action", Class::Negotiation)] {
        for table in tables(&document.0, key) {
            if let (Some(name), Some(guid)) = (text(table, "name"), guid_of(table)) {
                writing.references.insert((class, name.to_owned()), (guid, Vec::new()));
            }
        }
    }
    let outside =
        document.0.keys().filter(|key| !matches!(key.as_str(), "format" | "policy" | "filter_list" | "filter_action"));
    writing.refuse("the document", outside.map(|key| format!("has {key}")).collect());
    for table in tables(&document.0, "policy") {
        if let Some(guid) = guid_of(table) {
            writing.policy(table, guid, unnamed);
        }
    }
    for (key, class) in [("filter_list", Class::Filter), ("filter_action", Class::Negotiation)] {
        for table in tables(&document.0, key) {
            let Some(guid) = guid_of(table) else { continue };
            let name = text(table, "name").unwrap_or_default();
            let owners = writing.references.get(&(class, name.to_owned())).map(|(_, owners)| owners.clone());
            let mut object = writing.object(class, guid, table);
            object.owners = owners.unwrap_or_default();
            if class == Class::Filter {
                let none = Vec::new();
                let list = table.get("filters").and_then(Value::as_array).unwrap_or(&none);
                let (blob, missing) = filters::write(list);
                object.data = writing.data(&format!("filter list {name:?}"), &blob, missing, table);
            } else {
                writing.action(&mut object, table, &format!("filter action {name:?}"));
            }
            writing.objects.push(object);
        }
    }
    if writing.faults.is_empty() { Ok(writing.objects) } else { Err(ObjectFaults(writing.faults)) }
}

struct Writing<'a> {
    place: &'a Place<'a>,
    objects: Vec<Object>,
    faults: Vec<Remark>,
    /// The filter lists and filter actions by name: their GUIDs, and the rules that use them.
    references: BTreeMap<(Class, String), (Guid, Vec<String>)>,
}

impl Writing<'_> {
    fn object(&self, class: Class, guid: Guid, table: &Table) -> Object {
        Object {
            dn: class.dn(guid, self.place.container),
            class,
            guid,
            name: text(table, "name").unwrap_or_default().to_owned(),
            description: text(table, "description").map(str::to_owned),
            changed: None,
            data: Data::default(),
            owners: Vec::new(),
            isakmp: None,
            nfas: Vec::new(),
            negotiation: None,
            filter: None,
            action: None,
            kind: None,
        }
    }

    /// The binary value; with what is `missing` in it either an extension or a fault.
    fn data<T: Blob>(&mut self, who: &str, blob: &T, missing: Vec<String>, table: &Table) -> Data {
        if missing.is_empty() {
            return Data(blob.write(None));
        }
        if !self.place.extensions {
            self.faults.extend(missing.into_iter().map(|what| Remark {
                object: who.to_owned(),
                message: format!(
                    "{what}, which objects of a directory cannot express; allowed: something else, or extensions = true in \
                     [directory] of the settings"
                ),
            }));
            return Data::default();
        }
        let own: Table = table
            .iter()
            .filter(|(key, _)| !OUTSIDE.contains(&key.as_str()))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        Data(blob.write(Some(&Tree(own).text())))
    }

    /// What not even an extension has room for.
    fn refuse(&mut self, who: &str, missing: Vec<String>) {
        let faults = missing.into_iter().map(|what| format!("{what}, which objects of a directory have no place for"));
        self.faults.extend(faults.map(|message| Remark { object: who.to_owned(), message }));
    }

    fn policy(&mut self, table: &Table, guid: Guid, unnamed: &Unnamed) {
        let mut policy = self.object(Class::Policy, guid, table);
        let who = format!("policy {:?}", policy.name);
        self.refuse(&who, unknown_keys(table, &["assigned", "polling_interval", "main_mode"]));
        let interval = integer(table, "polling_interval").unwrap_or(10_800);
        policy.data = Data(PolicyBlob { polling_interval: interval }.write(None));
        let mut options = None;
        for rule in tables(table, "rule") {
            let Some(guid) = guid_of(rule) else { continue };
            let mut nfa = self.object(Class::Nfa, guid, rule);
            let rule_name = format!("rule {:?} of {who}", nfa.name);
            nfa.owners = vec![policy.dn.clone()];
            nfa.filter = self.refer(Class::Filter, text(rule, "filter_list"), &nfa.dn);
            nfa.negotiation = self.refer(Class::Negotiation, text(rule, "filter_action"), &nfa.dn);
            nfa.data = self.nfa(&rule_name, rule, &mut options);
            policy.nfas.push(nfa.dn.clone());
            self.objects.push(nfa);
        }
        if let Some(default) = table.get("default_response").and_then(Value::as_table)
            && let Some(guid) = unnamed.default_rules.get(&policy.guid)
        {
            let mut nfa = self.object(Class::Nfa, *guid, default);
            let rule_name = format!("the default response of {who}");
            nfa.owners = vec![policy.dn.clone()];
            nfa.data = self.nfa(&rule_name, default, &mut options);
            if default.contains_key("filter_action") {
                nfa.negotiation = self.refer(Class::Negotiation, text(default, "filter_action"), &nfa.dn);
            } else if let Some(guid) = unnamed.default_actions.get(&policy.guid) {
                let mut action = self.object(Class::Negotiation, *guid, &Table::new());
                action.owners = vec![nfa.dn.clone()];
                action.action = Some(numbers::NEGOTIATE);
                action.kind = Some(numbers::DEFAULT_RESPONSE);
                let (blob, missing) = quick_mode(default);
                let own = ["offers", "lifetime", "pfs"];
                let own: Table = default
                    .iter()
                    .filter(|(key, _)| own.contains(&key.as_str()))
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect();
                action.data = self.data(&rule_name, &blob, missing, &own);
                nfa.negotiation = Some(action.dn.clone());
                self.objects.push(action);
            }
            policy.nfas.push(nfa.dn.clone());
            self.objects.push(nfa);
        }
        if let Some(guid) = unnamed.isakmp.get(&policy.guid) {
            let mut isakmp = self.object(Class::Isakmp, *guid, &Table::new());
            isakmp.owners = vec![policy.dn.clone()];
            isakmp.name.clone_from(&policy.name);
            let usual = usual_main_mode();
            let main_mode = table.get("main_mode").and_then(Value::as_table).unwrap_or(&usual);
            let (blob, missing) = main_mode_blob(main_mode, *guid, options.unwrap_or_default());
            isakmp.data = self.data(&format!("the main mode of {who}"), &blob, missing, main_mode);
            policy.isakmp = Some(isakmp.dn.clone());
            self.objects.push(isakmp);
        }
        self.objects.push(policy);
    }

    fn refer(&mut self, class: Class, name: Option<&str>, by: &str) -> Option<String> {
        let (guid, owners) = self.references.get_mut(&(class, name?.to_owned()))?;
        owners.push(by.to_owned());
        Some(class.dn(*guid, self.place.container))
    }

    fn action(&mut self, object: &mut Object, table: &Table, who: &str) {
        object.kind = Some(numbers::STANDARD);
        let passthrough = table.get("inbound_passthrough").and_then(Value::as_bool).unwrap_or(false);
        let empty = NegotiationBlob { offers: Vec::new() };
        if let Some(inbound) = text(table, INBOUND_ACTION) {
            // Hosts that read no extension would take the one action for both directions.
            self.refuse(who, vec![format!("has {INBOUND_ACTION} = {inbound:?}")]);
        }
        (object.action, object.data) = match (text(table, "action"), passthrough) {
            (Some("permit"), _) => (Some(numbers::PERMIT), Data(empty.write(None))),
            (Some("block"), _) => (Some(numbers::BLOCK), Data(empty.write(None))),
            (_, passthrough) => {
                let (blob, missing) = quick_mode(table);
                let action = if passthrough { numbers::PASSTHROUGH } else { numbers::NEGOTIATE };
                (Some(action), self.data(who, &blob, missing, table))
            }
        };
    }

    /// The binary value of a rule. `options` are those of the rules before, if they have certificates.
    fn nfa(&mut self, who: &str, table: &Table, options: &mut Option<u32>) -> Data {
        let (blob, mut missing, flags) = nfa_blob(table);
        if let Some(flags) = flags
            && *options.get_or_insert(flags) != flags
        {
            missing.push("has other options for certificates than the rules before".to_owned());
        }
        self.data(who, &blob, missing, table)
    }
}

fn integer(table: &Table, key: &str) -> Option<u32> {
    table.get(key)?.as_integer().and_then(|value| u32::try_from(value).ok())
}

/// The main mode that Windows gives to a policy: objects must have one, also where nothing negotiates.
fn usual_main_mode() -> Table {
    let offers = ["3des-sha1-modp1024", "3des-md5-modp1024", "des-sha1-modp768", "des-md5-modp768"];
    Table::from_iter([("offers".to_owned(), offers.map(Value::from).to_vec().into())])
}

/// Seconds and kilobytes of a lifetime.
fn lifetime(table: &Table, default: (u32, u32)) -> (u32, u32) {
    match table.get("lifetime") {
        Some(Value::Table(table)) => {
            (integer(table, "seconds").unwrap_or(default.0), integer(table, "kilobytes").unwrap_or(default.1))
        }
        Some(_) => (integer(table, "lifetime").unwrap_or(default.0), default.1),
        None => default,
    }
}

fn unknown_keys(table: &Table, known: &[&str]) -> Vec<String> {
    let unknown = table.keys().filter(|key| !known.contains(&key.as_str()) && !OUTSIDE.contains(&key.as_str()));
    unknown.map(|key| format!("has {key}")).collect()
}

fn main_mode_blob(table: &Table, guid: Guid, options: u32) -> (IsakmpBlob, Vec<String>) {
    let mut missing = unknown_keys(table, &["offers", "lifetime", "quick_mode_limit", "master_pfs"]);
    let (seconds, kilobytes) = lifetime(table, (28_800, 0));
    let master_pfs = table.get("master_pfs").and_then(Value::as_bool).unwrap_or(false);
    let quick_mode_limit = if master_pfs { 1 } else { integer(table, "quick_mode_limit").unwrap_or(0) };
    let offers: Vec<&str> =
        table.get("offers").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut blob =
        IsakmpBlob { guid, master_pfs, options, new_groups: [0; 4], quick_mode_limit, seconds, methods: Vec::new() };
    // Those with 2048 bits that stand first go where hosts that do not know them do not look; but something must be left
    // where these look.
    let in_front =
        offers.iter().take(4).take_while(|offer| numbers::number(&numbers::NEW_GROUPS, offer).is_some()).count();
    let in_front = if in_front < offers.len() { in_front } else { 0 };
    for (slot, offer) in blob.new_groups.iter_mut().zip(offers.iter().take(in_front)) {
        *slot = numbers::number(&numbers::NEW_GROUPS, offer).and_then(|n| u8::try_from(n).ok()).unwrap_or_default();
    }
    for offer in offers.iter().skip(in_front) {
        let words: Vec<&str> = offer.split('-').collect();
        let numbers = match words.as_slice() {
            [cipher, hash, group] => numbers::number(&numbers::CIPHERS, cipher)
                .zip(numbers::number(&numbers::HASHES, hash))
                .zip(numbers::number(&numbers::GROUPS, group)),
            _ => None,
        };
        let Some(((cipher, hash), group)) = numbers else {
            missing.push(format!("offers {offer}"));
            continue;
        };
        let method =
            IsakmpMethod { cipher, hash, replacement: 0, group, quick_mode_limit, kilobytes, seconds, pfs: master_pfs };
        blob.methods.push(method);
    }
    (blob, missing)
}

fn quick_mode(table: &Table) -> (NegotiationBlob, Vec<String>) {
    let known = ["offers", "lifetime", "pfs", "fallback_to_clear", "authentication", "active", "local_id"];
    let mut missing = unknown_keys(table, &known);
    let default = lifetime(table, (3600, 100_000));
    let pfs = match table.get("pfs") {
        None => false,
        Some(Value::Boolean(on)) => *on,
        Some(_) => {
            missing.push("has a group for pfs that need not be that of main mode".to_owned());
            true
        }
    };
    let mut offers = Vec::new();
    let list = table.get("offers").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table);
    for (number, offer) in list.enumerate() {
        let (seconds, kilobytes) = lifetime(offer, default);
        // 0 is the default there, and no limit here.
        let kilobytes = if kilobytes == 0 { u32::MAX } else { kilobytes };
        match algorithms(offer) {
            Ok(algorithms) => offers.push(NegotiationOffer { seconds, kilobytes, pfs, algorithms }),
            Err(what) => missing.push(format!("has {what} in offer {}", number + 1)),
        }
    }
    if table.get("fallback_to_clear").and_then(Value::as_bool).unwrap_or(false) {
        offers.push(NegotiationOffer { seconds: 0, kilobytes: 0, pfs: false, algorithms: Vec::new() });
    }
    (NegotiationBlob { offers }, missing)
}

fn algorithms(offer: &Table) -> Result<Vec<Algorithm>, String> {
    let mut all = Vec::new();
    let hash = |name: &str| numbers::number(&numbers::HASHES, name);
    if let Some(name) = text(offer, "ah") {
        let algorithm = hash(name).ok_or_else(|| format!("ah {name}"))?;
        all.push(Algorithm { algorithm, integrity: 0, kind: AH });
    }
    if let Some(name) = text(offer, "esp") {
        let found = name.split_once('-').and_then(|(cipher, integrity)| {
            let algorithm = numbers::number(&numbers::ESP_CIPHERS, cipher)?;
            let integrity = if integrity == NONE { 0 } else { hash(integrity)? };
            Some(Algorithm { algorithm, integrity, kind: ESP })
        });
        all.push(found.ok_or_else(|| format!("esp {name}"))?);
    }
    for key in ["extended_sequence_numbers", "compression"] {
        if offer.get(key).and_then(Value::as_bool).unwrap_or(false) {
            return Err(key.to_owned());
        }
    }
    Ok(all)
}

fn nfa_blob(table: &Table) -> (NfaBlob, Vec<String>, Option<u32>) {
    let known = ["authentication", "tunnel", "connection_type", "active", "offers", "lifetime", "pfs"];
    let mut missing = unknown_keys(table, &known);
    let mut blob = NfaBlob {
        methods: Vec::new(),
        interfaces: match text(table, "connection_type") {
            Some("lan") => LAN,
            Some("dialup") => DIAL_UP,
            _ => ALL,
        },
        interface: String::new(),
        tunnel: None,
        tunnel_name: String::new(),
        is_active: table.get("active").and_then(Value::as_bool).unwrap_or(true),
        flags: Vec::new(),
    };
    if let Some(tunnel) = table.get("tunnel").and_then(Value::as_table) {
        let remote = text(tunnel, "remote").unwrap_or_default();
        match remote.parse::<std::net::Ipv4Addr>() {
            Ok(address) if !tunnel.contains_key("local") => blob.tunnel = Some(address.into()),
            Ok(_) => missing.push("has tunnel.local".to_owned()),
            Err(_) => missing.push(format!("has a tunnel to {remote}")),
        }
    }
    let mut options = None;
    for (number, method) in tables(table, "authentication").enumerate() {
        let flag = |key, bit| if method.get(key).and_then(Value::as_bool).unwrap_or(false) { bit } else { 0 };
        let flags = flag("certificate_mapping", MAP_CERTIFICATES) | flag("exclude_ca_name", NO_CERTIFICATE_REQUEST);
        if let Some(key) = text(method, "preshared_key") {
            blob.methods.push(NfaMethod::PresharedKey(Zeroizing::new(key.to_owned())));
        } else if let Some(name) = text(method, "root_ca") {
            if *options.get_or_insert(flags) != flags {
                missing.push("has authorities with different options".to_owned());
            }
            blob.methods.push(NfaMethod::Certificate(name.to_owned()));
        } else if method.contains_key("kerberos") {
            blob.methods.push(NfaMethod::Kerberos);
        } else {
            let keys: Vec<&str> = method.keys().map(String::as_str).collect();
            missing.push(format!("has {} in authentication method {}", keys.join(", "), number + 1));
        }
    }
    (blob, missing, options)
}
