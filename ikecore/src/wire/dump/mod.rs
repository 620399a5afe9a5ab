//! Messages as people read them: every payload, field and code by name.
//!
//! A damaged message is shown as far as it goes, with the fault where it stands. What could help to attack an SA or
//! belongs to a user is not shown: of key exchange values, nonces, hashes, signatures and secrets only the length.
use super::chain::{GENERIC_HEADER, Padding, RawPayload, parse_lenient};
use super::codes::Flags;
use super::error::{Fault, WireError};
use super::header::Header;

mod attributes;
mod payloads;
mod sa;
#[cfg(test)]
mod tests;

/// A named thing with what it says and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it is: a payload, a field, `FAULT`.
    pub name: String,
    /// What it says; empty if only the children say something.
    pub value: String,
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
    fn new(name: impl Into<String>, value: impl ToString) -> Self {
        Self { name: name.into(), value: value.to_string(), children: Vec::new() }
    }

    fn with(name: impl Into<String>, value: impl ToString, children: Vec<Self>) -> Self {
        Self { children, ..Self::new(name, value) }
    }

    fn fault(error: &WireError) -> Self {
        Self::new("FAULT", error)
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
    node.children.extend(chain.payloads.iter().map(payload));
    if !chain.padding.is_empty() {
        let name = if encrypted { "padding" } else { "octets after the last payload" };
        node.children.push(Node::new(name, octets(chain.padding.len())));
    }
    node.children.extend(fault.as_ref().map(Node::fault));
    node
}

/// The tree of a message whose body cannot be read.
pub fn tree_encrypted(header: &Header) -> Node {
    let mut node = head(header);
    let body = usize::try_from(header.length).unwrap_or(usize::MAX).saturating_sub(Header::LEN);
    node.children.push(Node::new("encrypted", octets(body)));
    node
}

/// The tree of a datagram as it stands on the wire, whatever it is.
pub fn tree_datagram(datagram: &[u8]) -> Node {
    let header = match Header::read(datagram) {
        Ok(header) => header,
        Err(error) => return Node::with("ISAKMP", octets(datagram.len()), vec![Node::fault(&error)]),
    };
    let body = datagram.get(Header::LEN..).unwrap_or_default();
    let mut node = match Header::decode(datagram) {
        Err(WireError { fault: Fault::MajorVersion(_), .. }) => head(&header),
        _ if header.flags.contains(Flags::ENCRYPTION) => tree_encrypted(&header),
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
        Node::new("Initiator Cookie", header.initiator),
        Node::new("Responder Cookie", header.responder),
        Node::new("Next Payload", header.next_payload),
        Node::new("Version", format!("{}.{}", header.version >> 4, header.version & 0x0f)),
        Node::new("Exchange Type", header.exchange),
        Node::new("Flags", header.flags),
        Node::new("Message ID", header.message_id),
        Node::new("Length", header.length),
    ];
    let summary = header.exchange.to_string();
    Node::with("ISAKMP", summary, vec![Node::with("header", "", fields)])
}

/// A payload with its fields, or with its fault.
fn payload(raw: &RawPayload<'_>) -> Node {
    let mut children = Vec::new();
    let base = raw.offset + GENERIC_HEADER;
    if let Err(error) = raw.decode(|body| payloads::fields(raw.kind, body, base, &mut children)) {
        children.push(Node::fault(&error));
    }
    Node::with(format!("{} payload", raw.kind), octets(raw.whole.len()), children)
}

fn octets(count: usize) -> String {
    if count == 1 { "1 octet".to_owned() } else { format!("{count} octets") }
}

/// The most octets that are written out.
const SHOWN: usize = 64;

/// Octets in hexadecimal, the beginning of them if they are many.
fn hex(data: &[u8]) -> String {
    let shown: String = data.iter().take(SHOWN).map(|octet| format!("{octet:02x}")).collect();
    let more = data.len().saturating_sub(SHOWN);
    match (data.len(), more) {
        (0, _) => "empty".to_owned(),
        (_, 0) => shown,
        _ => format!("{shown}... and {more} more octets"),
    }
}

/// Octets as quoted text if they are printable ASCII, else in hexadecimal.
fn text(data: &[u8]) -> String {
    match core::str::from_utf8(data) {
        Ok(text) if !text.is_empty() && data.len() <= 4 * SHOWN && text.bytes().all(|b| matches!(b, b' '..=b'~')) => {
            format!("\"{text}\"")
        }
        _ => hex(data),
    }
}
