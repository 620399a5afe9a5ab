//! Reading pcap and pcapng.
use std::io::{self, Read};
use std::sync::{Arc, Mutex};

use pcap_parser::traits::{PcapNGPacketBlock as _, PcapReaderIterator};
use pcap_parser::{Block, InterfaceDescriptionBlock, PcapBlockOwned, PcapError, PcapHeader, create_reader};

use super::{Frame, LinkType, Timestamp};

/// Octets of the buffer at first.
const BUFFER: usize = 1 << 16;

/// Octets that one block may have. The largest frames that anything captures have 256 KiB.
const LARGEST_BLOCK: usize = 1 << 24;

/// The octets that are waited for before the kind of the file is judged: a header of either kind has as many.
const LEAST: usize = 24;

/// A capture that cannot be read, or not farther.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// It is no capture.
    #[error("no capture: it begins with neither a header of pcap nor one of pcapng")]
    Unknown,
    /// Nothing is there.
    #[error("no capture: it is empty")]
    Empty,
    /// It ends within a header, a block or a record.
    #[error("offset {offset}: the capture ends within a {what}; everything before it is whole")]
    Cut {
        /// Octets from the start of the file.
        offset: usize,
        /// What is not whole.
        what: &'static str,
    },
    /// A block or record with a length that none has.
    #[error("offset {offset}: a {what} claims to have more octets than any may, {LARGEST_BLOCK}")]
    TooLarge {
        /// Octets from the start of the file.
        offset: usize,
        /// What it is.
        what: &'static str,
    },
    /// A block or record that contradicts itself.
    #[error("offset {offset}: a {what} is damaged: {fault}")]
    Damaged {
        /// Octets from the start of the file.
        offset: usize,
        /// What it is.
        what: &'static str,
        /// What is wrong.
        fault: String,
    },
    /// The system refused.
    #[error("reading failed: {0}")]
    System(io::Error),
}

/// What the frames of one interface have in common.
struct Interface {
    link: LinkType,
    name: Option<String>,
    /// Units of time a second; `None` for one that no clock has.
    resolution: Option<u64>,
    /// Seconds to add.
    offset: i64,
}

/// Reads a capture frame by frame.
pub(crate) struct Reader {
    reader: Box<dyn PcapReaderIterator + Send>,
    /// pcap has one, which its header makes; in pcapng each section has its own.
    interfaces: Vec<Interface>,
    what: &'static str,
    ended: bool,
    /// What the system said when it refused.
    refused: Arc<Mutex<Option<io::Error>>>,
}

/// Gives enough octets at the first read that the kind of the file shows, if a pipe has fewer at first; and keeps what the
/// system says when it refuses, which the library does not.
struct Patient<R> {
    inner: R,
    started: bool,
    refused: Arc<Mutex<Option<io::Error>>>,
}

impl<R: Read> Patient<R> {
    /// Octets that the first read must have: a header of pcap, or the whole first block of pcapng.
    fn least(begun: &[u8]) -> usize {
        let number = |octets: [u8; 4], big| if big { u32::from_be_bytes(octets) } else { u32::from_le_bytes(octets) };
        match *begun {
            [0x0a, 0x0d, 0x0d, 0x0a, a, b, c, d, 0x1a, ..] => number([a, b, c, d], true) as usize,
            [0x0a, 0x0d, 0x0d, 0x0a, a, b, c, d, 0x4d, ..] => number([a, b, c, d], false) as usize,
            _ => LEAST,
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        loop {
            match self.inner.read(buffer.get_mut(count..).unwrap_or_default()) {
                Ok(0) => return Ok(count),
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            let begun = buffer.get(..count).unwrap_or_default();
            if self.started || count >= LEAST && count >= Self::least(begun) {
                self.started = true;
                return Ok(count);
            }
        }
    }
}

impl<R: Read> Read for Patient<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.fill(buffer).map_err(|error| {
            let kind = error.kind();
            if let Ok(mut refused) = self.refused.lock() {
                *refused = Some(error);
            }
            kind.into()
        })
    }
}

impl Reader {
    /// Begins to read.
    pub(crate) fn new(input: impl Read + Send + 'static) -> Result<Self, ReadError> {
        let refused = Arc::default();
        let reader = create_reader(BUFFER, Patient { inner: input, started: false, refused: Arc::clone(&refused) });
        let reader = reader.map_err(|error| match error {
            PcapError::Eof => ReadError::Empty,
            PcapError::Incomplete(_) => ReadError::Cut { offset: 0, what: "header" },
            PcapError::ReadError => system(&refused),
            _ => ReadError::Unknown,
        })?;
        Ok(Self { reader, interfaces: Vec::new(), what: "block", ended: false, refused })
    }

    /// The next frame; `None` at the end. After an error there is nothing more.
    pub(crate) fn next(&mut self) -> Option<Result<Frame, ReadError>> {
        if self.ended {
            return None;
        }
        let next = self.advance().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }

    fn advance(&mut self) -> Result<Option<Frame>, ReadError> {
        loop {
            let offset = self.reader.consumed();
            let what = self.what;
            let there = self.reader.data().len();
            let wanting = match self.reader.next() {
                Ok((octets, block)) => {
                    let frame = take(&mut self.interfaces, &mut self.what, block);
                    self.reader.consume_noshift(octets);
                    match frame {
                        Ok(None) => continue,
                        Ok(Some(frame)) => return Ok(Some(frame)),
                        Err(fault) => return Err(ReadError::Damaged { offset, what: self.what, fault }),
                    }
                }
                Err(PcapError::Eof) => return Ok(None),
                Err(PcapError::UnexpectedEof) if there == 0 => return Ok(None),
                Err(PcapError::UnexpectedEof) => return Err(ReadError::Cut { offset, what }),
                Err(PcapError::Incomplete(_)) => false,
                Err(PcapError::BufferTooSmall) => true,
                Err(PcapError::ReadError) => return Err(system(&self.refused)),
                Err(error) => return Err(ReadError::Damaged { offset, what, fault: said(&error) }),
            };
            let refilled = self.reader.refill().is_ok();
            if !refilled {
                return Err(system(&self.refused));
            }
            // Nothing came, although there is more: there was no room.
            let full = self.reader.data().len() == there && !self.reader.reader_exhausted();
            if wanting || full {
                let size = (there * 2).max(2 * BUFFER);
                if size > 2 * LARGEST_BLOCK {
                    return Err(ReadError::TooLarge { offset, what });
                }
                self.reader.grow(size);
            }
        }
    }
}

/// Why the system refused.
fn system(refused: &Mutex<Option<io::Error>>) -> ReadError {
    let said = refused.lock().ok().and_then(|mut refused| refused.take());
    ReadError::System(said.unwrap_or_else(|| io::ErrorKind::Other.into()))
}

/// What the library says, without the octets that it was about.
fn said(error: &PcapError<&[u8]>) -> String {
    match error {
        PcapError::NomError(_, kind) | PcapError::OwnedNomError(_, kind) => {
            format!("its fields do not fit together ({})", kind.description())
        }
        other => other.to_string(),
    }
}

/// What a block holds: a frame, or what is to be known of those that follow.
fn take(
    interfaces: &mut Vec<Interface>,
    what: &mut &'static str,
    block: PcapBlockOwned<'_>,
) -> Result<Option<Frame>, String> {
    let of = |number: usize| {
        let missing = || format!("it is of interface {number}, of which there are {}", interfaces.len());
        interfaces.get(number).ok_or_else(missing)
    };
    match block {
        PcapBlockOwned::LegacyHeader(header) => {
            *what = "record";
            interfaces.push(legacy(&header));
            Ok(None)
        }
        PcapBlockOwned::Legacy(record) => {
            let interface = of(0)?;
            let units = u64::from(record.ts_sec).saturating_mul(interface.resolution.unwrap_or(1));
            let time = interface.time(units.saturating_add(record.ts_usec.into()));
            Ok(Some(interface.frame(time, record.origlen, record.data)))
        }
        PcapBlockOwned::NG(Block::SectionHeader(_)) => {
            interfaces.clear();
            Ok(None)
        }
        PcapBlockOwned::NG(Block::InterfaceDescription(description)) => {
            interfaces.push(described(&description));
            Ok(None)
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
            let interface = of(usize::try_from(packet.if_id).unwrap_or(usize::MAX))?;
            let time = interface.time(u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low));
            Ok(Some(interface.frame(time, packet.origlen, packet.packet_data())))
        }
        PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
            let interface = of(0)?;
            let whole = usize::try_from(packet.origlen).unwrap_or(usize::MAX);
            let octets = packet.data.get(..whole).unwrap_or(packet.data);
            Ok(Some(interface.frame(None, packet.origlen, octets)))
        }
        PcapBlockOwned::NG(_) => Ok(None),
    }
}

fn legacy(header: &PcapHeader) -> Interface {
    let resolution = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
    // The upper bits say how long the frame check sequence is.
    let link = u32::from_ne_bytes(header.network.0.to_ne_bytes()) & 0x03ff_ffff;
    Interface { link: LinkType(link), name: None, resolution: Some(resolution), offset: 0 }
}

fn described(description: &InterfaceDescriptionBlock<'_>) -> Interface {
    Interface {
        link: LinkType(u32::from_ne_bytes(description.linktype.0.to_ne_bytes())),
        name: description.if_name().and_then(Result::ok).map(printable),
        resolution: description.ts_resolution().filter(|resolution| *resolution > 0),
        offset: description.ts_offset(),
    }
}

/// A name out of a file, without what could disturb a terminal.
fn printable(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).collect()
}

impl Interface {
    fn time(&self, units: u64) -> Option<Timestamp> {
        let resolution = self.resolution?;
        let fraction = u128::from(units % resolution) * 1_000_000_000 / u128::from(resolution);
        Some(Timestamp {
            seconds: (units / resolution).saturating_add_signed(self.offset),
            nanoseconds: u32::try_from(fraction).ok()?,
        })
    }

    fn frame(&self, time: Option<Timestamp>, original: u32, octets: &[u8]) -> Frame {
        Frame {
            time,
            link: self.link,
            interface: self.name.clone(),
            original: usize::try_from(original).unwrap_or(usize::MAX),
            octets: octets.to_vec(),
        }
    }
}
