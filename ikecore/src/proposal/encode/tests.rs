use super::*;
use crate::crypto::cipher::CipherAlg;
use crate::crypto::esp::Integrity;
use crate::crypto::group::Group;
use crate::crypto::hash::HashAlg;
use crate::proposal::suite::{EspCipher, IpsecSuite};
use crate::wire::attribute::Attribute;

const PSK: AuthenticationMethod = AuthenticationMethod::PRE_SHARED_KEY;
const AES: MainModeOffer = MainModeOffer { cipher: CipherAlg::Aes256, hash: HashAlg::Sha1, group: Group::Modp2048 };
const HOUR: Lifetime = Lifetime { seconds: 3600, kilobytes: 0 };

fn quick(suite: IpsecSuite) -> QuickModeOffer {
    QuickModeOffer { suite: suite.alone(), lifetime: HOUR, pfs: None, extended_sequence_numbers: false }
}

const fn ah(integrity: Integrity) -> IpsecSuite {
    IpsecSuite::Ah { integrity }
}

const fn esp(cipher: EspCipher, integrity: Option<Integrity>) -> IpsecSuite {
    IpsecSuite::Esp { cipher, integrity }
}

/// Proposal #, protocol, SPI and Transform-IDs of each proposal.
fn outline(octets: &[u8]) -> Vec<(u8, ProtocolId, Vec<u8>, Vec<u8>)> {
    let sa = Sa::decode(octets).expect("encoded here");
    let ids = |proposal: &Proposal<'_>| proposal.transforms.iter().map(|transform| transform.id).collect();
    sa.proposals
        .iter()
        .map(|proposal| (proposal.number, proposal.protocol, proposal.spi.to_vec(), ids(proposal)))
        .collect()
}

#[test]
fn main_mode_octets() {
    let octets = encode_main_mode(&[AES], &[PSK], Lifetime { seconds: 3600, kilobytes: 7 });
    let expected = [
        &[0, 0, 0, 1, 0, 0, 0, 1][..],
        &[0, 0, 0, 60, 1, 1, 0, 1],
        &[0, 0, 0, 52, 1, 1, 0, 0],
        &[0x80, 1, 0, 7, 0x80, 14, 1, 0, 0x80, 2, 0, 2, 0x80, 4, 0, 14, 0x80, 3, 0, 1],
        &[0x80, 11, 0, 1, 0, 12, 0, 4, 0, 0, 0x0e, 0x10],
        &[0x80, 11, 0, 2, 0, 12, 0, 4, 0, 0, 0, 7],
    ];
    assert_eq!(octets, expected.concat());
}

#[test]
fn quick_mode_octets() {
    let offer =
        QuickModeOffer { pfs: Some(Group::Ecp256), ..quick(esp(EspCipher::Aes128Cbc, Some(Integrity::HmacSha1_96))) };
    let octets = encode_quick_mode(&[offer], EncapsulationMode::UDP_TUNNEL, &[(ProtocolId::ESP, Spi(0x0102_0304))]);
    let expected = [
        &[0, 0, 0, 1, 0, 0, 0, 1][..],
        &[0, 0, 0, 48, 1, 3, 4, 1, 1, 2, 3, 4],
        &[0, 0, 0, 36, 1, 12, 0, 0],
        &[0x80, 1, 0, 1, 0, 2, 0, 4, 0, 0, 0x0e, 0x10],
        &[0x80, 4, 0, 3, 0x80, 5, 0, 2, 0x80, 6, 0, 128, 0x80, 3, 0, 19],
    ];
    assert_eq!(octets, expected.concat());
}

#[test]
fn main_mode_has_a_transform_for_each_offer_and_method_in_order() {
    let old = MainModeOffer { cipher: CipherAlg::Des, ..AES };
    let octets = encode_main_mode(&[AES, old], &[PSK, AuthenticationMethod::RSA_SIGNATURES], Lifetime::default());
    let sa = Sa::decode(&octets).expect("encoded here");
    let number = |kind: IkeAttribute| {
        move |transform: &Transform<'_>| {
            let found = transform.attributes.iter().find(|attribute| attribute.kind == kind.0);
            found.and_then(Attribute::as_u64)
        }
    };
    let all = |kind| sa.proposals[0].transforms.iter().map(number(kind)).collect::<Vec<_>>();
    assert_eq!(all(IkeAttribute::ENCRYPTION_ALGORITHM), [Some(7), Some(7), Some(1), Some(1)]);
    assert_eq!(all(IkeAttribute::AUTHENTICATION_METHOD), [Some(1), Some(3), Some(1), Some(3)]);
    assert_eq!(all(IkeAttribute::KEY_LENGTH), [Some(256), Some(256), None, None]);
    assert_eq!(all(IkeAttribute::LIFE_TYPE), [None; 4]);
    assert_eq!(sa.proposals[0].transforms.iter().map(|transform| transform.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn no_more_transforms_than_a_proposal_can_have() {
    let octets = encode_main_mode(&[AES; 300], &[PSK], HOUR);
    assert_eq!(Sa::decode(&octets).expect("still decodes").proposals[0].transforms.len(), 255);
}

#[test]
fn a_change_of_protocol_begins_a_proposal() {
    let cbc = esp(EspCipher::TripleDesCbc, Some(Integrity::HmacMd5_96));
    let offers = [cbc, esp(EspCipher::Null, Some(Integrity::HmacMd5_96)), ah(Integrity::HmacSha1_96), cbc].map(quick);
    let spis = [(ProtocolId::AH, Spi(0x0a00_0001)), (ProtocolId::ESP, Spi(0x0b00_0002))];
    let octets = encode_quick_mode(&offers, EncapsulationMode::TRANSPORT, &spis);
    let (esp_spi, ah_spi) = (vec![0x0b, 0, 0, 2], vec![0x0a, 0, 0, 1]);
    assert_eq!(
        outline(&octets),
        [
            (1, ProtocolId::ESP, esp_spi.clone(), vec![3, 11]),
            (2, ProtocolId::AH, ah_spi, vec![3]),
            (3, ProtocolId::ESP, esp_spi.clone(), vec![3])
        ]
    );
    // What has no SPI is left out, and what it separated belongs together.
    let octets = encode_quick_mode(&offers, EncapsulationMode::TRANSPORT, &spis[1..]);
    assert_eq!(outline(&octets), [(1, ProtocolId::ESP, esp_spi, vec![3, 11, 3])]);
}
