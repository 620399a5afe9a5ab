//! Any packet, sealed or forged, through the data path of the userspace driver.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| ikedaemon::fuzzing::fuzz_esp(octets));
