//! Any datagram through the codec and the dump.
#![no_main]

libfuzzer_sys::fuzz_target!(|datagram: &[u8]| ikecore::fuzzing::fuzz_message(datagram));
