//! Outcomes for the console and the journal: one line for each negotiation that succeeded or failed, with its reason,
//! and for what befalls the service as a whole.
use ikecore::event::{ConfigEvent, Context, EndpointEvent, Event, EventKind, Failure, NegotiationEvent, SoftSaEvent};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

#[cfg(test)]
mod tests;

/// The target of outcomes.
pub const TARGET: &str = "policyagent::negotiation";

/// Tells the event if it is an outcome.
pub(super) fn publish(event: &Event) {
    let peer = Peer(&event.context);
    match &event.kind {
        EventKind::Negotiation(NegotiationEvent::Succeeded { role, phase }) => {
            tracing::info!(target: TARGET, "{phase} with {peer} succeeded ({role})");
        }
        EventKind::Negotiation(NegotiationEvent::Failed { role, phase, failure, seconds, .. }) => {
            let status = failure.status();
            let line = format_args!(
                "{phase} with {peer} failed ({role}, after {seconds} s): {failure} (status {} {})",
                status.code(),
                status.name()
            );
            // Whoever floods this host with first messages shall not fill its disk too.
            match matches!(failure, Failure::TooMany { .. }).then(|| CROWD.admit(Instant::now())) {
                None | Some(Some(0)) => tracing::warn!(target: TARGET, "{line}"),
                Some(Some(untold)) => tracing::warn!(target: TARGET, "{line}; {untold} more since the last such line"),
                Some(None) => tracing::debug!(target: TARGET, "{line}"),
            }
        }
        EventKind::Config(event @ ConfigEvent::NoAddress(_)) => {
            tracing::warn!(target: TARGET, "{event}, asked for by {peer}");
        }
        EventKind::Config(event) => tracing::info!(target: TARGET, "{event}: {peer}"),
        EventKind::SoftSa(SoftSaEvent::Established { selector, rule, .. }) => {
            tracing::warn!(target: TARGET, "traffic passes in clear, for {peer} does not answer: {selector}, rule {rule:?}");
        }
        EventKind::SoftSa(SoftSaEvent::Ended { selector, rule, reason }) => {
            tracing::info!(target: TARGET, "traffic passes in clear no more: {selector}, rule {rule:?}: {reason}");
        }
        EventKind::Endpoint(EndpointEvent::PolicyInForce { version, rules }) => {
            tracing::info!(target: TARGET, "policy {version} with {rules} rules is in force");
        }
        EventKind::Endpoint(EndpointEvent::DriverLost { reason }) => {
            tracing::error!(target: TARGET, "the SA driver is lost: {reason}");
        }
        EventKind::Endpoint(EndpointEvent::DriverFailed(error)) => {
            tracing::error!(target: TARGET, "{error}");
        }
        _ => {}
    }
}

/// One line in this time says that there are too many.
const PAUSE: Duration = Duration::from_secs(10);

static CROWD: Crowd = Crowd(Mutex::new(None));

/// When the last line was told, and how many have not been since.
struct Crowd(Mutex<Option<(Instant, u64)>>);

impl Crowd {
    /// `Some` if a line may be told now: with how many were not since the last.
    fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            Some((last, untold)) if now.saturating_duration_since(*last) < PAUSE => {
                *untold = untold.saturating_add(1);
                None
            }
            state => Some(state.replace((now, 0)).map_or(0, |(_, untold)| untold)),
        }
    }
}

struct Peer<'a>(&'a Context);

impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.remote {
            Some(remote) => write!(f, "{remote}"),
            None => f.write_str("an unknown peer"),
        }
    }
}

/// The layer that prints everything but the trace up to `level`, one line each.
///
/// `journal`: the lines go to journald, which adds its own time and reads the level from the beginning of the line.
pub fn layer<S, W>(level: LevelFilter, journal: bool, writer: W) -> impl Layer<S> + use<S, W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let wanted = filter_fn(move |metadata| metadata.target() != super::oakley::TARGET && *metadata.level() <= level)
        .with_max_level_hint(level);
    tracing_subscriber::fmt::layer().event_format(Lines { journal }).with_writer(writer).with_filter(wanted)
}

/// Whether standard error is the journal (systemd.exec(5), `JOURNAL_STREAM`).
pub fn stderr_is_journal() -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let own = std::fs::metadata("/proc/self/fd/2").map(|file| format!("{}:{}", file.dev(), file.ino()));
    own.is_ok_and(|own| own == stream)
}

struct Lines {
    journal: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> fmt::Result {
        let (priority, word) = match *event.metadata().level() {
            Level::ERROR => (3, "error"),
            Level::WARN => (4, "warning"),
            Level::INFO => (6, "info"),
            _ => (7, "debug"),
        };
        // sd-daemon(3): the priority in angle brackets.
        if self.journal {
            write!(writer, "<{priority}>")?;
        } else {
            write!(writer, "{word}: ")?;
        }
        let mut text = String::new();
        context.format_fields(Writer::new(&mut text), event)?;
        // What a peer sends must not begin a line of its own, nor drive a terminal.
        for c in text.chars() {
            if c.is_control() { write!(writer, "{}", c.escape_default())? } else { writer.write_char(c)? }
        }
        writeln!(writer)
    }
}
