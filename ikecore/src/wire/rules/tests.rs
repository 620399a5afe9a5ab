use super::*;
use crate::wire::{ChainWriter, NotifyType, Padding, parse};

const RULES: &[PayloadRule] = &[
    PayloadRule::one(PayloadType::KE),
    PayloadRule::one(PayloadType::NONCE),
    PayloadRule::up_to(PayloadType::NAT_D, 2),
];

fn judge(kinds: &[u8], unlisted: Unlisted) -> Result<(), WireError> {
    let mut writer = ChainWriter::new();
    kinds.iter().for_each(|kind| writer.push(PayloadType(*kind), |_| ()));
    let (first, octets) = writer.finish();
    check(&parse(first, &octets, Padding::Forbidden)?, RULES, unlisted)
}

#[test]
fn too_few_and_too_many_are_refused() {
    assert_eq!(judge(&[4, 10], Unlisted::Reject), Ok(()));
    assert_eq!(judge(&[20, 10, 4, 20], Unlisted::Reject), Ok(()), "order does not matter");
    let missing = judge(&[4], Unlisted::Ignore).expect_err("no nonce");
    assert_eq!(missing.fault, Fault::Missing { kind: PayloadType::NONCE, min: 1, found: 0 });
    assert_eq!(missing.notify(), Some(NotifyType::PAYLOAD_MALFORMED));
    let twice = judge(&[4, 10, 4], Unlisted::Ignore).expect_err("two keys");
    assert_eq!((twice.offset, twice.fault), (8, Fault::Surplus { kind: PayloadType::KE, max: 1, found: 2 }));
    let thrice = judge(&[4, 10, 20, 20, 20], Unlisted::Ignore).expect_err("three hashes");
    assert_eq!((thrice.offset, thrice.fault), (16, Fault::Surplus { kind: PayloadType::NAT_D, max: 2, found: 3 }));
}

#[test]
fn what_has_no_rule_is_passed_over_or_refused() {
    for unlisted in [Unlisted::Ignore, Unlisted::Reject] {
        assert_eq!(judge(&[13, 4, 13, 10, 13], unlisted), Ok(()), "vendor IDs");
        assert_eq!(judge(&[4, 200, 130, 10], unlisted), Ok(()), "private payloads");
        let unknown = judge(&[4, 10, 99], unlisted).expect_err("unknown");
        assert_eq!(unknown.fault, Fault::UnknownPayload(PayloadType(99)));
        assert_eq!(unknown.notify(), Some(NotifyType::INVALID_PAYLOAD_TYPE));
        for nested in [2, 3] {
            let error = judge(&[4, 10, nested], unlisted).expect_err("nested only");
            assert_eq!(error.fault, Fault::Unexpected(PayloadType(nested)));
        }
    }
    assert_eq!(judge(&[4, 10, 5], Unlisted::Ignore), Ok(()));
    let error = judge(&[4, 10, 5], Unlisted::Reject).expect_err("no place");
    assert_eq!((error.offset, error.fault), (8, Fault::Unexpected(PayloadType::ID)));
}

#[test]
fn optional_payloads_come_once_at_most() {
    let rules = [PayloadRule::optional(PayloadType::KE)];
    let judge = |kinds: &[u8]| {
        let mut writer = ChainWriter::new();
        kinds.iter().for_each(|kind| writer.push(PayloadType(*kind), |_| ()));
        let (first, octets) = writer.finish();
        let chain = parse(first, &octets, Padding::Forbidden).expect("valid");
        check(&chain, &rules, Unlisted::Reject).is_ok()
    };
    assert_eq!([judge(&[]), judge(&[4]), judge(&[4, 4])], [true, true, false]);
}
