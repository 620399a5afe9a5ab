use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn take(window: &mut ReplayWindow, sequence: u64) -> bool {
    let new = window.is_new(sequence);
    if new {
        window.note(sequence);
    }
    new
}

#[test]
fn each_number_once_and_none_older_than_the_window() {
    let mut window = ReplayWindow::new(64);
    assert!(!take(&mut window, 0));
    assert!(take(&mut window, 1));
    assert!(!take(&mut window, 1));
    assert!(take(&mut window, 100));
    assert!(take(&mut window, 37));
    assert!(!take(&mut window, 37));
    assert!(!take(&mut window, 36));
    for far in [u64::from(u32::MAX), u64::MAX] {
        assert!(take(&mut window, far));
        assert!(take(&mut window, far - 63));
        assert!(!take(&mut window, far - 64));
    }
}

#[test]
fn the_upper_half_is_that_of_the_number_nearest_to_the_window() {
    let mut window = ReplayWindow::new(64);
    const TURN: u64 = 1 << 32;
    assert_eq!((window.infer(1), window.infer(u32::MAX - 63)), (Some(1), Some(TURN - 64)));
    // Before the first packet there is nothing.
    assert_eq!((window.infer(u32::MAX), window.infer(u32::MAX - 62)), (None, None));
    window.note(1000);
    assert_eq!((window.infer(1001), window.infer(937)), (Some(1001), Some(937)));
    assert_eq!(window.infer(936), Some(TURN + 936), "below the window: not in this turn");
    assert_eq!(window.infer(u32::MAX), Some(TURN - 1));
    window.note(TURN + 10);
    assert_eq!((window.infer(11), window.infer(9)), (Some(TURN + 11), Some(TURN + 9)));
    assert_eq!((window.infer(u32::MAX), window.infer(u32::MAX - 52)), (Some(TURN - 1), Some(TURN - 53)));
    assert_eq!(window.infer(u32::MAX - 53), Some(2 * TURN - 54));
    window.note(u64::MAX);
    assert_eq!((window.infer(u32::MAX), window.infer(0)), (Some(u64::MAX), None));
}

#[test]
fn asking_alone_changes_nothing() {
    let mut window = ReplayWindow::new(64);
    assert!(window.is_new(5000));
    assert!(window.is_new(1));
    assert!(take(&mut window, 1));
}

#[test]
fn small_windows_are_raised_and_zero_is_none() {
    let mut window = ReplayWindow::new(4);
    assert!(take(&mut window, 64));
    assert!(take(&mut window, 1));
    let mut none = ReplayWindow::new(0);
    assert!(take(&mut none, 7));
    assert!(take(&mut none, 7));
}

proptest! {
    /// Whatever lies within half a turn of the window is found again from its lower half.
    #[test]
    fn a_number_is_found_from_its_half(top in 1_u64..1 << 40, size in 64_u32..1000, distance in -63_i64..1 << 31) {
        let mut window = ReplayWindow::new(size);
        window.note(top);
        let Some(number) = top.checked_add_signed(distance) else { return Ok(()) };
        let lower = u32::try_from(number & u64::from(u32::MAX)).expect("32 bits");
        prop_assert_eq!(window.infer(lower), Some(number));
    }

    /// Against a set of all numbers received.
    #[test]
    fn like_a_set(size in prop::sample::select(vec![64_u32, 100, 128, 1000]), jumps in prop::collection::vec(-300_i64..400, 1..300)) {
        let mut window = ReplayWindow::new(size);
        let mut seen = BTreeSet::new();
        let mut at = 1000_i64;
        for jump in jumps {
            at = (at + jump).max(1);
            let sequence = u64::try_from(at).expect("small");
            let top = seen.last().copied().unwrap_or(0);
            let expected = !seen.contains(&sequence) && (sequence > top || top - sequence < u64::from(size));
            prop_assert_eq!(take(&mut window, sequence), expected, "{} of {:?}", sequence, seen);
            if expected {
                seen.insert(sequence);
            }
        }
    }
}
