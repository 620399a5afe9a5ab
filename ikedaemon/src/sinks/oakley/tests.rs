//! The file in every state, the stamp, the switch, the queue.
use super::file::{Disk, LogFile, RealDisk};
use super::writer::{Record, Writer};
use super::{Config, stamp, start};
use crate::sinks::testing::with_subscriber;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, UNIX_EPOCH};
use tracing_subscriber::layer::SubscriberExt;

const PATIENCE: Duration = Duration::from_secs(5);

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("policyagent-oakley-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("a directory of its own");
        Self(path)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("the directory is there");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The lines `from..to`, by number.
fn numbered(range: std::ops::Range<u32>) -> String {
    range.map(|number| format!("line {number}\n")).collect()
}

#[test]
fn a_full_file_becomes_bak_exactly_at_the_limit() {
    let scratch = Scratch::new("limit");
    let mut file = LogFile::new(RealDisk, &scratch.0, 10);
    file.write(&numbered(0..9)).expect("written");
    file.write(&numbered(9..10)).expect("written");
    assert_eq!(scratch.names(), ["Oakley.log"], "ten lines fit");
    file.write(&numbered(10..11)).expect("written");
    assert_eq!((scratch.read("Oakley.log.bak"), scratch.read("Oakley.log")), (numbered(0..10), numbered(10..11)));
    // More at once than one file holds: the second .bak replaces the first.
    file.write(&numbered(11..35)).expect("written");
    assert_eq!((scratch.read("Oakley.log.bak"), scratch.read("Oakley.log")), (numbered(20..30), numbered(30..35)));
    assert_eq!(scratch.names(), ["Oakley.log", "Oakley.log.bak"]);
}

#[test]
fn the_usual_limit_is_fifty_thousand_lines() {
    let scratch = Scratch::new("usual");
    let config = Config::new(scratch.0.clone());
    let mut file = LogFile::new(RealDisk, &scratch.0, config.line_limit);
    file.write(&numbered(0..50_001)).expect("written");
    assert_eq!(scratch.read("Oakley.log.bak").lines().count(), 50_000);
    assert_eq!(scratch.read("Oakley.log"), "line 50000\n");
}

#[test]
fn lines_of_an_existing_file_count() {
    let scratch = Scratch::new("existing");
    fs::write(scratch.0.join("Oakley.log"), numbered(0..8) + "torn").expect("written");
    let mut file = LogFile::new(RealDisk, &scratch.0, 10);
    file.write(&numbered(9..11)).expect("written");
    // The torn line is ended, and is the ninth.
    assert_eq!(scratch.read("Oakley.log.bak"), numbered(0..8) + "torn\nline 9\n");
    assert_eq!(scratch.read("Oakley.log"), "line 10\n");
}

#[test]
fn a_restart_makes_sav_and_leaves_bak_alone() {
    let scratch = Scratch::new("restart");
    fs::write(scratch.0.join("Oakley.log"), "of the last run\n").expect("written");
    fs::write(scratch.0.join("Oakley.log.sav"), "of the run before\n").expect("written");
    fs::write(scratch.0.join("Oakley.log.bak"), "full\n").expect("written");
    let mut file = LogFile::new(RealDisk, &scratch.0, 10);
    file.save_old();
    file.write("new\n").expect("written");
    assert!(file.take_notes().is_empty());
    assert_eq!(scratch.read("Oakley.log"), "new\n");
    assert_eq!(scratch.read("Oakley.log.sav"), "of the last run\n");
    assert_eq!(scratch.read("Oakley.log.bak"), "full\n");
}

#[test]
fn a_file_that_was_removed_or_moved_is_begun_again() {
    let scratch = Scratch::new("removed");
    let path = scratch.0.join("Oakley.log");
    let mut file = LogFile::new(RealDisk, &scratch.0, 10);
    file.write("one\n").expect("written");
    fs::remove_file(&path).expect("removed");
    file.write("two\n").expect("written");
    assert_eq!(scratch.read("Oakley.log"), "two\n");
    fs::rename(&path, scratch.0.join("taken away")).expect("moved");
    file.write("three\n").expect("written");
    assert_eq!((scratch.read("taken away"), scratch.read("Oakley.log")), ("two\n".to_owned(), "three\n".to_owned()));
    // With its directory, too.
    fs::remove_dir_all(&scratch.0).expect("removed");
    file.write("four\n").expect("written");
    assert_eq!(scratch.read("Oakley.log"), "four\n");
}

#[test]
fn the_log_is_not_for_everybody_and_follows_no_link() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new("mode");
    let mut file = LogFile::new(RealDisk, &scratch.0, 10);
    file.write("one\n").expect("written");
    let mode = fs::metadata(scratch.0.join("Oakley.log")).expect("there").permissions().mode();
    assert_eq!(mode & 0o027, 0, "{mode:o}");
    fs::remove_file(scratch.0.join("Oakley.log")).expect("removed");
    let elsewhere = scratch.0.join("elsewhere");
    std::os::unix::fs::symlink(&elsewhere, scratch.0.join("Oakley.log")).expect("a link");
    assert_eq!(file.write("two\n").map_err(|(count, _)| count), Err(1));
    assert!(!elsewhere.exists());
}

/// A file system in memory that fails on demand.
#[derive(Clone, Default)]
struct Faulty(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: BTreeMap<PathBuf, String>,
    /// Octets that are left on the disk; `None`: enough.
    room: Option<usize>,
    refuse_rename: bool,
    renames: usize,
}

struct FaultyFile(Faulty, PathBuf);

impl Write for FaultyFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut state = self.0.0.lock().expect("no panic");
        let count = state.room.map_or(octets.len(), |room| room.min(octets.len()));
        if count == 0 {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        state.room = state.room.map(|room| room - count);
        let text = std::str::from_utf8(&octets[..count]).expect("ASCII");
        state.files.entry(self.1.clone()).or_default().push_str(text);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for Faulty {
    type File = FaultyFile;

    fn append(&mut self, path: &Path) -> io::Result<FaultyFile> {
        self.0.lock().expect("no panic").files.entry(path.to_owned()).or_default();
        Ok(FaultyFile(self.clone(), path.to_owned()))
    }

    fn count(&mut self, path: &Path) -> io::Result<(u64, bool)> {
        let text = self.text(path.to_str().expect("UTF-8"));
        Ok((text.lines().count() as u64 - u64::from(!text.is_empty() && !text.ends_with('\n')), false))
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock().expect("no panic");
        state.renames += 1;
        if state.refuse_rename {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        let text = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), text);
        Ok(())
    }

    fn is_at(&mut self, _: &FaultyFile, path: &Path) -> bool {
        self.0.lock().expect("no panic").files.contains_key(path)
    }
}

impl Faulty {
    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().expect("no panic"));
    }

    fn text(&self, path: &str) -> String {
        self.0.lock().expect("no panic").files.get(Path::new(path)).cloned().unwrap_or_default()
    }
}

#[test]
fn a_rename_that_fails_stops_nothing_and_is_tried_again() {
    let disk = Faulty::default();
    disk.set(|state| state.refuse_rename = true);
    let mut file = LogFile::new(disk.clone(), Path::new("d"), 100);
    file.write(&numbered(0..105)).expect("written in spite of it");
    assert_eq!(disk.text("d/Oakley.log").lines().count(), 105);
    assert_eq!(
        file.take_notes(),
        ["cannot put the full log aside: read-only filesystem or storage medium; it is continued"]
    );
    // At 100, 102 and 104 lines: not with each line, but soon again.
    assert_eq!(disk.0.lock().expect("no panic").renames, 3);
    disk.set(|state| state.refuse_rename = false);
    file.write(&numbered(105..110)).expect("written");
    assert_eq!(disk.text("d/Oakley.log.bak"), numbered(0..106));
    assert_eq!(disk.text("d/Oakley.log"), numbered(106..110));
    assert!(file.take_notes().is_empty());
}

#[test]
fn a_full_disk_loses_lines_and_none_is_torn() {
    let disk = Faulty::default();
    let mut file = LogFile::new(disk.clone(), Path::new("d"), 100);
    file.write("one\n").expect("written");
    disk.set(|state| state.room = Some(6));
    let (lost, error) = file.write("two\nthree\nfour\n").expect_err("full");
    assert_eq!((lost, error.raw_os_error()), (2, Some(libc::ENOSPC)));
    assert_eq!(file.write("five\n").map_err(|(lost, _)| lost), Err(1));
    disk.set(|state| state.room = None);
    file.write("six\n").expect("there is room again");
    assert_eq!(disk.text("d/Oakley.log"), "one\ntwo\nth\nsix\n");
}

#[test]
fn the_log_tells_what_the_disk_lost() {
    let disk = Faulty::default();
    let file = LogFile::new(disk.clone(), Path::new("d"), 100);
    let writer = Writer::start(file).expect("a thread");
    let put = |text: &str| {
        writer.write(Record::now(text.to_owned()));
        assert!(writer.flush(PATIENCE));
    };
    disk.set(|state| state.room = Some(0));
    put("lost");
    put("lost too");
    disk.set(|state| state.room = None);
    put("there");
    put("and there");
    let text = disk.text("d/Oakley.log");
    let shown: Vec<&str> = text.lines().map(|line| line.splitn(4, ' ').last().unwrap_or_default()).collect();
    let told = shown.iter().filter(|line| line.contains("lines were lost")).count();
    assert_eq!((shown.len(), told), (3, 1), "{text}");
    assert!(text.contains(" 2 lines were lost: No space left on device (os error 28)\n"), "{text}");
    assert!(text.ends_with(" and there\n"), "{text}");
    assert_eq!(writer.lost(), 2);
}

/// A disk that does not answer before it is told to.
struct Slow(Faulty, mpsc::Receiver<()>);

impl Disk for Slow {
    type File = FaultyFile;

    fn append(&mut self, path: &Path) -> io::Result<FaultyFile> {
        let _ = self.1.recv_timeout(PATIENCE);
        self.0.append(path)
    }

    fn count(&mut self, path: &Path) -> io::Result<(u64, bool)> {
        self.0.count(path)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn is_at(&mut self, file: &FaultyFile, path: &Path) -> bool {
        self.0.is_at(file, path)
    }
}

#[test]
fn a_full_queue_loses_lines_and_makes_nobody_wait() {
    let disk = Faulty::default();
    let (go, wait) = mpsc::channel();
    let file = LogFile::new(Slow(disk.clone(), wait), Path::new("d"), 1000);
    let writer = Writer::start_with(file, 10).expect("a thread");
    let begin = std::time::Instant::now();
    for number in 0..100 {
        writer.write(Record::now(format!("line {number}")));
    }
    assert!(begin.elapsed() < PATIENCE / 2, "the queue made its user wait");
    assert!(!writer.flush(Duration::from_millis(20)), "the disk hangs");
    go.send(()).expect("the thread waits");
    let lost = writer.lost();
    assert!((100 - 2 * 10 - 1..100).contains(&lost), "{lost}");
    assert!(writer.flush(PATIENCE));
    writer.write(Record::now("last".to_owned()));
    assert!(writer.flush(PATIENCE));
    let text = disk.text("d/Oakley.log");
    // Told at once or, as the thread had its turn, in parts.
    let parts = text.lines().filter_map(|line| line.strip_suffix(" lines were lost: they came too fast"));
    let parts: Vec<u64> =
        parts.map(|line| line.rsplit(' ').next().unwrap_or_default().parse().expect("a number")).collect();
    assert_eq!(parts.iter().sum::<u64>(), lost, "{text}");
    assert_eq!(text.lines().count(), 100 - lost as usize + parts.len() + 1, "{text}");
}

/// What `date` says of an instant is what the stamp says: by the zone of this process.
#[test]
fn the_stamp_is_as_windows_writes_it() {
    // Two months with one digit and with two.
    for seconds in [1_081_000_000_u64, 1_070_000_000, 1_089_999_999] {
        let mut line = String::new();
        stamp::line(UNIX_EPOCH + Duration::new(seconds, 306_999_999), 0xee8, "Receive: (get)", &mut line);
        let format = ["-d".to_owned(), format!("@{seconds}"), "+%_m-%d: %H:%M:%S".to_owned()];
        let date = std::process::Command::new("date").args(format).output().expect("date runs");
        let expected = format!("{}:306:ee8 Receive: (get)\n", String::from_utf8_lossy(&date.stdout).trim_end());
        assert_eq!(line, expected);
    }
    let mut line = String::new();
    stamp::line(UNIX_EPOCH + Duration::from_secs(1_081_000_000), 16, "", &mut line);
    assert!(line.ends_with(":000:10\n"), "an empty line has no blank at its end: {line:?}");
}

#[test]
fn the_zone_of_the_variable_tz_holds() {
    const NAME: &str = "sinks::oakley::tests::the_zone_of_the_variable_tz_holds";
    // A process reads TZ once: another process for each zone.
    if let Ok(expected) = std::env::var("POLICYAGENT_TEST_STAMP") {
        let mut line = String::new();
        stamp::line(UNIX_EPOCH + Duration::from_secs(1_081_000_000), 1, "x", &mut line);
        assert_eq!(line, expected);
        return;
    }
    let zones = [
        ("UTC0", " 4-03: 13:46:40:000:1 x\n"),
        ("ABC-5:30", " 4-03: 19:16:40:000:1 x\n"),
        ("XYZ11", " 4-03: 02:46:40:000:1 x\n"),
    ];
    for (zone, expected) in zones {
        let own = std::env::current_exe().expect("a program knows its own path");
        let mut command = std::process::Command::new(own);
        command.args(["--exact", NAME]).env("TZ", zone).env("POLICYAGENT_TEST_STAMP", expected);
        let output = command.output().expect("the test runs");
        assert!(output.status.success(), "{zone}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn text_of_a_peer_cannot_begin_a_line() {
    let mut line = String::new();
    stamp::line(UNIX_EPOCH, 1, "ID evil\n 3-29: forged\x1b[2J\u{9b}", &mut line);
    assert_eq!(line.matches('\n').count(), 1);
    assert!(line.ends_with("ID evil\\n 3-29: forged\\u{1b}[2J\\u{9b}\n"), "{line:?}");
}

#[test]
fn it_is_switched_while_it_runs() {
    // In a process of its own: what a call site costs while the trace is off depends on all subscribers of a process.
    if std::env::var_os("POLICYAGENT_TEST_SWITCH").is_none() {
        let own = std::env::current_exe().expect("a program knows its own path");
        let mut command = std::process::Command::new(own);
        command.args(["--exact", "sinks::oakley::tests::it_is_switched_while_it_runs"]);
        let output = command.env("POLICYAGENT_TEST_SWITCH", "1").output().expect("the test runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    let scratch = Scratch::new("switch");
    fs::write(scratch.0.join("Oakley.log"), "before\n").expect("written");
    let handle = start(&Config::new(scratch.0.clone())).expect("a thread");
    let (sender, switched) = mpsc::channel();
    handle.on_switch(move |enabled| sender.send(enabled).expect("the test is there"));
    assert!(!switched.try_recv().expect("told at once"));
    let subscriber = tracing_subscriber::registry().with(handle.layer());
    tracing::subscriber::with_default(subscriber, || {
        let made = |text: &'static str| {
            assert_eq!(tracing::enabled!(target: super::TARGET, tracing::Level::INFO), handle.is_enabled());
            super::line(text);
        };
        made("while it is off");
        handle.set_enabled(true);
        assert!(switched.try_recv().expect("told"));
        made("while it is on");
        tracing::info!(target: "elsewhere", "not of the trace");
        assert!(handle.flush(PATIENCE));
        handle.set_enabled(false);
        assert!(!switched.try_recv().expect("told"));
        made("off again");
        handle.set_enabled(true);
        made("on again");
        assert!(handle.flush(PATIENCE));
    });
    let text = scratch.read("Oakley.log");
    let ends: Vec<&str> = text.lines().map(|line| line.rsplit_once(' ').map_or(line, |(_, end)| end)).collect();
    assert_eq!(ends, ["before", "on", "again"], "{text}");
    assert_eq!(scratch.names(), ["Oakley.log"], "switching on makes no .sav");
    let thread = format!(":{:x} while it is on", nix::unistd::gettid().as_raw());
    assert!(text.contains(&thread), "{text}");
}

#[test]
fn it_begins_anew_when_it_is_on_from_the_start() {
    let scratch = Scratch::new("start");
    fs::write(scratch.0.join("Oakley.log"), "before\n").expect("written");
    let config = Config { enabled: true, ..Config::new(scratch.0.clone()) };
    let handle = start(&config).expect("a thread");
    let subscriber = tracing_subscriber::registry().with(handle.layer());
    with_subscriber(subscriber, || crate::sinks::oakley::line("now"));
    assert!(handle.flush(PATIENCE));
    assert_eq!(scratch.read("Oakley.log.sav"), "before\n");
    assert!(scratch.read("Oakley.log").ends_with(" now\n"));
}
