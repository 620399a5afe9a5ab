use super::*;
use crate::ids::Cookie;
use crate::testing::SeededRandom;

const NOW: Time = Time::from_secs(100);

#[test]
fn the_first_number_is_random_and_each_later_one_higher_by_one() {
    let first = |seed| Liveliness::new(NOW).ask(NOW, &mut SeededRandom::new(seed)).unwrap();
    assert_ne!(first(1), first(2));
    assert!((0..64).all(|seed| first(seed) < 1 << 31));
    let mut liveliness = Liveliness::new(NOW);
    let mut random = SeededRandom::new(1);
    let start = first(1);
    for count in 1..5 {
        assert_eq!(liveliness.ask(NOW, &mut random).unwrap(), start + count - 1);
        assert_eq!(liveliness.probing(), Some(Probing { since: NOW, sent: count }));
    }
    // After an answer it goes on where it was.
    liveliness.hear(NOW);
    assert_eq!(liveliness.probing(), None);
    assert_eq!(liveliness.ask(NOW, &mut random).unwrap(), start + 4);
}

#[test]
fn only_what_was_asked_is_answered() {
    let mut liveliness = Liveliness::new(NOW);
    let mut random = SeededRandom::new(3);
    assert!(!liveliness.is_answer(0));
    let first = liveliness.ask(NOW, &mut random).unwrap();
    let second = liveliness.ask(NOW, &mut random).unwrap();
    for (sequence, expected) in [(first - 1, false), (first, true), (second, true), (second + 1, false)] {
        assert_eq!(liveliness.is_answer(sequence), expected, "{sequence} after {first}, {second}");
    }
    liveliness.hear(NOW);
    assert!(!liveliness.is_answer(second));
    let third = liveliness.ask(NOW, &mut random).unwrap();
    assert!(liveliness.is_answer(third) && !liveliness.is_answer(second));
}

#[test]
fn older_questions_are_not_answered() {
    let mut liveliness = Liveliness::new(NOW);
    for (sequence, expected) in
        [(7, true), (8, true), (8, true), (7, false), (12, true), (u32::MAX, false), (12 + (1 << 31), false)]
    {
        assert_eq!(liveliness.admit(sequence), expected, "{sequence}");
    }
    // Past the highest number the lowest follows.
    let mut liveliness = Liveliness::new(NOW);
    assert!(liveliness.admit(u32::MAX) && liveliness.admit(0) && !liveliness.admit(u32::MAX));
}

#[test]
fn the_number_must_be_of_this_isakmp_sa() {
    let cookies = Cookies { initiator: Cookie([1; 8]), responder: Cookie([2; 8]) };
    let Information::Notify { spi, data, .. } = information(NotifyType::R_U_THERE, cookies, 0x0102_0304) else {
        panic!("a notification");
    };
    assert_eq!((spi.len(), data.as_slice()), (16, [1, 2, 3, 4].as_slice()));
    assert_eq!(sequence(&spi, &data, cookies), Some(0x0102_0304));
    assert_eq!(sequence(&[], &data, cookies), Some(0x0102_0304));
    assert_eq!(sequence(&spi[..8], &data, cookies), None);
    assert_eq!(sequence(&spi, &data, Cookies { initiator: cookies.responder, ..cookies }), None);
    for len in [0, 3] {
        assert_eq!(sequence(&spi, &data[..len], cookies), None);
    }
    assert_eq!(sequence(&spi, &[&data[..], &[0]].concat(), cookies), None);
}
