//! The agent: asks the directory for the policy of this host, again and again, and keeps a copy of it as the store
//! `directory`, which is in force while the directory is away.
use serde::Serialize;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;
use zeroize::Zeroizing;

use super::client::assignment::Gpo;
use super::client::{Assigned, Client, ClientError};
use super::objects::{self, Remark};
use super::settings::Settings;
use crate::audit::{AgentEvent, Audit};
use crate::control::report::DirectoryReport;
use crate::paths::Paths;
use crate::store::{EditError, Store};

/// How often a directory is asked whose policy says nothing, or that assigns none.
const POLLING: Duration = Duration::from_secs(10_800);

/// Why a poll came to nothing.
#[derive(Debug, thiserror::Error)]
enum PollError {
    /// The directory.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The policy has faults, or the copy cannot be written.
    #[error("the policy of the directory cannot be taken over: {0}")]
    Store(String),
    /// The list of group policy objects.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// This host has no name.
    #[error(transparent)]
    Host(#[from] super::HostError),
}

/// The group policy objects that were looked at for this host, as they are kept beside the copy.
#[derive(Debug, Serialize)]
struct Looked<'a> {
    /// The server.
    server: &'a str,
    /// When, in seconds since 1970.
    at: u64,
    /// The one that decides first.
    gpos: &'a [Gpo],
}

/// What the agent knows.
#[derive(Debug, Default)]
struct State {
    server: Option<String>,
    contact: Option<Instant>,
    next: Option<Instant>,
    assigned: Option<Assigned>,
    /// How often the policy says that the directory is to be asked.
    interval: Option<Duration>,
    notes: Vec<Remark>,
    error: Option<String>,
    failures: u32,
    polls: u64,
    reads: u64,
}

/// A running agent. It ends when it is dropped, or with the process.
#[derive(Debug)]
pub(crate) struct Agent {
    settings: Arc<Settings>,
    state: Arc<Mutex<State>>,
    wake: Arc<Notify>,
    end: Arc<Notify>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.end.notify_one();
    }
}

impl Agent {
    /// Starts it, on a thread of its own: what it waits for holds nobody else up.
    pub(crate) fn start(settings: &Settings, paths: &Paths, audit: Audit) -> io::Result<Self> {
        let settings = Arc::new(settings.clone());
        let (state, wake, end) = (Arc::default(), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let agent = Self { settings, state, wake, end };
        let mut work = Work {
            settings: Arc::clone(&agent.settings),
            store: Store::directory(paths),
            looked: paths.directory_gpos(),
            state: Arc::clone(&agent.state),
            remembered: None,
            audit,
        };
        let (wake, end) = (Arc::clone(&agent.wake), Arc::clone(&agent.end));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("directory".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = work.forever(&wake) => {}
                    () = end.notified() => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(agent)
    }

    /// Has it ask now.
    pub(crate) fn poll_now(&self) {
        self.wake.notify_one();
    }

    /// What it knows.
    pub(crate) fn report(&self) -> DirectoryReport {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let assigned = state.assigned.as_ref();
        DirectoryReport {
            servers: self.settings.servers.iter().map(super::settings::Server::url).collect(),
            server: state.server.clone(),
            contact_age_seconds: state.contact.map(|at| at.elapsed().as_secs()),
            next_poll_seconds: state.next.map(|at| at.saturating_duration_since(Instant::now()).as_secs()),
            policy: assigned.map(|assigned| assigned.name.clone()),
            policy_dn: assigned.map(|assigned| assigned.policy.clone()),
            assignment: assigned.map(|assigned| assigned.assignment.clone()),
            polls: state.polls,
            reads: state.reads,
            failures: state.failures,
            error: state.error.clone(),
            notes: state.notes.iter().map(ToString::to_string).collect(),
        }
    }
}

struct Work {
    settings: Arc<Settings>,
    store: Store,
    /// Where the group policy objects are written.
    looked: PathBuf,
    state: Arc<Mutex<State>>,
    /// The policy that the copy is of, and its last change; nothing before the first poll.
    remembered: Option<(String, String)>,
    audit: Audit,
}

/// The pause after a failure that follows `n`: the square of one more, at most 166 (MS-GPIPSEC). In minutes.
const fn back_off(n: u32) -> u32 {
    let next = n.saturating_add(1).saturating_pow(2);
    if next > 166 { 166 } else { next }
}

impl Work {
    async fn forever(&mut self, wake: &Notify) {
        let mut minutes = 0;
        for server in self.settings.in_clear() {
            tracing::warn!(
                target: "policyagent::directory",
                "{} is asked without TLS: whoever is on the way can read the policy with its keys, and give another one",
                server.url()
            );
        }
        loop {
            let pause = match self.poll().await {
                Ok(pause) => {
                    minutes = 0;
                    pause
                }
                Err(error) => {
                    minutes = back_off(minutes);
                    let pause = Duration::from_secs(u64::from(minutes) * 60);
                    self.audit.tell(AgentEvent::DirectoryNotRead { error: error.to_string(), minutes });
                    self.note(|state| {
                        state.error = Some(error.to_string());
                        state.failures += 1;
                    });
                    pause
                }
            };
            self.note(|state| state.next = Some(Instant::now() + pause));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = wake.notified() => {}
            }
        }
    }

    fn note(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Asks once. Gives the time until the next time.
    async fn poll(&mut self) -> Result<Duration, PollError> {
        let mut client = Client::connect(&self.settings).await?;
        let result = self.poll_with(&mut client).await;
        client.close().await;
        result
    }

    async fn poll_with(&mut self, client: &mut Client) -> Result<Duration, PollError> {
        let host = super::host()?;
        let (assigned, gpos) = client.assigned(&host).await?;
        if !gpos.is_empty() {
            self.keep(client, &gpos)?;
        }
        let Some(assigned) = assigned else {
            if self.remembered.take().is_some() || self.state.lock().is_ok_and(|state| state.polls == 0) {
                self.audit.tell(AgentEvent::DirectoryUnassigned { server: client.server.clone() });
                // No copy says the same.
                if self.store.path().exists() {
                    self.write("# The directory assigns no policy to this host.\n")?;
                }
            }
            self.answered(client, None);
            return Ok(self.settings.polling.unwrap_or(POLLING));
        };
        let changed = client.changed(&assigned.policy).await?.unwrap_or_default();
        let now = Some((assigned.policy.clone(), changed));
        if now == self.remembered {
            tracing::debug!(target: "policyagent::directory", "{}: policy {:?} is as it was", client.server, assigned.name);
            self.answered(client, Some(assigned));
            return Ok(self.interval());
        }
        let contents = objects::read(&client.policy(&assigned.policy).await?).map_err(ClientError::from)?;
        let text = assigned_text(&contents.document, &client.server, &assigned.policy)?;
        self.write(&text)?;
        self.audit.tell(AgentEvent::DirectoryRead {
            server: client.server.clone(),
            policy: format!("{:?} ({})", assigned.name, assigned.policy),
            assignment: assigned.assignment.clone(),
        });
        for note in &contents.notes {
            tracing::warn!(target: "policyagent::directory", "{note}");
        }
        self.remembered = now;
        self.note(|state| {
            state.reads += 1;
            state.notes = contents.notes.clone();
            state.interval = contents.document.polling_interval().map(Duration::from_secs);
        });
        self.answered(client, Some(assigned));
        Ok(self.interval())
    }

    fn interval(&self) -> Duration {
        let of_policy = || self.state.lock().unwrap_or_else(PoisonError::into_inner).interval;
        self.settings.polling.or_else(of_policy).unwrap_or(POLLING)
    }

    fn answered(&self, client: &Client, assigned: Option<Assigned>) {
        self.note(|state| {
            state.server = Some(client.server.clone());
            state.contact = Some(Instant::now());
            state.assigned = assigned;
            state.polls += 1;
            state.failures = 0;
            state.error = None;
        });
    }

    fn write(&self, text: &str) -> Result<(), PollError> {
        let edited = self.store.edit(|_| Ok::<_, std::convert::Infallible>((text.to_owned(), ())));
        edited.map_err(|error: EditError<_>| PollError::Store(error.to_string()))
    }

    fn keep(&self, client: &Client, gpos: &[Gpo]) -> Result<(), PollError> {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let text = serde_json::to_vec_pretty(&Looked { server: &client.server, at, gpos }).unwrap_or_default();
        let error = |error| PollError::File { path: self.looked.clone(), error };
        let fresh = self.looked.with_extension("fresh");
        if let Some(directory) = self.looked.parent() {
            std::fs::create_dir_all(directory).map_err(error)?;
        }
        std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, &self.looked)).map_err(error)
    }
}

/// The document of the one policy, as the store has it.
fn assigned_text(document: &objects::Tree, server: &str, policy: &str) -> Result<Zeroizing<String>, ClientError> {
    let text = document.assigned_text().ok_or_else(|| ClientError::Answer {
        what: format!("the policy {policy}"),
        found: "it is not there".to_owned(),
        allowed: "the object that the assignment names".to_owned(),
    })?;
    let head = "# The policy of the directory. What is changed here is lost.\n";
    Ok(Zeroizing::new(format!("{head}# Read from {server}: {policy}\n\n{}", *text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_after_failures_are_those_of_the_protocol() {
        let mut n = 0;
        let minutes: Vec<u32> = (0..5)
            .map(|_| {
                n = back_off(n);
                n
            })
            .collect();
        assert_eq!(minutes, [1, 4, 25, 166, 166]);
    }
}
