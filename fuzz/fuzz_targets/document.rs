//! Any octets as a policy document of a store.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| policyagent_svc::fuzzing::document(octets));
