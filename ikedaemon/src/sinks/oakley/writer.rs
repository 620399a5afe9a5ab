//! The thread that writes the file, and the queue before it, which never makes the engine wait.
use super::file::{Disk, LogFile};
use super::stamp;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant, SystemTime};

/// Lines that may wait: some dozens of negotiations.
const QUEUE: usize = 16_384;

/// Lines that are written at once.
const BATCH: usize = 1024;

/// A line to be.
#[derive(Debug)]
pub(super) struct Record {
    at: SystemTime,
    thread: u32,
    text: String,
}

impl Record {
    /// A line of this instant and thread.
    pub(super) fn now(text: String) -> Self {
        Self { at: SystemTime::now(), thread: thread(), text }
    }
}

fn thread() -> u32 {
    u32::try_from(nix::unistd::gettid().as_raw()).unwrap_or_default()
}

enum Message {
    Line(Record),
    Close,
    Flush(SyncSender<()>),
}

/// The way to the thread; it ends when the last of these is dropped.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    queue: SyncSender<Message>,
    lost: Arc<Lost>,
}

/// Lines that are not in the file.
#[derive(Debug, Default)]
struct Lost {
    /// For want of room in the queue.
    queue: AtomicU64,
    /// For a failing disk.
    disk: AtomicU64,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start<D: Disk>(file: LogFile<D>) -> io::Result<Self> {
        Self::start_with(file, QUEUE)
    }

    pub(super) fn start_with<D: Disk>(file: LogFile<D>, queue: usize) -> io::Result<Self>
    where
        D::File: 'static,
    {
        let (sender, receiver) = sync_channel(queue);
        let lost = Arc::new(Lost::default());
        let loop_lost = Arc::clone(&lost);
        std::thread::Builder::new().name("oakley".to_owned()).spawn(move || run(file, &receiver, &loop_lost))?;
        Ok(Self { queue: sender, lost })
    }

    /// Queues a line, or counts it as lost if there is no room.
    pub(super) fn write(&self, record: Record) {
        if self.queue.try_send(Message::Line(record)).is_err() {
            self.lost.queue.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Closes the file after what is queued; if the queue is full it stays open, which hurts nobody.
    pub(super) fn close(&self) {
        let _ = self.queue.try_send(Message::Close);
    }

    /// Waits until all that is queued was written; false if that took longer than `patience`.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let (sender, receiver) = sync_channel(1);
        let mut message = Message::Flush(sender);
        while let Err(TrySendError::Full(back)) = self.queue.try_send(message) {
            if Instant::now() >= until {
                return false;
            }
            message = back;
            std::thread::sleep(Duration::from_millis(5));
        }
        let rest = until.saturating_duration_since(Instant::now());
        receiver.recv_timeout(rest) != Err(RecvTimeoutError::Timeout)
    }

    /// Lines lost since the start.
    pub(super) fn lost(&self) -> u64 {
        self.lost.queue.load(Ordering::Relaxed) + self.lost.disk.load(Ordering::Relaxed)
    }
}

/// The thread.
fn run<D: Disk>(mut file: LogFile<D>, queue: &Receiver<Message>, lost: &Lost) {
    // What the log has told of its losses.
    let mut told = 0;
    // Why lines were lost, until the log has told it.
    let mut trouble: Option<io::Error> = None;
    while let Ok(first) = queue.recv() {
        let mut text = String::new();
        let mut flushes = Vec::new();
        let mut close = false;
        for message in std::iter::once(first).chain(queue.try_iter()).take(BATCH) {
            match message {
                Message::Line(record) => {
                    stamp::line(record.at, record.thread, &record.text, &mut text);
                    close = false;
                }
                Message::Close => close = true,
                Message::Flush(reply) => flushes.push(reply),
            }
        }
        let mut notes = String::new();
        let total = lost.queue.load(Ordering::Relaxed) + lost.disk.load(Ordering::Relaxed);
        if total > told && !text.is_empty() {
            let why = trouble.as_ref().map_or_else(|| "they came too fast".to_owned(), ToString::to_string);
            let note = format!("{} lines were lost: {why}", total - told);
            stamp::line(SystemTime::now(), thread(), &note, &mut notes);
        }
        let noted = notes.is_empty() || file.write(&notes).map_err(|(_, error)| trouble = Some(error)).is_ok();
        if noted && !notes.is_empty() {
            told = total;
            trouble = None;
        }
        if let Err((count, error)) = file.write(&text) {
            lost.disk.fetch_add(count, Ordering::Relaxed);
            trouble = Some(error);
        }
        for note in file.take_notes() {
            let mut text = String::new();
            stamp::line(SystemTime::now(), thread(), &note, &mut text);
            // A note that cannot be written tells of nothing worse than the lines do.
            let _ = file.write(&text);
        }
        if close {
            file.close();
        }
        // Who waited may have lost patience.
        for reply in flushes {
            let _ = reply.try_send(());
        }
    }
}
