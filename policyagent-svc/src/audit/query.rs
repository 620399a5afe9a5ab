//! Looking into the audit file, and into the full ones before it.
use ikecore::policy::selector::Prefix;
use serde_json::Value;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::record::{Kind, Outcome};
use super::sinks::rotated;
use crate::calendar;

/// How often a file that is followed is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// An event as it is asked for: by its number, or by its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum EventChoice {
    /// All that have it.
    Number(u16),
    /// The one.
    Name(&'static str),
}

impl EventChoice {
    /// Reads it; the error says what there is.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let by_number = |kind: &&Kind| text.parse() == Ok(kind.number());
        if let Some(kind) = Kind::ALL.iter().find(by_number) {
            return Ok(Self::Number(kind.number()));
        }
        if let Some(kind) = Kind::ALL.iter().find(|kind| kind.name() == text) {
            return Ok(Self::Name(kind.name()));
        }
        let all: Vec<String> = Kind::ALL.iter().map(|kind| format!("{} ({})", kind.name(), kind.number())).collect();
        Err(format!("there is no such event, allowed: {}", all.join(", ")))
    }
}

/// Which entries are wanted; what is empty does not matter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// From then on.
    pub(crate) since: Option<SystemTime>,
    /// Until then.
    pub(crate) until: Option<SystemTime>,
    /// With one of these peers.
    pub(crate) peers: Vec<Prefix>,
    /// One of these events.
    pub(crate) events: Vec<EventChoice>,
    /// With these words in the message or in the name of the status.
    pub(crate) reason: Option<String>,
    /// Successes or failures.
    pub(crate) outcome: Option<Outcome>,
}

/// An entry as it stands in the file.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Entry {
    /// Its line.
    pub(crate) line: String,
    /// All of it.
    pub(crate) value: Value,
    /// When it happened.
    pub(crate) at: SystemTime,
    first: SystemTime,
    peer: Option<IpAddr>,
}

impl Entry {
    /// Reads a line.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let time = |name| calendar::parse(value.get(name)?.as_str()?, SystemTime::UNIX_EPOCH);
        let at = time("time")?;
        let peer = value.get("peer").and_then(Value::as_str).and_then(|peer| peer.parse().ok());
        Some(Self { line: line.trim_end().to_owned(), at, first: time("first").unwrap_or(at), peer, value })
    }

    /// A text of it; nothing if it has none of that name.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.value.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// The event's number.
    pub(crate) fn number(&self) -> u64 {
        self.value.get("event").and_then(Value::as_u64).unwrap_or_default()
    }

    /// True if it is wanted.
    pub(crate) fn fits(&self, filter: &Filter) -> bool {
        let Filter { since, until, peers, events, reason, outcome } = filter;
        let is_event = |choice: &EventChoice| match choice {
            EventChoice::Number(number) => self.number() == u64::from(*number),
            EventChoice::Name(name) => self.text("name") == *name,
        };
        let says = |words: &String| {
            let status = self.value.pointer("/fields/status_name").and_then(Value::as_str).unwrap_or_default();
            let words = words.to_lowercase();
            [self.text("message"), status].iter().any(|text| text.to_lowercase().contains(&words))
        };
        since.is_none_or(|since| self.at >= since)
            && until.is_none_or(|until| self.first <= until)
            && (peers.is_empty() || self.peer.is_some_and(|peer| peers.iter().any(|prefix| prefix.contains(peer))))
            && (events.is_empty() || events.iter().any(is_event))
            && reason.as_ref().is_none_or(says)
            && outcome.is_none_or(|outcome| self.text("type") == outcome.name())
    }
}

/// Looks for entries in the file at `path` and in the full ones before it, and gives them to `out`, the oldest first: of all
/// only the last `last`, if there is such a limit. With `follow` it goes on with what is written from then on, until `out`
/// has an error. Returns how many lines could not be read.
pub(crate) fn look(
    path: &Path,
    filter: &Filter,
    last: Option<usize>,
    follow: bool,
    mut out: impl FnMut(&Entry) -> io::Result<()>,
) -> io::Result<u64> {
    let mut files = open_all(path)?;
    let mut unreadable = 0;
    let mut kept = VecDeque::new();
    let mut give = |entry: Entry| match last {
        None => out(&entry),
        Some(last) => {
            kept.push_back(entry);
            if kept.len() > last {
                kept.pop_front();
            }
            Ok(())
        }
    };
    let mut line = Vec::new();
    for (_, file) in &mut files {
        line.clear();
        while file.read_until(b'\n', &mut line)? > 0 {
            // What is being written is read when it is whole.
            if line.last() != Some(&b'\n') {
                break;
            }
            match Entry::parse(&String::from_utf8_lossy(&line)) {
                Some(entry) if entry.fits(filter) => give(entry)?,
                Some(_) => {}
                None => unreadable += 1,
            }
            line.clear();
        }
    }
    kept.iter().try_for_each(&mut out)?;
    if !follow {
        return Ok(unreadable);
    }
    let Some((_, mut file)) = files.pop() else { return Ok(unreadable) };
    loop {
        if file.read_until(b'\n', &mut line)? > 0 {
            if line.last() == Some(&b'\n') {
                let entry = Entry::parse(&String::from_utf8_lossy(&line)).filter(|entry| entry.fits(filter));
                entry.iter().try_for_each(&mut out)?;
                line.clear();
            }
            continue;
        }
        // A full file is put aside and a new one begun; what is in the old one has just been read.
        let is_another = |now: std::fs::Metadata| file.get_ref().metadata().is_ok_and(|old| now.ino() != old.ino());
        if std::fs::metadata(path).is_ok_and(is_another) {
            file = BufReader::new(File::open(path)?);
            line.clear();
            continue;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The files, the oldest first. What is put aside meanwhile is not read twice.
fn open_all(path: &Path) -> io::Result<Vec<(u64, BufReader<File>)>> {
    let mut files: Vec<(u64, BufReader<File>)> = Vec::new();
    let paths = std::iter::once(path.to_owned()).chain((1..).map(|number| rotated(path, number)));
    for path in paths {
        match open(&path) {
            Ok((inode, file)) if files.iter().all(|(known, _)| *known != inode) => files.push((inode, file)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && !files.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    files.reverse();
    Ok(files)
}

fn open(path: &PathBuf) -> io::Result<(u64, BufReader<File>)> {
    let file = File::open(path)?;
    Ok((file.metadata()?.ino(), BufReader::new(file)))
}
