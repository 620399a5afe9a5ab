//! `set config` and `show config`: settings of the service.
use serde::Serialize;
use std::path::Path;
use toml_edit::{Array, DocumentMut, Item, Table as TomlTable, Value};

use crate::boot::{self, OperationMode};
use crate::netsh::command::{BootExemption, BootMode, Setting};
use crate::netsh::run::document::values::set;
use crate::netsh::run::show::layout::{Lines, Table};
use crate::netsh::run::show::{print, words};
use crate::netsh::run::{RunError, Session};
use crate::service::settings::registry::{Name, Registry, TakesEffect};
use crate::service::settings::{self, Settings};
use crate::store::EditError;

/// The settings, as the file has them.
#[derive(Serialize)]
struct Report {
    ipsec_diagnostics: u8,
    ike_logging: bool,
    /// 0 as each rule says, 1 revoked, 2 strict.
    strong_crl_check: u8,
    ipsec_log_interval_seconds: u32,
    ipsec_exempt: u8,
    /// `permit`, `block`, `stateful`; nothing: stateful once a policy is assigned.
    boot_mode: Option<&'static str>,
    boot_exemptions: Vec<ExemptionReport>,
    /// What the running service does not go by yet, and when it will.
    pending: Vec<String>,
}

#[derive(Serialize)]
struct ExemptionReport {
    protocol: String,
    /// 0 is any.
    source_port: u16,
    /// 0 is any.
    destination_port: u16,
    direction: &'static str,
}

impl Session {
    /// `set config`. Says when it takes effect, if not at once.
    pub(super) fn set_config(&mut self, setting: &Setting) -> Result<String, RunError> {
        let (name, value) = value(setting);
        let path = self.paths.settings();
        settings::edit(&self.paths, |text| edit(&path, text, name, &value).map(|text| (text, ()))).map_err(
            |error| match error {
                EditError::Refused(error) => error,
                EditError::Store(error) => RunError::Document(error.to_string()),
            },
        )?;
        Ok(match name.takes_effect() {
            TakesEffect::AtOnce => String::new(),
            later => format!("The change takes effect {}.\n", later.text()),
        })
    }

    pub(super) fn show_config(&mut self) -> Result<String, RunError> {
        let settings = Settings::read(&self.paths.settings());
        let Registry {
            enable_logging,
            strong_crl_check,
            no_default_exempt,
            enable_diagnostics,
            log_interval,
            operation_mode,
            boot_exemptions,
            disable_ike_audits: _,
        } = settings.map_err(|error| RunError::Document(error.to_string()))?.registry;
        let report = Report {
            ipsec_diagnostics: enable_diagnostics,
            ike_logging: enable_logging,
            strong_crl_check: strong_crl_check as u8,
            ipsec_log_interval_seconds: log_interval,
            ipsec_exempt: no_default_exempt as u8,
            boot_mode: operation_mode.map(|mode| match mode {
                OperationMode::Permit => "permit",
                OperationMode::Block => "block",
                OperationMode::Stateful => "stateful",
            }),
            boot_exemptions: boot_exemptions.into_iter().map(exemption).collect(),
            // Without a service nothing waits for it.
            pending: self.service.status().map(|status| status.settings.pending).unwrap_or_default(),
        };
        print(self.format, &report, text)
    }
}

fn exemption(exemption: boot::BootExemption) -> ExemptionReport {
    ExemptionReport {
        protocol: words::protocol(exemption.protocol),
        source_port: exemption.source_port,
        destination_port: exemption.destination_port,
        direction: if exemption.inbound { "inbound" } else { "outbound" },
    }
}

fn text(report: &Report) -> String {
    let mut lines = Lines::default();
    lines.field("IPSecDiagnostics", report.ipsec_diagnostics.to_string());
    lines.field("IKElogging", u8::from(report.ike_logging).to_string());
    lines.field("StrongCRLCheck", report.strong_crl_check.to_string());
    lines.field("IPSecloginterval", report.ipsec_log_interval_seconds.to_string());
    lines.field("IPSecexempt", report.ipsec_exempt.to_string());
    lines.field("Boot Mode", report.boot_mode.unwrap_or("stateful once a policy is assigned"));
    if report.boot_exemptions.is_empty() {
        lines.optional("Boot Mode Exemptions", None);
    } else {
        lines.line("Boot Mode Exemptions");
        let mut table = Table::new(&["Protocol", "Src Port", "Dst Port", "Direction"]);
        for exemption in &report.boot_exemptions {
            table.row(vec![
                exemption.protocol.clone(),
                exemption.source_port.to_string(),
                exemption.destination_port.to_string(),
                exemption.direction.to_owned(),
            ]);
        }
        lines.indented(|lines| lines.table(&table, true));
    }
    for pending in &report.pending {
        lines.field("Not in effect yet", pending);
    }
    lines.into_text()
}

/// The setting's name and value in the settings file.
fn value(setting: &Setting) -> (Name, Value) {
    let number = |number: u32| Value::from(i64::from(number));
    match setting {
        Setting::IpsecDiagnostics(level) => (Name::EnableDiagnostics, number((*level).into())),
        Setting::IkeLogging(on) => (Name::EnableLogging, (*on).into()),
        Setting::StrongCrlCheck(level) => (Name::StrongCrlCheck, number((*level).into())),
        Setting::IpsecLogInterval(seconds) => (Name::LogInterval, number(*seconds)),
        Setting::IpsecExempt(level) => (Name::NoDefaultExempt, number((*level).into())),
        Setting::BootMode(mode) => {
            let word = match mode {
                BootMode::Stateful => "stateful",
                BootMode::Block => "block",
                BootMode::Permit => "permit",
            };
            (Name::OperationMode, word.into())
        }
        Setting::BootExemptions(list) if list.is_empty() => (Name::BootExemptions, "none".into()),
        Setting::BootExemptions(list) => {
            (Name::BootExemptions, Value::Array(list.iter().map(exemption_text).collect::<Array>()))
        }
    }
}

fn exemption_text(exemption: &BootExemption) -> String {
    let BootExemption { protocol, source_port, destination_port, inbound } = exemption;
    let ports = if matches!(protocol, 6 | 17) { format!(":{source_port}:{destination_port}") } else { String::new() };
    let direction = if *inbound { "inbound" } else { "outbound" };
    format!("{}{ports}:{direction}", words::protocol(*protocol))
}

fn edit(path: &Path, text: &str, name: Name, value: &Value) -> Result<String, RunError> {
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        RunError::Document(format!("{}: {}", path.display(), error.message()))
    })?;
    let (section, key) = name.place();
    let section = document.entry(section).or_insert_with(|| Item::Table(TomlTable::new()));
    let section = section.as_table_like_mut();
    let section = section.ok_or_else(|| RunError::Document(format!("{}: no table", path.display())))?;
    set(section, key, value.clone());
    Ok(document.to_string())
}
