//! The audit of a running service: each event with its cause, floods, and places that fail.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ikecore::crypto::group::Group;
use ikecore::testing::authority::KeyKind;
use nix::sys::signal::Signal;
use serde_json::Value;
use tests::certificates::Certificates;
use tests::daemon::{Daemon, Driver, program};
use tests::load::{Client, Extent};
use tests::netns::{A, B, World};
use tests::policy_text::{Policy, RULE};
use tests::process::{Process, bind_again, wait_until};
use tests::scratch::Scratch;

const PATIENCE: Duration = Duration::from_secs(20);

/// A peer that does not answer is given up after 0.7 s.
const HASTY: &str = "[ike]\nretransmit_first_milliseconds = 100\ntransmissions = 3\n";

fn is(event: u64) -> impl Fn(&Value) -> bool {
    move |entry| entry["event"] == event
}

/// An entry's number and name.
fn kind(entry: &Value) -> (u64, String) {
    (entry["event"].as_u64().expect("a number"), entry["name"].as_str().expect("a name").to_owned())
}

/// A journal that keeps what it is sent.
struct Journal {
    socket: UnixDatagram,
    _scratch: Scratch,
    setting: String,
}

impl Journal {
    fn new() -> Self {
        let scratch = Scratch::new("journal");
        let path = scratch.join("socket");
        let socket = UnixDatagram::bind(&path).expect("a socket of its own");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time above zero");
        Self { socket, setting: format!("[audit]\njournal = \"{}\"\n", path.display()), _scratch: scratch }
    }

    /// The lines of the next datagram that has `line`.
    fn wait_for(&self, line: &str) -> Vec<String> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let length = self.socket.recv(&mut buffer).unwrap_or_else(|e| panic!("the journal got no {line}: {e}"));
            let lines: Vec<String> = String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned).collect();
            if lines.iter().any(|other| other == line) {
                return lines;
            }
        }
    }
}

#[test]
fn sas_and_the_service_come_and_go() {
    let world = World::new();
    let journal = Journal::new();
    let policy = Policy::between(A, B);
    let mut a = Daemon::start_with_settings(&world.a, Driver::Memory, &policy.text(), &journal.setting);
    let b = Daemon::start(&world.b, Driver::Memory, &Policy::between(B, A).text());
    a.run(&["initiate", RULE]);
    a.run(&["terminate", "--all"]);
    let ended = b.wait_audit("the end of the ISAKMP SA", PATIENCE, is(543));
    assert_eq!(
        (&ended["peer"], &ended["fields"]["reason"]),
        (&A.wire.into(), &"the peer deleted the ISAKMP SA".into())
    );
    a.stop();
    let entries = a.audit();
    let expected = [
        (615, "policy_applied"),
        (613, "service_started"),
        (541, "ike_sa_established"),
        (541, "ipsec_sa_established"),
        (542, "ipsec_sa_ended"),
        (543, "ike_sa_ended"),
        (614, "service_stopped"),
    ];
    assert_eq!(entries.iter().map(kind).collect::<Vec<_>>(), expected.map(|(number, name)| (number, name.to_owned())));
    for entry in &entries {
        assert_eq!((&entry["type"], &entry["count"]), (&"success".into(), &1.into()), "{entry}");
    }
    let field = |entry: usize, name: &str| entries[entry]["fields"][name].clone();
    for (entry, name, value) in [
        (2, "mode", "Key Exchange Mode (Main Mode)"),
        (2, "role", "initiator"),
        (2, "peer_identity", B.wire),
        (2, "source_address", A.wire),
        (3, "mode", "Data Protection Mode (Quick Mode)"),
        (3, "encapsulation", "Tunnel Mode"),
        (3, "rule", RULE),
        (3, "source_mask", "255.255.255.0"),
        (5, "reason", "ended by the administrator"),
    ] {
        let shown = field(entry, name);
        assert!(shown.as_str().is_some_and(|shown| shown.contains(value)), "{name} of {}", entries[entry]);
    }
    assert_eq!(field(3, "inbound_spi"), field(4, "inbound_spi"));
    // Both ends have the same pair.
    let other = b.wait_audit("the pair", PATIENCE, |entry| entry["name"] == "ipsec_sa_established");
    assert_eq!(other["fields"]["inbound_spi"], field(3, "outbound_spi"));

    let sent = journal.wait_for("POLICYAGENT_NAME=ipsec_sa_established");
    for line in [
        "POLICYAGENT_EVENT=541".to_owned(),
        "POLICYAGENT_TYPE=success".to_owned(),
        format!("POLICYAGENT_PEER={}", B.wire),
        format!("POLICYAGENT_INBOUND_SPI={}", field(3, "inbound_spi").as_str().expect("text")),
        format!("POLICYAGENT_RULE={RULE}"),
        "PRIORITY=5".to_owned(),
        "SYSLOG_FACILITY=10".to_owned(),
        "SYSLOG_IDENTIFIER=policyagent".to_owned(),
    ] {
        assert!(sent.contains(&line), "{line} is not in {sent:#?}");
    }
    let text = std::fs::read_to_string(a.path("var/log/policyagent/audit.jsonl")).expect("the audit");
    assert!(!text.contains(&policy.psk), "the key is in the audit");
}

/// Negotiates from a to b, which must fail, and gives the entries of both.
fn fail(a: &Policy, b: &Policy) -> (Value, Value) {
    let world = World::new();
    let a = Daemon::start_with_settings(&world.a, Driver::Memory, &a.text(), HASTY);
    let b = Daemon::start_with_settings(&world.b, Driver::Memory, &b.text(), HASTY);
    let output = a.command(&["initiate", RULE, "--wait", "30"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let failed = |entry: &Value| entry["type"] == "failure";
    let found = [&a, &b].map(|daemon| daemon.wait_audit("the failure", PATIENCE, failed));
    for daemon in [&a, &b] {
        assert!(!format!("{:?}", daemon.audit()).contains("correct horse"), "a key is in the audit");
    }
    let [a, b] = found;
    // One wording: what the command says is what the audit has.
    let reason = a["fields"]["failure_reason"].as_str().expect("a reason");
    assert!(String::from_utf8_lossy(&output.stderr).contains(reason), "{reason:?} is not in {output:?}");
    (a, b)
}

#[test]
fn keys_that_differ_are_545() {
    let (a, b) = fail(&Policy::between(A, B), &Policy::between(B, A).psk("incorrect horse battery"));
    assert_eq!(kind(&b), (545, "authentication_failed".to_owned()));
    let fields = &b["fields"];
    assert_eq!(
        (&fields["status_code"], &fields["failure_point"], &b["peer"]),
        (&13801.into(), &"Me".into(), &A.wire.into())
    );
    assert_eq!((kind(&a).0, &a["fields"]["failure_point"]), (547, &"Peer".into()));
}

#[test]
fn proposals_that_differ_are_547_with_both_values() {
    let (a, b) = fail(&Policy::between(A, B), &Policy::between(B, A).proposals("3des-sha1-modp1024", "aes256-sha256"));
    assert_eq!((kind(&a).0, kind(&b).0), (547, 547));
    let fields = &b["fields"];
    assert_eq!(
        (&fields["attribute"], &fields["status_name"]),
        (&"Encryption Algorithm".into(), &"POLICY_MATCH".into())
    );
    assert!(fields["received_value"].as_str().is_some_and(|value| value.starts_with("AES-CBC-256")), "{b}");
    assert!(fields["expected_value"].as_str().is_some_and(|value| value.starts_with("3DES-CBC")), "{b}");
    assert_eq!(fields["mode"], "Key Exchange Mode (Main Mode)");
}

#[test]
fn a_certificate_of_an_unknown_authority_is_544() {
    let certificates = Certificates::new(KeyKind::P256);
    let name = "dn:C=CH, O=Example, CN=a".to_owned();
    let policy = |policy: Policy, authority: String| Policy {
        authentication: Some(format!("{{ {}, {authority} }}", certificates.own())),
        identities: Some((name.clone(), name.clone())),
        ..policy.proposals("aes256-sha256-ecp256", "aes256-sha256")
    };
    let a = policy(Policy::between(A, B), certificates.authorities());
    let (_, b) = fail(&a, &policy(Policy::between(B, A), certificates.other_authority()));
    assert_eq!(kind(&b), (544, "certificate_not_trusted".to_owned()));
    let reason = b["fields"]["failure_reason"].as_str().expect("a reason");
    assert!(reason.contains("no certificate chain to CA") && reason.contains("issuing a"), "{reason}");
}

#[test]
fn a_peer_that_is_silent_is_547() {
    let world = World::new();
    let a = Daemon::start_with_settings(&world.a, Driver::Memory, &Policy::between(A, B).text(), HASTY);
    a.command(&["initiate", RULE, "--wait", "30"]);
    let entry = a.wait_audit("the failure", PATIENCE, is(547));
    assert_eq!((&entry["fields"]["status_name"], &entry["peer"]), (&"TIMED_OUT".into(), &B.wire.into()));
    assert_eq!(entry["fields"]["destination_address"], "10.10.2.0");
}

/// A thousand times the same failure of one peer: a few lines, and the true number.
#[test]
fn a_flood_is_counted() {
    const MESSAGES: u64 = 1000;
    let world = World::new();
    let policy = Policy::between(A, B).proposals("3des-sha1-modp1024", "aes256-sha256");
    // All of them shall be refused, none passed over.
    let settings = "[ike]\nhalf_open_total = 5000\n[audit]\ninterval_seconds = 2\n";
    let mut a = Daemon::start_with_settings(&world.a, Driver::Memory, &policy.text(), settings);
    let mut client = Client::new(&world.b, B.wire_ip(), A.wire_ip(), Group::Modp2048, Extent::MainMode);
    let mut message = client.first_message();
    drop(client);
    let (own, to) = (B.wire_ip(), A.wire_ip());
    let socket = world.b.within(move || bind_again((own, 500).into()));
    for number in 0..MESSAGES {
        // Each has a cookie of its own.
        message[..8].copy_from_slice(&(number + 1).to_be_bytes());
        socket.send_to(&message, (to, 500)).expect("sent");
        if number % 50 == 49 {
            // What the socket of the daemon has no room for would be missing.
            let arrived = || a.status()["counters"]["datagrams"].as_u64().is_some_and(|count| count > number);
            assert!(wait_until(PATIENCE, arrived), "{}", a.status());
        }
    }
    a.wait_audit("a summary", PATIENCE, |entry| entry["event"] == 547 && entry["count"].as_u64() > Some(1));
    a.stop();
    let failures: Vec<Value> = a.audit().into_iter().filter(is(547)).collect();
    let total: u64 = failures.iter().filter_map(|entry| entry["count"].as_u64()).sum();
    assert_eq!(total, MESSAGES, "{failures:#?}");
    assert!(failures.len() <= 20, "{failures:#?}");
    assert_eq!(failures[0]["count"], 1, "the first is told at once");
    assert!(failures[1]["first"].as_str() <= failures[1]["time"].as_str(), "{}", failures[1]);
}

#[test]
fn disable_ike_audits_takes_effect_with_the_next_start() {
    let world = World::new();
    let mut a = Daemon::start_with_settings(&world.a, Driver::Memory, &Policy::between(A, B).text(), HASTY);
    let settings = format!("{HASTY}[audit]\nDisableIKEAudits = 1\n");
    std::fs::write(a.path("etc/policyagent/policyagent.toml"), settings).expect("the settings");
    let changed = a.wait_audit("the setting", PATIENCE, |entry| entry["name"] == "setting_changed");
    assert_eq!(changed["fields"]["setting"], "DisableIKEAudits");
    assert_eq!(changed["fields"]["takes_effect"], "when the service is started again");
    a.command(&["initiate", RULE, "--wait", "30"]);
    a.wait_audit("what is audited until then", PATIENCE, is(547));
    assert!(a.run(&["status"]).contains("DisableIKEAudits: when the service is started again"));
    a.kill_and_restart();
    let before = a.audit().len();
    a.command(&["initiate", RULE, "--wait", "30"]);
    assert_eq!(a.status()["audit"]["negotiations"], false);
    a.stop();
    let since: Vec<_> = a.audit()[before..].iter().map(kind).collect();
    assert_eq!(since, [(614, "service_stopped".to_owned())]);
}

#[test]
fn what_befalls_policy_settings_and_driver_is_told() {
    let world = World::new();
    let policy = Policy::between(A, B).text();
    let mut a = Daemon::start(&world.a, Driver::Userspace, &policy);
    let named = |name: &'static str| move |entry: &Value| entry["name"] == name;
    std::fs::write(a.path("policy.toml"), "nonsense\n").expect("the policy");
    let fault = a.wait_audit("the fault", PATIENCE, named("store_fault"));
    assert_eq!((&fault["event"], &fault["fields"]["store"]), (&616.into(), &"local".into()));
    assert!(fault["fields"]["path"].as_str().is_some_and(|path| path.ends_with("policy.toml")), "{fault}");
    std::fs::write(a.path("policy.toml"), Policy::between(A, B).psk("another key").text()).expect("the policy");
    let changed = a.wait_audit("the change", PATIENCE, named("policy_changed"));
    assert_eq!((&changed["fields"]["policy"], &changed["fields"]["version"]), (&"test".into(), &2.into()));

    let settings = a.path("etc/policyagent/policyagent.toml");
    std::fs::write(&settings, "[oakley]\nStrongCRLCheck = 9\n").expect("the settings");
    a.wait_audit("the fault of the settings", PATIENCE, named("settings_refused"));
    std::fs::write(&settings, "[oakley]\nStrongCRLCheck = 2\n").expect("the settings");
    let changed = a.wait_audit("the setting", PATIENCE, named("setting_changed"));
    assert_eq!(changed["fields"]["takes_effect"], "at once");

    world.a.ip(&["link delete pa0"]);
    a.wait_audit("the loss of the driver", PATIENCE, named("driver_lost"));
    a.wait_audit("the new driver", PATIENCE, named("driver_opened"));

    // A service that cannot start tells why.
    a.stop();
    std::fs::write(a.path("policy.toml"), "nonsense\n").expect("the policy");
    std::fs::remove_dir_all(a.path("var/lib/policyagent")).expect("the last good version");
    let file = a.path("policy.toml").display().to_string();
    let output = a.command(&["run", "--driver", "memory", "--policy", &file]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let failed = a.wait_audit("why it did not start", PATIENCE, named("service_failed"));
    assert!(failed["fields"]["failure_reason"].as_str().is_some_and(|why| why.contains("policy.toml")), "{failed}");
}

/// A file system of 64 kB over a directory.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn over(directory: &Path) -> Self {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "none"]).arg(directory).status();
        assert!(mounted.is_ok_and(|status| status.success()), "cannot mount over {}", directory.display());
        Self(directory.to_owned())
    }

    /// Leaves no room.
    fn fill(&self) {
        let filled = std::fs::write(self.0.join("filler"), vec![0; 1 << 20]);
        assert!(filled.is_err(), "a disk without end");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_no_negotiation_and_is_told_when_there_is_room() {
    let world = World::new();
    let mut a = Daemon::start_quiet(&world.a, Driver::Memory, &Policy::between(A, B).text());
    let _b = Daemon::start_quiet(&world.b, Driver::Memory, &Policy::between(B, A).text());
    let disk = SmallDisk::over(&a.path("var/log/policyagent"));
    disk.fill();
    a.run(&["initiate", RULE]);
    let missing = || a.status()["audit"]["not_written"].as_u64().unwrap_or_default();
    assert!(wait_until(PATIENCE, || missing() == 2), "{}", a.status());
    assert!(a.run(&["status"]).contains("2 entries missing"), "{}", a.run(&["status"]));
    assert_eq!(a.audit(), Vec::<Value>::new());
    std::fs::remove_file(disk.0.join("filler")).expect("the filler");
    a.run(&["terminate", "--all"]);
    let note = a.wait_audit("what is missing", PATIENCE, |entry| entry["name"] == "not_written");
    assert_eq!(note["fields"]["missing"], 2, "{note}");
    assert!(note["message"].as_str().is_some_and(|text| text.contains("No space left on device")), "{note}");
    a.stop();
    let kinds: Vec<u64> = a.audit().iter().map(|entry| kind(entry).0).collect();
    assert_eq!(kinds, [616, 542, 543, 614]);
}

#[test]
fn the_directory_of_the_file_may_go() {
    let world = World::new();
    let a = Daemon::start_with_settings(&world.a, Driver::Memory, &Policy::between(A, B).text(), HASTY);
    std::fs::remove_dir_all(a.path("var/log/policyagent")).expect("the directory");
    a.command(&["initiate", RULE, "--wait", "30"]);
    a.wait_audit("the failure", PATIENCE, is(547));
    assert_eq!(a.status()["audit"]["not_written"], 0);
}

#[test]
fn the_command_finds_and_follows() {
    let world = World::new();
    let a = Daemon::start_with_settings(&world.a, Driver::Memory, &Policy::between(A, B).text(), HASTY);
    let scratch = Scratch::new("follow");
    let root = a.path("").display().to_string();
    let arguments = ["--root", &root, "audit", "--follow", "--failure", "--format", "json"];
    let mut follower = Process::start(&world.a, &scratch, "audit", &program().display().to_string(), &arguments);
    a.command(&["initiate", RULE, "--wait", "30"]);
    follower.wait_for("the failure", PATIENCE, |text| text.contains("\"event\":547"));
    follower.signal(Signal::SIGTERM);
    let log = follower.log();
    let entry: Value = serde_json::from_str(log.lines().next().expect("an entry")).expect("JSON");
    assert_eq!(kind(&entry), (547, "negotiation_failed".to_owned()));

    let shown = a.run(&["audit", "--event", "negotiation_failed", "--peer", B.wire, "--since", "1h", "--details"]);
    assert!(shown.contains(" 547 failure  main mode with ") && shown.contains("TIMED_OUT"), "{shown}");
    for none in [["--until", "1h"], ["--peer", "10.99.0.0/16"], ["--reason", "no such words"], ["--event", "546"]] {
        assert_eq!(a.run(&[&["audit", "--failure"], &none[..]].concat()), "", "{none:?}");
    }
    assert_eq!(a.run(&["audit", "--success", "-n", "1"]).lines().count(), 1);
    let wrong = a.command(&["audit", "--event", "548"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}
