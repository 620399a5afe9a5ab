use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn take(window: &mut ReplayWindow, sequence: u32) -> bool {
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
    assert!(take(&mut window, u32::MAX));
    assert!(take(&mut window, u32::MAX - 63));
    assert!(!take(&mut window, u32::MAX - 64));
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
    /// Against a set of all numbers received.
    #[test]
    fn like_a_set(size in prop::sample::select(vec![64_u32, 100, 128, 1000]), jumps in prop::collection::vec(-300_i64..400, 1..300)) {
        let mut window = ReplayWindow::new(size);
        let mut seen = BTreeSet::new();
        let mut at = 1000_i64;
        for jump in jumps {
            at = (at + jump).max(1);
            let sequence = u32::try_from(at).expect("small");
            let top = seen.last().copied().unwrap_or(0);
            let expected = !seen.contains(&sequence) && (sequence > top || top - sequence < size);
            prop_assert_eq!(take(&mut window, sequence), expected, "{} of {:?}", sequence, seen);
            if expected {
                seen.insert(sequence);
            }
        }
    }
}
