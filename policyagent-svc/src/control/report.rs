//! What the service tells of itself: the shape of `--format json`.
use ikecore::endpoint::{Counters, IkeSaInfo, IpsecSaInfo, QuickModeInfo, SoftSaInfo};
use ikecore::policy::selector::Selector;
use ikecore::proposal::suite;
use ikecore::sa::driver::Usage;
use ikecore::time::Time;
use ikedaemon::driver::Capabilities;
use ikedaemon::statistics::{Figure, Group, Statistics};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::link::{NamedSocket, named};

/// Everything that stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Status {
    /// The process.
    pub(crate) service: ServiceReport,
    /// What installs SAs.
    pub(crate) driver: DriverReport,
    /// What is in force.
    pub(crate) policy: PolicyReport,
    /// The directory that policy comes from, if the settings name one.
    #[serde(default)]
    pub(crate) directory: Option<DirectoryReport>,
    /// Where the settings are.
    pub(crate) settings: SettingsReport,
    /// The trace.
    pub(crate) oakley: OakleyReport,
    /// The audit.
    pub(crate) audit: AuditReport,
    /// ISAKMP SAs, those being negotiated included.
    pub(crate) ike_sas: Vec<IkeSaReport>,
    /// Quick modes under way.
    pub(crate) quick_modes: Vec<QuickModeReport>,
    /// Installed pairs of IPsec SAs.
    pub(crate) ipsec_sas: Vec<IpsecSaReport>,
    /// Soft SAs.
    pub(crate) soft_sas: Vec<SoftSaReport>,
    /// Since the start.
    pub(crate) counters: CountersReport,
    /// The figures of IP Security Monitor.
    #[serde(default)]
    pub(crate) statistics: StatisticsReport,
}

/// The figures of IP Security Monitor by their names; those that nobody can know are `null`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct StatisticsReport {
    /// Of the negotiations.
    main_mode: BTreeMap<String, Option<u64>>,
    /// Of the IPsec SAs and their packets.
    quick_mode: BTreeMap<String, Option<u64>>,
}

impl From<&Statistics> for StatisticsReport {
    fn from(statistics: &Statistics) -> Self {
        let of = |group| {
            let figures = Figure::ALL.iter().filter(move |figure| figure.group() == group);
            figures.map(|figure| (figure.key().to_owned(), statistics.get(*figure))).collect()
        };
        Self { main_mode: of(Group::MainMode), quick_mode: of(Group::QuickMode) }
    }
}

impl StatisticsReport {
    /// What `figure` is; nothing: it is not known.
    pub(crate) fn get(&self, figure: Figure) -> Option<u64> {
        let group = match figure.group() {
            Group::MainMode => &self.main_mode,
            Group::QuickMode => &self.quick_mode,
        };
        group.get(figure.key()).copied().flatten()
    }

    /// What `figure` is, for people: the number, or why there is none.
    pub(crate) fn text(&self, figure: Figure) -> String {
        self.get(figure).map_or_else(|| format!("not known: {}", figure.unknown()), |value| value.to_string())
    }
}

/// The audit.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct AuditReport {
    /// Negotiations and SAs are audited: `DisableIKEAudits` is not set.
    pub(crate) negotiations: bool,
    /// The file, if one is written.
    pub(crate) file: Option<PathBuf>,
    /// The journal's socket, if it is written to where it is there.
    pub(crate) journal: Option<PathBuf>,
    /// The socket of syslog, if it is written to where it is there.
    pub(crate) syslog: Option<PathBuf>,
    /// Entries written, to each place once.
    pub(crate) written: u64,
    /// Entries that a place did not take.
    pub(crate) not_written: u64,
    /// Events that came too fast.
    pub(crate) not_queued: u64,
}

/// The process.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct ServiceReport {
    /// The program's version.
    pub(crate) version: String,
    /// The process ID.
    pub(crate) pid: u32,
    /// Since it is up.
    pub(crate) uptime_seconds: u64,
    /// What all its paths are below.
    pub(crate) root: PathBuf,
    /// Where it listens.
    pub(crate) listen: Vec<NamedSocket>,
}

/// What installs SAs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct DriverReport {
    /// `xfrm`, `pfkey`, `userspace`, `memory`.
    pub(crate) name: String,
    /// Why this one.
    pub(crate) why: String,
    /// What it stands on.
    pub(crate) description: String,
    /// It does AH.
    pub(crate) ah: bool,
    /// It does transport mode.
    pub(crate) transport: bool,
    /// It does ESP in UDP.
    pub(crate) udp_encapsulation: bool,
    /// It does link-local addresses.
    pub(crate) link_local: bool,
}

impl DriverReport {
    /// What a driver can do, and why it is this one.
    pub(crate) fn new(capabilities: Capabilities, why: String) -> Self {
        let Capabilities { name, ah, transport, udp_encapsulation, link_local, description, .. } = capabilities;
        Self { name: name.to_owned(), why, description, ah, transport, udp_encapsulation, link_local }
    }
}

/// What is in force.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct PolicyReport {
    /// The local store's file.
    pub(crate) path: PathBuf,
    /// The number of the version in force; each one that was put in force counts one.
    pub(crate) version: u64,
    /// The policies in force.
    pub(crate) name: Option<String>,
    /// Their active rules that have something to do on this machine.
    pub(crate) rules: Vec<String>,
    /// Why the last version of a store is not in force.
    pub(crate) error: Option<String>,
    /// What is allowed, but perhaps not meant.
    pub(crate) warnings: Vec<String>,
    /// Where it comes from.
    #[serde(default)]
    pub(crate) stores: Vec<StoreReport>,
}

/// A policy store.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct StoreReport {
    /// `persistent`, `directory`, `local` or `dynamic`.
    pub(crate) store: String,
    /// The file, unless it is in the service's memory.
    pub(crate) path: Option<PathBuf>,
    /// What becomes of it.
    pub(crate) state: StoreState,
    /// Why its policies apply, or do not.
    pub(crate) why: String,
    /// The policies that are assigned in it.
    pub(crate) policies: Vec<String>,
    /// How many versions of it the service has put in force.
    pub(crate) version: u64,
    /// Since this version is.
    pub(crate) age_seconds: u64,
    /// Why the file, as it is now, is not in force.
    pub(crate) error: Option<String>,
}

/// What becomes of a policy store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoreState {
    /// Its policy is in force.
    InForce,
    /// No policy of it is assigned.
    NotAssigned,
    /// There is no file.
    Absent,
    /// Another store, or block mode, goes before it.
    Overridden,
    /// The file has faults since the service was started: a good version of an earlier time is in force.
    LastGood,
    /// The file has faults, and no good version is known.
    Failed,
}

/// What is known of the directory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct DirectoryReport {
    /// The servers that are tried.
    pub(crate) servers: Vec<String>,
    /// The one that answered last.
    pub(crate) server: Option<String>,
    /// Since when.
    pub(crate) contact_age_seconds: Option<u64>,
    /// When it is asked again; nothing while it is being asked for the first time.
    pub(crate) next_poll_seconds: Option<u64>,
    /// What its assignment calls the policy of this host.
    pub(crate) policy: Option<String>,
    /// The policy's distinguished name.
    pub(crate) policy_dn: Option<String>,
    /// The object that assigns it.
    pub(crate) assignment: Option<String>,
    /// Polls that were answered.
    pub(crate) polls: u64,
    /// Of these, those after which the whole policy was read.
    pub(crate) reads: u64,
    /// Polls that failed since the last one that was answered.
    pub(crate) failures: u32,
    /// Why the last one failed.
    pub(crate) error: Option<String>,
    /// What the objects say that a policy cannot, and does without.
    pub(crate) notes: Vec<String>,
}

/// The settings file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct SettingsReport {
    /// The file.
    pub(crate) path: PathBuf,
    /// What it changes, but not yet, and when.
    pub(crate) pending: Vec<String>,
    /// Why it, as it is now, is not in force.
    pub(crate) error: Option<String>,
}

/// The trace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct OakleyReport {
    /// It is written.
    pub(crate) enabled: bool,
    /// The file.
    pub(crate) path: PathBuf,
}

/// A limit of an SA's life; 0 is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Lifetime {
    /// Seconds.
    pub(crate) seconds: u32,
    /// Kilobytes of 1,024 octets.
    pub(crate) kilobytes: u32,
}

impl From<suite::Lifetime> for Lifetime {
    fn from(lifetime: suite::Lifetime) -> Self {
        Self { seconds: lifetime.seconds, kilobytes: lifetime.kilobytes }
    }
}

/// An ISAKMP SA.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct IkeSaReport {
    /// Its handle.
    pub(crate) id: String,
    /// CKY-I.
    pub(crate) initiator_cookie: String,
    /// CKY-R.
    pub(crate) responder_cookie: String,
    /// This host.
    pub(crate) local: NamedSocket,
    /// The peer.
    pub(crate) remote: NamedSocket,
    /// `initiator` or `responder`.
    pub(crate) role: String,
    /// `established`, or what it waits for.
    pub(crate) state: String,
    /// The rule.
    pub(crate) rule: String,
    /// The algorithms, once chosen.
    pub(crate) suite: Option<IkeSuiteReport>,
    /// Who the peer is, once proven.
    pub(crate) identity: Option<String>,
    /// Since it was established, or begun.
    pub(crate) age_seconds: u64,
    /// Its life.
    pub(crate) lifetime: Lifetime,
    /// How many quick modes it served.
    pub(crate) quick_modes: u32,
    /// A NAT is before this host.
    pub(crate) nat_local: bool,
    /// A NAT is before the peer.
    pub(crate) nat_remote: bool,
    /// The peer's user, once extended authentication has proven it.
    pub(crate) user: Option<String>,
    /// The addresses that Mode Config gave: to the peer, or to this host.
    pub(crate) addresses: Vec<IpAddr>,
}

/// The algorithms of an ISAKMP SA.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct IkeSuiteReport {
    /// The cipher.
    pub(crate) cipher: String,
    /// The hash.
    pub(crate) hash: String,
    /// The Diffie-Hellman group.
    pub(crate) group: String,
    /// How the peers proved who they are.
    pub(crate) authentication: String,
}

impl IkeSaReport {
    /// What is told of `sa` at `now`.
    pub(crate) fn new(sa: &IkeSaInfo, now: Time) -> Self {
        Self {
            id: sa.id.to_string(),
            initiator_cookie: sa.cookies.initiator.to_string(),
            responder_cookie: sa.cookies.responder.to_string(),
            local: sa.local.into(),
            remote: sa.remote.into(),
            role: sa.role.to_string(),
            state: sa.state.to_owned(),
            rule: sa.rule.clone(),
            suite: sa.suite.map(|suite| IkeSuiteReport {
                cipher: suite.cipher.to_string(),
                hash: suite.hash.to_string(),
                group: suite.group.name().to_owned(),
                authentication: suite.authentication.to_string(),
            }),
            identity: sa.identity.as_ref().map(ToString::to_string),
            age_seconds: now.since(sa.since).as_secs(),
            lifetime: sa.lifetime.into(),
            quick_modes: sa.quick_modes,
            nat_local: sa.nat.0,
            nat_remote: sa.nat.1,
            user: sa.user.clone(),
            addresses: sa.addresses.clone(),
        }
    }
}

/// A quick mode under way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct QuickModeReport {
    /// The negotiation that it is part of.
    pub(crate) negotiation: String,
    /// The peer.
    pub(crate) remote: NamedSocket,
    /// `initiator` or `responder`.
    pub(crate) role: String,
    /// What it waits for.
    pub(crate) state: String,
    /// The rule.
    pub(crate) rule: String,
}

impl From<&QuickModeInfo> for QuickModeReport {
    fn from(quick_mode: &QuickModeInfo) -> Self {
        Self {
            negotiation: quick_mode.negotiation.to_string(),
            remote: quick_mode.remote.into(),
            role: quick_mode.role.to_string(),
            state: quick_mode.state.to_owned(),
            rule: quick_mode.rule.clone(),
        }
    }
}

/// Which traffic.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct SelectorReport {
    /// Addresses on this side: one, or a prefix.
    pub(crate) local: String,
    /// Addresses on the peer's side.
    pub(crate) remote: String,
    /// The IP protocol number; 0 is any.
    pub(crate) protocol: u8,
    /// 0 is any.
    pub(crate) local_port: u16,
    /// 0 is any.
    pub(crate) remote_port: u16,
}

impl From<Selector> for SelectorReport {
    fn from(selector: Selector) -> Self {
        Self {
            local: named(&selector.local.on(selector.scope).to_string(), selector.scope),
            remote: named(&selector.remote.on(selector.scope).to_string(), selector.scope),
            protocol: selector.protocol,
            local_port: selector.local_port,
            remote_port: selector.remote_port,
        }
    }
}

/// An installed pair of IPsec SAs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct IpsecSaReport {
    /// Its handle.
    pub(crate) id: String,
    /// This host, outer.
    pub(crate) local: NamedSocket,
    /// The peer, outer.
    pub(crate) remote: NamedSocket,
    /// For packets that arrive: `0x` and 8 hexadecimal digits.
    pub(crate) inbound_spi: String,
    /// For packets that leave.
    pub(crate) outbound_spi: String,
    /// ESP or AH, and the algorithms.
    pub(crate) suite: String,
    /// `transport` or `tunnel`.
    pub(crate) mode: String,
    /// ESP in UDP.
    pub(crate) encapsulated: bool,
    /// Sequence numbers have 64 bits.
    pub(crate) extended_sequence_numbers: bool,
    /// The traffic.
    pub(crate) selector: SelectorReport,
    /// The rule.
    pub(crate) rule: String,
    /// The filter action, as which it was negotiated.
    pub(crate) policy: String,
    /// The group of quick mode's own Diffie-Hellman exchange, if it had one.
    pub(crate) pfs: Option<String>,
    /// Since it was installed.
    pub(crate) age_seconds: u64,
    /// Its life.
    pub(crate) lifetime: Lifetime,
    /// It waits for its end; a newer pair has taken over.
    pub(crate) replaced: bool,
    /// The traffic so far, unless the driver could not tell.
    pub(crate) usage: Option<UsageReport>,
    /// Why the driver could not tell.
    pub(crate) usage_error: Option<String>,
}

/// The traffic through a pair of IPsec SAs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct UsageReport {
    /// Octets that arrived.
    pub(crate) inbound_octets: u64,
    /// Packets that arrived.
    pub(crate) inbound_packets: u64,
    /// Octets that left.
    pub(crate) outbound_octets: u64,
    /// Packets that left.
    pub(crate) outbound_packets: u64,
    /// Packets dropped as replays, if the driver counts them for each pair.
    pub(crate) replays: Option<u64>,
    /// Packets dropped because their integrity check failed, if the driver counts them for each pair.
    pub(crate) integrity_failures: Option<u64>,
}

impl From<Usage> for UsageReport {
    fn from(usage: Usage) -> Self {
        Self {
            inbound_octets: usage.inbound_octets,
            inbound_packets: usage.inbound_packets,
            outbound_octets: usage.outbound_octets,
            outbound_packets: usage.outbound_packets,
            replays: usage.replays,
            integrity_failures: usage.integrity_failures,
        }
    }
}

impl IpsecSaReport {
    /// What is told of `sa` at `now`, with the traffic as far as the driver could tell.
    pub(crate) fn new(sa: &IpsecSaInfo, now: Time, usage: Result<Usage, String>) -> Self {
        let (usage, usage_error) = match usage {
            Ok(usage) => (Some(usage.into()), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            id: sa.id.to_string(),
            local: sa.local.into(),
            remote: sa.remote.into(),
            inbound_spi: sa.inbound.to_string(),
            outbound_spi: sa.outbound.to_string(),
            suite: sa.suite.to_string(),
            mode: sa.mode.to_string(),
            encapsulated: sa.encapsulated,
            extended_sequence_numbers: sa.extended_sequence_numbers,
            selector: sa.selector.into(),
            rule: sa.rule.clone(),
            policy: sa.policy.clone(),
            pfs: sa.pfs.map(|group| group.name().to_owned()),
            age_seconds: now.since(sa.since).as_secs(),
            lifetime: sa.lifetime.into(),
            replaced: sa.replaced,
            usage,
            usage_error,
        }
    }
}

/// A soft SA: traffic that passes in clear because its peer does not answer IKE.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct SoftSaReport {
    /// Its handle.
    pub(crate) id: String,
    /// This host.
    pub(crate) local: NamedSocket,
    /// The peer.
    pub(crate) remote: NamedSocket,
    /// The traffic.
    pub(crate) selector: SelectorReport,
    /// The rule.
    pub(crate) rule: String,
    /// Since it was installed.
    pub(crate) age_seconds: u64,
    /// Its life; 0 is no limit.
    pub(crate) lifetime_seconds: u32,
}

impl SoftSaReport {
    /// What is told of `soft` at `now`.
    pub(crate) fn new(soft: &SoftSaInfo, now: Time) -> Self {
        Self {
            id: soft.id.to_string(),
            local: soft.local.into(),
            remote: soft.remote.into(),
            selector: soft.selector.into(),
            rule: soft.rule.clone(),
            age_seconds: now.since(soft.since).as_secs(),
            lifetime_seconds: soft.lifetime,
        }
    }
}

/// Counts since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct CountersReport {
    /// Datagrams that came.
    pub(crate) datagrams: u64,
    /// Datagrams that were dropped.
    pub(crate) dropped: u64,
    /// Datagrams that were dropped because they were malformed.
    pub(crate) malformed: u64,
    /// Messages repeated for want of an answer.
    pub(crate) retransmitted: u64,
    /// Replies repeated to duplicates.
    pub(crate) replies_repeated: u64,
    /// Acquires of the driver.
    pub(crate) acquires: u64,
    /// Main modes that succeeded.
    pub(crate) main_modes: u64,
    /// Main modes that failed.
    pub(crate) main_modes_failed: u64,
    /// Quick modes that succeeded.
    pub(crate) quick_modes: u64,
    /// Quick modes that failed.
    pub(crate) quick_modes_failed: u64,
    /// Messages that could not be authenticated.
    pub(crate) authentication_failures: u64,
    /// Soft SAs: times that traffic passed in clear because the peer did not answer.
    pub(crate) soft_sas: u64,
}

impl From<Counters> for CountersReport {
    fn from(counters: Counters) -> Self {
        Self {
            datagrams: counters.datagrams,
            dropped: counters.dropped,
            malformed: counters.malformed,
            retransmitted: counters.retransmitted,
            replies_repeated: counters.replies_repeated,
            acquires: counters.acquires,
            main_modes: counters.main_modes,
            main_modes_failed: counters.main_modes_failed,
            quick_modes: counters.quick_modes,
            quick_modes_failed: counters.quick_modes_failed,
            authentication_failures: counters.authentication_failures,
            soft_sas: counters.soft_sas,
        }
    }
}

/// What became of an `initiate`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct InitiateReport {
    /// The rule.
    pub(crate) rule: String,
    /// The negotiation's handle, if it began.
    pub(crate) negotiation: Option<String>,
    /// The SAs are there.
    pub(crate) succeeded: bool,
    /// Why not, in the one wording of trace and audit.
    pub(crate) failure: Option<String>,
    /// The status that administrators know from Windows: its number and its name.
    pub(crate) status: StatusCode,
    /// The pairs of IPsec SAs that it made.
    pub(crate) ipsec_sas: Vec<IpsecSaReport>,
}

/// A status code of the IKE service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct StatusCode {
    /// The number; 0 is success.
    pub(crate) code: u32,
    /// The name.
    pub(crate) name: String,
}

impl From<ikecore::event::Status> for StatusCode {
    fn from(status: ikecore::event::Status) -> Self {
        Self { code: status.code(), name: status.name().to_owned() }
    }
}
