//! What crosses the wire: a capture by tcpdump and a small reader of its file.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::netns::{WIRE, World};
use crate::process::{Process, wait_until};
use crate::scratch::Scratch;

/// How long tcpdump may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a packet is, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// IKE: UDP port 500, or port 4500 with the non-ESP marker.
    Ike,
    /// ESP directly in IP.
    Esp,
    /// ESP in UDP port 4500.
    EspInUdp,
    /// NAT keep-alive.
    KeepAlive,
    /// AH.
    Ah,
    /// An echo request or reply in clear text.
    Echo,
    /// Anything else, such as neighbour discovery.
    Other,
}

/// A captured IP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// When it was sent, since 1970.
    pub time: Duration,
    /// What it is.
    pub kind: Kind,
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// The octets after the IP header, and after the UDP header where there is one.
    pub payload: Vec<u8>,
}

/// A running capture of the wire.
///
/// One tcpdump at each end takes what that end sends: an end that receives shows, after the ESP packet, also the
/// packet that the kernel took out of it, which was never on the wire.
#[derive(Debug)]
pub struct Capture {
    ends: Vec<(Process, PathBuf)>,
    _scratch: Scratch,
}

impl Capture {
    /// Starts to capture; what is sent after the return is in it.
    pub fn start(world: &World) -> Self {
        let scratch = Scratch::new("capture");
        let mut ends: Vec<(Process, PathBuf)> = [&world.a, &world.b]
            .map(|namespace| {
                let file = scratch.join(&format!("{}.pcap", namespace.name()));
                let name = file.display().to_string();
                let arguments = [
                    "-i",
                    WIRE,
                    "-Q",
                    "out",
                    "-n",
                    "-p",
                    "-s",
                    "0",
                    "-U",
                    "--immediate-mode",
                    "-Z",
                    "root",
                    "-w",
                    &name,
                ];
                let log = format!("tcpdump-{}", namespace.name());
                (Process::start(namespace, &scratch, &log, "tcpdump", &arguments), file)
            })
            .into();
        for (process, _) in &mut ends {
            process.wait_for("to listen", PATIENCE, |log| log.contains("listening on"));
        }
        Self { ends, _scratch: scratch }
    }

    /// The capture's files, one an end, for tshark and the like.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.ends.iter().map(|(_, file)| file.as_path())
    }

    /// The packets captured so far, in order of time.
    pub fn packets(&self) -> Vec<Packet> {
        let mut all: Vec<Packet> =
            self.files().filter_map(|file| std::fs::read(file).ok()).flat_map(|octets| packets(&octets)).collect();
        all.sort_by_key(|packet| packet.time);
        all
    }

    /// How many packets of `kind` there are so far.
    pub fn count(&self, kind: Kind) -> usize {
        count(&self.packets(), kind)
    }

    /// Waits until there are at least `count` packets of `kind`; false when `patience` is over first.
    pub fn wait_count(&self, kind: Kind, count: usize, patience: Duration) -> bool {
        wait_until(patience, || self.count(kind) >= count)
    }

    /// Ends the capture and returns all packets.
    pub fn finish(mut self) -> Vec<Packet> {
        for (process, _) in &mut self.ends {
            process.signal(Signal::SIGINT);
            process.wait_end(PATIENCE);
        }
        self.packets()
    }
}

/// How many of `packets` are of `kind`.
pub fn count(packets: &[Packet], kind: Kind) -> usize {
    packets.iter().filter(|packet| packet.kind == kind).count()
}

/// Reads a file of the classic pcap format with Ethernet frames; frames that are not IP are left out, as is a last
/// record that is not complete yet.
pub fn packets(file: &[u8]) -> Vec<Packet> {
    let mut found = Vec::new();
    let Some((header, mut rest)) = file.split_at_checked(24) else { return found };
    let little = match header[..4] {
        [0xd4, 0xc3, 0xb2, 0xa1] => true,
        [0xa1, 0xb2, 0xc3, 0xd4] => false,
        _ => panic!("not a capture: it begins with {:02x?}", &header[..4]),
    };
    while let Some((record, after)) = rest.split_at_checked(16) {
        let number = |at: usize| {
            let octets: [u8; 4] = record[at..at + 4].try_into().expect("four octets");
            if little { u32::from_le_bytes(octets) } else { u32::from_be_bytes(octets) }
        };
        let time = Duration::from_secs(number(0).into()) + Duration::from_micros(number(4).into());
        let Some((frame, after)) = after.split_at_checked(number(8) as usize) else { break };
        found.extend(packet(time, frame));
        rest = after;
    }
    found
}

fn packet(time: Duration, frame: &[u8]) -> Option<Packet> {
    let (ethernet, ip) = frame.split_at_checked(14)?;
    let (protocol, source, destination, payload): (u8, IpAddr, IpAddr, &[u8]) = match ethernet[12..] {
        [0x08, 0x00] => {
            let header = usize::from(ip.first()? & 0x0f) * 4;
            let total = usize::from(u16::from_be_bytes(ip.get(2..4)?.try_into().ok()?));
            let source: [u8; 4] = ip.get(12..16)?.try_into().ok()?;
            let destination: [u8; 4] = ip.get(16..20)?.try_into().ok()?;
            (*ip.get(9)?, source.into(), destination.into(), ip.get(header..total)?)
        }
        [0x86, 0xdd] => {
            let total = 40 + usize::from(u16::from_be_bytes(ip.get(4..6)?.try_into().ok()?));
            let source: [u8; 16] = ip.get(8..24)?.try_into().ok()?;
            let destination: [u8; 16] = ip.get(24..40)?.try_into().ok()?;
            (*ip.get(6)?, source.into(), destination.into(), ip.get(40..total)?)
        }
        _ => return None,
    };
    let (kind, payload) = classify(protocol, payload)?;
    Some(Packet { time, kind, source, destination, payload: payload.to_vec() })
}

fn classify(protocol: u8, payload: &[u8]) -> Option<(Kind, &[u8])> {
    let kind = match (protocol, payload) {
        (17, _) => {
            let (ports, data) = payload.split_at_checked(8)?;
            let port = |at: usize| u16::from_be_bytes([ports[at], ports[at + 1]]);
            let kind = match (port(0), port(2), data) {
                (500, ..) | (_, 500, _) => Kind::Ike,
                (4500, _, [0, 0, 0, 0, ..]) | (_, 4500, [0, 0, 0, 0, ..]) => Kind::Ike,
                (4500, _, [0xff]) | (_, 4500, [0xff]) => Kind::KeepAlive,
                (4500, ..) | (_, 4500, _) => Kind::EspInUdp,
                _ => Kind::Other,
            };
            return Some((kind, data));
        }
        (50, _) => Kind::Esp,
        (51, _) => Kind::Ah,
        (1, [0 | 8, ..]) | (58, [128 | 129, ..]) => Kind::Echo,
        _ => Kind::Other,
    };
    Some((kind, payload))
}

#[cfg(test)]
mod tests {
    use super::{Kind, classify, packets};

    #[test]
    fn packets_are_told_apart() {
        let udp = |from: u16, to: u16, data: &[u8]| {
            let mut datagram = Vec::new();
            datagram.extend(from.to_be_bytes());
            datagram.extend(to.to_be_bytes());
            datagram.extend([0; 4]);
            datagram.extend(data);
            datagram
        };
        for (protocol, payload, kind) in [
            (17, udp(500, 500, &[1; 28]), Kind::Ike),
            (17, udp(4500, 30_000, &[0, 0, 0, 0, 1]), Kind::Ike),
            (17, udp(30_000, 4500, &[0xff]), Kind::KeepAlive),
            (17, udp(4500, 4500, &[0, 0, 1, 0, 1]), Kind::EspInUdp),
            (17, udp(53, 1024, &[0; 12]), Kind::Other),
            (50, vec![0; 40], Kind::Esp),
            (51, vec![0; 40], Kind::Ah),
            (1, vec![8, 0], Kind::Echo),
            (58, vec![129, 0], Kind::Echo),
            (58, vec![135, 0], Kind::Other),
        ] {
            assert_eq!(classify(protocol, &payload).map(|(kind, _)| kind), Some(kind), "{protocol} {payload:?}");
        }
        assert_eq!(classify(17, &[0; 7]), None);
    }

    #[test]
    fn a_file_is_read_to_its_last_whole_record() {
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0x00, 0x45, 0, 0, 24, 0, 0, 0, 0, 64, 50, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2]);
        frame.extend([1, 2, 3, 4, 0, 0]); // two octets of padding after the packet
        let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1];
        file.extend([0; 20]);
        for _ in 0..2 {
            file.extend([0; 8]);
            file.extend((frame.len() as u32).to_le_bytes());
            file.extend((frame.len() as u32).to_le_bytes());
            file.extend(&frame);
        }
        let found = packets(&file);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].kind, found[0].payload.as_slice()), (Kind::Esp, [1, 2, 3, 4].as_slice()));
        assert_eq!(found[0].destination.to_string(), "10.9.0.2");
        assert_eq!(packets(&file[..file.len() - 1]).len(), 1);
    }
}
