//! The endpoint: everything this host negotiates, driven by [`Input`]s and drained of [`Output`]s.
pub mod config;
pub mod io;
pub mod snapshot;

pub use crate::exchange::work::{Answer, Ask, KeyExchange, KeyExchangeAnswer};
pub use config::Config;
pub use io::{Command, Input, Output, Transmit};
pub use snapshot::{Counters, IkeSaInfo, IpsecSaInfo, QuickModeInfo, Snapshot};

use crate::rng::SecureRandom;
use crate::time::Time;
use std::collections::VecDeque;

/// The negotiating half of an IPsec host. One [`Self::handle`], then [`Self::poll`] until [`Output::Wait`].
pub struct Endpoint {
    config: Config,
    rng: Box<dyn SecureRandom>,
    outputs: VecDeque<Output>,
    now: Time,
}

impl Endpoint {
    /// An endpoint without policy: it negotiates with nobody before the first [`Input::Policy`].
    pub fn new(config: Config, rng: Box<dyn SecureRandom>, now: Time) -> Self {
        Self { config, rng, outputs: VecDeque::new(), now }
    }

    /// Takes one input. No peer can make it fail or panic.
    pub fn handle(&mut self, now: Time, input: Input<'_>) {
        self.now = now;
        let _ = (input, &self.config, &mut self.rng);
    }

    /// The next output; [`Output::Wait`] says that there is no more.
    pub fn poll(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or(Output::Wait(None))
    }

    /// What stands at the moment.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::default()
    }

    /// True once a [`Command::Shutdown`] is done.
    pub fn is_stopped(&self) -> bool {
        false
    }
}
