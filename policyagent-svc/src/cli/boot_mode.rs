//! `policyagent boot-mode`.
use serde::Serialize;
use std::process::ExitCode;

use super::args::BootModeCommand;
use super::style::Style;
use super::{failed, print};
use crate::boot::{self, BootError, BootExemption, OperationMode};
use crate::document::DocumentError;
use crate::format::Format;
use crate::model::protocol_name;
use crate::paths::Paths;
use crate::service::settings::Settings;
use crate::store::Store;

/// The boot mode of this host.
#[derive(Serialize)]
struct Report {
    /// That of the next start: `permit`, `block`, `stateful`.
    mode: &'static str,
    /// Whether the settings say so.
    set: bool,
    exemptions: Vec<String>,
    /// The rules of the packet filter, while a boot mode is in force.
    in_force: Option<String>,
}

/// Why it cannot be done.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The settings have faults.
    #[error(transparent)]
    Settings(#[from] DocumentError),
    /// The packet filter.
    #[error(transparent)]
    Boot(#[from] BootError),
}

/// Does what is asked.
pub(super) fn boot_mode(paths: &Paths, command: BootModeCommand, format: Format, style: Style) -> ExitCode {
    match carry_out(paths, command, format, style) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(error),
    }
}

fn carry_out(paths: &Paths, command: BootModeCommand, format: Format, style: Style) -> Result<(), Failure> {
    match command {
        BootModeCommand::Apply => {
            let settings = Settings::read(&paths.settings())?;
            boot::apply(mode(paths, &settings), &settings.registry.boot_exemptions)?;
        }
        BootModeCommand::Lift => {
            boot::lift()?;
        }
        BootModeCommand::Show => {
            let settings = Settings::read(&paths.settings())?;
            let report = Report {
                mode: mode(paths, &settings).name(),
                set: settings.registry.operation_mode.is_some(),
                exemptions: settings.registry.boot_exemptions.iter().map(exemption).collect(),
                in_force: boot::in_force()?,
            };
            print(format, &report, || text(&report, style));
        }
    }
    Ok(())
}

/// What the settings say; otherwise stateful if a policy is assigned.
fn mode(paths: &Paths, settings: &Settings) -> OperationMode {
    let usual = || if is_assigned(paths, settings) { OperationMode::Stateful } else { OperationMode::Permit };
    settings.registry.operation_mode.unwrap_or_else(usual)
}

/// Whether any store has a policy that is assigned. One that cannot be read may have: it counts.
fn is_assigned(paths: &Paths, settings: &Settings) -> bool {
    let stores = [Store::persistent(paths), Store::directory(paths), Store::local(paths, settings.policy.as_deref())];
    stores.iter().any(|store| match store.load() {
        Ok(loaded) => loaded.error.is_some() || loaded.file.is_some_and(|file| file.assigned().is_some()),
        Err(_) => true,
    })
}

/// An exemption as the settings have it.
fn exemption(exemption: &BootExemption) -> String {
    let BootExemption { protocol, source_port, destination_port, inbound } = *exemption;
    let ports = if matches!(protocol, 6 | 17) { format!(":{source_port}:{destination_port}") } else { String::new() };
    let direction = if inbound { "inbound" } else { "outbound" };
    format!("{}{ports}:{direction}", protocol_name(protocol))
}

fn text(report: &Report, style: Style) -> String {
    let Report { mode, set, exemptions, in_force } = report;
    let why = match (set, *mode) {
        (true, _) => "as the settings say",
        (false, "permit") => "no policy is assigned",
        (false, _) => "a policy is assigned",
    };
    let exemptions = if exemptions.is_empty() { "none".to_owned() } else { exemptions.join(", ") };
    let now = match in_force {
        None => "no boot mode is in force".to_owned(),
        Some(rules) => format!("{}\n{rules}", style.warning("in force until the service has its policy:")),
    };
    format!("boot mode   {mode}: {why}\nexemptions  {exemptions}, and always DHCP\n{now}\n")
}
