use super::*;
use crate::driver::userspace::packet::NewHeader;

const KEY: [u8; 20] = [7; 20];
const SPI: Spi = Spi(0x0102_0304);

fn ah() -> Ah {
    Ah::new(Integrity::HmacSha1_96, &KEY).expect("a key")
}

/// Sealed, and what the check value covers, written by hand: the header's octets, then AH's.
fn assert_covers(packet: &[u8], header: &[u8], at: usize) {
    let sealed = ah().seal(packet, SPI, Sequence::Extended(0x0000_0001_0000_0002)).expect("sealed");
    let next_header = sealed[at];
    let fixed = [next_header, 4, 0, 0, 1, 2, 3, 4, 0, 0, 0, 2];
    assert_eq!(sealed[at..at + 12], fixed);
    let payload = &sealed[at + 24..];
    let key = IcvKey::new(Integrity::HmacSha1_96, &KEY).expect("a key");
    // RFC 4302 §2.5.1: the upper half of the number follows the packet.
    let expected = key.sign(&[header, &fixed, &[0; 12], payload, &[0, 0, 0, 1]]);
    assert_eq!(sealed[at + 12..at + 24], *expected.as_ref());
    let parsed = Packet::parse(&sealed).expect("a packet");
    let found = Header::of(&parsed).expect("AH");
    assert_eq!((found.spi, found.sequence, found.next_header), (SPI, 2, next_header));
    assert_eq!(found.payload(&parsed), payload);
    assert!(ah().verify(&parsed, &found, Sequence::Extended(0x0000_0001_0000_0002)));
    assert!(!ah().verify(&parsed, &found, Sequence::Extended(2)), "another upper half");
    assert!(!ah().verify(&parsed, &found, Sequence::Short(2)), "no upper half");
}

#[test]
fn ipv4_with_options() {
    // Router alert stays, time stamp and record route count as zero, a source route too: but the destination is its last hop.
    let options =
        [148, 4, 0, 0, 68, 8, 5, 0, 9, 9, 9, 9, 7, 7, 4, 8, 8, 8, 8, 131, 11, 4, 10, 0, 0, 8, 10, 0, 0, 9, 1, 0];
    let mut packet = vec![0x4d, 0x55, 0, 56, 0x12, 0x34, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 7];
    packet.extend(options);
    packet.extend([1, 2, 3, 4]);
    let mut covered = vec![0x4d, 0, 0, 80, 0x12, 0x34, 0, 0, 0, 51, 0, 0, 10, 0, 0, 1, 10, 0, 0, 9];
    covered.extend([148, 4, 0, 0]);
    covered.extend([0; 26]);
    covered.extend([1, 0]);
    assert_covers(&packet, &covered, 52);
    // A source route that is at its end changes nothing.
    packet[20 + 21] = 12;
    covered[16..20].copy_from_slice(&[10, 0, 0, 7]);
    assert_covers(&packet, &covered, 52);
}

#[test]
fn ipv6_with_extension_headers() {
    let [source, via, last] = [[0xa; 16], [0xb; 16], [0xc; 16]];
    let mut packet = vec![0x6a, 0xbc, 0xde, 0xf0, 0, 36, 0, 64];
    packet.extend([source, via].concat());
    // Hop-by-hop: one that may change, one that may not, padding. Then a routing header with a hop left.
    packet.extend([43, 0, 0x3e, 1, 0xff, 0x05, 1, 0xee]);
    packet.extend([17, 2, 0, 1, 0, 0, 0, 0]);
    packet.extend(last);
    packet.extend([1, 2, 3, 4]);
    let mut covered = vec![0x60, 0, 0, 0, 0, 60, 0, 0];
    covered.extend([source, last].concat());
    covered.extend([43, 0, 0x3e, 1, 0, 0x05, 1, 0xee]);
    covered.extend([51, 2, 0, 0, 0, 0, 0, 0]);
    covered.extend(via);
    assert_covers(&packet, &covered, 72);
    // A routing header of which nobody knows what becomes.
    packet[50] = 3;
    assert!(ah().seal(&packet, SPI, Sequence::Short(1)).is_none());
}

#[test]
fn a_peer_may_pad_more_than_is_needed() {
    let header = NewHeader {
        source: [10, 0, 0, 1].into(),
        destination: [10, 0, 0, 2].into(),
        traffic_class: 0,
        hop_limit: 64,
        dont_fragment: true,
        protocol: protocol::AH,
    };
    let key = IcvKey::new(Integrity::HmacSha256_128, &[5; 32]).expect("a key");
    for (length, accepted) in [(28, true), (32, true), (36, false), (24, false)] {
        let mut payload = vec![17, u8::try_from(length / 4 - 2).expect("short"), 0, 0, 1, 2, 3, 4, 0, 0, 0, 1];
        payload.resize(length, 0);
        payload.extend([1, 2, 3, 4, 5, 6, 7, 8]);
        let mut packet = header.packet(&payload).expect("a packet");
        let mut covered = packet.clone();
        for at in [1, 6, 7, 8, 10, 11] {
            covered[at] = 0;
        }
        let icv = key.sign(&[&covered[..32], &[0; 16], &covered[48..]]);
        packet[32..48].copy_from_slice(icv.as_ref());
        let parsed = Packet::parse(&packet).expect("a packet");
        let found = Header::of(&parsed).expect("AH");
        let ah = Ah::new(Integrity::HmacSha256_128, &[5; 32]).expect("a key");
        assert_eq!(ah.verify(&parsed, &found, Sequence::Short(1)), accepted, "{length} octets");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    assert!(Ah::new(Integrity::HmacSha1_96, &[1; 3]).is_err());
    // Cut short.
    let packet = [0x45, 0, 0, 24, 0, 1, 0, 0, 64, 51, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 17, 4, 0, 0];
    assert!(Header::of(&Packet::parse(&packet).expect("a packet")).is_none());
    // An option that is longer than its header.
    let packet = [0x46, 0, 0, 24, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 7, 9, 0, 0];
    assert!(ah().seal(&packet, SPI, Sequence::Short(1)).is_none());
}
