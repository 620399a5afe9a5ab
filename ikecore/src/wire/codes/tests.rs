use super::*;

#[test]
fn codes_print_their_name_and_number() {
    assert_eq!(EncryptionAlgorithm::AES_CBC.to_string(), "AES-CBC (7)");
    assert_eq!(EncryptionAlgorithm(99).to_string(), "unknown (99)");
    assert_eq!(EncryptionAlgorithm(99).name(), None);
    assert_eq!(format!("{:?}", NotifyType::INITIAL_CONTACT), "NotifyType(24578)");
    assert_eq!(Flags::ENCRYPTION.union(Flags::COMMIT).to_string(), "E C (3)");
    assert_eq!(Flags(0x81).to_string(), "unknown (129)");
}

#[test]
fn flags_are_sets() {
    let both = Flags::ENCRYPTION.union(Flags::COMMIT);
    assert!(both.contains(Flags::ENCRYPTION) && both.contains(Flags::COMMIT));
    assert!(!both.contains(Flags::AUTHENTICATION));
    assert_eq!(both.without(Flags::COMMIT), Flags::ENCRYPTION);
}

#[test]
fn both_number_spaces_of_nat_traversal_are_known() {
    assert!(PayloadType(20).is_nat_d() && PayloadType(130).is_nat_d() && !PayloadType(131).is_nat_d());
    assert!(PayloadType(21).is_nat_oa() && PayloadType(131).is_nat_oa() && !PayloadType(20).is_nat_oa());
}

#[test]
fn transform_ids_are_named_by_their_protocol() {
    let named = |protocol| TransformId(protocol, 3).to_string();
    assert_eq!(named(ProtocolId::ESP), "ESP_3DES (3)");
    assert_eq!(named(ProtocolId::AH), "AH_SHA (3)");
    assert_eq!(named(ProtocolId::IPCOMP), "IPCOMP_LZS (3)");
    assert_eq!(named(ProtocolId::ISAKMP), "unknown (3)");
    assert_eq!(named(ProtocolId(9)), "unknown (3)");
}
