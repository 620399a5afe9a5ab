//! What programs that only look at IKE make of the daemon: a prober (ike-scan) and a dissector (tshark).

use std::net::UdpSocket;
use std::time::Duration;

use tests::daemon::{Daemon, Driver};
use tests::interop::Row;
use tests::netns::{A, B, WIRE, World};
use tests::policy_text::{Policy, RULE};
use tests::process::{Process, wait_until};
use tests::scenario::{IMPATIENT, Role};
use tests::scratch::Scratch;

const PATIENCE: Duration = Duration::from_secs(15);

/// As ike-scan writes transforms: encryption and key length, hash, authentication by pre-shared key, group.
const AES256_SHA256_MODP2048: &str = "--trans=7/256,4,1,14";
const TRIPLE_DES_SHA1_MODP1024: &str = "--trans=5,2,1,2";

/// Probes a daemon with aes256-sha256-modp2048 in its policy, for `what`, and hands over the report and the daemon.
fn probe(what: &str, options: &[&str], check: impl FnOnce(&str, &Daemon<'_>)) {
    let _row = Row::new(what, "ike-scan", Driver::Memory, Role::Responder.alone());
    let world = World::new();
    let daemon = Daemon::start(&world.a, Driver::Memory, &Policy::between(A, B).text());
    let mut all = vec!["--nodns", "--bandwidth=1M"];
    all.extend(options);
    all.push(A.wire);
    check(&world.b.run("ike-scan", &all), &daemon);
}

#[test]
fn a_probe_with_a_transform_of_the_policy_gets_a_handshake() {
    let options = ["--retry=1", "--timeout=5000", TRIPLE_DES_SHA1_MODP1024, AES256_SHA256_MODP2048];
    probe("Main mode probe: a handshake with the transform that the policy has", &options, |report, daemon| {
        assert!(report.contains("Main Mode Handshake returned"), "{report}");
        let chosen = "SA=(Enc=AES Hash=SHA2-256 Auth=PSK Group=14:modp2048 KeyLength=256 ";
        assert!(report.contains(chosen), "{report}");
        assert!(report.contains("(Dead Peer Detection v1.0)"), "{report}");
        assert!(report.contains("1 returned handshake; 0 returned notify"), "{report}");
        assert_eq!(daemon.ipsec_sas(), 0);
    });
}

#[test]
fn a_probe_without_a_transform_of_the_policy_gets_a_notify() {
    let options = ["--retry=1", "--timeout=5000", TRIPLE_DES_SHA1_MODP1024];
    probe("Main mode probe without a common transform: NO-PROPOSAL-CHOSEN", &options, |report, daemon| {
        assert!(report.contains("Notify message 14 (NO-PROPOSAL-CHOSEN)"), "{report}");
        assert!(report.contains("0 returned handshake; 1 returned notify"), "{report}");
        assert_eq!(daemon.isakmp_sas(), 0);
    });
}

/// Nothing goes to who need not even be at the address from which he asks.
#[test]
fn an_aggressive_probe_gets_no_answer() {
    let group = ["--aggressive", "--dhgroup=14", "--id=nobody", AES256_SHA256_MODP2048];
    let options = [&group[..], &["--retry=2", "--timeout=1000"]].concat();
    probe("Aggressive mode probe: no answer", &options, |report, daemon| {
        assert!(report.contains("0 returned handshake; 0 returned notify"), "{report}");
        // The second probe is the first one again: both came, and the reason is told once.
        daemon.wait_oakley("both probes refused", PATIENCE, |trace| {
            trace.matches("Receive: (get)").count() == 2
                && trace.matches("no rule of the policy allows aggressive mode with 10.9.0.2").count() == 1
        });
        assert_eq!(daemon.isakmp_sas(), 0);
    });
}

/// Known by their back-off are responders that send message 2 again by a timer. The daemon sends it again only for another
/// message 1, so that nobody can have it send a third party more than he sends himself.
#[test]
fn the_second_message_is_not_repeated_by_a_timer() {
    let options = ["--retry=1", "--timeout=2000", "--showbackoff=5", AES256_SHA256_MODP2048];
    probe("Fingerprint by back-off: one answer, no retransmission", &options, |report, _| {
        let (_, table) = report.split_once("IKE Backoff Patterns:").unwrap_or_else(|| panic!("no table in {report}"));
        let answers: Vec<&str> = table.lines().filter(|line| line.starts_with(A.wire)).collect();
        let [first, guess] = answers.as_slice() else { panic!("not one answer: {report}") };
        assert!(first.starts_with(&format!("{}\t1\t", A.wire)), "{report}");
        assert!(guess.contains("Implementation guess: "), "{report}");
    });
}

/// The payload of the datagram that ends a capture, to the port that discards.
const LAST: &[u8] = b"nothing follows";

/// A message as tshark shows it: its exchange, and its payloads' names.
type Message = (String, Vec<String>);

/// The IKE messages between two daemons of which `a` has `offers` in main mode and `b` has aes256-sha256-modp2048, while
/// `conversation` runs. tshark must have nothing to complain of.
fn dissected(offers: &[&str], conversation: impl FnOnce(&Daemon<'_>, &Daemon<'_>)) -> (Vec<Message>, String) {
    let (world, scratch) = (World::new(), Scratch::new("wire"));
    let file = scratch.join("wire.pcap").display().to_string();
    let options = ["-q", "-i", WIRE, "-f", "udp", "-w", &file];
    let mut capture = Process::start(&world.b, &scratch, "dumpcap", "dumpcap", &options);
    capture.wait_for("the capture", PATIENCE, |output| output.contains("File: "));
    let main_mode = offers.iter().map(|&offer| offer.to_owned()).collect();
    let policy = Policy { main_mode, ..Policy::between(A, B) };
    let a = Daemon::start_with_settings(&world.a, Driver::Memory, &policy.text(), IMPATIENT);
    let b = Daemon::start(&world.b, Driver::Memory, &Policy::between(B, A).text());
    conversation(&a, &b);
    // dumpcap writes what it has only now and then: it has all once it has what is sent last.
    let sent = world.b.within(|| UdpSocket::bind((B.wire, 0)).and_then(|socket| socket.send_to(LAST, (A.wire, 9))));
    sent.expect("a datagram sent");
    capture.wait_until("the last datagram in the file", PATIENCE, || {
        std::fs::read(&file).is_ok_and(|octets| octets.windows(LAST.len()).any(|window| window == LAST))
    });
    capture.stop();

    // Without anybody's own settings.
    let home = format!("HOME={}", scratch.path().display());
    let tshark = |options: &[&str]| {
        let all = [&["-u", "XDG_CONFIG_HOME", &home, "tshark", "-n", "-r", &file], options].concat();
        world.b.run("env", &all)
    };
    let complaints = tshark(&["-Y", "!(udp.dstport == 9) && (_ws.malformed || _ws.expert || !isakmp)"]);
    assert_eq!(complaints, "", "what tshark complains of");
    let text = tshark(&["-O", "isakmp"]);
    let messages = text.split("Internet Security Association and Key Management Protocol").skip(1).map(message);
    (messages.collect(), text)
}

fn message(text: &str) -> Message {
    let exchange =
        text.lines().find_map(|line| line.strip_prefix("    Exchange type: ")).expect("every message has one");
    // Payloads within payloads are farther to the right.
    let payload = |line: &str| {
        let line = line.strip_prefix("    ")?;
        let name = line.strip_prefix("Payload: ").or_else(|| line.starts_with("Encrypted Data").then_some(line))?;
        Some(name.split(" (").next().unwrap_or(name).to_owned())
    };
    let mut payloads: Vec<String> = text.lines().filter_map(payload).collect();
    payloads.dedup();
    (exchange.to_owned(), payloads)
}

fn messages(all: &[(&str, &[&str])]) -> Vec<Message> {
    all.iter()
        .map(|(exchange, names)| ((*exchange).to_owned(), names.iter().map(|&name| name.to_owned()).collect()))
        .collect()
}

const MAIN_MODE: &str = "Identity Protection (Main Mode) (2)";
const QUICK_MODE: &str = "Quick Mode (32)";
const INFORMATIONAL: &str = "Informational (5)";

#[test]
fn a_negotiation_is_dissected_without_a_complaint() {
    let _row = Row::new(
        "Main mode, quick mode and deletes dissected without a complaint",
        "tshark",
        Driver::Memory,
        &Role::ALL,
    );
    let (seen, text) = dissected(&["3des-sha1-modp1024", "aes256-sha256-modp2048"], |a, b| {
        a.run(&["initiate", RULE, "--wait", "15"]);
        a.run(&["terminate", "--all"]);
        assert!(wait_until(PATIENCE, || (b.isakmp_sas(), b.ipsec_sas()) == (0, 0)), "{}", b.oakley());
    });
    let encrypted: &[&str] = &["Encrypted Data"];
    let expected = messages(&[
        (MAIN_MODE, &["Security Association", "Vendor ID"]),
        (MAIN_MODE, &["Security Association", "Vendor ID"]),
        (MAIN_MODE, &["Key Exchange", "Nonce", "NAT-D"]),
        (MAIN_MODE, &["Key Exchange", "Nonce", "NAT-D"]),
        (MAIN_MODE, encrypted),
        (MAIN_MODE, encrypted),
        (QUICK_MODE, encrypted),
        (QUICK_MODE, encrypted),
        (QUICK_MODE, encrypted),
        (INFORMATIONAL, encrypted),
        (INFORMATIONAL, encrypted),
    ]);
    assert_eq!(seen, expected, "{text}");
    for name in [
        "Encryption-Algorithm: 3DES-CBC",
        "Encryption-Algorithm: AES-CBC",
        "Key-Length: 256",
        "Hash-Algorithm: SHA2-256",
        "Group-Description: 2048 bit MODP group",
        "Authentication-Method: Pre-shared key",
        "Life-Type: Seconds",
        "Life-Duration: 14400",
        "Vendor ID: RFC 3947 Negotiation of NAT-Traversal in the IKE",
        "Vendor ID: RFC 3706 DPD (Dead Peer Detection)",
    ] {
        assert!(text.contains(name), "{name} is not in\n{text}");
    }
    assert!(!text.contains("Unknown"), "{text}");
}

#[test]
fn a_refusal_is_dissected_without_a_complaint() {
    let _row = Row::new("A refusal in clear dissected without a complaint", "tshark", Driver::Memory, &Role::ALL);
    let (seen, text) = dissected(&["3des-sha1-modp1024"], |a, _| {
        let refused = a.command(&["initiate", RULE, "--wait", "30"]);
        assert!(!refused.status.success(), "{refused:?}");
    });
    let expected = messages(&[(MAIN_MODE, &["Security Association", "Vendor ID"]), (INFORMATIONAL, &["Notification"])]);
    assert_eq!(seen[..2], expected, "{text}");
    assert!(text.contains("Notify Message Type: NO-PROPOSAL-CHOSEN (14)"), "{text}");
}
