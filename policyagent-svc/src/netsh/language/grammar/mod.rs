//! The commands as data: of each the parameters in the order in which values without a tag fill them.
mod dynamic_context;
mod parameters;
mod root_context;
mod static_context;

use core::fmt::Write as _;
use core::ops::RangeInclusive;

use super::arguments::Arguments;
use super::error::LanguageError;
use crate::netsh::command::Command;

/// Where a line is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Context {
    Root,
    Ipsec,
    Static,
    Dynamic,
}

impl Context {
    /// As the prompt shows it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Root => "netsh",
            Self::Ipsec => "netsh ipsec",
            Self::Static => "netsh ipsec static",
            Self::Dynamic => "netsh ipsec dynamic",
        }
    }

    /// The one above.
    pub(crate) const fn parent(self) -> Option<Self> {
        match self {
            Self::Root => None,
            Self::Ipsec => Some(Self::Root),
            Self::Static | Self::Dynamic => Some(Self::Ipsec),
        }
    }

    /// Those below, with their names.
    pub(crate) const fn children(self) -> &'static [(&'static str, Self)] {
        match self {
            Self::Root => &[("ipsec", Self::Ipsec)],
            Self::Ipsec => &[("dynamic", Self::Dynamic), ("static", Self::Static)],
            Self::Static | Self::Dynamic => &[],
        }
    }

    /// Its commands.
    pub(crate) const fn entries(self) -> &'static [Entry] {
        match self {
            Self::Root => root_context::ENTRIES,
            Self::Ipsec => &[],
            Self::Static => static_context::ENTRIES,
            Self::Dynamic => dynamic_context::ENTRIES,
        }
    }

    /// The first words of its commands, each once.
    pub(crate) fn verbs(self) -> Vec<&'static str> {
        let mut verbs: Vec<_> = self.entries().iter().map(|entry| entry.verb).collect();
        verbs.dedup();
        verbs
    }
}

/// A command.
pub(crate) struct Entry {
    /// Its first word.
    pub(crate) verb: &'static str,
    /// Its second; empty if it has none.
    pub(crate) object: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    /// In positional order.
    pub(crate) parameters: &'static [Parameter],
    /// What else is to be known.
    pub(crate) remarks: &'static [&'static str],
    /// One that works.
    pub(crate) example: &'static str,
    /// Makes the command of its arguments.
    pub(crate) build: fn(&Arguments<'_>) -> Result<Command, LanguageError>,
}

impl Entry {
    /// Verb and object.
    pub(crate) fn name(&self) -> String {
        if self.object.is_empty() { self.verb.to_owned() } else { format!("{} {}", self.verb, self.object) }
    }

    /// Its tags.
    pub(crate) fn tags(&self) -> Vec<&'static str> {
        self.parameters.iter().filter(|parameter| !matches!(parameter.kind, Kind::All)).map(|p| p.tag).collect()
    }

    /// How it is written, on one line.
    pub(crate) fn usage(&self) -> String {
        let mut usage = self.name();
        let mut either = false;
        for parameter in self.parameters {
            let Parameter { tag, kind, need, .. } = parameter;
            // What excludes each other stands between bars.
            let lead = if either && matches!(need, Need::Or) { " | " } else { " " };
            either = matches!(need, Need::Either | Need::EitherOrNone | Need::Or);
            let written = match kind {
                Kind::All => "all".to_owned(),
                Kind::OneOrAll => format!("[{tag}=]{}|all", kind.metavariable()),
                Kind::RuleOrAll => format!("[{tag}=]{}|all|default", kind.metavariable()),
                _ => format!("[{tag}=]{}", kind.metavariable()),
            };
            // Writing to a String does not fail.
            let _ = match need {
                Need::Required | Need::Either | Need::Or | Need::Side => write!(usage, "{lead}{written}"),
                Need::Optional | Need::EitherOrNone => write!(usage, "{lead}[{written}]"),
                Need::Repeated => write!(usage, "{lead}[{written}]..."),
            };
        }
        usage
    }
}

/// A parameter.
pub(crate) struct Parameter {
    pub(crate) tag: &'static str,
    pub(crate) kind: Kind,
    pub(crate) need: Need,
    /// What it is when left out of `add` or `show`; empty where it then is nothing, or stays as it is.
    pub(crate) default: &'static str,
    pub(crate) help: &'static str,
}

/// Whether a parameter must be there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Need {
    Required,
    Optional,
    /// May be there more than once.
    Repeated,
    /// One of this and the following [`Self::Or`] must be there, and no two.
    Either,
    /// Of this and the following [`Self::Or`] one may be there.
    EitherOrNone,
    /// An alternative to what stands before it; only with its tag.
    Or,
    /// Required, unless the other side is a server.
    Side,
}

/// What a value is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// The name of an object.
    Name,
    /// The name of an object that is made, or renamed.
    NewName,
    /// A name, or `all`.
    OneOrAll,
    /// A name, `all` or `default`.
    RuleOrAll,
    /// The word `all`, which has no tag.
    All,
    Guid,
    Text,
    File,
    YesNo,
    Number(RangeInclusive<u32>),
    /// Minutes, which commands have as seconds.
    Minutes(RangeInclusive<u32>),
    Address,
    Mask,
    Protocol,
    Port,
    /// The other end of a tunnel.
    TunnelEnd,
    Action,
    ConnectionType,
    MainModeOffers,
    QuickModeOffers,
    PfsGroup,
    PresharedKey,
    /// A machine, as ssh takes it.
    Machine,
    Password,
    RootCa,
    /// One of these words.
    Keyword(&'static [&'static str]),
    /// The value of a property.
    Setting,
}

/// The properties of `set config`.
pub(crate) const PROPERTIES: &[&str] = &[
    "ipsecdiagnostics",
    "ikelogging",
    "strongcrlcheck",
    "ipsecloginterval",
    "ipsecexempt",
    "bootmode",
    "bootexemptions",
];

impl Kind {
    /// What stands for the value in a usage line.
    pub(crate) fn metavariable(&self) -> String {
        match self {
            Self::Name | Self::NewName | Self::OneOrAll | Self::RuleOrAll => "NAME".to_owned(),
            Self::All => "all".to_owned(),
            Self::Guid => "GUID".to_owned(),
            Self::Text => "TEXT".to_owned(),
            Self::File => "FILE".to_owned(),
            Self::Number(_) => "NUMBER".to_owned(),
            Self::Minutes(_) => "MINUTES".to_owned(),
            Self::Address => "ADDRESS".to_owned(),
            Self::Mask => "MASK".to_owned(),
            Self::Protocol => "PROTOCOL".to_owned(),
            Self::Port => "PORT".to_owned(),
            Self::TunnelEnd => "HOST".to_owned(),
            Self::MainModeOffers | Self::QuickModeOffers => "\"METHODS\"".to_owned(),
            Self::PfsGroup => "GROUP".to_owned(),
            Self::PresharedKey => "KEY".to_owned(),
            Self::Machine => "MACHINE".to_owned(),
            Self::Password => "PASSWORD".to_owned(),
            Self::RootCa => "\"AUTHORITY\"".to_owned(),
            Self::Setting => "VALUE".to_owned(),
            Self::YesNo | Self::Action | Self::ConnectionType | Self::Keyword(_) => self.keywords().join("|"),
        }
    }

    /// What is allowed.
    pub(crate) fn allowed(&self) -> String {
        match self {
            Self::Name | Self::OneOrAll | Self::RuleOrAll => "a name of 1 to 255 characters".to_owned(),
            Self::NewName => "a name of 1 to 255 characters other than all".to_owned(),
            Self::All => "all".to_owned(),
            Self::Guid => "a GUID, as in {3f91a819-7647-11d1-864d-d46a00000000}".to_owned(),
            Self::Text => "text".to_owned(),
            Self::File => "the path of a file".to_owned(),
            Self::Number(range) => format!("a number from {} to {}", range.start(), range.end()),
            Self::Minutes(range) => format!("minutes from {} to {}", range.start(), range.end()),
            Self::Address => {
                "me, any, an address of IPv4 or IPv6, a range FIRST-LAST, the name of a host, or one of dns, \
                              wins, dhcp, gateway"
                    .to_owned()
            }
            Self::Mask => "a mask as 255.255.255.0, or the length of the prefix".to_owned(),
            Self::Protocol => "any, icmp, tcp, udp, raw, another protocol's name, or a number from 0 to 255".to_owned(),
            Self::Port => "a number from 0 to 65535, 0 being any".to_owned(),
            Self::TunnelEnd => "an address of IPv4 or IPv6, or the name of a host".to_owned(),
            Self::MainModeOffers => {
                "methods CIPHER-HASH-GROUP with blanks between them, as in \"3DES-SHA1-2 AES256-SHA256-3\"".to_owned()
            }
            Self::QuickModeOffers => "methods with blanks between them, as in \"ESP[3DES,SHA1]:100000k/3600s \
                                      AH[SHA1]+ESP[AES256,None]\""
                .to_owned(),
            Self::PfsGroup => "NOPFS, GRPMM, GRP1, GRP2, GRP3, or DHn with IANA's number of the group".to_owned(),
            Self::PresharedKey => "a key of at least one character".to_owned(),
            Self::Machine => "MACHINE or USER@MACHINE, as ssh takes it".to_owned(),
            Self::Password => "a password".to_owned(),
            Self::RootCa => {
                "an authority's name, and behind it certmap:yes|no and excludecaname:yes|no if wanted, all in quotes"
                    .to_owned()
            }
            Self::Setting => "what the property can be".to_owned(),
            Self::YesNo | Self::Action | Self::ConnectionType | Self::Keyword(_) => self.keywords().join(", "),
        }
    }

    /// True for what is told nowhere.
    pub(crate) const fn is_secret(&self) -> bool {
        matches!(self, Self::PresharedKey | Self::Password)
    }

    /// The words that it can be.
    pub(crate) const fn keywords(&self) -> &'static [&'static str] {
        match self {
            Self::YesNo => &["yes", "no"],
            Self::Action => &["permit", "block", "negotiate"],
            Self::ConnectionType => &["lan", "dialup", "all"],
            Self::Address => &["me", "any", "dns", "wins", "dhcp", "gateway"],
            Self::Protocol => &["any", "icmp", "tcp", "udp", "raw"],
            Self::PfsGroup => &["nopfs", "grpmm", "grp1", "grp2", "grp3"],
            Self::OneOrAll | Self::All => &["all"],
            Self::RuleOrAll => &["all", "default"],
            Self::Keyword(words) => words,
            _ => &[],
        }
    }
}
