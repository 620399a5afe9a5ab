//! Tests on a real kernel with ESP: a test program runs itself again inside a User-Mode Linux guest.
//!
//! A program of such tests has its own `main` (`harness = false`) that calls [`main`] with its cases. On the host that
//! starts some guests (`tests/rig/umlrun`) with this same program inside. Each guest takes the next case that no other has
//! taken, until none is left.

use std::io::{BufRead as _, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::interop;
use crate::scratch::Scratch;

/// Set to `1` inside the guest.
const INSIDE: &str = "POLICYAGENT_GUEST";

/// Whether this program runs inside the guest.
pub fn is_guest() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// The environment that goes along into the guest.
const PASSED: [&str; 3] = ["POLICYAGENT_BIN", "RUST_BACKTRACE", "KEEP_SCRATCH"];

/// In the guest: the directory of the host where the guests claim their cases.
const CLAIMS: &str = "POLICYAGENT_CLAIMS";

/// Guests a CPU: they wait for timers and retransmissions more than they compute.
const GUESTS_A_CPU: usize = 2;

/// Time for a guest to start and to stop, and for each case.
const BOOT: Duration = Duration::from_secs(60);
const CASE: Duration = Duration::from_secs(150);

/// A test to run in the guest.
pub struct Case {
    /// Its name, as filters and reports use it.
    pub name: String,
    /// Its body; it fails by panicking.
    pub run: Box<dyn Fn()>,
}

impl Case {
    /// A case.
    pub fn new(name: impl Into<String>, run: impl Fn() + 'static) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What the command line asks for, in the manner of cargo's own test programs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    list: bool,
    exact: bool,
    filters: Vec<String>,
    skips: Vec<String>,
}

impl Options {
    fn parse(arguments: impl IntoIterator<Item = String>) -> Self {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--list" => options.list = true,
                "--exact" => options.exact = true,
                "--skip" => options.skips.extend(arguments.next()),
                "--test-threads" | "--format" | "--color" => drop(arguments.next()),
                other if other.starts_with('-') => {}
                _ => options.filters.push(argument),
            }
        }
        options
    }

    fn wants(&self, name: &str) -> bool {
        let fits = |filter: &String| if self.exact { name == filter } else { name.contains(filter.as_str()) };
        (self.filters.is_empty() || self.filters.iter().any(fits)) && !self.skips.iter().any(fits)
    }
}

/// The `main` of a program of guest tests. Skips, saying so, only where there is no User-Mode Linux.
pub fn main(cases: Vec<Case>) -> ExitCode {
    let options = Options::parse(std::env::args().skip(1));
    let chosen: Vec<Case> = cases.into_iter().filter(|case| options.wants(&case.name)).collect();
    if options.list {
        for case in &chosen {
            println!("{}: test", case.name);
        }
        return ExitCode::SUCCESS;
    }
    if is_guest() {
        return run_here(&chosen);
    }
    if chosen.is_empty() {
        println!("no case of this name");
        return ExitCode::SUCCESS;
    }
    if Command::new("linux.uml").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        println!(
            "SKIPPED: {} cases need a kernel with ESP, and User-Mode Linux is not installed (scripts/setup --test \
             installs it where the distribution has it)",
            chosen.len()
        );
        interop::skipped(chosen.len());
        return ExitCode::SUCCESS;
    }
    run_in_guests(&chosen)
}

/// Inside the guest: runs the cases that no other guest has taken.
fn run_here(cases: &[Case]) -> ExitCode {
    let claims = PathBuf::from(std::env::var_os(CLAIMS).expect("the host names the directory of the claims"));
    let mut failed = 0;
    for case in cases.iter().filter(|case| claim(&claims, &case.name)) {
        println!("{}", Report::Begins(&case.name));
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(&case.run));
        failed += usize::from(outcome.is_err());
        println!(
            "{}",
            Report::Ended { case: &case.name, good: outcome.is_ok(), seconds: start.elapsed().as_secs_f32() }
        );
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Takes the case for this guest, if no other has: making a directory is one step, whoever else tries.
fn claim(claims: &Path, case: &str) -> bool {
    match std::fs::create_dir(claims.join(case)) {
        Ok(()) => true,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => false,
        Err(error) => panic!("cannot claim {case} in {}: {error}", claims.display()),
    }
}

/// A line of the guest about a case.
#[derive(Debug, PartialEq)]
enum Report<'a> {
    Begins(&'a str),
    Ended { case: &'a str, good: bool, seconds: f32 },
}

impl<'a> Report<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let rest = line.strip_prefix("case ")?;
        if let Some(case) = rest.strip_suffix(" begins") {
            return Some(Self::Begins(case));
        }
        let (case, outcome) = rest.split_once(" ... ")?;
        let (verdict, time) = outcome.split_once(" (")?;
        let seconds = time.strip_suffix(" s)")?.parse().ok()?;
        Some(Self::Ended { case, good: verdict == "ok", seconds })
    }
}

impl std::fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Begins(case) => write!(f, "case {case} begins"),
            Self::Ended { case, good, seconds } => {
                write!(f, "case {case} ... {} ({seconds:.1} s)", if *good { "ok" } else { "FAILED" })
            }
        }
    }
}

/// On the host: lets some guests run the cases and follows their output.
fn run_in_guests(cases: &[Case]) -> ExitCode {
    let start = Instant::now();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let guests = (cpus * GUESTS_A_CPU).min(cases.len());
    let claims = Scratch::new("claims");
    let guests: Vec<Guest> =
        (0..guests).map(|number| Guest::start(number, number % cpus, cases, claims.path())).collect();
    let followers: Vec<_> = guests.into_iter().map(|guest| std::thread::spawn(move || guest.follow())).collect();
    let outcomes: Vec<Outcome> =
        followers.into_iter().map(|guest| guest.join().expect("the guest's follower does not panic")).collect();
    let passed: usize = outcomes.iter().map(|outcome| outcome.passed).sum();
    // A guest that dies, or cases that none has run, are failures too.
    let good = outcomes.iter().all(|outcome| outcome.ended_well) && passed == cases.len();
    let verdict = if good { "ok" } else { "FAILED" };
    println!(
        "guest result: {verdict}. {passed} of {} cases passed in {:.0} s",
        cases.len(),
        start.elapsed().as_secs_f32()
    );
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a guest did.
struct Outcome {
    passed: usize,
    ended_well: bool,
}

/// A running guest.
struct Guest {
    number: usize,
    child: Child,
}

impl Guest {
    fn start(number: usize, cpu: usize, cases: &[Case], claims: &Path) -> Self {
        let limit = BOOT + CASE * u32::try_from(cases.len()).unwrap_or(u32::MAX);
        let mut command = Command::new(runner());
        command.env("UML_CPU", cpu.to_string()).args(["-t", &limit.as_secs().to_string(), "-m", "768M"]);
        command.arg("-w").arg(claims).args(["env", &format!("{INSIDE}=1")]);
        command.arg(format!("{CLAIMS}={}", claims.display()));
        for name in PASSED {
            if let Ok(value) = std::env::var(name) {
                command.arg(format!("{name}={value}"));
            }
        }
        let program = std::env::current_exe().expect("a program knows its own path");
        command.arg(program).arg("--exact").args(cases.iter().map(|case| &case.name));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command.spawn().unwrap_or_else(|e| panic!("cannot start {}: {e}", runner().display()));
        Self { number, child }
    }

    /// Passes on what the guest says, until it ends; it is ended when it takes too long over anything.
    fn follow(mut self) -> Outcome {
        let output = BufReader::new(self.child.stdout.take().expect("the output is piped"));
        let (sender, lines) = mpsc::channel();
        // The kernel's own last words may not be UTF-8.
        let reader =
            std::thread::spawn(move || output.lines().map_while(read_line).try_for_each(|line| sender.send(line)));
        let mut passed = 0;
        let mut doing: Option<String> = None;
        let mut deadline = Instant::now() + BOOT;
        loop {
            let line = match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    self.say(&format!(
                        "the guest is killed: no end of {}",
                        doing.as_deref().unwrap_or("its start or stop")
                    ));
                    let pid = i32::try_from(self.child.id()).expect("a process number has 31 bits");
                    kill(Pid::from_raw(pid), Signal::SIGTERM).expect("its runner is still there");
                    deadline = Instant::now() + BOOT;
                    continue;
                }
            };
            match Report::parse(&line) {
                Some(Report::Begins(case)) => {
                    doing = Some(case.to_owned());
                    deadline = Instant::now() + CASE;
                    continue;
                }
                Some(Report::Ended { good, .. }) => {
                    passed += usize::from(good);
                    doing = None;
                    deadline = Instant::now() + BOOT;
                }
                None => {}
            }
            if !interop::pass_on(&line) && !line.starts_with("sysrq:") && !line.starts_with("reboot:") {
                self.say(&line);
            }
        }
        reader.join().expect("reading lines does not panic").expect("the follower reads to the end");
        let status = self.child.wait().expect("the guest ends");
        if let Some(case) = &doing {
            self.say(&format!("case {case} ... FAILED: the guest ended in it"));
        }
        if !status.success() {
            self.say(&format!("the guest ended with {status}"));
        }
        Outcome { passed, ended_well: status.success() }
    }

    fn say(&self, line: &str) {
        println!("[guest {}] {line}", self.number);
    }
}

/// A line, or an empty one for octets that are no text; `None` at the end.
fn read_line(line: std::io::Result<String>) -> Option<String> {
    match line {
        Ok(line) => Some(line),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Some(String::new()),
        Err(_) => None,
    }
}

fn runner() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/rig/umlrun"))
}

#[cfg(test)]
mod tests {
    use super::{Options, Report, claim};
    use crate::scratch::Scratch;

    fn options(line: &str) -> Options {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_choose_cases_as_cargo_does() {
        assert!(options("").wants("xfrm_tunnel"));
        assert!(options("xfrm --nocapture").wants("xfrm_tunnel"));
        assert!(!options("pfkey --test-threads 1").wants("xfrm_tunnel_1"));
        assert!(!options("--exact xfrm").wants("xfrm_tunnel"));
        assert!(options("--exact xfrm xfrm_tunnel").wants("xfrm_tunnel"));
        assert!(!options("xfrm --skip tunnel").wants("xfrm_tunnel"));
        assert!(options("--list").list);
    }

    #[test]
    fn a_case_is_claimed_once() {
        let claims = Scratch::new("claims");
        assert!(claim(claims.path(), "xfrm_tunnel"));
        assert!(!claim(claims.path(), "xfrm_tunnel"));
        assert!(claim(claims.path(), "xfrm_tunnel_1"));
    }

    #[test]
    fn reports_of_the_guest_are_read_as_they_are_written() {
        let reports = [
            Report::Begins("xfrm_tunnel"),
            Report::Ended { case: "xfrm_tunnel", good: true, seconds: 1.5 },
            Report::Ended { case: "xfrm_tunnel", good: false, seconds: 0.0 },
        ];
        for report in reports {
            assert_eq!(Report::parse(&report.to_string()), Some(report));
        }
        assert_eq!(Report::parse("case of doubt"), None);
    }
}
