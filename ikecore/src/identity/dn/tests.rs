use super::*;

fn round(written: &str) -> String {
    text(&encode(written).unwrap_or_else(|fault| panic!("{written}: {fault}"))).expect("a name")
}

#[test]
fn names_go_there_and_back() {
    for written in [
        "C=CH, O=Example, CN=host",
        "DC=example, DC=ad, CN=Users, CN=Hans M\u{fc}ller",
        "O=Sharp\\, Inc., CN=a\\+b",
        "CN=\\ edges\\ ",
        "CN=\\#1 \\\"x\\\" \\<y\\> \\; \\= \\\\",
        "C=CH, CN=a+serialNumber=1",
        "1.2.3.4=x",
        "1.2.3.4=#0203010001",
        "CN=#0302055a",
        "emailAddress=a@b.example",
    ] {
        assert_eq!(round(written), written);
    }
    assert_eq!(round("cn=host,  o = Example "), "CN=host, O=Example");
    assert_eq!(round("E=a@b.example"), "emailAddress=a@b.example");
    assert_eq!(round("2.5.4.3=host"), "CN=host");
    assert_eq!(round("CN=a\\2cb"), "CN=a\\,b");
}

#[test]
fn the_encoding_is_der() {
    // As OpenSSL encodes it.
    let octets = [
        0x30, 0x1a, 0x31, 0x0b, 0x30, 9, 6, 3, 0x55, 4, 6, 0x13, 2, b'C', b'H', 0x31, 0x0b, 0x30, 9, 6, 3, 0x55, 4, 3,
        0x0c, 2, b'h', b'1',
    ];
    assert_eq!(encode("C=CH, CN=h1"), Ok(octets.to_vec()));
    let long = format!("CN={}", "x".repeat(300));
    assert_eq!(encode(&long).expect("a name").get(..4), Some(&[0x30, 0x82, 0x01, 0x3d][..]));
    let dc = encode("DC=x").expect("a name");
    // 0.9.2342.19200300.100.1.25
    let oid = [6, 10, 0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19];
    assert!(dc.windows(oid.len()).any(|window| window == oid), "{dc:02x?}");
}

#[test]
fn what_is_no_name_says_why() {
    let fault = |written: &str| encode(written).expect_err("refused").to_string();
    assert!(fault("host").starts_with("the part \"host\", allowed are TYPE=VALUE parts"), "{}", fault("host"));
    assert!(fault("X=1").starts_with("the type \"X\", allowed are C, O, OU, CN,"), "{}", fault("X=1"));
    assert!(fault("CN=").starts_with("the value of CN, allowed is text of 1 to 1024 octets"), "{}", fault("CN="));
    assert!(fault("C=\u{e9}").starts_with("the value of C, allowed"), "{}", fault("C=\u{e9}"));
    assert!(fault("9.9.9=x").starts_with("the type"));
    assert!(fault("CN=a\\").starts_with("the part"));
    for no_element in ["CN=#", "CN=#02", "CN=#0201", "CN=#020101ff", "CN=#0"] {
        assert!(fault(no_element).starts_with("the value of CN"), "{no_element}");
    }
    assert!(fault("").starts_with("the part"));
}

#[test]
fn kinds_of_strings_case_and_spaces_make_no_difference() {
    let with = |tag: u8, value: &[u8]| {
        let attribute = tlv(0x30, &[vec![6, 3, 0x55, 4, 3], tlv(tag, value)].concat());
        tlv(0x30, &tlv(0x31, &attribute))
    };
    let utf8 = with(0x0c, b"Host One");
    for other in [
        with(0x13, b"host one"),
        with(0x16, b" HOST   one "),
        with(0x14, b"Host One"),
        with(0x1e, b"\0H\0o\0s\0t\0 \0O\0n\0e"),
        with(0x1c, b"\0\0\0H\0\0\0o\0\0\0s\0\0\0t\0\0\0 \0\0\0O\0\0\0n\0\0\0e"),
    ] {
        assert!(same(&utf8, &other), "{other:02x?}");
        assert!(text(&other).is_some_and(|text| text.to_lowercase().contains("host")));
    }
    assert!(!same(&utf8, &with(0x0c, b"Host Two")));
    assert!(!same(&encode("CN=a, CN=b").expect("a name"), &encode("CN=a+CN=b").expect("a name")));
    assert!(same(b"no name", b"no name"));
    assert!(!same(b"no name", b"none"));
}

#[test]
fn what_would_hide_is_shown() {
    let shown = round("CN=a\u{202e}b");
    assert_eq!(shown, "CN=a\\e2\\80\\aeb");
    assert_eq!(encode(&shown), encode("CN=a\u{202e}b"));
    assert_eq!(text(&[0x30, 0]), None);
    assert_eq!(text(&[0x30, 1]), None);
    assert_eq!(text(&[]), None);
}

#[test]
fn changed_names_never_panic() {
    let name = encode("C=CH, O=Example, CN=a+serialNumber=1").expect("a name");
    for at in 0..name.len() {
        for value in [0, 1, 0x30, 0x7f, 0x80, 0x84, 0xff] {
            let mut changed = name.clone();
            changed[at] = value;
            let _ = (text(&changed), same(&changed, &name));
        }
        let _ = text(&name[..at]);
    }
}

#[test]
fn a_name_read_backwards_is_the_same_either_way_and_no_other_order_is() {
    let [name, backwards, mixed] = ["C=CH, O=Example, CN=root", "CN=Root, O=example, C=CH", "O=Example, C=CH, CN=root"]
        .map(|t| encode(t).unwrap());
    assert!(same_either_way(&name, &backwards) && same_either_way(&name, &name) && !same(&name, &backwards));
    assert!(!same_either_way(&name, &mixed) && !same_either_way(b"no name", &name));
}
