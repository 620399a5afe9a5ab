//! The runner: the only writer of an exchange.
//!
//! Messages 1 to 4 of main mode are not authenticated. If one that is forged came first and were believed, the real one
//! would find a changed exchange. So a state that accepted a message is kept beside the state that came of it: another
//! message for it opens another branch, and the branch that authenticates its peer is the one that counts.
use super::Cx;
use super::message::{Incoming, Outgoing};
use super::step::{Next, Role, Step};
use super::work::{Answer, Ask};
use crate::crypto::hash::Digest;
use crate::event::{Failure, Reject};
use crate::sa::driver::SaOp;

/// The number of a branch within its exchange.
pub type BranchNumber = u32;

struct Branch<S> {
    number: BranchNumber,
    /// The branch that it came from.
    parent: Option<BranchNumber>,
    /// Taken out only while an answer is being worked in.
    state: S,
    /// The message that made it, and the reply to that message.
    received: Option<Digest>,
    sent: Option<Outgoing>,
    /// Asks that are not answered yet.
    waiting: usize,
}

/// A running exchange.
pub struct Exchange<S> {
    branches: Vec<Branch<S>>,
    /// How many branches there may be; with 1, a new state replaces the old one.
    limit: usize,
    /// The number of the next branch: also how many there have been.
    next_number: BranchNumber,
    /// Messages of earlier states, with the replies that they had; for an exchange without branches.
    past: Vec<(Digest, Option<Outgoing>)>,
}

/// What came of a message or an answer.
pub enum Verdict<O> {
    /// A duplicate; the reply that it had, if any, may go out again.
    Repeat(Option<Outgoing>),
    /// The exchange goes on.
    Progress {
        /// The branch that asks and answers belong to.
        branch: BranchNumber,
        /// What goes to the peer.
        send: Option<Outgoing>,
        /// What must leave the core.
        asks: Vec<Ask>,
        /// A branch that had to make room; its asks have no owner any more.
        evicted: Option<BranchNumber>,
    },
    /// The exchange is done.
    Done {
        /// What it leaves behind.
        outcome: Box<O>,
        /// What goes to the peer.
        send: Option<Outgoing>,
        /// What must leave the core; the answers belong to nobody.
        asks: Vec<Ask>,
    },
    /// The exchange is over.
    Failed {
        /// Why.
        failure: Failure,
        /// What goes to the peer.
        send: Option<Outgoing>,
        /// What the driver gets back.
        cleanup: Vec<SaOp>,
    },
    /// One branch of several died; the others go on.
    BranchFailed(Failure),
}

/// Enough for every honest exchange, whatever somebody on the way does who is not faster than that. More forgeries push
/// each other out; what is pushed out comes back with the next repetition of the message that it answered.
pub const BRANCHES: usize = 64;

/// All branches that one exchange may ever have: each of main mode may cost a Diffie-Hellman computation.
pub const ALL_BRANCHES: BranchNumber = 256;

impl<S: Role> Exchange<S> {
    /// An exchange that began with `step`, made by `received` if a peer began it. The verdict is never `Repeat`.
    pub fn begin(limit: usize, received: Option<Digest>, step: Step<S>) -> (Self, Verdict<S::Outcome>) {
        let mut exchange = Self { branches: Vec::new(), limit, next_number: 0, past: Vec::new() };
        let verdict = exchange.commit(None, received, step);
        (exchange, verdict)
    }

    /// Takes a message.
    pub fn receive(&mut self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Verdict<S::Outcome>, Reject> {
        let digest = message.digest();
        // A duplicate has the reply that it had before (RFC 2409 §5: retransmissions are answered, not processed again).
        let twin = self.branches.iter().find(|branch| branch.received.as_ref() == Some(&digest));
        if let Some(twin) = twin {
            return Ok(Verdict::Repeat(twin.sent.clone()));
        }
        if let Some((_, reply)) = self.past.iter().find(|(past, _)| *past == digest) {
            return Ok(Verdict::Repeat(reply.clone()));
        }
        // The newest first: it is the one that a new message belongs to, unless something was forged.
        let mut refusal = None;
        let mut accepted = None;
        for branch in self.branches.iter().rev() {
            match branch.state.receive(message, cx) {
                Ok(step) => {
                    accepted = Some((branch.number, step));
                    break;
                }
                Err(reject) => refusal = prefer(refusal, reject),
            }
        }
        let Some((parent, step)) = accepted else {
            return Err(refusal.unwrap_or_else(|| message.unexpected("no state")));
        };
        let mut evicted = None;
        if self.limit > 1 && matches!(step.next, Next::Become(_)) {
            if self.next_number >= ALL_BRANCHES {
                let limit = usize::try_from(ALL_BRANCHES).unwrap_or(usize::MAX);
                return Err(Reject::TooMany { what: "branches of one exchange", count: limit, limit });
            }
            if self.branches.len() >= self.limit {
                evicted = self.evict(parent);
            }
        }
        let mut verdict = self.commit(Some(parent), Some(digest), step);
        if let Verdict::Progress { evicted: gone, .. } = &mut verdict {
            *gone = evicted;
        }
        Ok(verdict)
    }

    /// Makes room for a branch of `parent`: the oldest that leads nowhere yet goes, first of those that came from the
    /// same state. A branch from which another came stays.
    fn evict(&mut self, parent: BranchNumber) -> Option<BranchNumber> {
        let is_leaf = |branch: &&Branch<S>| {
            branch.number != parent && !self.branches.iter().any(|other| other.parent == Some(branch.number))
        };
        let victim = self
            .branches
            .iter()
            .filter(is_leaf)
            .find(|branch| branch.parent == Some(parent))
            .or_else(|| self.branches.iter().find(is_leaf))?
            .number;
        self.branches.retain(|branch| branch.number != victim);
        Some(victim)
    }

    /// Takes an answer for a branch; `None` if the branch is gone.
    pub fn answer(&mut self, number: BranchNumber, answer: Answer, cx: &mut Cx<'_>) -> Option<Verdict<S::Outcome>> {
        let index = self.branches.iter().position(|branch| branch.number == number)?;
        let Branch { parent, state, received, sent, waiting, .. } = self.branches.remove(index);
        let cleanup = state.cleanup();
        let step = match state.answer(answer, cx) {
            Ok(step) => step,
            Err(failure) if self.branches.is_empty() => {
                self.close(received, sent);
                return Some(Verdict::Failed { failure, send: None, cleanup });
            }
            Err(failure) => return Some(Verdict::BranchFailed(failure)),
        };
        let Step { next, send, asks } = step;
        Some(match next {
            Next::Become(state) => {
                let waiting = waiting.saturating_sub(1) + asks.len();
                let sent = send.clone().or(sent);
                self.branches.insert(index, Branch { number, parent, state, received, sent, waiting });
                Verdict::Progress { branch: number, send, asks, evicted: None }
            }
            Next::Done(outcome) => {
                self.close(received, send.clone().or(sent));
                Verdict::Done { outcome, send, asks }
            }
            Next::Fail(failure, cleanup) => {
                self.close(received, send.clone().or(sent));
                Verdict::Failed { failure, send, cleanup }
            }
        })
    }

    /// Goes on without the peer's answer, if the newest state can.
    pub fn without_answer(&mut self, cx: &mut Cx<'_>) -> Option<Verdict<S::Outcome>> {
        let branch = self.branches.last()?;
        let (parent, step) = (branch.number, branch.state.without_answer(cx)?);
        Some(self.commit(Some(parent), None, step))
    }

    fn commit(&mut self, parent: Option<BranchNumber>, received: Option<Digest>, step: Step<S>) -> Verdict<S::Outcome> {
        let Step { next, send, asks } = step;
        match next {
            Next::Become(state) => {
                if self.limit == 1 {
                    let past = self.branches.drain(..).filter_map(|branch| Some((branch.received?, branch.sent)));
                    self.past.extend(past);
                }
                let number = self.next_number;
                self.next_number = number.wrapping_add(1);
                let waiting = asks.len();
                self.branches.push(Branch { number, parent, state, received, sent: send.clone(), waiting });
                Verdict::Progress { branch: number, send, asks, evicted: None }
            }
            Next::Done(outcome) => {
                self.close(received, send.clone());
                Verdict::Done { outcome, send, asks }
            }
            Next::Fail(failure, cleanup) => {
                self.close(received, send.clone());
                Verdict::Failed { failure, send, cleanup }
            }
        }
    }

    /// Ends every branch; what was received is remembered with its replies.
    fn close(&mut self, last: Option<Digest>, reply: Option<Outgoing>) {
        let past = self.branches.drain(..).filter_map(|branch| Some((branch.received?, branch.sent)));
        self.past.extend(past);
        self.past.extend(last.map(|digest| (digest, reply)));
    }

    /// The messages that are still unanswered: those of branches from which no other came, and those that had several
    /// answers, of which the true one may have been pushed out.
    pub fn unanswered(&self) -> impl Iterator<Item = &Outgoing> {
        let answers = |number| self.branches.iter().filter(|other| other.parent == Some(number)).count();
        self.branches
            .iter()
            .filter(move |branch| branch.waiting == 0 && answers(branch.number) != 1)
            .filter_map(|branch| branch.sent.as_ref())
    }

    /// True while an answer of this host itself is awaited.
    pub fn is_suspended(&self) -> bool {
        self.branches.last().is_some_and(|branch| branch.waiting > 0)
    }

    /// The newest state.
    pub fn state(&self) -> Option<&S> {
        self.branches.last().map(|branch| &branch.state)
    }

    /// What must be given back to the driver if the exchange ends here.
    pub fn cleanup(&self) -> Vec<SaOp> {
        self.branches.iter().flat_map(|branch| branch.state.cleanup()).collect()
    }

    /// What was received, with the replies: for duplicates that come when the exchange is done.
    pub fn into_past(mut self) -> Vec<(Digest, Option<Outgoing>)> {
        self.close(None, None);
        self.past
    }
}

/// Of two refusals, the one that says more: a message that reached the cipher or a hash was meant for that state.
fn prefer(old: Option<Reject>, new: Reject) -> Option<Reject> {
    let rank = |reject: &Reject| match reject {
        Reject::Unexpected { .. } | Reject::Encryption { .. } => 0,
        Reject::WrongAddress { .. } => 1,
        _ => 2,
    };
    match old {
        Some(old) if rank(&old) >= rank(&new) => Some(old),
        _ => Some(new),
    }
}
