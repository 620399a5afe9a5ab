//! The audit: who negotiated what with this host, who could not, and what befell the service, for those who look later.
//!
//! It is made of the one stream of typed events of the engine, and of the agent's own ([`AgentEvent`]). They are queued for a
//! thread that makes entries of them, holds back what repeats itself, and writes to the file, the journal and syslog. Nobody
//! waits for it; what is not written is counted, and told where it is missing.
mod agent;
mod ike;
mod query;
mod record;
mod repeats;
mod settings;
mod sinks;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use agent::{AgentEvent, InForce};
pub(crate) use query::{Entry, EventChoice, Filter, look};
pub(crate) use record::Outcome;
pub(crate) use settings::{Config, Settings};

use ikecore::event::Event;
use ikedaemon::sinks::Observer;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use crate::control::report::AuditReport;
use sinks::{AuditFile, Journal, RealDisk, Sink, Syslog};
use writer::{Message, Queue, Wanted};

/// Events that may wait for the thread: some seconds of the fastest negotiations.
const ROOM: usize = 8192;

/// The way into the audit. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Audit {
    queue: Queue,
    config: Arc<Config>,
}

/// Starts the audit.
pub(crate) fn start(config: Config) -> io::Result<Audit> {
    let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
    if let Some(path) = &config.file {
        sinks.push(Box::new(AuditFile::new(RealDisk, path.clone(), config.file_octets, config.files_kept)));
    }
    if let Some(path) = &config.journal {
        sinks.push(Box::new(Journal::new(path)?));
    }
    if let Some(path) = &config.syslog {
        sinks.push(Box::new(Syslog::new(path, config.syslog_format)?));
    }
    let wanted = Wanted { ike: config.ike, success: config.success, failure: config.failure };
    let queue = Queue::start(ROOM, wanted, config.interval, sinks)?;
    Ok(Audit { queue, config: Arc::new(config) })
}

impl Audit {
    /// Something happened to the agent: the journal hears of it as of everything that the service does, and the audit.
    pub(crate) fn tell(&self, event: AgentEvent) {
        event.log();
        self.queue.put(Message::Agent(SystemTime::now(), Box::new(event)));
    }

    /// Waits until everything is written; false if that took longer than `patience`. What comes later is not audited.
    pub(crate) fn stop(&self, patience: Duration) -> bool {
        self.queue.stop(patience)
    }

    /// What is told of it.
    pub(crate) fn report(&self) -> AuditReport {
        let Config { ike, file, journal, syslog, .. } = &*self.config;
        let counts = self.queue.counts();
        AuditReport {
            negotiations: *ike,
            file: file.clone(),
            journal: journal.clone(),
            syslog: syslog.clone(),
            written: counts.written.load(Ordering::Relaxed),
            not_written: counts.untaken.load(Ordering::Relaxed),
            not_queued: counts.unqueued.load(Ordering::Relaxed),
        }
    }
}

impl Observer for Audit {
    fn observe(&self, event: &Event) {
        if ike::is_audited(event) {
            self.queue.put(Message::Event(SystemTime::now(), Box::new(event.clone())));
        }
    }
}
