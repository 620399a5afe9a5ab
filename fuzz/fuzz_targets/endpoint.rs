//! Operations on two endpoints and the network between them.
#![no_main]

libfuzzer_sys::fuzz_target!(|operations: &[u8]| ikecore::fuzzing::fuzz_endpoint(operations));
