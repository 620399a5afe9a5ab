//! Octets that no honest peer sends.
use super::*;
use crate::fuzzing::fuzz_select;
use proptest::collection::vec;
use proptest::prelude::*;

/// SA payloads that decode, with the protocols, transforms and attributes that mean something, and others.
fn body_of_some() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![4 => 0_u16..18, 1 => any::<u16>()];
    let value = prop_oneof![
        3 => (0_u32..32).prop_map(|value| value.to_be_bytes()[3..].to_vec()),
        2 => prop_oneof![Just(128_u32), Just(256), Just(3600)].prop_map(|value| value.to_be_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..20),
    ];
    let list = vec((kind, value, any::<bool>()), 0..10);
    let transform = (0_u8..22, list);
    let proposal = (0_u8..4, 0_u8..6, vec(any::<u8>(), 0..6), vec(transform, 1..4));
    vec(proposal, 1..4).prop_map(|proposals| {
        let proposals: Vec<_> = proposals
            .iter()
            .map(|(number, protocol, spi, transforms)| Made {
                number: *number,
                protocol: ProtocolId(*protocol),
                spi,
                transforms: transforms
                    .iter()
                    .map(|(id, list)| {
                        let mut writer = AttributeWriter::new();
                        for (kind, value, basic) in list {
                            match value.as_slice() {
                                [octet] if *basic => writer.number(*kind, (*octet).into()),
                                octets => writer.variable(*kind, octets),
                            };
                        }
                        (*id, writer)
                    })
                    .collect(),
            })
            .collect();
        made(&proposals)
    })
}

proptest! {
    #[test]
    fn any_octets_are_survived(octets in vec(any::<u8>(), 0..200)) {
        fuzz_select(&octets);
    }

    #[test]
    fn any_proposals_are_survived(octets in body_of_some()) {
        prop_assert!(Sa::decode(&octets).is_ok());
        fuzz_select(&octets);
    }
}
