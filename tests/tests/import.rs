//! `policyagent import` as an administrator meets it: where documents go, what stays as it is, the exit status.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use policyagent_svc::fuzzing::{import, import_seeds};
use proptest::prelude::*;
use tests::daemon::program;
use tests::scratch::Scratch;

const CONF: &str = "conn a\n\tkeyexchange=ikev1\n\tauthby=psk\n\tike=aes256-sha256-modp2048!\n\tesp=aes256-sha256!\n\tleft=10.9.0.1\n\
    \tright=10.9.0.2\n\tauto=route\n";
const SECRETS: &str = "10.9.0.1 10.9.0.2 : PSK 0x00ff\n";

/// A directory with a configuration and the root of an instance.
struct Host(Scratch);

impl Host {
    fn new(conf: &str, secrets: &str) -> Self {
        let scratch = Scratch::new("import");
        scratch.write("ipsec.conf", conf);
        scratch.write("ipsec.secrets", secrets);
        Self(scratch)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.arg("--root").arg(self.0.path()).args(arguments).current_dir(self.0.path());
        command.output().expect("the program runs")
    }

    fn import(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut all = vec!["import", "ipsec.conf", "--secrets", "ipsec.secrets", "--host", "10.9.0.1"];
        all.extend(arguments);
        let output = self.run(&all);
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    fn mode(&self, name: &str) -> u32 {
        self.path(name).metadata().expect("the file is there").permissions().mode() & 0o777
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("the file is there")
    }
}

#[test]
fn a_document_in_a_file_is_private_whole_and_never_overwritten() {
    let host = Host::new(CONF, SECRETS);
    let (status, report, errors) = host.import(&["--output", "made.toml"]);
    assert_eq!((status, errors.as_str()), (Some(0), ""), "{report}");
    assert!(report.contains("connection \"a\" -> \"a\""), "{report}");
    assert_eq!((host.mode("made.toml"), host.mode("a.psk")), (0o600, 0o600));
    assert_eq!(std::fs::read(host.path("a.psk")).expect("the key"), [0, 0xff]);
    let checked = host.run(&["check", "--policy", "made.toml"]);
    assert!(checked.status.success(), "{checked:?}");
    let before = host.read("made.toml");
    let (status, _, errors) = host.import(&["--output", "made.toml", "--name", "other"]);
    assert_eq!((status, host.read("made.toml")), (Some(1), before), "{errors}");
    assert!(errors.contains("made.toml is there already, and is not overwritten"), "{errors}");
    // The key's file is there with the same key: the document can be made again beside the first.
    assert_eq!(host.import(&["--output", "again.toml"]).0, Some(0));
    std::fs::write(host.path("a.psk"), "another").expect("a file written");
    let (status, _, errors) = host.import(&["--output", "third.toml"]);
    assert!(status == Some(1) && errors.contains("a.psk: "), "{errors}");
    assert!(!host.path("third.toml").exists());
}

#[test]
fn a_store_gets_more_and_keeps_what_it_has() {
    let host = Host::new(CONF, ": PSK \"correct horse battery\"\n");
    host.0.write("etc/policyagent/policy.toml", "# Mine.\n[[policy]]\nname = \"lab\"\nassigned = true\n");
    let (status, report, errors) = host.import(&["--to-store", "local"]);
    assert_eq!(status, Some(0), "{report}{errors}");
    let held = host.read("etc/policyagent/policy.toml");
    assert!(
        held.starts_with("# Mine.\n[[policy]]\nname = \"lab\"\n") && held.contains("name = \"imported\""),
        "{held}"
    );
    let (status, _, errors) = host.import(&["--to-store", "local"]);
    assert_eq!((status, host.read("etc/policyagent/policy.toml")), (Some(1), held.clone()));
    assert!(errors.contains("policy \"imported\", filter list \"a\", filter action \"a\""), "{errors}");
    // Two policies cannot be assigned: the store refuses that, and nothing changes.
    let other = CONF.replace("conn a", "conn b");
    std::fs::write(host.path("ipsec.conf"), other).expect("a file written");
    let (status, _, errors) = host.import(&["--to-store", "local", "--assign", "--name", "second"]);
    assert_eq!((status, host.read("etc/policyagent/policy.toml")), (Some(1), held), "{errors}");
    assert!(errors.contains("policy \"second\" is assigned, but \"lab\" is too"), "{errors}");
}

#[test]
fn without_a_place_the_document_is_the_output_and_the_report_is_not() {
    let host = Host::new(&format!("{CONF}\tmark=5\n"), ": PSK \"correct horse battery\"\n");
    let (status, document, report) = host.import(&["--format", "json"]);
    assert_eq!(status, Some(3), "the mark is lost: {report}");
    assert!(document.contains("preshared_key = \"correct horse battery\""), "{document}");
    assert!(!report.contains("correct horse"), "{report}");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["losses"], 1);
    let options = report["options"].as_array().expect("a list");
    let mark = options.iter().find(|option| option["option"] == "mark").expect("the mark");
    assert_eq!((mark["fate"].as_str(), mark["line"].as_u64()), (Some("lost"), Some(9)), "{mark}");
    let host = Host::new(CONF, SECRETS);
    let (status, document, errors) = host.import(&[]);
    assert_eq!((status, document.as_str()), (Some(1), ""), "{errors}");
    assert!(errors.contains("no text"), "{errors}");
}

#[test]
fn a_file_that_is_none_fails_with_its_place() {
    let host = Host::new("conn a\n\tleft\n", "");
    let (status, _, errors) = host.import(&["--from", "ipsec.conf"]);
    assert_eq!(status, Some(1));
    assert!(errors.contains("ipsec.conf:2: "), "{errors}");
    let (status, _, errors) = host.import(&["--from", "swan"]);
    assert_eq!(status, Some(2), "{errors}");
}

/// A seed with some of its octets replaced, taken out, or said twice.
fn mutated_configuration() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "{",
        "}",
        "\"",
        "=",
        "\n",
        "conn ",
        "also=",
        "include i",
        "%any",
        "\\",
        ":",
        "/",
        "-",
        ",",
        "\0",
        "0s",
        "pool",
        "\u{e9}",
    ];
    let change = (any::<prop::sample::Index>(), prop::sample::select(words.to_vec()), 0..3_u8);
    (0..import_seeds().len(), prop::collection::vec(change, 1..12)).prop_map(|(seed, changes)| {
        let mut octets = import_seeds()[seed].1.clone();
        for (index, word, how) in changes {
            let at = index.index(octets.len().max(1));
            match how {
                0 => drop(octets.splice(at..at, word.bytes())),
                1 => drop(octets.splice(at..(at + word.len()).min(octets.len()), word.bytes())),
                _ => octets.extend_from_within(at..),
            }
            octets.truncate(8_192);
        }
        octets
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_configuration_is_too_odd(octets in mutated_configuration()) {
        import(&octets);
    }

    #[test]
    fn no_octets_are_too_odd_for_import(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        import(&octets);
    }
}
