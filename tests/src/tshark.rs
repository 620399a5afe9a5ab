//! What tshark sees in a capture, compared with what the analyser sees: field by field, by place and octets.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::daemon::program;
use crate::netns::recorded;
use crate::scratch::Scratch;

/// Fields of tshark, without their protocol where that is ISAKMP's, and what the analyser calls the same octets.
const SAME: &[(&str, &[&str])] = &[
    ("isakmp.ispi", &["Initiator Cookie"]),
    ("isakmp.rspi", &["Responder Cookie"]),
    ("isakmp.version", &["Version"]),
    ("isakmp.exchangetype", &["Exchange Type"]),
    ("isakmp.flags", &["Flags"]),
    ("isakmp.messageid", &["Message ID"]),
    ("isakmp.length", &["Length"]),
    ("isakmp.enc.data", &["encrypted"]),
    ("isakmp.sa.doi", &["DOI"]),
    ("isakmp.sa.situation", &["Situation"]),
    ("isakmp.prop.number", &["Proposal #"]),
    ("isakmp.prop.protoid", &["Protocol-Id"]),
    ("isakmp.prop.transforms", &["# of Transforms"]),
    ("isakmp.spisize", &["SPI Size"]),
    ("isakmp.spi", &["SPI"]),
    ("isakmp.trans.number", &["Transform #"]),
    ("isakmp.trans.id", &["Transform-Id"]),
    ("isakmp.vid_bytes", &["Vendor ID"]),
    ("isakmp.vid_string", &["Vendor ID"]),
    ("isakmp.key_exchange.data", &["Key Exchange Data"]),
    ("isakmp.nonce", &["Nonce Data"]),
    ("isakmp.hash", &["Hash Data"]),
    ("isakmp.sig", &["Signature Data"]),
    ("isakmp.id.type", &["ID Type"]),
    ("isakmp.id.protoid", &["Protocol ID"]),
    ("isakmp.id.port", &["Port"]),
    ("isakmp.id.data", &["Identification Data"]),
    ("isakmp.cert.encoding", &["Cert Encoding"]),
    ("isakmp.certreq.type", &["Cert. Type"]),
    ("isakmp.ike.nat_hash", &["HASH"]),
    ("isakmp.notify.doi", &["DOI"]),
    ("isakmp.notify.protoid", &["Protocol-ID"]),
    ("isakmp.notify.msgtype", &["Notify Message Type"]),
    ("isakmp.notify.data", &["Notification Data"]),
    ("isakmp.delete.doi", &["DOI"]),
    ("isakmp.delete.protoid", &["Protocol-Id"]),
    ("isakmp.delete.spi", &["SPI"]),
    ("isakmp.cfg.type", &["Type"]),
    ("isakmp.cfg.identifier", &["Identifier"]),
    ("isakmp.cert.data", &["Certificate Data"]),
    ("isakmp.ike.nat_original_address_ipv4", &["original address"]),
    ("isakmp.ike.nat_original_address_ipv6", &["original address"]),
    ("isakmp.spinum", &["# of SPIs"]),
    ("isakmp.frag.packetid", &["fragment id"]),
    ("isakmp.frag.seq", &["fragment number"]),
    ("isakmp.frag.last", &["last"]),
    ("isakmp.datapayload", &["data"]),
    ("udpencap.nat_keepalive", &["NAT-keepalive"]),
    ("udpencap.non_esp_marker", &["Non-ESP Marker"]),
    ("esp.spi", &["Security Parameters Index (SPI)"]),
    ("esp.sequence", &["Sequence Number"]),
    ("isakmp.extradata", &["padding"]),
    ("esp.icv_good", &["Integrity Check Value (ICV)"]),
    ("esp.icv", &["Integrity Check Value (ICV)"]),
    ("esp.iv", &["IV"]),
    ("esp.encrypted_data", &["encrypted"]),
    ("esp.pad_len", &["Pad Length"]),
    ("esp.pad", &["Padding"]),
    ("esp.protocol", &["Next Header"]),
    ("ah.next_header", &["Next Header"]),
    ("ah.length", &["Payload Len"]),
    ("ah.reserved", &["RESERVED"]),
    ("ah.spi", &["Security Parameters Index (SPI)"]),
    ("ah.sequence", &["Sequence Number"]),
    ("ah.icv", &["Integrity Check Value (ICV)"]),
];

/// Fields of tshark that are a part of a field of the analyser's, or name one once more: of attributes, type and value.
const PART_OF: &[(&str, &[&str])] = &[
    ("isakmp.ike.attr", &[]),
    ("isakmp.ipsec.attr", &[]),
    ("isakmp.cfg.attr", &[]),
    ("isakmp.tf.attr", &[]),
    ("isakmp.id.data.", &["Identification Data"]),
    ("isakmp.notify.data.resp_lifetime.", &[]),
    ("isakmp.notify.data.", &["Notification Data"]),
    ("isakmp.vid.", &["Vendor ID"]),
    ("isakmp.ike.certreq.", &["Certificate Authority"]),
    ("isakmp.cert.", &["Certificate Data"]),
];

/// Fields that nothing stands for: reserved octets, of which any but zero is a fault; all that was decrypted in one, whose parts
/// are compared; and what tshark makes up itself.
const NOTHING: &[&str] = &[
    "isakmp.reserved",
    "isakmp.enc.decrypted",
    "isakmp.enc.contained",
    "esp.decrypted_data",
    "esp.contained_data",
    "esp.sequence-analysis",
];

/// What every main mode and quick mode shows without keys.
pub const MAIN_MODE: &[&str] = &[
    "isakmp.ispi",
    "isakmp.rspi",
    "isakmp.nextpayload",
    "isakmp.messageid",
    "isakmp.typepayload",
    "isakmp.payloadlength",
    "isakmp.prop.protoid",
    "isakmp.ike.attr.encryption_algorithm",
    "isakmp.vid_string",
    "isakmp.key_exchange.data",
    "isakmp.nonce",
    "isakmp.ike.nat_hash",
    "isakmp.enc.data",
    "esp.spi",
    "esp.sequence",
];

/// How many of tshark's packets and fields the analyser has alike, and what it does not.
#[derive(Debug, Default)]
pub struct Agreement {
    /// Packets with ISAKMP, AH, ESP or a keep-alive.
    pub packets: usize,
    /// Fields of these that were compared.
    pub fields: usize,
    /// Names of fields that were.
    pub names: BTreeSet<String>,
    /// What differs.
    pub differences: Vec<String>,
}

impl Agreement {
    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.fields += other.fields;
        self.names.extend(other.names);
        self.differences.extend(other.differences);
    }

    /// Nothing differs, and the fields of all of these names have been compared.
    #[track_caller]
    pub fn check(&self, names: &[&str]) {
        let Self { packets, fields, differences, .. } = self;
        assert!(differences.is_empty(), "{packets} packets, {fields} fields; differing:\n{}", differences.join("\n"));
        let missing: Vec<_> = names.iter().filter(|name| !self.names.contains(**name)).collect();
        assert!(missing.is_empty(), "no {missing:?} among {:?}", self.names);
        println!("{packets} packets and {fields} fields agree");
    }
}

/// A field as tshark or the analyser has it.
#[derive(Debug, Clone)]
struct Field {
    name: String,
    offset: usize,
    length: usize,
    /// In hexadecimal; of the analyser's empty where a field holds others, or a secret.
    octets: String,
    value: String,
    /// It holds no others.
    leaf: bool,
}

/// The output of a program that must succeed.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Compares what both see of a scenario.
pub fn agreement(purpose: &str, scenario: impl FnOnce()) -> Agreement {
    let scratch = Scratch::new(purpose);
    let file = scratch.join("wire.pcap");
    recorded(&file, scenario);
    compare(&file, &scratch.join("no-settings"))
}

/// Compares what both see in the capture `file` with the keys in `keys`; tshark with those that the analyser exports, into
/// `home`.
pub fn compare_decrypted(file: &Path, keys: &Path, home: &Path) -> Agreement {
    let mut analyser = Command::new(program());
    analyser
        .args(["capture", "--all", "--format", "json", "--keys"])
        .arg(keys)
        .arg("--export-keys")
        .arg(home)
        .arg(file);
    let ours = output(&mut analyser);
    let mut tshark = tshark(file, home);
    tshark.args(["-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE"]);
    agreement_of(&output(&mut tshark), &ours)
}

fn tshark(file: &Path, home: &Path) -> Command {
    let mut tshark = Command::new("tshark");
    tshark.env("WIRESHARK_CONFIG_DIR", home).args(["-n", "-T", "json", "-x", "--no-duplicate-keys", "-r"]).arg(file);
    tshark
}

/// Compares what both see in the capture `file`. tshark has its settings from `home`, where there need be none.
pub fn compare(file: &Path, home: &Path) -> Agreement {
    let mut analyser = Command::new(program());
    let ours = output(analyser.args(["capture", "--all", "--format", "json"]).arg(file));
    agreement_of(&output(&mut tshark(file, home)), &ours)
}

fn agreement_of(theirs: &str, ours: &str) -> Agreement {
    let theirs: Vec<Value> = serde_json::from_str(theirs).expect("JSON of tshark");
    let ours: Vec<Value> = ours.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(theirs.len(), ours.len(), "packets");
    let mut agreement = Agreement::default();
    for (number, (theirs, ours)) in theirs.iter().zip(&ours).enumerate() {
        packet(number + 1, &theirs["_source"]["layers"], ours, &mut agreement);
    }
    agreement
}

fn packet(number: usize, theirs: &Value, ours: &Value, agreement: &mut Agreement) {
    let mut fields = Vec::new();
    collect_theirs(theirs, &mut fields);
    let of_interest = |field: &&Field| {
        ["isakmp.", "esp.", "ah.", "udpencap."].iter().any(|protocol| field.name.starts_with(protocol))
    };
    let fields: Vec<&Field> = fields.iter().filter(of_interest).collect();
    let is_ipsec = ["ISAKMP", "ESP", "AH", "NAT-T"].iter().any(|protocol| ours["protocol"] == *protocol);
    if fields.is_empty() && !is_ipsec {
        return;
    }
    agreement.packets += 1;
    let mut nodes = Vec::new();
    ours["layers"].as_array().into_iter().flatten().for_each(|layer| {
        // tshark counts in what was decrypted from behind the header, which was not.
        let before = if layer["in"] == "decrypted message" { 28 } else { 0 };
        collect_ours(layer, before, &mut nodes);
    });
    if fields.is_empty() {
        agreement.differences.push(format!("packet {number}: tshark sees nothing in {}", ours["summary"]));
    }
    for fault in ours["faults"].as_array().into_iter().flatten() {
        agreement.differences.push(format!("packet {number}: {fault}"));
    }
    for field in fields {
        match found(field, &nodes) {
            Some(true) => {
                agreement.fields += 1;
                agreement.names.insert(field.name.clone());
            }
            Some(false) => agreement.differences.push(format!("packet {number}: {field:?}")),
            None => {}
        }
    }
}

/// Whether the analyser has the field, too; `None` for what is not compared.
fn found(field: &Field, nodes: &[Field]) -> Option<bool> {
    let name = field.name.as_str();
    let within = |node: &&Field| {
        node.offset <= field.offset && field.offset + field.length <= node.offset + node.length && node.leaf
    };
    if NOTHING.iter().any(|nothing| name.starts_with(nothing)) {
        return None;
    }
    match name {
        // In the header a field, of a payload what the next one is.
        "isakmp.nextpayload" => {
            let header = nodes.iter().any(|node| node.name == "Next Payload" && same(node, field));
            Some(header || next_payload(field, nodes))
        }
        "esp.icv_bad" => Some(field.value == "0"),
        "isakmp.typepayload" => {
            Some(nodes.iter().any(|node| node.name.ends_with(" payload") && place(node) == place(field)))
        }
        "isakmp.payloadlength" => {
            let stated = usize::from_str_radix(&field.octets, 16).ok();
            let start = field.offset.checked_sub(2);
            let is = |node: &Field| Some(node.offset) == start && Some(node.length) == stated;
            Some(nodes.iter().any(|node| node.name.ends_with(" payload") && is(node)))
        }
        // Both know a vendor ID by name or neither does, or only the analyser does.
        "isakmp.vid_string" => {
            let known = !field.value.contains("Unknown");
            let node = nodes.iter().find(|node| node.name == "Vendor ID" && same(node, field))?;
            Some(!known || !node.value.starts_with("unknown"))
        }
        _ => {
            if let Some((_, names)) = SAME.iter().find(|(theirs, _)| *theirs == name) {
                let known = |node: &&Field| names.contains(&node.name.as_str());
                return Some(nodes.iter().filter(known).any(|node| same(node, field)));
            }
            // One that nobody has thought of differs.
            let Some((_, names)) = PART_OF.iter().find(|(theirs, _)| name.starts_with(theirs)) else {
                return Some(false);
            };
            let known = |node: &&Field| names.is_empty() || names.contains(&node.name.as_str());
            Some(nodes.iter().filter(known).filter(within).any(|node| part(node, field)))
        }
    }
}

fn place(field: &Field) -> (usize, usize) {
    (field.offset, field.length)
}

fn same(node: &Field, field: &Field) -> bool {
    place(node) == place(field) && (node.octets == field.octets || node.octets.is_empty())
}

/// The octets of the field stand at its place in those of the node.
fn part(node: &Field, field: &Field) -> bool {
    let start = (field.offset - node.offset) * 2;
    let secret = node.octets.is_empty() && node.value.ends_with("not shown");
    secret || node.octets.get(start..start + field.octets.len()) == Some(field.octets.as_str())
}

/// The payload that begins at the field's place is followed by one of the type that the field says, in the same chain.
fn next_payload(field: &Field, nodes: &[Field]) -> bool {
    let Ok(kind) = u8::from_str_radix(&field.octets, 16) else { return false };
    let payload = |node: &&Field| node.name.ends_with(" payload");
    let Some(this) = nodes.iter().filter(payload).find(|node| node.offset == field.offset) else { return false };
    let end = this.offset + this.length;
    match kind {
        0 => true,
        _ => nodes
            .iter()
            .filter(payload)
            .any(|node| node.offset == end && node.name.ends_with(&format!("({kind}) payload"))),
    }
}

/// Everything that tshark has with its octets, apart from single bits.
fn collect_theirs(value: &Value, fields: &mut Vec<Field>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                if let Some(name) = key.strip_suffix("_raw") {
                    let shown = object.get(name).cloned().unwrap_or_default();
                    let entries = value.as_array().cloned().unwrap_or_default();
                    let nested = entries.first().is_some_and(Value::is_array);
                    let entries = if nested { entries } else { vec![Value::Array(entries)] };
                    for (at, entry) in entries.iter().enumerate() {
                        let shown = shown.get(at).unwrap_or(&shown);
                        fields.extend(their_field(name, entry, shown));
                    }
                } else {
                    collect_theirs(value, fields);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_theirs(value, fields)),
        _ => {}
    }
}

fn their_field(name: &str, entry: &Value, shown: &Value) -> Option<Field> {
    let number = |at: usize| entry[at].as_u64().and_then(|value| usize::try_from(value).ok());
    // A bit of a field, or something that stands nowhere.
    if number(3)? != 0 || number(2)? == 0 {
        return None;
    }
    Some(Field {
        name: name.to_owned(),
        offset: number(1)?,
        length: number(2)?,
        octets: entry[0].as_str()?.to_owned(),
        value: shown.as_str().unwrap_or_default().to_owned(),
        leaf: true,
    })
}

/// Every field of the analyser, those that hold others, too.
fn collect_ours(value: &Value, before: usize, fields: &mut Vec<Field>) {
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let number = |key: &str| value[key].as_u64().and_then(|value| usize::try_from(value).ok()).unwrap_or_default();
    fields.push(Field {
        name: text("name"),
        offset: number("offset").wrapping_sub(before),
        length: number("length"),
        octets: text("octets"),
        value: text("value"),
        leaf: value["fields"].is_null(),
    });
    value["fields"].as_array().into_iter().flatten().for_each(|field| collect_ours(field, before, fields));
}
