use super::args::{Cli, Command};
use super::status;
use super::style::Style;
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

fn store(name: &str, state: StoreState, error: Option<&str>) -> StoreReport {
    StoreReport {
        store: name.into(),
        path: Some(format!("/{name}.toml").into()),
        state,
        policies: vec!["lab".into()],
        version: 3,
        age_seconds: 61,
        error: error.map(str::to_owned),
    }
}

fn example() -> Status {
    Status {
        service: ServiceReport {
            version: "1.2.3".into(),
            pid: 42,
            uptime_seconds: 3725,
            root: "/".into(),
            listen: vec!["10.9.0.1:500".parse().unwrap()],
        },
        driver: DriverReport {
            name: "userspace".into(),
            why: "chosen".into(),
            description: "own ESP".into(),
            ah: false,
            transport: true,
            udp_encapsulation: true,
            link_local: true,
        },
        policy: PolicyReport {
            path: "/p.toml".into(),
            version: 3,
            name: Some("lab".into()),
            rules: vec!["to b".into()],
            error: Some("/p.toml:1:1: wrong".into()),
            warnings: vec!["perhaps".into()],
            stores: vec![
                store("persistent", StoreState::Absent, None),
                store("directory", StoreState::LastGood, None),
                store("local", StoreState::InForce, Some("/local.toml:1:1: wrong")),
                StoreReport { path: None, ..store("dynamic", StoreState::NotAssigned, None) },
            ],
        },
        settings: SettingsReport {
            path: "/settings.toml".into(),
            pending: vec!["NoDefaultExempt: when the service is started again".into()],
            error: Some("/settings.toml:1:1: wrong".into()),
        },
        oakley: OakleyReport { enabled: true, path: "/Oakley.log".into() },
        ike_sas: vec![IkeSaReport {
            id: "2".into(),
            initiator_cookie: "aa".into(),
            responder_cookie: "bb".into(),
            local: "10.9.0.1:500".parse().unwrap(),
            remote: "10.9.0.2:500".parse().unwrap(),
            role: "initiator".into(),
            state: "established".into(),
            rule: "to b".into(),
            suite: None,
            identity: Some("10.9.0.2".into()),
            age_seconds: 61,
            lifetime: Lifetime { seconds: 28800, kilobytes: 0 },
            quick_modes: 1,
            nat_local: false,
            nat_remote: true,
            user: Some("joe".into()),
            addresses: vec!["10.99.0.1".parse().unwrap()],
        }],
        quick_modes: Vec::new(),
        ipsec_sas: vec![IpsecSaReport {
            id: "3".into(),
            local: "10.9.0.1:500".parse().unwrap(),
            remote: "10.9.0.2:500".parse().unwrap(),
            inbound_spi: "0x00000001".into(),
            outbound_spi: "0x00000002".into(),
            suite: "ESP AES-256-CBC HMAC-SHA-256-128".into(),
            mode: "tunnel".into(),
            encapsulated: true,
            extended_sequence_numbers: true,
            selector: SelectorReport {
                local: "10.10.1.0/24".into(),
                remote: "10.10.2.0/24".into(),
                protocol: 6,
                local_port: 0,
                remote_port: 80,
            },
            rule: "to b".into(),
            age_seconds: 5,
            lifetime: Lifetime { seconds: 3600, kilobytes: 100 },
            replaced: false,
            usage: Some(UsageReport {
                inbound_octets: 84,
                inbound_packets: 1,
                outbound_octets: 168,
                outbound_packets: 2,
                replays: 1,
                integrity_failures: 0,
            }),
            usage_error: None,
        }],
        soft_sas: vec![SoftSaReport {
            id: "4".into(),
            local: "10.9.0.1:500".parse().unwrap(),
            remote: "10.9.0.3:500".parse().unwrap(),
            selector: SelectorReport {
                local: "10.9.0.1".into(),
                remote: "10.9.0.3".into(),
                protocol: 0,
                local_port: 0,
                remote_port: 0,
            },
            rule: "request".into(),
            age_seconds: 7,
            lifetime_seconds: 28800,
        }],
        counters: CountersReport { main_modes: 1, main_modes_failed: 2, soft_sas: 1, ..CountersReport::default() },
    }
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
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
}

#[test]
fn status_comes_back_from_json_as_it_was() {
    let json = serde_json::to_string(&example()).unwrap();
    assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), example());
}
