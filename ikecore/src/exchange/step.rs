//! What a state of an exchange does with a message or an answer.
use super::Cx;
use super::message::{Incoming, Outgoing};
use super::work::{Answer, Ask};
use crate::event::{Failure, Reject};
use crate::sa::driver::SaOp;

/// One role of one exchange: a set of states.
pub trait Role: Sized {
    /// What a finished exchange leaves behind.
    type Outcome;

    /// What the state waits for, for people.
    fn waits_for(&self) -> &'static str;

    /// Judges a message. A refused one leaves everything as it was.
    fn receive(&self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<Self>, Reject>;

    /// Takes the answer to one of the state's asks.
    fn answer(self, answer: Answer, cx: &mut Cx<'_>) -> Result<Step<Self>, Failure>;

    /// Goes on without the peer's answer, which did not come: only a state that can.
    fn without_answer(&self, _cx: &mut Cx<'_>) -> Option<Step<Self>> {
        None
    }

    /// What must be given back to the driver if the exchange ends here.
    fn cleanup(&self) -> Vec<SaOp> {
        Vec::new()
    }
}

/// What happens to the exchange.
pub enum Next<S: Role> {
    /// It goes on in this state.
    Become(S),
    /// It is done.
    Done(Box<S::Outcome>),
    /// An authenticated message, or this host itself, ended it. Given back to the driver are the operations.
    Fail(Failure, Vec<SaOp>),
}

/// The result of a step: the runner commits all of it, or nothing.
pub struct Step<S: Role> {
    /// What happens to the exchange.
    pub next: Next<S>,
    /// What goes to the peer.
    pub send: Option<Outgoing>,
    /// What must leave the core; if the exchange goes on, each is answered to its next state.
    pub asks: Vec<Ask>,
}

impl<S: Role> Step<S> {
    /// The same step, for a role that holds this one's states among others.
    pub fn lift<T: Role<Outcome = S::Outcome>>(self, into: fn(S) -> T) -> Step<T> {
        let next = match self.next {
            Next::Become(state) => Next::Become(into(state)),
            Next::Done(outcome) => Next::Done(outcome),
            Next::Fail(failure, cleanup) => Next::Fail(failure, cleanup),
        };
        Step { next, send: self.send, asks: self.asks }
    }

    /// Goes on and sends.
    pub fn send(state: S, message: Outgoing) -> Self {
        Self { next: Next::Become(state), send: Some(message), asks: Vec::new() }
    }

    /// Goes on once the asks are answered.
    pub fn ask(state: S, asks: Vec<Ask>) -> Self {
        Self { next: Next::Become(state), send: None, asks }
    }

    /// Goes on without doing anything.
    pub fn stay(state: S) -> Self {
        Self::ask(state, Vec::new())
    }

    /// Ends well.
    pub fn done(outcome: S::Outcome, send: Option<Outgoing>) -> Self {
        Self { next: Next::Done(Box::new(outcome)), send, asks: Vec::new() }
    }

    /// Ends badly.
    pub fn fail(failure: Failure) -> Self {
        Self { next: Next::Fail(failure, Vec::new()), send: None, asks: Vec::new() }
    }
}
