//! Any octets as commands of netsh: scripts, batch files, scripts of PowerShell.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| policyagent_svc::fuzzing::command(octets));
