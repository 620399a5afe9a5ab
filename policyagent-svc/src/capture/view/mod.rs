//! Packets as they are shown: a line, a tree, octets, JSON.
mod hex;
mod json;
mod summary;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use ikecore::wire::dump::{self, Node, Shown};

pub(crate) use json::json;
pub(crate) use summary::summary;

use super::dissect::{Buffer, Packet};
use super::file::{Frame, Timestamp};

/// A packet of a capture, taken apart.
pub(crate) struct Seen<'a> {
    /// Its number in the capture, from 1.
    pub(crate) number: u64,
    /// The frame.
    pub(crate) frame: &'a Frame,
    /// What it is.
    pub(crate) packet: &'a Packet,
    /// When the first frame of the capture was captured.
    pub(crate) start: Option<Timestamp>,
}

/// The octets of a buffer that are not to be shown.
fn secrets(packet: &Packet, buffer: usize) -> Vec<std::ops::Range<usize>> {
    fn collect(node: &Node, secrets: &mut Vec<std::ops::Range<usize>>) {
        if node.shown == Shown::Secret {
            secrets.push(node.at.clone());
        }
        node.children.iter().for_each(|child| collect(child, secrets));
    }
    let mut secrets = Vec::new();
    packet.layers.iter().filter(|layer| layer.buffer == buffer).for_each(|layer| collect(&layer.node, &mut secrets));
    secrets
}

/// Every layer with its fields, a line each.
pub(crate) fn tree(packet: &Packet) -> String {
    let mut out = String::new();
    for layer in &packet.layers {
        if let Some(buffer) = packet.buffers.get(layer.buffer) {
            branch(&layer.node, buffer, 1, &mut out);
        }
    }
    out
}

fn branch(node: &Node, buffer: &Buffer, depth: usize, out: &mut String) {
    let Node { name, value, at, shown, children } = node;
    let separator = if value.is_empty() { "" } else { ": " };
    // Writing to a String does not fail.
    let _ = write!(out, "{:1$}{name}{separator}{value}", "", depth * 2);
    let octets = buffer.octets.get(at.clone()).unwrap_or_default();
    if *shown == Shown::Length && !octets.is_empty() {
        let _ = write!(out, ", {}", dump::hex(octets));
    }
    out.push('\n');
    children.iter().for_each(|child| branch(child, buffer, depth + 1, out));
}

/// Every buffer in hexadecimal and as text.
pub(crate) fn octets(packet: &Packet) -> String {
    let mut out = String::new();
    for (number, buffer) in packet.buffers.iter().enumerate() {
        let _ = writeln!(out, "  {} ({} octets)", buffer.name, buffer.octets.len());
        hex::dump(&buffer.octets, &secrets(packet, number), &mut out);
    }
    out
}
