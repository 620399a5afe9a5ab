//! The analyser on captures of several implementations, compared with tshark field by field.

use std::path::Path;

use tests::charon::{Charon, Connection, Kernel, Mode};
use tests::daemon::Driver;
use tests::netns::{A, B, World};
use tests::scenario::{Role, SUITES, bundles, vpnc, whole_life};
use tests::scratch::Scratch;
use tests::tshark::{MAIN_MODE, agreement, compare};

#[test]
fn the_daemon_and_strongswan() {
    for role in Role::ALL {
        let seen = agreement("charon", || {
            whole_life(Driver::Userspace, Kernel::Libipsec, SUITES[1], Mode::Tunnel, role);
        });
        seen.check(MAIN_MODE);
    }
}

#[test]
fn strongswan_and_strongswan() {
    let seen = agreement("charons", || {
        let world = World::new();
        let a = Charon::start(&world.a, Kernel::Libipsec, &Connection::between(A, B).encapsulated());
        let b = Charon::start(&world.b, Kernel::Libipsec, &Connection::between(B, A).encapsulated());
        a.initiate().expect("two charons agree");
        b.wait_installed();
        assert_eq!(world.a.ping(A.inside, B.inside, 3), 3, "pings through the tunnel");
        b.terminate();
    });
    seen.check(MAIN_MODE);
    seen.check(&["udpencap.non_esp_marker"]);
}

#[test]
fn the_daemon_and_vpnc() {
    let seen = agreement("vpnc", vpnc::connects);
    seen.check(MAIN_MODE);
    seen.check(&["isakmp.id.type", "isakmp.id.data", "isakmp.hash"]);
}

#[test]
fn ah_around_esp() {
    let drivers = [Driver::Userspace, Driver::Userspace];
    let seen = agreement("ah", || bundles::ah_around_esp(drivers, Mode::Tunnel, false));
    seen.check(&["ah.next_header", "ah.length", "ah.spi", "ah.sequence", "ah.icv", "esp.spi", "isakmp.spisize"]);
}

/// The UDP payloads in a file of recorded values, as a capture.
#[test]
fn a_recorded_negotiation_and_every_payload_in_clear() {
    let scratch = Scratch::new("recorded");
    let mut datagrams: Vec<Vec<u8>> = ikecore::fuzzing::seeds().into_iter().map(|seed| seed.datagram).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/main_mode_psk.json");
    if let Ok(text) = std::fs::read_to_string(path) {
        let vectors: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let recorded = vectors["datagrams"].as_array().expect("a list").iter();
        datagrams.extend(recorded.map(|datagram| octets(datagram["datagram"].as_str().expect("digits"))));
    }
    let file = scratch.join("recorded.pcap");
    std::fs::write(&file, pcap(&datagrams)).expect("written");
    let seen = compare(&file, &scratch.join("no-settings"));
    seen.check(&[]);
}

fn octets(digits: &str) -> Vec<u8> {
    let octet = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits");
    (0..digits.len()).step_by(2).map(octet).collect()
}

/// A capture of raw IP packets, each with a datagram to the port of IKE.
fn pcap(datagrams: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65535, 101_u32].iter().for_each(|word| file.extend(word.to_le_bytes()));
    for datagram in datagrams {
        let udp = u16::try_from(datagram.len() + 8).expect("short");
        let mut packet = vec![0x45, 0];
        packet.extend((udp + 20).to_be_bytes());
        packet.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        [500, 500, udp, 0].iter().for_each(|word: &u16| packet.extend(word.to_be_bytes()));
        packet.extend(datagram);
        let length = u32::try_from(packet.len()).expect("short");
        [1_700_000_000, 0, length, length].iter().for_each(|word| file.extend(word.to_le_bytes()));
        file.extend(packet);
    }
    file
}
