//! What can be tested without a kernel: algorithms, and messages of SAs.
use super::algorithms::{AlgorithmError, SuiteNumbers, Supported};
use super::codec::{Algorithm, Extension, ExtensionType, Header, LifetimeExtension, Message, MessageType, SaType};
use super::reqids::Reqids;
use super::{policies, sa};
use crate::driver::policy_table::PolicyDirection;
use ikecore::crypto::esp::Integrity;
use ikecore::ids::Spi;
use ikecore::policy::selector::{Prefix, Selector};
use ikecore::proposal::suite::{EspCipher, IpsecSuite, Layer, Lifetime, Mode};
use ikecore::sa::driver::{Direction, OuterAh, SaSpec, TrafficAction, TrafficPolicy, UdpEncapsulation};
use ikecore::secret::Secret;

fn supported(ah: bool) -> Supported {
    let header = Header { kind: MessageType::REGISTER, errno: 0, sa_type: SaType::ESP, sequence: 1, process: 1 };
    let list = |ids: &[u8]| ids.iter().map(|id| Algorithm { id: *id, iv_len: 0, min_bits: 0, max_bits: 0 }).collect();
    let extensions = vec![
        Extension::Supported(ExtensionType::SUPPORTED_AUTH, list(&[2, 3, 5, 6])),
        Extension::Supported(ExtensionType::SUPPORTED_ENCRYPT, list(&[3, 11, 12])),
    ];
    let answer = Message { header, extensions };
    Supported::new(&answer, ah.then_some(&answer))
}

#[test]
fn suites_have_numbers_if_the_kernel_has_them() {
    let esp = |cipher, integrity| supported(false).numbers(Layer::Sa(IpsecSuite::Esp { cipher, integrity }));
    assert_eq!(
        esp(EspCipher::Aes256Cbc, Some(Integrity::HmacSha1_96)),
        Ok(SuiteNumbers { integrity: 3, encryption: 12 })
    );
    assert_eq!(esp(EspCipher::TripleDesCbc, None), Ok(SuiteNumbers { integrity: 0, encryption: 3 }));
    assert_eq!(
        esp(EspCipher::Aes128Gcm16, None).unwrap_err().to_string(),
        "this kernel offers no AES-128-GCM-16 (number 20) over PF_KEY"
    );
    assert_eq!(
        esp(EspCipher::Null, Some(Integrity::HmacSha512_256)),
        Err(AlgorithmError::Missing { name: "HMAC-SHA-512-256", number: 7 })
    );
    assert_eq!(
        esp(EspCipher::Null, Some(Integrity::HmacSha256_128)).unwrap_err().to_string(),
        "Linux cuts the integrity check value of HMAC-SHA-256-128 to 96 bits when told over PF_KEY, and RFC 4868 demands \
         128: allowed: HMAC-SHA-256-96, sha256_96 in policy files, with a peer that does the same"
    );
    assert_eq!(esp(EspCipher::Null, Some(Integrity::HmacSha256_96)), Ok(SuiteNumbers { integrity: 5, encryption: 11 }));
    let ah = IpsecSuite::Ah { integrity: Integrity::HmacMd5_96 };
    assert_eq!(supported(true).numbers(Layer::Sa(ah)), Ok(SuiteNumbers { integrity: 2, encryption: 0 }));
    assert_eq!(supported(false).numbers(Layer::Sa(ah)), Err(AlgorithmError::NoAh));
}

fn spec() -> SaSpec {
    let (local, remote) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
    SaSpec {
        direction: Direction::Inbound,
        spi: Spi(0x1234),
        suite: IpsecSuite::Esp { cipher: EspCipher::Aes128Cbc, integrity: Some(Integrity::HmacSha1_96) },
        mode: Mode::Transport,
        source: remote,
        destination: local,
        scope: ikecore::address::Scope::ANY,
        selector: Selector::between(Prefix::host(local), Prefix::host(remote)),
        encapsulation: Some(UdpEncapsulation { source_port: 40_000, destination_port: 4500 }),
        encryption_key: Secret::new(vec![1; 16]),
        integrity_key: Secret::new(vec![2; 20]),
        cpi: None,
        outer: None,
        reqid: 9,
        replay_window: 64,
        extended_sequence_numbers: false,
        soft: Lifetime { seconds: 100, kilobytes: 3 },
        hard: Lifetime::default(),
    }
}

/// The innermost layer.
fn whole(spec: &SaSpec, numbers: SuiteNumbers, reqid: u32) -> Vec<Extension> {
    sa::whole(spec, &spec.layers().next().expect("one layer at least"), numbers, reqid)
}

/// IPComp has a CPI, no keys and no life; AH around ESP is no tunnel.
#[test]
fn each_layer_is_an_sa_of_its_own() {
    let outer = OuterAh { spi: Spi(0x4321), integrity: Integrity::HmacSha1_96, key: Secret::new(vec![3; 20]) };
    let spec = SaSpec { mode: Mode::Tunnel, cpi: Some(Spi(0x2345)), outer: Some(outer), ..spec() };
    let numbers = |layer| supported(true).numbers(layer).expect("the kernel has it");
    let said: Vec<Message> =
        spec.layers().map(|layer| message(sa::whole(&spec, &layer, numbers(layer.layer), 0x2001))).collect();
    let spis: Vec<_> = said.iter().filter_map(Message::sa).map(|sa| (sa.spi, sa.integrity, sa.encryption)).collect();
    assert_eq!(spis, [(Spi(0x2345), 0, 2), (Spi(0x1234), 3, 12), (Spi(0x4321), 3, 0)]);
    let windows: Vec<_> = said.iter().filter_map(Message::sa).map(|sa| sa.replay_window).collect();
    assert_eq!(windows, [0, 32, 32]);
    let modes = said.iter().map(|said| {
        said.extensions.iter().find_map(|it| if let Extension::Sa2 { mode, .. } = it { Some(*mode) } else { None })
    });
    assert_eq!(modes.collect::<Vec<_>>(), [Some(2), Some(1), Some(1)]);
    let keys = said.iter().map(|said| said.extensions.iter().filter(|it| matches!(it, Extension::Key(..))).count());
    assert_eq!(keys.collect::<Vec<_>>(), [0, 2, 1]);
    let lives = said.iter().map(|said| said.lifetime(ExtensionType::LIFETIME_SOFT).is_some());
    assert_eq!(lives.collect::<Vec<_>>(), [false, true, false]);
}

fn message(extensions: Vec<Extension>) -> Message {
    let header = Header { kind: MessageType::UPDATE, errno: 0, sa_type: SaType::ESP, sequence: 1, process: 1 };
    Message { header, extensions }
}

#[test]
fn an_sa_says_all_that_pf_key_can() {
    let said = message(whole(&spec(), SuiteNumbers { integrity: 3, encryption: 12 }, 0x2001));
    let found = said.sa().unwrap();
    assert_eq!((found.spi, found.integrity, found.encryption), (Spi(0x1234), 3, 12));
    assert_eq!(found.replay_window, 32, "the widest of Linux");
    assert_eq!(said.reqid(), Some(0x2001));
    assert_eq!(said.address(ExtensionType::ADDRESS_SRC).unwrap().address, "10.0.0.2:0".parse().unwrap());
    assert_eq!(said.address(ExtensionType::ADDRESS_DST).unwrap().address, "10.0.0.1:0".parse().unwrap());
    assert_eq!(
        said.lifetime(ExtensionType::LIFETIME_SOFT),
        Some(LifetimeExtension { allocations: 0, octets: 3072, add_time: 100, use_time: 0 })
    );
    assert_eq!(said.lifetime(ExtensionType::LIFETIME_HARD), None, "no limit is no extension");
    assert_eq!(said.nat_port(ExtensionType::NAT_SPORT), Some(40_000));
    assert_eq!(said.nat_port(ExtensionType::NAT_DPORT), Some(4500));
    assert_eq!(said.extensions.iter().filter(|extension| matches!(extension, Extension::Key(..))).count(), 2);
}

#[test]
fn other_ports_change_nothing_else() {
    let numbers = SuiteNumbers { integrity: 3, encryption: 12 };
    let mut told = whole(&spec(), numbers, 0x2001);
    told.push(Extension::Lifetime(ExtensionType::LIFETIME_CURRENT, LifetimeExtension::default()));
    let changed = message(sa::with_ports(told, 50_000, 4501));
    let mut other = spec();
    other.encapsulation = Some(UdpEncapsulation { source_port: 50_000, destination_port: 4501 });
    let expected = message(whole(&other, numbers, 0x2001));
    assert_eq!(changed.encode().as_slice(), expected.encode().as_slice());
}

#[test]
fn a_policy_for_one_link_is_refused_with_the_reason() {
    let selector = Selector { scope: ikecore::address::Scope(7), ..spec().selector };
    let policy = TrafficPolicy { selector, action: TrafficAction::Permit, priority: 5, reqid: 3 };
    let refused = policies::whole(PolicyDirection::Outbound, policy, &mut Reqids::default()).unwrap_err();
    assert!(refused.to_string().contains("allowed: the driver xfrm"), "{refused}");
}
