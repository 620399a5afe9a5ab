//! The SA drivers that use a kernel's ESP, on such a kernel: the cases run inside a User-Mode Linux guest.

use std::process::ExitCode;

use ikedaemon::driver::SaDriver;
use ikedaemon::driver::xfrm::{self, XfrmDriver};
use tests::conformance::{self, Namespaces};
use tests::uml::{self, Case};

fn main() -> ExitCode {
    let mut cases = vec![Case::new("xfrm_probe", xfrm_probe)];
    for case in conformance::cases() {
        cases.push(Case::new(format!("xfrm_{}", case.name), move || case.run(&mut Namespaces::new(open_xfrm))));
    }
    uml::main(cases)
}

fn open_xfrm() -> Box<dyn SaDriver> {
    Box::new(XfrmDriver::open().expect("the XFRM driver opens"))
}

fn xfrm_probe() {
    let found = xfrm::probe().expect("this kernel has ESP");
    assert!(found.ah && found.transport && found.udp_encapsulation && found.owns_encapsulation, "{found:?}");
    assert!(found.description.starts_with("Linux 6.") && found.description.contains("ESP over IPv6"), "{found:?}");
}
