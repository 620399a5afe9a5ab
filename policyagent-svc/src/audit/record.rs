//! One entry of the audit: what happened, when, with whom, in fields and in words.
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::Value;
use std::net::IpAddr;
use std::time::SystemTime;

use crate::calendar;

/// Whether what was tried came about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Outcome {
    /// It did.
    Success,
    /// It did not.
    Failure,
}

impl Outcome {
    /// `success` or `failure`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $outcome:ident;)*) => {
        /// What is audited.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub(crate) enum Kind {
            $($(#[$doc])* $variant,)*
        }

        impl Kind {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The number that the event has on Windows; several may have one.
            pub(crate) const fn number(self) -> u16 {
                match self { $(Self::$variant => $number,)* }
            }

            /// Its name, which it has alone.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whether it is a success.
            pub(crate) const fn outcome(self) -> Outcome {
                match self { $(Self::$variant => Outcome::$outcome,)* }
            }
        }
    };
}

kinds! {
    /// An ISAKMP SA stands.
    IkeSaEstablished = 541, "ike_sa_established", Success;
    /// A pair of IPsec SAs is in use.
    IpsecSaEstablished = 541, "ipsec_sa_established", Success;
    /// Traffic passes in clear, as its peer does not answer.
    SoftSaEstablished = 541, "soft_sa_established", Success;
    /// A pair of IPsec SAs is gone.
    IpsecSaEnded = 542, "ipsec_sa_ended", Success;
    /// Traffic passes in clear no more.
    SoftSaEnded = 542, "soft_sa_ended", Success;
    /// An ISAKMP SA is gone.
    IkeSaEnded = 543, "ike_sa_ended", Success;
    /// No trust in the peer's certificate.
    CertificateNotTrusted = 544, "certificate_not_trusted", Failure;
    /// The peer could not prove who it is.
    AuthenticationFailed = 545, "authentication_failed", Failure;
    /// The peer's choice is not what was offered.
    ProposalInvalid = 546, "proposal_invalid", Failure;
    /// A negotiation failed.
    NegotiationFailed = 547, "negotiation_failed", Failure;
    /// The service is ready.
    ServiceStarted = 613, "service_started", Success;
    /// The service ends.
    ServiceStopped = 614, "service_stopped", Success;
    /// The policy of a start is in force.
    PolicyApplied = 615, "policy_applied", Success;
    /// Another policy is in force.
    PolicyChanged = 615, "policy_changed", Success;
    /// A setting has changed.
    SettingChanged = 615, "setting_changed", Success;
    /// The boot mode is lifted.
    BootModeLifted = 615, "boot_mode_lifted", Success;
    /// Another driver took the place of one that was lost.
    DriverOpened = 615, "driver_opened", Success;
    /// The directory's policy was read.
    DirectoryRead = 615, "directory_read", Success;
    /// The directory assigns no policy.
    DirectoryUnassigned = 615, "directory_unassigned", Success;
    /// The service could not start, or serve on.
    ServiceFailed = 616, "service_failed", Failure;
    /// A policy could not be put in force.
    PolicyRefused = 616, "policy_refused", Failure;
    /// A policy store has faults.
    StoreFault = 616, "store_fault", Failure;
    /// The settings have faults.
    SettingsRefused = 616, "settings_refused", Failure;
    /// The boot mode stays.
    BootModeNotLifted = 616, "boot_mode_not_lifted", Failure;
    /// The SA driver is gone.
    DriverLost = 616, "driver_lost", Failure;
    /// No SA driver could be opened.
    DriverNotOpened = 616, "driver_not_opened", Failure;
    /// The SA driver failed at something.
    DriverFailed = 616, "driver_failed", Failure;
    /// The directory could not be read.
    DirectoryNotRead = 616, "directory_not_read", Failure;
    /// Entries of the audit are missing.
    NotWritten = 616, "not_written", Failure;
}

impl Kind {
    /// True if it is about negotiations and SAs, which `DisableIKEAudits` silences.
    pub(crate) const fn is_ike(self) -> bool {
        matches!(self.number(), 541..=547)
    }
}

/// An entry.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Record {
    /// When it happened; of a summary, when the last did.
    pub(crate) at: SystemTime,
    /// What happened.
    pub(crate) kind: Kind,
    /// With whom.
    pub(crate) peer: Option<IpAddr>,
    /// In words.
    pub(crate) message: String,
    /// In fields, which no secret is among.
    pub(crate) fields: Vec<(&'static str, Value)>,
    /// How many of it this entry stands for.
    pub(crate) count: u64,
    /// Of a summary: when the first that it stands for happened.
    pub(crate) first: Option<SystemTime>,
}

impl Record {
    /// An entry without peer and fields.
    pub(crate) const fn new(at: SystemTime, kind: Kind, message: String) -> Self {
        Self { at, kind, peer: None, message, fields: Vec::new(), count: 1, first: None }
    }

    /// With a field more.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// With a field more, if there is a value.
    pub(crate) fn with_some(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The line of the file.
    pub(crate) fn line(&self) -> String {
        // Keys are text and values are made of JSON's own kinds.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("time", &calendar::rfc3339(self.at))?;
        map.serialize_entry("event", &self.kind.number())?;
        map.serialize_entry("name", self.kind.name())?;
        map.serialize_entry("type", self.kind.outcome().name())?;
        if let Some(peer) = self.peer {
            map.serialize_entry("peer", &peer)?;
        }
        map.serialize_entry("count", &self.count)?;
        if let Some(first) = self.first {
            map.serialize_entry("first", &calendar::rfc3339(first))?;
        }
        map.serialize_entry("message", &self.message)?;
        map.serialize_entry("fields", &Fields(&self.fields))?;
        map.end()
    }
}

/// In their order.
struct Fields<'a>(&'a [(&'static str, Value)]);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
