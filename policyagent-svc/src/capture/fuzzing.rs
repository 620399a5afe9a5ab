//! Captures that anybody may have made.
#[cfg(test)]
mod tests;

use std::io::Cursor;
use std::net::{IpAddr, Ipv4Addr};

use ikecore::endpoint::LoggedKey;
use ikecore::endpoint::key_log::EspKey;
use ikecore::ids::{Cookie, Spi};
use ikecore::proposal::suite::{EspCipher, Integrity};
use ikecore::secret::Secret;

use super::dissect::Dissector;
#[cfg(test)]
use super::dissect::Packet;
use super::file::{Frame, LinkType, Reader, Timestamp, Writer};
use super::filter::Filter;
use super::view::{self, Seen};

/// Any octets as a capture, and as frames of every link type: nothing panics, everything stands where there are octets, and
/// what is shown is printable.
///
/// # Panics
/// If it does not, or is not.
pub(crate) fn fuzz_capture(octets: &[u8]) {
    if let Ok(mut reader) = Reader::new(Cursor::new(octets.to_vec())) {
        let mut dissector = Dissector::new(keys());
        while let Some(Ok(frame)) = reader.next() {
            check(&frame, &mut dissector);
        }
    }
    for link in [LinkType::ETHERNET, LinkType::RAW, LinkType::LINUX_SLL, LinkType::LINUX_SLL2, LinkType::NULL] {
        let frame = Frame { time: None, link, interface: None, original: octets.len(), octets: octets.to_vec() };
        check(&frame, &mut Dissector::default());
    }
    if let Ok(text) = std::str::from_utf8(octets) {
        let _ = text.parse::<Filter>();
    }
}

/// Keys for the messages and packets of the seeds.
fn keys() -> Vec<LoggedKey> {
    let key = |octets| Secret::new(vec![7; octets]);
    let isakmp = LoggedKey::Isakmp { initiator: Cookie([1, 2, 3, 4, 5, 6, 7, 8]), key: key(32) };
    let any = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    let esp = LoggedKey::Esp(EspKey {
        source: any,
        destination: any,
        encapsulated: true,
        spi: Spi(0xc000_0001),
        cipher: EspCipher::Null,
        integrity: Some(Integrity::HmacSha1_96),
        encryption_key: key(0),
        integrity_key: key(20),
    });
    vec![isakmp, esp]
}

fn check(frame: &Frame, dissector: &mut Dissector) {
    let packet = dissector.packet(frame);
    for layer in &packet.layers {
        let end = packet.buffers.get(layer.buffer).map_or(0, |buffer| buffer.octets.len());
        assert!(layer.node.at.start <= layer.node.at.end && layer.node.at.end <= end, "{:?} of {end}", layer.node);
    }
    let seen = Seen { number: 1, frame, packet: &packet, start: frame.time };
    let shown = view::summary(&seen) + &view::tree(&packet) + &view::octets(&packet);
    let printable = shown.chars().all(|c| c == '\n' || !c.is_control());
    assert!(printable, "control characters in {shown:?}");
    let _ = view::json(&seen).to_string();
}

/// A frame by itself, without keys.
#[cfg(test)]
pub(super) fn packet(frame: &Frame) -> Packet {
    Dissector::default().packet(frame)
}

/// An IPv4 packet from 192.0.2.1 to 192.0.2.2.
pub(super) fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap_or(u16::MAX).to_be_bytes();
    let head = [0x45, 0, length[0], length[1], 0, 1, 0x40, 0, 64, protocol, 0, 0];
    [&head[..], &[192, 0, 2, 1], &[192, 0, 2, 2], payload].concat()
}

/// A UDP datagram.
pub(super) fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap_or(u16::MAX);
    let head = [source.to_be_bytes(), destination.to_be_bytes(), length.to_be_bytes(), [0, 0]];
    [head.as_flattened(), payload].concat()
}

/// An Ethernet frame.
pub(super) fn ethernet(kind: [u8; 2], packet: &[u8]) -> Frame {
    let octets = [&[2; 12][..], &kind, packet].concat();
    Frame {
        time: Some(Timestamp { seconds: 1, nanoseconds: 2 }),
        link: LinkType::ETHERNET,
        interface: Some("wire".to_owned()),
        original: octets.len(),
        octets,
    }
}

/// Frames of every kind, each with a name.
pub(super) fn frames() -> Vec<(&'static str, Frame)> {
    let seeds = ikecore::fuzzing::seeds();
    let message = |name| {
        let found = seeds.iter().find(|seed| seed.name == name);
        found.map(|seed| seed.datagram.clone()).unwrap_or_default()
    };
    let esp = [[0xc0, 0, 0, 1], [0, 0, 0, 7], [1, 2, 3, 4], [5, 6, 7, 8]].concat();
    let ah = [&[50, 4, 0, 0, 0xc0, 0, 0, 9, 0, 0, 0, 9][..], &[0xaa; 12], &esp].concat();
    let marked = [&[0; 4][..], &message("main-1")].concat();
    let ip = |packet: &[u8]| ethernet([8, 0], packet);
    vec![
        ("main-1", ip(&ipv4(17, &udp(500, 500, &message("main-1"))))),
        ("delete", ip(&ipv4(17, &udp(500, 500, &message("info-delete"))))),
        ("in-nat-t", ip(&ipv4(17, &udp(4500, 4500, &marked)))),
        ("keep-alive", ip(&ipv4(17, &udp(4500, 4500, &[0xff])))),
        ("esp-in-udp", ip(&ipv4(17, &udp(4500, 4500, &esp)))),
        ("esp", ip(&ipv4(50, &esp))),
        ("ah-esp", ethernet([0x81, 0], &[&[0, 5, 8, 0][..], &ipv4(51, &ah)].concat())),
        ("cut", ip(&ipv4(50, esp.get(..5).unwrap_or_default()))),
    ]
}

/// Inputs for [`fuzz_capture`], each with its file name.
pub(crate) fn capture_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut capture = Vec::new();
    let mut seeds = Vec::new();
    if let Ok(mut writer) = Writer::new(&mut capture) {
        for (name, frame) in frames() {
            // A vector takes everything.
            let _ = writer.write(&frame);
            seeds.push((name, frame.octets));
        }
    }
    seeds.push(("capture", capture));
    seeds.push(("filter", b"peer 10.0.0.0/8 and (spi 0xc0000001 or payload KE) and not fault".to_vec()));
    seeds
}
