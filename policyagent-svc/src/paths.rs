//! Where things are, below the root.
use std::path::{Path, PathBuf};

/// The places of one instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Paths {
    root: PathBuf,
}

impl Paths {
    /// The places below `root`.
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The root itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The settings file; it need not exist.
    pub(crate) fn settings(&self) -> PathBuf {
        self.root.join("etc/policyagent/policyagent.toml")
    }

    /// The policy file, if neither settings nor command line name another.
    pub(crate) fn policy(&self) -> PathBuf {
        self.root.join("etc/policyagent/policy.toml")
    }

    /// The users of extended authentication, if the settings name no other file.
    pub(crate) fn users(&self) -> PathBuf {
        self.root.join("etc/policyagent/users")
    }

    /// The directory of this machine's certificates, if the settings name no other.
    pub(crate) fn certificates(&self) -> PathBuf {
        self.root.join("etc/policyagent/certificates")
    }

    /// The directory of the authorities' certificates, if the settings name no other.
    pub(crate) fn authorities(&self) -> PathBuf {
        self.root.join("etc/policyagent/authorities")
    }

    /// The directory of what is kept between the service's runs.
    pub(crate) fn state(&self) -> PathBuf {
        self.root.join("var/lib/policyagent")
    }

    /// The persistent store.
    pub(crate) fn persistent(&self) -> PathBuf {
        self.state().join("persistent.toml")
    }

    /// What was last read of the directory.
    pub(crate) fn directory_cache(&self) -> PathBuf {
        self.state().join("directory.toml")
    }

    /// The group policy objects that were last looked at for this host.
    pub(crate) fn directory_gpos(&self) -> PathBuf {
        self.state().join("directory-gpos.json")
    }

    /// The directory of the last good versions of the stores.
    pub(crate) fn last_good(&self) -> PathBuf {
        self.state().join("last-good")
    }

    /// The directory of Oakley.log.
    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("var/log/policyagent")
    }

    /// Oakley.log.
    pub(crate) fn oakley(&self) -> PathBuf {
        self.log().join("Oakley.log")
    }

    /// The audit file, if the settings name no other.
    pub(crate) fn audit(&self) -> PathBuf {
        self.log().join("audit.jsonl")
    }

    /// The socket of the journal, if the settings name no other.
    pub(crate) fn journal(&self) -> PathBuf {
        self.root.join("run/systemd/journal/socket")
    }

    /// The socket of syslog, if the settings name no other.
    pub(crate) fn syslog(&self) -> PathBuf {
        self.root.join("dev/log")
    }

    /// The directory of the key log, if the settings name no other.
    pub(crate) fn key_log(&self) -> PathBuf {
        self.log().join("keylog")
    }

    /// The directory of the control socket and of the lock.
    pub(crate) fn run(&self) -> PathBuf {
        self.root.join("run/policyagent")
    }

    /// The control socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.run().join("control.sock")
    }

    /// The file that the service holds a lock on while it runs.
    pub(crate) fn lock(&self) -> PathBuf {
        self.run().join("lock")
    }
}
