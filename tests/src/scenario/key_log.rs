//! The key log: with it tshark reads what two daemons say to each other and send through ESP; without it nothing.

use std::path::Path;
use std::process::Command;

use super::{PATIENCE, Role, Suite};
use crate::daemon::{Daemon, Driver};
use crate::interop::Row;
use crate::netns::{A, B, WIRE, World};
use crate::policy_text::Policy;
use crate::process::{Process, wait_until};
use crate::scratch::Scratch;

/// The settings of a daemon with a key log.
const SETTINGS: &str = "[key_log]\nenabled = true\n";

/// What tshark is asked of each packet.
const FIELDS: [&str; 8] = [
    "isakmp.exchangetype",
    "isakmp.flags",
    "isakmp.typepayload",
    "isakmp.id.data.ipv4_addr",
    "esp.spi",
    "icmp.type",
    "esp.icv_good",
    "esp.icv_bad",
];

/// What tshark sees in a packet, by [`FIELDS`].
struct Seen(Vec<String>);

impl Seen {
    fn field(&self, name: &str) -> &str {
        let at = FIELDS.iter().position(|field| *field == name).expect("one of the fields that are asked for");
        self.0.get(at).map_or("", String::as_str)
    }

    /// True for an enciphered message of this exchange.
    fn is_enciphered(&self, exchange: &str) -> bool {
        self.field("isakmp.exchangetype") == exchange && self.field("isakmp.flags") == "0x01"
    }

    fn is_esp(&self) -> bool {
        !self.field("esp.spi").is_empty()
    }

    fn has_payload(&self, number: &str) -> bool {
        self.field("isakmp.typepayload").split(',').any(|payload| payload == number)
    }
}

/// What tshark sees in a recording, with the tables in `tables`.
#[track_caller]
fn look(recording: &Path, tables: &Path) -> Vec<Seen> {
    let mut command = Command::new("tshark");
    command.env("WIRESHARK_CONFIG_DIR", tables).arg("-r").arg(recording);
    command.args(["-n", "-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE"]);
    command.args(["-T", "fields"]).args(FIELDS.iter().flat_map(|field| ["-e", field]));
    let output = command.output().unwrap_or_else(|error| panic!("tshark: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !errors.contains("Error loading table"), "tshark: {errors}");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| Seen(line.split('\t').map(str::to_owned).collect())).collect()
}

/// Everything that was said and sent is read by the tables in `tables`.
#[track_caller]
fn check_read(recording: &Path, tables: &Path) {
    let seen = look(recording, tables);
    let shown: Vec<String> = seen.iter().map(|packet| packet.0.join(" | ")).collect();
    let shown = shown.join("\n");
    let of = |exchange: &str| seen.iter().filter(|packet| packet.is_enciphered(exchange)).collect::<Vec<_>>();
    let main_mode = of("2");
    // Messages 5 and 6: identity and hash, the initiator's first.
    let identities: Vec<&str> = main_mode.iter().map(|message| message.field("isakmp.id.data.ipv4_addr")).collect();
    assert_eq!(identities, [A.wire, B.wire], "main mode:\n{shown}");
    assert!(main_mode.iter().all(|message| message.has_payload("5") && message.has_payload("8")), "{shown}");
    // Quick mode: each begins with a hash, and the first two have proposals and nonces.
    let quick_mode = of("32");
    assert!(quick_mode.len() >= 3 && quick_mode.iter().all(|message| message.has_payload("8")), "{shown}");
    for message in &quick_mode[..2] {
        assert!(message.has_payload("1") && message.has_payload("10"), "quick mode:\n{shown}");
    }
    // Informational: the deletes at the end.
    let informational = of("5");
    assert!(informational.iter().all(|message| message.has_payload("8")), "{shown}");
    assert!(informational.iter().any(|message| message.has_payload("12")), "a delete:\n{shown}");
    // ESP: echo requests and replies, whose integrity check values are right.
    let esp: Vec<&Seen> = seen.iter().filter(|packet| packet.is_esp()).collect();
    for kind in ["8", "0"] {
        assert!(esp.iter().any(|packet| packet.field("icmp.type") == kind), "ICMP of type {kind}:\n{shown}");
    }
    assert!(esp.iter().all(|packet| !["1", "True"].contains(&packet.field("esp.icv_bad"))), "{shown}");
}

/// Two daemons negotiate and exchange pings, each with a key log: with either log tshark reads all of it. Nothing of it is
/// anywhere else.
pub fn is_deciphered(suite: Suite) {
    let what = format!(
        "Our recordings are deciphered with our key log: main mode {}, ESP {}, transport",
        suite.main_mode, suite.quick_mode
    );
    let _row = Row::new(what, "tshark", Driver::Userspace, &Role::ALL);
    let world = World::new();
    let scratch = Scratch::new("wire");
    let recording = scratch.join("wire.pcapng");
    let mut recorder = record(&world, &scratch, &recording);
    let policy = |own, other| Policy::between(own, other).transport().proposals(suite.main_mode, suite.quick_mode);
    let start = |namespace, own, other| {
        Daemon::start_with_settings(namespace, Driver::Userspace, &policy(own, other).text(), SETTINGS)
    };
    let (mut a, mut b) = (start(&world.a, A, B), start(&world.b, B, A));
    assert!(world.a.ping_until_answered(A.wire, B.wire, PATIENCE), "no ping was answered:\n{}", a.oakley());
    a.stop();
    let gone = wait_until(PATIENCE, || (b.isakmp_sas(), b.ipsec_sas()) == (0, 0));
    assert!(gone, "the peer's deletes were not followed:\n{}", b.oakley());
    b.stop();
    recorder.stop();

    let nothing = look(&recording, &scratch.join("no-tables"));
    assert!(nothing.iter().filter(|packet| packet.is_esp()).count() >= 2);
    assert!(nothing.iter().all(|packet| packet.field("icmp.type").is_empty()), "a ping in clear");
    assert!(nothing.iter().all(|packet| packet.field("isakmp.id.data.ipv4_addr").is_empty()));
    for daemon in [&a, &b] {
        let tables = daemon.path("var/log/policyagent/keylog");
        check_read(&recording, &tables);
        assert!(daemon.output().contains("the key log is on"), "{}", daemon.output());
        for key in keys(&tables) {
            let (trace, journal) = (daemon.oakley().to_lowercase(), daemon.output().to_lowercase());
            assert!(!trace.is_empty() && !trace.contains(&key) && !journal.contains(&key), "a key is elsewhere, too");
        }
    }
}

/// Records the wire until it is stopped.
fn record(world: &World, scratch: &Scratch, recording: &Path) -> Process {
    let file = recording.display().to_string();
    let arguments = ["-i", WIRE, "-Z", "root", "-U", "--immediate-mode", "-s", "9000", "-B", "16384", "-w", &file];
    let mut recorder = Process::start(&world.a, scratch, "tcpdump", "tcpdump", &arguments);
    recorder.wait_for("it listens", PATIENCE, |log| log.contains("listening on"));
    recorder
}

/// The keys in the tables: one of main mode, two or three of each ESP SA.
#[track_caller]
fn keys(tables: &Path) -> Vec<String> {
    let read =
        |name: &str| std::fs::read_to_string(tables.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let lines = [read("ikev1_decryption_table"), read("esp_sa")].concat();
    let fields = lines.lines().filter(|line| !line.starts_with('#')).flat_map(|line| line.split(','));
    let fields = fields.map(|field| field.trim_matches('"').trim_start_matches("0x").to_lowercase());
    let keys: Vec<String> =
        fields.filter(|field| field.len() >= 32 && field.bytes().all(|octet| octet.is_ascii_hexdigit())).collect();
    assert!(keys.len() >= 3, "{lines}");
    keys
}
