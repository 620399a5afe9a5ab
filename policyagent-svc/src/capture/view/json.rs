//! A packet as JSON.
use ikecore::wire::dump::{FAULT, Node, Shown};
use serde_json::{Map, Value, json};

use super::Seen;
use super::summary::about;
use crate::capture::dissect::{Buffer, Facts, Packet};

/// One object: the frame, its layers with every field, its place and its octets, and everything that is wrong.
pub(crate) fn json(seen: &Seen<'_>) -> Value {
    let Seen { number, frame, packet, start: _ } = seen;
    let (protocol, about) = about(packet);
    let addresses = packet.addresses();
    let text = |address: Option<std::net::IpAddr>| address.map(|address| address.to_string());
    json!({
        "number": number,
        "time": frame.time.map(|time| format!("{}.{:09}", time.seconds, time.nanoseconds)),
        "interface": frame.interface,
        "link": frame.link.to_string(),
        "length": frame.original,
        "captured": frame.octets.len(),
        "source": text(addresses.map(|(source, _)| source)),
        "destination": text(addresses.map(|(_, destination)| destination)),
        "protocol": protocol,
        "summary": about,
        "layers": layers(packet),
        "faults": packet.faults(),
    })
}

fn layers(packet: &Packet) -> Vec<Value> {
    let shown = packet.layers.iter().filter(|layer| !matches!(layer.facts, Facts::Fault));
    let value = |(layer, buffer)| {
        let layer: &crate::capture::dissect::Layer = layer;
        field(&layer.node, buffer, true)
    };
    shown.filter_map(|layer| Some((layer, packet.buffers.get(layer.buffer)?))).map(value).collect()
}

/// A node with what it holds. Of those that hold nothing the octets are told, too, unless they are a secret.
fn field(node: &Node, buffer: &Buffer, outermost: bool) -> Value {
    let mut object = Map::new();
    object.insert("name".to_owned(), node.name.clone().into());
    object.insert("value".to_owned(), node.value.clone().into());
    object.insert("offset".to_owned(), node.at.start.into());
    object.insert("length".to_owned(), node.at.len().into());
    if outermost {
        object.insert("in".to_owned(), buffer.name.into());
    }
    if !node.children.is_empty() {
        let children: Vec<_> = node.children.iter().map(|child| field(child, buffer, false)).collect();
        object.insert("fields".to_owned(), children.into());
    } else if node.shown != Shown::Secret && node.name != FAULT {
        let octets = buffer.octets.get(node.at.clone()).unwrap_or_default();
        let digits: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        object.insert("octets".to_owned(), digits.into());
    }
    Value::Object(object)
}
