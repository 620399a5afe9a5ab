//! The engine: the one task that owns the endpoint, the SA driver and the sockets.
//!
//! Each poll of the task is a round in which every source has its turn with a bounded number of items, so that a flood
//! of datagrams delays a control request by one round and no more.
mod counting;
mod handle;
mod offers;
mod task;
#[cfg(test)]
mod tests;

pub use handle::{EngineGone, EngineHandle, EventStream, ReplaceError};
pub use offers::Unsupported;

use crate::asks::Users;
use crate::clock::Clock;
use crate::driver::SaDriver;
use crate::listener::{self, BindError, Listener};
use crate::random::SystemRandom;
use crate::sinks::Observer;
use crate::sinks::keylog::KeyLog;
use handle::Control;
use ikecore::endpoint;
use ikecore::event::Event;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc};

/// Events that a subscriber may be behind before it loses the oldest.
const EVENTS: usize = 4096;

/// The settings of the engine.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Of the endpoint.
    pub endpoint: endpoint::Config,
    /// Addresses with ports to listen on; none: every address, with both ports of the endpoint. On the endpoint's NAT-T
    /// port the non-ESP marker is spoken, on any other port plain IKE.
    pub listen: Vec<std::net::SocketAddr>,
    /// Takes the keys of all that is negotiated; `None`: they leave the endpoint by no way but to the driver.
    pub key_log: Option<Arc<KeyLog>>,
    /// Who knows the users of extended authentication; without anybody no user is admitted.
    pub users: Option<Arc<dyn Users>>,
    /// Who misses no event, as a subscriber that is slow does.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Config {
    fn listener(&self) -> listener::Config {
        let endpoint::Config { ike_port, nat_t_port, .. } = self.endpoint;
        if self.listen.is_empty() {
            return listener::Config::everywhere(ike_port, nat_t_port);
        }
        listener::Config { addresses: self.listen.clone(), nat_t_port }
    }
}

/// Counts of the engine since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Of the sockets.
    pub listener: listener::Counters,
    /// Diffie-Hellman computations under way.
    pub computing: usize,
    /// Diffie-Hellman computations that wait for a worker.
    pub waiting: usize,
    /// Times that the driver was lost.
    pub drivers_lost: u64,
}

/// Opens the sockets and starts the engine as a task of the current tokio runtime. When this returns, privileges that
/// only opening needed may be dropped.
pub fn start(config: Config, mut driver: Box<dyn SaDriver>) -> Result<EngineHandle, BindError> {
    let listener = Listener::bind(&config.listener(), driver.as_mut())?;
    let (control, requests) = mpsc::unbounded_channel::<Control>();
    let (events, _) = broadcast::channel::<Arc<Event>>(EVENTS);
    let addresses = listener.addresses();
    let driver_name = driver.capabilities().name;
    let clock = Clock::start();
    let rng = Box::new(SystemRandom::new());
    let engine = task::Engine::new(config, rng, driver, listener, requests, events.clone(), clock);
    crate::sinks::started(&addresses, driver_name);
    tokio::spawn(engine);
    Ok(EngineHandle::new(control, events, addresses, clock))
}
