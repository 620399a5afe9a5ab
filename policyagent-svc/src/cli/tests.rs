use super::args::{Cli, Command};
use super::status;
use super::style::Style;
use crate::control::example::example;
use crate::control::report::*;
use crate::service::listen::Listen;
use clap::{CommandFactory as _, Parser as _};

#[test]
fn the_command_line_is_sound_and_every_argument_has_a_help_text() {
    let mut command = Cli::command();
    command.build();
    command.clone().debug_assert();
    fn check(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
        }
        command.get_subcommands().for_each(check);
    }
    check(&command);
}

#[test]
fn a_place_to_listen_is_an_address_with_or_without_port() {
    let sockets = |text: &str| {
        let listen: Listen = text.parse().unwrap();
        listen.sockets(4500).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(sockets("10.0.0.1"), ["10.0.0.1:500", "10.0.0.1:4500"]);
    assert_eq!(sockets("10.0.0.1:5000"), ["10.0.0.1:5000"]);
    assert_eq!(sockets("::1"), ["[::1]:500", "[::1]:4500"]);
    assert_eq!(sockets("[::1]"), ["[::1]:500", "[::1]:4500"]);
    assert_eq!(sockets("[::1]:5000"), ["[::1]:5000"]);
    assert_eq!(sockets("fe80::1%lo"), ["[fe80::1%1]:500", "[fe80::1%1]:4500"]);
    assert_eq!(sockets("[fe80::1%lo]:5000"), ["[fe80::1%1]:5000"]);
    for wrong in ["fe80::1", "[fe80::1]:500", "fe80::1%no-such-link", "[10.0.0.1]:500", "::1:x"] {
        assert!(wrong.parse::<Listen>().is_err(), "{wrong}");
    }
    for wrong in ["", "host", "10.0.0.1:", "10.0.0.1:x", ":500"] {
        assert!(wrong.parse::<Listen>().is_err(), "{wrong}");
    }
}

#[test]
fn what_is_to_be_terminated_is_said_exactly_once() {
    let parse = |arguments: &[&str]| Cli::try_parse_from([&["policyagent", "terminate"], arguments].concat());
    assert!(parse(&[]).is_err());
    assert!(parse(&["--all", "--peer", "10.0.0.1"]).is_err());
    let Command::Terminate(arguments) = parse(&["--ike-sa", "1f"]).unwrap().command else { panic!("terminate") };
    assert_eq!(arguments.ike_sa.map(|id| id.0), Some(0x1f));
}

#[test]
fn status_tells_all_of_it_without_colours_when_plain() {
    let text = status::text(&example(), Style::plain());
    assert!(!text.contains('\x1b'), "{text}");
    for expected in [
        "policyagent 1.2.3, process 42, up 1 h 2 min\n",
        "  listens on    10.9.0.1:500\n",
        "  driver        userspace: chosen\n                own ESP\n",
        "  policy        lab, 1 rule, version 3\n    directory   lab, the last good version, /directory.toml\n",
        "    local       lab, version 3 since 1 min 1 s, /local.toml\n                the file as it is now is not in force:\n",
        "                /local.toml:1:1: wrong\n",
        "                warning: perhaps\n",
        "  settings      NoDefaultExempt: when the service is started again\n                the file as it is now is not in force:\n",
        "                /settings.toml:1:1: wrong\n",
        "  Oakley.log    on, /Oakley.log\n",
        "ISAKMP SAs: 1\n  2  10.9.0.1:500 <-> 10.9.0.2:500, initiator, established, rule \"to b\"\n",
        "      age       1 min 1 s of 8 h 0 min, 1 quick mode, NAT before the peer\n",
        "IPsec SAs: 1 pair\n  3  10.10.1.0/24 <-> 10.10.2.0/24[80], tcp, rule \"to b\"\n",
        "      suite     ESP AES-256-CBC HMAC-SHA-256-128, tunnel mode, in UDP, extended sequence numbers\n",
        "      SPIs      in 0x00000001 to 10.9.0.1, out 0x00000002 to 10.9.0.2\n",
        "      traffic   in 1 packet (84 octets), out 2 packets (168 octets)\n",
        "      dropped   1 replays, 0 not authentic\n",
        "      age       5 s of 1 h 0 min or 100 kB\n",
        "Soft SAs, in clear: 1\n  4  10.9.0.1 <-> 10.9.0.3, 10.9.0.3 is silent, rule \"request\"\n      age       7 s of 8 h 0 min\n",
        "  main modes    1 succeeded, 2 failed\n",
        "  acquires      0, 1 soft SA\n",
        "  pairs         39 installed, 40 removed, 41 rekeyed\n",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
}

#[test]
fn status_comes_back_from_json_as_it_was() {
    let json = serde_json::to_string(&example()).unwrap();
    assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), example());
}
