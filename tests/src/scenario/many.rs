//! Several quick modes with one peer: at once on one ISAKMP SA, or each on one of its own.

use super::{PATIENCE, Role, Setting};
use crate::charon::{Connection, Kernel};
use crate::daemon::Driver;
use crate::interop::Row;
use crate::netns::{A, B, World};
use crate::policy_text::{Policy, RULE};
use crate::process::wait_until;

/// How many pairs of nets there are beside the usual one.
const MORE: usize = 7;

/// The networks behind host `a`, and those behind host `b`, each with the one that belongs to it.
fn nets() -> Vec<(String, String)> {
    (1..=MORE).map(|number| (format!("10.11.{number}"), format!("10.12.{number}"))).collect()
}

/// Gives both hosts an address in each of their nets, and routes to the others'.
fn more_nets(world: &World) {
    for (own, other) in nets() {
        world.a.ip(&[&format!("addr add {own}.1/24 dev lo"), &format!("route add {other}.0/24 via {}", B.wire)]);
        world.b.ip(&[&format!("addr add {other}.1/24 dev lo"), &format!("route add {own}.0/24 via {}", A.wire)]);
    }
}

fn configurations(nets: &[(String, String)]) -> (Policy, Connection) {
    let whole = |net: &str| format!("{net}.0/24");
    let ours = nets.iter().map(|(own, other)| (whole(own), whole(other))).collect();
    let charons = nets.iter().map(|(own, other)| (whole(other), whole(own))).collect();
    (Policy { also: ours, ..Policy::between(A, B) }, Connection { also: charons, ..Connection::between(B, A) })
}

/// Both ends begin quick modes at the same time, for nets of their own, all on one ISAKMP SA.
pub fn quick_modes_at_once(driver: Driver, peer: Kernel) {
    let _row = Row::charon("Eight quick modes at once, begun by both ends", peer, driver, &Role::ALL);
    let world = World::new();
    more_nets(&world);
    let nets = nets();
    let (policy, connection) = configurations(&nets);
    let setting = Setting::start(&world, driver, peer, &policy, &connection);
    setting.negotiate(Role::Initiator);
    std::thread::scope(|scope| {
        for number in 2..MORE + 2 {
            let setting = &setting;
            if number % 2 == 0 {
                scope.spawn(move || setting.daemon.run(&["initiate", &format!("{RULE} {number}")]));
            } else {
                scope.spawn(move || setting.charon.initiate_child(&format!("c{number}")).expect("charon negotiates"));
            }
        }
    });
    setting.wait_daemon_ipsec_sas(MORE + 1);
    let all = wait_until(PATIENCE, || setting.charon.installed().len() == MORE + 1);
    assert!(all, "{:?}\n{}", setting.charon.list_sas(), setting.charon.log());
    assert_eq!((setting.daemon.isakmp_sas(), setting.charon.list_sas().len()), (1, 1));
    setting.exchange_traffic();
    for (own, other) in &nets {
        let (own, other) = (format!("{own}.1"), format!("{other}.1"));
        assert_eq!(world.a.ping(&own, &other, 2), 2, "{own} to {other}:\n{}", setting.daemon.oakley());
        assert_eq!(setting.capture.in_clear(&[&own], None), []);
    }
    setting.charon.terminate();
    setting.wait_nothing_left();
}

/// Master PFS: each quick mode that the daemon begins has a main mode of its own.
pub fn master_pfs(driver: Driver, peer: Kernel) {
    let what = "Master PFS: each quick mode on a main mode of its own";
    let _row = Row::charon(what, peer, driver, Role::Initiator.alone());
    let world = World::new();
    more_nets(&world);
    let nets = nets();
    let (policy, connection) = configurations(&nets[..1]);
    let setting = Setting::start(&world, driver, peer, &Policy { master_pfs: true, ..policy }, &connection);
    setting.negotiate(Role::Initiator);
    let (own, other) = (format!("{}.1", nets[0].0), format!("{}.1", nets[0].1));
    assert!(world.a.ping_until_answered(&own, &other, PATIENCE), "{}", setting.daemon.oakley());
    setting.wait_daemon_ipsec_sas(2);
    assert_eq!(main_modes(&setting), 2, "{}", setting.daemon.oakley());
    let first = setting.charon.installed();
    let status = setting.daemon.status();
    let pair = status["ipsec_sas"][0]["id"].as_str().expect("a handle");
    setting.daemon.run(&["rekey", "--ipsec-sa", pair]);
    setting.charon.wait_sas("a successor", PATIENCE, |sas| {
        let mut pairs = sas.iter().flat_map(|sa| &sa.children);
        pairs.any(|pair| pair.state == "INSTALLED" && first.iter().all(|old| old.spi_in != pair.spi_in))
    });
    assert_eq!(main_modes(&setting), 3, "{}", setting.daemon.oakley());
    setting.exchange_traffic();
    setting.daemon.run(&["terminate", "--all"]);
    setting.wait_nothing_left();
}

/// How many main modes there were.
fn main_modes(setting: &Setting<'_>) -> u64 {
    let status = setting.daemon.status();
    status["counters"]["main_modes"].as_u64().unwrap_or_else(|| panic!("no count of main modes: {status}"))
}
