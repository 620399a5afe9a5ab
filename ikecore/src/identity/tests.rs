use super::*;
use std::net::{Ipv4Addr, Ipv6Addr};

fn decode(id_type: IdType, data: &[u8]) -> Result<Identity, IdentityError> {
    Identity::decode(&Id { id_type, protocol: 0, port: 0, data })
}

/// One of each kind, with its text.
fn each() -> [(Identity, &'static str); 12] {
    [
        (Identity::Address(Ipv4Addr::new(10, 9, 0, 1).into()), "10.9.0.1"),
        (Identity::Address(Ipv6Addr::LOCALHOST.into()), "::1"),
        (Identity::Subnet(Ipv4Addr::new(10, 9, 0, 0).into(), 23), "10.9.0.0/23"),
        (Identity::Subnet(Ipv4Addr::UNSPECIFIED.into(), 0), "0.0.0.0/0"),
        (Identity::Subnet(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0).into(), 8), "fd00::/8"),
        (Identity::Range(Ipv4Addr::new(10, 9, 0, 1).into(), Ipv4Addr::new(10, 9, 0, 9).into()), "10.9.0.1-10.9.0.9"),
        (Identity::Range(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::LOCALHOST.into()), "::-::1"),
        (Identity::Fqdn("Host.Example".to_owned()), "fqdn:Host.Example"),
        (Identity::UserFqdn("a@b.example".to_owned()), "user-fqdn:a@b.example"),
        (Identity::DerAsn1Dn(vec![0x30, 0x00]), "dn:#3000"),
        (Identity::DerAsn1Dn(dn::encode("C=CH, CN=a").expect("a name")), "dn:C=CH, CN=a"),
        (Identity::KeyId(vec![0x0a, 0xff]), "key-id:0aff"),
    ]
}

#[test]
fn identities_go_there_and_back() {
    for (identity, text) in each() {
        let (id_type, data) = identity.encode();
        assert_eq!(decode(id_type, &data), Ok(identity.clone()));
        assert_eq!(identity.to_string(), text);
        assert_eq!(text.parse(), Ok(identity));
    }
}

#[test]
fn the_types_are_those_of_the_registry() {
    let types: Vec<u8> = each().iter().map(|(identity, _)| identity.encode().0.0).collect();
    assert_eq!(types, [1, 5, 4, 4, 6, 7, 8, 2, 3, 9, 9, 11]);
}

#[test]
fn names_match_without_regard_to_case_and_all_else_exactly() {
    let parse = |text: &str| text.parse::<Identity>().expect("an identity");
    let matches = |one: &str, other: &str| parse(one).matches(&parse(other));
    assert!(matches("fqdn:HOST.example", "fqdn:host.EXAMPLE"));
    assert!(matches("user-fqdn:A@b.example", "user-fqdn:a@B.example"));
    assert!(!matches("fqdn:host.example", "user-fqdn:host.example"));
    assert!(!matches("fqdn:host.example", "fqdn:host2.example"));
    assert!(matches("key-id:4142", "key-id:4142"));
    assert!(!matches("key-id:4142", "key-id:6162"));
    assert!(!matches("10.9.0.1", "10.9.0.2"));
    assert!(!matches("dn:#3000", "key-id:3000"));
    assert!(matches("10.9.0.0/24", "10.9.0.0/24") && matches("10.9.0.1-10.9.0.2", "10.9.0.1-10.9.0.2"));
    // Of one kind, and the same block: neither what lies in it nor what it lies in.
    for other in ["10.9.0.0/25", "10.8.0.0/23", "10.9.0.1", "10.9.0.0-10.9.0.255"] {
        assert!(!matches("10.9.0.0/24", other), "{other}");
    }
    assert!(matches("dn:C=CH, CN=Host  One", "dn:c=ch,cn=host one"));
    assert!(!matches("dn:C=CH, CN=a", "dn:CN=a, C=CH"));
}

#[test]
fn protocol_and_port_are_those_of_ike_or_nothing() {
    let with =
        |protocol, port| Identity::decode(&Id { id_type: IdType::IPV4_ADDR, protocol, port, data: &[10, 9, 0, 1] });
    for (protocol, port) in [(0, 0), (17, 0), (17, 500)] {
        assert!(with(protocol, port).is_ok(), "{protocol}/{port}");
    }
    for (protocol, port) in [(0, 500), (17, 4500), (6, 0), (6, 500)] {
        assert_eq!(with(protocol, port), Err(IdentityError::Port { protocol, port }));
    }
    let told = with(6, 500).expect_err("TCP").to_string();
    assert_eq!(told, "protocol 6 port 500 in a main mode identity, allowed are 0/0, 17/0 and 17/500");
}

#[test]
fn what_names_no_peer_is_refused_by_name() {
    let error = |id_type, data: &[u8]| decode(id_type, data).expect_err("refused").to_string();
    assert_eq!(error(IdType::IPV4_ADDR, &[1, 2, 3]), "ID_IPV4_ADDR (1) has 3 octets, allowed is 4");
    assert_eq!(error(IdType::IPV6_ADDR, &[1; 4]), "ID_IPV6_ADDR (5) has 4 octets, allowed is 16");
    assert_eq!(error(IdType::KEY_ID, &[]), "ID_KEY_ID (11) has 0 octets, allowed is at least 1");
    assert_eq!(error(IdType::FQDN, &[]), "ID_FQDN (2): the name has 0 octets, allowed are 1 to 255");
    assert_eq!(error(IdType::FQDN, &[b'a'; 256]), "ID_FQDN (2): the name has 256 octets, allowed are 1 to 255");
    let control = error(IdType::USER_FQDN, b"a@b\n");
    assert!(control.starts_with("ID_USER_FQDN (3): the name has the octet 0x0a, allowed are"), "{control}");
    let name = error(IdType::DER_ASN1_GN, &[0; 8]);
    assert!(name.starts_with("ID type ID_DER_ASN1_GN (10) does not name a peer, allowed are"), "{name}");
    for (id_type, length, allowed) in [
        (IdType::IPV4_ADDR_SUBNET, 32, "ID_IPV4_ADDR_SUBNET (4) has 32 octets, allowed is 8"),
        (IdType::IPV4_ADDR_RANGE, 4, "ID_IPV4_ADDR_RANGE (7) has 4 octets, allowed is 8"),
        (IdType::IPV6_ADDR_SUBNET, 17, "ID_IPV6_ADDR_SUBNET (6) has 17 octets, allowed is 32"),
        (IdType::IPV6_ADDR_RANGE, 0, "ID_IPV6_ADDR_RANGE (8) has 0 octets, allowed is 32"),
    ] {
        assert_eq!(error(id_type, &vec![0; length]), allowed);
    }
    let mask = error(IdType::IPV4_ADDR_SUBNET, &[10, 0, 0, 0, 255, 0, 255, 0]);
    assert!(mask.starts_with("mask 255.0.255.0 of 10.0.0.0 is not contiguous, allowed are"), "{mask}");
    let range = error(IdType::IPV4_ADDR_RANGE, &[10, 0, 0, 2, 10, 0, 0, 1]);
    assert!(range.starts_with("the range 10.0.0.2 to 10.0.0.1 is empty, allowed are"), "{range}");
    // What the mask does not cover does not count.
    let subnet = decode(IdType::IPV4_ADDR_SUBNET, &[10, 0, 0, 7, 255, 255, 255, 0]);
    assert_eq!(subnet, Ok(Identity::Subnet(Ipv4Addr::new(10, 0, 0, 0).into(), 24)));
}

#[test]
fn text_that_is_no_identity_says_what_is_allowed() {
    let error = |text: &str| text.parse::<Identity>().expect_err("refused").to_string();
    let form = "allowed is an IP address, a subnet ADDRESS/LENGTH, a range FIRST-LAST, fqdn:NAME, user-fqdn:NAME@DOMAIN, dn:C=CH, CN=NAME or key-id:HEX";
    assert_eq!(error("host.example"), format!("identity \"host.example\": {form}"));
    for text in
        ["10.9.0.256", "10.9.0.0/33", "10.9.0.1/24", "fd00::/129", "10.9.0.2-10.9.0.1", "10.9.0.1-::1", "/8", "-"]
    {
        assert_eq!(error(text), format!("identity {text:?}: {form}"));
    }
    assert_eq!(error("email:a@b"), format!("identity \"email:a@b\": {form}"));
    let hex = "allowed are pairs of hexadecimal digits, at least one";
    for text in ["key-id:", "key-id:0", "key-id:0g", "dn:#+0"] {
        assert_eq!(error(text), format!("identity {text:?}: {hex}"));
    }
    assert_eq!(error("fqdn:"), "identity \"fqdn:\": the name has 0 octets, allowed are 1 to 255");
}
