//! Any octets as a PF_KEY message.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| ikedaemon::fuzzing::fuzz_pfkey(octets));
