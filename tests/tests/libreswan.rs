//! Interoperation with libreswan on a real kernel with ESP: the cases run inside a User-Mode Linux guest.

use std::process::ExitCode;

use tests::charon::Mode;
use tests::daemon::Driver;
use tests::interop;
use tests::pluto;
use tests::scenario::Role;
use tests::scenario::libreswan::{
    Numbers, SUITES, certificates, compression, gets_an_address, gives_an_address, nat_traversal, pairs_are_deleted,
    refuses, the_daemon_asks, the_peer_asks, the_peer_rekeys, whole_life,
};
use tests::tshark::{MAIN_MODE, agreement};
use tests::uml::{self, Case};

fn main() -> ExitCode {
    let driver = Driver::Xfrm;
    let mut cases = vec![
        Case::new("xfrm_the_peer_rekeys", move || the_peer_rekeys(driver)),
        Case::new("xfrm_the_peer_asks", move || the_peer_asks(driver)),
        Case::new("xfrm_the_daemon_asks", move || the_daemon_asks(driver)),
        Case::new("xfrm_pairs_are_deleted", move || pairs_are_deleted(driver)),
        // PF_KEY cuts HMAC-SHA-256, and has no AES-GCM: the suite with SHA-1 there.
        Case::new("pfkey_transport_3des_sha1_modp1536_initiator", || {
            whole_life(Driver::PfKey, SUITES[1], Mode::Transport, Role::Initiator);
        }),
    ];
    cases.push(Case::new("analyser", || {
        let run = || whole_life(Driver::Xfrm, SUITES[1], Mode::Transport, Role::Responder);
        let seen = agreement("pluto", run);
        seen.check(MAIN_MODE);
    }));
    for role in Role::ALL {
        for (suite, mode) in [(SUITES[0], Mode::Tunnel), (SUITES[1], Mode::Transport), (SUITES[2], Mode::Tunnel)] {
            let suite_name = suite.quick_mode.replace('-', "_");
            let name = format!("{}_{}_{suite_name}_{}", driver.name(), mode.name(), role.name());
            cases.push(Case::new(name, move || whole_life(driver, suite, mode, role)));
        }
        for mode in [Mode::Tunnel, Mode::Transport] {
            let name = format!("xfrm_compression_{}_{}", mode.name(), role.name());
            cases.push(Case::new(name, move || compression(driver, mode, role)));
        }
        cases.push(Case::new(format!("xfrm_certificates_{}", role.name()), move || certificates(driver, role)));
        cases.push(Case::new(format!("xfrm_refuses_{}", role.name()), move || refuses(driver, role)));
    }
    for (numbers, mode, role) in [
        (Numbers::Rfc, Mode::Tunnel, Role::Initiator),
        (Numbers::Rfc, Mode::Transport, Role::Responder),
        (Numbers::Drafts, Mode::Tunnel, Role::Responder),
        (Numbers::Drafts, Mode::Transport, Role::Responder),
    ] {
        let name = format!("xfrm_nat_traversal_{}_{}_{}", numbers.name(), mode.name(), role.name());
        cases.push(Case::new(name, move || nat_traversal(driver, numbers, mode, role)));
    }
    for (how, push) in [("pull", false), ("push", true)] {
        cases.push(Case::new(format!("xfrm_gives_an_address_{how}"), move || gives_an_address(driver, push)));
        cases.push(Case::new(format!("xfrm_gets_an_address_{how}"), move || gets_an_address(driver, push)));
    }
    if !pluto::is_unpacked() {
        let count = cases.len();
        println!(
            "SKIPPED: {count} cases need libreswan (scripts/setup --test unpacks it where the distribution has it)"
        );
        interop::skipped(count);
        return ExitCode::SUCCESS;
    }
    uml::main(cases)
}
