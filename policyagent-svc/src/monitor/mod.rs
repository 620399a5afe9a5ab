//! `policyagent monitor`: IP Security Monitor. It shows what the service tells over the control socket; what it cannot
//! know is left to the words of the service.
mod app;
pub(crate) mod arguments;
mod names;
mod screen;
mod search;
mod table;
#[cfg(test)]
mod tests;
mod view;

use ratatui::crossterm::event::{self, Event, KeyEventKind};
use serde_json::{Map, Value, json};
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crate::control::client::ask;
use crate::control::request::{Reply, Request};
use crate::format::Format;
use crate::paths::Paths;
use crate::ssh::ssh;
use app::{Action, App};
use arguments::MonitorArgs;
use names::Names;
use search::{Search, own_addresses};
use view::{Look, Told, View};

/// How long the service may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a key is waited for before it is looked whether the service has answered.
const TICK: Duration = Duration::from_millis(100);

/// Shows it, until the user has seen enough, or once.
pub(crate) fn main(paths: &Paths, format: Format, arguments: &MonitorArgs) -> Result<(), String> {
    if let Some(machine) = &arguments.machine {
        return there(machine, paths, format, arguments);
    }
    if arguments.once {
        let text = once(paths, format, arguments)?;
        // A reader that has gone away wants nothing more.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
        return Ok(());
    }
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err("the monitor needs a terminal; allowed without one: --once".to_owned());
    }
    interactive(paths, arguments).map_err(|error| format!("the terminal: {error}"))
}

/// The same on another machine.
fn there(machine: &str, paths: &Paths, format: Format, arguments: &MonitorArgs) -> Result<(), String> {
    let mut words = vec!["--refresh".to_owned(), arguments.refresh.to_string()];
    let flags = [("--once", arguments.once), ("--dns", arguments.dns)];
    words.extend(flags.into_iter().filter(|(_, given)| *given).map(|(flag, _)| flag.to_owned()));
    for view in &arguments.view {
        words.extend(["--view".to_owned(), view.clone()]);
    }
    let status = ssh("-r", machine, !arguments.once, paths, format, "monitor", &words)?
        .status()
        .map_err(|error| format!("ssh {machine}: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("monitor on {machine} has failed, or ssh has: {status}")) }
}

/// Asks the service for all that is shown.
fn tell(socket: &Path) -> Result<Told, String> {
    let of = |request| ask(socket, request, PATIENCE).map_err(|error| error.to_string());
    let other = || "the service's answer is to another question".to_owned();
    let status = match of(Request::Status)? {
        Reply::Status(status) => *status,
        Reply::Error { message } => return Err(message),
        _ => return Err(other()),
    };
    let in_force = match of(Request::InForce)? {
        Reply::InForce(in_force) => *in_force,
        Reply::Error { message } => return Err(message),
        _ => return Err(other()),
    };
    let negotiations = match of(Request::Negotiations)? {
        Reply::Negotiations { negotiations } => negotiations,
        Reply::Error { message } => return Err(message),
        _ => return Err(other()),
    };
    Ok(Told { status, in_force, negotiations })
}

/// The views that are wanted: all, if none is named.
fn wanted(arguments: &MonitorArgs) -> Vec<View> {
    let named = |view: &View| arguments.view.is_empty() || arguments.view.iter().any(|name| name == view.key());
    View::ALL.into_iter().filter(named).collect()
}

/// What is printed once.
fn once(paths: &Paths, format: Format, arguments: &MonitorArgs) -> Result<String, String> {
    let told = tell(&paths.socket())?;
    let mut names = arguments.dns.then(Names::start);
    Ok(printed(&told, &wanted(arguments), format, &own_addresses(), &mut names))
}

fn printed(told: &Told, views: &[View], format: Format, own: &[std::net::IpAddr], names: &mut Option<Names>) -> String {
    let search = Search::default();
    let tables = |names: &mut Option<Names>| {
        let of = |view: &View| {
            let table = view.table(told, &mut Look { search: &search, own, names: names.as_mut() });
            (*view, table)
        };
        views.iter().map(of).collect::<Vec<_>>()
    };
    let mut shown = tables(names);
    if let Some(asked) = names {
        asked.settle();
        shown = tables(names);
    }
    match format {
        Format::Text => {
            let texts = shown.iter().map(|(view, table)| format!("{}\n{}", view.full_title(), table.text()));
            texts.collect::<Vec<_>>().join("\n")
        }
        Format::Json => {
            let fields = shown.iter().map(|(view, table)| (view.key().replace('-', "_"), json!(table.objects())));
            let all = Value::Object(fields.collect::<Map<_, _>>());
            serde_json::to_string_pretty(&all).unwrap_or_default() + "\n"
        }
    }
}

/// What asks the service, so that the screen never waits for it.
struct Asking {
    questions: Sender<()>,
    answers: Receiver<Result<Told, String>>,
    waiting: bool,
}

impl Asking {
    fn start(socket: PathBuf) -> Self {
        let (questions, asked) = channel();
        let (told, answers) = channel();
        std::thread::spawn(move || {
            for () in asked {
                // Nobody wants to know any more.
                if told.send(tell(&socket)).is_err() {
                    return;
                }
            }
        });
        Self { questions, answers, waiting: false }
    }

    /// Asks, unless an answer is still to come.
    fn ask(&mut self) {
        if !self.waiting {
            self.waiting = self.questions.send(()).is_ok();
        }
    }

    fn answer(&mut self) -> Option<Result<Told, String>> {
        let answer = self.answers.try_recv().ok()?;
        self.waiting = false;
        Some(answer)
    }
}

fn interactive(paths: &Paths, arguments: &MonitorArgs) -> std::io::Result<()> {
    let look = screen::Look { colours: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) };
    let mut app = App::new(arguments.refresh.into(), arguments.dns, Names::start(), own_addresses());
    if let Some(view) = wanted(arguments).first() {
        app.view = *view;
    }
    let mut asking = Asking::start(paths.socket());
    // It restores the terminal when the program panics, too.
    let mut terminal = ratatui::try_init()?;
    let result = (|| {
        let mut asked = Instant::now();
        asking.ask();
        let mut changed = true;
        loop {
            if changed {
                terminal.draw(|frame| screen::draw(frame, &mut app, look))?;
                changed = false;
            }
            if event::poll(TICK)? {
                match event::read()? {
                    Event::Key(key) if key.kind != KeyEventKind::Release => match app.key(key) {
                        Action::Draw => {}
                        Action::Refresh => {
                            asked = Instant::now();
                            asking.ask();
                        }
                        Action::Quit => return Ok(()),
                    },
                    _ => {}
                }
                changed = true;
            }
            if app.refresh_after().is_some_and(|after| asked.elapsed() >= after) {
                asked = Instant::now();
                asking.ask();
            }
            if let Some(told) = asking.answer() {
                app.take(told);
                changed = true;
            }
            changed |= app.take_names();
        }
    })();
    ratatui::try_restore()?;
    result
}
