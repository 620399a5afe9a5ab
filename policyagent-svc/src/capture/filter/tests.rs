use super::*;
use crate::capture::fuzzing::{frames, packet};

fn fault(text: &str) -> String {
    text.parse::<Filter>().expect_err("no filter").to_string()
}

/// The names of the sample frames that fit.
fn fitting(text: &str) -> Vec<&'static str> {
    let filter: Filter = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    frames().iter().filter(|(_, frame)| filter.fits(&packet(frame))).map(|(name, _)| *name).collect()
}

#[test]
fn packets_fit_by_what_they_are() {
    assert_eq!(fitting("protocol isakmp"), ["main-1", "delete", "in-nat-t"]);
    assert_eq!(fitting("protocol esp"), ["esp-in-udp", "esp", "ah-esp"]);
    assert_eq!(fitting("protocol AH"), ["ah-esp"]);
    assert_eq!(fitting("protocol nat-keepalive"), ["keep-alive"]);
    assert_eq!(fitting("port 500"), ["main-1", "delete"]);
    // By header, and by the messages that speak of it.
    assert_eq!(fitting("spi 0xc0000001"), ["delete", "esp-in-udp", "esp", "ah-esp"]);
    assert_eq!(fitting("spi C0000009"), ["ah-esp"]);
    assert_eq!(fitting("exchange main"), ["main-1", "in-nat-t"]);
    assert_eq!(fitting("exchange \"Main Mode\" or exchange 5"), ["main-1", "delete", "in-nat-t"]);
    assert_eq!(fitting("payload vid and payload SA"), ["main-1", "in-nat-t"]);
    assert_eq!(fitting("payload 12"), ["delete"]);
    assert_eq!(fitting("vendor \"mamie\""), Vec::<&str>::new());
    assert_eq!(fitting("vendor \"rfc 3947\""), ["main-1", "in-nat-t"]);
    assert_eq!(fitting("cookie 0102030405060708 and not exchange main-mode"), ["delete"]);
    assert_eq!(fitting("peer 192.0.2.0/24 and not (protocol isakmp or protocol esp)"), ["keep-alive", "cut"]);
    assert_eq!(fitting("source 192.0.2.2"), Vec::<&str>::new());
    assert_eq!(fitting("destination 192.0.2.2 and fault"), ["cut"]);
    assert_eq!(fitting("encrypted"), Vec::<&str>::new());
}

#[test]
fn and_binds_closer_than_or_and_not_closest() {
    let filter: Filter = "not fault and encrypted or port 1".parse().expect("a filter");
    let term = Filter::Term;
    let left = Filter::All(vec![Filter::Not(Box::new(term(Term::Fault))), term(Term::Encrypted)]);
    assert_eq!(filter, Filter::Any(vec![left, term(Term::Port(1))]));
    assert_eq!("((fault))".parse(), Ok(term(Term::Fault)));
}

#[test]
fn what_is_no_filter_is_named_with_its_place() {
    assert!(fault("").starts_with("character 1: the filter ends here; allowed here: peer, "));
    assert_eq!(fault("spi"), "character 4: the filter ends here; a value is missing");
    assert_eq!(fault("spi xyz"), "character 5: \"xyz\": allowed: 1 to 8 hexadecimal digits, with or without 0x");
    assert_eq!(fault("cookie 0102"), "character 8: \"0102\": allowed: 16 hexadecimal digits");
    assert_eq!(fault("fault fault"), "character 7: \"fault\": allowed here: and, or, or the end");
    assert_eq!(fault("(fault"), "character 7: the filter ends here; a ) is missing");
    assert_eq!(fault("(fault spi"), "character 8: \"spi\": allowed here: and, or, )");
    assert_eq!(fault("vendor \"x"), "character 8: the quotation has no end");
    assert!(fault("pear 1").starts_with("character 1: \"pear\": allowed here: peer, source, "));
    assert!(fault("exchange fast").contains("allowed: a number, or a name as it is shown, such as main, quick"));
    assert!(fault("peer 10.0.0.0/33").contains("allowed: an address, or one with the length of a prefix"));
    assert_eq!(fault("protocol tcp"), "character 10: \"tcp\": allowed: isakmp, esp, ah, nat-keepalive");
    assert_eq!(fault(&"(".repeat(100)), "character 65: \"(\": too many parentheses within each other");
    assert!(fault(&"not ".repeat(100)).contains("too many parentheses"));
}
