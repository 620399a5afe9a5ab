//! How netsh is called, and what it says of a script without running it.
use serde_json::Value;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use crate::instance::{Instance, PROGRAM, told};

const BATCH: &str = "@echo off\r\nnetsh ipsec static add filterlist name=Web\r\nnetsh ipsec static ^\r\n  add filter Web \
                     srcaddr=10.0.0.256 dstaddr=me\r\nnetsh ipsec static set defaultrule policy=P psk=sesame\r\n";

#[test]
fn a_script_is_checked_line_by_line() {
    let instance = Instance::new("check");
    let file = instance.file("x.cmd", BATCH.as_bytes());
    let (status, out, err) = told(&instance.netsh(&["--check", "--verbose", "-f", &file]));
    assert_eq!(status, Some(1));
    assert_eq!(
        out,
        "2: ipsec static add filterlist name=Web\n5: ipsec static set defaultrule policy=P psk=\"(not shown)\"\n"
    );
    let lines: Vec<&str> = err.lines().collect();
    assert_eq!(lines[0], format!("{file}:1:1: left out: echo prints only"));
    assert!(lines[1].starts_with(&format!("{file}:4:26: srcaddr is \"10.0.0.256\", allowed: me, any")), "{err}");
    assert!(lines[2].starts_with("    usage: add filter [filterlist=]NAME"), "{err}");
    assert_eq!(lines.len(), 3, "{err}");
    let (status, out, _) = told(&instance.netsh(&["--format", "json", "--check", "-f", &file]));
    assert_eq!(status, Some(1));
    assert!(!out.contains("sesame"), "{out}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["statements"][1]["command"], "ipsec static add filterlist name=Web");
    assert_eq!((&report["statements"][2]["line"], &report["statements"][2]["column"]), (&4.into(), &26.into()));
    assert!(report["statements"][2]["error"].as_str().unwrap().starts_with("srcaddr is"));
}

#[test]
fn a_command_is_checked_and_standard_input_is_a_script() {
    let instance = Instance::new("input");
    let (status, out, err) =
        told(&instance.netsh(&["--check", "ips", "stat", "add", "filterlist", "name", "=", "two words"]));
    assert_eq!((status, out.as_str(), err.as_str()), (Some(0), "ipsec static add filterlist name=\"two words\"\n", ""));
    let (status, out, err) = told(&instance.netsh(&["--check", "-c", "ipsec static", "add", "filterlis"]));
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(err.starts_with("policyagent: add filterlist has no name, which is required"), "{err}");
    let mut child = instance
        .command(&["netsh", "--check", "-c", "ipsec static"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"# comment\nadd filterlist Web\n").unwrap();
    let (status, out, _) = told(&child.wait_with_output().unwrap());
    assert_eq!((status, out.as_str()), (Some(0), "2: ipsec static add filterlist name=Web\n"));
}

#[test]
fn help_is_printed_at_every_level() {
    let instance = Instance::new("help");
    for words in [
        &["?"][..],
        &["ipsec", "static", "?"],
        &["ipsec", "static", "add", "/?"],
        &["ipsec", "dynamic", "add", "rule", "?"],
    ] {
        let (status, out, err) = told(&instance.netsh(&[&["--check"], words].concat()));
        assert_eq!((status, err.as_str()), (Some(0), ""), "{words:?}");
        assert!(out.contains("netsh"), "{out}");
    }
}

#[test]
fn called_by_the_name_of_netsh_the_program_is_netsh() {
    let instance = Instance::new("name");
    let netsh = instance.root.join("netsh");
    symlink(PROGRAM, &netsh).unwrap();
    let output = instance.command_of(&netsh, &["--check", "ipsec", "dynamic", "show", "config"]).output().unwrap();
    assert_eq!(told(&output), (Some(0), "ipsec dynamic show config\n".to_owned(), String::new()));
}

#[test]
fn scripts_may_be_in_other_encodings() {
    let instance = Instance::new("encodings");
    let check = |octets: &[u8], more: &[&str]| {
        let file = instance.file("x.txt", octets);
        told(&instance.netsh(&[&["--check", "-c", "ipsec static", "-f", &file], more].concat()))
    };
    let (status, out, err) = check(b"add filterlist name=B\xfcro\n", &[]);
    assert_eq!((status, out.as_str()), (Some(0), "1: ipsec static add filterlist name=Büro\n"));
    assert!(err.contains("warning: not UTF-8, taken as Windows-1252"), "{err}");
    let (_, out, err) = check(b"add filterlist name=\xd6\xd0\n", &["--encoding", "gb18030"]);
    assert_eq!((out.as_str(), err.as_str()), ("1: ipsec static add filterlist name=中\n", ""));
    let (status, _, err) = check(b"\xff", &["--encoding", "gb18030"]);
    assert_eq!(status, Some(1));
    assert!(err.contains("no text of gb18030"), "{err}");
    let (status, _, err) = told(&instance.netsh(&["--check", "-f", "/nonexistent"]));
    assert_eq!(status, Some(1));
    assert!(err.starts_with("policyagent: /nonexistent: No such file"), "{err}");
}

#[test]
fn another_machine_is_reached_by_ssh() {
    let instance = Instance::new("remote");
    // Tells what it is called with, and what comes to it.
    instance.program("ssh", b"#!/bin/sh\nfor word; do echo \"[$word]\"; done\ncat\n[ \"$2\" != fails ]\n");
    let path = format!("{}:{}", instance.root.display(), std::env::var("PATH").unwrap());
    let call = |arguments: &[&str]| {
        let mut command = instance.command(&[&["netsh"], arguments].concat());
        told(&command.env("PATH", &path).output().unwrap())
    };
    let root = instance.root.display();
    let (status, out, err) =
        call(&["--check", "-r", "admin@gate.example", "ipsec", "static", "add", "filterlist", "name=it's so"]);
    let expected = format!(
        "[--]\n[admin@gate.example]\n[policyagent --root {root} netsh --check -- ipsec static add filterlist 'name=it'\\''s so']\n"
    );
    assert_eq!((status, out.as_str(), err.as_str()), (Some(0), expected.as_str(), ""));
    let file = instance.file("x.ps1", b"netsh ipsec static show store\n");
    let (status, out, _) = call(&["--check", "-r", "gate", "-f", &file]);
    assert_eq!(status, Some(0));
    let expected = "netsh --check --dialect powershell -f -]\nnetsh ipsec static show store\n";
    assert!(out.ends_with(expected), "{out}");
    let (status, _, err) = call(&["--check", "-r", "fails", "ipsec", "static", "show", "store"]);
    assert_eq!(status, Some(1));
    assert!(err.contains("netsh on fails has failed, or ssh has"), "{err}");
    for wrong in [
        &["--remote=-oProxyCommand=x"][..],
        &["-r", "a b"],
        &["-r", "gate", "-u", "joe"],
        &["-r", "gate", "-p", "secret"],
    ] {
        let (status, out, err) = call(&[&["--check"], wrong, &["ipsec", "static", "show", "store"]].concat());
        assert_eq!((status, out.as_str()), (Some(1), ""), "{wrong:?}");
        assert!(err.contains("allowed: ") && !err.contains("secret"), "{err}");
    }
}
