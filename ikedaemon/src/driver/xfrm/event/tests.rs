use super::decode;
use crate::driver::DriverMessage;
use ikecore::ids::Spi;
use ikecore::policy::selector::Flow;
use ikecore::sa::driver::{Acquire, Expire, Mapping, SaName};
use ikecore::wire::codes::ProtocolId;
use netlink_packet_core::Emitable;
use netlink_packet_xfrm::{
    AcquireMessage, Address, Id, UserExpire, UserMapping, UserSaId, UserSaInfo, UserTemplate, XfrmAttrs,
};
use std::net::IpAddr;

fn octets(message: &impl Emitable) -> Vec<u8> {
    let mut octets = vec![0; message.buffer_len()];
    message.emit(&mut octets);
    octets
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn acquire(protocol: u8, reqid: u32) -> AcquireMessage {
    let mut message = AcquireMessage::default();
    let packet = &mut message.acquire.selector;
    packet.saddr = Address::from_ip(&ip("10.0.0.1"));
    packet.daddr = Address::from_ip(&ip("10.0.0.2"));
    (packet.family, packet.proto, packet.sport, packet.dport) = (2, protocol, 8, 443);
    (packet.sport_mask, packet.dport_mask, packet.prefixlen_s, packet.prefixlen_d) = (0xffff, 0xffff, 32, 32);
    message.acquire.policy.direction = 1;
    message.nlas.push(XfrmAttrs::Template(vec![UserTemplate { reqid, ..UserTemplate::default() }]));
    message
}

#[test]
fn an_acquire_is_the_packet_and_the_rule() {
    let decoded = |message: &AcquireMessage| match decode(0x17, &octets(message)) {
        Some(DriverMessage::Acquire(acquire)) => Some(acquire),
        None => None,
        other => panic!("{other:?}"),
    };
    let flow = |protocol, local_port, remote_port| Flow {
        local: ip("10.0.0.1"),
        remote: ip("10.0.0.2"),
        protocol,
        local_port,
        remote_port,
        scope: ikecore::address::Scope::ANY,
    };
    assert_eq!(decoded(&acquire(6, 0x5041_0003)), Some(Acquire { flow: flow(6, 8, 443), reqid: 3 }));
    // An echo request: what stands in the port's place is its type.
    assert_eq!(decoded(&acquire(1, 0x5041_0003)), Some(Acquire { flow: flow(1, 0, 0), reqid: 3 }));
    assert_eq!(decoded(&acquire(6, 3)), None, "another daemon's policy");
    let mut inbound = acquire(6, 0x5041_0003);
    inbound.acquire.policy.direction = 0;
    assert_eq!(decoded(&inbound), None);
}

#[test]
fn expiries_and_mappings_name_the_sa() {
    let sa = SaName { protocol: ProtocolId::ESP, destination: ip("fd00::1"), spi: Spi(0xc000_0001) };
    let daddr = Address::from_ip(&sa.destination);
    let state = UserSaInfo { id: Id { daddr, spi: sa.spi.0, proto: 50 }, family: 10, ..UserSaInfo::default() };
    for hard in [false, true] {
        let message = UserExpire { state, hard: hard.into() };
        let Some(DriverMessage::Expire(expire)) = decode(0x18, &octets(&message)) else { panic!("an expiry") };
        assert_eq!(expire, Expire { sa, hard });
    }
    let message = UserMapping {
        id: UserSaId { daddr, spi: sa.spi.0, family: 10, proto: 50 },
        new_saddr: Address::from_ip(&ip("fd00::2")),
        new_sport: 4501,
        ..UserMapping::default()
    };
    let Some(DriverMessage::Mapping(mapping)) = decode(0x26, &octets(&message)) else { panic!("a mapping") };
    assert_eq!(mapping, Mapping { sa, remote: (ip("fd00::2"), 4501).into() });
}

#[test]
fn cut_messages_and_others_are_nothing() {
    let whole = octets(&acquire(6, 0x5041_0003));
    for length in 0..whole.len() {
        for message_type in [0x10, 0x17, 0x18, 0x26] {
            let _ = decode(message_type, &whole[..length]);
        }
    }
    assert!(decode(0x17, &whole[..whole.len() - 1]).is_none());
    assert!(decode(0x18, &whole[..100]).is_none());
    assert!(decode(0x10, &whole).is_none());
}

#[test]
fn an_acquire_tells_the_link_of_link_local_addresses() {
    use ikecore::address::Scope;
    let scope = |source: &str, destination: &str| {
        let mut message = acquire(6, 0x5041_0003);
        let packet = &mut message.acquire.selector;
        (packet.saddr, packet.daddr) = (Address::from_ip(&ip(source)), Address::from_ip(&ip(destination)));
        (packet.family, packet.ifindex) = (10, 7);
        match decode(0x17, &octets(&message)) {
            Some(DriverMessage::Acquire(acquire)) => acquire.flow.scope,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(scope("fe80::1", "fe80::2"), Scope(7));
    // The socket was bound to a device.
    assert_eq!(scope("2001:db8::1", "2001:db8::2"), Scope::ANY);
}
