//! Extended authentication: whether a name and a password are a user's, and against guessing.
//!
//! Whoever guesses learns yes or no, and that slowly: a no comes after a second, whatever is wrong, and after some of
//! them no more is looked at for a while.
#[cfg(test)]
mod tests;

use ikecore::address::HostAddress;
use ikecore::endpoint::{Answer, XauthCheck};
use ikecore::ids::AskId;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Knows the users.
pub trait Users: Debug + Send + Sync {
    /// Whether the name is a user's and the password that user's. A name that nobody has must take as long as a wrong
    /// password. The error is for the administrator. `peer` is where the peer is. May take long: it is called on a thread
    /// of its own.
    fn check(&self, user: &str, password: &[u8], peer: IpAddr) -> Result<(), String>;
}

/// A no comes this long after the question.
const PAUSE: Duration = Duration::from_secs(1);

/// Failures count for so long.
const WINDOW: Duration = Duration::from_secs(600);

/// Failures of one peer address within [`WINDOW`].
const OF_PEER: u32 = 10;

/// Failures with one name, from wherever they come.
const OF_USER: u32 = 30;

/// Checks at once: a check may take much memory.
const AT_ONCE: usize = 4;

/// Names and addresses that are remembered.
const REMEMBERED: usize = 8_192;

/// Checks users on tokio's blocking threads.
#[derive(Debug)]
pub struct UserChecks {
    users: Option<Arc<dyn Users>>,
    running: usize,
    failures: Failures,
    sender: mpsc::UnboundedSender<Done>,
    receiver: mpsc::UnboundedReceiver<Done>,
}

#[derive(Debug)]
struct Done {
    ask: AskId,
    peer: HostAddress,
    user: String,
    /// False: it was never looked at.
    looked_at: bool,
    result: Result<(), String>,
}

impl UserChecks {
    /// Asks `users`; without them nobody is admitted.
    pub fn new(users: Option<Arc<dyn Users>>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { users, running: 0, failures: Failures::default(), sender, receiver }
    }

    /// Begins a check. To be called inside a tokio runtime.
    pub fn submit(&mut self, ask: AskId, check: XauthCheck) {
        let XauthCheck { peer, user, password, rule: _ } = check;
        let now = Instant::now();
        let refusal = match &self.users {
            None => Some("the settings name no users".to_owned()),
            Some(_) if self.running >= AT_ONCE => Some(format!("{AT_ONCE} users are being checked already")),
            Some(_) => self.failures.refusal(peer, &user, now),
        };
        let sender = self.sender.clone();
        self.running += 1;
        let users = self.users.clone().filter(|_| refusal.is_none());
        tokio::spawn(async move {
            let name = user.clone();
            let result = match users {
                Some(users) => {
                    let check = tokio::task::spawn_blocking(move || users.check(&name, password.expose(), peer.ip()));
                    check.await.unwrap_or_else(|_| Err("the check was aborted".to_owned()))
                }
                None => Err(refusal.clone().unwrap_or_default()),
            };
            if result.is_err() {
                tokio::time::sleep_until(now + PAUSE).await;
            }
            // Without a receiver the engine has ended and nobody waits.
            let _ = sender.send(Done { ask, peer, user, looked_at: refusal.is_none(), result });
        });
    }

    /// The next answer.
    pub fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<(AskId, Answer)> {
        match self.receiver.poll_recv(context) {
            Poll::Ready(Some(Done { ask, peer, user, looked_at, result })) => {
                self.running -= 1;
                if looked_at && result.is_err() {
                    self.failures.count(peer, &user, Instant::now());
                }
                Poll::Ready((ask, Answer::Xauth(result)))
            }
            // The sender is in `self`: the channel never ends.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Whose {
    Peer(HostAddress),
    User(String),
}

impl Whose {
    const fn limit(&self) -> u32 {
        match self {
            Self::Peer(_) => OF_PEER,
            Self::User(_) => OF_USER,
        }
    }
}

/// Failures of late, and since when they are counted.
#[derive(Debug, Default)]
struct Failures(BTreeMap<Whose, (u32, Instant)>);

impl Failures {
    /// Why nothing more is looked at, if it is not.
    fn refusal(&self, peer: HostAddress, user: &str, now: Instant) -> Option<String> {
        [Whose::Peer(peer), Whose::User(user.to_owned())].into_iter().find_map(|whose| {
            let (count, since) = self.0.get(&whose)?;
            let left = WINDOW.checked_sub(now.duration_since(*since))?;
            let whom = match &whose {
                Whose::Peer(peer) => format!("from {peer}"),
                Whose::User(_) => "with this name".to_owned(),
            };
            (*count >= whose.limit())
                .then(|| format!("{count} failures {whom}; nothing is looked at for another {} s", left.as_secs()))
        })
    }

    fn count(&mut self, peer: HostAddress, user: &str, now: Instant) {
        let over = |since: &Instant| now.duration_since(*since) >= WINDOW;
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, (_, since)| !over(since));
        }
        for whose in [Whose::Peer(peer), Whose::User(user.to_owned())] {
            if self.0.len() >= REMEMBERED && !self.0.contains_key(&whose) {
                // The oldest makes way: a guesser who fills this with names has ten of them an address.
                let oldest = self.0.iter().min_by_key(|(_, (_, since))| *since).map(|(whose, _)| whose.clone());
                oldest.map(|oldest| self.0.remove(&oldest));
            }
            let (count, since) = self.0.entry(whose).or_insert((0, now));
            if over(since) {
                (*count, *since) = (0, now);
            }
            *count = count.saturating_add(1);
        }
    }
}
