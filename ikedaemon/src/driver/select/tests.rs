use super::{DriverChoice, open};
use crate::driver::xfrm;

#[test]
fn choices_have_names() {
    for choice in DriverChoice::ALL {
        assert_eq!(choice.name().parse(), Ok(choice));
    }
    let error = "XFRM".parse::<DriverChoice>().expect_err("names are in lower case").to_string();
    assert_eq!(error, "no SA driver is called \"XFRM\", allowed: auto, xfrm, pfkey, userspace, memory");
}

#[tokio::test]
async fn the_chosen_driver_is_opened() {
    let opened = open(DriverChoice::Memory).expect("it needs nothing");
    assert_eq!((opened.driver.capabilities().name, opened.why.as_str()), ("memory", "chosen by the settings"));
}

/// In a namespace of its own, so that no driver touches the host.
#[test]
fn the_best_is_what_the_kernel_really_does() {
    std::thread::spawn(|| {
        if let Err(error) = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET) {
            eprintln!("skipped: no network namespace of its own: {error}");
            return;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let _inside = runtime.enter();
        let probed = xfrm::probe();
        match (probed, open(DriverChoice::Auto)) {
            (Ok(_), opened) => assert_eq!(opened.expect("probed").driver.capabilities().name, "xfrm"),
            (Err(reason), Ok(opened)) => {
                assert_eq!(opened.driver.capabilities().name, "userspace");
                assert_eq!(opened.why, format!("xfrm cannot be used: {reason}"));
            }
            (Err(reason), Err(error)) => {
                let error = error.to_string();
                assert!(error.contains(&reason) && error.contains("userspace: "), "{error}");
            }
        }
    })
    .join()
    .expect("no panic");
}
