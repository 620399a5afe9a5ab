//! A host whose own SA driver refuses what is asked of it, or answers nothing.
use super::super::config_mode::USUAL;
use super::*;
use crate::testing::host::TestDriver;

struct Row {
    fault: &'static str,
    /// Makes the driver refuse.
    set: fn(&mut TestDriver),
    /// What the reason must say: whose fault it is, and of what.
    says: &'static [&'static str],
    /// What the other end hears.
    notify: Option<NotifyType>,
    /// What the other end may have installed by now is deleted.
    deletes: bool,
}

const REFUSED: Option<NotifyType> = Some(NotifyType::NO_PROPOSAL_CHOSEN);

const ROWS: &[Row] = &[
    Row {
        fault: "gives no SPI",
        set: |driver| driver.fail_spis = 1,
        says: &["driver test", "allocate an SPI", "told to fail"],
        notify: REFUSED,
        deletes: false,
    },
    Row {
        fault: "refuses the inbound SA",
        set: |driver| driver.fail_inbound = 1,
        says: &["driver test", "add the inbound SA", "told to fail"],
        notify: REFUSED,
        deletes: false,
    },
    Row {
        fault: "refuses the outbound SA",
        set: |driver| driver.fail_outbound = 1,
        says: &["driver test", "add the outbound SA", "told to fail"],
        notify: REFUSED,
        deletes: true,
    },
    Row {
        fault: "does not answer",
        set: |driver| driver.mute = true,
        says: &["63 s", "an SPI", "its own driver"],
        notify: None,
        deletes: false,
    },
];

impl Row {
    fn run(&self, at: usize) -> String {
        let Self { fault, set, says, notify, deletes } = self;
        let what = format!("the driver of the {}: {fault}", role(at));
        let mut network = hosts(1, |_, _| {});
        network.run(Duration::from_secs(1));
        set(&mut network.hosts[at].driver);
        initiate(&mut network);
        network.run(Duration::from_secs(2 * LIMIT));
        let (text, told) = report(&what, &network);
        let failures = network.hosts[at].failures();
        let [reason] = failures.as_slice() else { panic!("{what}: one reason: {failures:?}") };
        for word in *says {
            assert!(reason.to_string().contains(word), "{what}: {word:?} is not in {reason}");
        }
        let kinds: Vec<_> = told.iter().filter(|told| told.by == at).map(|told| told.notify).collect();
        assert_eq!(kinds, notify.iter().copied().collect::<Vec<_>>(), "{what}");
        if *deletes {
            let deletes = network.hosts[at]
                .events
                .iter()
                .filter(|event| matches!(&event.kind, EventKind::IpsecSa(IpsecSaEvent::DeleteSent(_))));
            assert!(deletes.count() > 0, "{what}: the peer keeps what nobody serves");
        }
        for host in &network.hosts {
            assert!(host.driver.pairs.is_empty() && host.endpoint.pairs.is_empty(), "{what}");
            assert!(host.endpoint.negotiations.is_empty(), "{what}: a negotiation without an end");
        }
        text
    }
}

/// The gateway's worker never says whether the user's password is right.
fn unanswered_check() -> String {
    let mut network = hosts(1, |host, policy| USUAL.change(host, policy));
    network.hosts[1].checks = Some(Vec::new());
    initiate(&mut network);
    network.run(Duration::from_secs(2 * LIMIT));
    let (text, told) = report("the check of the user's password: does not answer", &network);
    assert!(told.is_empty(), "{told:?}");
    assert!(network.hosts.iter().all(|host| host.endpoint.ike_sas.is_empty() && host.endpoint.negotiations.is_empty()));
    text
}

#[test]
fn each_refusal_in_both_roles() {
    let rows = ROWS.iter().flat_map(|row| [0, 1].map(|at| row.run(at)));
    let text: Vec<String> = rows.chain([unanswered_check()]).collect();
    compare("misconfigured-drivers", include_str!("../expected/misconfigured-drivers.txt"), &text.join("\n"));
}
