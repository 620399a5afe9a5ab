//! The userspace driver, by the suite that every SA driver has to pass.

use ikedaemon::driver::SaDriver;
use ikedaemon::driver::userspace::UserspaceDriver;
use tests::conformance::{self, Namespaces};

fn open() -> Box<dyn SaDriver> {
    Box::new(UserspaceDriver::open().expect("the driver opens"))
}

#[test]
fn every_case_of_the_suite() {
    let capabilities = ikedaemon::driver::userspace::probe().expect("the driver can be tried");
    assert!(capabilities.ah && capabilities.transport && capabilities.udp_encapsulation, "{capabilities:?}");
    for case in conformance::cases() {
        println!("{}", case.name);
        case.run(&mut Namespaces::new(open));
    }
}
