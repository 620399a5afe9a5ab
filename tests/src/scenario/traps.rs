//! Both ends know what traffic they protect before there are SAs: the first packet of either makes them.

use super::{PATIENCE, Role, Setting, suiting};
use crate::charon::{Connection, Kernel, Mode};
use crate::daemon::Driver;
use crate::interop::Row;
use crate::netns::World;

/// Traffic of the daemon's end negotiates, then that of charon's, each time after the SAs were deleted; and then that of
/// both at once. Nothing ever crosses the wire in clear.
pub fn at_both_ends(driver: Driver, mode: Mode) {
    let what = format!("Traffic of either end negotiates, and of both at once, {}", mode.name());
    let _row = Row::charon(what, Kernel::Netlink, driver, &Role::ALL);
    let world = World::new();
    let (policy, connection) = suiting(driver, mode);
    let connection = Connection { start_action: "trap", ..connection };
    let setting = Setting::start(&world, driver, Kernel::Netlink, &policy, &connection);
    // Both have their policies, so nothing in clear is excused.
    setting.settle();
    let (here, there) = setting.ends;

    setting.negotiate(Role::Initiator);
    assert!(!setting.charon.list_sas()[0].initiator);
    setting.exchange_traffic();
    setting.charon.terminate();
    setting.wait_nothing_left();

    let answered = world.b.ping_until_answered(there, here, PATIENCE);
    assert!(answered, "{}\n{}", setting.daemon.oakley(), setting.charon.log());
    setting.wait_daemon_ipsec_sas(1);
    assert!(setting.charon.list_sas()[0].initiator);
    setting.exchange_traffic();
    setting.daemon.run(&["terminate", "--all"]);
    setting.wait_nothing_left();

    std::thread::scope(|both| {
        let ours = both.spawn(|| world.a.ping_until_answered(here, there, PATIENCE));
        let charons = both.spawn(|| world.b.ping_until_answered(there, here, PATIENCE));
        for end in [ours, charons] {
            let answered = end.join().expect("ping does not panic");
            assert!(answered, "{}\n{}", setting.daemon.oakley(), setting.charon.log());
        }
    });
    setting.exchange_traffic();
    assert_eq!(world.b.ping(there, here, 3), 3, "{}", setting.daemon.oakley());
    setting.assert_nothing_in_clear();
    setting.daemon.run(&["terminate", "--all"]);
    setting.wait_nothing_left();
}
