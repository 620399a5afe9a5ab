//! One exchange, in the role that this host has in it.
use super::Cx;
use super::message::Incoming;
use super::mode::Phase1;
use super::phase1::{Established, Phase1Keys};
use super::step::{Role, Step};
use super::vendor::Announced;
use super::work::Answer;
use crate::event::{Failure, Reject};
use crate::ids::Cookies;
use crate::proposal::suite::IkeSuite;
use crate::sa::driver::SaOp;

/// The states of an exchange: those of its initiator, or those of its responder.
pub enum Side<I, R> {
    /// This host began.
    Initiator(I),
    /// The peer began.
    Responder(R),
}

impl<I: Role, R: Role<Outcome = I::Outcome>> Role for Side<I, R> {
    type Outcome = I::Outcome;

    fn waits_for(&self) -> &'static str {
        match self {
            Self::Initiator(state) => state.waits_for(),
            Self::Responder(state) => state.waits_for(),
        }
    }

    fn receive(&self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<Self>, Reject> {
        match self {
            Self::Initiator(state) => Ok(state.receive(message, cx)?.lift(Self::Initiator)),
            Self::Responder(state) => Ok(state.receive(message, cx)?.lift(Self::Responder)),
        }
    }

    fn answer(self, answer: Answer, cx: &mut Cx<'_>) -> Result<Step<Self>, Failure> {
        match self {
            Self::Initiator(state) => Ok(state.answer(answer, cx)?.lift(Self::Initiator)),
            Self::Responder(state) => Ok(state.answer(answer, cx)?.lift(Self::Responder)),
        }
    }

    fn without_answer(&self, cx: &mut Cx<'_>) -> Option<Step<Self>> {
        match self {
            Self::Initiator(state) => Some(state.without_answer(cx)?.lift(Self::Initiator)),
            Self::Responder(state) => Some(state.without_answer(cx)?.lift(Self::Responder)),
        }
    }

    fn cleanup(&self) -> Vec<SaOp> {
        match self {
            Self::Initiator(state) => state.cleanup(),
            Self::Responder(state) => state.cleanup(),
        }
    }
}

impl<I: Phase1, R: Phase1> Phase1 for Side<I, R>
where
    Self: Role<Outcome = Established>,
{
    fn is_unproven(&self) -> bool {
        match self {
            Self::Initiator(state) => state.is_unproven(),
            Self::Responder(state) => state.is_unproven(),
        }
    }

    fn keys(&self) -> Option<&Phase1Keys> {
        match self {
            Self::Initiator(state) => state.keys(),
            Self::Responder(state) => state.keys(),
        }
    }

    fn announced(&self) -> Announced {
        match self {
            Self::Initiator(state) => state.announced(),
            Self::Responder(state) => state.announced(),
        }
    }

    fn progress(&self) -> (Option<IkeSuite>, Option<Cookies>) {
        match self {
            Self::Initiator(state) => state.progress(),
            Self::Responder(state) => state.progress(),
        }
    }
}
