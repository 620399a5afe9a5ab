//! Rules for tests.
use super::rule::{AuthMethod, MainModePolicy, QuickModePolicy, Rule, RuleAction, TunnelEndpoints};
use super::selector::{Prefix, Selector};
use crate::crypto::cipher::CipherAlg;
use crate::crypto::esp::Integrity;
use crate::crypto::group::Group;
use crate::crypto::hash::HashAlg;
use crate::proposal::offer::{MainModeOffer, QuickModeOffer};
use crate::proposal::suite::{EspCipher, IpsecSuite, Lifetime};
use crate::secret::Secret;
use std::net::IpAddr;
use std::sync::Arc;

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// `10.9.0.1` or `10.9.0.0/24`.
pub(crate) fn prefix(text: &str) -> Prefix {
    let Some((first, len)) = text.split_once('/') else { return Prefix::host(address(text)) };
    Prefix::new(address(first), len.parse().expect("a length")).expect("in range")
}

pub(crate) fn between(local: &str, remote: &str) -> Selector {
    Selector::between(prefix(local), prefix(remote))
}

pub(crate) const OFFER: QuickModeOffer = QuickModeOffer {
    suite: IpsecSuite::Esp { cipher: EspCipher::Aes128Cbc, integrity: Some(Integrity::HmacSha1_96) }.alone(),
    lifetime: Lifetime { seconds: 3600, kilobytes: 0 },
    pfs: None,
    extended_sequence_numbers: false,
};

pub(crate) const MAIN: MainModeOffer =
    MainModeOffer { cipher: CipherAlg::Aes128, hash: HashAlg::Sha256, group: Group::Modp2048 };

pub(crate) fn quick(offers: Vec<QuickModeOffer>) -> RuleAction {
    RuleAction::Negotiate(Arc::new(QuickModePolicy {
        name: "protect".to_owned(),
        offers,
        inbound_passthrough: false,
        fallback_to_clear: false,
        idle: 0,
    }))
}

pub(crate) fn main(offers: Vec<MainModeOffer>) -> Arc<MainModePolicy> {
    let lifetime = Lifetime { seconds: 28_800, kilobytes: 0 };
    Arc::new(MainModePolicy { name: "main".to_owned(), offers, lifetime, quick_mode_limit: 0, soft_lifetime: 28_800 })
}

/// A rule in transport mode between 10.9.0.1 and 10.9.0.2.
pub(crate) fn rule(name: &str, reqid: u32) -> Rule {
    Rule {
        name: name.to_owned(),
        filters: vec![between("10.9.0.1", "10.9.0.2")],
        action: quick(vec![OFFER]),
        main_mode: main(vec![MAIN]),
        authentication: vec![AuthMethod::PreSharedKey(Arc::new(Secret::new(b"key".to_vec())))],
        tunnel: None,
        local_id: None,
        remote_id: None,
        aggressive_mode: false,
        xauth: None,
        mode_config: None,
        dpd: None,
        uniqueness: crate::policy::rule::Uniqueness::Keep,
        reqid,
    }
}

/// A rule in transport mode.
pub(crate) fn transport(name: &str, reqid: u32, filters: &[Selector]) -> Rule {
    Rule { filters: filters.to_vec(), ..rule(name, reqid) }
}

/// A rule in tunnel mode.
pub(crate) fn tunnel(name: &str, reqid: u32, filters: &[Selector], local: Option<&str>, remote: &str) -> Rule {
    let endpoints = TunnelEndpoints { local: local.map(address), remote: Some(address(remote)) };
    Rule { tunnel: Some(endpoints), ..transport(name, reqid, filters) }
}

/// A rule that permits or blocks.
pub(crate) fn plain(name: &str, reqid: u32, action: RuleAction, filters: &[Selector]) -> Rule {
    Rule { action, ..transport(name, reqid, filters) }
}
