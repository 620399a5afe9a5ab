//! Tests on a real kernel with ESP: a test program runs itself again inside a User-Mode Linux guest.
//!
//! A program of such tests has its own `main` (`harness = false`) that calls [`main`] with its cases. On the host that
//! starts one guest a CPU (`tests/rig/umlrun`) with this same program inside; there it runs the cases one by one.

use std::io::{BufRead as _, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crate::interop;

/// Set to `1` inside the guest.
const INSIDE: &str = "POLICYAGENT_GUEST";

/// Whether this program runs inside the guest.
pub fn is_guest() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// The environment that goes along into the guest.
const PASSED: [&str; 3] = ["POLICYAGENT_BIN", "RUST_BACKTRACE", "KEEP_SCRATCH"];

/// Time for a guest to start, and for each case.
const BOOT: Duration = Duration::from_secs(60);
const CASE: Duration = Duration::from_secs(120);

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

/// Inside the guest: runs the cases in turn.
fn run_here(cases: &[Case]) -> ExitCode {
    let mut failed = 0;
    for case in cases {
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(&case.run));
        let seconds = start.elapsed().as_secs_f32();
        if outcome.is_ok() {
            println!("case {} ... ok ({seconds:.1} s)", case.name);
        } else {
            failed += 1;
            println!("case {} ... FAILED ({seconds:.1} s)", case.name);
        }
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// On the host: shares the cases among one guest a CPU and follows their output.
fn run_in_guests(cases: &[Case]) -> ExitCode {
    let start = Instant::now();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let shares: Vec<Vec<&str>> =
        (0..cpus).map(|cpu| cases.iter().skip(cpu).step_by(cpus).map(|case| case.name.as_str()).collect()).collect();
    let outcomes: Vec<(usize, bool)> = std::thread::scope(|scope| {
        let guests: Vec<_> = shares
            .iter()
            .enumerate()
            .filter(|(_, names)| !names.is_empty())
            .map(|(cpu, names)| scope.spawn(move || run_guest(cpu, names)))
            .collect();
        guests.into_iter().map(|guest| guest.join().expect("the guest's follower does not panic")).collect()
    });
    let passed: usize = outcomes.iter().map(|(passed, _)| passed).sum();
    // A guest that dies, or that lists fewer cases than it was given, is a failure too.
    let good = outcomes.iter().all(|(_, good)| *good) && passed == cases.len();
    let verdict = if good { "ok" } else { "FAILED" };
    println!(
        "guest result: {verdict}. {passed} of {} cases passed in {:.0} s",
        cases.len(),
        start.elapsed().as_secs_f32()
    );
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the cases `names` in one guest on `cpu`; returns how many passed and whether the guest ended well.
fn run_guest(cpu: usize, names: &[&str]) -> (usize, bool) {
    let limit = BOOT + CASE * u32::try_from(names.len()).unwrap_or(u32::MAX);
    let mut command = Command::new(runner());
    command.env("UML_CPU", cpu.to_string()).args(["-t", &limit.as_secs().to_string(), "-m", "768M", "env"]);
    command.arg(format!("{INSIDE}=1"));
    for name in PASSED {
        if let Ok(value) = std::env::var(name) {
            command.arg(format!("{name}={value}"));
        }
    }
    let program = std::env::current_exe().expect("a program knows its own path");
    command.arg(program).arg("--exact").args(names);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot start {}: {e}", runner().display()));
    let mut passed = 0;
    for line in BufReader::new(child.stdout.take().expect("the output is piped")).lines() {
        // The kernel's own last words may not be UTF-8.
        let Ok(line) = line else { continue };
        if line.starts_with("case ") && line.contains(" ... ok (") {
            passed += 1;
        }
        if !interop::pass_on(&line) && !line.starts_with("sysrq:") && !line.starts_with("reboot:") {
            println!("[cpu{cpu}] {line}");
        }
    }
    let status = child.wait().expect("the guest ends");
    match status.code() {
        Some(0) => {}
        Some(124) => println!("[cpu{cpu}] the guest was killed after {limit:?}"),
        _ => println!("[cpu{cpu}] the guest ended with {status}"),
    }
    (passed, status.success())
}

fn runner() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/rig/umlrun"))
}

#[cfg(test)]
mod tests {
    use super::Options;

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
}
