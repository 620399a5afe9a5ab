//! PAM, asked by another process.
//!
//! PAM's modules expect the rights of root, which the service gives up before it opens anything, and nobody knows what they
//! load: they must not run in the process that holds the keys. So a helper process ([`helper`]) is started while the
//! service still has its rights. For each question it starts one more ([`check`]), in which the modules run, and which
//! ends with its answer.
pub(crate) mod check;
pub(crate) mod helper;
mod message;
#[cfg(test)]
mod tests;

use ikedaemon::asks::Users;
use message::{Answer, Question};
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long PAM may take over one question, seconds.
const SECONDS: u32 = 20;

/// Where the services of PAM are.
const DIRECTORIES: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];

/// This program, also if its file was replaced meanwhile.
const PROGRAM: &str = "/proc/self/exe";

/// Why PAM cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PamError {
    /// The service has no file.
    #[error("pam_service of the settings is {0:?}, but there is no /etc/pam.d/{0}")]
    NoService(String),
    /// The helper.
    #[error("cannot start the process that asks PAM: {0}")]
    Start(io::Error),
}

/// The helper process, still without anybody who asks.
#[derive(Debug)]
pub(crate) struct Helper {
    process: Child,
    socket: UnixStream,
}

/// Asks PAM by the helper process.
#[derive(Debug)]
pub(crate) struct Pam {
    socket: Mutex<UnixStream>,
    waiting: Arc<Mutex<Waiting>>,
    next: AtomicU32,
}

/// Those who wait for answers, by the numbers of their questions.
#[derive(Debug, Default)]
struct Waiting {
    ended: bool,
    senders: BTreeMap<u32, SyncSender<Result<(), String>>>,
}

impl Helper {
    /// Starts it, with the rights that this process has now.
    pub(crate) fn start(service: &str) -> Result<Self, PamError> {
        if !DIRECTORIES.iter().any(|directory| Path::new(directory).join(service).exists()) {
            return Err(PamError::NoService(service.to_owned()));
        }
        let start = || {
            let (socket, other) = UnixStream::pair()?;
            let mut command = Command::new(PROGRAM);
            command.args(["pam-serve", service]).stdin(OwnedFd::from(other)).stdout(Stdio::null());
            // In a group of its own, so that an interrupt at the terminal leaves it to the service to end it.
            let process = command.process_group(0).spawn()?;
            Ok(Self { process, socket })
        };
        start().map_err(PamError::Start)
    }
}

impl Pam {
    /// Asks by `helper` from now on.
    pub(crate) fn new(helper: Helper) -> Result<Self, PamError> {
        let Helper { process, socket } = helper;
        let answers = socket.try_clone().map_err(PamError::Start)?;
        let waiting = Arc::new(Mutex::default());
        let pass_on = {
            let waiting = Arc::clone(&waiting);
            move || pass_on(answers, process, &waiting)
        };
        std::thread::Builder::new().name("pam".to_owned()).spawn(pass_on).map_err(PamError::Start)?;
        Ok(Self { socket: Mutex::new(socket), waiting, next: AtomicU32::new(0) })
    }
}

impl Users for Pam {
    fn check(&self, user: &str, password: &[u8], peer: IpAddr) -> Result<(), String> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = sync_channel(1);
        {
            let mut waiting = lock(&self.waiting);
            if waiting.ended {
                return Err("the process that asks PAM has ended; restart the service".to_owned());
            }
            waiting.senders.insert(number, sender);
        }
        let question = Question { number, user: user.as_bytes(), password, peer: &peer.to_string() };
        let asked = question.write(&mut *lock(&self.socket));
        // The helper ends a check that takes too long.
        let patience = Duration::from_secs(u64::from(SECONDS) + 10);
        let answer = match asked {
            Ok(()) => receiver.recv_timeout(patience).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        lock(&self.waiting).senders.remove(&number);
        answer.unwrap_or_else(|error| Err(format!("the process that asks PAM does not answer: {error}")))
    }
}

/// Gives the answers to those who wait, until the helper ends.
fn pass_on(mut answers: UnixStream, mut process: Child, waiting: &Mutex<Waiting>) {
    while let Ok(Some(Answer { number, result })) = Answer::read(&mut answers) {
        if let Some(sender) = lock(waiting).senders.remove(&number) {
            // It may have given up.
            let _ = sender.send(result);
        }
    }
    let mut waiting = lock(waiting);
    waiting.ended = true;
    waiting.senders.clear();
    drop(waiting);
    let how = process.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
    tracing::error!(target: "policyagent::service", "the process that asks PAM has ended ({how}): nobody is admitted any more");
}

/// What a thread that panicked has left is whole: each change is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
