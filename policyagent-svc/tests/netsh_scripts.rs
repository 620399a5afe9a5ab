//! What scripts of netsh do: the samples as they are found in the field, all or nothing, and the prompt.
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_policyagent");

/// An instance of its own; a service of it ends with it.
struct Instance {
    root: PathBuf,
    service: Option<Child>,
}

impl Instance {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("policyagent-scripts-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("etc/policyagent")).unwrap();
        Self { root, service: None }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("--root").arg(&self.root).args(arguments).env_remove("NOTIFY_SOCKET").stdin(Stdio::null());
        command
    }

    fn netsh(&self, arguments: &[&str]) -> Output {
        self.command(&[&["netsh"], arguments].concat()).output().unwrap()
    }

    /// What a command that must succeed prints.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.netsh(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs a script; its exit status and what it said was wrong.
    fn script(&self, name: &str, script: &str, more: &[&str]) -> (Option<i32>, String) {
        let path = self.root.join(name);
        fs::write(&path, script).unwrap();
        let output = self.netsh(&[more, &["-f", path.to_str().unwrap()]].concat());
        (output.status.code(), text(&output.stderr).replace(&format!("{}/", self.root.display()), ""))
    }

    /// The policy file; nothing if there is none.
    fn policy(&self) -> String {
        fs::read_to_string(self.root.join("etc/policyagent/policy.toml")).unwrap_or_default()
    }

    fn start(&mut self) {
        let log = fs::File::create(self.root.join("stderr")).unwrap();
        fs::write(self.root.join("etc/policyagent/policy.toml"), self.policy()).unwrap();
        let arguments = ["run", "--driver", "memory", "--listen", "127.0.0.1:0"];
        self.service = Some(self.command(&arguments).stderr(log).spawn().unwrap());
        let end = Instant::now() + Duration::from_secs(20);
        while !self.command(&["status"]).output().unwrap().status.success() {
            assert!(Instant::now() < end, "{}", fs::read_to_string(self.root.join("stderr")).unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(mut service) = self.service.take() {
            let _ = service.kill();
            let _ = service.wait();
        }
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

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

#[test]
fn all_or_nothing() {
    let instance = Instance::new("atomic");
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

#[test]
fn at_the_prompt_contexts_are_shown_and_keys_not_kept() {
    let instance = Instance::new("prompt");
    let terminal = nix::pty::openpty(None, None).unwrap();
    let end = || Stdio::from(terminal.slave.try_clone().unwrap());
    let mut child = instance
        .command(&["netsh"])
        .env("XDG_STATE_HOME", &instance.root)
        .env("TERM", "xterm")
        .stdin(end())
        .stdout(end())
        .stderr(end())
        .spawn()
        .unwrap();
    drop(terminal.slave);
    let mut keyboard = fs::File::from(terminal.master);
    let mut screen = keyboard.try_clone().unwrap();
    let (told, tells) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut octets = [0; 4096];
        // The terminal ends with the program.
        while let Ok(count @ 1..) = screen.read(&mut octets) {
            if told.send(text(&octets[..count])).is_err() {
                break;
            }
        }
    });
    let mut seen = String::new();
    // What follows it is for the next.
    let mut until = |expected: &str| {
        loop {
            if let Some(at) = seen.find(expected) {
                seen.drain(..at + expected.len());
                return;
            }
            match tells.recv_timeout(Duration::from_secs(20)) {
                Ok(more) => seen += &more,
                Err(_) => panic!("{expected:?} does not come: {seen:?}"),
            }
        }
    };
    // The terminal shows the prompt again with each change of a line: behind the end of a line it is a new one.
    let prompt = "\r\n\u{1b}[?2004h";
    let mut kind = |text: &str| keyboard.write_all(text.as_bytes()).unwrap();
    until("netsh>");
    kind("ipsec static\r");
    until(prompt);
    until("netsh ipsec static>");
    // The rest of the word is offered.
    kind("add filterli\t name=Typed\r");
    until(prompt);
    until("netsh ipsec static>");
    kind("set defaultrule policy=None psk=sesame\r");
    until("there is no policy \"None\"");
    until(prompt);
    until("netsh ipsec static>");
    kind("add rule R P F A psk=\"sesame\" ?\r");
    until("Example: ");
    until(prompt);
    until("netsh ipsec static>");
    kind("nonsense\r");
    until("no command of netsh ipsec static");
    until(prompt);
    until("netsh ipsec static>");
    // Typed ahead, and pasted: several lines at once.
    kind("add filterlist Ahead\rshow filterlist name=Ahead\r");
    until("FilterList Name");
    until(prompt);
    until("netsh ipsec static>");
    kind("\u{1b}[200~add filterlist Pasted\n# comment\nshow filterlist name=Pasted\n\u{1b}[201~\r");
    until("FilterList Name");
    until(prompt);
    until("netsh ipsec static>");
    kind("quit\r");
    let end = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "the prompt does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    for name in ["Typed", "Ahead", "Pasted"] {
        assert!(instance.policy().contains(name), "{}", instance.policy());
    }
    let kept = fs::read_to_string(instance.root.join("policyagent/netsh-history")).unwrap();
    assert_eq!(
        kept,
        "ipsec static\nadd filterlist name=Typed\nadd filterlist Ahead\nshow filterlist name=Ahead\n\
         add filterlist Pasted\nshow filterlist name=Pasted\nquit\n"
    );
}
