//! `set machine`: commands that are carried out by another netsh, behind what stands for ssh.
use std::fs;
use std::path::PathBuf;
use std::process::Output;

use crate::instance::{Instance, PROGRAM, told};

/// An instance, and an `ssh` that calls the program on instances beneath it, which are the other machines.
pub(crate) struct Machines {
    pub(crate) here: Instance,
    /// With the directory of `ssh` before all others.
    pub(crate) path: String,
}

impl Machines {
    pub(crate) fn new(name: &str) -> Self {
        let here = Instance::new(name);
        for machine in ["gate", "other"] {
            fs::create_dir_all(here.root.join(machine).join("etc/policyagent")).unwrap();
        }
        let root = here.root.display();
        let script = format!(
            "#!/bin/sh\n\
             echo \"$@\" >> {root}/called\n\
             format=; case \"$3\" in *'--format json'*) format='--format json';; esac\n\
             case \"$2\" in\n\
             gate|other) echo 'Welcome!'; exec {PROGRAM} --root {root}/$2 $format netsh --serve;;\n\
             dies) echo '{{\"ready\":1}}'; read line; exit 3;;\n\
             newer) echo '{{\"ready\":2}}'; read line; exit 0;;\n\
             talks) yes;;\n\
             esac\n\
             echo 'no route' >&2; exit 255\n"
        );
        here.program("ssh", script.as_bytes());
        let path = format!("{root}:{}", std::env::var("PATH").unwrap());
        Self { here, path }
    }

    fn netsh(&self, arguments: &[&str]) -> Output {
        self.here.command(&[&["netsh"], arguments].concat()).env("PATH", &self.path).output().unwrap()
    }

    /// Runs a script; exit status, what it prints, and what is wrong.
    fn script(&self, name: &str, script: &str, more: &[&str]) -> (Option<i32>, String, String) {
        let path = self.here.file(name, script.as_bytes());
        let (status, out, err) = told(&self.netsh(&[more, &["-f", &path]].concat()));
        (status, out, err.replace(&format!("{}/", self.here.root.display()), ""))
    }

    fn document(&self, file: &str) -> String {
        fs::read_to_string(self.here.root.join(file)).unwrap_or_default()
    }

    fn policy_of(&self, machine: &str) -> String {
        self.document(&format!("{machine}/etc/policyagent/policy.toml"))
    }
}

#[test]
fn the_commands_that_follow_are_carried_out_on_the_machine() {
    let machines = Machines::new("machine");
    let inner: PathBuf = machines.here.file("inner.txt", b"add filterlist name=Inner\n").into();
    let script = format!(
        "ipsec static\nadd filterlist name=Before\nset machine name=gate\nadd filterlist name=There\nexec {}\n\
         add policy name=P\nadd filteraction name=A action=permit\nadd rule R P There A psk=\"open sesame\"\n\
         show filterlist all format=table\nset machine root@gate\nset machine other\nset store persistent\n\
         add filterlist name=Kept\nset machine\nadd filterlist name=After\nadd filterlist name=After\n",
        inner.display()
    );
    let (status, out, err) = machines.script("a.txt", &script, &[]);
    assert_eq!(status, Some(1));
    let lines: Vec<&str> = err.lines().collect();
    assert_eq!(lines[0], "no route", "{err}");
    assert!(lines[1].starts_with("a.txt:10:1: root@gate was not reached: no netsh is ready there; ssh: exit"), "{err}");
    assert_eq!(lines[2], "a.txt:16:1: the filter list \"After\" exists already", "{err}");
    assert_eq!(lines[3], "policyagent: a.txt: 2 of 17 commands failed", "{err}");
    assert!(out.contains("There") && out.contains("Inner") && !out.contains("Before"), "{out}");
    let (here, gate) = (machines.here.policy(), machines.policy_of("gate"));
    assert!(here.contains("Before") && here.contains("After"), "{here}");
    assert!(!here.contains("There") && !here.contains("Inner") && !here.contains("Kept"), "{here}");
    assert!(gate.contains("There") && gate.contains("Inner") && gate.contains("open sesame"), "{gate}");
    assert!(!gate.contains("Before") && !gate.contains("After"), "{gate}");
    assert!(machines.document("other/var/lib/policyagent/persistent.toml").contains("Kept"));
    assert!(!machines.policy_of("other").contains("Kept"));
    // Keys do not go there in a command line.
    let root = machines.here.root.display();
    let called = machines.document("called");
    assert_eq!(
        called.lines().next(),
        Some(format!("-- gate policyagent --root {root} netsh --serve").as_str()),
        "{called}"
    );
    assert!(!called.contains("sesame"), "{called}");
}

#[test]
fn errors_of_the_machine_are_told_with_their_lines_and_for_programs() {
    let machines = Machines::new("machine-errors");
    let script = "set machine gate\nipsec static\nadd filterlist name=A\nadd filterlist name=A\nadd bogus x\n\
                  show filterlist all\n";
    let (status, _, err) = machines.script("a.txt", script, &[]);
    assert_eq!(status, Some(1));
    assert!(err.starts_with("a.txt:4:1: the filter list \"A\" exists already\na.txt:5:5: \"bogus\""), "{err}");
    let path = machines.here.root.join("a.txt");
    let arguments = ["--format", "json", "netsh", "-f", path.to_str().unwrap()];
    let output = machines.here.command(&arguments).env("PATH", &machines.path).output().unwrap();
    let (_, out, _) = told(&output);
    let values = serde_json::Deserializer::from_str(&out).into_iter::<serde_json::Value>();
    let values: Vec<_> = values.map(|value| value.unwrap()).collect();
    assert_eq!(
        (&values[0]["line"], &values[1]["line"], &values[2]["line"]),
        (&3.into(), &4.into(), &5.into()),
        "{out}"
    );
    assert!(out.contains("\"A\"") && values.len() == 4, "{out}");
}

#[test]
fn what_is_for_a_machine_that_is_not_reached_is_done_nowhere() {
    let machines = Machines::new("machine-lost");
    for (machine, why) in [
        ("fails", "fails was not reached: no netsh is ready there"),
        ("newer", "its netsh is of another release"),
        ("talks", "no netsh is ready there"),
        ("name=-oProxyCommand=x", "allowed: MACHINE or USER@MACHINE"),
        ("\"a b\"", "allowed: MACHINE or USER@MACHINE"),
        ("gate user=joe pwd=sesame", "user and pwd are not for this netsh"),
        ("pwd=sesame", "user and pwd are not for this netsh"),
        ("gate bogus=sesame pwd=x", "set machine has a parameter that it does not know"),
        ("a b c d", "a value too many for set machine"),
        ("name=\"\"", "allowed: MACHINE or USER@MACHINE"),
    ] {
        let script = format!(
            "set machine gate\nset machine {machine}\nipsec static\nadd filterlist name=Never\nset machine\nadd filterlist name=Here\ndelete filterlist name=Here\n"
        );
        let (status, _, err) = machines.script("a.txt", &script, &[]);
        assert_eq!(status, Some(1), "{machine}");
        assert!(err.contains("a.txt:2:") && err.contains(why) && !err.contains("sesame"), "{machine}: {err}");
        assert!(err.contains("a.txt:4:1: not carried out, as the machine"), "{machine}: {err}");
        assert!(err.ends_with("policyagent: a.txt: 2 of 7 commands failed\n"), "{machine}: {err}");
    }
    // One that is gone in the middle.
    let script = "set machine dies\nipsec static\nadd filterlist name=Never\nadd filterlist name=Never\n";
    let (status, _, err) = machines.script("a.txt", script, &[]);
    assert_eq!(status, Some(1));
    assert!(err.contains("a.txt:3:1: netsh on dies answers no more; ssh: exit status: 3\n"), "{err}");
    assert!(err.contains("a.txt:4:1: not carried out, as the machine"), "{err}");
    for machine in ["", "gate/", "other/"] {
        let policy = machines.document(&format!("{machine}etc/policyagent/policy.toml"));
        assert!(!policy.contains("Never"), "{policy}");
    }
}

#[test]
fn each_machine_begins_anew_and_what_is_held_back_there_is_written_at_the_end() {
    let machines = Machines::new("machine-batch");
    let script = "ipsec static\nset store persistent\nset machine gate\nset batch mode=enable\nadd filterlist name=A\n\
                  set machine\nadd filterlist name=B\nset machine other\nset batch mode=enable\nadd filterlist name=C\n";
    assert_eq!(machines.script("a.txt", script, &[]), (Some(0), String::new(), String::new()));
    assert!(machines.policy_of("gate").contains("\"A\"") && machines.policy_of("other").contains("\"C\""));
    // The local store of this host again.
    assert!(machines.here.policy().contains("\"B\""), "{}", machines.here.policy());
}

#[test]
fn a_store_that_is_not_reached_there_is_none_of_another_there() {
    let machines = Machines::new("machine-store");
    let script = "set machine gate\nipsec static\nset store domain\nadd filterlist name=Never\nset store bogus\n\
                  add filterlist name=Never\nset machine other\nadd filterlist name=A\n";
    let (status, _, err) = machines.script("a.txt", script, &[]);
    assert_eq!(status, Some(1));
    let places: Vec<_> = err.lines().filter_map(|line| line.strip_prefix("a.txt:")?.split(':').next()).collect();
    assert_eq!(places, ["3", "4", "5", "6"], "{err}");
    assert_eq!(machines.policy_of("gate"), "");
    assert!(machines.policy_of("other").contains("\"A\"") && machines.here.policy().is_empty());
}

#[test]
fn a_netsh_of_a_batch_file_is_on_this_host_again() {
    let machines = Machines::new("machine-script");
    let script = "netsh set machine gate\nnetsh ipsec static add filterlist name=A\n";
    let (status, _, err) = machines.script("x.cmd", script, &[]);
    assert_eq!(status, Some(0), "{err}");
    assert!(err.starts_with("x.cmd:1:1: warning: this holds for this call of netsh only"), "{err}");
    assert!(machines.here.policy().contains("\"A\"") && !machines.policy_of("gate").contains("\"A\""));
    // A script of netsh's own in it.
    machines.here.file("inner.txt", b"set machine gate\nipsec static\nadd filterlist name=B\n");
    let script =
        format!("netsh -f {}/inner.txt\nnetsh ipsec static add filterlist name=C\n", machines.here.root.display());
    assert_eq!(machines.script("x.cmd", &script, &[]), (Some(0), String::new(), String::new()));
    assert!(machines.policy_of("gate").contains("\"B\"") && !machines.policy_of("gate").contains("\"C\""));
    assert!(machines.here.policy().contains("\"C\"") && !machines.here.policy().contains("\"B\""));
}

#[test]
fn another_machine_is_not_held_back_and_not_checked() {
    let machines = Machines::new("machine-atomic");
    let script = "ipsec static\nadd filterlist name=A\nset machine gate\nadd filterlist name=B\n";
    let (status, _, err) = machines.script("a.txt", script, &["--atomic"]);
    assert_eq!(status, Some(1));
    assert!(err.starts_with("a.txt:3:1: what is done on another machine cannot be held back"), "{err}");
    assert!(err.ends_with("1 command failed; nothing was changed\n"), "{err}");
    assert_eq!((machines.here.policy(), machines.policy_of("gate")), (String::new(), String::new()));
    let (status, out, err) = machines.script("a.txt", "set mach root@gate pwd=sesame\nset machine\n", &["--check"]);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    assert_eq!(out, "1: set machine name=\"root@gate\" pwd=\"(not shown)\"\n2: set machine\n");
    assert!(!machines.here.root.join("called").exists());
}

#[test]
fn a_netsh_that_serves_answers_each_line() {
    let here = Instance::new("serve");
    let mut child = here
        .command(&["netsh", "--serve"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = "ipsec static add filterlist name=A\nipsec static add filterlist name=A\nipsec static\nnonsense\n\
                 set machine gate\n\nipsec static set batch mode=enable\nipsec static add filterlist name=B\n";
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), lines.as_bytes()).unwrap();
    let (status, out, _) = told(&child.wait_with_output().unwrap());
    assert_eq!(status, Some(0));
    let answers: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed = |index: usize, text: &str| {
        assert!(answers[index]["failed"].as_str().is_some_and(|why| why.contains(text)), "{out}");
    };
    assert_eq!(answers.len(), 10, "{out}");
    assert_eq!(answers[0]["ready"], 1);
    assert_eq!(answers[1]["done"], "");
    failed(2, "exists already");
    failed(3, "no command in full");
    failed(4, "is no command");
    failed(5, "set machine is for");
    failed(6, "no command in full");
    assert_eq!((&answers[8]["done"], &answers[9]["done"]), (&"".into(), &"".into()), "{out}");
    assert!(here.policy().contains("\"B\""), "{}", here.policy());
}
