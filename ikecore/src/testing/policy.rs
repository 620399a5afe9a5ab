//! Policies for tests.
use crate::crypto::cipher::CipherAlg;
use crate::crypto::group::Group;
use crate::crypto::hash::HashAlg;
use crate::identity::Identity;
use crate::policy::db::PolicyDb;
use crate::policy::remote_access::{ModeConfig, Xauth};
use crate::policy::rule::{
    AuthMethod, DeadPeerDetection, MainModePolicy, QuickModePolicy, Rule, RuleAction, TunnelEndpoints, Uniqueness,
};
use crate::policy::selector::{Prefix, Selector};
use crate::proposal::offer::{MainModeOffer, QuickModeOffer};
use crate::proposal::suite::{EspCipher, Integrity, IpsecSuite, Lifetime};
use crate::secret::Secret;
use std::net::IpAddr;
use std::sync::Arc;

/// One rule between two hosts, seen from `local`; change the fields, then [`Self::database`].
#[derive(Clone, Debug)]
pub struct TestPolicy {
    /// This host.
    pub local: IpAddr,
    /// The peer.
    pub remote: IpAddr,
    /// The pre-shared key.
    pub psk: &'static [u8],
    /// Main mode.
    pub main_mode: Vec<MainModeOffer>,
    /// The life of the ISAKMP SA.
    pub ike_lifetime: Lifetime,
    /// Quick mode.
    pub quick_mode: Vec<QuickModeOffer>,
    /// The filters; none: all traffic between the two hosts.
    pub filters: Vec<Selector>,
    /// Tunnel mode.
    pub tunnel: bool,
    /// The most quick modes of an ISAKMP SA.
    pub quick_mode_limit: u32,
    /// The number of the database.
    pub version: u64,
    /// The authentication methods; none: the pre-shared key.
    pub methods: Vec<AuthMethod>,
    /// The identity that this host sends.
    pub local_id: Option<Identity>,
    /// The identity that the peer must prove.
    pub remote_id: Option<Identity>,
    /// In tunnel mode: the peer may be anybody.
    pub any_peer: bool,
    /// Aggressive mode.
    pub aggressive_mode: bool,
    /// Extended authentication.
    pub xauth: Option<Xauth>,
    /// Mode Config.
    pub mode_config: Option<ModeConfig>,
    /// How the peer is watched.
    pub dpd: Option<DeadPeerDetection>,
    /// Whether an identity may be at several addresses.
    pub uniqueness: Uniqueness,
    /// Traffic with a peer that does not answer passes in clear.
    pub fallback_to_clear: bool,
    /// The life of soft SAs, seconds.
    pub soft_lifetime: u32,
    /// Seconds after which SAs without traffic end; 0: they live on.
    pub idle: u32,
    /// Traffic that is permitted or blocked, each by a rule of its own.
    pub exceptions: Vec<(Selector, RuleAction)>,
}

/// AES-256, SHA-256, 256-bit ECP: fast and usual.
pub const FAST: MainModeOffer =
    MainModeOffer { cipher: CipherAlg::Aes256, hash: HashAlg::Sha256, group: Group::Ecp256 };

/// AES-256-CBC with HMAC-SHA256-128.
pub const ESP: IpsecSuite =
    IpsecSuite::Esp { cipher: EspCipher::Aes256Cbc, integrity: Some(Integrity::HmacSha256_128) };

impl TestPolicy {
    /// Both hosts with the same key and offers.
    pub fn new(local: IpAddr, remote: IpAddr) -> Self {
        let lifetime = Lifetime { seconds: 3_600, kilobytes: 100_000 };
        Self {
            local,
            remote,
            psk: b"correct horse battery",
            main_mode: vec![FAST],
            ike_lifetime: Lifetime { seconds: 28_800, kilobytes: 0 },
            quick_mode: vec![QuickModeOffer {
                suite: ESP.alone(),
                lifetime,
                pfs: None,
                extended_sequence_numbers: false,
            }],
            filters: Vec::new(),
            tunnel: false,
            quick_mode_limit: 0,
            version: 1,
            methods: Vec::new(),
            local_id: None,
            remote_id: None,
            any_peer: false,
            aggressive_mode: false,
            xauth: None,
            mode_config: None,
            dpd: None,
            uniqueness: Uniqueness::Keep,
            fallback_to_clear: false,
            soft_lifetime: 28_800,
            idle: 0,
            exceptions: Vec::new(),
        }
    }

    /// The policy database.
    pub fn database(&self) -> PolicyDb {
        let authentication = if self.methods.is_empty() {
            vec![AuthMethod::PreSharedKey(Arc::new(Secret::new(self.psk.to_vec())))]
        } else {
            self.methods.clone()
        };
        let filters = if self.filters.is_empty() {
            vec![Selector::between(Prefix::host(self.local), Prefix::host(self.remote))]
        } else {
            self.filters.clone()
        };
        let quick_mode = QuickModePolicy {
            name: "protect".to_owned(),
            offers: self.quick_mode.clone(),
            inbound_passthrough: false,
            fallback_to_clear: self.fallback_to_clear,
            idle: self.idle,
        };
        let main_mode = MainModePolicy {
            name: "main".to_owned(),
            offers: self.main_mode.clone(),
            lifetime: self.ike_lifetime,
            quick_mode_limit: self.quick_mode_limit,
            soft_lifetime: self.soft_lifetime,
        };
        let rule = Rule {
            name: "rule".to_owned(),
            filters,
            action: RuleAction::Negotiate(Arc::new(quick_mode)),
            main_mode: Arc::new(main_mode),
            authentication,
            tunnel: self.tunnel.then_some(TunnelEndpoints {
                local: Some(self.local),
                remote: (!self.any_peer).then_some(self.remote),
            }),
            local_id: self.local_id.clone(),
            remote_id: self.remote_id.clone().map(Into::into),
            aggressive_mode: self.aggressive_mode,
            xauth: self.xauth.clone(),
            mode_config: self.mode_config.clone(),
            dpd: self.dpd,
            uniqueness: self.uniqueness,
            reqid: 1,
        };
        let exceptions = (2..).zip(&self.exceptions).map(|(reqid, (filter, action))| Rule {
            name: format!("exception {reqid}"),
            filters: vec![*filter],
            action: action.clone(),
            tunnel: None,
            reqid,
            ..rule.clone()
        });
        let rules = core::iter::once(rule.clone()).chain(exceptions).map(Arc::new).collect();
        PolicyDb::new(self.version, rules, vec![Prefix::host(self.local)])
            .unwrap_or_else(|error| panic!("the test policy is wrong: {error}"))
    }
}
