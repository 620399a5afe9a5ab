//! Sequence numbers and the window.
use super::*;

#[test]
fn sequence_numbers_and_ivs_never_repeat() {
    for suite in [AES, GCM] {
        let link = Link { suite, ..Link::transport() };
        let (mut a, _) = sides(&link);
        let mut ivs = Vec::new();
        for expected in 1..=5_u32 {
            a.host_packet(Time::ZERO, &link.packet(1));
            let wire = network(&mut a);
            let payload = Packet::parse(&wire).expect("a packet").payload().to_vec();
            assert_eq!(payload[4..8], expected.to_be_bytes());
            let iv = payload[8..16].to_vec();
            if suite == GCM {
                assert_eq!(iv, u64::from(expected).to_be_bytes());
            }
            assert!(!ivs.contains(&iv));
            ivs.push(iv);
        }
    }
}

#[test]
fn an_sa_ends_with_its_last_sequence_number() {
    let link = Link::transport();
    let (mut a, _) = sides(&link);
    a.pairs.get_mut(&IpsecSaId(1)).expect("a pair").sequence = 0xf000_0000 - 1;
    a.host_packet(Time::ZERO, &link.packet(1));
    assert_eq!(expires(&mut a), [(0x2222, false)]);
    a.pairs.get_mut(&IpsecSaId(1)).expect("a pair").sequence = u64::from(u32::MAX) - 2;
    a.host_packet(Time::ZERO, &link.packet(1));
    assert_eq!(effects(&mut a).len(), 1);
    a.host_packet(Time::ZERO, &link.packet(1));
    let last = effects(&mut a);
    assert!(matches!(&last[..], [Effect::Network(_), Effect::Message(DriverMessage::Expire(e))] if e.hard), "{last:?}");
    a.host_packet(Time::ZERO, &link.packet(1));
    assert!(matches!(&messages(&mut a)[..], [DriverMessage::Acquire(_)]));
    assert_eq!(a.pairs[&IpsecSaId(1)].sequence, u64::from(u32::MAX));
}

#[test]
fn extended_sequence_numbers_go_on_past_32_bits() {
    for suite in [AES, GCM] {
        let link = Link { suite, extended: true, ..Link::transport() };
        let (mut a, mut b) = sides(&link);
        let turn = 1_u64 << 32;
        a.pairs.get_mut(&IpsecSaId(1)).expect("a pair").sequence = turn - 3;
        b.pairs.get_mut(&IpsecSaId(1)).expect("a pair").window.note(turn - 3);
        let mut wires = Vec::new();
        for n in 0..4 {
            a.host_packet(Time::ZERO, &link.packet(n));
            wires.push(network(&mut a));
        }
        assert_eq!(a.pairs[&IpsecSaId(1)].sequence, turn + 1);
        assert!(messages(&mut a).is_empty(), "the SA lives on");
        // Out of order over the turn, then all of them again.
        for wire in [&wires[3], &wires[0], &wires[2], &wires[1]] {
            arrive(&mut b, Time::ZERO, wire);
            assert!(host(&mut b).is_some());
        }
        for wire in &wires {
            arrive(&mut b, Time::ZERO, wire);
            assert!(effects(&mut b).is_empty());
        }
        assert_eq!((usage(&mut b, 1).replays, usage(&mut b, 1).integrity_failures), (Some(4), Some(0)));
    }
}

#[test]
fn replays_and_forgeries_are_counted_and_move_nothing() {
    let link = Link::transport();
    let (mut a, mut b) = sides(&link);
    let wires: Vec<Vec<u8>> = (0..3)
        .map(|n| {
            a.host_packet(Time::ZERO, &link.packet(n));
            network(&mut a)
        })
        .collect();
    arrive(&mut b, Time::ZERO, &wires[0]);
    assert!(host(&mut b).is_some());
    arrive(&mut b, Time::ZERO, &wires[0]);
    assert!(effects(&mut b).is_empty());
    // A forged number far ahead must not move the window.
    let mut forged = wires[1].clone();
    forged[24..28].copy_from_slice(&[0xff; 4]);
    arrive(&mut b, Time::ZERO, &forged);
    assert!(effects(&mut b).is_empty());
    let mut damaged = wires[1].clone();
    damaged[50] ^= 1;
    arrive(&mut b, Time::ZERO, &damaged);
    assert!(effects(&mut b).is_empty());
    let mut strange = wires[1].clone();
    strange[20] ^= 1;
    arrive(&mut b, Time::ZERO, &strange);
    assert!(effects(&mut b).is_empty());
    for wire in &wires[1..] {
        arrive(&mut b, Time::ZERO, wire);
        assert!(host(&mut b).is_some());
    }
    let drops = b.dropped().drops();
    assert_eq!((drops.bad_spi, drops.not_decrypted), (Some(1), Some(2)), "a strange SPI; a forged number, and damage");
    let usage = usage(&mut b, 1);
    assert_eq!((usage.replays, usage.integrity_failures, usage.inbound_packets), (Some(1), Some(2), 3));
}
