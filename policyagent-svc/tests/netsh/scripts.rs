//! What scripts do: line by line, all or nothing, one within another.
use std::fs;

use crate::instance::{Instance, told};

const SCRIPT: &[u8] = b"ipsec static\nadd filterlist Web\nadd filter filterlist=Web any me protocol=tcp dstport=80\n\
    add filterlist Web\nadd bogus x\nadd filteraction name=Drop action=block\n";

#[test]
fn lines_that_fail_are_told_and_the_others_carried_out() {
    let instance = Instance::new("run");
    let script = instance.file("a.txt", SCRIPT);
    let (code, out, err) = told(&instance.netsh(&["-f", &script]));
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains(&format!("{script}:4:1: the filter list \"Web\" exists already\n")), "{err}");
    assert!(err.contains(&format!("{script}:5:")), "{err}");
    let policy = instance.policy();
    assert!(policy.contains("destination_port = 80") && policy.contains("\"block\""), "{policy}");
    let (code, out, _) = told(&instance.netsh(&["ipsec", "static", "show", "filterlist", "all", "format=table"]));
    assert!(code == Some(0) && out.contains("\nWeb "), "{out}");
}

#[test]
fn what_is_dumped_makes_the_same_store_again() {
    let (one, other) = (Instance::new("dump"), Instance::new("dumped"));
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
fn all_or_nothing() {
    let instance = Instance::new("atomic");
    let (status, errors) =
        instance.script("bad.txt", "ipsec static\nadd filterlist A\nadd filterlist A\nadd bogus x\n", &["--atomic"]);
    assert!(status == Some(1) && errors.ends_with("2 commands failed; nothing was changed\n"), "{errors}");
    assert!(!instance.root.join("etc/policyagent/policy.toml").exists());
    let good = "ipsec static\nadd filterlist name=A\nadd filter A any me\n";
    let (status, errors) = instance.script("good.txt", good, &["--atomic"]);
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    let before = instance.policy();
    assert!(before.contains("\"A\""), "{before}");
    for (bad, at) in [
        ("ipsec static\nadd filterlist name=B\nadd filterlst name=C\n", "bad.txt:3:5: "),
        ("ipsec static\nadd filterlist name=B\nadd filterlist name=A\ndelete filterlist name=A\n", "bad.txt:3:1: "),
    ] {
        let (status, errors) = instance.script("bad.txt", bad, &["--atomic"]);
        assert_eq!(status, Some(1));
        assert!(errors.starts_with(at) && errors.contains("nothing was changed"), "{errors}");
        assert_eq!(instance.policy(), before);
    }
    // Without it the rest is done.
    let (status, _) = instance.script("bad.txt", "ipsec static\nadd filterlst name=C\nadd filterlist name=B\n", &[]);
    assert_eq!(status, Some(1));
    assert!(instance.policy().contains("\"B\""), "{}", instance.policy());
}

#[test]
fn what_a_netsh_of_a_batch_file_chose_ends_with_it() {
    let instance = Instance::new("batch");
    let script = "netsh ipsec static set store persistent\nnetsh ipsec static add filterlist name=A\n";
    let (status, errors) = instance.script("x.cmd", script, &[]);
    assert_eq!(status, Some(0));
    assert!(errors.starts_with("x.cmd:1:1: warning: this holds for this call of netsh only"), "{errors}");
    assert!(instance.policy().contains("\"A\""), "{}", instance.policy());
    let (status, errors) = instance.script("x.txt", "ipsec static\nset store persistent\nadd filterlist name=B\n", &[]);
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    assert!(!instance.policy().contains("\"B\""), "{}", instance.policy());
}

#[test]
fn what_is_for_a_store_that_is_not_reached_is_done_nowhere() {
    let instance = Instance::new("storeless");
    instance.done(&["ipsec", "static", "add", "filterlist", "name=Kept"]);
    for (wrong, why) in [
        ("location=domain", "the domain store cannot be reached"),
        ("location=domian", "location is \"domian\""),
        ("domain=example.net", "set store has no location"),
    ] {
        let script = format!(
            "ipsec static\nset store {wrong}\ndelete all\ndynamic show nothing\nset store local\nadd filterlist name=More\n\
             delete filterlist name=More\n"
        );
        let (status, errors) = instance.script("a.txt", &script, &[]);
        assert_eq!(status, Some(1));
        assert!(errors.starts_with("a.txt:2:") && errors.contains(why), "{errors}");
        assert!(errors.contains("a.txt:3:1: not carried out, as the last set store has failed"), "{errors}");
        assert!(errors.ends_with("3 of 7 commands failed\n"), "{errors}");
        assert!(instance.policy().contains("Kept"), "{}", instance.policy());
    }
    // In a batch file each netsh begins anew.
    let script = "netsh ipsec static set store domain\nnetsh ipsec static add filterlist name=Local\n";
    let (status, errors) = instance.script("x.cmd", script, &[]);
    assert!(status == Some(1) && errors.lines().count() == 3, "{errors}");
    assert!(instance.policy().contains("Local"), "{}", instance.policy());
}

#[test]
fn scripts_call_scripts_but_not_for_ever() {
    let instance = Instance::new("nested");
    let inner = instance.root.join("inner.txt");
    fs::write(&inner, "add filterlist name=Inner\n").unwrap();
    let inner = inner.to_str().unwrap();
    let (status, errors) = instance.script(
        "outer.txt",
        &format!("ipsec static\nexec \"{inner}\"\nadd filterlist Outer\nbye\nadd filterlist Never\n"),
        &[],
    );
    assert_eq!((status, errors.as_str()), (Some(0), ""));
    let policy = instance.policy();
    assert!(policy.contains("Inner") && policy.contains("Outer") && !policy.contains("Never"), "{policy}");
    let (status, errors) = instance.script("x.cmd", &format!("netsh -c \"ipsec static\" -f {inner}\n"), &[]);
    assert_eq!(status, Some(1), "it exists already: {errors}");
    let (status, errors) = instance.script("loop.txt", &format!("exec {}/loop.txt\n", instance.root.display()), &[]);
    assert_eq!(status, Some(1));
    assert!(errors.contains("20 deep already") && errors.lines().count() == 2, "{errors}");
    // The alias file first, then the command.
    let alias = instance.root.join("alias.txt");
    fs::write(&alias, "ipsec static\nadd filterlist Alias\n").unwrap();
    instance.done(&["-a", alias.to_str().unwrap(), "ipsec", "static", "show", "store"]);
    assert!(instance.policy().contains("Alias"), "{}", instance.policy());
}

#[test]
fn what_would_be_left_out_silently_fails() {
    let instance = Instance::new("silent");
    fs::write(instance.root.join("s.txt"), "ipsec static\nadd filterlist name=Never\n").unwrap();
    // Standard input is not followed.
    for line in ["netsh < s.txt", "type s.txt | netsh -c \"ipsec static\"", "netsh ipsec static", "netsh -f -"] {
        for check in [&[][..], &["--check"]] {
            let (status, errors) = instance.script("x.cmd", &format!("@echo off\n{line}\n"), check);
            assert!(status == Some(1) && errors.starts_with("x.cmd:2:"), "{line}: {errors}");
        }
    }
    // A remark makes it a batch file, unless it is said what it is.
    let script = "rem the list\nipsec static\nadd filterlist name=A\n";
    for check in [&[][..], &["--check"]] {
        let (status, errors) = instance.script("x.txt", script, check);
        assert!(status == Some(1) && errors.starts_with("x.txt:1:1: by this line"), "{errors}");
    }
    assert!(!instance.policy().contains("\"A\""), "{}", instance.policy());
    let (_, errors) = instance.script("x.txt", script, &["--dialect", "netsh"]);
    assert!(errors.starts_with("x.txt:1:1: \"rem\" is no command"), "{errors}");
    assert!(instance.policy().contains("\"A\"") && !instance.policy().contains("Never"), "{}", instance.policy());
    let (status, errors) = instance.script("x.txt", script, &["--dialect", "batch"]);
    assert_eq!((status, errors.as_str()), (Some(0), ""));
}

#[test]
fn of_a_batch_file_with_conditions_and_jumps_only_what_is_certain_is_done() {
    let instance = Instance::new("certain");
    let script = "@echo off\nnetsh ipsec static add filterlist name=First\nif not exist x (\n  netsh ipsec static delete all\n) else (\n  \
                  netsh ipsec static add filterlist name=Never\n)\nnetsh ipsec static add filterlist name=Second\nif errorlevel 1 goto end\n\
                  netsh ipsec static delete all\n:end\n";
    let (status, errors) = instance.script("x.cmd", script, &[]);
    assert_eq!(status, Some(1));
    let places: Vec<_> = errors.lines().filter_map(|line| line.strip_prefix("x.cmd:")?.split(':').next()).collect();
    assert_eq!(places, ["4", "6", "10"], "{errors}");
    assert!(errors.ends_with("policyagent: x.cmd: 3 of 5 commands failed\n"), "{errors}");
    let policy = instance.policy();
    assert!(policy.contains("First") && policy.contains("Second") && !policy.contains("Never"), "{policy}");
}
