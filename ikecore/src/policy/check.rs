//! What rules must be so that they can be in force together.
use super::remote_access::{ModeConfig, Xauth};
use super::rule::{AuthMethod, HybridMethod, QuickModePolicy, Rule, RuleAction};
use super::selector::{Prefix, Selector};
use crate::crypto::group::Group;
use crate::crypto::signature::SignatureAlg;
use crate::identity::Required;
use crate::proposal::suite::{EspCipher, IpsecSuite, ProtectionSuite};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// The most main-mode transforms of a rule, offers times authentication methods: their number has one octet.
pub const MAX_MAIN_MODE_TRANSFORMS: usize = 255;

/// The most quick-mode offers of a policy: as many proposals as any peer needs to read.
pub const MAX_QUICK_MODE_OFFERS: usize = 64;

/// A rule that cannot be in force.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("rule {rule:?}: {fault}")]
pub struct PolicyError {
    /// The rule.
    pub rule: String,
    /// Why not.
    pub fault: PolicyFault,
}

/// Why a rule cannot be in force.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PolicyFault {
    /// An earlier rule has the same name, or it has none.
    #[error("the name is empty or an earlier rule's, allowed are names of their own")]
    Name,
    /// An earlier rule has the same number, or it is zero.
    #[error("reqid {reqid} is {}, allowed are numbers from 1 on, each once", used_by(.earlier.as_deref()))]
    Reqid {
        /// The number.
        reqid: u32,
        /// The earlier rule.
        earlier: Option<String>,
    },
    /// A filter between IPv4 and IPv6.
    #[error("filter {0} is between IPv4 and IPv6, allowed are addresses of one family")]
    FilterFamilies(Selector),
    /// A port of a protocol that has none.
    #[error("filter {filter} has a port, allowed with protocols 6, 17, 33, 132 and 136 only")]
    PortWithoutProtocol {
        /// The filter.
        filter: Selector,
    },
    /// A negotiated filter for one direction.
    #[error("filter {0} is for one direction, which can be permitted or blocked; SAs come in pairs, for both")]
    OneWay(Selector),
    /// A negotiated filter for multicast.
    #[error("filter {0} is for multicast, which can be permitted or blocked, not negotiated")]
    Multicast(Selector),
    /// A tunnel for a rule that negotiates nothing.
    #[error("it has a tunnel, allowed only with the action to negotiate")]
    TunnelWithoutAction,
    /// Mode Config without a tunnel, or for a rule that negotiates nothing.
    #[error("it has Mode Config, allowed only in tunnel mode")]
    ModeConfigWithoutTunnel,
    /// A client without a gateway.
    #[error("it gets {0} of the peer, but its tunnel names no peer: allowed is a tunnel with a remote address")]
    ClientWithoutPeer(
        /// What it gets, or proves.
        &'static str,
    ),
    /// Hybrid authentication of one end, and extended authentication of the other, or none.
    #[error("its hybrid authentication is that of the {}, allowed only with extended authentication as {}", ends(*.gateway).0, ends(*.gateway).1)]
    Hybrid {
        /// Whose it is.
        gateway: bool,
    },
    /// Extended authentication after signatures of another kind than RSA, which have no number for it.
    #[error("its certificate {0} is for {kind}, allowed with extended authentication is RSA", kind = .1.name())]
    XauthKey(
        /// The certificate's subject.
        String,
        /// The kind of its key.
        SignatureAlg,
    ),
    /// The gateway's rule of hybrid authentication wants an identity, which nobody proves.
    #[error(
        "it wants the peer's identity {0}, which nobody proves in hybrid authentication; allowed is none, since the user is \
         what counts"
    )]
    HybridIdentity(Required),
    /// A pool without addresses.
    #[error("pool {0:?} has no addresses, at least one is needed")]
    EmptyPool(String),
    /// A tunnel between IPv4 and IPv6.
    #[error("the tunnel from {local} to {remote} is between IPv4 and IPv6, allowed are addresses of one family")]
    TunnelFamilies {
        /// This host's end.
        local: IpAddr,
        /// The peer.
        remote: IpAddr,
    },
    /// A tunnel without an end here.
    #[error("the tunnel to {remote} has no local address and this host none of its family")]
    TunnelWithoutLocal {
        /// The peer.
        remote: IpAddr,
    },
    /// A default response that is more than an answer.
    #[error("it is the default response, which negotiates in transport mode and has no filters")]
    DefaultResponse,
    /// Nothing to negotiate with.
    #[error("it has no {0}, at least one of them is needed to negotiate")]
    Missing(
        /// Of what.
        &'static str,
    ),
    /// Too many to send.
    #[error("it has {count} {what}, allowed are {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Two groups for one quick mode.
    #[error(
        "quick mode policy {policy:?} offers PFS with {} and {}, allowed is one group for all offers (RFC 2409 §5.5)",
        group(*.one), group(*.other)
    )]
    PfsGroups {
        /// The policy's name.
        policy: String,
        /// The first offer's group.
        one: Option<Group>,
        /// Another offer's.
        other: Option<Group>,
    },
    /// Two offers that nothing on the wire tells apart.
    #[error(
        "quick mode policy {policy:?} offers {one} and {other}, which peers cannot tell apart, as both have the same \
         numbers; allowed is one of them"
    )]
    LookAlike {
        /// The policy's name.
        policy: String,
        /// The first of the two.
        one: ProtectionSuite,
        /// The other.
        other: ProtectionSuite,
    },
    /// An offer that cannot be negotiated.
    #[error("quick mode policy {policy:?} offers {suite}: {}", unsound(*.suite))]
    Unsound {
        /// The policy's name.
        policy: String,
        /// The offer.
        suite: ProtectionSuite,
    },
    /// Extended sequence numbers that nothing authenticates.
    #[error(
        "quick mode policy {policy:?} offers {suite} with extended sequence numbers, allowed only with an integrity algorithm, \
         which checks their upper half (RFC 4303 §2.2.1)"
    )]
    Unauthenticated {
        /// The policy's name.
        policy: String,
        /// The offer.
        suite: ProtectionSuite,
    },
}

fn used_by(earlier: Option<&str>) -> String {
    earlier.map_or_else(|| "not a number for a rule".to_owned(), |rule| format!("that of rule {rule:?}"))
}

fn group(group: Option<Group>) -> &'static str {
    group.map_or("no group", Group::name)
}

/// The end that a hybrid method is for, and what it is in extended authentication.
const fn ends(gateway: bool) -> (&'static str, &'static str) {
    if gateway { ("gateway", "its server") } else { ("client", "its client") }
}

const fn unsound(suite: ProtectionSuite) -> &'static str {
    match suite.main {
        IpsecSuite::Ah { .. } => "AH around AH protects nothing more, allowed is AH around ESP",
        IpsecSuite::Esp { integrity: Some(_), .. } => "the cipher authenticates by itself, allowed is no integrity",
        IpsecSuite::Esp { cipher: EspCipher::Null, .. } => {
            "it neither encrypts nor authenticates, allowed is NULL with an integrity algorithm"
        }
        _ => "counter mode alone is no protection (RFC 3686 §3.3), allowed is an integrity algorithm with it",
    }
}

/// Checks all rules; the error is of the first that cannot be in force.
pub(super) fn check(rules: &[Arc<Rule>], local_addresses: &[Prefix]) -> Result<(), PolicyError> {
    let mut reqids: BTreeMap<u32, &str> = BTreeMap::new();
    let mut names: BTreeMap<&str, ()> = BTreeMap::new();
    for rule in rules {
        let refuse = |fault| PolicyError { rule: rule.name.clone(), fault };
        if rule.name.is_empty() || names.insert(&rule.name, ()).is_some() {
            return Err(refuse(PolicyFault::Name));
        }
        let earlier = reqids.insert(rule.reqid, &rule.name);
        if rule.reqid == 0 || earlier.is_some() {
            let earlier = earlier.map(str::to_owned);
            return Err(refuse(PolicyFault::Reqid { reqid: rule.reqid, earlier }));
        }
        check_filters(rule).map_err(refuse)?;
        check_tunnel(rule, local_addresses).map_err(refuse)?;
        check_remote_access(rule).map_err(refuse)?;
        if let RuleAction::Negotiate(policy) = &rule.action {
            check_negotiation(rule, policy).map_err(refuse)?;
        }
    }
    Ok(())
}

/// TCP, UDP, DCCP, SCTP and UDP-Lite have ports.
const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, 6 | 17 | 33 | 132 | 136)
}

fn check_filters(rule: &Rule) -> Result<(), PolicyFault> {
    for filter in &rule.filters {
        if filter.local.address().is_ipv4() != filter.remote.address().is_ipv4() {
            return Err(PolicyFault::FilterFamilies(*filter));
        }
        if (filter.local_port != 0 || filter.remote_port != 0) && !has_ports(filter.protocol) {
            return Err(PolicyFault::PortWithoutProtocol { filter: *filter });
        }
        if rule.quick_mode().is_some() && filter.direction.is_some() {
            return Err(PolicyFault::OneWay(*filter));
        }
        // IKE negotiates between two hosts. A filter for any address has multicast in it and is in order.
        let multicast = |prefix: Prefix| {
            prefix.address().is_multicast() && prefix.prefix_len() >= if prefix.address().is_ipv4() { 4 } else { 8 }
        };
        if rule.quick_mode().is_some() && (multicast(filter.local) || multicast(filter.remote)) {
            return Err(PolicyFault::Multicast(*filter));
        }
    }
    Ok(())
}

fn check_tunnel(rule: &Rule, local_addresses: &[Prefix]) -> Result<(), PolicyFault> {
    let Some(tunnel) = rule.tunnel else { return Ok(()) };
    if rule.quick_mode().is_none() {
        return Err(PolicyFault::TunnelWithoutAction);
    }
    let Some(remote) = tunnel.remote else { return Ok(()) };
    match tunnel.source(local_addresses) {
        None => Err(PolicyFault::TunnelWithoutLocal { remote }),
        Some(local) if local.is_ipv4() != remote.is_ipv4() => Err(PolicyFault::TunnelFamilies { local, remote }),
        Some(_) => Ok(()),
    }
}

fn check_remote_access(rule: &Rule) -> Result<(), PolicyFault> {
    match &rule.mode_config {
        Some(_) if rule.tunnel.is_none() => return Err(PolicyFault::ModeConfigWithoutTunnel),
        Some(ModeConfig::Server { pool, .. }) if pool.ranges.is_empty() => {
            return Err(PolicyFault::EmptyPool(pool.name.clone()));
        }
        Some(ModeConfig::Client { .. }) if rule.names_no_peer() => {
            return Err(PolicyFault::ClientWithoutPeer("an address"));
        }
        _ => {}
    }
    for method in &rule.authentication {
        let own = method.own().filter(|own| rule.xauth.is_some() && own.algorithm() != SignatureAlg::Rsa);
        if let Some(own) = own {
            return Err(PolicyFault::XauthKey(own.certificate.to_string(), own.algorithm()));
        }
        let AuthMethod::Hybrid(hybrid) = method else { continue };
        let gateway = matches!(hybrid, HybridMethod::Gateway(_));
        if !hybrid.fits(rule.xauth.as_ref()) {
            return Err(PolicyFault::Hybrid { gateway });
        }
        if let Some(identity) = rule.remote_id.as_ref().filter(|_| gateway) {
            return Err(PolicyFault::HybridIdentity(identity.clone()));
        }
    }
    match &rule.xauth {
        Some(Xauth::Client(_)) if rule.names_no_peer() => Err(PolicyFault::ClientWithoutPeer("its user's admission")),
        _ => Ok(()),
    }
}

fn check_negotiation(rule: &Rule, policy: &QuickModePolicy) -> Result<(), PolicyFault> {
    let transforms = rule.main_mode.offers.len().saturating_mul(rule.authentication.len());
    for (what, count, limit) in [
        ("main mode offers", rule.main_mode.offers.len(), MAX_MAIN_MODE_TRANSFORMS),
        ("authentication methods", rule.authentication.len(), MAX_MAIN_MODE_TRANSFORMS),
        ("main mode offers times authentication methods", transforms, MAX_MAIN_MODE_TRANSFORMS),
        ("quick mode offers", policy.offers.len(), MAX_QUICK_MODE_OFFERS),
    ] {
        if count == 0 {
            return Err(PolicyFault::Missing(what));
        }
        if count > limit {
            return Err(PolicyFault::TooMany { what, count, limit });
        }
    }
    for (index, offer) in policy.offers.iter().enumerate() {
        let named = || policy.name.clone();
        if !offer.suite.is_sound() {
            return Err(PolicyFault::Unsound { policy: named(), suite: offer.suite });
        }
        if offer.extended_sequence_numbers && !offer.suite.authenticates() {
            return Err(PolicyFault::Unauthenticated { policy: named(), suite: offer.suite });
        }
        let other = offer.suite;
        let mut earlier = policy.offers.iter().take(index).map(|earlier| earlier.suite);
        if let Some(one) = earlier.find(|one| *one != other && one.looks_like(other)) {
            return Err(PolicyFault::LookAlike { policy: named(), one, other });
        }
        let one = policy.offers.first().and_then(|first| first.pfs);
        if offer.pfs != one {
            return Err(PolicyFault::PfsGroups { policy: named(), one, other: offer.pfs });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
