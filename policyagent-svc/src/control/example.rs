//! What the service could tell, for the tests of those who show it.
use super::report::*;
use ikedaemon::statistics::{Figure, Statistics};

fn store(name: &str, state: StoreState, error: Option<&str>) -> StoreReport {
    StoreReport {
        store: name.into(),
        path: Some(format!("/{name}.toml").into()),
        state,
        why: "because".into(),
        policies: vec!["lab".into()],
        version: 3,
        age_seconds: 61,
        error: error.map(str::to_owned),
    }
}

/// Something of everything.
pub(crate) fn example() -> Status {
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
        directory: Some(DirectoryReport {
            servers: vec!["ldaps://dc1:636".into(), "ldaps://dc2:636".into()],
            server: Some("ldaps://dc2:636".into()),
            contact_age_seconds: Some(61),
            next_poll_seconds: Some(10_800),
            policy: Some("servers".into()),
            policy_dn: Some("CN=x".into()),
            assignment: Some("CN=ipsec".into()),
            polls: 3,
            reads: 1,
            failures: 1,
            error: Some("it is away".into()),
            notes: vec!["CN=y: odd".into()],
        }),
        settings: SettingsReport {
            path: "/settings.toml".into(),
            pending: vec!["NoDefaultExempt: when the service is started again".into()],
            error: Some("/settings.toml:1:1: wrong".into()),
        },
        oakley: OakleyReport { enabled: true, path: "/Oakley.log".into() },
        audit: AuditReport {
            negotiations: true,
            file: Some("/audit.jsonl".into()),
            journal: Some("/journal".into()),
            syslog: None,
            written: 12,
            not_written: 3,
            not_queued: 4,
        },
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
            policy: "require".into(),
            pfs: None,
            age_seconds: 5,
            lifetime: Lifetime { seconds: 3600, kilobytes: 100 },
            replaced: false,
            usage: Some(UsageReport {
                inbound_octets: 84,
                inbound_packets: 1,
                outbound_octets: 168,
                outbound_packets: 2,
                replays: Some(1),
                integrity_failures: Some(0),
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
        statistics: (&statistics()).into(),
    }
}

/// A number for each figure, but for those that nobody can know.
fn statistics() -> Statistics {
    let mut statistics = Statistics::default();
    for (figure, number) in Figure::ALL.iter().zip(1..) {
        statistics.set(*figure, Some(number).filter(|_| figure.unknown().is_empty()));
    }
    statistics
}
