//! What an administrator tells the daemon, and how the peer follows.

use super::{IMPATIENT, PATIENCE, Role, Setting, Trial, suiting};
use crate::charon::{Connection, Kernel, Mode};
use crate::daemon::Driver;
use crate::interop::Row;
use crate::netns::{A, B, World};
use crate::policy_text::{Policy, RULE};
use crate::process::wait_until;

/// `initiate`, then `rekey` of either phase: charon has the new SAs and loses the old ones.
pub fn initiates_and_rekeys(driver: Driver) {
    let what = "Negotiation and rekeys of both phases by command";
    let _row = Row::charon(what, Kernel::Netlink, driver, Role::Initiator.alone());
    let world = World::new();
    let setting = prepared(&world, driver);
    initiate(&setting);
    setting.exchange_traffic();
    let first = setting.charon.installed().remove(0);

    let pair = handle(&setting, "ipsec_sas");
    setting.daemon.run(&["rekey", "--ipsec-sa", &pair]);
    let second = setting.successor(&first);
    assert_ne!(first.spi_out, second.spi_out);
    setting.exchange_traffic();
    let text = setting.daemon.command(&["rekey", "--ipsec-sa", "ffffff"]);
    let error = String::from_utf8_lossy(&text.stderr).into_owned();
    assert!(!text.status.success() && error.contains("there is no IPsec SA pair ffffff"), "{error}");

    let cookies = setting.charon.list_sas()[0].cookies.clone();
    setting.daemon.run(&["rekey", "--ike-sa", &handle(&setting, "ike_sas")]);
    setting.charon.wait_sas("a new IKE SA, begun by the daemon", PATIENCE, |sas| {
        sas.iter().any(|sa| sa.state == "ESTABLISHED" && sa.cookies != cookies && !sa.initiator)
    });
    setting.exchange_traffic();
}

/// `terminate` of a pair, of an ISAKMP SA and of everything with the peer: charon deletes what it is told.
pub fn terminates(driver: Driver) {
    let what = "Deletes of a pair, of an ISAKMP SA and of all, by command";
    let _row = Row::charon(what, Kernel::Netlink, driver, Role::Initiator.alone());
    let world = World::new();
    let setting = prepared(&world, driver);
    initiate(&setting);
    setting.exchange_traffic();

    setting.daemon.run(&["terminate", "--ipsec-sa", &handle(&setting, "ipsec_sas")]);
    setting.charon.wait_sas("its IPsec SAs deleted, the IKE SA not", PATIENCE, |sas| {
        sas.len() == 1 && sas[0].state == "ESTABLISHED" && sas[0].children.is_empty()
    });
    setting.wait_kernels_empty();

    // The ISAKMP SA still serves.
    let cookies = setting.charon.list_sas()[0].cookies.clone();
    initiate(&setting);
    setting.exchange_traffic();
    let sas = setting.charon.list_sas();
    assert_eq!((sas.len(), &sas[0].cookies), (1, &cookies));

    setting.daemon.run(&["terminate", "--peer", B.wire]);
    setting.wait_nothing_left();
    setting.wait_kernels_empty();

    initiate(&setting);
    setting.exchange_traffic();
    setting.daemon.run(&["terminate", "--ike-sa", &handle(&setting, "ike_sas")]);
    setting.charon.wait_sas("no IKE SA", PATIENCE, <[_]>::is_empty);
    assert_eq!((setting.daemon.isakmp_sas(), setting.daemon.ipsec_sas()), (0, 1));
    setting.daemon.run(&["terminate", "--all"]);
    setting.wait_nothing_left();
    setting.wait_kernels_empty();
}

fn prepared(world: &World, driver: Driver) -> Setting<'_> {
    let (policy, connection) = suiting(driver, Mode::Transport);
    Setting::start(world, driver, Kernel::Netlink, &policy, &connection)
}

/// Has the daemon negotiate, without any traffic, and looks at what it says of the outcome.
#[track_caller]
fn initiate(setting: &Setting<'_>) {
    let text = setting.daemon.run(&["--format", "json", "initiate", RULE, "--wait", "15"]);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("no JSON: {e}: {text}"));
    assert_eq!((&report["succeeded"], &report["status"]["code"]), (&true.into(), &0.into()), "{report}");
    setting.charon.wait_installed();
    let children = setting.charon.installed();
    let spi = |name: &str| {
        let text = report["ipsec_sas"][0][name].as_str().unwrap_or_default();
        u32::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or_else(|e| panic!("{e}: {name} in {report}"))
    };
    // As the peer has them, the other way round.
    assert_eq!((spi("inbound_spi"), spi("outbound_spi")), (children[0].spi_out, children[0].spi_in));
}

/// The handle of the one SA of the list `name` that is in use.
#[track_caller]
pub(super) fn handle(trial: &Trial<'_>, name: &str) -> String {
    let mut found = Vec::new();
    wait_until(PATIENCE, || {
        let status = trial.daemon.status();
        let all = status[name].as_array().into_iter().flatten();
        let current = all.filter(|sa| sa["replaced"] != true);
        found = current.filter_map(|sa| sa["id"].as_str().map(str::to_owned)).collect();
        found.len() == 1
    });
    assert_eq!(found.len(), 1, "{name}: {found:?}\n{}", trial.daemon.oakley());
    found.remove(0)
}

/// A rule that the peer refuses: `initiate` fails with the reason, a status and an exit status.
pub fn initiate_tells_the_reason(driver: Driver) {
    let world = World::new();
    let policy = Policy::between(A, B).proposals("aes128-sha1-modp1024", "aes128-sha1-modp1024");
    let connection = Connection::between(B, A);
    let setting = Setting::start_with_settings(&world, driver, Kernel::Netlink, &policy, &connection, IMPATIENT);
    // The refusal is not authenticated: the daemon goes on until it has asked often enough.
    let output = setting.daemon.command(&["--format", "json", "initiate", RULE, "--wait", "60"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("no JSON: {e}: {text}"));
    assert_eq!((output.status.code(), &report["succeeded"]), (Some(1), &false.into()), "{report}");
    assert!(report["failure"].as_str().is_some_and(|text| text.contains("NO-PROPOSAL-CHOSEN")), "{report}");
    assert_ne!(report["status"]["code"], 0);
    setting.charon.initiate().expect_err("the configurations differ, whoever begins");
    setting.wait_nothing_left();
    setting.wait_kernels_empty();
    assert!(setting.world.a.ping(setting.ends.0, setting.ends.1, 1) == 0, "nothing in clear");
}
