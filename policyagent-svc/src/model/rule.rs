//! Policies, their main-mode settings and their rules.
use ikecore::address::is_link_local;
use ikecore::identity::{Identity, Required, dn};
use ikecore::policy::remote_access::Xauth;
use ikecore::policy::rule::{
    AuthMethod, DeadPeerAction, DeadPeerDetection, MainModePolicy, TunnelEndpoints, Uniqueness,
};
use ikecore::proposal::suite::Lifetime;
use std::net::IpAddr;
use std::sync::Arc;

use super::default_response::{DefaultResponse, default_response};
use super::remote_access::{self, ModeConfig};
use super::{Method, Record, action, algorithms, authentication, record};
use crate::document::{Position, Value};
use crate::link;

/// A policy.
#[derive(Debug)]
pub(crate) struct Policy {
    /// The name, unique among policies.
    pub(crate) name: String,
    /// For people.
    pub(crate) description: Option<String>,
    /// What stores keep of it.
    pub(crate) record: Record,
    /// How often a directory is asked whether the policy has changed, seconds.
    pub(crate) polling_interval: u32,
    /// In force.
    pub(crate) assigned: bool,
    /// How main mode is negotiated.
    pub(crate) main_mode: Option<Arc<MainModePolicy>>,
    /// The rules.
    pub(crate) rules: Vec<Rule>,
    /// How peers are answered for whom no rule names filters.
    pub(crate) default_response: Option<DefaultResponse>,
    /// Where it stands in the file.
    pub(crate) position: Position,
}

/// A rule.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The name, unique in the policy.
    pub(crate) name: String,
    /// For people.
    pub(crate) description: Option<String>,
    /// What stores keep of it.
    pub(crate) record: Record,
    /// False: as if it were not there.
    pub(crate) active: bool,
    /// The filter list's name.
    pub(crate) filter_list: Reference,
    /// The filter action's name.
    pub(crate) filter_action: Reference,
    /// In order of preference.
    pub(crate) authentication: Vec<Method>,
    /// For which interfaces.
    pub(crate) connection_type: ConnectionType,
    /// Aggressive mode.
    pub(crate) aggressive_mode: bool,
    /// Extended authentication.
    pub(crate) xauth: Option<Xauth>,
    /// Mode Config.
    pub(crate) mode_config: Option<ModeConfig>,
    /// Tunnel mode between these; not yet seen from this host.
    pub(crate) tunnel: Option<TunnelEndpoints>,
    /// Whom this host claims to be.
    pub(crate) local_id: Option<Identity>,
    /// Whom the peer must prove to be.
    pub(crate) remote_id: Option<Required>,
    /// How the peer is watched.
    pub(crate) dpd: Option<DeadPeerDetection>,
    /// Whether an identity may be at several addresses.
    pub(crate) uniqueness: Uniqueness,
    /// Where it stands in the file.
    pub(crate) position: Position,
}

/// The interfaces that a rule is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ConnectionType {
    /// All.
    All,
    /// Those of local networks.
    Lan,
    /// Those that connect to another network on demand.
    Dialup,
}

impl ConnectionType {
    /// As documents have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Lan => "lan",
            Self::Dialup => "dialup",
        }
    }
}

/// The name of another object, and where it is named.
#[derive(Debug)]
pub(crate) struct Reference {
    /// The name.
    pub(crate) name: String,
    /// Where it is named.
    pub(crate) position: Position,
}

/// Seconds between two looks at a directory, as in Windows: three hours.
const POLLING_INTERVAL: u32 = 10_800;

/// Reads a policy.
pub(super) fn policy(value: &Value<'_>) -> Option<Policy> {
    let mut table = value.table()?;
    let name = super::named(&mut table, "policy");
    let description = super::description(&table);
    let record = record::record(&table);
    let interval = table.get("polling_interval").map_or(Some(POLLING_INTERVAL), |value| value.integer(60..=31_536_000));
    let assigned = table.get("assigned").map_or(Some(false), |value| value.boolean());
    let main_mode = table.get("main_mode").map(|value| main_mode(&value, name.as_deref().unwrap_or_default()));
    let rules = table.get("rule").map_or(Some(Vec::new()), |value| value.list("rule"));
    super::unique(rules.as_deref().unwrap_or_default());
    let rules = rules.map(|values| values.iter().map(rule).collect::<Vec<_>>());
    let default = table.get("default_response");
    let default = default.map(|value| default_response(&value, name.as_deref().unwrap_or_default()));
    table.finish();
    let main_mode = match main_mode {
        Some(main_mode) => Some(Arc::new(main_mode?)),
        None => None,
    };
    Some(Policy {
        name: name?,
        description: description?,
        record: record?,
        polling_interval: interval?,
        assigned: assigned?,
        main_mode,
        rules: rules?.into_iter().collect::<Option<Vec<_>>>()?,
        default_response: flatten(default)?,
        position: value.position(),
    })
}

fn main_mode(value: &Value<'_>, policy: &str) -> Option<MainModePolicy> {
    const LIFETIME: Lifetime = Lifetime { seconds: 28_800, kilobytes: 0 };
    const SOFT_LIFETIME: u32 = 28_800;
    let mut table = value.table()?;
    table.rename(format!("the main mode of policy {policy:?}"));
    let offers = table.require("offers").and_then(|value| value.list("offer"));
    let offers = offers.map(|values| values.iter().map(algorithms::main_mode_offer).collect::<Vec<_>>());
    let lifetime = table.get("lifetime").map_or(Some(LIFETIME), |value| action::lifetime(&value, LIFETIME));
    let limit = table.get("quick_mode_limit").map_or(Some(0), |value| value.integer(0..=u32::MAX));
    let soft_lifetime = table.get("soft_lifetime").map_or(Some(SOFT_LIFETIME), |value| value.integer(1..=31_536_000));
    let master_pfs = match table.get("master_pfs") {
        None => Some(false),
        Some(value) => {
            let on = value.boolean();
            if on == Some(true) && limit.is_some_and(|limit| limit > 1) {
                value.fault(format!(
                    "{} is true, which is a quick_mode_limit of 1, but quick_mode_limit is {}; allowed: one of them",
                    value.what(),
                    limit.unwrap_or_default()
                ));
            }
            on
        }
    };
    table.finish();
    Some(MainModePolicy {
        name: policy.to_owned(),
        offers: offers?.into_iter().collect::<Option<Vec<_>>>()?,
        lifetime: lifetime?,
        quick_mode_limit: if master_pfs? { 1 } else { limit? },
        soft_lifetime: soft_lifetime?,
    })
}

fn rule(value: &Value<'_>) -> Option<Rule> {
    let mut table = value.table()?;
    let name = super::named(&mut table, "rule");
    let description = super::description(&table);
    let record = record::record(&table);
    let active = table.get("active").map_or(Some(true), |value| value.boolean());
    let filter_list = table.require("filter_list").and_then(|value| reference(&value));
    let filter_action = table.require("filter_action").and_then(|value| reference(&value));
    let authentication = table.get("authentication").map_or(Some(Vec::new()), |value| value.list("method"));
    let authentication = authentication.map(|values| values.iter().map(authentication::method).collect::<Vec<_>>());
    let has_keys = |methods: &Vec<Option<Method>>| {
        methods.iter().flatten().any(|method| matches!(method, Method::Given(AuthMethod::PreSharedKey(_))))
    };
    let types = [ConnectionType::All, ConnectionType::Lan, ConnectionType::Dialup].map(|one| (one.name(), one));
    let connection_type = table.get("connection_type").map_or(Some(ConnectionType::All), |value| value.one_of(&types));
    let has_keys = authentication.as_ref().is_some_and(has_keys);
    let aggressive_mode = table.get("aggressive_mode").map_or(Some(false), |value| aggressive_mode(&value, has_keys));
    let xauth = table.get("xauth").map(|value| remote_access::xauth(&value));
    let mode_config = table.get("mode_config").map(|value| remote_access::mode_config(&value));
    let tunnel = table.get("tunnel").map(|value| endpoints(&value));
    let authentication = authentication.map(|methods| methods.into_iter().collect::<Option<Vec<_>>>());
    let local_id = table.get("local_id").map(|value| {
        let identity = identity(&value)?;
        if let Some(Some(methods)) = &authentication {
            authentication::check_local_id(&value, &identity, methods);
        }
        Some(identity)
    });
    let remote_id = table.get("remote_id").map(|value| required(&value));
    let dpd = table.get("dpd").map(|value| dead_peer_detection(&value));
    let ways = [("keep", Uniqueness::Keep), ("replace", Uniqueness::Replace), ("refuse", Uniqueness::Refuse)];
    let uniqueness = table.get("unique").map_or(Some(Uniqueness::Keep), |value| value.one_of(&ways));
    table.finish();
    Some(Rule {
        name: name?,
        description: description?,
        record: record?,
        active: active?,
        filter_list: filter_list?,
        filter_action: filter_action?,
        authentication: authentication??,
        connection_type: connection_type?,
        // Outer: whether it is there. Inner: whether it is right.
        aggressive_mode: aggressive_mode?,
        xauth: flatten(xauth)?,
        mode_config: flatten(mode_config)?,
        tunnel: flatten(tunnel)?,
        local_id: flatten(local_id)?,
        remote_id: flatten(remote_id)?,
        dpd: flatten(dpd)?,
        uniqueness: uniqueness?,
        position: value.position(),
    })
}

/// Only in so many words: nobody shall come to it by a plain switch.
fn aggressive_mode(value: &Value<'_>, has_keys: bool) -> Option<bool> {
    const WORDS: &str = "exposes the pre-shared key to guessing";
    let on = value.one_of(&[(WORDS, true)])?;
    let shows = if has_keys {
        "it shows a hash of the pre-shared key to whoever asks, or listens, who can then try out keys offline; main mode does \
         not. The key must be long and drawn by chance"
    } else {
        "it shows the identities of both ends to whoever listens; main mode does not"
    };
    value.warn(format!("{}: {shows}", value.what()));
    Some(on)
}

/// Not there is right; there and wrong is not.
pub(super) fn flatten<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        None => Some(None),
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
    }
}

pub(super) fn reference(value: &Value<'_>) -> Option<Reference> {
    Some(Reference { name: value.name()?.to_owned(), position: value.position() })
}

fn dead_peer_detection(value: &Value<'_>) -> Option<DeadPeerDetection> {
    let table = value.table()?;
    let seconds = |key, default| table.get(key).map_or(Some(default), |value| value.integer(1..=86_400));
    let (delay, timeout) = (seconds("delay", 30), seconds("timeout", 120));
    // A rule's policy stays in force whatever becomes of its SAs: what others tell apart as clear and hold is the same.
    let actions =
        [("hold", DeadPeerAction::Hold), ("clear", DeadPeerAction::Hold), ("restart", DeadPeerAction::Restart)];
    let action = table.get("action").map_or(Some(DeadPeerAction::Hold), |value| value.one_of(&actions));
    let periodic = table.get("periodic").map_or(Some(false), |value| value.boolean());
    table.finish();
    Some(DeadPeerDetection { delay: delay?, timeout: timeout?, action: action?, periodic: periodic? })
}

fn endpoints(value: &Value<'_>) -> Option<TunnelEndpoints> {
    let table = value.table()?;
    let local = table.get("local").map(|value| endpoint(&value));
    let remote = table.require("remote").and_then(|value| match value.text() {
        // Whoever proves who it is.
        Some("any") => Some(None),
        _ => endpoint(&value).map(Some),
    });
    table.finish();
    let tunnel = TunnelEndpoints { local: flatten(local)?, remote: remote? };
    let Some(remote) = tunnel.remote else { return Some(tunnel) };
    match tunnel.local {
        Some(local) if local.is_ipv4() != remote.is_ipv4() => {
            let what = table.what();
            table.fault(format!("{what} is from {local} to {remote}, allowed: both IPv4 or both IPv6"));
            None
        }
        Some(local) if local == remote => {
            table.fault(format!("{} is from {local} to itself, allowed: two addresses", table.what()));
            None
        }
        _ => Some(tunnel),
    }
}

fn endpoint(value: &Value<'_>) -> Option<IpAddr> {
    let (bare, _) = link::split(value.text()?);
    if bare.parse().is_ok_and(is_link_local) {
        // No driver can have one: the packets of a tunnel find their way by the routes, which know no link for them.
        value.fault(format!(
            "{} is {bare}, which is link-local; allowed: an address that is not, or transport mode between link-local ones",
            value.what()
        ));
        return None;
    }
    let unicast = |text: &str| {
        let address: IpAddr = text.parse().ok()?;
        (!address.is_multicast() && !address.is_unspecified()).then_some(address)
    };
    value.parsed(unicast, "the address of a host")
}

pub(super) fn identity(value: &Value<'_>) -> Option<Identity> {
    value.parsed(parse_identity, IDENTITIES)
}

/// Whom a rule requires: an identity, or all distinguished names of a form.
fn required(value: &Value<'_>) -> Option<Required> {
    let parse = |text: &str| {
        let form = text.strip_prefix("dn:").and_then(dn::Form::parse);
        form.map(Required::Form).or_else(|| parse_identity(text).map(Required::One))
    };
    value.parsed(parse, IDENTITIES)
}

const IDENTITIES: &str = "an address, a subnet \"10.9.0.0/24\", a range \"10.9.0.1-10.9.0.9\", \"fqdn:\" and a domain name, \"user-fqdn:\" and user@domain, \"dn:\" and a distinguished name as in \
     C=CH, O=Example, CN=host, \"key-id:\" and hexadecimal digits";

fn parse_identity(text: &str) -> Option<Identity> {
    match text.split_once(':') {
        Some(("fqdn", name)) if is_domain_name(name) => Some(Identity::Fqdn(name.to_owned())),
        Some(("user-fqdn", name)) => {
            let (user, domain) = name.rsplit_once('@')?;
            (!user.is_empty() && is_domain_name(domain)).then(|| Identity::UserFqdn(name.to_owned()))
        }
        Some(("dn", name)) => dn::encode(name).ok().map(Identity::DerAsn1Dn),
        Some(("key-id", octets)) => octets_of(octets).map(Identity::KeyId),
        _ => Identity::addresses(text),
    }
}

fn is_domain_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
}

fn octets_of(digits: &str) -> Option<Vec<u8>> {
    if digits.is_empty() || !digits.len().is_multiple_of(2) || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}
