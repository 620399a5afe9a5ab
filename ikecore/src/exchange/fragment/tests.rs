use super::*;
use crate::ids::{Cookie, MessageId};
use crate::wire::payload::Fragment;
use crate::wire::{ExchangeType, Padding, parse};

/// A message of so many octets, encrypted as far as its flags say.
fn message(len: usize) -> Vec<u8> {
    let header = Header {
        initiator: Cookie([1; 8]),
        responder: Cookie([2; 8]),
        next_payload: PayloadType::ID,
        version: Header::VERSION,
        exchange: ExchangeType::QUICK,
        flags: Flags::ENCRYPTION,
        message_id: MessageId(7),
        length: 0,
    };
    let body: Vec<u8> = (0..len - Header::LEN).map(|at| (at % 251) as u8).collect();
    build_message(&header, PayloadType::ID, &body)
}

/// Reads a fragment as a receiver does.
fn read(octets: &[u8]) -> (Header, u16, u8, bool, Vec<u8>) {
    let header = Header::decode(octets).unwrap();
    let chain = parse(header.next_payload, &octets[Header::LEN..], Padding::Forbidden).unwrap();
    assert_eq!(chain.payloads.len(), 1);
    let fragment = chain.payloads[0].decode(Fragment::decode).unwrap();
    (header, fragment.id, fragment.number, fragment.is_last(), fragment.data.to_vec())
}

fn fragment(number: u8, last: bool, data: &[u8]) -> Fragment<'_> {
    Fragment { id: 1, number, flags: u8::from(last), data }
}

#[test]
fn what_is_cut_fits_and_makes_the_whole_again() {
    for len in [600, 548, 549, 1_024, 1_025, 5_000] {
        let whole = message(len);
        let pieces = cut(&whole, 548, 0x1234).unwrap();
        assert_eq!(pieces.len(), len.div_ceil(548 - OVERHEAD));
        let mut assembly = Assembly::default();
        for (index, octets) in pieces.iter().enumerate() {
            assert!(octets.len() <= 548);
            let (header, id, number, last, data) = read(octets);
            assert_eq!((header.next_payload, header.exchange), (PayloadType::FRAGMENT, ExchangeType::QUICK));
            assert_eq!((header.flags, header.message_id), (Flags::NONE, MessageId(7)));
            assert_eq!((id, usize::from(number), last), (0x1234, index + 1, index + 1 == pieces.len()));
            let made = assembly.add(&fragment(number, last, &data));
            let expected = if last { vec![whole.clone()] } else { Vec::new() };
            assert_eq!(made, expected, "{len} octets, fragment {number}");
        }
    }
    assert!(cut(&message(600), OVERHEAD, 1).is_none(), "no room for data");
    assert!(cut(&message(60_000), OVERHEAD + 100, 1).is_none(), "more than 255 fragments");
}

#[test]
fn in_any_order_and_with_duplicates() {
    for order in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
        let mut assembly = Assembly::default();
        let data = [b"one".as_slice(), b"two", b"three"];
        for (count, number) in order.into_iter().enumerate() {
            let piece = fragment(number, number == 3, data[usize::from(number) - 1]);
            let made = assembly.add(&piece);
            assert_eq!(made, if count == 2 { vec![b"onetwothree".to_vec()] } else { Vec::new() }, "{order:?}");
            assert!(assembly.add(&piece).is_empty(), "a duplicate alone makes nothing");
        }
        assert_eq!(assembly.octets(), 11);
        // The whole message again makes it again, once.
        let again = |assembly: &mut Assembly, number: u8| {
            assembly.add(&fragment(number, number == 3, data[usize::from(number) - 1])).len()
        };
        for _ in 0..2 {
            let made: Vec<usize> = order.iter().map(|number| again(&mut assembly, *number)).collect();
            assert_eq!(made.iter().sum::<usize>(), 1, "{order:?}: {made:?}");
        }
    }
}

#[test]
fn a_forged_fragment_does_not_take_the_place_of_a_true_one() {
    // Whichever is forged, and whether it comes before or after the true one.
    for forged in 1..=3_u8 {
        for last in [false, true] {
            for after in [false, true] {
                let mut assembly = Assembly::default();
                let mut made = Vec::new();
                for number in 1..=3_u8 {
                    let name = number.to_string();
                    let mut add = |is_forged: bool| {
                        let data = if is_forged { b"forged".as_slice() } else { name.as_bytes() };
                        let last = if is_forged { last } else { number == 3 };
                        made.extend(assembly.add(&fragment(number, last, data)));
                    };
                    if number == forged && !after {
                        add(true);
                    }
                    add(false);
                    if number == forged && after {
                        add(true);
                    }
                }
                assert!(made.contains(&b"123".to_vec()), "{forged} {last} {after}: {made:?}");
            }
        }
    }
}

#[test]
fn what_is_kept_and_tried_is_bounded() {
    let mut assembly = Assembly::default();
    let mut tried = 0;
    for round in 0..100_u8 {
        for number in 1..=10 {
            let made = assembly.add(&fragment(number, number == 10, &[round; 100])).len();
            assert!(made <= TRIES, "{made}");
            tried += made;
        }
    }
    assert!(assembly.octets() <= 10 * ALTERNATIVES * 100);
    assert!(tried > 100);
    // The newest of all is among them.
    let mut all = Vec::new();
    for number in 1..=10 {
        all = assembly.add(&fragment(number, number == 10, b"x"));
    }
    assert_eq!(all.first(), Some(&b"xxxxxxxxxx".to_vec()));
    // 255 fragments of 500 octets would be more than a message can have.
    let mut assembly = Assembly::default();
    let made: usize = (1..=255).map(|number| assembly.add(&fragment(number, number == 255, &[0; 500])).len()).sum();
    assert_eq!(made, 0);
}
