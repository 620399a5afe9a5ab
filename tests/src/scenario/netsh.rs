//! The daemon configured by `netsh ipsec` alone.

use super::{PATIENCE, Role, SUITES, Setting, Suite};
use crate::charon::{Connection, Kernel, Mode};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, B, World};
use crate::policy_text::Policy;
use crate::process::wait_until;

/// A suite in the words of `netsh`; quick mode has the group of main mode.
pub struct Words {
    /// What both ends have.
    pub suite: Suite,
    /// Of main mode.
    pub main_mode: &'static str,
    /// Of quick mode.
    pub quick_mode: &'static str,
}

/// With the algorithms of Windows Server 2003, and with those of today.
pub const WORDS: [Words; 2] = [
    Words { suite: SUITES[2], main_mode: "3DES-SHA1-2", quick_mode: "ESP[3DES,SHA1]:100000k/3600s" },
    Words { suite: SUITES[1], main_mode: "AES256-SHA256-DH14", quick_mode: "ESP[AES256,SHA256]" },
];

/// Has the daemon run a script.
#[track_caller]
fn run(daemon: &Daemon<'_>, script: &str) -> String {
    let path = daemon.path("script.txt");
    std::fs::write(&path, script).expect("the root is a directory");
    daemon.run(&["netsh", "-f", &path.display().to_string()])
}

/// Both ends up, the daemon with nothing in force.
fn start<'a>(world: &'a World, driver: Driver, peer: Kernel, mode: Mode, words: &Words) -> Setting<'a> {
    let suite = words.suite;
    let policy = Policy::between(A, B).proposals(suite.main_mode, suite.quick_mode).mode(mode);
    let connection = Connection::between(B, A).proposals(suite.main_mode, suite.quick_mode).mode(mode);
    let setting = Setting::start(world, driver, peer, &policy, &connection);
    run(&setting.daemon, "ipsec static\ndelete all\n");
    wait_rules(&setting.daemon, false);
    setting
}

/// The service notices what was written: there are rules in force, or none.
#[track_caller]
fn wait_rules(daemon: &Daemon<'_>, any: bool) {
    let rules = || daemon.status()["policy"]["rules"].as_array().map_or(0, Vec::len);
    assert!(wait_until(PATIENCE, || (rules() > 0) == any), "{}", daemon.status());
}

/// Source, destination and tunnel's end of each rule: in tunnel mode as Windows has them, a rule for each direction.
fn rules(mode: Mode) -> Vec<(String, &'static str)> {
    let words = |source: &str, destination: &str| {
        let split =
            |block: &str| block.split_once('/').map(|(address, length)| (address.to_owned(), length.to_owned()));
        let ((source, source_mask), (destination, destination_mask)) =
            (split(source).expect("a network"), split(destination).expect("a network"));
        format!("srcaddr={source} dstaddr={destination} srcmask={source_mask} dstmask={destination_mask} mirrored=no")
    };
    match mode {
        Mode::Tunnel => vec![(words(A.net, B.net), B.wire), (words(B.net, A.net), A.wire)],
        Mode::Transport => vec![(format!("srcaddr=me dstaddr={}", B.wire), "")],
    }
}

/// The key that charon has.
fn key() -> String {
    Policy::between(A, B).psk
}

/// Negotiates, exchanges traffic, and looks at what `netsh` shows of it.
fn work(setting: &Setting<'_>, words: &Words) {
    setting.negotiate(Role::Initiator);
    setting.exchange_traffic();
    let sas = setting.charon.list_sas();
    assert_eq!(sas[0].suite, words.suite.main_mode_listed);
    assert_eq!(setting.charon.installed()[0].suite, words.suite.quick_mode_listed);
    let shown = run(&setting.daemon, "ipsec dynamic\nshow mmsas all\nshow qmsas all\nshow stats type=all\n");
    for part in [B.wire, "pre-shared key", "No. of quick-mode SAs: 1", "Main Modes                    : 1"] {
        assert!(shown.contains(part), "{part}:\n{shown}");
    }
}

/// A static policy: lists, filters, an action, rules, and its assignment; then another key, and all gone.
pub fn static_policy(driver: Driver, peer: Kernel, mode: Mode, words: &Words) {
    let (main_mode, quick_mode) = (words.main_mode, words.quick_mode);
    let what = format!("Static policy made by netsh, PSK, main mode {main_mode}, {quick_mode}, {}", mode.name());
    let _row = Row::charon(what, peer, driver, Role::Initiator.alone());
    let world = World::new();
    let setting = start(&world, driver, peer, mode, words);
    let mut script = format!(
        "# As an administrator writes it.\nipsec static\nadd policy name=\"Lab\" activatedefaultrule=no mmsec=\"{main_mode}\"\n\
         add filteraction name=\"Sign and seal\" action=negotiate qmpfs=yes qmsec=\"{quick_mode}\"\n"
    );
    for (number, (addresses, end)) in rules(mode).into_iter().enumerate() {
        let tunnel = if end.is_empty() { String::new() } else { format!("tunnel={end}") };
        script += &format!(
            "add filter filterlist=\"To b {number}\" {addresses}\nadd rule name=\"Rule {number}\" policy=\"Lab\" \
             filterlist=\"To b {number}\" filteraction=\"Sign and seal\" {tunnel} psk=\"{}\"\n",
            key()
        );
    }
    script += "set policy name=\"Lab\" assign=y\n";
    run(&setting.daemon, &script);
    wait_rules(&setting.daemon, true);
    work(&setting, words);
    run(&setting.daemon, "ipsec static\nset policy name=Lab assign=n\n");
    setting.wait_nothing_left();
    setting.wait_kernels_empty();
}

/// A dynamic policy, in force at once and gone with its rules.
pub fn dynamic_policy(driver: Driver, peer: Kernel, mode: Mode, words: &Words) {
    let (main_mode, quick_mode) = (words.main_mode, words.quick_mode);
    let what = format!("Dynamic policy made by netsh, PSK, main mode {main_mode}, {quick_mode}, {}", mode.name());
    let _row = Row::charon(what, peer, driver, Role::Initiator.alone());
    let world = World::new();
    let setting = start(&world, driver, peer, mode, words);
    let mut script = format!(
        "ipsec dynamic\nadd mmpolicy name=mm mmsec=\"{main_mode}\"\nadd qmpolicy name=qm pfsgroup=GRPMM qmsec=\"{quick_mode}\"\n"
    );
    for (addresses, end) in rules(mode) {
        let tunnel = if end.is_empty() { String::new() } else { format!("tunneldstaddress={end}") };
        script += &format!("add rule {addresses} mmpolicy=mm qmpolicy=qm {tunnel} psk=\"{}\"\n", key());
    }
    run(&setting.daemon, &script);
    wait_rules(&setting.daemon, true);
    work(&setting, words);
    run(&setting.daemon, "ipsec dynamic delete all\n");
    setting.wait_nothing_left();
    setting.wait_kernels_empty();
}
