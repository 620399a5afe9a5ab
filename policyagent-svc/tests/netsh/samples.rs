//! Scripts as they are found in the field.
use std::path::PathBuf;

use crate::instance::{Instance, text};

/// The path of a sample, if the samples are there.
fn sample(name: &str) -> Option<String> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "..", "shared", "netsh-samples", name].iter().collect();
    if !path.exists() {
        eprintln!("skipped: there is no {}", path.display());
        return None;
    }
    path.to_str().map(str::to_owned)
}

/// Runs a sample in a new instance; exit status, and what was wrong without the path.
fn run(name: &str) -> Option<(Instance, Option<i32>, String)> {
    let path = sample(name)?;
    let instance = Instance::new(name.split('-').next().unwrap());
    let output = instance.netsh(&["-f", &path]);
    let errors = text(&output.stderr).replace(&path, name);
    Some((instance, output.status.code(), errors))
}

#[test]
fn sample_1_makes_a_policy_that_is_not_assigned() {
    let Some((instance, status, errors)) = run("01-static-negotiate-psk.cmd") else { return };
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    let shown = instance.done(&["ipsec", "static", "show", "policy", "name=Ledger_Hosts", "level=verbose"]);
    for expected in ["Ledger_Hosts", "Web in clear", "Drop the rest", "Signed for branches"] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    assert!(!instance.policy().contains("assigned = true"), "{}", instance.policy());
}

#[test]
fn sample_2_names_a_list_that_is_not_there_and_the_rest_stands() {
    let Some((instance, status, errors)) = run("02-trust-single-quotes.ps1") else { return };
    assert_eq!(status, Some(1));
    let lines: Vec<&str> = errors.lines().collect();
    assert!(
        lines[0].starts_with("02-trust-single-quotes.ps1:7:1: ") && lines[0].contains("\"Partner Servers\""),
        "{errors}"
    );
    assert_eq!(lines[1..], ["policyagent: 02-trust-single-quotes.ps1: 1 of 7 commands failed"]);
    assert!(!errors.contains("seven blue kettles"), "{errors}");
    let shown = instance.done(&["ipsec", "static", "show", "filterlist", "name=PartnerServers", "level=verbose"]);
    assert!(shown.contains("192.0.2.136"), "{shown}");
    instance.done(&["ipsec", "static", "show", "policy", "name=Partner Link"]);
}

#[test]
fn sample_3_makes_dynamic_rules_and_leaves_none() {
    let Some(path) = sample("03-dynamic-rules.cmd") else { return };
    let mut instance = Instance::new("03");
    instance.start();
    let output = instance.netsh(&["-f", &path]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    let shown = instance.done(&["ipsec", "dynamic", "show", "mmpolicy", "all"]);
    assert!(!shown.contains("WalkMM"), "{shown}");
}

#[test]
fn sample_4_assigns_its_policy() {
    let Some((instance, status, errors)) = run("04-spaces-and-positional.cmd") else { return };
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    let policy = instance.policy();
    assert!(policy.contains("assigned = true"), "{policy}");
    for port in ["111", "2375", "5900"] {
        assert!(policy.contains(&format!("destination_port = {port}")), "{policy}");
    }
}

#[test]
fn sample_5_fails_where_it_names_what_is_not_there_and_the_rest_stands() {
    let Some((instance, status, errors)) = run("05-caret-continuation.cmd") else { return };
    assert_eq!(status, Some(1));
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(lines.len(), 4, "{errors}");
    for (line, (number, what)) in lines.iter().zip([(2, "\"Lighthouse\""), (28, "\"Letin\""), (40, "\"Letin\"")]) {
        assert!(
            line.starts_with(&format!("05-caret-continuation.cmd:{number}:1: ")) && line.contains(what),
            "{errors}"
        );
    }
    assert_eq!(lines[3], "policyagent: 05-caret-continuation.cmd: 3 of 16 commands failed");
    let policy = instance.policy();
    assert!(
        policy.contains("StopWhole") && !policy.contains("LetFreeHosts") && !policy.contains("assigned = true"),
        "{policy}"
    );
}

#[test]
fn sample_6_is_carried_out_as_a_whole() {
    let Some((instance, status, errors)) = run("06-short-block.cmd") else { return };
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    let policy = instance.policy();
    assert!(
        policy.contains("PLAN_SHUT") && policy.contains("WHEN_SHUT") && policy.contains("assigned = true"),
        "{policy}"
    );
}
