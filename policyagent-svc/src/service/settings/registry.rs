//! The settings that administrators know from Windows, under the names that they have in its registry.
use ikecore::certificate::RevocationCheck;
use ikecore::policy::exempt::DefaultExemptions;
use serde::Serialize;

use super::flag;
use crate::boot::{BootExemption, EXEMPTION, OperationMode};
use crate::document::{Table, Value};

/// When a change of a setting takes effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TakesEffect {
    /// In the running service, within a second.
    AtOnce,
    /// When the service is started again.
    ServiceStart,
    /// When the host is started again.
    Boot,
}

impl TakesEffect {
    /// For people.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::AtOnce => "at once",
            Self::ServiceStart => "when the service is started again",
            Self::Boot => "when this host is started again",
        }
    }
}

/// A setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Name {
    EnableLogging,
    StrongCrlCheck,
    NoDefaultExempt,
    EnableDiagnostics,
    LogInterval,
    OperationMode,
    BootExemptions,
    DisableIkeAudits,
}

impl Name {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [
        Self::EnableLogging,
        Self::StrongCrlCheck,
        Self::NoDefaultExempt,
        Self::EnableDiagnostics,
        Self::LogInterval,
        Self::OperationMode,
        Self::BootExemptions,
        Self::DisableIkeAudits,
    ];

    /// The table and the key of the settings file.
    pub(crate) const fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::EnableLogging => ("oakley", "EnableLogging"),
            Self::StrongCrlCheck => ("oakley", "StrongCRLCheck"),
            Self::NoDefaultExempt => ("IPsec", "NoDefaultExempt"),
            Self::EnableDiagnostics => ("IPsec", "EnableDiagnostics"),
            Self::LogInterval => ("IPsec", "LogInterval"),
            Self::OperationMode => ("IPsec", "OperationMode"),
            Self::BootExemptions => ("IPsec", "BootExemptions"),
            Self::DisableIkeAudits => ("audit", "DisableIKEAudits"),
        }
    }

    /// When a change takes effect: as with Windows.
    pub(crate) const fn takes_effect(self) -> TakesEffect {
        match self {
            Self::EnableLogging | Self::StrongCrlCheck => TakesEffect::AtOnce,
            Self::NoDefaultExempt | Self::DisableIkeAudits => TakesEffect::ServiceStart,
            Self::EnableDiagnostics | Self::LogInterval | Self::OperationMode | Self::BootExemptions => {
                TakesEffect::Boot
            }
        }
    }
}

/// The values. The settings file has those that differ from the defaults.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Registry {
    /// Oakley.log is written.
    pub(crate) enable_logging: bool,
    /// What revocation lists decide at least.
    pub(crate) strong_crl_check: RevocationCheck,
    /// What no filter is for.
    pub(crate) no_default_exempt: DefaultExemptions,
    /// Which events of the driver are logged, a sum: 1 packets that are refused, 2 each that is dropped on its way in, 4 out.
    pub(crate) enable_diagnostics: u8,
    /// Seconds between two of the driver's events of one kind.
    pub(crate) log_interval: u32,
    /// Until a policy is in force; nothing: stateful if one is assigned, otherwise permit.
    pub(crate) operation_mode: Option<OperationMode>,
    /// What passes then.
    pub(crate) boot_exemptions: Vec<BootExemption>,
    /// Negotiations are not audited.
    pub(crate) disable_ike_audits: bool,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            enable_logging: false,
            strong_crl_check: RevocationCheck::Off,
            no_default_exempt: DefaultExemptions::default(),
            enable_diagnostics: 0,
            log_interval: 3_600,
            operation_mode: None,
            boot_exemptions: Vec::new(),
            disable_ike_audits: false,
        }
    }
}

impl Registry {
    /// Reads what stands in a table of the settings file; what is not there stays as it is.
    pub(super) fn read(&mut self, section: &str, table: &Table<'_>) {
        for name in Name::ALL.into_iter().filter(|name| name.place().0 == section) {
            if let Some(value) = table.get(name.place().1) {
                // What is wrong is a fault of the file.
                let _ = self.set(name, &value);
            }
        }
    }

    fn set(&mut self, name: Name, value: &Value<'_>) -> Option<()> {
        let small = |most| value.integer(0..=most).and_then(|number| u8::try_from(number).ok());
        match name {
            Name::EnableLogging => self.enable_logging = flag(value)?,
            Name::StrongCrlCheck => {
                let levels = [RevocationCheck::Off, RevocationCheck::Revoked, RevocationCheck::Strict];
                self.strong_crl_check = *levels.get(usize::from(small(2)?))?;
            }
            Name::NoDefaultExempt => {
                self.no_default_exempt = DefaultExemptions::from_number(value.integer(0..=3)?)?;
            }
            Name::EnableDiagnostics => self.enable_diagnostics = small(7)?,
            Name::LogInterval => self.log_interval = value.integer(60..=86_400)?,
            Name::OperationMode => self.operation_mode = Some(operation_mode(value)?),
            Name::BootExemptions => self.boot_exemptions = boot_exemptions(value)?,
            Name::DisableIkeAudits => self.disable_ike_audits = flag(value)?,
        }
        Some(())
    }

    /// The settings that are not the same in `other`.
    pub(crate) fn differences(&self, other: &Self) -> Vec<Name> {
        let is_same = |name: &Name| match name {
            Name::EnableLogging => self.enable_logging == other.enable_logging,
            Name::StrongCrlCheck => self.strong_crl_check == other.strong_crl_check,
            Name::NoDefaultExempt => self.no_default_exempt == other.no_default_exempt,
            Name::EnableDiagnostics => self.enable_diagnostics == other.enable_diagnostics,
            Name::LogInterval => self.log_interval == other.log_interval,
            Name::OperationMode => self.operation_mode == other.operation_mode,
            Name::BootExemptions => self.boot_exemptions == other.boot_exemptions,
            Name::DisableIkeAudits => self.disable_ike_audits == other.disable_ike_audits,
        };
        Name::ALL.into_iter().filter(|name| !is_same(name)).collect()
    }
}

/// By its name, or by its number in the registry.
fn operation_mode(value: &Value<'_>) -> Option<OperationMode> {
    if !value.is_integer() {
        return value.one_of(&OperationMode::ALL.map(|(name, _, mode)| (name, mode)));
    }
    let number = value.integer(0..=3)?;
    let found = OperationMode::ALL.into_iter().find(|(_, known, _)| *known == number).map(|(.., mode)| mode);
    if found.is_none() {
        value.fault(format!("{} is {number}, allowed: 0 (permit), 1 (block), 3 (stateful)", value.what()));
    }
    found
}

/// A list; `"none"` is an empty one.
fn boot_exemptions(value: &Value<'_>) -> Option<Vec<BootExemption>> {
    if !value.is_list() {
        return value.one_of(&[("none", ())]).map(|()| Vec::new());
    }
    let items = value.list("exemption")?;
    let read: Vec<_> = items.iter().map(|item| item.parsed(BootExemption::parse, EXEMPTION)).collect();
    read.into_iter().collect()
}
