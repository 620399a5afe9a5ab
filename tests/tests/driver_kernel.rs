//! The SA drivers that use a kernel's ESP, on such a kernel: the cases run inside a User-Mode Linux guest.

use std::process::ExitCode;

use ikedaemon::driver::SaDriver;
use ikedaemon::driver::pfkey::PfkeyDriver;
use ikedaemon::driver::xfrm::{self, XfrmDriver};
use tests::conformance::{self, Namespaces};
use tests::uml::{self, Case};

/// What PF_KEY on Linux cannot do; the driver's documentation says why, and `pfkey.rs` tests what it does instead.
const BEYOND_PF_KEY: [&str; 8] = [
    // An ACQUIRE does not tell the packet's protocol and ports.
    "a_packet_without_sa_asks_for_one",
    "a_reserved_spi_is_nobodys_traffic",
    // No AES-GCM, and HMAC-SHA-256 with another truncation.
    "every_esp_suite_in_tunnel_mode",
    "every_esp_suite_in_transport_mode",
    "every_ah_suite",
    // No word for them.
    "extended_sequence_numbers",
    // Addresses of SAs stay.
    "a_tunnel_moves_to_another_address",
    // Failures are not counted.
    "a_wrong_key_is_counted",
];

fn main() -> ExitCode {
    let mut cases = vec![Case::new("xfrm_probe", xfrm_probe)];
    for case in conformance::cases() {
        cases.push(Case::new(format!("xfrm_{}", case.name), move || case.run(&mut Namespaces::new(open_xfrm))));
        if !BEYOND_PF_KEY.contains(&case.name) {
            cases.push(Case::new(format!("pfkey_{}", case.name), move || case.run(&mut Namespaces::new(open_pfkey))));
        }
    }
    uml::main(cases)
}

/// Has the namespace's kernel wait one second for the SA of a reserved SPI, not half a minute: so the cases see what
/// otherwise only slow negotiations would.
fn be_impatient() {
    std::fs::write("/proc/sys/net/core/xfrm_acq_expires", "1").expect("the namespace's own setting");
}

fn open_xfrm() -> Box<dyn SaDriver> {
    be_impatient();
    Box::new(XfrmDriver::open().expect("the XFRM driver opens"))
}

fn open_pfkey() -> Box<dyn SaDriver> {
    be_impatient();
    Box::new(PfkeyDriver::open().expect("the PF_KEY driver opens"))
}

fn xfrm_probe() {
    let found = xfrm::probe().expect("this kernel has ESP");
    assert!(found.ah && found.transport && found.udp_encapsulation && found.owns_encapsulation, "{found:?}");
    assert!(found.description.starts_with("Linux 6.") && found.description.contains("ESP over IPv6"), "{found:?}");
}
