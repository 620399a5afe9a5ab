//! A driver that refuses, or vanishes, against a real peer.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{IMPATIENT, PATIENCE, Role, Setting};
use crate::capture::Kind;
use crate::charon::{Connection, Kernel};
use crate::daemon::Driver;
use crate::netns::{A, B, World};
use crate::policy_text::{Policy, RULE};
use crate::process::wait_until;

/// The program that the kernel starts when it lacks a module.
const LOADER: &str = "/proc/sys/kernel/modprobe";

/// The kernel (this guest's) without Triple DES for as long as this lives.
struct WithoutTripleDes {
    loader: String,
}

impl WithoutTripleDes {
    fn new() -> Self {
        let loader = std::fs::read_to_string(LOADER).expect("the kernel loads modules");
        let this = Self { loader };
        std::fs::write(LOADER, "/bin/false").expect("root of this kernel");
        if Path::new("/sys/module/des_generic").exists() {
            let removed = Command::new("modprobe").args(["-r", "des_generic"]).status().expect("kmod is installed");
            assert!(removed.success(), "des_generic cannot be removed: {removed}");
        }
        this
    }
}

impl Drop for WithoutTripleDes {
    fn drop(&mut self) {
        let _ = std::fs::write(LOADER, self.loader.trim());
    }
}

/// The kernel refuses the SA, for it lacks the algorithm; the peer, with ESP of its own, has it. Both ends end with a
/// reason, and nothing of the SAs stays.
pub fn the_kernel_refuses(driver: Driver, role: Role) {
    let _kernel = WithoutTripleDes::new();
    let world = World::new();
    let offers = ("aes128-sha1-modp1024", "3des-sha1-modp1024");
    let policy = Policy::between(A, B).proposals(offers.0, offers.1);
    let connection = Connection::between(B, A).proposals(offers.0, offers.1);
    let setting = Setting::start_with_settings(&world, driver, Kernel::Libipsec, &policy, &connection, IMPATIENT);
    let refusal = format!("driver {}: add inbound SA", driver.name());
    match role {
        Role::Initiator => {
            let output = setting.daemon.command(&["initiate", RULE, "--wait", "40"]);
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{error}");
            assert!(error.contains(&refusal), "{error}");
        }
        Role::Responder => {
            // With its third message charon, as initiator, is done, unless it hears before that the daemon is not.
            let _ = setting.charon.initiate();
        }
    }
    setting.daemon.wait_oakley("the reason", PATIENCE, |trace| trace.contains(&refusal));
    // What charon needs to install its own SAs was never sent: it has none, and knows why.
    setting.charon.wait_sas("no IPsec SAs", PATIENCE, |sas| sas.iter().all(|sa| sa.children.is_empty()));
    let told = |log: &str| log.contains("received NO_PROPOSAL_CHOSEN");
    assert!(wait_until(PATIENCE, || told(&setting.charon.log())), "{}", setting.charon.log());
    assert_eq!(setting.daemon.ipsec_sas(), 0);
    assert_eq!(setting.daemon.status()["quick_modes"].as_array().map(Vec::len), Some(0));
    assert_eq!(world.a.run("ip", &["xfrm", "state"]), "", "half-installed");
    assert_eq!(world.a.ping(A.inside, B.inside, 1), 0, "a ping in clear");
    assert_eq!(setting.capture.count(Kind::Echo), 0);
}

/// The kernel refuses the second step, because the policy of another program stands in the place of the pair's: charon has
/// its SAs by then, and yet keeps none of which the daemon has no half.
pub fn the_kernel_refuses_the_policy(driver: Driver, role: Role) {
    let world = World::new();
    // The policy of the rule is wider than that of a pair.
    let policy = Policy { remote: "10.9.0.0/24".to_owned(), ..Policy::between(A, B).transport() };
    let offers = ("aes128-sha1-modp1024", "aes128-sha1-modp1024");
    let policy = policy.proposals(offers.0, offers.1);
    let connection = Connection::between(B, A).transport().proposals(offers.0, offers.1);
    let setting = Setting::start_with_settings(&world, driver, Kernel::Netlink, &policy, &connection, IMPATIENT);
    world.a.ip(&[&format!("xfrm policy add src {}/32 dst {}/32 dir in priority 2000000000", B.wire, A.wire)]);
    let refusal = format!("driver {}: add inbound policy {} <-> {}", driver.name(), A.wire, B.wire);
    for times in 1..=3 {
        match role {
            Role::Initiator => {
                let output = setting.daemon.command(&["initiate", RULE, "--peer", B.wire, "--wait", "40"]);
                let error = String::from_utf8_lossy(&output.stderr).into_owned();
                assert_eq!(output.status.code(), Some(1), "{error}");
                assert!(error.contains(&refusal), "{error}");
            }
            Role::Responder => {
                let _ = setting.charon.initiate();
            }
        }
        setting.daemon.wait_oakley("the reason", PATIENCE, |trace| trace.matches(&refusal).count() >= times);
        // Twice, because the first delete may overtake message 3 at charon, which forgets it then.
        std::thread::sleep(Duration::from_secs(1));
        let none = |sas: &[crate::charon::IkeSa]| sas.iter().all(|sa| sa.children.is_empty());
        setting.charon.wait_sas("no IPsec SAs", PATIENCE, none);
        std::thread::sleep(Duration::from_secs(1));
        assert!(none(&setting.charon.list_sas()), "{:#?}", setting.charon.list_sas());
        assert_eq!(setting.daemon.ipsec_sas(), 0);
        assert_eq!(world.a.run("ip", &["xfrm", "state"]), "", "half-installed");
    }
    assert!(setting.charon.log().contains("received DELETE for ESP"), "{}", setting.charon.log());
}

/// The TUN device vanishes while a quick mode waits for the peer, and once more under SAs: the negotiation ends with
/// that reason, the peer is told, and with the next device everything works again.
pub fn the_device_vanishes(peer: Kernel) {
    let world = World::new();
    let setting = Setting::start(&world, Driver::Userspace, peer, &Policy::between(A, B), &Connection::between(B, A));
    setting.negotiate(Role::Initiator);
    setting.exchange_traffic();

    remove_device(&setting, 1);
    setting.charon.wait_sas("no IPsec SAs", PATIENCE, |sas| sas.iter().all(|sa| sa.children.is_empty()));
    wait_new_device(&setting);
    assert_eq!(setting.daemon.ipsec_sas(), 0);
    setting.negotiate(Role::Initiator);
    setting.exchange_traffic();
    setting.daemon.run(&["terminate", "--all"]);
    setting.wait_nothing_left();

    // A peer that does not answer, so that the negotiation lasts.
    setting.charon.signal(Signal::SIGSTOP);
    let output = std::thread::scope(|scope| {
        let negotiation = scope.spawn(|| setting.daemon.command(&["initiate", RULE, "--wait", "30"]));
        assert!(wait_until(PATIENCE, || setting.daemon.isakmp_sas() == 1), "main mode begins");
        remove_device(&setting, 2);
        negotiation.join().expect("a command does not panic")
    });
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("SA driver"), "{error}");
    setting.charon.signal(Signal::SIGCONT);
    wait_new_device(&setting);
    assert_eq!(setting.daemon.ipsec_sas(), 0);
    setting.negotiate(Role::Initiator);
    setting.exchange_traffic();
}

/// The names of the daemon's TUN devices.
fn devices(setting: &Setting<'_>) -> Vec<String> {
    let links = setting.world.a.run("ip", &["-o", "link", "show", "type", "tun"]);
    links.lines().filter_map(|line| line.split(": ").nth(1)).map(str::to_owned).collect()
}

#[track_caller]
fn remove_device(setting: &Setting<'_>, times: usize) {
    let found = devices(setting);
    assert_eq!(found.len(), 1, "{found:?}");
    setting.world.a.ip(&[&format!("link del {}", found[0])]);
    setting.daemon.wait_oakley("the loss", PATIENCE, |trace| trace.matches("SA driver lost").count() == times);
}

#[track_caller]
fn wait_new_device(setting: &Setting<'_>) {
    let there = wait_until(Duration::from_secs(30), || devices(setting).len() == 1);
    assert!(there, "no new device:\n{}", setting.daemon.output());
}
