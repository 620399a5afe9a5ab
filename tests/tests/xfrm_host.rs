//! The XFRM driver on this host's kernel, which may have no ESP: policies, SPIs, acquires, what a crash left.

use ikecore::ids::{AskId, IpsecSaId, Spi};
use ikecore::policy::selector::{Prefix, Selector};
use ikecore::proposal::suite::{EspCipher, Integrity, IpsecSuite, Lifetime, Mode, Protocols};
use ikecore::sa::driver::{
    Direction, DriverError, SaAnswer, SaName, SaOp, SaPair, SaSpec, TrafficAction, TrafficPolicy,
};
use ikecore::secret::Secret;
use ikecore::wire::codes::ProtocolId;
use ikedaemon::driver::xfrm::{self, XfrmDriver};
use ikedaemon::driver::{DriverMessage, SaDriver};
use tests::conformance::{self, Namespaces, Needs};
use tests::netns::{A, B, Namespace};

fn open() -> Box<dyn SaDriver> {
    Box::new(XfrmDriver::open().expect("the XFRM driver opens"))
}

#[test]
fn what_needs_no_esp() {
    let needs = [Needs::Answers, Needs::Policies];
    let cases: Vec<_> = conformance::cases().into_iter().filter(|case| needs.contains(&case.needs)).collect();
    assert!(cases.len() >= 8, "{cases:?}");
    for case in cases {
        println!("{}", case.name);
        case.run(&mut Namespaces::new(open));
    }
}

/// Runs `job` in the namespace with a driver and a function that submits and returns the answer.
fn with_driver(namespace: &Namespace, job: impl FnOnce(XfrmDriver) + Send + 'static) {
    namespace.within(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let _in_runtime = runtime.enter();
        job(XfrmDriver::open().expect("the XFRM driver opens"));
    });
}

fn ask(driver: &mut XfrmDriver, operation: SaOp) -> SaAnswer {
    driver.submit(AskId(1), operation);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match driver.poll_message(&mut context) {
        std::task::Poll::Ready(DriverMessage::Answer(AskId(1), answer)) => answer,
        other => panic!("no answer, but {other:?}"),
    }
}

fn done(driver: &mut XfrmDriver, operation: SaOp) -> Result<(), DriverError> {
    match ask(driver, operation) {
        SaAnswer::Done(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

fn alloc_spi(driver: &mut XfrmDriver) -> Spi {
    let operation = SaOp::AllocSpi {
        protocol: ProtocolId::ESP,
        source: B.wire_ip(),
        destination: A.wire_ip(),
        mode: Mode::Transport,
        reqid: 3,
    };
    match ask(driver, operation) {
        SaAnswer::Spi(Ok(spi)) => spi,
        other => panic!("{other:?}"),
    }
}

fn policy(action: TrafficAction) -> TrafficPolicy {
    let selector = Selector::between(Prefix::host(A.wire_ip()), Prefix::host(B.wire_ip()));
    TrafficPolicy { selector, action, priority: 100, reqid: 3 }
}

const PROTECT: TrafficAction = TrafficAction::Protect {
    protocols: Protocols::ESP,
    mode: Mode::Transport,
    endpoints: None,
    inbound_passthrough: false,
};

#[test]
fn a_start_removes_what_a_crash_left_and_nothing_else() {
    let namespace = Namespace::new("xfrm-crash");
    namespace.ip(&[
        "xfrm policy add src 10.9.9.1 dst 10.9.9.2 dir out action block priority 7",
        "xfrm policy add src 10.9.9.1 dst 10.9.9.3 dir out priority 8 tmpl proto esp reqid 3 mode transport",
    ]);
    let by_hand = namespace.run("ip", &["xfrm", "policy"]);
    namespace
        .run("ip", &["xfrm", "state", "allocspi", "src", "10.9.9.2", "dst", "10.9.9.1", "proto", "esp", "reqid", "3"]);
    with_driver(&namespace, |mut driver| {
        alloc_spi(&mut driver);
        let block = TrafficPolicy {
            selector: Selector::between(Prefix::host(A.wire_ip()), Prefix::host([10, 9, 9, 9].into())),
            ..policy(TrafficAction::Block)
        };
        done(&mut driver, SaOp::SetPolicies(vec![policy(PROTECT), block])).expect("policies are set");
        // A crash: nothing is cleared up.
        std::mem::forget(driver);
    });
    let left = namespace.run("ip", &["xfrm", "policy"]);
    assert_eq!(left.matches("\tdir ").count(), 2 + 2 + 3, "{left}");
    assert_eq!(namespace.run("ip", &["xfrm", "state"]).matches("proto esp").count(), 2);
    with_driver(&namespace, |mut driver| {
        // The new one is at work while the rest is looked at; what it has made goes with it.
        alloc_spi(&mut driver);
        done(&mut driver, SaOp::SetPolicies(vec![policy(PROTECT)])).expect("the old policies are gone");
    });
    assert_eq!(namespace.run("ip", &["xfrm", "policy"]), by_hand);
    let states = namespace.run("ip", &["xfrm", "state"]);
    assert_eq!(states.matches("proto esp").count(), 1, "{states}");
    assert!(states.contains("src 10.9.9.2 dst 10.9.9.1"), "{states}");
}

#[test]
fn others_policies_are_not_replaced() {
    let namespace = Namespace::new("xfrm-others");
    namespace.ip(&[&format!("xfrm policy add src {}/32 dst {}/32 dir out action block priority 7", A.wire, B.wire)]);
    let before = namespace.run("ip", &["xfrm", "policy"]);
    with_driver(&namespace, |mut driver| {
        let error = done(&mut driver, SaOp::SetPolicies(vec![policy(PROTECT)])).expect_err("there is one already");
        assert_eq!(error.operation, format!("add outbound policy {} <-> {}", A.wire, B.wire));
        assert_eq!(error.reason, "File exists");
        // All or nothing: with another list it works.
        let other = TrafficPolicy {
            selector: Selector::between(Prefix::host(A.wire_ip()), Prefix::host([10, 9, 9, 9].into())),
            ..policy(PROTECT)
        };
        done(&mut driver, SaOp::SetPolicies(vec![other])).expect("another selector");
    });
    assert_eq!(namespace.run("ip", &["xfrm", "policy"]), before);
}

#[test]
fn a_kernel_without_esp_says_so_and_keeps_nothing() {
    let namespace = Namespace::new("xfrm-probe");
    let Err(reason) = namespace.within(xfrm::probe) else {
        println!("SKIPPED: this kernel has ESP");
        return;
    };
    assert!(reason.starts_with("the kernel refuses an ESP SA: ") && reason.len() > 40, "{reason}");
    with_driver(&namespace, |mut driver| {
        assert!(driver.capabilities().description.ends_with("with no IPsec"), "{:?}", driver.capabilities());
        let own = alloc_spi(&mut driver);
        let suite = IpsecSuite::Esp { cipher: EspCipher::Aes128Cbc, integrity: Some(Integrity::HmacSha1_96) };
        let spec = |direction, spi, source, destination| SaSpec {
            direction,
            spi,
            suite,
            mode: Mode::Transport,
            source,
            destination,
            scope: ikecore::address::Scope::ANY,
            selector: policy(PROTECT).selector,
            encapsulation: None,
            encryption_key: Secret::new(vec![1; 16]),
            integrity_key: Secret::new(vec![2; 20]),
            cpi: None,
            outer: None,
            reqid: 3,
            replay_window: 32,
            extended_sequence_numbers: false,
            soft: Lifetime::default(),
            hard: Lifetime::default(),
        };
        let inbound = spec(Direction::Inbound, own, B.wire_ip(), A.wire_ip());
        let outbound = spec(Direction::Outbound, Spi(0x1234_5678), A.wire_ip(), B.wire_ip());
        let pair = SaPair { id: IpsecSaId(1), inbound, outbound, policy: policy(PROTECT) };
        let [inbound, _] = pair.steps();
        let error = done(&mut driver, inbound).expect_err("no ESP");
        let name = SaName { protocol: ProtocolId::ESP, destination: A.wire_ip(), spi: own };
        assert_eq!(error.operation, format!("add inbound SA {name}"));
        assert!(!error.reason.is_empty());
        std::mem::forget(driver);
    });
    assert_eq!(namespace.run("ip", &["xfrm", "state"]), "");
    assert_eq!(namespace.run("ip", &["xfrm", "policy"]), "");
}

#[test]
fn default_exemptions() {
    tests::scenario::exempt::each_value(tests::daemon::Driver::Xfrm);
}

#[test]
fn boot_modes() {
    tests::scenario::boot_mode::each_mode();
    tests::scenario::boot_mode::the_usual_mode();
}

#[test]
fn the_boot_mode_is_lifted_without_a_gap() {
    tests::scenario::boot_mode::the_service_lifts_it_without_a_gap(tests::daemon::Driver::Xfrm);
}
