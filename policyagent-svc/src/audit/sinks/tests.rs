//! What the places are given, and what becomes of places that fail.
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::file::Disk;
use super::syslog::message;
use super::*;
use crate::audit::record::Kind;

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pa-audit-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names in it, and what the JSON lines of all files are in order of their files' age.
    fn entries(&self) -> Vec<serde_json::Value> {
        let mut paths: Vec<PathBuf> = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path()).collect();
        let number =
            |path: &PathBuf| path.extension().and_then(|n| n.to_str()?.parse::<u32>().ok()).unwrap_or_default();
        paths.sort_by_key(|path| std::cmp::Reverse(number(path)));
        let texts = paths.iter().map(|path| fs::read_to_string(path).unwrap());
        let lines: Vec<String> = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn at() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_795_853_700_123)
}

fn record(message: &str) -> Record {
    let mut record = Record::new(at(), Kind::NegotiationFailed, message.to_owned())
        .with("failure_reason", "why\nnot")
        .with("status_code", 13_868);
    record.peer = Some([10, 9, 0, 2].into());
    record
}

/// The fields of a datagram of the journal's protocol.
fn fields(mut datagram: &[u8]) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    while !datagram.is_empty() {
        let end = datagram.iter().position(|octet| matches!(octet, b'=' | b'\n')).unwrap();
        let name = String::from_utf8(datagram[..end].to_vec()).unwrap();
        let (value, rest) = if datagram[end] == b'=' {
            let line = datagram[end..].iter().position(|octet| *octet == b'\n').unwrap() + end;
            (&datagram[end + 1..line], &datagram[line + 1..])
        } else {
            let length = u64::from_le_bytes(datagram[end + 1..end + 9].try_into().unwrap());
            let line = end + 9 + usize::try_from(length).unwrap();
            assert_eq!(datagram[line], b'\n');
            (&datagram[end + 9..line], &datagram[line + 1..])
        };
        fields.push((name, String::from_utf8(value.to_vec()).unwrap()));
        datagram = rest;
    }
    fields
}

#[test]
fn the_journal_gets_every_field() {
    let scratch = Scratch::new("journal");
    let path = scratch.file("socket");
    let mut journal = Journal::new(&path).unwrap();
    journal.write(&record("nobody hears it")).expect("a journal that is not there is no error");
    let stand_in = UnixDatagram::bind(&path).unwrap();
    journal.write(&record("it failed")).unwrap();
    let mut buffer = [0; 4096];
    let length = stand_in.recv(&mut buffer).unwrap();
    let expected = [
        ("MESSAGE", "it failed"),
        ("PRIORITY", "4"),
        ("SYSLOG_FACILITY", "10"),
        ("SYSLOG_IDENTIFIER", "policyagent"),
        ("POLICYAGENT_EVENT", "547"),
        ("POLICYAGENT_NAME", "negotiation_failed"),
        ("POLICYAGENT_TYPE", "failure"),
        ("POLICYAGENT_COUNT", "1"),
        ("POLICYAGENT_PEER", "10.9.0.2"),
        ("POLICYAGENT_FAILURE_REASON", "why\nnot"),
        ("POLICYAGENT_STATUS_CODE", "13868"),
    ];
    assert_eq!(fields(&buffer[..length]), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // One that goes away is missed.
    drop(stand_in);
    fs::remove_file(&path).unwrap();
    journal.write(&record("it failed again")).unwrap_err();
}

#[test]
fn a_journal_that_reads_nothing_holds_nobody_up() {
    let scratch = Scratch::new("deaf");
    let path = scratch.file("socket");
    let _deaf = UnixDatagram::bind(&path).unwrap();
    let mut journal = Journal::new(&path).unwrap();
    let refused = (0..100_000).find_map(|_| journal.write(&record("it failed")).err());
    assert_eq!(refused.map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
}

#[test]
fn syslog_has_one_line_of_its_form() {
    let record = record("it\nfailed");
    let old = message(&record, SyslogFormat::Rfc3164, "host", 42);
    assert!(old.starts_with("<84>Nov ") && old.contains(":00 policyagent[42]: "), "{old}");
    assert!(old.ends_with("policyagent[42]: event 547 (negotiation_failed), failure: it failed"), "{old}");
    assert_eq!(
        message(&record, SyslogFormat::Rfc5424, "host", 42),
        "<84>1 2026-11-28T08:15:00.123Z host policyagent 42 547 - event 547 (negotiation_failed), failure: it failed"
    );
    let started = Record::new(at(), Kind::ServiceStarted, "ready".to_owned());
    assert!(message(&started, SyslogFormat::Rfc5424, "-", 1).starts_with("<85>1 "));

    let scratch = Scratch::new("syslog");
    let path = scratch.file("log");
    let stand_in = UnixDatagram::bind(&path).unwrap();
    Syslog::new(&path, SyslogFormat::Rfc3164).unwrap().write(&record).unwrap();
    let mut buffer = [0; 4096];
    let length = stand_in.recv(&mut buffer).unwrap();
    assert!(buffer[..length].starts_with(b"<84>"));
}

#[test]
fn full_files_are_put_aside_and_only_so_many_kept() {
    let scratch = Scratch::new("rotation");
    let limit = record("entry 00").line().len() as u64 * 3;
    let mut file = AuditFile::new(RealDisk, scratch.file("audit.jsonl"), limit, 2);
    for number in 0..10 {
        file.write(&record(&format!("entry {number:02}"))).unwrap();
    }
    // Three to a file: 3 to 5, 6 to 8, 9.
    let messages: Vec<String> =
        scratch.entries().iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect();
    assert_eq!(messages, (3..10).map(|number| format!("entry {number:02}")).collect::<Vec<_>>());
    let mode = fs::metadata(scratch.file("audit.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}: nobody else may read it");
    // What there is counts from the start.
    let mut file = AuditFile::new(RealDisk, scratch.file("audit.jsonl"), limit, 2);
    for number in 10..13 {
        file.write(&record(&format!("entry {number:02}"))).unwrap();
    }
    assert_eq!(fs::read_to_string(scratch.file("audit.jsonl")).unwrap().lines().count(), 1);
}

#[test]
fn a_line_cut_by_a_crash_is_ended() {
    let scratch = Scratch::new("torn");
    let path = scratch.file("audit.jsonl");
    fs::write(&path, "{\"time\":").unwrap();
    AuditFile::new(RealDisk, path.clone(), 1 << 20, 1).write(&record("after")).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, "{\"time\":\n".to_owned() + &record("after").line());
}

#[test]
fn a_directory_that_was_removed_is_made_again() {
    let scratch = Scratch::new("removed");
    let directory = scratch.file("log");
    let mut file = AuditFile::new(RealDisk, directory.join("audit.jsonl"), 1 << 20, 1);
    file.write(&record("before")).unwrap();
    fs::remove_dir_all(&directory).unwrap();
    file.write(&record("after")).unwrap();
    assert_eq!(fs::read_to_string(directory.join("audit.jsonl")).unwrap(), record("after").line());
}

/// A disk that has room for some octets more.
struct SmallDisk(usize);

impl Disk for SmallDisk {
    fn open(&mut self, path: &Path) -> io::Result<fs::File> {
        RealDisk.open(path)
    }

    fn append(&mut self, file: &mut fs::File, octets: &[u8]) -> io::Result<()> {
        let (now, later) = octets.split_at(octets.len().min(self.0));
        self.0 -= now.len();
        file.write_all(now)?;
        if later.is_empty() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }
}

#[test]
fn a_full_disk_leaves_whole_lines() {
    let scratch = Scratch::new("full");
    let length = record("entry 1").line().len();
    let mut file = AuditFile::new(SmallDisk(length * 3 / 2), scratch.file("audit.jsonl"), 1 << 20, 1);
    file.write(&record("entry 1")).unwrap();
    let error = file.write(&record("entry 2")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(scratch.entries().len(), 1);
    file.disk_mut().0 = 1 << 20;
    file.write(&record("entry 3")).unwrap();
    assert_eq!(scratch.entries()[1]["message"], "entry 3");
}
