use super::*;

#[test]
fn the_seeds_decode() {
    for (name, octets) in pfkey_seeds() {
        let message = Message::decode(&octets).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!message.extensions.is_empty());
        fuzz_pfkey(&octets);
    }
}
