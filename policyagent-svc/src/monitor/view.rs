//! The views, and what each shows of what the service has told. The columns are those of IP Security Monitor.
use ikedaemon::statistics::{Figure, Group};
use std::net::IpAddr;

use super::names::Names;
use super::search::Search;
use super::table::{Cell, Table};
use crate::control::in_force::{FilterReport, InForceReport};
use crate::control::negotiations::{NegotiationReport, Outcome};
use crate::control::report::{IpsecSaReport, Lifetime, Status, StoreState};
use crate::model::protocol_name;

/// What the service has told.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Told {
    /// What stands.
    pub(super) status: Status,
    /// What is in force.
    pub(super) in_force: InForceReport,
    /// The last negotiations, the newest first.
    pub(super) negotiations: Vec<NegotiationReport>,
}

/// A node of the tree that shows something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum View {
    ActivePolicy,
    MainModeGenericFilters,
    MainModeSpecificFilters,
    IkePolicies,
    MainModeStatistics,
    MainModeSas,
    QuickModeGenericFilters,
    QuickModeSpecificFilters,
    NegotiationPolicies,
    QuickModeStatistics,
    QuickModeSas,
    Negotiations,
}

/// How a view is to be shown.
pub(super) struct Look<'a> {
    /// What is searched for.
    pub(super) search: &'a Search,
    /// The addresses of this computer.
    pub(super) own: &'a [IpAddr],
    /// Names for addresses, if they are wanted.
    pub(super) names: Option<&'a mut Names>,
}

impl Look<'_> {
    fn name(&mut self, text: &str) -> Cell {
        match &mut self.names {
            Some(names) => names.name(text).into(),
            None => text.into(),
        }
    }
}

impl View {
    /// All of them, in the order of the tree.
    pub(super) const ALL: [Self; 12] = [
        Self::ActivePolicy,
        Self::MainModeGenericFilters,
        Self::MainModeSpecificFilters,
        Self::IkePolicies,
        Self::MainModeStatistics,
        Self::MainModeSas,
        Self::QuickModeGenericFilters,
        Self::QuickModeSpecificFilters,
        Self::NegotiationPolicies,
        Self::QuickModeStatistics,
        Self::QuickModeSas,
        Self::Negotiations,
    ];

    /// The branch of the tree that it is on.
    pub(super) const fn branch(self) -> Option<&'static str> {
        match self {
            Self::ActivePolicy | Self::Negotiations => None,
            Self::MainModeGenericFilters
            | Self::MainModeSpecificFilters
            | Self::IkePolicies
            | Self::MainModeStatistics
            | Self::MainModeSas => Some("Main Mode"),
            _ => Some("Quick Mode"),
        }
    }

    /// Its name on its branch.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::ActivePolicy => "Active Policy",
            Self::MainModeGenericFilters | Self::QuickModeGenericFilters => "Generic Filters",
            Self::MainModeSpecificFilters | Self::QuickModeSpecificFilters => "Specific Filters",
            Self::IkePolicies => "IKE Policies",
            Self::MainModeStatistics | Self::QuickModeStatistics => "Statistics",
            Self::MainModeSas | Self::QuickModeSas => "Security Associations",
            Self::NegotiationPolicies => "Negotiation Policies",
            Self::Negotiations => "Negotiations",
        }
    }

    /// Its whole name.
    pub(super) fn full_title(self) -> String {
        self.branch().map_or_else(|| self.title().to_owned(), |branch| format!("{branch}: {}", self.title()))
    }

    /// Its name for programs and for `--view`.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::ActivePolicy => "active-policy",
            Self::MainModeGenericFilters => "main-mode-generic-filters",
            Self::MainModeSpecificFilters => "main-mode-specific-filters",
            Self::IkePolicies => "ike-policies",
            Self::MainModeStatistics => "main-mode-statistics",
            Self::MainModeSas => "main-mode-sas",
            Self::QuickModeGenericFilters => "quick-mode-generic-filters",
            Self::QuickModeSpecificFilters => "quick-mode-specific-filters",
            Self::NegotiationPolicies => "negotiation-policies",
            Self::QuickModeStatistics => "quick-mode-statistics",
            Self::QuickModeSas => "quick-mode-sas",
            Self::Negotiations => "negotiations",
        }
    }

    /// What it shows.
    pub(super) fn table(self, told: &Told, look: &mut Look<'_>) -> Table {
        let in_force = &told.in_force;
        match self {
            Self::ActivePolicy => active_policy(told),
            Self::MainModeGenericFilters => main_mode_filters(&in_force.generic_filters, false, look),
            Self::MainModeSpecificFilters => main_mode_filters(&in_force.filters, true, look),
            Self::IkePolicies => ike_policies(in_force),
            Self::MainModeStatistics => statistics(&told.status, Group::MainMode),
            Self::MainModeSas => main_mode_sas(&told.status, look),
            Self::QuickModeGenericFilters => quick_mode_filters(&in_force.generic_filters, false, look),
            Self::QuickModeSpecificFilters => quick_mode_filters(&in_force.filters, true, look),
            Self::NegotiationPolicies => negotiation_policies(in_force),
            Self::QuickModeStatistics => statistics(&told.status, Group::QuickMode),
            Self::QuickModeSas => quick_mode_sas(&told.status, look),
            Self::Negotiations => negotiations(&told.negotiations, look),
        }
    }
}

fn active_policy(told: &Told) -> Table {
    let mut table = Table::new(&[
        "Name",
        "Description",
        "Last Modified",
        "Store",
        "Path",
        "Organizational Unit",
        "Group Policy Object Name",
        "In Force Since",
    ]);
    let directory = told.status.directory.as_ref();
    for store in &told.status.policy.stores {
        for name in &store.policies {
            let known =
                told.in_force.policies.iter().find(|policy| policy.name == *name && policy.store == store.store);
            let of_directory = directory.filter(|_| store.store == "directory");
            let path = of_directory.and_then(|directory| directory.policy_dn.clone());
            let path = path.or_else(|| store.path.as_ref().map(|path| path.display().to_string()));
            let assignment = of_directory.and_then(|directory| directory.assignment.clone()).unwrap_or_default();
            let unit = assignment.split(',').find(|part| part.trim().to_ascii_uppercase().starts_with("OU="));
            let in_force = matches!(store.state, StoreState::InForce | StoreState::LastGood);
            let since = if in_force { duration(store.age_seconds) } else { format!("not in force: {}", store.why) };
            table.row_that_may_be_bad(
                vec![
                    name.as_str().into(),
                    known.and_then(|policy| policy.description.clone()).unwrap_or_default().into(),
                    known.and_then(|policy| policy.last_modified.clone()).unwrap_or_default().into(),
                    store.store.as_str().into(),
                    path.unwrap_or_else(|| "the service's memory".to_owned()).into(),
                    unit.unwrap_or_default().into(),
                    assignment.clone().into(),
                    since.into(),
                ],
                !in_force || store.error.is_some(),
            );
        }
    }
    table
}

/// The directions in which a filter is shown: of a specific one each that it is for is a line.
fn directions(filter: &FilterReport, specific: bool) -> &'static [Option<&'static str>] {
    match filter.direction.as_deref() {
        _ if !specific => &[None],
        Some("inbound") => &[Some("Inbound")],
        Some("outbound") => &[Some("Outbound")],
        _ => &[Some("Outbound"), Some("Inbound")],
    }
}

/// What becomes of packets, for people.
fn action(word: &str) -> &'static str {
    match word {
        "permit" => "Permit",
        "block" => "Block",
        _ => "Negotiate",
    }
}

/// Source and destination of a filter in a direction.
fn ends<'a>(filter: &'a FilterReport, direction: Option<&str>) -> ((&'a str, u16), (&'a str, u16)) {
    let (source, destination) =
        ((filter.source.as_str(), filter.source_port), (filter.destination.as_str(), filter.destination_port));
    if direction == Some("Inbound") { (destination, source) } else { (source, destination) }
}

/// What is for any address has become all of a family.
fn side(text: &str) -> &str {
    match text {
        "any" | "0.0.0.0/0" | "::/0" => "Any",
        "me" => "My IP Address",
        text => text,
    }
}

fn main_mode_filters(filters: &[FilterReport], specific: bool, look: &mut Look<'_>) -> Table {
    let mut table = Table::new(if specific {
        &["Name", "Source", "Destination", "Direction", "IKE Policy", "Authentication Methods", "Weight"]
    } else {
        &["Name", "Source", "Destination", "IKE Policy", "Authentication Methods", "Connection Type"]
    });
    let mut seen = std::collections::BTreeSet::new();
    // What is not negotiated has no main mode.
    for filter in filters.iter().filter(|filter| filter.main_mode_policy.is_some()) {
        for direction in directions(filter, specific) {
            let ((source, _), (destination, _)) = ends(filter, *direction);
            // Of several filters between the same ends main mode has one.
            let is_new = seen.insert((&filter.rule, source, destination, *direction));
            if !is_new || !look.search.finds(source, destination, look.own) {
                continue;
            }
            let mut cells = vec![
                filter.rule.as_str().into(),
                look.name(side(source)),
                look.name(side(destination)),
                filter.main_mode_policy.clone().unwrap_or_default().into(),
                filter.authentication.join(", ").into(),
            ];
            if let Some(direction) = direction {
                cells.insert(3, (*direction).into());
                cells.push(filter.ends_weight.map_or_else(|| "".into(), |weight| u64::from(weight).into()));
            } else {
                cells.push(filter.connection_type.as_str().into());
            }
            table.row(cells);
        }
    }
    table
}

fn port(port: u16) -> Cell {
    if port == 0 { Cell::numbered(0, "Any".to_owned()) } else { u64::from(port).into() }
}

fn protocol(number: u8) -> String {
    if number == 0 { "Any".to_owned() } else { protocol_name(number).to_uppercase() }
}

fn quick_mode_filters(filters: &[FilterReport], specific: bool, look: &mut Look<'_>) -> Table {
    let mut columns = vec![
        "Name",
        "Source",
        "Destination",
        "Source Port",
        "Destination Port",
        "Source Tunnel Endpoint",
        "Destination Tunnel Endpoint",
        "Protocol",
        "Inbound Action",
        "Outbound Action",
        "Negotiation Policy",
        "Connection Type",
    ];
    if specific {
        columns.extend(["Direction", "Weight"]);
    }
    let mut table = Table::new(&columns);
    for filter in filters {
        for direction in directions(filter, specific) {
            let ((source, source_port), (destination, destination_port)) = ends(filter, *direction);
            if !look.search.finds(source, destination, look.own) {
                continue;
            }
            let inbound = if filter.inbound_passthrough { "Permit" } else { action(&filter.inbound_action) };
            let outbound = action(&filter.action);
            let tunnel = filter
                .tunnel
                .as_ref()
                .map(|(local, remote)| if *direction == Some("Inbound") { (remote, local) } else { (local, remote) });
            let mut cells = vec![
                filter.rule.as_str().into(),
                look.name(side(source)),
                look.name(side(destination)),
                port(source_port),
                port(destination_port),
                tunnel.map_or_else(|| "".into(), |(from, _)| look.name(from)),
                tunnel.map_or_else(|| "".into(), |(_, to)| look.name(to)),
                protocol(filter.protocol).into(),
                inbound.into(),
                outbound.into(),
                filter.quick_mode_policy.clone().unwrap_or_default().into(),
                filter.connection_type.as_str().into(),
            ];
            if let Some(direction) = direction {
                cells.push((*direction).into());
                cells.push(filter.weight.map_or_else(|| "".into(), |weight| u64::from(weight).into()));
            }
            table.row(cells);
        }
    }
    table
}

fn ike_policies(in_force: &InForceReport) -> Table {
    let columns = ["Name", "Offer", "Encryption", "Integrity", "Diffie-Hellman", "QM Limit", "Lifetime"];
    let mut table = Table::new(&columns);
    for policy in &in_force.main_mode_policies {
        for (offer, number) in policy.offers.iter().zip(1..) {
            table.row(vec![
                policy.name.as_str().into(),
                Cell::numbered(number, format!("{number} of {}", policy.offers.len())),
                offer.cipher.as_str().into(),
                offer.hash.as_str().into(),
                offer.group.as_str().into(),
                u64::from(policy.quick_mode_limit).into(),
                life(policy.lifetime).into(),
            ]);
        }
    }
    table
}

fn negotiation_policies(in_force: &InForceReport) -> Table {
    let columns =
        ["Name", "Offer", "AH Integrity", "ESP Confidentiality", "ESP Integrity", "Lifetime", "PFS", "Fallback"];
    let mut table = Table::new(&columns);
    for policy in &in_force.quick_mode_policies {
        for (offer, number) in policy.offers.iter().zip(1..) {
            let [ah, confidentiality, integrity] = algorithms(&offer.suite);
            table.row(vec![
                policy.name.as_str().into(),
                Cell::numbered(number, format!("{number} of {}", policy.offers.len())),
                ah.into(),
                confidentiality.into(),
                integrity.into(),
                life(offer.lifetime).into(),
                policy.pfs.as_deref().unwrap_or("None").into(),
                if policy.fallback_to_clear { "to clear" } else { "No" }.into(),
            ]);
        }
    }
    table
}

/// AH integrity, ESP confidentiality and ESP integrity of a suite, as it is written: `AH HMAC-SHA-1-96 with ESP AES-128-CBC
/// HMAC-SHA-1-96 with IPComp DEFLATE`.
fn algorithms(suite: &str) -> [String; 3] {
    let mut found = ["None"; 3].map(str::to_owned);
    for part in suite.split(" with ") {
        let words: Vec<&str> = part.split(' ').collect();
        match words.as_slice() {
            ["AH", integrity] => found[0] = (*integrity).to_owned(),
            ["ESP", cipher] => found[1] = (*cipher).to_owned(),
            ["ESP", cipher, integrity] => {
                found[1] = (*cipher).to_owned();
                found[2] = (*integrity).to_owned();
            }
            _ => found[1] += &format!(", {part}"),
        }
    }
    found
}

fn statistics(status: &Status, group: Group) -> Table {
    let mut table = Table::new(&["Name", "Value"]);
    for figure in Figure::ALL.iter().filter(|figure| figure.group() == group) {
        table.row(vec![figure.title().into(), status.statistics.text(*figure).into()]);
    }
    table
}

fn main_mode_sas(status: &Status, look: &mut Look<'_>) -> Table {
    let columns = [
        "Me",
        "Peer",
        "Authentication",
        "Encryption",
        "Integrity",
        "Diffie-Hellman",
        "State",
        "Age",
        "Expires In",
        "Peer Identity",
        "Rule",
    ];
    let mut table = Table::new(&columns);
    for sa in &status.ike_sas {
        let (me, peer) = (sa.local.host.to_string(), sa.remote.host.to_string());
        if !look.search.finds(&me, &peer, look.own) {
            continue;
        }
        let suite = sa.suite.as_ref();
        let of = |text: Option<&String>| text.map_or("", String::as_str).into();
        table.row_that_may_be_bad(
            vec![
                look.name(&me),
                look.name(&peer),
                of(suite.map(|suite| &suite.authentication)),
                of(suite.map(|suite| &suite.cipher)),
                of(suite.map(|suite| &suite.hash)),
                of(suite.map(|suite| &suite.group)),
                sa.state.as_str().into(),
                age(sa.age_seconds),
                expires(sa.lifetime, sa.age_seconds),
                of(sa.identity.as_ref()),
                sa.rule.as_str().into(),
            ],
            sa.state != "established",
        );
    }
    table
}

fn quick_mode_sas(status: &Status, look: &mut Look<'_>) -> Table {
    let columns = [
        "Me",
        "Peer",
        "Protocol",
        "My Port",
        "Peer Port",
        "Negotiation Policy",
        "AH Integrity",
        "ESP Confidentiality",
        "ESP Integrity",
        "My Tunnel Endpoint",
        "Peer Tunnel Endpoint",
        "Bytes Sent",
        "Bytes Received",
        "Age",
        "Expires In",
        "SPI In",
        "SPI Out",
    ];
    let mut table = Table::new(&columns);
    for sa in &status.ipsec_sas {
        if look.search.finds(&sa.selector.local, &sa.selector.remote, look.own) {
            let cells = pair(sa, look);
            table.row_that_may_be_bad(cells, sa.usage_error.is_some());
        }
    }
    for soft in &status.soft_sas {
        let traffic = &soft.selector;
        if !look.search.finds(&traffic.local, &traffic.remote, look.own) {
            continue;
        }
        let nothing = || Cell::from("");
        let lifetime = Lifetime { seconds: soft.lifetime_seconds, kilobytes: 0 };
        table.row_that_may_be_bad(
            vec![
                look.name(&traffic.local),
                look.name(&traffic.remote),
                protocol(traffic.protocol).into(),
                port(traffic.local_port),
                port(traffic.remote_port),
                "soft SA: in clear".into(),
                "None".into(),
                "None".into(),
                "None".into(),
                nothing(),
                nothing(),
                nothing(),
                nothing(),
                age(soft.age_seconds),
                expires(lifetime, soft.age_seconds),
                nothing(),
                nothing(),
            ],
            true,
        );
    }
    table
}

fn pair(sa: &IpsecSaReport, look: &mut Look<'_>) -> Vec<Cell> {
    let [ah, confidentiality, integrity] = algorithms(&sa.suite);
    let tunnel = sa.mode == "tunnel";
    let octets = |number: Option<u64>| number.map_or_else(|| "not known".into(), Cell::from);
    let mut end = |socket: &crate::link::NamedSocket| {
        if tunnel { look.name(&socket.host.to_string()) } else { "".into() }
    };
    let ends = [end(&sa.local), end(&sa.remote)];
    let [my_end, peer_end] = ends;
    vec![
        look.name(&sa.selector.local),
        look.name(&sa.selector.remote),
        protocol(sa.selector.protocol).into(),
        port(sa.selector.local_port),
        port(sa.selector.remote_port),
        sa.policy.as_str().into(),
        ah.into(),
        confidentiality.into(),
        integrity.into(),
        my_end,
        peer_end,
        octets(sa.usage.map(|usage| usage.outbound_octets)),
        octets(sa.usage.map(|usage| usage.inbound_octets)),
        age(sa.age_seconds),
        expires(sa.lifetime, sa.age_seconds),
        sa.inbound_spi.as_str().into(),
        sa.outbound_spi.as_str().into(),
    ]
}

fn negotiations(negotiations: &[NegotiationReport], look: &mut Look<'_>) -> Table {
    let columns = ["Began", "Me", "Peer", "Result", "Reason", "Phase", "Role", "Cause", "Took", "Rule", "Status"];
    let mut table = Table::new(&columns);
    for one in negotiations {
        let host = |socket: Option<&crate::link::NamedSocket>| {
            socket.map_or_else(String::new, |socket| socket.host.to_string())
        };
        let (me, peer) = (host(one.local.as_ref()), host(one.remote.as_ref()));
        if !look.search.finds(&me, &peer, look.own) {
            continue;
        }
        let result = match one.outcome {
            Outcome::UnderWay => "under way",
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
        };
        let status = one.status.as_ref().map_or_else(String::new, |status| format!("{} {}", status.code, status.name));
        table.row_that_may_be_bad(
            vec![
                Cell::numbered(one.age_seconds, format!("{} ago", duration(one.age_seconds))),
                look.name(&me),
                look.name(&peer),
                result.into(),
                one.failure.clone().unwrap_or_default().into(),
                one.phase.clone().unwrap_or_default().into(),
                one.role.as_str().into(),
                one.cause.as_str().into(),
                Cell::numbered(one.seconds, duration(one.seconds)),
                one.rule.clone().unwrap_or_default().into(),
                status.into(),
            ],
            one.outcome == Outcome::Failed,
        );
    }
    table
}

fn age(seconds: u64) -> Cell {
    Cell::numbered(seconds, duration(seconds))
}

/// When an SA ends by its age; by its traffic it may end sooner.
fn expires(lifetime: Lifetime, age: u64) -> Cell {
    if lifetime.seconds == 0 {
        return Cell::numbered(u64::MAX, "never".to_owned());
    }
    let left = u64::from(lifetime.seconds).saturating_sub(age);
    Cell::numbered(left, duration(left))
}

fn life(lifetime: Lifetime) -> String {
    match (lifetime.seconds, lifetime.kilobytes) {
        (0, 0) => "no limit".to_owned(),
        (seconds, 0) => format!("{seconds} s"),
        (0, kilobytes) => format!("{kilobytes} kB"),
        (seconds, kilobytes) => format!("{seconds} s, {kilobytes} kB"),
    }
}

fn duration(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        (0, minutes) => format!("{minutes} min {rest} s"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
