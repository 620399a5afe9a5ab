//! Any octets as a configuration of strongSwan or libreswan.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| policyagent_svc::fuzzing::import(octets));
