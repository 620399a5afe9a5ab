//! For tests of what reaches a layer.
use std::sync::OnceLock;
use tracing::{Dispatch, Subscriber};

/// Runs `body` with `subscriber` as that of the thread.
///
/// While a process has had one subscriber only, `tracing` takes it for the subscriber of every thread, and another
/// test's thread, which has none, would switch the call sites off that they share. So there is always a second one.
pub(crate) fn with_subscriber<T>(subscriber: impl Subscriber + Send + Sync + 'static, body: impl FnOnce() -> T) -> T {
    static SECOND: OnceLock<Dispatch> = OnceLock::new();
    SECOND.get_or_init(|| Dispatch::new(tracing_subscriber::registry()));
    tracing::subscriber::with_default(subscriber, body)
}
