//! The service as an administrator meets it: the README's five minutes, `initiate` with its outcomes, the demonstration.

use std::process::Command;
use std::time::Duration;

use tests::capture::{Capture, Kind, count};
use tests::daemon::{Daemon, Driver};
use tests::netns::{A, B, WIRE, World};
use tests::policy_text::Policy;
use tests::process::wait_until;

const PATIENCE: Duration = Duration::from_secs(15);

fn repository(path: &str) -> String {
    let path = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The code blocks of `text` in `language`.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let start = format!("```{language}\n");
    let rest = text.split(start.as_str()).skip(1);
    rest.map(|rest| rest.split("```").next().unwrap_or_default()).collect()
}

/// What the README tells to do on two hosts does what it says.
#[test]
fn the_readme_protects_two_hosts() {
    let readme = repository("README.md");
    let (_, tested) = readme.split_once("A test takes the policy").expect("the marker in the README");
    let policy = blocks(tested, "toml")[0];
    let commands: Vec<&str> = blocks(tested, "sh").into_iter().flat_map(str::lines).collect();
    assert!(commands.len() >= 5, "{commands:?}");

    let world = World::new();
    for (host, address) in [(&world.a, "192.0.2.1"), (&world.b, "192.0.2.2")] {
        host.ip(&[&format!("addr add {address}/24 dev {WIRE}")]);
    }
    let capture = Capture::start(&world);
    // The systemctl line, on both.
    let a = Daemon::start(&world.a, Driver::Userspace, policy);
    let b = Daemon::start(&world.b, Driver::Userspace, policy);
    std::fs::create_dir_all(a.path("etc/policyagent")).unwrap();
    std::fs::write(a.path("etc/policyagent/policy.toml"), policy).unwrap();

    let mut done = Vec::new();
    for command in commands {
        let words: Vec<&str> = command.trim_start_matches("sudo ").split_whitespace().collect();
        match words.as_slice() {
            ["policyagent", arguments @ ..] => done.push(a.run(arguments)),
            ["ping", ..] => {
                let output = world.a.output("ping", &words[1..]);
                assert!(String::from_utf8_lossy(&output.stdout).contains(" 0% packet loss"), "{output:?}");
            }
            ["systemctl", ..] => {}
            _ => panic!("the README has a command that this test does not know: {command}"),
        }
    }
    let [check, initiate, status] = done.as_slice() else { panic!("{done:?}") };
    assert!(check.contains("192.0.2.1 <-> 192.0.2.2"), "{check}");
    assert!(initiate.starts_with("established: rule \"hosts\"") && initiate.contains("AES-256-CBC"), "{initiate}");
    assert!(status.contains("IPsec SAs: 1 pair") && status.contains("in 3 packets"), "{status}");
    // The same file, seen from the other side.
    assert_eq!(b.status()["ipsec_sas"][0]["selector"]["local"], "192.0.2.2");
    let packets = capture.finish();
    assert!(count(&packets, Kind::Esp) >= 6);
    assert_eq!(count(&packets, Kind::Echo), 0);
}

/// Waits for the end of `initiate` on a towards b with another policy, and returns its message.
fn fails(b_policy: Policy) -> String {
    let world = World::new();
    let a = Daemon::start(&world.a, Driver::Userspace, &Policy::between(A, B).text());
    let b = Daemon::start(&world.b, Driver::Userspace, &b_policy.text());
    let rules = a.status()["policy"]["rules"].clone();
    let output = a.command(&["initiate", rules[0].as_str().expect("a rule"), "--wait", "60"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    // Both ends are as before.
    let clean = wait_until(PATIENCE, || a.ipsec_sas() == 0 && b.ipsec_sas() == 0);
    assert!(clean, "{}\n{}", a.status(), b.status());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    // One wording: what the command says stands in the trace too.
    let reason = message.split_once(": rule ").and_then(|(_, rest)| rest.split_once(": ")).map_or("", |(_, r)| r);
    let reason = reason.rsplit_once(" (138").map_or(reason, |(reason, _)| reason);
    assert!(!reason.is_empty() && a.oakley().contains(reason), "{reason:?} is not in\n{}", a.oakley());
    message
}

#[test]
fn what_the_peer_refuses_in_quick_mode_is_told_by_initiate() {
    let message = fails(Policy::between(B, A).proposals("aes256-sha256-modp2048", "aes128-sha1-modp1024"));
    assert!(message.contains("NO-PROPOSAL-CHOSEN") && message.contains("13868 POLICY_MATCH"), "{message}");
    let mut other_net = Policy::between(B, A);
    other_net.remote = "10.10.9.0/24".to_owned();
    let message = fails(other_net);
    assert!(message.contains("INVALID-ID-INFORMATION"), "{message}");
}

#[test]
fn initiate_rekey_terminate_and_stop_do_what_they_say() {
    let world = World::new();
    let a = Daemon::start(&world.a, Driver::Userspace, &Policy::between(A, B).text());
    let b = Daemon::start(&world.b, Driver::Userspace, &Policy::between(B, A).text());
    let rules = a.status()["policy"]["rules"].clone();
    let rule = rules[0].as_str().expect("a rule");
    let report: serde_json::Value =
        serde_json::from_str(&a.run(&["--format", "json", "initiate", rule])).expect("JSON");
    assert_eq!(report["succeeded"], true, "{report}");
    let old = report["ipsec_sas"][0]["id"].as_str().expect("a pair").to_owned();

    a.run(&["rekey", "--ipsec-sa", &old]);
    let newer = || {
        let status = a.status();
        let pairs = status["ipsec_sas"].as_array().cloned().unwrap_or_default();
        pairs.into_iter().find(|pair| pair["id"] != old.as_str() && pair["replaced"] == false)
    };
    assert!(wait_until(PATIENCE, || newer().is_some()), "no newer pair:\n{}", a.oakley());
    assert_eq!(world.a.ping(A.inside, B.inside, 3), 3, "through the newer pair:\n{}", a.oakley());

    let ike_sa = a.status()["ike_sas"][0]["id"].as_str().expect("an ISAKMP SA").to_owned();
    a.run(&["rekey", "--ike-sa", &ike_sa]);
    let replaced = || {
        let status = a.status();
        let sas = status["ike_sas"].as_array().cloned().unwrap_or_default();
        sas.iter().any(|sa| sa["id"] != ike_sa.as_str() && sa["state"] == "established")
    };
    assert!(wait_until(PATIENCE, replaced), "no newer ISAKMP SA:\n{}", a.oakley());

    a.run(&["terminate", "--peer", B.wire]);
    for (name, daemon) in [("a", &a), ("b", &b)] {
        let gone = wait_until(PATIENCE, || (daemon.isakmp_sas(), daemon.ipsec_sas()) == (0, 0));
        assert!(gone, "{name} still has SAs: {}\n{}", daemon.status(), daemon.oakley());
    }
    assert_eq!(b.run(&["stop"]).trim(), "stopped");
}

/// `make run` in small: the demonstration shows what it promises, and cleans up.
#[test]
fn the_demonstration_runs() {
    let script = format!("{}/../scripts/run-demo", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(&script).env("NO_COLOR", "1").output().unwrap_or_else(|e| panic!("{script}: {e}"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for expected in [
        "IPsec SAs: 2 pairs",
        "ICMP in clear:       0 packets",
        "MM established",
        "nothing is left on the hosts",
        "all pings went under ESP, none in clear",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
    assert!(!text.contains('\x1b'), "{text}");
}
