//! What each event becomes, and what becomes of many.
mod entries;

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::query::{Entry, EventChoice, Filter, look};
use super::record::{Kind, Outcome, Record};
use super::repeats::Repeats;
use super::sinks::{AuditFile, RealDisk, Sink};
use super::writer::{Message, Queue, Wanted};
use super::*;
use crate::document::Document;
use crate::paths::Paths;

const MINUTE: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(10);
const ALL: Wanted = Wanted { ike: true, success: true, failure: true };

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_853_700 + second)
}

fn failure(peer: [u8; 4], reason: &str, second: u64) -> Record {
    let message = format!("main mode with {} port {second} failed", peer[3]);
    let mut record = Record::new(at(second), Kind::NegotiationFailed, message).with("failure_reason", reason);
    record.peer = Some(peer.into());
    record
}

#[test]
fn of_a_thousand_the_same_the_first_is_told_and_the_number_of_the_others() {
    let start = Instant::now();
    let mut repeats = Repeats::new(MINUTE);
    let told: Vec<Record> =
        (0..1000).filter_map(|second| repeats.admit(start, failure([10, 9, 0, 2], "no policy", second))).collect();
    assert_eq!(told, [failure([10, 9, 0, 2], "no policy", 0)]);
    assert_eq!(repeats.due(start + MINUTE / 2), []);
    assert_eq!(repeats.next(), Some(start + MINUTE));
    let [summary] = &repeats.due(start + MINUTE)[..] else { panic!("one summary") };
    assert_eq!((summary.count, summary.first, summary.at), (999, Some(at(1)), at(999)));
    assert!(summary.message.ends_with("port 999 failed (999 more of these)"), "{}", summary.message);
    // It goes on: still one entry an interval.
    assert_eq!(repeats.admit(start + MINUTE, failure([10, 9, 0, 2], "no policy", 1000)), None);
    assert_eq!(repeats.due(start + MINUTE * 2)[0].count, 1);
    // After a quiet interval the next one is told at once.
    assert_eq!(repeats.due(start + MINUTE * 3), []);
    assert!(repeats.admit(start + MINUTE * 3, failure([10, 9, 0, 2], "no policy", 1001)).is_some());
}

#[test]
fn other_peers_reasons_and_successes_are_told() {
    let now = Instant::now();
    let mut repeats = Repeats::new(MINUTE);
    assert!(repeats.admit(now, failure([10, 9, 0, 2], "one", 0)).is_some());
    assert!(repeats.admit(now, failure([10, 9, 0, 2], "two", 0)).is_some());
    assert!(repeats.admit(now, failure([10, 9, 0, 3], "one", 0)).is_some());
    let success = Record::new(at(0), Kind::IkeSaEstablished, "established".to_owned());
    for _ in 0..3 {
        assert!(repeats.admit(now, success.clone()).is_some());
    }
    assert_eq!(repeats.rest(), []);
}

/// Whoever makes up reasons or addresses gets few entries, and every failure is in a number.
#[test]
fn reasons_and_addresses_without_number_are_counted_together() {
    let now = Instant::now();
    let mut repeats = Repeats::new(MINUTE);
    let mut told = 0;
    for number in 0..500 {
        told += u64::from(repeats.admit(now, failure([10, 9, 0, 2], &number.to_string(), 0)).is_some());
    }
    assert_eq!(told, 16);
    for number in 0..20_000_u32 {
        let [_, _, high, low] = number.to_be_bytes();
        told += u64::from(repeats.admit(now, failure([10, 10, high, low], "no policy", 0)).is_some());
    }
    assert!(told <= 1024, "{told}");
    let summaries = repeats.due(now + MINUTE);
    assert!(summaries.len() <= 3, "{summaries:?}");
    assert_eq!(told + summaries.iter().map(|summary| summary.count).sum::<u64>(), 20_500);
    assert!(summaries.iter().any(|summary| summary.peer == Some([10, 9, 0, 2].into())), "{summaries:?}");
    // What was counted is forgotten once it is over.
    assert_eq!(repeats.due(now + MINUTE * 3), []);
    assert_eq!(repeats.next(), None);
}

/// A place that takes what it is given while its gate is open.
#[derive(Clone)]
struct Place {
    taken: Arc<Mutex<Vec<Record>>>,
    is_broken: Arc<Mutex<bool>>,
}

impl Place {
    fn new() -> Self {
        Self { taken: Arc::default(), is_broken: Arc::default() }
    }

    fn taken(&self) -> Vec<Record> {
        self.taken.lock().unwrap().clone()
    }
}

impl Sink for Place {
    fn name(&self) -> String {
        "a place".to_owned()
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        if *self.is_broken.lock().unwrap() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.taken.lock().unwrap().push(record.clone());
        Ok(())
    }
}

/// A place that says when it is at work, and then waits until it is told to go on.
struct Slow {
    begun: Sender<()>,
    go: Receiver<()>,
    place: Place,
}

impl Sink for Slow {
    fn name(&self) -> String {
        "a slow place".to_owned()
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        let _ = self.begun.send(());
        let _ = self.go.recv();
        self.place.write(record)
    }
}

fn event() -> Message {
    Message::Agent(at(0), Box::new(AgentEvent::BootModeLifted))
}

#[test]
fn what_the_queue_has_no_room_for_is_counted_and_told() {
    let (begun, began) = channel();
    let (go, gate) = channel();
    let place = Place::new();
    let slow = Slow { begun, go: gate, place: place.clone() };
    let queue = Queue::start(4, ALL, MINUTE, vec![Box::new(slow)]).unwrap();
    queue.put(event());
    began.recv_timeout(PATIENCE).unwrap();
    // The thread is busy: four wait, ten do not, and nobody has waited for it.
    (0..14).for_each(|_| queue.put(event()));
    drop(go);
    assert!(queue.stop(PATIENCE));
    let taken = place.taken();
    assert_eq!(taken.iter().filter(|record| record.kind == Kind::BootModeLifted).count(), 5);
    let [note] = &taken.iter().filter(|record| record.kind == Kind::NotWritten).collect::<Vec<_>>()[..] else {
        panic!("{taken:?}")
    };
    assert_eq!(note.message, "10 events are not audited: they came faster than they could be written");
    assert_eq!(note.fields, [("missing", 10.into())]);
}

#[test]
fn a_place_that_fails_is_told_what_it_lacks_and_the_others_lack_nothing() {
    let (good, bad) = (Place::new(), Place::new());
    *bad.is_broken.lock().unwrap() = true;
    let queue = Queue::start(64, ALL, MINUTE, vec![Box::new(good.clone()), Box::new(bad.clone())]).unwrap();
    (0..3).for_each(|_| queue.put(event()));
    let until = Instant::now() + PATIENCE;
    while queue.counts().untaken.load(Ordering::Relaxed) < 3 {
        assert!(Instant::now() < until, "not written");
        std::thread::yield_now();
    }
    *bad.is_broken.lock().unwrap() = false;
    queue.put(event());
    assert!(queue.stop(PATIENCE));
    assert_eq!(good.taken().len(), 4);
    let bad = bad.taken();
    assert_eq!((bad.len(), bad[0].kind, bad[1].kind), (2, Kind::NotWritten, Kind::BootModeLifted));
    assert_eq!(bad[0].message, "3 entries are missing here: no storage space");
}

#[test]
fn the_end_tells_what_was_only_counted() {
    let place = Place::new();
    let queue = Queue::start(64, ALL, MINUTE, vec![Box::new(place.clone())]).unwrap();
    let refused = || AgentEvent::PolicyRefused { error: "wrong".to_owned() };
    (0..5).for_each(|second| queue.put(Message::Agent(at(second), Box::new(refused()))));
    assert!(queue.stop(PATIENCE));
    let counts: Vec<u64> = place.taken().iter().map(|record| record.count).collect();
    assert_eq!(counts, [1, 4]);
    // Who comes later waits for nothing.
    queue.put(event());
    assert!(queue.stop(PATIENCE));
}

#[test]
fn only_what_is_wanted_is_written() {
    let written = |wanted| {
        let place = Place::new();
        let queue = Queue::start(64, wanted, MINUTE, vec![Box::new(place.clone())]).unwrap();
        queue.put(event());
        queue.put(Message::Agent(at(0), Box::new(AgentEvent::PolicyRefused { error: "wrong".to_owned() })));
        queue.put(Message::Event(at(0), Box::new(entries::established())));
        queue.put(Message::Event(at(0), Box::new(entries::failed(entries::wrong_key()))));
        assert!(queue.stop(PATIENCE));
        place.taken().iter().map(|record| record.kind.number()).collect::<Vec<_>>()
    };
    assert_eq!(written(ALL), [615, 616, 541, 545]);
    assert_eq!(written(Wanted { ike: false, ..ALL }), [615, 616]);
    assert_eq!(written(Wanted { success: false, ..ALL }), [616, 545]);
    assert_eq!(written(Wanted { failure: false, ..ALL }), [615, 541]);
}

fn settings(text: &str) -> Result<Settings, String> {
    let read = |table: &crate::document::Table<'_>| {
        let mut settings = Settings::default();
        settings.read(table);
        table.finish();
        Some(settings)
    };
    let parsed = Document::of("/e/policyagent.toml", text).parse("the file", |table| read(&table));
    parsed.map(|(settings, _)| settings).map_err(|error| error.to_string())
}

#[test]
fn every_setting_has_its_effect() {
    let paths = Paths::new(std::path::Path::new("/no/such/root"));
    let config = |text: &str| settings(text).unwrap().config(&paths, false);
    let usual = config("");
    let path = |path: &str| Some(PathBuf::from(path));
    assert_eq!(usual.file, path("/no/such/root/var/log/policyagent/audit.jsonl"));
    assert_eq!(usual.journal, path("/no/such/root/run/systemd/journal/socket"));
    assert_eq!(usual.syslog, path("/no/such/root/dev/log"), "there is no journal");
    assert!(usual.ike && usual.success && usual.failure);
    assert_eq!((usual.file_octets, usual.files_kept, usual.interval), (10 << 20, 5, MINUTE));
    let other = config(
        "success = false\nfailure = false\nfile = \"f\"\nfile_kilobytes = 16\nfiles_kept = 2\njournal = \"/proc\"\n\
         syslog_format = \"rfc5424\"\ninterval_seconds = 5\n",
    );
    assert_eq!((other.file, other.file_octets, other.files_kept), (path("/e/f"), 16 << 10, 2));
    assert_eq!((other.journal, other.syslog), (path("/proc"), None), "the journal passes it on");
    assert!(!other.success && !other.failure && other.interval == Duration::from_secs(5));
    let off = config("file = false\njournal = false\nsyslog = false\n");
    assert_eq!((off.file, off.journal, off.syslog), (None, None, None));
    assert_eq!(config("journal = \"/proc\"\nsyslog = true\n").syslog, path("/no/such/root/dev/log"));
    assert!(!settings("").unwrap().config(&paths, true).ike);
    for (text, expected) in [
        ("file_kilobytes = 1", "an integer from 16 to 4194304"),
        ("syslog_format = \"x\"", "allowed: rfc3164, rfc5424"),
        ("interval_seconds = 0", "an integer from 1 to 86400"),
        ("sucess = true", "did you mean \"success\"?"),
    ] {
        let error = settings(text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn queries_find_what_they_ask_for() {
    let directory = std::env::temp_dir().join(format!("pa-audit-query-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    let path = directory.join("audit.jsonl");
    let line = failure([10, 9, 0, 2], "no policy", 0).line().len() as u64;
    let mut file = AuditFile::new(RealDisk, path.clone(), line * 3, 9);
    for second in 0..8_u8 {
        let mut record =
            failure([10, 9, 0, second % 2], if second == 7 { "wrong KEY" } else { "no policy" }, second.into());
        record.message = record.fields[0].1.as_str().unwrap().to_owned();
        file.write(&record).unwrap();
    }
    file.write(&Record::new(at(8), Kind::ServiceStopped, "ended".to_owned())).unwrap();
    let found = |filter: Filter, last| {
        let mut seconds = Vec::new();
        let unreadable = look(&path, &filter, last, false, |entry: &Entry| {
            seconds.push(entry.at.duration_since(at(0)).unwrap().as_secs());
            Ok(())
        });
        assert_eq!(unreadable.unwrap(), 0);
        seconds
    };
    assert!(directory.join("audit.jsonl.2").exists());
    assert_eq!(found(Filter::default(), None), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(found(Filter::default(), Some(2)), [7, 8]);
    let between = Filter { since: Some(at(2)), until: Some(at(4)), ..Filter::default() };
    assert_eq!(found(between, None), [2, 3, 4]);
    let peers = vec!["10.9.0.1".parse::<IpAddr>().map(Prefix::host).unwrap()];
    assert_eq!(found(Filter { peers, ..Filter::default() }, None), [1, 3, 5, 7]);
    let reason = Some("wrong key".to_owned());
    assert_eq!(found(Filter { reason, ..Filter::default() }, None), [7]);
    assert_eq!(found(Filter { outcome: Some(Outcome::Success), ..Filter::default() }, None), [8]);
    for (event, expected) in [("614", 8), ("service_stopped", 8)] {
        let events = vec![EventChoice::parse(event).unwrap()];
        assert_eq!(found(Filter { events, ..Filter::default() }, None), [expected]);
    }
    let events = vec![EventChoice::parse("547").unwrap(), EventChoice::parse("service_stopped").unwrap()];
    assert_eq!(found(Filter { events, ..Filter::default() }, None).len(), 9);
    assert!(EventChoice::parse("548").unwrap_err().contains("negotiation_failed (547)"));
    // A line that is none is counted; one that is being written is not there yet.
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("noise\n{text}{{\"time\"")).unwrap();
    assert_eq!(look(&path, &Filter::default(), None, false, |_| Ok(())).unwrap(), 1);
    std::fs::remove_dir_all(&directory).unwrap();
}

use ikecore::policy::selector::Prefix;
use std::net::IpAddr;
