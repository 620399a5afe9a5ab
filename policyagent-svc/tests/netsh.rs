//! `policyagent netsh`, as it is called.
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_policyagent");

/// A directory of its own, which is the root of the instance too.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("policyagent-netsh-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("etc/policyagent")).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, octets: &[u8]) -> String {
        let path = self.0.join(name);
        fs::write(&path, octets).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.arg("--root").arg(&self.0).args(arguments).stdin(Stdio::null());
        command
    }

    fn netsh(&self, arguments: &[&str]) -> Output {
        self.command(Path::new(PROGRAM), &[&["netsh"], arguments].concat()).output().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Exit status, standard output, standard error.
fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

const BATCH: &str = "@echo off\r\nnetsh ipsec static add filterlist name=Web\r\nnetsh ipsec static ^\r\n  add filter Web \
                     srcaddr=10.0.0.256 dstaddr=me\r\nnetsh ipsec static set defaultrule policy=P psk=sesame\r\n";

#[test]
fn a_script_is_checked_line_by_line() {
    let scratch = Scratch::new("check");
    let file = scratch.file("x.cmd", BATCH.as_bytes());
    let (status, out, err) = told(&scratch.netsh(&["--check", "--verbose", "-f", &file]));
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
    let (status, out, _) = told(&scratch.netsh(&["--format", "json", "--check", "-f", &file]));
    assert_eq!(status, Some(1));
    assert!(!out.contains("sesame"), "{out}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["statements"][1]["command"], "ipsec static add filterlist name=Web");
    assert_eq!((&report["statements"][2]["line"], &report["statements"][2]["column"]), (&4.into(), &26.into()));
    assert!(report["statements"][2]["error"].as_str().unwrap().starts_with("srcaddr is"));
}

#[test]
fn a_command_is_checked_and_standard_input_is_a_script() {
    let scratch = Scratch::new("input");
    let (status, out, err) =
        told(&scratch.netsh(&["--check", "ips", "stat", "add", "filterlist", "name", "=", "two words"]));
    assert_eq!((status, out.as_str(), err.as_str()), (Some(0), "ipsec static add filterlist name=\"two words\"\n", ""));
    let (status, out, err) = told(&scratch.netsh(&["--check", "-c", "ipsec static", "add", "filterlis"]));
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(err.starts_with("policyagent: add filterlist has no name, which is required"), "{err}");
    let mut child = scratch
        .command(Path::new(PROGRAM), &["netsh", "--check", "-c", "ipsec static"])
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
    let scratch = Scratch::new("help");
    for words in [
        &["?"][..],
        &["ipsec", "static", "?"],
        &["ipsec", "static", "add", "/?"],
        &["ipsec", "dynamic", "add", "rule", "?"],
    ] {
        let (status, out, err) = told(&scratch.netsh(&[&["--check"], words].concat()));
        assert_eq!((status, err.as_str()), (Some(0), ""), "{words:?}");
        assert!(out.contains("netsh"), "{out}");
    }
}

#[test]
fn called_by_the_name_of_netsh_the_program_is_netsh() {
    let scratch = Scratch::new("name");
    let netsh = scratch.0.join("netsh");
    symlink(PROGRAM, &netsh).unwrap();
    let output = scratch.command(&netsh, &["--check", "ipsec", "dynamic", "show", "config"]).output().unwrap();
    assert_eq!(told(&output), (Some(0), "ipsec dynamic show config\n".to_owned(), String::new()));
}

#[test]
fn scripts_may_be_in_other_encodings() {
    let scratch = Scratch::new("encodings");
    let check = |octets: &[u8], more: &[&str]| {
        let file = scratch.file("x.txt", octets);
        told(&scratch.netsh(&[&["--check", "-c", "ipsec static", "-f", &file], more].concat()))
    };
    let (status, out, err) = check(b"add filterlist name=B\xfcro\n", &[]);
    assert_eq!((status, out.as_str()), (Some(0), "1: ipsec static add filterlist name=Büro\n"));
    assert!(err.contains("warning: not UTF-8, taken as Windows-1252"), "{err}");
    let (_, out, err) = check(b"add filterlist name=\xd6\xd0\n", &["--encoding", "gb18030"]);
    assert_eq!((out.as_str(), err.as_str()), ("1: ipsec static add filterlist name=中\n", ""));
    let (status, _, err) = check(b"\xff", &["--encoding", "gb18030"]);
    assert_eq!(status, Some(1));
    assert!(err.contains("no text of gb18030"), "{err}");
    let (status, _, err) = told(&scratch.netsh(&["--check", "-f", "/nonexistent"]));
    assert_eq!(status, Some(1));
    assert!(err.starts_with("policyagent: /nonexistent: No such file"), "{err}");
}

#[test]
fn another_machine_is_reached_by_ssh() {
    let scratch = Scratch::new("remote");
    // Tells what it is called with, and what comes to it.
    let ssh = scratch.file("ssh", b"#!/bin/sh\nfor word; do echo \"[$word]\"; done\ncat\n[ \"$2\" != fails ]\n");
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", scratch.0.display(), std::env::var("PATH").unwrap());
    let call = |arguments: &[&str]| {
        let mut command = scratch.command(Path::new(PROGRAM), &[&["netsh"], arguments].concat());
        told(&command.env("PATH", &path).output().unwrap())
    };
    let root = scratch.0.display();
    let (status, out, err) =
        call(&["--check", "-r", "admin@gate.example", "ipsec", "static", "add", "filterlist", "name=it's so"]);
    let expected = format!(
        "[--]\n[admin@gate.example]\n[policyagent --root {root} netsh --check -- ipsec static add filterlist 'name=it'\\''s so']\n"
    );
    assert_eq!((status, out.as_str(), err.as_str()), (Some(0), expected.as_str(), ""));
    let file = scratch.file("x.ps1", b"netsh ipsec static show store\n");
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

const SCRIPT: &[u8] = b"ipsec static\nadd filterlist Web\nadd filter filterlist=Web any me protocol=tcp dstport=80\n\
    add filterlist Web\nadd bogus x\nadd filteraction name=Drop action=block\n";

#[test]
fn lines_that_fail_are_told_and_the_others_carried_out() {
    let scratch = Scratch::new("run");
    let script = scratch.file("a.txt", SCRIPT);
    let (code, out, err) = told(&scratch.netsh(&["-f", &script]));
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains(&format!("{script}:4:1: the filter list \"Web\" exists already\n")), "{err}");
    assert!(err.contains(&format!("{script}:5:")), "{err}");
    let policy = fs::read_to_string(scratch.0.join("etc/policyagent/policy.toml")).unwrap();
    assert!(policy.contains("destination_port = 80") && policy.contains("\"block\""), "{policy}");
    let (code, out, _) = told(&scratch.netsh(&["ipsec", "static", "show", "filterlist", "all", "format=table"]));
    assert!(code == Some(0) && out.contains("\nWeb "), "{out}");
}

#[test]
fn an_atomic_run_with_a_failure_changes_nothing() {
    let scratch = Scratch::new("atomic");
    let policy = scratch.0.join("etc/policyagent/policy.toml");
    let (code, _, err) = told(&scratch.netsh(&["--atomic", "-f", &scratch.file("a.txt", SCRIPT)]));
    assert!(code == Some(1) && err.ends_with("2 commands failed; nothing was changed\n"), "{err}");
    assert!(!policy.exists());
    let good = scratch.file("b.txt", b"ipsec static add filterlist Web\nipsec static add filterlist Mail\n");
    let (code, _, err) = told(&scratch.netsh(&["--atomic", "-f", &good]));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(fs::read_to_string(policy).unwrap().matches("[[filter_list]]").count(), 2);
}

#[test]
fn what_is_dumped_makes_the_same_store_again() {
    let (one, other) = (Scratch::new("dump"), Scratch::new("dumped"));
    one.netsh(&["-f", &one.file("a.txt", SCRIPT)]);
    let add = ["ipsec", "static", "add", "policy", "name=the \"lab\"", "mmsec=AES256-SHA256-DH14"];
    assert_eq!(told(&one.netsh(&add)), (Some(0), String::new(), String::new()));
    let dump = told(&one.netsh(&["ipsec", "static", "dump"])).1;
    assert!(dump.contains("add policy") && dump.contains("add filteraction name=Drop action=block"), "{dump}");
    let (code, _, err) = told(&other.netsh(&["-f", &other.file("dump.txt", dump.as_bytes())]));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(told(&other.netsh(&["ipsec", "static", "dump"])).1, dump);
}

#[test]
fn scripts_call_scripts_but_not_without_end() {
    let scratch = Scratch::new("exec");
    let inner = scratch.file("inner.txt", b"add filterlist Inner\n");
    let outer = scratch.file("outer.txt", format!("ipsec static\nexec {inner}\n").as_bytes());
    let (code, _, err) = told(&scratch.netsh(&["-f", &outer]));
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let path = scratch.0.join("loop.txt");
    let this = scratch.file("loop.txt", format!("exec {}\n", path.display()).as_bytes());
    let (code, _, err) = told(&scratch.netsh(&["-f", &this]));
    assert!(code == Some(1) && err.contains("scripts call scripts 20 deep already"), "{err}");
}
