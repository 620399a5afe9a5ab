//! An instance of its own, in which netsh is called.
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_policyagent");

/// A directory that is the root of an instance; a service of it ends with it.
pub(crate) struct Instance {
    pub(crate) root: PathBuf,
    service: Option<Child>,
}

impl Instance {
    pub(crate) fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("policyagent-netsh-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("etc/policyagent")).unwrap();
        Self { root, service: None }
    }

    /// A file in its directory; its path.
    pub(crate) fn file(&self, name: &str, octets: &[u8]) -> String {
        let path = self.root.join(name);
        fs::write(&path, octets).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A program in its directory. Another process writes it: what this one had open for writing a child that it starts meanwhile
    /// could have open, too, and then it could not be executed.
    pub(crate) fn program(&self, name: &str, octets: &[u8]) {
        let text = self.file(&format!("{name}.text"), octets);
        let done = Command::new("install").args(["-m", "755", &text]).arg(self.root.join(name)).status();
        assert!(done.unwrap().success(), "{name}");
    }

    pub(crate) fn command_of(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.arg("--root").arg(&self.root).args(arguments).env_remove("NOTIFY_SOCKET").stdin(Stdio::null());
        command
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(Path::new(PROGRAM), arguments)
    }

    pub(crate) fn netsh(&self, arguments: &[&str]) -> Output {
        self.command(&[&["netsh"], arguments].concat()).output().unwrap()
    }

    /// What a command that must succeed prints.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let output = self.netsh(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs a script; its exit status and what it said was wrong.
    pub(crate) fn script(&self, name: &str, script: &str, more: &[&str]) -> (Option<i32>, String) {
        let path = self.file(name, script.as_bytes());
        let output = self.netsh(&[more, &["-f", &path]].concat());
        (output.status.code(), text(&output.stderr).replace(&format!("{}/", self.root.display()), ""))
    }

    /// The policy file; nothing if there is none.
    pub(crate) fn policy(&self) -> String {
        fs::read_to_string(self.root.join("etc/policyagent/policy.toml")).unwrap_or_default()
    }

    pub(crate) fn start(&mut self) {
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

pub(crate) fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// Exit status, standard output, standard error.
pub(crate) fn told(output: &Output) -> (Option<i32>, String, String) {
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}
