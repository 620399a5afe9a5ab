//! An instance of its own, and the program in it.
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_policyagent");

/// A policy with a rule towards an address where nobody answers.
pub(crate) const POLICY: &str = r#"[[policy]]
name = "lab"
assigned = true

[policy.main_mode]
offers = ["aes256-sha256-modp2048"]

[[policy.rule]]
name = "to b"
filter_list = "b"
filter_action = "require"
authentication = [{ preshared_key = "open sesame" }]

[[filter_list]]
name = "b"
filters = [{ source = "127.0.0.1", destination = "127.0.0.9" }]

[[filter_action]]
name = "require"
action = "negotiate"
offers = [{ esp = "aes256-sha256" }]
"#;

/// A root of its own; a service in it ends with it.
pub(crate) struct Host {
    pub(crate) root: PathBuf,
    pub(crate) service: Option<Child>,
}

impl Host {
    pub(crate) fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("policyagent-program-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("etc/policyagent")).unwrap();
        let host = Self { root, service: None };
        host.write_policy(POLICY);
        host
    }

    pub(crate) fn policy(&self) -> PathBuf {
        self.root.join("etc/policyagent/policy.toml")
    }

    pub(crate) fn write_policy(&self, text: &str) {
        fs::write(self.policy(), text).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("--root").arg(&self.root).args(arguments).env_remove("NOTIFY_SOCKET").stdin(Stdio::null());
        command
    }

    pub(crate) fn call(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Standard output of a command that must do it.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let output = self.call(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Standard error of a command that must fail.
    pub(crate) fn failed(&self, arguments: &[&str]) -> String {
        let output = self.call(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        stderr(&output)
    }

    pub(crate) fn status(&self) -> Value {
        serde_json::from_str(&self.done(&["--format", "json", "status"])).unwrap()
    }

    pub(crate) fn start(&mut self) {
        let log = fs::File::create(self.root.join("stderr")).unwrap();
        let arguments = ["run", "--driver", "memory", "--listen", "127.0.0.1:0", "--oakley-log", "on"];
        self.service = Some(self.command(&arguments).stderr(log).spawn().unwrap());
        self.until("the service answers", |host| host.call(&["status"]).status.success());
    }

    pub(crate) fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !condition(self) {
            let log = || fs::read_to_string(self.root.join("stderr")).unwrap_or_default();
            assert!(Instant::now() < end, "not in time: {what}\n{}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = i32::try_from(self.service.as_ref().unwrap().id()).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
    }

    /// Waits for the service's end and returns its exit status.
    pub(crate) fn ended(&mut self) -> std::process::ExitStatus {
        let mut service = self.service.take().unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(status) = service.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > end {
                let _ = service.kill();
                panic!("the service does not end");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut service) = self.service.take() {
            let _ = service.kill();
            let _ = service.wait();
        }
        let _ = fs::remove_dir_all(&self.root);
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
