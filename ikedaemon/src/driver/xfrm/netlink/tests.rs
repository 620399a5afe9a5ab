use super::{HEADER, Refusal, encode, messages, read};
use netlink_packet_core::{NLM_F_ACK_TLVS, NLM_F_CAPPED};
use netlink_packet_xfrm::{AlgAuth, XfrmAttrs, XfrmMessage, state::ModifyMessage};
use nix::errno::Errno;

/// One message, padded as in a datagram.
fn message(message_type: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + payload.len()).expect("short");
    let mut octets = length.to_ne_bytes().to_vec();
    octets.extend(message_type.to_ne_bytes());
    octets.extend(flags.to_ne_bytes());
    octets.extend(sequence.to_ne_bytes());
    octets.extend([0; 4]);
    octets.extend(payload);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut octets = u16::try_from(4 + value.len()).expect("short").to_ne_bytes().to_vec();
    octets.extend(kind.to_ne_bytes());
    octets.extend(value);
    octets.resize(octets.len().next_multiple_of(4), 0);
    octets
}

/// An `nlmsgerr` for a request of sequence number 7 with `body`, which a kernel echoes unless told not to.
fn error(code: i32, body: &[u8], attributes: &[u8]) -> Vec<u8> {
    let mut payload = code.to_ne_bytes().to_vec();
    payload.extend(message(0x10, 0, 7, body));
    payload.extend(attributes);
    payload
}

fn outcome(datagram: &[u8]) -> Option<Result<(), Refusal>> {
    read(datagram, 7, &mut |_, _| {})
}

#[test]
fn an_answer_and_its_end() {
    let mut datagram = message(0x10, 0, 6, b"of an older request");
    datagram.extend(message(0x10, 2, 7, b"mine!"));
    let mut seen = Vec::new();
    assert_eq!(read(&datagram, 7, &mut |kind, payload| seen.push((kind, payload.to_vec()))), None);
    assert_eq!(seen, [(0x10, b"mine!".to_vec())]);
    datagram.extend(message(2, 0, 7, &error(0, b"", b"")));
    assert_eq!(outcome(&datagram), Some(Ok(())));
    assert_eq!(outcome(&message(3, 2, 7, &[0; 4])), Some(Ok(())));
}

#[test]
fn a_refusal_with_the_kernels_words() {
    let words = attribute(1, b"Requested type not found\0");
    let other = attribute(2, &4_u32.to_ne_bytes());
    let expected = Refusal { errno: Errno::EPROTONOSUPPORT, text: Some("Requested type not found".to_owned()) };
    assert_eq!(expected.to_string(), "Requested type not found (Protocol not supported)");
    let code = -libc::EPROTONOSUPPORT;
    let mut capped = code.to_ne_bytes().to_vec();
    capped.extend(&message(0x10, 0, 7, b"")[..HEADER]);
    capped.extend([other.clone(), words.clone()].concat());
    assert_eq!(outcome(&message(2, NLM_F_ACK_TLVS | NLM_F_CAPPED, 7, &capped)), Some(Err(expected.clone())));
    let echoed = error(code, b"12345", &[other, words].concat());
    assert_eq!(outcome(&message(2, NLM_F_ACK_TLVS, 7, &echoed)), Some(Err(expected)));
    let silent = error(code, b"12345", b"");
    let refusal = Refusal { errno: Errno::EPROTONOSUPPORT, text: None };
    assert_eq!(refusal.to_string(), "Protocol not supported");
    assert_eq!(outcome(&message(2, 0, 7, &silent)), Some(Err(refusal)));
}

#[test]
fn cut_datagrams_are_no_panic() {
    let words = attribute(1, b"words\0");
    let mut whole = message(0x10, 2, 7, b"mine!");
    whole.extend(message(2, NLM_F_ACK_TLVS, 7, &error(-1, b"12345", &words)));
    for length in 0..whole.len() {
        assert!(outcome(&whole[..length]).is_none(), "{length}");
        // The length in the header says more than there is, or less than a header.
        for value in [0, 3, HEADER, length, usize::MAX] {
            let mut wrong = whole[..length].to_vec();
            if let Some(field) = wrong.first_chunk_mut() {
                *field = u32::try_from(value).unwrap_or(u32::MAX).to_ne_bytes();
            }
            let _ = messages(&wrong).count();
        }
    }
    assert!(outcome(&whole).is_some());
    for length in 0..24 {
        assert!(outcome(&message(2, NLM_F_ACK_TLVS, 7, &whole[..length])).is_some(), "{length}");
    }
}

#[test]
fn a_request_carries_its_key() {
    let alg = AlgAuth { alg_name: [0; 64], alg_key_len: 32, alg_trunc_len: 96, alg_key: vec![0xa5; 4] };
    let request = ModifyMessage { nlas: vec![XfrmAttrs::AuthenticationAlgTrunc(alg)], ..ModifyMessage::default() };
    let octets = encode(XfrmMessage::AddSa(request), 5, 7);
    let (kind, flags, sequence, payload) = messages(&octets).next().expect("one message");
    assert_eq!((kind, flags, sequence), (0x10, 5, 7));
    assert!(payload.ends_with(&[0xa5; 4]));
}
