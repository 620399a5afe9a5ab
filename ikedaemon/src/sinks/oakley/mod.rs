//! Oakley.log: the trace of every negotiation, as administrators of Windows know it.
//!
//! Each event becomes lines with the target [`TARGET`]; [`OakleyHandle::layer`] takes those and hands them to a thread
//! that writes the file. While the trace is off the lines are not made. No secret is written: of keys, nonces and hashes
//! there is the length at most.
mod file;
mod lines;
mod stamp;
#[cfg(test)]
mod tests;
mod writer;

use file::{LogFile, RealDisk};
use ikecore::event::Event;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{self, Context};
use tracing_subscriber::registry::LookupSpan;
use writer::{Record, Writer};

/// The target of the trace's lines.
pub const TARGET: &str = "oakley";

/// Lines of a full file.
pub const LINE_LIMIT: u64 = 50_000;

/// The settings of the trace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Where `Oakley.log`, `Oakley.log.sav` and `Oakley.log.bak` are.
    pub directory: PathBuf,
    /// Lines of a full file.
    pub line_limit: u64,
    /// Whether it is on from the start.
    pub enabled: bool,
}

impl Config {
    /// Off, with the usual limit.
    pub const fn new(directory: PathBuf) -> Self {
        Self { directory, line_limit: LINE_LIMIT, enabled: false }
    }
}

type Hook = Box<dyn Fn(bool) + Send>;

/// The trace's switch, and what writes it. Cheap to clone.
#[derive(Clone)]
pub struct OakleyHandle {
    enabled: Arc<AtomicBool>,
    writer: Writer,
    hooks: Arc<Mutex<Vec<Hook>>>,
}

impl fmt::Debug for OakleyHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OakleyHandle").field("enabled", &self.is_enabled()).finish_non_exhaustive()
    }
}

/// Starts the thread that writes the trace. If the trace is on from the start, an existing `Oakley.log` becomes
/// `Oakley.log.sav` first; if it is switched on later, it goes on in the existing file.
pub fn start(config: &Config) -> io::Result<OakleyHandle> {
    let mut file = LogFile::new(RealDisk, &config.directory, config.line_limit);
    if config.enabled {
        file.save_old();
    }
    Ok(OakleyHandle {
        enabled: Arc::new(AtomicBool::new(config.enabled)),
        writer: Writer::start(file)?,
        hooks: Arc::default(),
    })
}

impl OakleyHandle {
    /// The layer that takes the trace's lines; to be added to the process's subscriber.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        OakleyLayer(self.writer.clone()).with_filter(Switch(Arc::clone(&self.enabled)))
    }

    /// Switches the trace on or off. Switched on, it goes on in the present file.
    pub fn set_enabled(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::Relaxed);
        tracing::callsite::rebuild_interest_cache();
        if !enabled {
            self.writer.close();
        }
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(|hook| hook(enabled));
    }

    /// Whether it is on.
    pub fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    /// Calls `hook` now, and whenever the trace is switched.
    pub fn on_switch(&self, hook: impl Fn(bool) + Send + 'static) {
        hook(self.is_enabled());
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(hook));
    }

    /// Waits until everything so far is in the file, at most `patience`; false if that took longer.
    pub fn flush(&self, patience: Duration) -> bool {
        self.writer.flush(patience)
    }

    /// How many lines were lost since the start, to a full queue or to a failing disk.
    pub fn lost(&self) -> u64 {
        self.writer.lost()
    }
}

/// Gives the event's lines to whoever takes the target, if anybody does.
pub(super) fn publish(event: &Event) {
    if !tracing::enabled!(target: TARGET, tracing::Level::INFO) {
        return;
    }
    let context = &event.context;
    let negotiation = context.negotiation.map(|id| id.0);
    let ike_sa = context.ike_sa.map(|id| id.0);
    let ipsec_sa = context.ipsec_sa.map(|id| id.0);
    for text in lines::of(event) {
        tracing::info!(target: TARGET, negotiation, ike_sa, ipsec_sa, "{text}");
    }
}

/// One line that belongs to no event: the service's own.
pub(super) fn line(text: &str) {
    tracing::info!(target: TARGET, "{text}");
}

/// Lets the trace's lines through while it is on. A switch makes all call sites ask again, so that in between they cost
/// one relaxed load.
struct Switch(Arc<AtomicBool>);

impl Switch {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && self.0.load(Ordering::Relaxed)
    }
}

impl<S> layer::Filter<S> for Switch {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(if self.0.load(Ordering::Relaxed) { LevelFilter::INFO } else { LevelFilter::OFF })
    }
}

struct OakleyLayer(Writer);

impl<S: Subscriber> Layer<S> for OakleyLayer {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.write(Record::now(text.0));
    }
}

/// The message of an event.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
