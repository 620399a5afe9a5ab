//! Seeds of the corpora: one valid message of each kind, built by the codec.
use crate::ids::{Cookie, MessageId};
use crate::wire::payload::vendor;
use crate::wire::{
    AttributeWriter, AuthenticationAlgorithm, AuthenticationMethod, Cert, CertEncoding, CertReq, ChainWriter,
    ConfigAttribute, ConfigAttributes, ConfigType, Delete, Doi, EncapsulationMode, EncryptionAlgorithm, EspTransform,
    ExchangeType, Flags, Fragment, GroupDescription, Hash, HashAlgorithm, Header, Id, IdType, IkeAttribute,
    IkeTransform, IpcompTransform, IpsecAttribute, KeyExchange, LifeType, NatD, NatOa, Nonce, Notify, NotifyType,
    PayloadType, Proposal, ProtocolId, Sa, Signature, Situation, Transform, Vendor, build_message,
};
use core::net::IpAddr;

/// A named message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// Its file name in the corpus.
    pub name: &'static str,
    /// The datagram; bodies that would be encrypted are plain, so that a fuzzer reaches them.
    pub datagram: Vec<u8>,
}

/// One message of each kind.
pub fn seeds() -> Vec<Seed> {
    let mut seeds = main_mode();
    seeds.extend(aggressive_mode());
    seeds.extend(quick_mode());
    seeds.extend(informational());
    seeds.extend(others());
    seeds
}

fn seed(name: &'static str, exchange: ExchangeType, message_id: u32, body: impl FnOnce(&mut ChainWriter)) -> Seed {
    let first = matches!(name, "main-1" | "aggressive-1");
    let header = Header {
        initiator: Cookie([1, 2, 3, 4, 5, 6, 7, 8]),
        responder: if first { Cookie::ZERO } else { Cookie([8, 7, 6, 5, 4, 3, 2, 1]) },
        next_payload: PayloadType::NONE,
        version: Header::VERSION,
        exchange,
        flags: Flags::NONE,
        message_id: MessageId(message_id),
        length: 0,
    };
    let mut chain = ChainWriter::new();
    body(&mut chain);
    let (first, octets) = chain.finish();
    Seed { name, datagram: build_message(&header, first, &octets) }
}

fn ike_sa(chain: &mut ChainWriter, methods: &[AuthenticationMethod]) {
    let lists: Vec<_> = methods.iter().map(|method| ike_attributes(*method)).collect();
    let transforms =
        lists.iter().zip(1..).map(|(list, number)| transform(number, IkeTransform::KEY_IKE.0, list)).collect();
    let proposal = Proposal { number: 1, protocol: ProtocolId::ISAKMP, spi: &[], transforms };
    sa(chain, vec![proposal]);
}

fn ike_attributes(method: AuthenticationMethod) -> AttributeWriter {
    let mut list = AttributeWriter::new();
    list.number(IkeAttribute::ENCRYPTION_ALGORITHM, EncryptionAlgorithm::AES_CBC.0.into());
    list.number(IkeAttribute::KEY_LENGTH, 256);
    list.number(IkeAttribute::HASH_ALGORITHM, HashAlgorithm::SHA2_256.0.into());
    list.number(IkeAttribute::GROUP_DESCRIPTION, GroupDescription::MODP_2048.0.into());
    list.number(IkeAttribute::AUTHENTICATION_METHOD, method.0.into());
    list.number(IkeAttribute::LIFE_TYPE, LifeType::SECONDS.0.into());
    list.long(IkeAttribute::LIFE_DURATION, 28_800);
    list
}

fn sa(chain: &mut ChainWriter, proposals: Vec<Proposal<'_>>) {
    let sa = Sa { doi: Doi::IPSEC, situation: Situation::IDENTITY_ONLY, proposals };
    chain.push(PayloadType::SA, |writer| sa.encode(writer));
}

fn vendors(chain: &mut ChainWriter) {
    let windows = [vendor::MS_NT5.as_slice(), &[0, 0, 0, 4]].concat();
    let detection = [vendor::DPD.as_slice(), &[1, 0]].concat();
    for data in [windows.as_slice(), &vendor::RFC_3947, &vendor::NAT_T_DRAFT_02_NEWLINE, &detection, b"unheard of"] {
        chain.push(PayloadType::VENDOR, |writer| Vendor { data }.encode(writer));
    }
}

fn key_and_nonce(chain: &mut ChainWriter) {
    chain.push(PayloadType::KE, |writer| KeyExchange { data: &[0x4b; 128] }.encode(writer));
    chain.push(PayloadType::NONCE, |writer| Nonce { data: &[0x4e; 32] }.encode(writer));
}

fn id(chain: &mut ChainWriter, id_type: IdType, protocol: u8, port: u16, data: &[u8]) {
    chain.push(PayloadType::ID, |writer| Id { id_type, protocol, port, data }.encode(writer));
}

fn hash(chain: &mut ChainWriter) {
    chain.prepend(PayloadType::HASH, |writer| Hash { data: &[0x48; 32] }.encode(writer));
}

fn notify(chain: &mut ChainWriter, protocol: ProtocolId, spi: &[u8], notify_type: NotifyType, data: &[u8]) {
    let notify = Notify { doi: Doi::IPSEC, protocol, spi, notify_type, data };
    chain.push(PayloadType::NOTIFY, |writer| notify.encode(writer));
}

fn main_mode() -> Vec<Seed> {
    let main = |name, body: fn(&mut ChainWriter)| seed(name, ExchangeType::MAIN, 0, body);
    vec![
        main("main-1", |chain| {
            ike_sa(chain, &[AuthenticationMethod::PRE_SHARED_KEY, AuthenticationMethod::RSA_SIGNATURES]);
            vendors(chain);
        }),
        main("main-2", |chain| {
            ike_sa(chain, &[AuthenticationMethod::RSA_SIGNATURES]);
            vendors(chain);
        }),
        main("main-3", |chain| {
            key_and_nonce(chain);
            for _ in 0..2 {
                chain.push(PayloadType::NAT_D, |writer| NatD { data: &[0x44; 32] }.encode(writer));
            }
        }),
        main("main-4-draft", |chain| {
            key_and_nonce(chain);
            let request = CertReq { encoding: CertEncoding::X509_SIGNATURE, authority: b"\x30\x00" };
            chain.push(PayloadType::CERTREQ, |writer| request.encode(writer));
            chain.push(PayloadType::NAT_D_DRAFT, |writer| NatD { data: &[0x44; 20] }.encode(writer));
        }),
        main("main-5-psk", |chain| {
            id(chain, IdType::IPV4_ADDR, 17, 500, &[192, 0, 2, 1]);
            chain.push(PayloadType::HASH, |writer| Hash { data: &[0x48; 20] }.encode(writer));
            notify(chain, ProtocolId::ISAKMP, &[3; 16], NotifyType::INITIAL_CONTACT, &[]);
        }),
        main("main-6-signature", |chain| {
            id(chain, IdType::DER_ASN1_DN, 0, 0, b"\x30\x00");
            let cert = Cert { encoding: CertEncoding::X509_SIGNATURE, data: b"\x30\x03\x02\x01\x00" };
            chain.push(PayloadType::CERT, |writer| cert.encode(writer));
            chain.push(PayloadType::SIG, |writer| Signature { data: &[0x53; 64] }.encode(writer));
        }),
    ]
}

fn aggressive_mode() -> Vec<Seed> {
    vec![seed("aggressive-1", ExchangeType::AGGRESSIVE, 0, |chain| {
        ike_sa(chain, &[AuthenticationMethod::XAUTH_INIT_PRE_SHARED, AuthenticationMethod::HYBRID_INIT_RSA]);
        key_and_nonce(chain);
        id(chain, IdType::KEY_ID, 17, 0, b"group");
        vendors(chain);
    })]
}

fn esp_attributes(mode: EncapsulationMode, life: u32) -> AttributeWriter {
    let mut list = AttributeWriter::new();
    list.number(IpsecAttribute::ENCAPSULATION_MODE, mode.0.into());
    list.number(IpsecAttribute::AUTHENTICATION_ALGORITHM, AuthenticationAlgorithm::HMAC_SHA2_256.0.into());
    list.number(IpsecAttribute::KEY_LENGTH, 128);
    list.number(IpsecAttribute::LIFE_TYPE, LifeType::SECONDS.0.into());
    list.number(IpsecAttribute::LIFE_DURATION, 3600);
    list.number(IpsecAttribute::LIFE_TYPE, LifeType::KILOBYTES.0.into());
    list.number(IpsecAttribute::LIFE_DURATION, life);
    list.number(IpsecAttribute::EXTENDED_SEQUENCE_NUMBER, 1);
    list
}

fn transform(number: u8, id: u8, list: &AttributeWriter) -> Transform<'_> {
    Transform { number, id, attributes: list.attributes() }
}

fn quick_mode() -> Vec<Seed> {
    let quick = |name, body: fn(&mut ChainWriter)| seed(name, ExchangeType::QUICK, 0x1234_5678, body);
    vec![
        quick("quick-1", |chain| {
            let plain = esp_attributes(EncapsulationMode::TUNNEL, 250_000);
            let udp = esp_attributes(EncapsulationMode::UDP_TUNNEL_DRAFT, 1);
            let mut mode = AttributeWriter::new();
            mode.number(IpsecAttribute::ENCAPSULATION_MODE, EncapsulationMode::TUNNEL.0.into());
            let aes = |number, list| transform(number, EspTransform::AES_CBC.0, list);
            let esp = vec![aes(1, &plain), aes(2, &udp)];
            let ipcomp = vec![transform(1, IpcompTransform::DEFLATE.0, &mode)];
            let proposals = vec![
                Proposal { number: 1, protocol: ProtocolId::ESP, spi: &[0xc0, 0, 0, 1], transforms: esp },
                Proposal { number: 1, protocol: ProtocolId::IPCOMP, spi: &[0x12, 0x34], transforms: ipcomp },
            ];
            sa(chain, proposals);
            key_and_nonce(chain);
            id(chain, IdType::IPV4_ADDR_SUBNET, 6, 80, &[10, 0, 0, 0, 255, 0, 0, 0]);
            id(chain, IdType::IPV6_ADDR_RANGE, 0, 0, &[0x20; 32]);
            hash(chain);
        }),
        quick("quick-2-nat", |chain| {
            let list = esp_attributes(EncapsulationMode::UDP_TRANSPORT, 100);
            let transforms = vec![transform(1, EspTransform::TRIPLE_DES.0, &list)];
            sa(chain, vec![Proposal { number: 1, protocol: ProtocolId::ESP, spi: &[0xc0, 0, 0, 2], transforms }]);
            chain.push(PayloadType::NONCE, |writer| Nonce { data: &[0x4e; 20] }.encode(writer));
            id(chain, IdType::FQDN, 17, 1701, b"client.example");
            id(chain, IdType::IPV6_ADDR, 17, 1701, &[0x20; 16]);
            let (old, new) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([0x20; 16]));
            chain.push(PayloadType::NAT_OA, |writer| NatOa { address: old }.encode(writer));
            chain.push(PayloadType::NAT_OA_DRAFT, |writer| NatOa { address: new }.encode(writer));
            let mut life = AttributeWriter::new();
            life.number(IpsecAttribute::LIFE_TYPE, 1).number(IpsecAttribute::LIFE_DURATION, 1_000_000);
            notify(chain, ProtocolId::ESP, &[0xc0, 0, 0, 2], NotifyType::RESPONDER_LIFETIME, &life.to_vec());
            hash(chain);
        }),
        quick("quick-3", hash),
        quick("quick-4", |chain| {
            notify(chain, ProtocolId::ESP, &[0xc0, 0, 0, 2], NotifyType::CONNECTED, &[]);
            hash(chain);
        }),
    ]
}

fn informational() -> Vec<Seed> {
    let info = |name, body: fn(&mut ChainWriter)| seed(name, ExchangeType::INFORMATIONAL, 0x8765_4321, body);
    let delete = |chain: &mut ChainWriter, protocol, spi_size, octets: &[u8]| {
        let delete = Delete { doi: Doi::IPSEC, protocol, spi_size, octets };
        chain.push(PayloadType::DELETE, |writer| delete.encode(writer));
    };
    let delete_esp = move |chain: &mut ChainWriter| delete(chain, ProtocolId::ESP, 4, &[0xc0, 0, 0, 1, 0xc0, 0, 0, 2]);
    vec![
        info("info-refusal", |chain| {
            notify(chain, ProtocolId::ISAKMP, &[], NotifyType::NO_PROPOSAL_CHOSEN, b"no group in common");
        }),
        info("info-alive", |chain| {
            notify(chain, ProtocolId::ISAKMP, &[3; 16], NotifyType::R_U_THERE, &[0, 0, 0x30, 0x39]);
            notify(chain, ProtocolId::ESP, &[0xc0, 0, 0, 1], NotifyType::REPLAY_STATUS, &[0, 0, 0, 1]);
            hash(chain);
        }),
        info("info-microsoft", |chain| {
            notify(chain, ProtocolId::ISAKMP, &[0; 8], NotifyType::MS_STATUS, &[0, 0, 0x35, 0xe9]);
            notify(chain, ProtocolId::ISAKMP, &[], NotifyType::MS_DOS_COOKIE, &[9; 8]);
        }),
        seed("info-delete", ExchangeType::INFORMATIONAL, 1, |chain| {
            delete_esp(chain);
            delete(chain, ProtocolId::ISAKMP, 16, &[3; 16]);
            hash(chain);
        }),
        seed("info-delete-nonce", ExchangeType::INFORMATIONAL, 2, |chain| {
            chain.push(PayloadType::NONCE, |writer| Nonce { data: &[0x4e; 32] }.encode(writer));
            delete_esp(chain);
            hash(chain);
        }),
    ]
}

fn others() -> Vec<Seed> {
    let config = |chain: &mut ChainWriter, config_type, list: &AttributeWriter| {
        let config = ConfigAttributes { config_type, identifier: 0x77, attributes: list.attributes() };
        chain.push(PayloadType::ATTRIBUTES, |writer| config.encode(writer));
        hash(chain);
    };
    let transaction = |name, body: fn(&mut AttributeWriter) -> ConfigType| {
        seed(name, ExchangeType::TRANSACTION, 9, |chain| {
            let mut list = AttributeWriter::new();
            let config_type = body(&mut list);
            config(chain, config_type, &list);
        })
    };
    vec![
        transaction("transaction-login", |list| {
            list.number(ConfigAttribute::XAUTH_TYPE, 0).variable(ConfigAttribute::XAUTH_USER_NAME, b"user");
            list.variable(ConfigAttribute::XAUTH_USER_PASSWORD, b"correct horse");
            ConfigType::REPLY
        }),
        transaction("transaction-address", |list| {
            list.variable(ConfigAttribute::INTERNAL_IP4_ADDRESS, &[10, 1, 2, 3]);
            list.variable(ConfigAttribute::INTERNAL_IP4_SUBNET, &[10, 0, 0, 0, 255, 0, 0, 0]);
            list.variable(ConfigAttribute::INTERNAL_IP6_SUBNET, &[0x20; 17]);
            list.long(ConfigAttribute::INTERNAL_ADDRESS_EXPIRY, 3600).variable(ConfigAttribute::UNITY_BANNER, b"Hello");
            ConfigType::SET
        }),
        seed("fragment", ExchangeType::MAIN, 0, |chain| {
            let fragment = Fragment { id: 1, number: 2, flags: Fragment::LAST, data: b"the rest of a message" };
            chain.push(PayloadType::FRAGMENT, |writer| fragment.encode(writer));
        }),
        seed("kerberos", ExchangeType::MAIN, 0, |chain| {
            key_and_nonce(chain);
            chain.push(PayloadType::GSS, |writer| writer.bytes(b"a token"));
        }),
        seed("new-group", ExchangeType::NEW_GROUP, 5, |chain| {
            let mut list = AttributeWriter::new();
            list.number(IkeAttribute::GROUP_TYPE, 1).variable(IkeAttribute::GROUP_PRIME, &[0xfb; 96]);
            list.number(IkeAttribute::GROUP_GENERATOR_ONE, 2);
            let transforms = vec![transform(1, IkeTransform::KEY_IKE.0, &list)];
            sa(chain, vec![Proposal { number: 1, protocol: ProtocolId::ISAKMP, spi: &[], transforms }]);
            hash(chain);
        }),
    ]
}
