//! The body of the fuzz target for PF_KEY messages.
use super::codec::Message;

/// Any octets as a message of the kernel: nothing panics, and what decodes keeps its meaning when it is encoded and
/// decoded again.
///
/// # Panics
/// If it does not.
pub fn fuzz_pfkey(octets: &[u8]) {
    let Ok(message) = Message::decode(octets) else { return };
    let encoded = message.encode();
    let again = Message::decode(&encoded).expect("what is encoded decodes");
    assert_eq!(*again.encode(), *encoded, "it encodes differently");
}

/// Messages for the corpus, each with its file name.
pub fn pfkey_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let message = |kind: u8, extensions: &[&[u8]]| {
        let body = extensions.concat();
        let units = u16::try_from((16 + body.len()) / 8).unwrap_or_default();
        let mut octets = vec![2, kind, 0, 3];
        octets.extend_from_slice(&units.to_ne_bytes());
        octets.extend_from_slice(&[0; 2]);
        octets.extend_from_slice(&1_u32.to_ne_bytes());
        octets.extend_from_slice(&2_u32.to_ne_bytes());
        octets.extend(body);
        octets
    };
    let extension = |kind: u16, body: &[u8]| {
        let units = u16::try_from((4 + body.len()) / 8).unwrap_or_default();
        [&units.to_ne_bytes()[..], &kind.to_ne_bytes()[..], body].concat()
    };
    let sa = extension(1, &[0, 0, 1, 1, 32, 1, 3, 12, 0, 0, 0, 0]);
    let lifetime = extension(3, &[7; 28]);
    let family = u16::try_from(libc::AF_INET).unwrap_or_default().to_ne_bytes();
    let address = |kind, last| {
        let socket_address = [&family[..], &[1, 0xf4, 10, 0, 0, last], &[0; 8]].concat();
        extension(kind, &[&[17, 32, 0, 0], socket_address.as_slice()].concat())
    };
    let key = extension(8, &[&128_u16.to_ne_bytes()[..], &[0; 2], &[0x42; 16]].concat());
    let supported = extension(14, &[0, 0, 0, 0, 3, 0, 160, 0, 160, 0, 0, 0]);
    vec![
        ("add", message(3, &[&sa, &lifetime, &address(5, 1), &address(6, 2), &key])),
        ("register", message(7, &[&supported])),
        ("expire", message(8, &[&sa, &lifetime, &address(5, 1), &address(6, 2)])),
        (
            "acquire",
            message(6, &[&address(5, 1), &address(6, 2), &extension(18, &[2, 0, 2, 0, 1, 0, 0, 0, 5, 0, 0, 0])]),
        ),
    ]
}

#[cfg(test)]
mod tests;
