//! Writing pcapng (draft-ietf-opsawg-pcapng).
use std::io::{self, Write};

use super::{Frame, LinkType, Timestamp};

/// Block types.
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;

/// By which a reader finds the byte order.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

/// Options.
const END: u16 = 0;
const USER_APPLICATION: u16 = 4;
const INTERFACE_NAME: u16 = 2;
const TIME_RESOLUTION: u16 = 9;

/// The value of [`TIME_RESOLUTION`] for nanoseconds: a power of ten.
const NANOSECONDS: u8 = 9;

/// Writes frames into a capture; each is with the reader of a pipe as soon as it is written.
pub(crate) struct Writer<W> {
    output: W,
    interfaces: Vec<(LinkType, Option<String>)>,
}

impl<W: Write> Writer<W> {
    /// Begins a capture.
    pub(crate) fn new(output: W) -> io::Result<Self> {
        let mut writer = Self { output, interfaces: Vec::new() };
        let mut body = BYTE_ORDER.to_le_bytes().to_vec();
        // Version 1.0; the length of the section is not known.
        body.extend([1, 0, 0, 0]);
        body.extend([0xff; 8]);
        option(&mut body, USER_APPLICATION, concat!("policyagent ", env!("CARGO_PKG_VERSION")).as_bytes());
        option(&mut body, END, &[]);
        writer.block(SECTION_HEADER, &body)?;
        Ok(writer)
    }

    /// Adds a frame. One without a time is given that of the start of the clock.
    pub(crate) fn write(&mut self, frame: &Frame) -> io::Result<()> {
        let interface = self.interface(frame)?;
        let Timestamp { seconds, nanoseconds } = frame.time.unwrap_or(Timestamp { seconds: 0, nanoseconds: 0 });
        let units = seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds.into());
        let mut body = interface.to_le_bytes().to_vec();
        body.extend(high(units).to_le_bytes());
        body.extend(low(units).to_le_bytes());
        body.extend(length(frame.octets.len())?.to_le_bytes());
        body.extend(length(frame.original)?.to_le_bytes());
        body.extend(&frame.octets);
        pad(&mut body);
        self.block(ENHANCED_PACKET, &body)?;
        self.output.flush()
    }

    /// The number of the frame's interface, which is described if it is new.
    fn interface(&mut self, frame: &Frame) -> io::Result<u32> {
        let same = |(link, name): &(LinkType, Option<String>)| *link == frame.link && *name == frame.interface;
        let number = self.interfaces.iter().position(same).unwrap_or(self.interfaces.len());
        if number == self.interfaces.len() {
            let link = u16::try_from(frame.link.0).map_err(io::Error::other)?;
            let mut body = link.to_le_bytes().to_vec();
            // RESERVED, and no limit to what is captured of a frame.
            body.extend([0; 6]);
            if let Some(name) = &frame.interface {
                option(&mut body, INTERFACE_NAME, name.as_bytes());
            }
            option(&mut body, TIME_RESOLUTION, &[NANOSECONDS]);
            option(&mut body, END, &[]);
            self.block(INTERFACE_DESCRIPTION, &body)?;
            self.interfaces.push((frame.link, frame.interface.clone()));
        }
        u32::try_from(number).map_err(io::Error::other)
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let length = length(body.len() + 12)?.to_le_bytes();
        let whole = [&kind.to_le_bytes(), &length, body, &length].concat();
        self.output.write_all(&whole)
    }
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    // A name of an interface, or ours: never so long.
    let Ok(length) = u16::try_from(value.len()) else { return };
    body.extend(code.to_le_bytes());
    body.extend(length.to_le_bytes());
    body.extend(value);
    pad(body);
}

/// Everything begins at a multiple of four octets.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

fn length(octets: usize) -> io::Result<u32> {
    u32::try_from(octets).map_err(io::Error::other)
}

const fn high(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

const fn low(value: u64) -> u32 {
    let [.., a, b, c, d] = value.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
