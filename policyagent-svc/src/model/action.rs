//! Filter actions: what is done with the traffic of a rule.
use ikecore::crypto::group::Group;
use ikecore::policy::selector::Direction;
use ikecore::proposal::suite::{IpsecSuite, Lifetime, ProtectionSuite};

use super::{Record, algorithms, record};
use crate::document::{Table, Value};

/// What is done with traffic; rules refer to it by its name.
#[derive(Debug)]
pub(crate) struct FilterAction {
    /// The name, unique among filter actions.
    pub(crate) name: String,
    /// For people.
    pub(crate) description: Option<String>,
    /// What stores keep of it.
    pub(crate) record: Record,
    /// What is done.
    pub(crate) action: Action,
}

/// What is done.
#[derive(Debug)]
pub(crate) enum Action {
    /// Pass in clear.
    Permit,
    /// Drop.
    Block,
    /// Pass in clear what goes this way, and drop what goes the other.
    PermitOnly(Direction),
    /// Protect.
    Negotiate {
        /// In order of preference; at least one.
        offers: Vec<Offer>,
        /// Whether quick mode has a Diffie-Hellman exchange of its own.
        pfs: Pfs,
        /// Clear packets that come in are accepted.
        inbound_passthrough: bool,
        /// Traffic with a peer that does not answer IKE passes in clear.
        fallback_to_clear: bool,
        /// SAs end after so many seconds without a packet; 0: they do not.
        idle: u32,
    },
}

/// One quick-mode offer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Offer {
    /// The protocols and their algorithms.
    pub(crate) suite: ProtectionSuite,
    /// The life of the SAs.
    pub(crate) lifetime: Lifetime,
    /// Sequence numbers have 64 bits.
    pub(crate) extended_sequence_numbers: bool,
}

/// Perfect forward secrecy of quick modes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pfs {
    /// None.
    Off,
    /// With the group of main mode.
    MainModeGroup,
    /// With this group.
    Group(Group),
}

/// The life of IPsec SAs for which the file says nothing.
const LIFETIME: Lifetime = Lifetime { seconds: 3600, kilobytes: 100_000 };

/// Reads a filter action.
pub(super) fn filter_action(value: &Value<'_>) -> Option<FilterAction> {
    #[derive(Clone, Copy)]
    enum Kind {
        Permit,
        Block,
        Negotiate,
    }
    let mut table = value.table()?;
    let name = super::named(&mut table, "filter action");
    let description = super::description(&table);
    let record = record::record(&table);
    let kind = table
        .require("action")
        .and_then(|v| v.one_of(&[("permit", Kind::Permit), ("block", Kind::Block), ("negotiate", Kind::Negotiate)]));
    let action = match kind {
        Some(Kind::Negotiate) => {
            if let Some(value) = table.get(INBOUND_ACTION) {
                value.fault(format!(
                    "{} is for the actions \"permit\" and \"block\" only, as SAs come in pairs; allowed: inbound_passthrough, \
                     which accepts clear packets that arrive",
                    value.what()
                ));
            }
            negotiate(&table)
        }
        Some(kind) => {
            for key in ["offers", "lifetime", "pfs", "inbound_passthrough", "fallback_to_clear", "idle"] {
                if let Some(value) = table.get(key) {
                    value.fault(format!("{} is for the action \"negotiate\" only", value.what()));
                }
            }
            clear(&table, matches!(kind, Kind::Permit))
        }
        // What belongs to an unknown action is read as if it were to negotiate, so that it is known, and looked at.
        None => negotiate(&table),
    };
    table.finish();
    kind?;
    Some(FilterAction { name: name?, description: description?, record: record?, action: action? })
}

/// The key of what is done with packets that arrive, where that is something else.
pub(crate) const INBOUND_ACTION: &str = "inbound_action";

/// An action without protection: that of packets that leave, and of those that arrive unless they have one of their own.
fn clear(table: &Table<'_>, permits: bool) -> Option<Action> {
    let inbound = match table.get(INBOUND_ACTION) {
        Some(value) => value.one_of(&[("permit", true), ("block", false)])?,
        None => permits,
    };
    Some(match (inbound, permits) {
        (true, true) => Action::Permit,
        (false, false) => Action::Block,
        (true, false) => Action::PermitOnly(Direction::Inbound),
        (false, true) => Action::PermitOnly(Direction::Outbound),
    })
}

fn negotiate(table: &Table<'_>) -> Option<Action> {
    let offers = offers(table);
    let pfs = pfs(table);
    let inbound_passthrough = table.get("inbound_passthrough").map_or(Some(false), |value| value.boolean());
    let fallback_to_clear = table.get("fallback_to_clear").map_or(Some(false), |value| value.boolean());
    let idle = table.get("idle").map_or(Some(0), |value| value.integer(0..=86_400));
    Some(Action::Negotiate {
        offers: offers?,
        pfs: pfs?,
        inbound_passthrough: inbound_passthrough?,
        fallback_to_clear: fallback_to_clear?,
        idle: idle?,
    })
}

/// `offers` of a table, with its `lifetime` for those that have none.
fn offers(table: &Table<'_>) -> Option<Vec<Offer>> {
    let default = table.get("lifetime").map_or(Some(LIFETIME), |value| lifetime(&value, LIFETIME));
    let values = table.require("offers").and_then(|value| value.list("offer"))?;
    let offers: Vec<_> = values.iter().map(|value| offer(value, default.unwrap_or(LIFETIME))).collect();
    refuse_look_alikes(&values, &offers);
    default?;
    offers.into_iter().collect()
}

/// `pfs` of a table.
fn pfs(table: &Table<'_>) -> Option<Pfs> {
    table.get("pfs").map_or(Some(Pfs::Off), |value| {
        if value.is_boolean() {
            value.boolean().map(|on| if on { Pfs::MainModeGroup } else { Pfs::Off })
        } else {
            algorithms::group(&value).map(Pfs::Group)
        }
    })
}

impl Action {
    /// What becomes of packets that go one way: `permit`, `block` or `negotiate`.
    pub(crate) fn word(&self, direction: Direction) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Block => "block",
            Self::PermitOnly(way) if *way == direction => "permit",
            Self::PermitOnly(_) => "block",
            Self::Negotiate { .. } => "negotiate",
        }
    }
}

/// What a table has of an action that negotiates in transport mode and only answers.
pub(super) fn answer(table: &Table<'_>) -> Option<Action> {
    let (offers, pfs) = (offers(table), pfs(table));
    Some(Action::Negotiate {
        offers: offers?,
        pfs: pfs?,
        inbound_passthrough: false,
        fallback_to_clear: false,
        idle: 0,
    })
}

/// How far an integrity check value is cut is not negotiated, so that a list must not leave it open.
fn refuse_look_alikes(values: &[Value<'_>], offers: &[Option<Offer>]) {
    for (index, (value, offer)) in values.iter().zip(offers).enumerate() {
        let Some(Offer { suite, .. }) = *offer else { continue };
        let mut earlier = offers.iter().take(index).flatten().map(|earlier| earlier.suite);
        if let Some(one) = earlier.find(|one| *one != suite && one.looks_like(suite)) {
            value.fault(format!(
                "{} is {suite}, which peers cannot tell from {one} of an earlier offer, as both have the same numbers; \
                 allowed: one of them",
                value.what()
            ));
        }
    }
}

fn offer(value: &Value<'_>, default: Lifetime) -> Option<Offer> {
    let table = value.table()?;
    let esp = table.get("esp").map(|value| algorithms::esp(&value));
    let ah = table.get("ah").map(|value| algorithms::ah(&value));
    let lifetime = table.get("lifetime").map_or(Some(default), |value| lifetime(&value, default));
    let extended_sequence_numbers = table.get("extended_sequence_numbers").map_or(Some(false), |value| value.boolean());
    let compression = table.get("compression").map_or(Some(false), |value| value.boolean());
    table.finish();
    let suite = match (esp, ah) {
        (Some(suite), None) | (None, Some(suite)) => suite?.alone(),
        (None, None) => {
            table.fault(format!("{} names no algorithms, allowed: esp, ah or both", table.what()));
            return None;
        }
        (Some(esp), Some(ah)) => {
            let (esp, ah) = (esp?, ah?);
            let outer = match ah {
                IpsecSuite::Ah { integrity } => Some(integrity),
                IpsecSuite::Esp { .. } => None,
            };
            ProtectionSuite { outer, ..esp.alone() }
        }
    };
    let suite = ProtectionSuite { compression: compression?, ..suite };
    if extended_sequence_numbers == Some(true) && !suite.authenticates() {
        table.fault(format!(
            "{} is for extended sequence numbers, allowed only with an integrity algorithm",
            table.what()
        ));
        return None;
    }
    Some(Offer { suite, lifetime: lifetime?, extended_sequence_numbers: extended_sequence_numbers? })
}

/// Reads a lifetime: seconds, or a table with seconds and kilobytes; what a table does not say is of `default`.
pub(super) fn lifetime(value: &Value<'_>, default: Lifetime) -> Option<Lifetime> {
    const SECONDS: std::ops::RangeInclusive<u32> = 1..=31_536_000;
    if !value.is_table() {
        return value.integer(SECONDS).map(|seconds| Lifetime { seconds, ..default });
    }
    let table = value.table()?;
    let seconds = table.get("seconds").map_or(Some(default.seconds), |value| value.integer(SECONDS));
    let kilobytes = table.get("kilobytes").map_or(Some(default.kilobytes), |value| value.integer(0..=u32::MAX));
    table.finish();
    Some(Lifetime { seconds: seconds?, kilobytes: kilobytes? })
}
