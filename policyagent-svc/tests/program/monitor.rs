//! IP Security Monitor and the metrics: the built program, with the driver `memory` on loopback, and in a terminal of tmux.
use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::host::{Host, POLICY, PROGRAM};

const PATIENCE: Duration = Duration::from_secs(20);

/// An instance with a description of its policy, in which negotiations fail soon.
fn host(name: &str, settings: &str) -> Host {
    let host = Host::new(name);
    host.write_policy(&POLICY.replace("name = \"lab\"\n", "name = \"lab\"\ndescription = \"for the monitor\"\n"));
    let quick = "[ike]\nretransmit_first_milliseconds = 50\ntransmissions = 2\n";
    fs::write(host.root.join("etc/policyagent/policyagent.toml"), format!("{quick}{settings}")).unwrap();
    host
}

/// The same with a service.
fn started(name: &str, settings: &str) -> Host {
    let mut host = host(name, settings);
    host.start();
    host
}

/// A negotiation that fails, as nobody answers.
fn fail(host: &Host) {
    let output = host.call(&["initiate", "to b", "--wait", "20"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[track_caller]
fn until(what: &str, mut condition: impl FnMut() -> bool, told: impl Fn() -> String) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "not in time: {what}\n{}", told());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The head and the body of an answer by HTTP.
fn ask(port: u16, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.to_owned(), body.to_owned())
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn metrics_are_served_where_the_settings_say_and_count_what_happens() {
    let port = free_port();
    let host = started("metrics", &format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n"));
    let value = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse::<u64>().unwrap()
    };
    let (head, before) = ask(port, "GET /metrics");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{head}");
    assert!(before.ends_with("# EOF\n") && before.contains("policyagent_info{"), "{before}");
    let failed = "policyagent_main_mode_main_modes_failed_total";
    assert_eq!(value(&before, failed), 0);
    // The driver `memory` knows nothing of such packets.
    assert!(!before.contains("bad_spi"), "{before}");
    fail(&host);
    let mut after = String::new();
    until(
        "the failure is counted",
        || {
            after = ask(port, "GET /metrics").1;
            value(&after, failed) == 1
        },
        String::new,
    );
    assert_eq!(value(&after, "policyagent_main_mode_negotiation_failures_total"), 1);
    assert_eq!(value(&after, "policyagent_main_mode_messages_retransmitted_total"), 1);
    assert_eq!(value(&after, "policyagent_policy_version"), value(&before, "policyagent_policy_version"));
    let status: Value = serde_json::from_str(&host.done(&["--format", "json", "status"])).unwrap();
    assert_eq!(status["statistics"]["main_mode"]["main_modes_failed"], 1);
    assert_eq!(status["statistics"]["quick_mode"]["bad_spi_packets"], Value::Null);

    assert!(ask(port, "GET /").0.starts_with("HTTP/1.1 404 "));
    let (head, _) = ask(port, "POST /metrics");
    assert!(head.starts_with("HTTP/1.1 405 ") && head.contains("allow: GET, HEAD"), "{head}");
    let (head, body) = ask(port, "HEAD /metrics");
    assert!(head.starts_with("HTTP/1.1 200 ") && body.is_empty(), "{head}");
}

#[test]
fn a_place_for_metrics_that_is_taken_is_told_at_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let host = host("metrics-taken", &format!("[metrics]\nlisten = \"{address}\"\n"));
    let output = host.call(&["run", "--driver", "memory", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains(&format!("metrics.listen {address}: ")), "{error}");
}

#[test]
fn the_monitor_prints_its_views_once() {
    let host = started("once", "");
    fail(&host);
    let text = host.done(&["monitor", "--once"]);
    for expected in [
        "Active Policy\n  Name  Description ",
        "  lab   for the monitor ",
        "\nMain Mode: Specific Filters\n",
        "  to b  127.0.0.1  127.0.0.9    Outbound   lab ",
        "\nIKE Policies\n".trim_start(),
        "\nQuick Mode: Statistics\n",
        "  Bad SPI Packets                  not known: ",
        "\nNegotiations\n",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
    let json: Value =
        serde_json::from_str(&host.done(&["--format", "json", "monitor", "--once", "--view", "negotiations"])).unwrap();
    assert_eq!(json.as_object().unwrap().len(), 1);
    let failed = &json["negotiations"][0];
    assert_eq!((&failed["result"], &failed["rule"]), (&"failed".into(), &"to b".into()));
    assert!(failed["reason"].as_str().unwrap().contains("127.0.0.9"), "{failed}");
    // Without a terminal there is only this.
    let output = host.call(&["monitor"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("allowed without one: --once"), "{output:?}");
}

/// A terminal with the monitor in it.
struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    fn start(host: &Host, arguments: &str) -> Self {
        let terminal = Self { socket: host.root.join("tmux") };
        let command = format!("NO_COLOR=1 {PROGRAM} --root {} monitor {arguments}; sleep 30", host.root.display());
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "24", &command]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut tmux = Command::new("tmux");
        tmux.arg("-S").arg(&self.socket).args(arguments).env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
        let output = tmux.output().expect("tmux is there: scripts/setup installs it");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    #[track_caller]
    fn shows(&self, expected: &str) -> String {
        until(expected, || self.screen().contains(expected), || self.screen());
        self.screen()
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The one server of this socket, which this test started.
        let _ = Command::new("tmux").arg("-S").arg(&self.socket).arg("kill-server").output();
    }
}

/// Compares a screen with the stored one.
#[track_caller]
fn assert_screen(name: &str, screen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program/screens").join(name);
    if std::env::var_os("MONITOR_WRITE_SCREENS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, screen).unwrap();
    }
    assert_eq!(screen, fs::read_to_string(&path).unwrap_or_default(), "{}", path.display());
}

#[test]
fn the_monitor_in_a_terminal_shows_moves_searches_and_ends() {
    let host = started("terminal", "");
    let terminal = Terminal::start(&host, "--refresh 0");
    terminal.shows("for the monitor");
    terminal.keys(&["Down", "Down", "Enter"]);
    assert_screen("specific-filters.txt", &terminal.shows("Main Mode: Specific Filters (2)"));
    // This computer as the destination: what comes in.
    terminal.keys(&["/"]);
    terminal.shows("Source or me: _");
    terminal.keys(&["127.0.0.9", "Enter"]);
    terminal.shows("Destination or peer: _");
    terminal.keys(&["me", "Enter"]);
    assert_screen("search.txt", &terminal.shows("Specific Filters (1, 127.0.0.9 to me)"));
    terminal.keys(&["?"]);
    assert_screen("help.txt", &terminal.shows("ask the service now"));
    terminal.keys(&["x"]);
    // Nothing is asked by itself; what has happened is seen when it is asked for.
    fail(&host);
    terminal.keys(&["Tab", "End", "Enter"]);
    terminal.shows("Negotiations (0, ");
    terminal.keys(&["c"]);
    terminal.shows("Negotiations (0)");
    terminal.keys(&["r"]);
    terminal.shows("Negotiations (1)");
    terminal.keys(&["Enter"]);
    terminal.shows("Result                      failed");
    terminal.keys(&["x"]);
    terminal.keys(&["+"]);
    terminal.shows("refresh every 1 s");
    // The service goes, and the screen stays.
    host.done(&["stop"]);
    let screen = terminal.shows("! ");
    assert!(screen.contains("Negotiations (1)"), "{screen}");
    terminal.shows("no policyagent is running");
    terminal.keys(&["q"]);
    until("the monitor ends", || !terminal.screen().contains("IP Security Monitor"), || terminal.screen());
}
