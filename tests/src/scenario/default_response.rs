//! The default response: charon begins with a daemon that has no rule for it.

use super::{Role, Setting, suiting};
use crate::charon::{Kernel, Mode};
use crate::daemon::Driver;
use crate::interop::Row;
use crate::netns::{A, B, World};
use crate::policy_text::Policy;

/// charon is answered, in transport mode between the two hosts; it rekeys both phases and deletes, and then nothing of what
/// was negotiated is left, the driver's policies included.
pub fn strangers_are_answered(driver: Driver) {
    let what = "Default response: no rule names the peer; traffic, rekeys, delete by the peer, transport";
    let _row = Row::charon(what, Kernel::Netlink, driver, Role::Responder.alone());
    let world = World::new();
    let (policy, connection) = suiting(driver, Mode::Transport);
    let policy = Policy { default_response: true, ..policy };
    let setting = Setting::start(&world, driver, Kernel::Netlink, &policy, &connection);
    let policies = || world.a.run("ip", &["xfrm", "policy"]);
    assert!(!policies().contains(B.wire), "standing policies: {}", policies());
    setting.negotiate(Role::Responder);
    setting.exchange_traffic();
    let status = setting.daemon.status();
    let pair = &status["ipsec_sas"][0];
    assert_eq!(pair["rule"], "default response", "{status}");
    assert_eq!((&pair["selector"]["local"], &pair["selector"]["remote"]), (&A.wire.into(), &B.wire.into()), "{status}");

    let first = setting.charon.installed().remove(0);
    setting.charon.rekey_child();
    let second = setting.successor(&first);
    assert_ne!(first.spi_out, second.spi_out);
    setting.exchange_traffic();
    let cookies = setting.charon.list_sas()[0].cookies.clone();
    setting.charon.rekey_ike();
    setting.charon.wait_sas("a new IKE SA", super::PATIENCE, |now| {
        now.iter().any(|sa| sa.state == "ESTABLISHED" && sa.cookies != cookies)
    });
    setting.exchange_traffic();

    setting.charon.terminate();
    setting.wait_nothing_left();
    setting.wait_kernels_empty();
    assert!(!policies().contains(B.wire), "policies left: {}", policies());
}
