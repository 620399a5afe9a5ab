//! Any octets as a capture.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| policyagent_svc::fuzzing::capture(octets));
