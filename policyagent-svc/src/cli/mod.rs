//! The commands.
pub(crate) mod args;
mod audit;
mod boot_mode;
mod check;
mod directory;
mod explain;
mod generate;
mod hash;
mod import;
mod log;
mod policy;
mod proposal;
mod rsop;
mod status;
mod style;
#[cfg(test)]
mod tests;

use clap::Parser as _;
use serde::Serialize;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::capture;
use crate::control::client::{ClientError, ask};
use crate::control::request::{Reply, Request, Target};
use crate::format::Format;
use crate::lock;
use crate::monitor;
use crate::netsh;
use crate::paths::Paths;
use crate::service;
use crate::users::pam;
use args::{Cli, Command, DirectoryCommand, InitiateArgs, RekeyArgs, Switch, TerminateArgs};
use style::Style;

/// How long the service may take for what it answers at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// Does what the command line says.
pub fn main() -> ExitCode {
    let Cli { root, format, command } = Cli::parse_from(arguments(std::env::args_os()));
    let paths = Paths::new(&root);
    let style = Style::of_stdout();
    let client = Client { paths: &paths, format, style };
    match command {
        Command::Run(arguments) => match service::run(paths, arguments.overrides()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(error),
        },
        Command::Status => client.simple(Request::Status),
        Command::Stop => client.stop(),
        Command::Reload => client.simple(Request::Reload),
        Command::Check(arguments) => check::check(&paths, &arguments, format, style),
        Command::Explain(arguments) => explain::explain(&paths, &arguments, format, style),
        Command::Rsop(arguments) => rsop::rsop(&paths, &arguments, format, style),
        Command::Initiate(arguments) => client.initiate(arguments),
        Command::Terminate(arguments) => client.terminate(&arguments),
        Command::Rekey(arguments) => client.rekey(&arguments),
        Command::Log(arguments) => match arguments.switch {
            Some(switch) => client.simple(Request::Log { enabled: switch == Switch::On }),
            None => log::show(&paths, &arguments, format),
        },
        Command::Audit(arguments) => audit::show(&paths, &arguments, format, style),
        Command::Capture(arguments) => capture::run(&arguments, format),
        Command::Directory(arguments) => match arguments.what {
            DirectoryCommand::Poll => client.simple(Request::PollDirectory),
            what => directory::run(&paths, &what, format),
        },
        Command::Import(arguments) => import::run(&paths, &arguments, format),
        Command::Netsh(arguments) => netsh::main(&paths, format, &arguments),
        Command::Monitor(arguments) => match monitor::main(&paths, format, &arguments) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(error),
        },
        Command::BootMode(arguments) => boot_mode::boot_mode(&paths, arguments.command, format, style),
        Command::HashPassword => hash::hash_password(),
        Command::PamServe(arguments) => pam::helper::serve(&arguments.service),
        Command::PamCheck(arguments) => pam::check::check(&arguments.service),
        Command::Generate(arguments) => match generate::generate(arguments.what, &arguments.directory) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(format!("{}: {error}", arguments.directory.display())),
        },
    }
}

/// The arguments; called by the name of netsh, the program is netsh.
fn arguments(mut given: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = given.next().into_iter().collect();
    if arguments.first().is_some_and(|program| Path::new(program).file_stem() == Some("netsh".as_ref())) {
        arguments.push("netsh".into());
    }
    arguments.extend(given);
    arguments
}

/// Says on standard error why it failed.
fn failed(error: impl std::fmt::Display) -> ExitCode {
    eprintln!("policyagent: {error}");
    ExitCode::FAILURE
}

/// Prints a result, as text or as JSON on standard output.
fn print(format: Format, value: &impl Serialize, text: impl FnOnce() -> String) {
    let text = match format {
        Format::Text => text(),
        Format::Json => serde_json::to_string_pretty(value).map(|text| text + "\n").unwrap_or_default(),
    };
    // A reader that has gone away wants nothing more.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Asks the running service.
struct Client<'a> {
    paths: &'a Paths,
    format: Format,
    style: Style,
}

impl Client<'_> {
    fn ask(&self, request: Request, patience: Duration) -> Result<Reply, ClientError> {
        ask(&self.paths.socket(), request, patience)
    }

    fn simple(&self, request: Request) -> ExitCode {
        self.show(self.ask(request, PATIENCE))
    }

    fn show(&self, reply: Result<Reply, ClientError>) -> ExitCode {
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => return failed(error),
        };
        match &reply {
            Reply::Status(status) => print(self.format, status, || status::text(status, self.style)),
            // Asked for by `netsh` alone, which shows it itself.
            Reply::InForce(report) => print(self.format, report, String::new),
            Reply::Initiate(report) if report.succeeded => {
                print(self.format, report, || status::initiated(report, self.style));
            }
            Reply::Initiate(report) => {
                print(self.format, report, String::new);
                let failure = report.failure.as_deref().unwrap_or("no reason given");
                return failed(format!(
                    "rule {:?}: {failure} ({} {})",
                    report.rule, report.status.code, report.status.name
                ));
            }
            Reply::Done { message, warnings } => {
                let warning = |text: &String| format!("{} {text}\n", self.style.warning("warning:"));
                let text = || format!("{message}\n{}", warnings.iter().map(warning).collect::<String>());
                print(self.format, &serde_json::json!({ "message": message, "warnings": warnings }), text);
            }
            Reply::Negotiations { .. } | Reply::DynamicPolicy { .. } | Reply::OtherRevision { .. } => {
                return failed("the service's answer is to another question");
            }
            Reply::Error { message } => {
                print(self.format, &serde_json::json!({ "error": message }), String::new);
                return failed(message);
            }
        }
        ExitCode::SUCCESS
    }

    fn stop(&self) -> ExitCode {
        let reply = match self.ask(Request::Stop, PATIENCE) {
            // It ended before it could say so.
            Err(ClientError::NoAnswer { .. }) => Ok(Reply::done("stopped")),
            reply => reply,
        };
        // The process is gone when its lock is.
        let until = Instant::now() + Duration::from_secs(5);
        while reply.is_ok() && !lock::is_free(&self.paths.lock()) {
            if Instant::now() > until {
                return failed("the service has deleted its SAs, but its process does not end");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.show(reply)
    }

    fn initiate(&self, arguments: InitiateArgs) -> ExitCode {
        let InitiateArgs { rule, peer, wait } = arguments;
        let patience = Duration::from_secs(wait.into()) + PATIENCE;
        self.show(self.ask(Request::Initiate { rule, peer, wait_seconds: wait }, patience))
    }

    fn terminate(&self, arguments: &TerminateArgs) -> ExitCode {
        let TerminateArgs { peer, ipsec_sa, ike_sa, all: _ } = arguments;
        let target =
            peer.map(Target::Peer).or_else(|| ipsec_sa.map(Target::IpsecSa)).or_else(|| ike_sa.map(Target::IkeSa));
        self.simple(Request::Terminate(target.unwrap_or(Target::All)))
    }

    fn rekey(&self, arguments: &RekeyArgs) -> ExitCode {
        match (arguments.ike_sa, arguments.ipsec_sa) {
            (Some(id), _) => self.simple(Request::Rekey(Target::IkeSa(id))),
            (None, Some(id)) => self.simple(Request::Rekey(Target::IpsecSa(id))),
            // The command line's rules let none of the two not be there.
            (None, None) => failed("one of --ike-sa and --ipsec-sa is required"),
        }
    }
}
