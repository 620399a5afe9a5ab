use super::*;
use crate::wire::{Padding, parse};

fn host(text: &str) -> Prefix {
    Prefix::host(text.parse().unwrap())
}

fn l2tp(local: &str, remote: &str) -> Selector {
    Selector { protocol: 17, local_port: 1701, remote_port: 1701, ..Selector::between(host(local), host(remote)) }
}

#[test]
fn the_responder_may_name_the_hosts_as_it_sees_them_and_nobody_else() {
    // The initiator 10.0.0.1 behind 203.0.113.7, the responder 10.0.1.1 behind 203.0.113.8.
    let seen = OriginalAddresses { initiator: "203.0.113.7".parse().unwrap(), responder: "10.0.1.1".parse().unwrap() };
    let proposed = l2tp("10.0.0.1", "203.0.113.8");
    for (received, expected) in [
        (proposed, true),
        (l2tp("203.0.113.7", "10.0.1.1"), true),
        (l2tp("203.0.113.7", "203.0.113.8"), true),
        (l2tp("10.0.0.1", "10.0.1.1"), true),
        (l2tp("10.0.0.2", "203.0.113.8"), false),
        (l2tp("10.0.0.1", "203.0.113.7"), false),
        (l2tp("10.0.1.1", "203.0.113.7"), false),
        (Selector { protocol: 6, ..proposed }, false),
        (Selector { local_port: 0, ..proposed }, false),
        (Selector { remote_port: 1702, ..proposed }, false),
        (Selector { remote: Prefix::new("10.0.1.0".parse().unwrap(), 24).unwrap(), ..proposed }, false),
    ] {
        assert_eq!(seen.fit(&received, &proposed), expected, "{received}");
    }
}

#[test]
fn both_addresses_travel_in_the_payloads_of_their_revision() {
    for revision in [Revision::Rfc, Revision::Draft] {
        for (initiator, responder) in [("10.0.0.1", "203.0.113.8"), ("2001:db8::1", "2001:db8::2")] {
            let original =
                OriginalAddresses { initiator: initiator.parse().unwrap(), responder: responder.parse().unwrap() };
            let mut chain = ChainWriter::new();
            original.push(&mut chain, revision);
            let (first, octets) = chain.finish();
            assert_eq!(first, revision.nat_oa());
            let chain = parse(first, &octets, Padding::Forbidden).unwrap();
            assert_eq!(OriginalAddresses::read(&chain, revision), Some(original));
            let other = if revision == Revision::Rfc { Revision::Draft } else { Revision::Rfc };
            assert_eq!(OriginalAddresses::read(&chain, other), None);
            // One alone says nothing.
            let half = parse(first, chain.payloads[1].whole, Padding::Forbidden).unwrap();
            assert_eq!(OriginalAddresses::read(&half, revision), None);
        }
    }
}
