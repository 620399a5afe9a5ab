//! The policy in force: that of all stores together, and the attempts to change it.
use ikecore::policy::db::PolicyDb;
use ikecore::policy::exempt::DefaultExemptions;
use ikedaemon::engine::Unsupported;
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;
use zeroize::Zeroizing;

use super::held::{Content, Held};
use crate::audit::AgentEvent;
use crate::compile::{Compiled, Hosts, Machine, Needs, Part, Reqids, Sources, compile_all};
use crate::control::in_force::InForceReport;
use crate::control::report::PolicyReport;
use crate::document::{Document, DocumentError};
use crate::model::PolicyFile;
use crate::paths::Paths;
use crate::store::{Location, Offer, Store, Verdict, Why, precedence};

/// In force when the persistent store cannot be.
const BLOCK: &str = include_str!("block.toml");

/// The stores, in the order of [`Location::ALL`].
const PERSISTENT: usize = 0;
const DIRECTORY: usize = 1;
const LOCAL: usize = 2;
const DYNAMIC: usize = 3;
const STORES: usize = 4;

/// The policy in force.
#[derive(Debug)]
pub(crate) struct InForce {
    stores: [Held; STORES],
    /// Somebody named the local store's file.
    is_named: bool,
    /// Where it is written what the machine does not know by itself.
    sources: Sources,
    /// The addresses of hosts, as they were last looked up.
    hosts: Hosts,
    /// Who looks hosts up is told that the policy is another.
    changed: Arc<Notify>,
    machine: Machine,
    /// Addresses that peers gave to this host: the policy is not for them.
    granted: BTreeSet<IpAddr>,
    exemptions: DefaultExemptions,
    reqids: Reqids,
    db: Arc<PolicyDb>,
    block: PolicyFile,
    /// The revision that the dynamic store begins with: no other service's, so that nobody changes by what he saw of one
    /// before.
    first_revision: u64,
    /// What is allowed, but perhaps not meant.
    warnings: Vec<String>,
}

/// What is to be looked at again.
#[derive(Debug)]
pub(crate) enum Look {
    /// Each store.
    All,
    /// The stores of which files have changed.
    Changed,
    /// The machine alone.
    Machine,
    /// The dynamic store: it is this from now on.
    Dynamic(Document),
}

/// A policy that may be put in force.
#[derive(Debug)]
pub(crate) struct Attempt {
    contents: [Option<Content>; STORES],
    machine: Machine,
    reqids: Reqids,
    /// The database.
    pub(crate) db: Arc<PolicyDb>,
    warnings: Vec<String>,
}

impl InForce {
    /// Nothing is in force yet. The local store's file is `named`, or the usual one.
    pub(crate) fn new(
        paths: &Paths,
        named: Option<&Path>,
        sources: Sources,
        exemptions: DefaultExemptions,
    ) -> Result<Self, DocumentError> {
        let stores = [
            Held::new(Location::Persistent, Some(Store::persistent(paths))),
            Held::new(Location::Directory, Some(Store::directory(paths))),
            Held::new(Location::Local, Some(Store::local(paths, named))),
            Held::new(Location::Dynamic, None),
        ];
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            first_revision: u64::try_from(since.as_micros()).unwrap_or_default(),
            stores,
            is_named: named.is_some(),
            sources,
            hosts: Hosts::new(),
            changed: Arc::default(),
            machine: Machine::default(),
            granted: BTreeSet::new(),
            exemptions,
            reqids: Reqids::default(),
            db: Arc::default(),
            block: block_mode()?,
            warnings: Vec::new(),
        })
    }

    /// What is told of it.
    pub(crate) fn report(&self) -> PolicyReport {
        let stores = self.stores.iter().zip(self.verdicts(&[None, None, None, None]));
        let stores = stores.map(|(held, verdict)| held.report(verdict)).collect();
        let parts = self.parts(&[None, None, None, None]);
        let names: Vec<&str> =
            parts.iter().flat_map(|part| part.policies()).map(|policy| policy.name.as_str()).collect();
        let errors: Vec<&str> = self.stores.iter().filter_map(|held| held.error.as_deref()).collect();
        PolicyReport {
            path: self.path(LOCAL),
            version: self.db.version,
            name: (!names.is_empty()).then(|| names.join(", ")),
            rules: self.db.rules.iter().chain(self.db.default_response()).map(|rule| rule.name.clone()).collect(),
            error: (!errors.is_empty()).then(|| errors.join("\n")),
            warnings: self.warnings.clone(),
            stores,
        }
    }

    /// What is wrong with its stores.
    pub(crate) fn faults(&self) -> Vec<AgentEvent> {
        let faults = self.stores.iter().filter_map(|held| {
            let error = held.error.clone()?;
            let path = held.store.as_ref().map(|store| store.path().to_owned());
            Some(AgentEvent::StoreFault { store: held.location.name().to_owned(), path, error })
        });
        faults.collect()
    }

    /// Its policies and filters, one by one.
    pub(crate) fn in_force(&self) -> InForceReport {
        InForceReport::new(&self.db, &self.parts(&[None, None, None, None]))
    }

    fn path(&self, at: usize) -> PathBuf {
        self.stores[at].store.as_ref().map(|store| store.path().to_owned()).unwrap_or_default()
    }

    /// The database.
    pub(crate) fn db(&self) -> &Arc<PolicyDb> {
        &self.db
    }

    /// The files whose change is one of the policy.
    pub(crate) fn files(&self) -> BTreeSet<PathBuf> {
        self.stores.iter().flat_map(Held::files).cloned().collect()
    }

    /// True if one of them is not as it was.
    pub(crate) fn has_changed(&self) -> bool {
        self.stores.iter().any(Held::has_changed)
    }

    /// The dynamic store's document, with its revision.
    pub(crate) fn dynamic(&self) -> (u64, &str) {
        let held = &self.stores[DYNAMIC];
        (self.first_revision + held.version, &held.content.text)
    }

    /// Adds to the report what the SA driver cannot run.
    pub(crate) fn warn_of(&mut self, unsupported: Vec<Unsupported>) {
        self.warnings.extend(unsupported.iter().map(ToString::to_string));
    }

    /// Which addresses of this machine are its own no more than as long as a peer lets it have them.
    pub(crate) fn set_granted(&mut self, granted: BTreeSet<IpAddr>) {
        self.granted = granted;
    }

    /// The names of hosts that the policy goes by.
    pub(crate) fn hosts_wanted(&self) -> BTreeSet<String> {
        Needs::of(self.parts(&[None, None, None, None]).iter().map(|part| part.file)).hosts
    }

    /// Whether the SA driver takes policies for link-local addresses.
    pub(crate) fn set_link_local(&mut self, link_local: bool) {
        self.sources.link_local = link_local;
    }

    /// The addresses of this machine.
    pub(crate) fn addresses(&self) -> &BTreeSet<IpAddr> {
        &self.machine.addresses
    }

    /// Tells that another policy is in force.
    pub(crate) fn changed(&self) -> Arc<Notify> {
        Arc::clone(&self.changed)
    }

    /// What was found for names of hosts. What was not found keeps the addresses that it had: no answer is no news.
    pub(crate) fn set_hosts(&mut self, found: Hosts) {
        self.hosts.extend(found);
    }

    /// This machine as far as the policy goes by it.
    fn machine_for(&self, parts: &[Part<'_>]) -> io::Result<Machine> {
        let needs = Needs::of(parts.iter().map(|part| part.file));
        let mut machine = Machine::this(&needs, &self.sources, &self.hosts)?;
        machine.addresses = &machine.addresses - &self.granted;
        Ok(machine)
    }

    /// What becomes of each store, with `contents` in the place of what is so far.
    fn verdicts(&self, contents: &[Option<Content>; STORES]) -> [Verdict; STORES] {
        precedence(|location| {
            let at = self.stores.iter().position(|held| held.location == location).unwrap_or_default();
            self.stores[at].offer(contents[at].as_ref())
        })
    }

    /// What is in force together, with `contents` in the place of what is so far.
    fn parts<'a>(&'a self, contents: &'a [Option<Content>; STORES]) -> Vec<Part<'a>> {
        let verdicts = self.verdicts(contents);
        if verdicts[PERSISTENT].why == Why::Failed {
            return vec![Part { store: "block mode", file: &self.block, everything: false }];
        }
        let stores = self.stores.iter().zip(contents).zip(&verdicts);
        // A store without an assigned policy has nothing but its warnings.
        let considered = stores.filter(|(_, verdict)| verdict.applies() || verdict.why == Why::Unassigned);
        considered.filter_map(|((held, content), _)| held.part(content.as_ref().unwrap_or(&held.content))).collect()
    }

    /// The first policy. An error if nothing good is known of the local store, and either somebody named its file or no other
    /// store has anything to be put in force.
    pub(crate) fn start(&mut self) -> Result<Attempt, String> {
        let attempt = self.attempt(Look::All)?.ok_or("the policy was started before")?;
        let is_good = |at: usize| self.stores[at].is_good || attempt.contents[at].is_some();
        let offer = |at: usize| self.stores[at].offer(attempt.contents[at].as_ref());
        let others = matches!(offer(PERSISTENT), Offer::Failed | Offer::Assigned(_))
            || matches!(offer(DIRECTORY), Offer::Assigned(_));
        match &self.stores[LOCAL].error {
            Some(error) if !is_good(LOCAL) && (self.is_named || !others) => Err(error.clone()),
            _ => Ok(attempt),
        }
    }

    /// Looks at what there is, and compiles it if it is not what is in force. A store with a fault stays as it is, and its
    /// report says why; a fault of the dynamic store is an error. Nothing is in force before [`Self::put_in_force`].
    pub(crate) fn attempt(&mut self, look: Look) -> Result<Option<Attempt>, String> {
        let mut contents = [None, None, None, None];
        for (held, content) in self.stores.iter_mut().zip(&mut contents) {
            let is_due = match look {
                Look::All => true,
                Look::Changed => held.has_changed(),
                Look::Machine | Look::Dynamic(_) => false,
            };
            if is_due || held.waits {
                *content = held.look();
            }
        }
        if let Look::Dynamic(document) = look {
            contents[DYNAMIC] = Some(Content::of(document).0.map_err(|error| error.to_string())?);
        }
        self.refuse_by_themselves(&mut contents)?;
        loop {
            let parts = self.parts(&contents);
            let machine =
                self.machine_for(&parts).map_err(|error| format!("the addresses of this machine: {error}"))?;
            if contents.iter().all(Option::is_none) && machine == self.machine && self.db.version > 0 {
                return Ok(None);
            }
            let mut reqids = self.reqids.clone();
            let fault = match compile_all(&parts, &machine, &mut reqids) {
                Ok(Compiled { db, warnings, .. }) => {
                    let broadcasts: Vec<_> = machine.broadcasts.iter().copied().collect();
                    let mut db = match self.verdicts(&contents)[PERSISTENT].why {
                        // Block mode is not to be got round.
                        Why::Failed => db,
                        _ => db.with_exempt(self.exemptions.traffic(&broadcasts)),
                    };
                    db.version = self.db.version + 1;
                    let warnings = warnings.iter().map(ToString::to_string).collect();
                    return Ok(Some(Attempt { contents, machine, reqids, db: Arc::new(db), warnings }));
                }
                Err(fault) => fault,
            };
            // What is at fault is not in force; or else the last of what is new.
            let is_at_fault = |content: &Option<Content>| {
                content.as_ref().and_then(|content| content.file.as_ref()).is_some_and(|file| file.path == fault.path)
            };
            let own = contents.iter().position(is_at_fault);
            let at = own.or_else(|| contents.iter().rposition(Option::is_some));
            let fault = fault.to_string();
            match at {
                None | Some(DYNAMIC) => return Err(fault),
                Some(at) => {
                    let was_last_good = contents[at].take().is_some_and(|content| content.is_last_good);
                    let last_good = self.stores[at].refuse(fault);
                    contents[at] = last_good.filter(|_| !was_last_good);
                    self.stores[at].waits = own.is_none();
                }
            }
        }
    }

    /// Refuses of what is new what is not to be in force now, and could not be if it were: when its time comes its fault would
    /// be another store's.
    fn refuse_by_themselves(&mut self, contents: &mut [Option<Content>; STORES]) -> Result<(), String> {
        for at in 0..STORES {
            while let Some(fault) = self.own_fault(at, contents)? {
                let was_last_good = contents[at].take().is_some_and(|content| content.is_last_good);
                contents[at] = self.stores[at].refuse(fault).filter(|_| !was_last_good);
            }
        }
        Ok(())
    }

    /// What is wrong with what is new of a store, if it is not to be in force now.
    fn own_fault(&self, at: usize, contents: &[Option<Content>; STORES]) -> Result<Option<String>, String> {
        let Some(content) = &contents[at] else { return Ok(None) };
        let verdicts = self.verdicts(contents);
        let waits = !verdicts[at].applies() || verdicts[PERSISTENT].why == Why::Failed;
        let Some(part) = self.stores[at].part(content).filter(|_| waits) else { return Ok(None) };
        let machine = self.machine_for(&[part]).map_err(|error| format!("the addresses of this machine: {error}"))?;
        Ok(compile_all(&[part], &machine, &mut Reqids::default()).err().map(|fault| fault.to_string()))
    }

    /// The driver holds to it: it is in force. What is good of the stores is kept for a start at which it is no more.
    pub(crate) fn put_in_force(&mut self, attempt: Attempt) {
        let Attempt { contents, machine, reqids, db, warnings } = attempt;
        (self.machine, self.reqids, self.db, self.warnings) = (machine, reqids, db, warnings);
        for (held, content) in self.stores.iter_mut().zip(contents) {
            let Some(content) = content else { continue };
            let kept = match (&held.store, &content.file) {
                (None, _) => Ok(()),
                (Some(_), _) if content.is_last_good => Ok(()),
                (Some(store), Some(_)) => store.keep(&content.text),
                (Some(store), None) => store.forget(),
            };
            self.warnings.extend(kept.err().map(|error| format!("the last good version is not kept: {error}")));
            held.put_in_force(content);
        }
        self.changed.notify_one();
    }

    /// The driver does not hold to it.
    pub(crate) fn refuse(&mut self, attempt: &Attempt, error: &str) {
        for (held, content) in self.stores.iter_mut().zip(&attempt.contents) {
            if content.is_some() && held.store.is_some() {
                held.error = Some(error.to_owned());
            }
        }
    }
}

/// The policy of block mode.
fn block_mode() -> Result<PolicyFile, DocumentError> {
    let path = Path::new("block mode");
    PolicyFile::parse(&Document::from_text(path, path, Zeroizing::new(BLOCK.to_owned()))?)
}

#[cfg(test)]
mod tests;
