//! Any octets as certificates, revocation lists and distinguished names.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| ikecore::fuzzing::fuzz_certificate(octets));
