use super::*;
use crate::wire::NotifyType;
use proptest::prelude::*;

const HEADER: [u8; 28] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, // cookies
    1, 0x10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 28,
];

fn with(at: usize, value: u8) -> Result<Header, WireError> {
    let mut octets = HEADER;
    octets[at] = value;
    Header::decode(&octets).and_then(|header| header.check().map(|()| header))
}

#[test]
fn a_header_decodes_field_by_field() {
    let header = Header::decode(&HEADER).expect("valid");
    assert_eq!(header.initiator, Cookie([1, 2, 3, 4, 5, 6, 7, 8]));
    assert_eq!(header.responder, Cookie([9, 10, 11, 12, 13, 14, 15, 16]));
    assert_eq!((header.next_payload, header.version), (PayloadType::SA, Header::VERSION));
    assert_eq!((header.exchange, header.flags), (ExchangeType::MAIN, Flags::NONE));
    assert_eq!((header.message_id, header.length), (MessageId::PHASE_1, 28));
    assert_eq!(header.check(), Ok(()));
}

#[test]
fn each_bad_field_has_its_notification() {
    let notify = |at, value| with(at, value).map_err(|error| error.notify());
    assert_eq!(notify(17, 0x20), Err(Some(NotifyType::INVALID_MAJOR_VERSION)));
    assert_eq!(notify(17, 0x11), Err(Some(NotifyType::INVALID_MINOR_VERSION)));
    assert_eq!(notify(27, 27), Err(Some(NotifyType::UNEQUAL_PAYLOAD_LENGTHS)));
    assert_eq!(notify(27, 29), Err(Some(NotifyType::UNEQUAL_PAYLOAD_LENGTHS)));
    assert_eq!(notify(24, 0xff), Err(Some(NotifyType::UNEQUAL_PAYLOAD_LENGTHS)));
    assert_eq!(notify(18, 0), Err(Some(NotifyType::INVALID_EXCHANGE_TYPE)));
    assert_eq!(notify(18, 34), Err(Some(NotifyType::INVALID_EXCHANGE_TYPE)));
    assert_eq!(notify(19, 8), Err(Some(NotifyType::INVALID_FLAGS)));
    assert_eq!(notify(23, 1), Err(Some(NotifyType::INVALID_MESSAGE_ID)), "phase 1 with a message ID");
    assert_eq!(notify(18, 32), Err(Some(NotifyType::INVALID_MESSAGE_ID)), "phase 2 without one");
    assert!(with(18, 5).is_ok(), "informational messages belong to either phase");
    let mut octets = HEADER;
    octets[..8].fill(0);
    let error = Header::decode(&octets).and_then(|header| header.check()).expect_err("no cookie");
    assert_eq!(error.notify(), Some(NotifyType::INVALID_COOKIE));
}

#[test]
fn version_is_judged_before_length() {
    let mut octets = HEADER;
    octets[17] = 0x20;
    octets[27] = 99;
    assert_eq!(Header::decode(&octets).map_err(|error| error.fault), Err(Fault::MajorVersion(0x20)));
}

#[test]
fn a_short_header_is_no_message_to_answer() {
    for length in 0..28 {
        let error = Header::decode(&HEADER[..length]).expect_err("too short");
        assert!(matches!(error.fault, Fault::Truncated { .. }));
        assert_eq!(error.notify(), None);
    }
}

proptest! {
    #[test]
    fn headers_survive(octets: [u8; 28]) {
        let mut writer = Writer::new();
        Header::read(&octets).expect("any 28 octets").encode(&mut writer);
        prop_assert_eq!(writer.as_slice(), octets);
    }
}
