//! The modes of phase 1, which all come to an ISAKMP SA.
use super::Cx;
use super::aggressive::AggressiveMode;
use super::main::MainMode;
use super::message::Incoming;
use super::phase1::Established;
use super::step::{Role, Step};
use super::vendor::Announced;
use super::work::Answer;
use crate::event::{Failure, Reject};
use crate::ids::Cookies;
use crate::proposal::suite::IkeSuite;

/// A phase 1 under way.
pub enum Mode {
    /// Main mode.
    Main(MainMode),
    /// Aggressive mode.
    Aggressive(AggressiveMode),
}

impl Role for Mode {
    type Outcome = Established;

    fn waits_for(&self) -> &'static str {
        match self {
            Self::Main(mode) => mode.waits_for(),
            Self::Aggressive(mode) => mode.waits_for(),
        }
    }

    fn receive(&self, message: &Incoming<'_>, cx: &mut Cx<'_>) -> Result<Step<Self>, Reject> {
        match self {
            Self::Main(mode) => Ok(mode.receive(message, cx)?.lift(Self::Main)),
            Self::Aggressive(mode) => Ok(mode.receive(message, cx)?.lift(Self::Aggressive)),
        }
    }

    fn answer(self, answer: Answer, cx: &mut Cx<'_>) -> Result<Step<Self>, Failure> {
        match self {
            Self::Main(mode) => Ok(mode.answer(answer, cx)?.lift(Self::Main)),
            Self::Aggressive(mode) => Ok(mode.answer(answer, cx)?.lift(Self::Aggressive)),
        }
    }
}

impl Mode {
    /// True for a responder whose peer has not shown yet that messages reach it at its address.
    pub const fn is_unproven(&self) -> bool {
        match self {
            Self::Main(mode) => mode.is_unproven(),
            Self::Aggressive(mode) => mode.is_unproven(),
        }
    }

    /// What the peer has announced so far.
    pub fn announced(&self) -> Announced {
        match self {
            Self::Main(mode) => mode.announced(),
            Self::Aggressive(mode) => mode.announced(),
        }
    }

    /// The algorithms and the responder's cookie, as far as they are chosen.
    pub fn progress(&self) -> (Option<IkeSuite>, Option<Cookies>) {
        match self {
            Self::Main(mode) => mode.progress(),
            Self::Aggressive(mode) => mode.progress(),
        }
    }
}
