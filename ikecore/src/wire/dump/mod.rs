//! Messages as people read them: every payload, field and code by name.
//!
//! A damaged message is shown as far as it goes, with the fault where it stands. What could help to attack an SA or
//! belongs to a user is not shown: of key exchange values, nonces, hashes, signatures and secrets only the length.
use super::chain::{GENERIC_HEADER, Padding, RawPayload, parse_lenient};
use super::codes::Flags;
use super::error::{Fault, WireError};
use super::header::Header;
use core::ops::Range;

mod attributes;
mod payloads;
mod sa;
#[cfg(test)]
mod tests;

/// The name of a node that says what is wrong where it stands.
pub const FAULT: &str = "FAULT";

/// How much of a node's octets its value tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// What they mean.
    Meaning,
    /// How many there are: they are on the wire for all to see, but do not belong into a trace.
    Length,
    /// How many there are, and nobody is to show more: they are a user's secret.
    Secret,
}

/// A named thing with what it says and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is: a payload, a field, [`FAULT`].
    pub name: String,
    /// What it says; empty if only the children say something.
    pub value: String,
    /// Where it stands: octets from the start of the message, its header included. Empty for a fault.
    pub at: Range<usize>,
    /// What of these octets `value` tells.
    pub shown: Shown,
    /// What it holds.
    pub children: Vec<Self>,
}

/// One line of text and how far it is indented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Levels below the message.
    pub depth: usize,
    /// The text, without indentation and line end, with no control characters.
    pub text: String,
}

impl Node {
    /// A node that holds nothing.
    pub fn new(name: impl Into<String>, value: impl ToString, at: Range<usize>) -> Self {
        Self { name: name.into(), value: value.to_string(), at, shown: Shown::Meaning, children: Vec::new() }
    }

    /// A node that holds others.
    pub fn with(name: impl Into<String>, value: impl ToString, at: Range<usize>, children: Vec<Self>) -> Self {
        Self { children, ..Self::new(name, value, at) }
    }

    /// A node that tells only how many octets there are.
    pub fn length(name: impl Into<String>, at: Range<usize>) -> Self {
        Self { shown: Shown::Length, ..Self::new(name, octets(at.len()), at) }
    }

    fn fault(error: &WireError) -> Self {
        Self::new(FAULT, error, error.offset..error.offset)
    }

    /// The same in octets that begin `base` octets earlier.
    #[must_use]
    pub fn moved(mut self, base: usize) -> Self {
        self.at = self.at.start.saturating_add(base)..self.at.end.saturating_add(base);
        self.children = self.children.into_iter().map(|child| child.moved(base)).collect();
        self
    }

    /// The node and everything below it, one line each.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        self.collect(0, &mut lines);
        lines
    }

    fn collect(&self, depth: usize, lines: &mut Vec<Line>) {
        let separator = if self.value.is_empty() { "" } else { ": " };
        lines.push(Line { depth, text: format!("{}{separator}{}", self.name, self.value) });
        self.children.iter().for_each(|child| child.collect(depth + 1, lines));
    }
}

/// The tree of a message whose body is plain: `plain` holds all octets behind the header. If `header` has the E flag,
/// `plain` is what was decrypted, and octets behind the last payload are padding.
pub fn tree(header: &Header, plain: &[u8]) -> Node {
    let mut node = head(header);
    let encrypted = header.flags.contains(Flags::ENCRYPTION);
    let padding = if encrypted { Padding::Allowed } else { Padding::Forbidden };
    let (chain, fault) = parse_lenient(header.next_payload, plain, padding);
    let mut inside: Vec<Node> = chain.payloads.iter().map(payload).collect();
    if !chain.padding.is_empty() {
        let name = if encrypted { "padding" } else { "octets after the last payload" };
        inside.push(Node::length(name, plain.len().saturating_sub(chain.padding.len())..plain.len()));
    }
    inside.extend(fault.as_ref().map(Node::fault));
    node.children.extend(inside.into_iter().map(|child| child.moved(Header::LEN)));
    node.at.end = Header::LEN.saturating_add(plain.len());
    node
}

/// The tree of a message whose body cannot be read.
pub fn tree_encrypted(header: &Header) -> Node {
    encrypted(header, usize::try_from(header.length).unwrap_or(usize::MAX).saturating_sub(Header::LEN))
}

/// The same with so many octets behind the header, whatever it says.
fn encrypted(header: &Header, body: usize) -> Node {
    let mut node = head(header);
    node.at.end = Header::LEN.saturating_add(body);
    node.children.push(Node::length("encrypted", Header::LEN..node.at.end));
    node
}

/// The tree of a datagram as it stands on the wire, whatever it is.
pub fn tree_datagram(datagram: &[u8]) -> Node {
    let header = match Header::read(datagram) {
        Ok(header) => header,
        Err(error) => {
            return Node::with("ISAKMP", octets(datagram.len()), 0..datagram.len(), vec![Node::fault(&error)]);
        }
    };
    let body = datagram.get(Header::LEN..).unwrap_or_default();
    let mut node = match Header::decode(datagram) {
        Err(WireError { fault: Fault::MajorVersion(_), .. }) => head(&header),
        _ if header.flags.contains(Flags::ENCRYPTION) => encrypted(&header, body.len()),
        _ => tree(&header, body),
    };
    let fault = Header::decode(datagram).and_then(|header| header.check());
    node.children.extend(fault.as_ref().err().map(Node::fault));
    node
}

/// [`tree`] as lines.
pub fn lines(header: &Header, plain: &[u8]) -> Vec<Line> {
    tree(header, plain).lines()
}

/// [`tree_encrypted`] as lines.
pub fn lines_encrypted(header: &Header) -> Vec<Line> {
    tree_encrypted(header).lines()
}

/// [`tree_datagram`] as lines.
pub fn lines_datagram(datagram: &[u8]) -> Vec<Line> {
    tree_datagram(datagram).lines()
}

fn head(header: &Header) -> Node {
    let fields = vec![
        Node::new("Initiator Cookie", header.initiator, 0..8),
        Node::new("Responder Cookie", header.responder, 8..16),
        Node::new("Next Payload", header.next_payload, 16..17),
        Node::new("Version", format!("{}.{}", header.version >> 4, header.version & 0x0f), 17..18),
        Node::new("Exchange Type", header.exchange, 18..19),
        Node::new("Flags", header.flags, Header::FLAGS..20),
        Node::new("Message ID", header.message_id, 20..24),
        Node::new("Length", header.length, 24..Header::LEN),
    ];
    let summary = header.exchange.to_string();
    let whole = 0..Header::LEN;
    Node::with("ISAKMP", summary, whole.clone(), vec![Node::with("header", "", whole, fields)])
}

/// A payload with its fields, or with its fault; their places count from the start of the chain.
fn payload(raw: &RawPayload<'_>) -> Node {
    let mut children = Vec::new();
    let base = raw.offset + GENERIC_HEADER;
    if let Err(error) = raw.decode(|body| payloads::fields(raw.kind, body, base, &mut children)) {
        children.push(Node::fault(&error));
    }
    let at = raw.offset..raw.offset + raw.whole.len();
    Node::with(format!("{} payload", raw.kind), octets(raw.whole.len()), at, children)
}

fn octets(count: usize) -> String {
    if count == 1 { "1 octet".to_owned() } else { format!("{count} octets") }
}

/// The most octets that are written out.
const SHOWN: usize = 64;

/// Octets in hexadecimal, the beginning of them if they are many.
pub fn hex(data: &[u8]) -> String {
    let shown: String = data.iter().take(SHOWN).map(|octet| format!("{octet:02x}")).collect();
    let more = data.len().saturating_sub(SHOWN);
    match (data.len(), more) {
        (0, _) => "empty".to_owned(),
        (_, 0) => shown,
        _ => format!("{shown}... and {more} more octets"),
    }
}

/// Octets as quoted text if they are printable ASCII, else in hexadecimal.
pub fn text(data: &[u8]) -> String {
    match core::str::from_utf8(data) {
        Ok(text) if !text.is_empty() && data.len() <= 4 * SHOWN && text.bytes().all(|b| matches!(b, b' '..=b'~')) => {
            format!("\"{text}\"")
        }
        _ => hex(data),
    }
}
