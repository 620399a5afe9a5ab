//! Asks for worker threads: Diffie-Hellman, signatures and the check of certificates must not stall the listener.
mod certificates;
#[cfg(test)]
mod tests;
mod users;

pub use users::{UserChecks, Users};

use ikecore::certificate::{CertificateFault, RevocationCheck};
use ikecore::crypto::error::GroupError;
use ikecore::endpoint::{Answer, KeyExchange, Sign, VerifyChain};
use ikecore::ids::AskId;
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Computations that may wait for a worker. A peer that has proven nothing can cause one, so that there is a bound; at
/// 0.3 ms each the last of them waits a third of a second.
const MAX_WAITING: usize = 1024;

/// What a worker does.
#[derive(Debug)]
pub enum Work {
    /// A Diffie-Hellman computation.
    KeyExchange(KeyExchange),
    /// A signature of this host.
    Sign(Sign),
    /// The check of a peer's certificates, with revocation lists that decide no less than this.
    VerifyChain(VerifyChain, RevocationCheck),
}

/// Which answer an ask needs.
#[derive(Clone, Copy, Debug)]
enum Kind {
    KeyExchange,
    Sign,
    VerifyChain,
}

impl Work {
    const fn kind(&self) -> Kind {
        match self {
            Self::KeyExchange(_) => Kind::KeyExchange,
            Self::Sign(_) => Kind::Sign,
            Self::VerifyChain(..) => Kind::VerifyChain,
        }
    }

    fn run(self) -> Answer {
        match self {
            Self::KeyExchange(work) => Answer::KeyExchange(work.run()),
            Self::Sign(work) => Answer::Sign(certificates::sign(&work)),
            Self::VerifyChain(work, at_least) => Answer::VerifyChain(certificates::verify(&work, at_least)),
        }
    }
}

impl Kind {
    /// The answer where no worker gave one.
    fn without_result(self, error: GroupError) -> Answer {
        match self {
            Self::KeyExchange => Answer::KeyExchange(Err(error)),
            Self::Sign => Answer::Sign(Err(CertificateFault::Aborted("signature"))),
            Self::VerifyChain => Answer::VerifyChain(Err(CertificateFault::Aborted("check of the certificates"))),
        }
    }
}

/// Runs computations on tokio's blocking threads, no more at once than there are cores.
#[derive(Debug)]
pub struct Workers {
    cores: usize,
    running: usize,
    waiting: VecDeque<(AskId, Work)>,
    max_waiting: usize,
    sender: mpsc::UnboundedSender<Done>,
    receiver: mpsc::UnboundedReceiver<Done>,
}

#[derive(Debug)]
enum Done {
    /// A worker has ended.
    Ended(AskId, Answer),
    /// It was never begun.
    Refused(AskId, Answer),
}

/// Answers even if the computation panics: an ask without an answer would hang its exchange.
struct Worker {
    ask: AskId,
    kind: Kind,
    sender: mpsc::UnboundedSender<Done>,
    answer: Option<Answer>,
}

impl Worker {
    fn run(&mut self, work: Work) {
        self.answer = Some(work.run());
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let answer = self.answer.take().unwrap_or_else(|| self.kind.without_result(GroupError::Aborted));
        // Without a receiver the engine has ended and nobody waits.
        let _ = self.sender.send(Done::Ended(self.ask, answer));
    }
}

impl Workers {
    /// As many workers as the process may use cores.
    pub fn new() -> Self {
        Self::with(std::thread::available_parallelism().map_or(1, NonZeroUsize::get), MAX_WAITING)
    }

    fn with(cores: usize, max_waiting: usize) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { cores, running: 0, waiting: VecDeque::new(), max_waiting, sender, receiver }
    }

    /// Begins a computation, or lets it wait for a worker. To be called inside a tokio runtime.
    pub fn submit(&mut self, ask: AskId, work: Work) {
        if self.running < self.cores {
            self.begin(ask, work);
        } else if self.waiting.len() < self.max_waiting {
            self.waiting.push_back((ask, work));
        } else {
            let answer = work.kind().without_result(GroupError::Busy { waiting: self.waiting.len() });
            let _ = self.sender.send(Done::Refused(ask, answer));
        }
    }

    fn begin(&mut self, ask: AskId, work: Work) {
        self.running += 1;
        let mut worker = Worker { ask, kind: work.kind(), sender: self.sender.clone(), answer: None };
        tokio::task::spawn_blocking(move || worker.run(work));
    }

    /// Takes a computation back that nobody waits for any more. One that has begun goes on and is answered.
    pub fn cancel(&mut self, ask: AskId) {
        self.waiting.retain(|(waiting, _)| *waiting != ask);
    }

    /// The next answer.
    pub fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<(AskId, Answer)> {
        match self.receiver.poll_recv(context) {
            Poll::Ready(Some(Done::Ended(ask, answer))) => {
                self.running -= 1;
                if let Some((ask, work)) = self.waiting.pop_front() {
                    self.begin(ask, work);
                }
                Poll::Ready((ask, answer))
            }
            Poll::Ready(Some(Done::Refused(ask, answer))) => Poll::Ready((ask, answer)),
            // The sender is in `self`: the channel never ends.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// How many run, and how many wait.
    pub fn load(&self) -> (usize, usize) {
        (self.running, self.waiting.len())
    }
}

impl Default for Workers {
    fn default() -> Self {
        Self::new()
    }
}
