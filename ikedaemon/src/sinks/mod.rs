//! What becomes of events: the trace and the outcomes, both by way of `tracing`; and whoever else wants each of them.
pub mod audit_id;
pub mod journal;
pub mod keylog;
pub mod oakley;
#[cfg(test)]
pub(crate) mod testing;

use ikecore::event::Event;
use std::fmt;

/// Hears of every event, when it happens: on the engine's thread, so it must not wait for anything.
pub trait Observer: fmt::Debug + Send + Sync {
    /// Something happened.
    fn observe(&self, event: &Event);
}

/// Gives an event to every sink that wants it.
pub fn publish(event: &Event) {
    oakley::publish(event);
    journal::publish(event);
}

/// Tells that the service is up.
pub(crate) fn started(addresses: &[std::net::SocketAddr], driver: &str) {
    oakley::line("Initialization OK");
    let list = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    tracing::info!(target: journal::TARGET, "listening on {list}; SA driver: {driver}");
}

/// Tells that the service has ended, and whether in good order.
pub(crate) fn stopped(clean: bool) {
    oakley::line("isakmp_stop");
    if !clean {
        tracing::warn!(target: journal::TARGET, "the service has ended before all SAs were deleted");
    }
}
