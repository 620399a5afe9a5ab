use super::*;

const CPI: Spi = Spi(0x1234);

/// Octets that nothing compresses.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()[1]
    };
    core::iter::repeat_with(next).take(len).collect()
}

#[test]
fn what_becomes_shorter_is_compressed_and_comes_back_as_it_was() {
    let mut ipcomp = Ipcomp::new();
    for len in [SHORTEST, 1_000, 20_000, LONGEST] {
        let payload: Vec<u8> = (0..len).map(|index| b"abc"[index % 3]).collect();
        let packet = ipcomp.compress(CPI, 17, &payload).expect("it becomes shorter");
        assert!(packet.len() < len);
        assert_eq!(packet[..HEADER], [17, 0, 0x12, 0x34]);
        assert_eq!(ipcomp.decompress(CPI, &packet), Some((17, payload)));
    }
}

#[test]
fn nothing_becomes_longer() {
    let mut ipcomp = Ipcomp::new();
    for len in [0, 1, SHORTEST - 1, SHORTEST, 1_400, 65_000] {
        assert_eq!(ipcomp.compress(CPI, 17, &noise(len)), None, "{len}");
    }
    // Not even by the last octet: the header counts.
    assert_eq!(ipcomp.compress(CPI, 6, &[0; SHORTEST - 1]), None);
    // A packet that is not tried leaves nothing behind for the next.
    let payload = vec![7; 500];
    let packet = ipcomp.compress(CPI, 6, &payload).expect("it becomes shorter");
    assert_eq!(Ipcomp::new().decompress(CPI, &packet), Some((6, payload)));
}

#[test]
fn what_is_no_packet_of_this_cpi_is_dropped() {
    let mut ipcomp = Ipcomp::new();
    let packet = ipcomp.compress(CPI, 6, &[7; 500]).expect("it becomes shorter");
    assert_eq!(ipcomp.decompress(Spi(0x1235), &packet), None);
    for end in 0..packet.len() {
        assert_eq!(ipcomp.decompress(CPI, &packet[..end]), None, "cut to {end}");
    }
    let mut garbage = packet.clone();
    garbage[HEADER..].fill(0xff);
    assert_eq!(ipcomp.decompress(CPI, &garbage), None);
    assert_eq!(ipcomp.decompress(CPI, &[&packet[..HEADER], &noise(300)].concat()), None);
    // The flags do not count.
    let mut flags = packet;
    flags[1] = 0xff;
    assert_eq!(ipcomp.decompress(CPI, &flags), Some((6, vec![7; 500])));
}

#[test]
fn a_bomb_is_dropped_where_it_outgrows_a_packet() {
    let mut compress = Compress::new(Compression::best(), false);
    let mut packet = vec![6, 0, 0x12, 0x34];
    packet.reserve(LONGEST);
    let status = compress.compress_vec(&vec![0; 20_000_000], &mut packet, FlushCompress::Finish).expect("compressed");
    assert_eq!(status, Status::StreamEnd);
    let mut ipcomp = Ipcomp::new();
    assert_eq!(ipcomp.decompress(CPI, &packet), None);
    assert!(ipcomp.room.capacity() < 2 * LONGEST);
    let good = ipcomp.compress(CPI, 6, &[7; 500]).expect("it becomes shorter");
    assert!(ipcomp.decompress(CPI, &good).is_some());
}
