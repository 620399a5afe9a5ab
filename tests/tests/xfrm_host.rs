//! The XFRM driver on this host's kernel, which may have no ESP: policies, SPIs, acquires, what a crash left.

use ikedaemon::driver::SaDriver;
use ikedaemon::driver::xfrm::XfrmDriver;
use tests::conformance::{self, Namespaces, Needs};

fn open() -> Box<dyn SaDriver> {
    Box::new(XfrmDriver::open().expect("the XFRM driver opens"))
}

#[test]
fn what_needs_no_esp() {
    let cases: Vec<_> = conformance::cases()
        .into_iter()
        .filter(|case| [Needs::Answers, Needs::Policies].contains(&case.needs))
        .collect();
    assert!(cases.len() >= 8, "{cases:?}");
    for case in cases {
        println!("{}", case.name);
        case.run(&mut Namespaces::new(open));
    }
}
