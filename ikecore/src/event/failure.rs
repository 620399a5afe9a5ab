//! Why things end: one typed reason, one wording, used by trace, audit and command line alike.
use super::config::MissingAddress;
use super::status::Status;
use crate::address::HostAddress;
use crate::certificate::CertificateFault;
use crate::identity::{Identity, Required};
use crate::policy::db::NoRule;
use crate::policy::selector::{Flow, Selector};
use crate::proposal::mismatch::Mismatch;
use crate::sa::driver::DriverError;
use crate::wire::codes::{ExchangeType, NotifyType, PayloadType};
use crate::wire::error::WireError;
use std::net::{IpAddr, SocketAddr};

/// Why a negotiation, or an SA, ended without the result that was wanted.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Failure {
    /// No answer came.
    #[error("no answer from {peer} to {message} after {sent} transmissions in {seconds} s{}", hint.map(|h| format!("; {h}")).unwrap_or_default())]
    TimedOut {
        /// Who did not answer.
        peer: SocketAddr,
        /// Which message was not answered: `main mode message 1`.
        message: &'static str,
        /// How often it was sent.
        sent: u32,
        /// Seconds from the first transmission.
        seconds: u64,
        /// What usually causes it at this message.
        hint: Option<&'static str>,
    },
    /// This host's own driver or worker did not answer.
    #[error("this host waited {seconds} s in vain for {what}: its own driver or worker does not answer")]
    Stalled {
        /// What it waited for: `an SPI`, `the shared secret`, `the inbound SA`.
        what: &'static str,
        /// How long.
        seconds: u64,
    },
    /// No transform was acceptable, seen by the side that chooses.
    #[error("no acceptable {phase} proposal: {}", list(mismatches))]
    NoProposalChosen {
        /// `main mode` or `quick mode`.
        phase: &'static str,
        /// The first difference of each transform.
        mismatches: Vec<Mismatch>,
    },
    /// The peer's choice is not what was offered.
    #[error("the peer chose what was not offered: {0}")]
    ChoiceNotOffered(Mismatch),
    /// The peer refused, and told it by a notification.
    #[error("the peer refused {what} with {notify}{}", text.as_ref().map(|t| format!(": {t}")).unwrap_or_default())]
    PeerRefused {
        /// What it refused: `the main mode proposal`, `the quick mode proposal`, `message 5`.
        what: &'static str,
        /// The notification.
        notify: NotifyType,
        /// What was offered, or what the notification's data says.
        text: Option<String>,
    },
    /// No rule names this peer.
    #[error("no rule of the policy negotiates with {peer}")]
    NoPolicyForPeer {
        /// The peer.
        peer: HostAddress,
    },
    /// No rule allows aggressive mode with this peer.
    #[error("no rule of the policy allows aggressive mode with {peer}")]
    AggressiveMode {
        /// The peer.
        peer: HostAddress,
    },
    /// No rule that allows aggressive mode is for a peer of this name.
    #[error("no rule of the policy that allows aggressive mode is for {identity} at {peer}")]
    UnknownIdentity {
        /// The peer.
        peer: HostAddress,
        /// Who it says it is; nothing is proven.
        identity: Identity,
    },
    /// No rule covers this traffic.
    #[error("no rule of the policy protects {0}")]
    NoPolicyForFlow(Flow),
    /// The administrator named a rule that is not there, or that negotiates nothing.
    #[error("no rule {0:?} of the policy negotiates")]
    NoSuchRule(String),
    /// The filter names many peers, and the administrator none.
    #[error("the filter {filter} of rule {rule:?} does not name one peer: say which")]
    PeerNotNamed {
        /// The rule.
        rule: String,
        /// The filter.
        filter: Selector,
    },
    /// The peer's message could not be decrypted, or its hash is wrong: the pre-shared keys differ.
    #[error("authentication of {peer} failed: {detail} (pre-shared key of rule {rule:?} differs from the peer's)")]
    PreSharedKeyMismatch {
        /// The peer.
        peer: HostAddress,
        /// What was seen: `message 5 does not decrypt to payloads`, `HASH_I is wrong`.
        detail: &'static str,
        /// The rule whose key was used.
        rule: String,
    },
    /// A certificate does not prove who the peer is, or who this host is.
    #[error("authentication with certificates (rule {rule:?}) failed: {fault}")]
    Certificate {
        /// What is wrong.
        fault: CertificateFault,
        /// The rule.
        rule: String,
    },
    /// The peer is somebody else.
    #[error("the peer's identity is {received}, rule {rule:?} requires {allowed}")]
    IdentityMismatch {
        /// What the peer sent.
        received: Identity,
        /// What the rule wants.
        allowed: Required,
        /// The rule.
        rule: String,
    },
    /// The peer's traffic falls under a rule whose proof of identity is another than what the peer has shown.
    #[error(
        "rule {rule:?}, which the traffic falls under, has other authentication methods than rule {under:?}, by which the peer proved who it is"
    )]
    OtherAuthentication {
        /// The rule of the traffic.
        rule: String,
        /// The rule of the ISAKMP SA.
        under: String,
    },
    /// The peer's ID payload of phase 1 names no peer.
    #[error("the peer's identity names no peer: {0}")]
    PeerId(String),
    /// The peer speaks an exchange of phase 1 that this host does not.
    #[error(
        "the peer's message has exchange type {received}, allowed is {}, and {} where a rule says so",
        ExchangeType::MAIN,
        ExchangeType::AGGRESSIVE
    )]
    ExchangeType {
        /// The exchange.
        received: ExchangeType,
    },
    /// The peer's user could not prove who it is.
    #[error("extended authentication of {}{peer} failed: {reason}", named(user.as_deref()))]
    XauthFailed {
        /// The peer.
        peer: HostAddress,
        /// The name that was given.
        user: Option<String>,
        /// Why.
        reason: String,
    },
    /// The peer does not admit this host's user.
    #[error("the peer refused {} in extended authentication{}", user_of(user.as_deref()), text.as_ref().map(|t| format!(": {t}")).unwrap_or_default())]
    XauthRefused {
        /// The name that this host gave, if its policy has one.
        user: Option<String>,
        /// What the peer said.
        text: Option<String>,
    },
    /// The peer did not begin what it must between phase 1 and quick mode.
    #[error("{peer} did not begin {what} within {seconds} s")]
    PeerSilent {
        /// The peer.
        peer: SocketAddr,
        /// `extended authentication`, `mode config`.
        what: &'static str,
        /// How long this host waited.
        seconds: u64,
    },
    /// Mode Config gave no address of the family that is needed.
    #[error("the peer gave this host no {family} address by mode config")]
    NoAddressGiven {
        /// `IPv4` or `IPv6`.
        family: &'static str,
    },
    /// The address that the peer gave could not become this host's.
    #[error("the address {address} that the peer gave could not be added to this host: {reason}")]
    AddressNotAdded {
        /// The address.
        address: IpAddr,
        /// What the system said.
        reason: String,
    },
    /// Mode Config had no address for the peer.
    #[error("this host has no address for the peer: {missing}{}", proposed.map(|p| format!("; the peer proposes {p}")).unwrap_or_default())]
    NoAddressForPeer {
        /// Which, and why.
        missing: MissingAddress,
        /// What the peer wants to protect without it, as seen from this host.
        proposed: Option<Selector>,
    },
    /// Only the peer can begin.
    #[error("rule {rule:?} is for peers that begin themselves: this host cannot")]
    PeerBegins {
        /// The rule.
        rule: String,
    },
    /// The peer wants to protect traffic that no rule of this host covers.
    #[error("the peer proposes {received}, the policy allows for this peer: {}", list(allowed))]
    SelectorMismatch {
        /// What the peer proposes, as seen from this host.
        received: Selector,
        /// The filters of the rules for this peer.
        allowed: Vec<Selector>,
    },
    /// AH authenticates the addresses, which a NAT changes (RFC 3715 §2.1).
    #[error("a NAT is between the peers, and rule {rule:?} has AH only, allowed is ESP")]
    AhThroughNat {
        /// The rule.
        rule: String,
    },
    /// The peer wants to protect traffic that a rule permits in clear, or blocks.
    #[error("the peer proposes {received}, which the filter {filter} of rule {rule:?} {}", if *blocks { "blocks" } else { "permits in clear" })]
    Excepted {
        /// What the peer proposes, as seen from this host.
        received: Selector,
        /// The filter.
        filter: Box<Selector>,
        /// Its rule.
        rule: String,
        /// True if it blocks.
        blocks: bool,
    },
    /// A KE payload where none was agreed on, or none where one was.
    #[error("{}", if *expected { "perfect forward secrecy was agreed on, but the Key Exchange payload is absent" } else { "the message has a Key Exchange payload, but perfect forward secrecy was not agreed on" })]
    KePayload {
        /// True if one must be there.
        expected: bool,
    },
    /// The ID payloads of quick mode name no traffic.
    #[error("{0}")]
    TrafficId(String),
    /// The responder answered with other selectors than were proposed.
    #[error("the peer answered with the selectors {received}, proposed were {proposed}")]
    SelectorsChanged {
        /// What the peer answered.
        received: Selector,
        /// What was proposed.
        proposed: Selector,
    },
    /// A message is wrong in itself.
    #[error("the peer's message is malformed: {0}")]
    Malformed(WireError),
    /// Diffie-Hellman or another computation failed.
    #[error("{operation} failed: {reason}")]
    Crypto {
        /// What was computed.
        operation: &'static str,
        /// Why it failed.
        reason: String,
    },
    /// The driver refused, failed or vanished.
    #[error("{0}")]
    Driver(DriverError),
    /// The driver vanished.
    #[error("the SA driver is gone: {0}")]
    DriverLost(String),
    /// The peer deleted the SA.
    #[error("the peer deleted the {0} SA")]
    DeletedByPeer(&'static str),
    /// The administrator, or the end of the service.
    #[error("ended by {0}")]
    Ended(&'static str),
    /// The policy no longer allows it.
    #[error("the policy has changed and no longer allows it")]
    PolicyChange,
    /// The ISAKMP SA that it needed ended.
    #[error("its ISAKMP SA ended: {0}")]
    IkeSaEnded(String),
    /// The life is over.
    #[error("its lifetime of {0} ended")]
    LifetimeEnded(crate::proposal::suite::Lifetime),
    /// The peer of a soft SA has proven who it is.
    #[error("the peer speaks IKE after all, and has proven who it is")]
    PeerProven,
    /// A newer SA does its work.
    #[error("replaced by a newer SA")]
    Replaced,
    /// The peer has restarted.
    #[error("the peer announced INITIAL-CONTACT: it knows of no earlier SA")]
    InitialContact,
    /// Another peer has proven this identity, and the rule allows one.
    #[error("the identity {identity} is in use by the peer at {peer}, and the rule refuses a second")]
    IdentityInUse {
        /// The identity.
        identity: Identity,
        /// The peer that has it.
        peer: HostAddress,
    },
    /// The peer of the SAs that were to be replaced is not there any more, somebody else is.
    #[error("the peer at {peer} is {now}, the SAs that were to be replaced are of {before}")]
    OtherPeer {
        /// Where it is.
        peer: SocketAddr,
        /// Who it is.
        now: Identity,
        /// Who it was.
        before: Identity,
    },
    /// Another host behind the same NAT has SAs, or negotiates them, for what looks like some of the same traffic.
    #[error(
        "{identity} at {peer} has or negotiates SAs for {selector}: in transport mode two hosts behind one NAT cannot have the same ports"
    )]
    SamePorts {
        /// Its traffic.
        selector: Selector,
        /// The other host.
        identity: Identity,
        /// Where it is.
        peer: SocketAddr,
    },
    /// Nothing went through it.
    #[error("no packet in {seconds} s")]
    Idle {
        /// For how long.
        seconds: u32,
    },
    /// The peer does not answer R-U-THERE.
    #[error("the peer {peer} is dead: no answer to {probes} R-U-THERE in {seconds} s")]
    DeadPeer {
        /// The peer.
        peer: SocketAddr,
        /// How often it was asked.
        probes: u32,
        /// For how long.
        seconds: u64,
    },
    /// Too much at once.
    #[error("{what}: {count} at once, allowed: {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many may be.
        limit: usize,
    },
}

/// So many of a list are told.
const LISTED: usize = 16;

fn list<T: ToString>(items: &[T]) -> String {
    if items.is_empty() {
        return "nothing".to_owned();
    }
    // A policy may have very many filters.
    let shown: Vec<String> = items.iter().take(LISTED).map(ToString::to_string).collect();
    match items.len().saturating_sub(LISTED) {
        0 => shown.join("; "),
        more => format!("{}; and {more} more", shown.join("; ")),
    }
}

fn named(user: Option<&str>) -> String {
    user.map(|user| format!("user {user:?} at ")).unwrap_or_default()
}

fn user_of(user: Option<&str>) -> String {
    user.map_or_else(|| "this host, which has no user to name,".to_owned(), |user| format!("user {user:?}"))
}

impl Failure {
    /// No rule negotiates what the peer proposes.
    pub fn no_rule(received: Selector, reason: NoRule) -> Self {
        match reason {
            NoRule::Excepted { rule, filter, blocks } => {
                Self::Excepted { received, filter: Box::new(filter), rule, blocks }
            }
            NoRule::Uncovered(allowed) => Self::SelectorMismatch { received, allowed },
        }
    }

    /// The status code.
    pub const fn status(&self) -> Status {
        match self {
            Self::TimedOut { .. } | Self::PeerSilent { .. } | Self::DeadPeer { .. } => Status::TimedOut,
            Self::NoProposalChosen { .. } | Self::PeerRefused { .. } | Self::AhThroughNat { .. } => Status::PolicyMatch,
            Self::ChoiceNotOffered(_) => Status::AttribFail,
            Self::NoPolicyForPeer { .. }
            | Self::AggressiveMode { .. }
            | Self::UnknownIdentity { .. }
            | Self::NoPolicyForFlow(_)
            | Self::NoSuchRule(_)
            | Self::PeerNotNamed { .. }
            | Self::PeerBegins { .. } => Status::NoPolicy,
            Self::PreSharedKeyMismatch { .. }
            | Self::IdentityMismatch { .. }
            | Self::OtherAuthentication { .. }
            | Self::IdentityInUse { .. }
            | Self::OtherPeer { .. }
            | Self::Certificate { .. }
            | Self::XauthFailed { .. }
            | Self::XauthRefused { .. } => Status::AuthFail,
            Self::SelectorMismatch { .. }
            | Self::NoAddressForPeer { .. }
            | Self::Excepted { .. }
            | Self::SamePorts { .. }
            | Self::SelectorsChanged { .. }
            | Self::TrafficId(_) => Status::InvalidFilter,
            Self::Malformed(_) | Self::PeerId(_) | Self::ExchangeType { .. } => Status::InvalidPayload,
            Self::Crypto { .. } | Self::KePayload { .. } => Status::DhFail,
            Self::Driver(_) | Self::DriverLost(_) => Status::AddUpdateKeyFailed,
            Self::DeletedByPeer(_) | Self::Ended(_) | Self::IkeSaEnded(_) | Self::InitialContact => Status::SaDeleted,
            Self::PolicyChange => Status::PolicyChange,
            Self::PeerProven => Status::SoftSaTornDown,
            Self::LifetimeEnded(_) | Self::Replaced | Self::Idle { .. } => Status::SaReaped,
            Self::TooMany { .. }
            | Self::Stalled { .. }
            | Self::NoAddressGiven { .. }
            | Self::AddressNotAdded { .. } => Status::GeneralProcessingError,
        }
    }

    /// True if the peer could not prove who it is.
    pub const fn is_authentication(&self) -> bool {
        matches!(
            self,
            Self::PreSharedKeyMismatch { .. }
                | Self::IdentityMismatch { .. }
                | Self::Certificate { .. }
                | Self::XauthFailed { .. }
        )
    }

    /// The notification that tells the peer (RFC 2408 §5), if one is due.
    pub fn notify(&self) -> Option<NotifyType> {
        match self {
            // Where all transforms were refused for one kind of reason, that one; else that the policy has none of them.
            Self::NoProposalChosen { mismatches, .. } => {
                let first = mismatches.first().map_or(NotifyType::NO_PROPOSAL_CHOSEN, |mismatch| mismatch.notify);
                let same = mismatches.iter().all(|mismatch| mismatch.notify == first);
                Some(if same { first } else { NotifyType::NO_PROPOSAL_CHOSEN })
            }
            Self::ChoiceNotOffered(mismatch) => Some(mismatch.notify),
            Self::NoPolicyForPeer { .. } | Self::AhThroughNat { .. } => Some(NotifyType::NO_PROPOSAL_CHOSEN),
            Self::PreSharedKeyMismatch { .. } => Some(NotifyType::AUTHENTICATION_FAILED),
            Self::ExchangeType { .. } => Some(NotifyType::UNSUPPORTED_EXCHANGE_TYPE),
            Self::Certificate { fault, .. } => Some(certificate_notify(fault)),
            Self::IdentityMismatch { .. }
            | Self::OtherAuthentication { .. }
            | Self::PeerId(_)
            | Self::SelectorMismatch { .. }
            | Self::NoAddressForPeer { .. }
            | Self::Excepted { .. }
            | Self::SamePorts { .. }
            | Self::SelectorsChanged { .. }
            | Self::TrafficId(_) => Some(NotifyType::INVALID_ID_INFORMATION),
            Self::Malformed(error) => error.notify(),
            Self::Crypto { .. } | Self::KePayload { .. } => Some(NotifyType::INVALID_KEY_INFORMATION),
            Self::Driver(_)
            | Self::DriverLost(_)
            | Self::TooMany { .. }
            | Self::Stalled { .. }
            | Self::PolicyChange => Some(NotifyType::NO_PROPOSAL_CHOSEN),
            _ => None,
        }
    }
}

/// RFC 2408 §3.14.1.
const fn certificate_notify(fault: &CertificateFault) -> NotifyType {
    match fault {
        CertificateFault::Missing => NotifyType::CERTIFICATE_UNAVAILABLE,
        CertificateFault::NoChain { .. } => NotifyType::INVALID_CERT_AUTHORITY,
        CertificateFault::Signature { .. } => NotifyType::INVALID_SIGNATURE,
        CertificateFault::OtherNames { .. }
        | CertificateFault::OtherSubject { .. }
        | CertificateFault::OtherAddress { .. } => NotifyType::INVALID_ID_INFORMATION,
        // Nothing of the peer's is wrong.
        CertificateFault::PrivateKey { .. } | CertificateFault::Aborted(_) => NotifyType::AUTHENTICATION_FAILED,
        _ => NotifyType::INVALID_CERTIFICATE,
    }
}

/// Why a datagram was dropped; what it was sent to is as it was before.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Reject {
    /// It is malformed.
    #[error("{0}")]
    Malformed(#[from] WireError),
    /// No exchange is known by its cookies.
    #[error("no ISAKMP SA has the cookies {initiator}/{responder}")]
    UnknownCookies {
        /// CKY-I.
        initiator: crate::ids::Cookie,
        /// CKY-R.
        responder: crate::ids::Cookie,
    },
    /// Right cookies, wrong address.
    #[error("the ISAKMP SA belongs to {expected}")]
    WrongAddress {
        /// The peer's address.
        expected: SocketAddr,
    },
    /// The exchange does not wait for this message.
    #[error("{exchange} message with {payload} first does not belong to the state {state}")]
    Unexpected {
        /// The exchange of the header.
        exchange: ExchangeType,
        /// Its first payload.
        payload: PayloadType,
        /// What the exchange waits for.
        state: &'static str,
    },
    /// An exchange that must be encrypted came in clear, or the reverse.
    #[error("flags {flags:#04x}: the {exchange} message must {} encrypted here", if *must { "be" } else { "not be" })]
    Encryption {
        /// The flags of the header.
        flags: u8,
        /// The exchange.
        exchange: ExchangeType,
        /// Whether it must be encrypted.
        must: bool,
    },
    /// It does not decrypt to payloads.
    #[error("does not decrypt to payloads: {0}")]
    Undecipherable(WireError),
    /// It cannot be decrypted at all.
    #[error("cannot be decrypted: {0}")]
    Cipher(String),
    /// A hash is wrong.
    #[error("{0} is wrong")]
    Hash(&'static str),
    /// The peer's public value is not one.
    #[error("{0}")]
    PublicValue(String),
    /// The identity cannot be read.
    #[error("{0}")]
    Identity(String),
    /// Randomness or another need of this host failed.
    #[error("{0} failed")]
    Local(&'static str),
    /// An exchange that is not spoken.
    #[error("exchange type {0} is not supported")]
    Exchange(ExchangeType),
    /// It is well formed but must not be acted upon.
    #[error("{0}")]
    Refused(Failure),
    /// This peer, or all peers together, have too many negotiations under way.
    #[error("{what}: {count} at once, allowed: {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many may be.
        limit: usize,
    },
    /// A fragment of a first message.
    #[error(
        "a fragment of a first message, which must come whole: nothing is kept of a sender before it has shown that what \
         is sent to its address reaches it"
    )]
    FragmentOfFirst,
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopping,
}
