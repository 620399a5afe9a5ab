//! A client of strongSwan's control protocol (VICI), as much as tests need.
//!
//! Talking to charon's socket is faster than starting `swanctl` (a process start is dear in the guest) and gives
//! structured answers.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Packet types.
mod packet {
    pub(super) const COMMAND: u8 = 0;
    pub(super) const RESPONSE: u8 = 1;
    pub(super) const REGISTER: u8 = 3;
    pub(super) const CONFIRM: u8 = 5;
    pub(super) const EVENT: u8 = 7;
}

/// Element types of a message.
mod element {
    pub(super) const SECTION_START: u8 = 1;
    pub(super) const SECTION_END: u8 = 2;
    pub(super) const TEXT: u8 = 3;
    pub(super) const LIST_START: u8 = 4;
    pub(super) const ITEM: u8 = 5;
    pub(super) const LIST_END: u8 = 6;
}

/// A value in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// One text.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
    /// Named values.
    Section(Section),
}

/// Named values, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section(pub Vec<(String, Value)>);

impl Section {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text.
    #[must_use]
    pub fn text(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.push((name.to_owned(), Value::Text(value.into())));
        self
    }

    /// Adds a list of texts.
    #[must_use]
    pub fn list<S: Into<String>>(mut self, name: &str, values: impl IntoIterator<Item = S>) -> Self {
        self.0.push((name.to_owned(), Value::List(values.into_iter().map(Into::into).collect())));
        self
    }

    /// Adds a section.
    #[must_use]
    pub fn section(mut self, name: &str, section: Self) -> Self {
        self.0.push((name.to_owned(), Value::Section(section)));
        self
    }

    /// The text `name`, or nothing when there is none.
    pub fn get(&self, name: &str) -> &str {
        match self.0.iter().find(|(key, _)| key == name) {
            Some((_, Value::Text(text))) => text,
            _ => "",
        }
    }

    /// The list `name`; empty when there is none.
    pub fn get_list(&self, name: &str) -> &[String] {
        match self.0.iter().find(|(key, _)| key == name) {
            Some((_, Value::List(items))) => items,
            _ => &[],
        }
    }

    /// The sections in here, with their names.
    pub fn sections(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.0.iter().filter_map(|(name, value)| match value {
            Value::Section(section) => Some((name.as_str(), section)),
            _ => None,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        for (name, value) in &self.0 {
            match value {
                Value::Text(text) => {
                    put_name(out, element::TEXT, name);
                    put_text(out, text);
                }
                Value::List(items) => {
                    put_name(out, element::LIST_START, name);
                    for item in items {
                        out.push(element::ITEM);
                        put_text(out, item);
                    }
                    out.push(element::LIST_END);
                }
                Value::Section(section) => {
                    put_name(out, element::SECTION_START, name);
                    section.encode(out);
                    out.push(element::SECTION_END);
                }
            }
        }
    }

    /// Reads a message: the elements up to the end of the input.
    fn decode(mut input: &[u8]) -> Option<Self> {
        let mut section = Self::new();
        while !input.is_empty() {
            section.decode_element(&mut input)?;
        }
        Some(section)
    }

    /// Reads the elements of a section inside a message.
    fn decode_section(input: &mut &[u8]) -> Option<Self> {
        let mut section = Self::new();
        while *input.first()? != element::SECTION_END {
            section.decode_element(input)?;
        }
        take(input, 1)?;
        Some(section)
    }

    fn decode_element(&mut self, input: &mut &[u8]) -> Option<()> {
        match take(input, 1)?[0] {
            element::SECTION_START => {
                let name = take_name(input)?;
                self.0.push((name, Value::Section(Self::decode_section(input)?)));
            }
            element::TEXT => {
                let name = take_name(input)?;
                self.0.push((name, Value::Text(take_text(input)?)));
            }
            element::LIST_START => {
                let name = take_name(input)?;
                let mut items = Vec::new();
                while take(input, 1)?[0] == element::ITEM {
                    items.push(take_text(input)?);
                }
                self.0.push((name, Value::List(items)));
            }
            _ => return None,
        }
        Some(())
    }
}

fn put_name(out: &mut Vec<u8>, kind: u8, name: &str) {
    out.extend([kind, u8::try_from(name.len()).expect("names are short")]);
    out.extend(name.as_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).expect("texts are short").to_be_bytes());
    out.extend(text.as_bytes());
}

fn take<'a>(input: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, rest) = input.split_at_checked(count)?;
    *input = rest;
    Some(head)
}

fn take_name(input: &mut &[u8]) -> Option<String> {
    let length = usize::from(take(input, 1)?[0]);
    Some(String::from_utf8_lossy(take(input, length)?).into_owned())
}

fn take_text(input: &mut &[u8]) -> Option<String> {
    let length = take(input, 2)?;
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    Some(String::from_utf8_lossy(take(input, length)?).into_owned())
}

/// The answer to a command.
#[derive(Debug)]
pub struct Answer {
    /// The message that ended it.
    pub message: Section,
    /// The events that came before it, when [`Vici::stream`] asked for them.
    pub events: Vec<Section>,
}

/// A connection to charon's control socket.
#[derive(Debug)]
pub struct Vici {
    stream: UnixStream,
}

impl Vici {
    /// Connects to the socket at `path`; an answer may take up to `patience`.
    pub fn connect(path: &Path, patience: Duration) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(patience))?;
        Ok(Self { stream })
    }

    /// Sends `command` and returns the answer.
    pub fn request(&mut self, command: &str, message: &Section) -> io::Result<Section> {
        self.send(packet::COMMAND, command, message)?;
        loop {
            let (kind, _, message) = self.receive()?;
            match kind {
                packet::RESPONSE => return Ok(message),
                packet::EVENT => {}
                other => return Err(io::Error::other(format!("{command}: packet type {other} for an answer"))),
            }
        }
    }

    /// Sends `command` and returns the answer together with the events named `event` that it streams.
    pub fn stream(&mut self, command: &str, event: &str, message: &Section) -> io::Result<Answer> {
        self.send(packet::REGISTER, event, &Section::new())?;
        let (kind, ..) = self.receive()?;
        if kind != packet::CONFIRM {
            return Err(io::Error::other(format!("no event is named {event} (packet type {kind})")));
        }
        self.send(packet::COMMAND, command, message)?;
        let mut events = Vec::new();
        loop {
            let (kind, name, message) = self.receive()?;
            match kind {
                packet::EVENT if name == event => events.push(message),
                packet::EVENT => {}
                packet::RESPONSE => return Ok(Answer { message, events }),
                other => return Err(io::Error::other(format!("{command}: packet type {other} for an answer"))),
            }
        }
    }

    fn send(&mut self, kind: u8, name: &str, message: &Section) -> io::Result<()> {
        let mut body = Vec::new();
        put_name(&mut body, kind, name);
        message.encode(&mut body);
        let mut packet = u32::try_from(body.len()).map_err(io::Error::other)?.to_be_bytes().to_vec();
        packet.extend(body);
        self.stream.write_all(&packet)
    }

    fn receive(&mut self) -> io::Result<(u8, String, Section)> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut body)?;
        let mut input = body.as_slice();
        let malformed = || io::Error::new(io::ErrorKind::InvalidData, "malformed VICI packet");
        let kind = take(&mut input, 1).ok_or_else(malformed)?[0];
        let name = if kind == packet::EVENT { take_name(&mut input).ok_or_else(malformed)? } else { String::new() };
        Ok((kind, name, Section::decode(input).ok_or_else(malformed)?))
    }
}

#[cfg(test)]
mod tests {
    use super::{Section, Value};

    #[test]
    fn a_message_survives_encoding() {
        let message = Section::new()
            .text("version", "1")
            .list("proposals", ["a", "b"])
            .list("none", Vec::<String>::new())
            .section("children", Section::new().section("c", Section::new().text("mode", "tunnel")));
        let mut octets = Vec::new();
        message.encode(&mut octets);
        assert_eq!(Section::decode(&octets), Some(message.clone()));
        // Cut anywhere it is no message, or one with fewer values.
        for end in 0..octets.len() {
            assert_ne!(Section::decode(&octets[..end]), Some(message.clone()), "cut at {end}");
        }
        assert_eq!(message.get("version"), "1");
        assert_eq!(message.get_list("proposals"), ["a", "b"]);
        assert!(matches!(message.0[3].1, Value::Section(_)));
    }
}
