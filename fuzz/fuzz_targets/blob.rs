//! Any octets as the binary value of an object of a directory.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| policyagent_svc::fuzzing::blob(octets));
