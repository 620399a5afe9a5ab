//! The analyser on captures of several implementations, compared with tshark field by field.

use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use tests::charon::{Charon, Connection, Kernel, Mode};
use tests::daemon::{Daemon, Driver, program};
use tests::netns::{A, B, WIRE, World, recorded};
use tests::policy_text::Policy;
use tests::process::{Process, wait_until};
use tests::scenario::{GCM, RARE, Role, SUITES, Suite, bundles, vpnc, whole_life};
use tests::scratch::Scratch;
use tests::tshark::{MAIN_MODE, agreement, compare, compare_decrypted};

const PATIENCE: Duration = Duration::from_secs(15);

#[test]
fn the_daemon_and_strongswan() {
    for role in Role::ALL {
        let seen = agreement("charon", || {
            whole_life(Driver::Userspace, Kernel::Libipsec, SUITES[1], Mode::Tunnel, role);
        });
        seen.check(MAIN_MODE);
    }
}

#[test]
fn strongswan_and_strongswan() {
    let seen = agreement("charons", || {
        let world = World::new();
        let a = Charon::start(&world.a, Kernel::Libipsec, &Connection::between(A, B).encapsulated());
        let b = Charon::start(&world.b, Kernel::Libipsec, &Connection::between(B, A).encapsulated());
        a.initiate().expect("two charons agree");
        b.wait_installed();
        assert_eq!(world.a.ping(A.inside, B.inside, 3), 3, "pings through the tunnel");
        b.terminate();
    });
    seen.check(MAIN_MODE);
    seen.check(&["udpencap.non_esp_marker"]);
}

#[test]
fn the_daemon_and_vpnc() {
    let seen = agreement("vpnc", vpnc::connects);
    seen.check(MAIN_MODE);
    seen.check(&["isakmp.id.type", "isakmp.id.data", "isakmp.hash"]);
}

#[test]
fn ah_around_esp() {
    let drivers = [Driver::Userspace, Driver::Userspace];
    let seen = agreement("ah", || bundles::ah_around_esp(drivers, Mode::Tunnel, false));
    seen.check(&["ah.next_header", "ah.length", "ah.spi", "ah.sequence", "ah.icv", "esp.spi", "isakmp.spisize"]);
}

/// What is captured live, and written, is what tcpdump has of it; of the rest the kernel hands over nothing.
#[test]
fn what_comes_and_goes_is_captured() {
    let scratch = Scratch::new("live");
    let (theirs, ours) = (scratch.join("theirs.pcap"), scratch.join("ours.pcapng"));
    let payloads = |file: &Path| -> Vec<String> {
        // Errors of ICMP have the packet that they are about in them.
        let mut tshark = Command::new("tshark");
        tshark.args([
            "-n",
            "-Y",
            "(udp.port == 500 || udp.port == 4500) && !icmp && !icmpv6",
            "-T",
            "fields",
            "-e",
            "udp.payload",
            "-r",
        ]);
        let output = tshark.arg(file).output().expect("tshark");
        let mut lines: Vec<_> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
        // Whoever captures first is a matter of chance where two are sent at once.
        lines.sort();
        lines
    };
    let mut shown = String::new();
    recorded(&theirs, || {
        let world = World::new();
        let file = ours.display().to_string();
        let arguments = ["capture", "--interface", WIRE, "--write", &file, "--format", "json"];
        let program = program().display().to_string();
        let mut capture = Process::start(&world.a, &scratch, "capture", &program, &arguments);
        capture.wait_for("it captures", PATIENCE, |log| log.contains("capturing on"));
        world.a.ping_until_answered(A.wire, B.wire, PATIENCE);
        for (own, other) in [(A.wire, B.wire), (A.wire6, B.wire6)] {
            for (port, datagram) in [(9, "clear"), (500, "message"), (4500, "\u{7f}"), (500, "the last")] {
                world.a.within(move || {
                    let socket = UdpSocket::bind((own, 0)).expect("a socket");
                    socket.send_to(datagram.as_bytes(), (other, port)).expect("sent");
                });
                world.b.within(move || {
                    let socket = UdpSocket::bind((other, 0)).expect("a socket");
                    socket.send_to(datagram.as_bytes(), (own, port)).expect("sent");
                });
            }
        }
        let last = |log: &str| log.lines().filter(|line| line.contains("\"destination\":")).count() == 12;
        capture.wait_for("all of them", PATIENCE, last);
        capture.signal(Signal::SIGINT);
        let status = capture.wait_end(PATIENCE).expect("it ends");
        assert!(status.success(), "{}", capture.log());
        shown = capture.log();
        // tcpdump writes nothing more once it is told to end.
        assert!(wait_until(PATIENCE, || payloads(&theirs).len() == 12), "tcpdump: {:?}", payloads(&theirs));
    });
    assert_eq!(payloads(&ours), payloads(&theirs));
    assert_eq!(payloads(&ours).len(), 12);
    // Nothing else was handed over: the numbers are without gaps.
    let number =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).ok().and_then(|value| value["number"].as_u64());
    assert_eq!(shown.lines().filter_map(number).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>(), "{shown}");
    assert!(shown.contains("\"interface\":\"wire0\""), "{shown}");
}

/// Two daemons with key logs: what one of them has written decrypts all that both said and sent, for the analyser, and, as
/// it exports the keys, for tshark.
fn decrypted(suite: Suite) {
    let scratch = Scratch::new("keys");
    let (file, keys, home) = (scratch.join("wire.pcap"), scratch.join("keys"), scratch.join("home"));
    recorded(&file, || {
        let world = World::new();
        let policy = |own, other| Policy::between(own, other).transport().proposals(suite.main_mode, suite.quick_mode);
        let start = |namespace, own, other| {
            let settings = "[key_log]\nenabled = true\n";
            Daemon::start_with_settings(namespace, Driver::Userspace, &policy(own, other).text(), settings)
        };
        let (mut a, b) = (start(&world.a, A, B), start(&world.b, B, A));
        assert!(world.a.ping_until_answered(A.wire, B.wire, PATIENCE), "no ping was answered:\n{}", a.oakley());
        a.stop();
        let gone = wait_until(PATIENCE, || (b.isakmp_sas(), b.ipsec_sas()) == (0, 0));
        assert!(gone, "the peer's deletes were not followed:\n{}", b.oakley());
        std::fs::rename(a.path("var/log/policyagent/keylog"), &keys).expect("moved");
    });
    let seen = compare_decrypted(&file, &keys, &home);
    seen.check(MAIN_MODE);
    seen.check(&[
        "isakmp.id.data",
        "isakmp.hash",
        "isakmp.ipsec.attr.encap_mode",
        "isakmp.delete.spi",
        "esp.pad_len",
        "esp.protocol",
    ]);
    let show = |options: &[&str]| {
        let mut command = Command::new(program());
        command.arg("capture").args(options).arg(&file);
        String::from_utf8_lossy(&command.output().expect("it runs").stdout).into_owned()
    };
    let exported = home.display().to_string();
    let all = show(&["--keys", &exported]);
    assert!(all.contains("ICMP echo request") && all.contains("ICMP echo reply"), "{all}");
    assert!(!all.contains(" encrypted") && !all.contains("FAULT"), "{all}");
    assert_eq!(
        show(&["--keys", &exported, "--filter", "payload D and exchange informational"]).lines().count(),
        2,
        "{all}"
    );
    let without = show(&[]);
    assert!(without.contains(" encrypted") && !without.contains("ICMP"), "{without}");
}

#[test]
fn what_was_encrypted_is_read_with_the_key_log() {
    for suite in [SUITES[1], SUITES[2], GCM] {
        decrypted(suite);
    }
}

/// Packets of SAs that do not encrypt are read without any key.
#[test]
fn what_is_not_encrypted_is_recognised() {
    let scratch = Scratch::new("null");
    let file = scratch.join("wire.pcap");
    let suite = RARE.into_iter().find(|suite| suite.quick_mode.starts_with("null-")).expect("one without encryption");
    recorded(&file, || {
        let world = World::new();
        let policy = |own, other| Policy::between(own, other).proposals(suite.main_mode, suite.quick_mode);
        let start = |namespace, own, other| Daemon::start(namespace, Driver::Userspace, &policy(own, other).text());
        let (a, _b) = (start(&world.a, A, B), start(&world.b, B, A));
        assert!(world.a.ping_until_answered(A.inside, B.inside, PATIENCE), "no ping was answered:\n{}", a.oakley());
    });
    let shown = Command::new(program()).args(["capture", "--filter", "protocol esp"]).arg(&file).output();
    let shown = String::from_utf8_lossy(&shown.expect("it runs").stdout).into_owned();
    let inside = format!("| IP {} to {} | ICMP echo request", A.inside, B.inside);
    assert!(shown.contains(&inside) && shown.contains("| ICMP echo reply"), "{shown}");
    compare(&file, &scratch.join("no-settings")).check(&["esp.spi"]);
}

/// The UDP payloads in a file of recorded values, as a capture.
#[test]
fn a_recorded_negotiation_and_every_payload_in_clear() {
    let scratch = Scratch::new("recorded");
    let mut datagrams: Vec<Vec<u8>> = ikecore::fuzzing::seeds().into_iter().map(|seed| seed.datagram).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors/main_mode_psk.json");
    if let Ok(text) = std::fs::read_to_string(path) {
        let vectors: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let recorded = vectors["datagrams"].as_array().expect("a list").iter();
        datagrams.extend(recorded.map(|datagram| octets(datagram["datagram"].as_str().expect("digits"))));
    }
    let file = scratch.join("recorded.pcap");
    std::fs::write(&file, pcap(&datagrams)).expect("written");
    let seen = compare(&file, &scratch.join("no-settings"));
    seen.check(&[]);
}

fn octets(digits: &str) -> Vec<u8> {
    let octet = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits");
    (0..digits.len()).step_by(2).map(octet).collect()
}

/// A capture of raw IP packets, each with a datagram to the port of IKE.
fn pcap(datagrams: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65535, 101_u32].iter().for_each(|word| file.extend(word.to_le_bytes()));
    for datagram in datagrams {
        let udp = u16::try_from(datagram.len() + 8).expect("short");
        let mut packet = vec![0x45, 0];
        packet.extend((udp + 20).to_be_bytes());
        packet.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        [500, 500, udp, 0].iter().for_each(|word: &u16| packet.extend(word.to_be_bytes()));
        packet.extend(datagram);
        let length = u32::try_from(packet.len()).expect("short");
        [1_700_000_000, 0, length, length].iter().for_each(|word| file.extend(word.to_le_bytes()));
        file.extend(packet);
    }
    file
}
