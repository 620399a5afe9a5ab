//! The body of the fuzz target for what comes from the network and from the host.
use super::ah::Ah;
use super::esp::{Sequence, Transform};
use super::packet::Packet;
use super::plane::{Arrival, Effect, Plane};
use ikecore::ids::{IpsecSaId, Spi};
use ikecore::policy::selector::{Prefix, Selector};
use ikecore::proposal::suite::{EspCipher, Integrity, IpsecSuite, Lifetime, Mode, Protocols};
use ikecore::sa::driver::{Direction, SaOp, SaPair, SaSpec, TrafficAction, TrafficPolicy, UdpEncapsulation};
use ikecore::secret::Secret;
use ikecore::testing::SeededRandom;
use ikecore::time::Time;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const SUITE: IpsecSuite = IpsecSuite::Esp { cipher: EspCipher::Aes128Gcm16, integrity: None };
const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
const SPI: Spi = Spi(0x1111);
const NOW: Time = Time::from_secs(1);

/// Any octets, after one that says how, as a packet from the network: sealed with the keys of an SA, so that they get
/// behind the cipher, or as they are. Nothing panics; what is given to the host is what the SA is for, and nothing that
/// was not sealed is. Then the same octets as packets of the host; and all of it once more with AH.
///
/// # Panics
/// If it is not so.
pub fn fuzz_esp(octets: &[u8]) {
    arrive(octets);
    authenticated(octets);
}

/// Any octets as an IP packet with AH from the network: with AH put in front of what it carries, or as they are.
fn authenticated(octets: &[u8]) {
    let Some((how, octets)) = octets.split_first() else { return };
    let mode = if how & 1 != 0 { Mode::Tunnel } else { Mode::Transport };
    let mut pair = pair(mode, false);
    let key = vec![7; Integrity::HmacSha1_96.key_len()];
    for sa in [&mut pair.inbound, &mut pair.outbound] {
        sa.suite = IpsecSuite::Ah { integrity: Integrity::HmacSha1_96 };
        (sa.encryption_key, sa.integrity_key) = (Secret::new(Vec::new()), Secret::new(key.clone()));
    }
    let selector = pair.inbound.selector;
    let mut plane = Plane::new(Box::new(SeededRandom::new(1)));
    for step in pair.steps() {
        plane.apply(NOW, step);
    }
    while plane.next_effect().is_some() {}
    let ah = Ah::new(Integrity::HmacSha1_96, &key).expect("the key fits");
    let sealed = ah.seal(octets, SPI, Sequence::Short(1)).filter(|_| how & 4 != 0);
    let packet = sealed.as_deref().unwrap_or(octets);
    // The addresses as a raw socket tells them: those of the SA, whatever the octets say.
    let arrival = Arrival::raw(PEER, OWN, 0, 64);
    plane.ah_packet(NOW, &arrival, packet);
    while let Some(effect) = plane.next_effect() {
        let Effect::Host(inner) = effect else { continue };
        assert!(sealed.is_some(), "a forged packet was accepted");
        let inner = Packet::parse(&inner).expect("the host gets packets only");
        assert!(selector.matches(&inner.inbound_flow()), "a packet that the SA is not for");
    }
    plane.ah_packet(NOW, &arrival, packet);
    assert!(!matches!(plane.next_effect(), Some(Effect::Host(_))), "a replay was accepted");
}

/// The number of packets that were given to the host.
fn arrive(octets: &[u8]) -> usize {
    let Some((how, octets)) = octets.split_first() else { return 0 };
    let tunnel = how & 1 != 0;
    let in_udp = how & 2 != 0;
    let sealed = how & 4 != 0;
    let mode = if tunnel { Mode::Tunnel } else { Mode::Transport };
    let mut plane = Plane::new(Box::new(SeededRandom::new(1)));
    let pair = pair(mode, in_udp);
    let selector = pair.inbound.selector;
    plane.apply(NOW, SaOp::SetPolicies(vec![pair.policy]));
    for step in pair.steps() {
        plane.apply(NOW, step);
    }
    while plane.next_effect().is_some() {}
    let arrival = if in_udp {
        Arrival::in_udp(SocketAddr::new(PEER, 4500), SocketAddr::new(OWN, 4500))
    } else {
        Arrival::raw(PEER, OWN, how >> 3, 64)
    };
    let packet = match octets.split_first() {
        Some((next_header, payload)) if sealed => {
            let transform = Transform::new(SUITE, &key(SPI), &[]).expect("the keys fit");
            transform.seal(SPI, Sequence::Short(1), &[7; 8], *next_header, payload).expect("sealing works")
        }
        _ => octets.to_vec(),
    };
    plane.esp_packet(NOW, &arrival, &packet);
    let mut accepted = 0;
    while let Some(effect) = plane.next_effect() {
        let Effect::Host(inner) = effect else { continue };
        accepted += 1;
        assert!(sealed, "a forged packet was accepted");
        let inner = Packet::parse(&inner).expect("the host gets packets only");
        assert!(selector.matches(&inner.inbound_flow()), "a packet that the SA is not for");
    }
    // Once more: it is a replay now.
    plane.esp_packet(NOW, &arrival, &packet);
    assert!(!matches!(plane.next_effect(), Some(Effect::Host(_))), "a replay was accepted");
    plane.host_packet(NOW, octets);
    plane.tick(NOW + core::time::Duration::from_secs(3600));
    accepted
}

fn key(spi: Spi) -> Vec<u8> {
    spi.0.to_be_bytes().into_iter().cycle().take(SUITE.encryption_key_len()).collect()
}

fn pair(mode: Mode, in_udp: bool) -> SaPair {
    let selector = match mode {
        Mode::Transport => Selector::between(Prefix::host(OWN), Prefix::host(PEER)),
        // Half of all addresses, so that some packets fit and some do not.
        Mode::Tunnel => {
            let half = |address: [u8; 4]| Prefix::new(IpAddr::from(address), 1).expect("1 is a prefix length of IPv4");
            Selector::between(half([0; 4]), half([128, 0, 0, 0]))
        }
    };
    let spec = |direction| {
        let (spi, source, destination) = match direction {
            Direction::Inbound => (SPI, PEER, OWN),
            Direction::Outbound => (Spi(0x2222), OWN, PEER),
        };
        SaSpec {
            direction,
            spi,
            suite: SUITE,
            mode,
            source,
            destination,
            scope: ikecore::address::Scope::ANY,
            selector,
            encapsulation: in_udp.then_some(UdpEncapsulation { source_port: 4500, destination_port: 4500 }),
            encryption_key: Secret::new(key(spi)),
            integrity_key: Secret::new(Vec::new()),
            cpi: None,
            outer: None,
            reqid: 1,
            replay_window: 64,
            extended_sequence_numbers: false,
            soft: Lifetime::default(),
            hard: Lifetime::default(),
        }
    };
    let action = TrafficAction::Protect {
        protocols: Protocols::ESP,
        mode,
        endpoints: (mode == Mode::Tunnel).then_some((OWN, PEER)),
        inbound_passthrough: false,
    };
    let policy = TrafficPolicy { selector, action, priority: 1, reqid: 1 };
    SaPair { id: IpsecSaId(1), inbound: spec(Direction::Inbound), outbound: spec(Direction::Outbound), policy }
}

#[cfg(test)]
mod tests;
