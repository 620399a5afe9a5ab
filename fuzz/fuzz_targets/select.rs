//! Any SA payload through the choice among a peer's proposals.
#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| ikecore::fuzzing::fuzz_select(body));
