//! Link-local addresses and their interfaces.
use super::*;

#[test]
fn a_link_local_address_is_written_with_its_interface() {
    for (text, link_local) in [
        ("fe80::1%eth0", true),
        ("fe80::1%2", true),
        ("fe80::%eth0/64", true),
        ("fe80::/10", true),
        ("fd00::1", false),
        ("fe00::/8", false),
    ] {
        let file = parse(&GOOD.replace("\"10.9.0.2\"", &format!("{text:?}"))).unwrap_or_else(|error| panic!("{error}"));
        assert!(file.warnings.is_empty(), "{text}: {:?}", file.warnings);
        assert_eq!(file.filter_lists[0].filters[0].destination.is_link_local(), link_local, "{text}");
    }
}

#[test]
fn what_is_wrong_with_an_interface_is_said_with_what_is_allowed() {
    for (text, message) in [
        (
            "fe80::1",
            "fe80::1 is link-local, so that every interface can have a host with it; allowed: the address and its interface, as in \"fe80::1%eth0\"",
        ),
        ("fe80::1/128", "as in \"fe80::1%eth0\""),
        (
            "2001:db8::1%eth0",
            "2001:db8::1 is not link-local (fe80::/10) and has no interface; allowed: \"2001:db8::1\"",
        ),
        ("10.9.0.2%eth0", "10.9.0.2 is not link-local"),
        ("169.254.0.2%eth0", "169.254.0.2 is not link-local"),
        ("fe80::%eth0/8", "fe00:: is not link-local"),
        ("fe80::1%", "\"\" is no interface, allowed: its name (1 to 15 octets) or its index"),
        ("fe80::1%a-name-that-is-too-long", "is no interface"),
        ("fe80::1/64%eth0", "allowed: \"me\""),
        ("fe80::x%eth0", "fe80::1%eth0, fe80::%eth0/64"),
    ] {
        let faults = faults("\"10.9.0.2\"", &format!("{text:?}"));
        assert!(faults.contains(message), "{text}: {faults}");
    }
    let sides = |sides: &str| faults("source = \"me\", destination = \"10.9.0.2\"", sides);
    let two = sides("source = \"fe80::1%eth0\", destination = \"fe80::2%eth1\"");
    assert!(two.contains("is from interface \"eth0\" to \"eth1\", allowed: the same interface on both sides"), "{two}");
    let families = sides("source = \"fe80::1%eth0\", destination = \"10.9.0.2\"");
    assert!(families.contains("both IPv4 or both IPv6"), "{families}");
}

#[test]
fn a_tunnel_has_no_link_local_ends() {
    for end in ["fe80::1%eth0", "fe80::1"] {
        let faults = faults("horse\" }]", &format!("horse\" }}]\ntunnel = {{ remote = {end:?} }}"));
        assert!(faults.contains("which is link-local; allowed: an address that is not, or transport mode"), "{faults}");
    }
}
