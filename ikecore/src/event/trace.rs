//! Collects the events of one input.
use super::{Context, Detail, Event, EventKind};

/// Where the steps of the exchanges put their events.
#[derive(Debug)]
pub struct Trace {
    detail: Detail,
    /// Where the next events belong.
    pub context: Context,
    events: Vec<Event>,
}

impl Trace {
    /// An empty trace.
    pub const fn new(detail: Detail, context: Context) -> Self {
        Self { detail, context, events: Vec::new() }
    }

    /// Tells an outcome.
    pub fn tell(&mut self, kind: EventKind) {
        self.events.push(Event { context: self.context, kind });
    }

    /// Tells a step, which is made only if somebody wants it.
    pub fn step(&mut self, kind: impl FnOnce() -> EventKind) {
        if self.detail >= Detail::Trace {
            let kind = kind();
            self.tell(kind);
        }
    }

    /// Gives the events away.
    pub fn take(&mut self) -> Vec<Event> {
        core::mem::take(&mut self.events)
    }

    /// Tells more, or less, from now on.
    pub const fn set_detail(&mut self, detail: Detail) {
        self.detail = detail;
    }
}
