//! The kinds of failures, and that the tables have a row for each.
use crate::certificate::CertificateFault;
use crate::event::Failure;
use std::collections::BTreeSet;

/// Lists all kinds of a type, and names the kind of a value. A kind that is not listed does not compile.
macro_rules! kinds {
    ($of:ident, $all:ident, $name:ident: $($kind:ident),+ $(,)?) => {
        const $all: &[&str] = &[$(stringify!($kind)),+];

        const fn $name(value: &$of) -> &'static str {
            match value {
                $($of::$kind { .. } => stringify!($kind),)+
            }
        }
    };
}

kinds! { Failure, FAILURES, failure:
    TimedOut, Stalled, NoProposalChosen, ChoiceNotOffered, PeerRefused, NoPolicyForPeer, AggressiveMode, UnknownIdentity,
    NoPolicyForFlow, NoSuchRule, PeerNotNamed, PreSharedKeyMismatch, Certificate, IdentityMismatch, OtherAuthentication,
    PeerId, ExchangeType, XauthFailed, XauthRefused, PeerSilent, NoAddressGiven, AddressNotAdded, NoAddressForPeer, PeerBegins,
    SelectorMismatch, AhThroughNat, Excepted, KePayload, TrafficId, SelectorsChanged, Malformed, Crypto, Driver, DriverLost,
    DeletedByPeer, Ended, PolicyChange, IkeSaEnded, LifetimeEnded, PeerProven, Replaced, InitialContact, IdentityInUse, OtherPeer, SamePorts,
    Idle, DeadPeer, TooMany,
}

kinds! { CertificateFault, FAULTS, fault:
    Malformed, Key, Missing, Signature, Algorithm, OtherNames, OtherAddress, OtherSubject, KeyUsage, Purpose, Expired,
    NotYetValid, Revoked, RevocationUnknown, RevocationListExpired, RevocationList, NoChain, Chain, Weak, PrivateKey, Aborted,
}

/// The kind of a failure; of certificates with the kind of the fault.
pub(super) fn kind(of: &Failure) -> String {
    match of {
        Failure::Certificate { fault: why, .. } => format!("{}, {}", failure(of), fault(why)),
        _ => failure(of).to_owned(),
    }
}

/// The tables, as they are recorded.
const TABLES: [&str; 7] = [
    include_str!("../expected/misconfigured-authentication.txt"),
    include_str!("../expected/misconfigured-certificates.txt"),
    include_str!("../expected/misconfigured-drivers.txt"),
    include_str!("../expected/misconfigured-ends.txt"),
    include_str!("../expected/misconfigured-messages.txt"),
    include_str!("../expected/misconfigured-nat.txt"),
    include_str!("../expected/misconfigured-policies.txt"),
];

/// Each table is compared with what came of its rows, so a kind that is recorded is one that a row produces.
#[test]
fn each_kind_has_a_row() {
    let lines = TABLES.iter().flat_map(|table| table.lines());
    let recorded: BTreeSet<&str> =
        lines.filter_map(|line| line.split_once("): ")?.0.rsplit_once('(')).map(|(_, kind)| kind).collect();
    let plain = FAILURES.iter().filter(|kind| **kind != "Certificate").map(|kind| (*kind).to_owned());
    let all: BTreeSet<String> = plain.chain(FAULTS.iter().map(|fault| format!("Certificate, {fault}"))).collect();
    let without: Vec<_> = all.iter().filter(|kind| !recorded.contains(kind.as_str())).collect();
    assert!(without.is_empty(), "no row produces {without:?}");
}
