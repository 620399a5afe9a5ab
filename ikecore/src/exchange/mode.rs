//! The modes of phase 1, which all come to an ISAKMP SA.
use super::Cx;
use super::aggressive::AggressiveMode;
use super::main::MainMode;
use super::message::Incoming;
use super::phase1::{Established, Phase1Keys};
use super::step::{Role, Step};
use super::vendor::Announced;
use super::work::Answer;
use crate::event::{Failure, Reject};
use crate::ids::Cookies;
use crate::proposal::suite::IkeSuite;

/// What is asked of a mode of phase 1 while it is under way.
pub trait Phase1: Role<Outcome = Established> {
    /// True for a responder whose peer has not shown yet that messages reach it at its address.
    fn is_unproven(&self) -> bool {
        false
    }

    /// The keys, once there are any.
    fn keys(&self) -> Option<&Phase1Keys>;

    /// What the peer has announced so far.
    fn announced(&self) -> Announced;

    /// The algorithms and the responder's cookie, as far as they are chosen.
    fn progress(&self) -> (Option<IkeSuite>, Option<Cookies>);
}

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

impl Phase1 for Mode {
    fn is_unproven(&self) -> bool {
        match self {
            Self::Main(mode) => mode.is_unproven(),
            Self::Aggressive(mode) => mode.is_unproven(),
        }
    }

    fn keys(&self) -> Option<&Phase1Keys> {
        match self {
            Self::Main(mode) => mode.keys(),
            Self::Aggressive(mode) => mode.keys(),
        }
    }

    fn announced(&self) -> Announced {
        match self {
            Self::Main(mode) => mode.announced(),
            Self::Aggressive(mode) => mode.announced(),
        }
    }

    fn progress(&self) -> (Option<IkeSuite>, Option<Cookies>) {
        match self {
            Self::Main(mode) => mode.progress(),
            Self::Aggressive(mode) => mode.progress(),
        }
    }
}
