use super::*;
use proptest::prelude::*;

fn with(id_type: IdType, data: &[u8]) -> Result<Prefix, TrafficIdError> {
    decode(&Id { id_type, protocol: 0, port: 0, data }).map(|(prefix, _, _)| prefix)
}

fn prefix(text: &str, len: u8) -> Prefix {
    Prefix::new(text.parse().expect("an address"), len).expect("a prefix")
}

#[test]
fn addresses_and_subnets_are_read() {
    assert_eq!(with(IdType::IPV4_ADDR, &[10, 9, 0, 1]), Ok(prefix("10.9.0.1", 32)));
    assert_eq!(with(IdType::IPV4_ADDR_SUBNET, &[10, 9, 0, 0, 255, 255, 0, 0]), Ok(prefix("10.9.0.0", 16)));
    assert_eq!(with(IdType::IPV4_ADDR_SUBNET, &[0; 8]), Ok(prefix("0.0.0.0", 0)));
    assert_eq!(with(IdType::IPV4_ADDR_SUBNET, &[10, 9, 0, 1, 255, 255, 255, 255]), Ok(prefix("10.9.0.1", 32)));
    // Host bits beside the mask.
    assert_eq!(with(IdType::IPV4_ADDR_SUBNET, &[10, 9, 3, 4, 255, 255, 0, 0]), Ok(prefix("10.9.0.0", 16)));
    assert_eq!(with(IdType::IPV6_ADDR, &[1; 16]), Ok(prefix("101:101:101:101:101:101:101:101", 128)));
    let subnet = [&[0x20, 0x01][..], &[0; 14], &[0xff, 0xfe], &[0; 14]].concat();
    assert_eq!(with(IdType::IPV6_ADDR_SUBNET, &subnet), Ok(prefix("2001::", 15)));
    assert_eq!(with(IdType::IPV6_ADDR_SUBNET, &[0; 32]), Ok(prefix("::", 0)));
}

#[test]
fn ranges_that_are_subnets_are_read() {
    let range = |data: &[u8]| with(IdType::IPV4_ADDR_RANGE, data);
    assert_eq!(range(&[10, 9, 0, 0, 10, 9, 0, 255]), Ok(prefix("10.9.0.0", 24)));
    assert_eq!(range(&[10, 9, 0, 4, 10, 9, 0, 4]), Ok(prefix("10.9.0.4", 32)));
    assert_eq!(range(&[0, 0, 0, 0, 255, 255, 255, 255]), Ok(prefix("0.0.0.0", 0)));
    let all = [[0; 16], [0xff; 16]].concat();
    assert_eq!(with(IdType::IPV6_ADDR_RANGE, &all), Ok(prefix("::", 0)));
    assert_eq!(with(IdType::IPV6_ADDR_RANGE, &[7; 32]), Ok(prefix("707:707:707:707:707:707:707:707", 128)));
    for data in [[10, 9, 0, 1, 10, 9, 0, 255], [10, 9, 0, 0, 10, 9, 0, 254], [10, 9, 0, 255, 10, 9, 0, 0]] {
        assert!(matches!(range(&data), Err(TrafficIdError::Range { .. })), "{data:?}");
    }
    let told = range(&[10, 9, 0, 1, 10, 9, 0, 2]).expect_err("no subnet").to_string();
    assert_eq!(told, "the range 10.9.0.1 to 10.9.0.2 is not a subnet, allowed are ranges that a mask can describe");
}

#[test]
fn a_mask_with_holes_is_refused_by_value() {
    let told = with(IdType::IPV4_ADDR_SUBNET, &[10, 9, 0, 0, 255, 0, 255, 0]).expect_err("holes").to_string();
    assert!(told.starts_with("mask 255.0.255.0 of 10.9.0.0 is not contiguous, allowed are"), "{told}");
    assert!(with(IdType::IPV4_ADDR_SUBNET, &[10, 9, 0, 0, 127, 255, 255, 255]).is_err());
    let low = [[0; 16], [0xfe; 16]].concat();
    assert!(matches!(with(IdType::IPV6_ADDR_SUBNET, &low), Err(TrafficIdError::Mask { .. })));
}

#[test]
fn what_names_no_traffic_is_refused_by_name() {
    assert_eq!(with(IdType::FQDN, b"host.example"), Err(TrafficIdError::Type(IdType::FQDN)));
    for (id_type, allowed) in [(IdType::IPV4_ADDR, 4), (IdType::IPV4_ADDR_SUBNET, 8), (IdType::IPV6_ADDR_RANGE, 32)] {
        assert_eq!(with(id_type, &[0; 5]), Err(TrafficIdError::Length { id_type, length: 5, allowed }));
    }
    let port = decode(&Id { id_type: IdType::IPV4_ADDR, protocol: 0, port: 80, data: &[10, 9, 0, 1] });
    assert_eq!(port, Err(TrafficIdError::Port(80)));
}

#[test]
fn hosts_go_out_as_addresses_and_blocks_as_subnets() {
    let host = encode(prefix("10.9.0.1", 32), 17, 1701);
    assert_eq!(host, (IdType::IPV4_ADDR, 17, 1701, vec![10, 9, 0, 1]));
    let block = encode(prefix("10.9.0.0", 20), 0, 0);
    assert_eq!(block, (IdType::IPV4_ADDR_SUBNET, 0, 0, vec![10, 9, 0, 0, 255, 255, 240, 0]));
    assert_eq!(encode(prefix("0.0.0.0", 0), 0, 0).3, [0; 8]);
    assert_eq!(encode(prefix("::1", 128), 0, 0).0, IdType::IPV6_ADDR);
    assert_eq!(encode(prefix("::", 0), 0, 0), (IdType::IPV6_ADDR_SUBNET, 0, 0, vec![0; 32]));
}

fn any_prefix() -> impl Strategy<Value = Prefix> {
    let v4 = (any::<u32>(), 0_u8..=32).prop_map(|(bits, len)| (IpAddr::V4(bits.into()), len));
    let v6 = (any::<u128>(), 0_u8..=128).prop_map(|(bits, len)| (IpAddr::V6(bits.into()), len));
    prop_oneof![v4, v6].prop_map(|(address, len)| Prefix::new(address, len).expect("in range"))
}

proptest! {
    #[test]
    fn traffic_goes_there_and_back(prefix in any_prefix(), protocol in 1_u8.., port in any::<u16>()) {
        let (id_type, protocol, port, data) = encode(prefix, protocol, port);
        prop_assert_eq!(decode(&Id { id_type, protocol, port, data: &data }), Ok((prefix, protocol, port)));
    }

    #[test]
    fn any_octets_are_survived(id_type in 0_u8..13, data in proptest::collection::vec(any::<u8>(), 0..40)) {
        let _ = with(IdType(id_type), &data);
    }
}
