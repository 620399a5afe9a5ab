//! The thread that writes, and the queue before it, which never makes anybody wait.
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use ikecore::event::Event;

use super::agent::AgentEvent;
use super::ike;
use super::record::{Kind, Outcome, Record};
use super::repeats::Repeats;
use super::sinks::Sink;

/// Entries that are made of the queue at once.
const BATCH: usize = 256;

/// How often it is tried to tell of what could not be written.
const RETRY: Duration = Duration::from_secs(5);

/// What is to become an entry.
#[derive(Debug)]
pub(super) enum Message {
    /// An event of the engine.
    Event(SystemTime, Box<Event>),
    /// One of the agent.
    Agent(SystemTime, Box<AgentEvent>),
    /// All that has been counted is written, and then the thread ends.
    Stop(SyncSender<()>),
}

/// What is written at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Wanted {
    /// Events of negotiations and SAs.
    pub(super) ike: bool,
    /// Successes.
    pub(super) success: bool,
    /// Failures.
    pub(super) failure: bool,
}

impl Wanted {
    const fn has(self, kind: Kind) -> bool {
        let outcome = match kind.outcome() {
            Outcome::Success => self.success,
            Outcome::Failure => self.failure,
        };
        outcome && (self.ike || !kind.is_ike())
    }
}

/// Counts since the start.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Entries written, to each place once.
    pub(super) written: AtomicU64,
    /// Events that were not queued, for want of room.
    pub(super) unqueued: AtomicU64,
    /// Entries that a place did not take.
    pub(super) untaken: AtomicU64,
}

/// The way to the thread.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    sender: SyncSender<Message>,
    counts: Arc<Counts>,
}

impl Queue {
    /// Starts the thread, with room for so many messages.
    pub(super) fn start(
        room: usize,
        wanted: Wanted,
        interval: Duration,
        sinks: Vec<Box<dyn Sink>>,
    ) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(room);
        let counts = Arc::new(Counts::default());
        let writer = Writer {
            wanted,
            repeats: Repeats::new(interval),
            outputs: sinks.into_iter().map(Output::new).collect(),
            counts: Arc::clone(&counts),
            unqueued_told: 0,
        };
        std::thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run(&receiver))?;
        Ok(Self { sender, counts })
    }

    /// Queues a message, or counts it if there is no room.
    pub(super) fn put(&self, message: Message) {
        if self.sender.try_send(message).is_err() {
            self.counts.unqueued.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything is written and the thread has ended; false if that took longer than `patience`.
    pub(super) fn stop(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let (reply, done) = sync_channel(1);
        let mut message = Message::Stop(reply);
        while let Err(TrySendError::Full(back)) = self.sender.try_send(message) {
            if Instant::now() >= until {
                return false;
            }
            message = back;
            std::thread::sleep(Duration::from_millis(5));
        }
        done.recv_timeout(until.saturating_duration_since(Instant::now())) != Err(RecvTimeoutError::Timeout)
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// A place, and what it lacks.
struct Output {
    sink: Box<dyn Sink>,
    missing: u64,
    /// Why the last was not taken.
    why: String,
}

impl Output {
    const fn new(sink: Box<dyn Sink>) -> Self {
        Self { sink, missing: 0, why: String::new() }
    }

    /// Tells what is missing here, if the place takes it by now.
    fn tell_missing(&mut self) {
        if self.missing == 0 {
            return;
        }
        let message = format!("{} entries are missing here: {}", self.missing, self.why);
        let note = Record::new(SystemTime::now(), Kind::NotWritten, message)
            .with("missing", self.missing)
            .with("failure_reason", self.why.clone());
        if self.sink.write(&note).is_ok() {
            self.missing = 0;
            tracing::warn!(target: "policyagent::audit", "{}: written again", self.sink.name());
        }
    }

    fn write(&mut self, records: &[Record], counts: &Counts) {
        self.tell_missing();
        for record in records {
            match self.sink.write(record) {
                Ok(()) => {
                    counts.written.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    if self.missing == 0 {
                        tracing::error!(target: "policyagent::audit", "{}: {error}", self.sink.name());
                    }
                    // A summary stands for as many as it counts.
                    self.missing += record.count;
                    self.why = error.to_string();
                    counts.untaken.fetch_add(record.count, Ordering::Relaxed);
                }
            }
        }
    }
}

/// The thread.
struct Writer {
    wanted: Wanted,
    repeats: Repeats,
    outputs: Vec<Output>,
    counts: Arc<Counts>,
    unqueued_told: u64,
}

impl Writer {
    fn run(mut self, queue: &Receiver<Message>) {
        let mut end = None;
        while end.is_none() {
            let mut records = Vec::new();
            let first = match self.pause() {
                Some(pause) => queue.recv_timeout(pause),
                None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match first {
                Ok(first) => {
                    for message in std::iter::once(first).chain(queue.try_iter()).take(BATCH) {
                        let record = match message {
                            Message::Event(at, event) => ike::record(at, &event),
                            Message::Agent(at, event) => Some(event.record(at)),
                            Message::Stop(reply) => {
                                end = Some(Some(reply));
                                break;
                            }
                        };
                        let record = record.filter(|record| self.wanted.has(record.kind));
                        records.extend(record.and_then(|record| self.repeats.admit(Instant::now(), record)));
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => end = Some(None),
            }
            records.extend(self.unqueued());
            records.extend(self.repeats.due(Instant::now()));
            if end.is_some() {
                records.extend(self.repeats.rest());
            }
            for output in &mut self.outputs {
                output.write(&records, &self.counts);
            }
        }
        // Who waited may have lost patience.
        if let Some(Some(reply)) = end {
            let _ = reply.try_send(());
        }
    }

    /// How long nothing need be done unless something comes.
    fn pause(&self) -> Option<Duration> {
        let retry = self.outputs.iter().any(|output| output.missing > 0).then_some(RETRY);
        let due = self.repeats.next().map(|next| next.saturating_duration_since(Instant::now()));
        retry.into_iter().chain(due).min()
    }

    /// What was not queued, unless it has been told.
    fn unqueued(&mut self) -> Option<Record> {
        let total = self.counts.unqueued.load(Ordering::Relaxed);
        let new = total - self.unqueued_told;
        self.unqueued_told = total;
        let message = format!("{new} events are not audited: they came faster than they could be written");
        let record = || Record::new(SystemTime::now(), Kind::NotWritten, message).with("missing", new);
        (new > 0).then(record)
    }
}
