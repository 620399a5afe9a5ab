use super::*;

fn range(text: &str) -> AddressRange {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn blocks(text: &str) -> Vec<String> {
    range(text).blocks().iter().map(ToString::to_string).collect()
}

#[test]
fn text_and_back() {
    for (text, printed) in [
        ("10.0.0.5", "10.0.0.5"),
        ("10.0.0.5-10.0.0.9", "10.0.0.5-10.0.0.9"),
        ("10.0.0.5 - 10.0.0.9", "10.0.0.5-10.0.0.9"),
        ("10.0.0.0/24", "10.0.0.1-10.0.0.254"),
        ("10.0.0.4/31", "10.0.0.4-10.0.0.5"),
        ("10.0.0.4/32", "10.0.0.4"),
        ("0.0.0.0/0", "0.0.0.1-255.255.255.254"),
        ("2001:db8::/64", "2001:db8::1-2001:db8::ffff:ffff:ffff:ffff"),
        ("::/0", "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ] {
        assert_eq!(range(text).to_string(), printed);
    }
    for wrong in ["", "10.0.0.9-10.0.0.5", "10.0.0.1-2001:db8::1", "10.0.0.0/33", "10.0.0.0/x", "a-b", "10.0.0.1-"] {
        assert!(wrong.parse::<AddressRange>().is_err(), "{wrong:?}");
    }
}

#[test]
fn blocks_are_all_of_the_range_and_no_more() {
    assert_eq!(blocks("10.0.0.5-10.0.0.9"), ["10.0.0.5", "10.0.0.6/31", "10.0.0.8/31"]);
    assert_eq!(blocks("10.0.0.0-10.0.0.255"), ["10.0.0.0/24"]);
    assert_eq!(blocks("10.0.0.7"), ["10.0.0.7"]);
    assert_eq!(blocks("0.0.0.0-255.255.255.255"), ["0.0.0.0/0"]);
    assert_eq!(blocks("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ["::/0"]);
    assert_eq!(blocks("255.255.255.254-255.255.255.255"), ["255.255.255.254/31"]);
    let all = range("10.99.0.0/24").blocks();
    for last in 0..=255_u8 {
        let address = IpAddr::from([10, 99, 0, last]);
        let inside = all.iter().filter(|block| block.contains(address)).count();
        assert_eq!(inside, usize::from(last != 0 && last != 255), "{address}");
    }
}

#[test]
fn addresses_follow_each_other_to_the_last() {
    let range = range("10.0.0.254-10.0.1.1");
    let mut all = vec![range.first()];
    while let Some(next) = range.after(all[all.len() - 1]) {
        all.push(next);
    }
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(all, ["10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1"]);
    assert_eq!(self::range("255.255.255.255").after(IpAddr::from([255; 4])), None);
}
