//! What a frame is: layer by layer, every field by name and place, up to ISAKMP's, AH's and ESP's.
//!
//! Octets in, a tree out. A damaged frame is shown as far as it goes, with the fault where it stands. ISAKMP is taken apart
//! by the codec that negotiates, so that both see the same and call it by the same names.
mod ip;
mod isakmp;
mod link;
mod null;
mod protected;
mod session;
#[cfg(test)]
mod tests;
mod transport;

use std::net::IpAddr;

use ikecore::endpoint::LoggedKey;
use ikecore::ids::Spi;
use ikecore::wire::dump::{FAULT, Node};

pub(crate) use isakmp::Isakmp;
use session::Session;

use super::file::Frame;

/// The most layers of one frame: what is wrapped deeper is not looked into.
const DEEPEST: usize = 16;

/// A frame, taken apart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Packet {
    /// The octets that the layers stand in. The first are the frame's.
    pub(crate) buffers: Vec<Buffer>,
    /// From the outermost to the innermost.
    pub(crate) layers: Vec<Layer>,
}

/// Octets that layers stand in.
#[derive(Debug, Clone)]
pub(crate) struct Buffer {
    /// What they are.
    pub(crate) name: &'static str,
    /// The octets.
    pub(crate) octets: Vec<u8>,
}

/// One layer.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    /// In which of the buffers it stands.
    pub(crate) buffer: usize,
    /// What it is.
    pub(crate) facts: Facts,
    /// Its fields.
    pub(crate) node: Node,
}

/// What a layer is, and what of it is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Facts {
    /// What stands before IP: Ethernet and its like.
    Link,
    /// An IP header.
    Ip {
        /// The source address.
        source: IpAddr,
        /// The destination address.
        destination: IpAddr,
    },
    /// A UDP header.
    Udp {
        /// The source port.
        source: u16,
        /// The destination port.
        destination: u16,
    },
    /// An ISAKMP message.
    Isakmp(Box<Isakmp>),
    /// A keep-alive of NAT traversal (RFC 3948 §2.3).
    KeepAlive,
    /// An AH header.
    Ah {
        /// The SA.
        spi: Spi,
        /// The sequence number, or its lower half.
        sequence: u32,
    },
    /// An ESP packet.
    Esp {
        /// The SA.
        spi: Spi,
        /// The sequence number, or its lower half.
        sequence: u32,
    },
    /// An ISAKMP message that was decrypted: the next layer is what it holds.
    Encrypted,
    /// ISAKMP, AH or ESP of which not even the header can be read, or of another version, by name.
    Unreadable(String),
    /// Anything else, by the name of its protocol.
    Other(String),
    /// What is wrong with the frame as a whole.
    Fault,
}

impl Packet {
    /// What each layer is.
    pub(crate) fn facts(&self) -> impl DoubleEndedIterator<Item = &Facts> {
        self.layers.iter().map(|layer| &layer.facts)
    }

    /// Source and destination of the outermost IP header.
    pub(crate) fn addresses(&self) -> Option<(IpAddr, IpAddr)> {
        self.facts().find_map(|facts| match facts {
            Facts::Ip { source, destination } => Some((*source, *destination)),
            _ => None,
        })
    }

    /// True if it has to do with IPsec: ISAKMP, AH, ESP, or a keep-alive of NAT traversal.
    pub(crate) fn is_ipsec(&self) -> bool {
        let of = |facts: &Facts| {
            matches!(
                facts,
                Facts::Isakmp(_) | Facts::Ah { .. } | Facts::Esp { .. } | Facts::KeepAlive | Facts::Unreadable(_)
            )
        };
        self.facts().any(of)
    }

    /// Everything that is wrong with it.
    pub(crate) fn faults(&self) -> Vec<&str> {
        fn collect<'n>(node: &'n Node, faults: &mut Vec<&'n str>) {
            if node.name == FAULT {
                faults.push(&node.value);
            }
            node.children.iter().for_each(|child| collect(child, faults));
        }
        let mut faults = Vec::new();
        self.layers.iter().for_each(|layer| collect(&layer.node, &mut faults));
        faults
    }
}

/// Takes frames apart, one after the other: what is said in one is needed to read a later one.
#[derive(Debug, Default)]
pub(crate) struct Dissector {
    session: Session,
}

impl Dissector {
    /// One that reads what is encrypted with these keys.
    pub(crate) fn new(keys: Vec<LoggedKey>) -> Self {
        Self { session: Session::new(keys) }
    }

    /// Takes a frame apart.
    pub(crate) fn packet(&mut self, frame: &Frame) -> Packet {
        let buffers = vec![Buffer { name: "frame", octets: frame.octets.clone() }];
        let mut walk = Walk { packet: Packet { buffers, layers: Vec::new() }, session: &mut self.session };
        walk.link(frame.link, &frame.octets);
        let there = frame.octets.len();
        if frame.original > there {
            let fault = format!("the frame had {} octets, {there} of them were captured", frame.original);
            walk.push(Place { buffer: 0, base: 0 }, Facts::Fault, Node::new(FAULT, fault, there..there));
        }
        walk.packet
    }

    /// The keys that have been of use.
    pub(crate) fn used(&self) -> impl Iterator<Item = &LoggedKey> {
        self.session.used()
    }
}

/// The way through one frame.
struct Walk<'s> {
    packet: Packet,
    session: &'s mut Session,
}

impl Walk<'_> {
    fn push(&mut self, at: Place, facts: Facts, node: Node) {
        self.packet.layers.push(Layer { buffer: at.buffer, facts, node: node.moved(at.base) });
    }

    /// Octets that did not stand in the frame as they are.
    fn buffer(&mut self, name: &'static str, octets: Vec<u8>) -> Place {
        self.packet.buffers.push(Buffer { name, octets });
        Place { buffer: self.packet.buffers.len() - 1, base: 0 }
    }
}

/// Where octets stand that are taken apart.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// In which buffer.
    buffer: usize,
    /// From which of its octets on.
    base: usize,
}

impl Place {
    const fn after(self, octets: usize) -> Self {
        Self { base: self.base + octets, ..self }
    }
}

/// Reads the fields of one header; the places of the nodes count from its first octet.
struct Fields<'a> {
    octets: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
}

/// Too few octets are left for a field. It has been noted as a fault.
struct Short;

impl<'a> Fields<'a> {
    const fn new(octets: &'a [u8]) -> Self {
        Self { octets, at: 0, nodes: Vec::new() }
    }

    /// `N` octets, which are the field of this name; `show` says what they mean.
    fn field<const N: usize>(&mut self, name: &str, show: impl FnOnce([u8; N]) -> String) -> Result<[u8; N], Short> {
        match self.octets.get(self.at..).and_then(|rest| rest.first_chunk::<N>()) {
            Some(value) => {
                self.nodes.push(Node::new(name, show(*value), self.at..self.at + N));
                self.at += N;
                Ok(*value)
            }
            None => Err(self.short(name, N)),
        }
    }

    fn u8(&mut self, name: &str, show: impl FnOnce(u8) -> String) -> Result<u8, Short> {
        self.field(name, |[value]| show(value)).map(|[value]| value)
    }

    fn u16(&mut self, name: &str, show: impl FnOnce(u16) -> String) -> Result<u16, Short> {
        self.field(name, |value| show(u16::from_be_bytes(value))).map(u16::from_be_bytes)
    }

    fn u32(&mut self, name: &str, show: impl FnOnce(u32) -> String) -> Result<u32, Short> {
        self.field(name, |value| show(u32::from_be_bytes(value))).map(u32::from_be_bytes)
    }

    /// Octets that are only counted.
    fn take(&mut self, name: &str, count: usize) -> Result<&'a [u8], Short> {
        match self.octets.get(self.at..).and_then(|rest| rest.get(..count)) {
            Some(value) => {
                if count > 0 {
                    self.nodes.push(Node::length(name, self.at..self.at + count));
                }
                self.at += count;
                Ok(value)
            }
            None => Err(self.short(name, count)),
        }
    }

    /// Notes what is wrong where the reading has come to.
    fn fault(&mut self, text: impl ToString) {
        self.nodes.push(Node::new(FAULT, text, self.at..self.at));
    }

    fn short(&mut self, name: &str, needed: usize) -> Short {
        let left = self.octets.len().saturating_sub(self.at);
        self.fault(format!("{name} needs {needed} octets, {left} are left"));
        Short
    }

    /// A layer of what has been read.
    fn into_node(self, name: &str, value: impl ToString) -> Node {
        Node::with(name, value, 0..self.at, self.nodes)
    }
}
