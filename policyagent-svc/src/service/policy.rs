//! The policy in force, and the attempts to change it.
use ikecore::policy::db::PolicyDb;
use ikedaemon::engine::Unsupported;
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::compile::{Compiled, Machine, Reqids, compile};
use crate::control::report::PolicyReport;
use crate::document::DocumentError;
use crate::model::PolicyFile;

/// The policy in force.
#[derive(Debug)]
pub(crate) struct InForce {
    path: PathBuf,
    /// The file must exist: somebody named it.
    required: bool,
    file: Option<PolicyFile>,
    machine: Machine,
    /// Addresses that peers gave to this host: the policy is not for them.
    granted: BTreeSet<IpAddr>,
    reqids: Reqids,
    db: Arc<PolicyDb>,
    report: PolicyReport,
}

impl InForce {
    /// Nothing is in force yet.
    pub(crate) fn new(path: PathBuf, required: bool) -> Self {
        let report = PolicyReport { path: path.clone(), ..PolicyReport::default() };
        Self {
            path,
            required,
            file: None,
            machine: Machine::default(),
            granted: BTreeSet::new(),
            reqids: Reqids::default(),
            db: Arc::default(),
            report,
        }
    }

    /// What is told of it.
    pub(crate) fn report(&self) -> &PolicyReport {
        &self.report
    }

    /// The database.
    pub(crate) fn db(&self) -> &Arc<PolicyDb> {
        &self.db
    }

    /// Adds to the report what the SA driver cannot run.
    pub(crate) fn warn_of(&mut self, unsupported: Vec<Unsupported>) {
        self.report.warnings.extend(unsupported.iter().map(ToString::to_string));
    }

    /// Which addresses of this machine are its own no more than as long as a peer lets it have them.
    pub(crate) fn set_granted(&mut self, granted: BTreeSet<IpAddr>) {
        self.granted = granted;
    }

    /// This machine as far as `file` goes by it: other links than those of its neighbours come and go as they like.
    fn machine_for(&self, file: Option<&PolicyFile>) -> io::Result<Machine> {
        let mut machine = Machine::this()?;
        machine.addresses = &machine.addresses - &self.granted;
        if !file.is_some_and(PolicyFile::has_links) {
            machine = Machine { addresses: machine.addresses, ..Machine::default() };
        }
        Ok(machine)
    }

    /// Reads the file again and compiles it. With a fault everything stays as it was, and the report says why.
    pub(crate) fn load(&mut self) -> Result<Arc<PolicyDb>, String> {
        let loaded = self.read().and_then(|file| {
            let machine =
                self.machine_for(file.as_ref()).map_err(|error| format!("the addresses of this machine: {error}"))?;
            self.put_in_force(file, machine)
        });
        if let Err(error) = &loaded {
            self.report.error = Some(error.clone());
        }
        loaded
    }

    fn read(&self) -> Result<Option<PolicyFile>, String> {
        match PolicyFile::read(&self.path) {
            Ok(file) => Ok(Some(file)),
            Err(DocumentError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound && !self.required => {
                Ok(None)
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Compiles the file again if the addresses of this machine have changed.
    pub(crate) fn follow_addresses(&mut self) -> Option<Arc<PolicyDb>> {
        let machine = self.machine_for(self.file.as_ref()).ok()?;
        if machine == self.machine {
            return None;
        }
        let error = self.report.error.take();
        let file = self.file.take();
        let db = self.put_in_force(file, machine).ok();
        // That the file could not be read last time is still true.
        self.report.error = error;
        db
    }

    fn put_in_force(&mut self, file: Option<PolicyFile>, machine: Machine) -> Result<Arc<PolicyDb>, String> {
        let (mut db, warnings, name) = match &file {
            Some(file) => {
                let Compiled { db, warnings } =
                    compile(file, &machine, &mut self.reqids).map_err(|error| error.to_string())?;
                (db, warnings, file.assigned().map(|policy| policy.name.clone()))
            }
            None => (PolicyDb::default(), Vec::new(), None),
        };
        db.version = self.report.version + 1;
        self.report = PolicyReport {
            path: self.path.clone(),
            version: db.version,
            name,
            rules: db.rules.iter().chain(db.default_response()).map(|rule| rule.name.clone()).collect(),
            error: None,
            warnings: warnings.iter().map(ToString::to_string).collect(),
        };
        self.file = file;
        self.machine = machine;
        self.db = Arc::new(db);
        Ok(Arc::clone(&self.db))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::GOOD;

    #[test]
    fn a_file_with_a_fault_changes_nothing_and_the_report_says_why() {
        let path = std::env::temp_dir().join(format!("policyagent-in-force-{}.toml", std::process::id()));
        // This machine's addresses do not matter: permit is for any.
        let good =
            GOOD.replace("source = \"me\", destination = \"10.9.0.2\"", "source = \"10.9.0.1\", destination = \"any\"");
        std::fs::write(&path, &good).unwrap();
        let mut policy = InForce::new(path.clone(), true);
        let first = policy.load().unwrap();
        assert_eq!((first.version, policy.report().rules.as_slice()), (1, ["to b".to_owned()].as_slice()));

        std::fs::write(&path, good.replace("negotiate", "negociate")).unwrap();
        let error = policy.load().unwrap_err();
        assert!(error.contains(":20:10: action of filter action"), "{error}");
        assert_eq!(policy.report().error.as_ref(), Some(&error));
        assert_eq!((policy.report().version, policy.db().version, policy.db().rules.len()), (1, 1, 1));

        std::fs::write(&path, good.replace("\"to b\"", "\"to c\"")).unwrap();
        assert_eq!(policy.load().unwrap().version, 2);
        assert_eq!((policy.report().error.as_ref(), policy.report().rules[0].as_str()), (None, "to c"));

        std::fs::remove_file(&path).unwrap();
        assert!(policy.load().unwrap_err().contains("No such file"), "it was named");
        let mut usual = InForce::new(path, false);
        assert_eq!(usual.load().unwrap().rules.len(), 0);
        assert_eq!(usual.report().name, None);
    }

    #[test]
    fn addresses_that_are_as_they_were_change_nothing() {
        let mut policy = InForce::new("/nonexistent/policy.toml".into(), false);
        policy.load().unwrap();
        assert!(policy.follow_addresses().is_none());
        policy.machine.addresses.insert("192.0.2.99".parse().unwrap());
        assert_eq!(policy.follow_addresses().unwrap().version, 2);
    }
}
