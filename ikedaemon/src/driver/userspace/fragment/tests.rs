use super::*;

#[test]
fn a_packet_that_fits_is_one_fragment_and_too_small_an_mtu_gives_none() {
    let header = NewHeader {
        source: [10, 0, 0, 1].into(),
        destination: [10, 0, 0, 2].into(),
        traffic_class: 0,
        hop_limit: 64,
        dont_fragment: true,
        protocol: 50,
    };
    let octets = header.packet(&[7; 100]).expect("a packet");
    let packet = Packet::parse(&octets).expect("a packet");
    let parts = fragments(&packet, 1280);
    assert_eq!(parts.len(), 1);
    let part = Packet::parse(&parts[0]).expect("a packet");
    assert_eq!((part.fragment, part.payload()), (None, [7; 100].as_slice()));
    assert!(!part.dont_fragment);
    assert!(fragments(&packet, 27).is_empty());
    assert_eq!(fragments(&packet, 28).len(), 13);
}
