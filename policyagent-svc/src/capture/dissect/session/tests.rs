use super::*;
use crate::capture::dissect::{Dissector, Facts};
use crate::capture::file::{Frame, LinkType};
use crate::capture::fuzzing::{ipv4, udp};
use crate::capture::view;
use ikecore::secret::Secret;
use serde_json::Value;

fn octets(digits: &Value) -> Vec<u8> {
    let digits = digits.as_str().expect("hexadecimal digits");
    let octet = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits");
    (0..digits.len()).step_by(2).map(octet).collect()
}

/// The recorded negotiation, if it is there.
fn recorded() -> Option<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors/main_mode_psk.json");
    let text = std::fs::read_to_string(path).map_err(|_| eprintln!("skipped: {path} is not there")).ok()?;
    Some(serde_json::from_str(&text).expect("JSON"))
}

/// Each message's decrypted body, or `None` where it stays as it is; and the last one as it is shown.
fn read(vectors: &Value, order: &[usize], key: Vec<u8>) -> (Vec<Option<Vec<u8>>>, String) {
    let initiator = Cookie(octets(&vectors["phase1"]["cky_i"]).try_into().expect("a cookie"));
    let mut dissector = Dissector::new(vec![LoggedKey::Isakmp { initiator, key: Secret::new(key) }]);
    let mut shown = String::new();
    let bodies = order.iter().map(|at| {
        let octets = ipv4(17, &udp(500, 500, &octets(&vectors["datagrams"][at]["datagram"])));
        let frame = Frame { time: None, link: LinkType::RAW, interface: None, original: octets.len(), octets };
        let packet = dissector.packet(&frame);
        shown = view::tree(&packet);
        let decrypted = packet.layers.iter().find(|layer| layer.buffer > 0 && matches!(layer.facts, Facts::Isakmp(_)));
        decrypted.map(|layer| packet.buffers[layer.buffer].octets[Header::LEN..].to_vec())
    });
    (bodies.collect(), shown)
}

#[test]
fn a_recorded_negotiation_is_decrypted_however_its_messages_come_again() {
    let Some(vectors) = recorded() else { return };
    let key = || octets(&vectors["phase1"]["ka"]);
    // Messages 5 of main mode and 1 of quick mode come twice, the latter late.
    let order = [0, 0, 1, 2, 2, 3, 4, 4, 5, 6, 7, 6, 8];
    let (bodies, shown) = read(&vectors, &order, key());
    for (at, body) in order.iter().zip(bodies) {
        let plain = &vectors["datagrams"][at]["plaintext"];
        assert_eq!(body, (!plain.is_null()).then(|| octets(plain)), "datagram {at}");
    }
    assert!(shown.contains("HASH (8) payload") && shown.contains("padding: "), "{shown}");

    let seals = |order: &[usize], key: Vec<u8>| {
        let (bodies, shown) = read(&vectors, order, key);
        assert_eq!(bodies.last(), Some(&None), "{shown}");
        shown.lines().find_map(|line| line.trim().strip_prefix("not decrypted: ").map(str::to_owned)).expect("a reason")
    };
    assert!(seals(&[1, 3, 4], key()).starts_with("the capture does not have the first messages"));
    // Without the last message of main mode nobody knows where quick mode begins.
    assert!(seals(&[0, 1, 2, 3, 4, 6], key()).starts_with("what the key makes of it is no message"));
    assert!(seals(&[0, 1, 2, 3, 4], vec![1; 16]).starts_with("what the key makes of it is no message"));
    assert_eq!(seals(&[0, 1, 2, 3, 4], vec![1; 15]), "the key is not one of AES-CBC-128");
}
