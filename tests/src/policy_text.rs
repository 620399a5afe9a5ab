//! Policy files for the daemon under test: the one place that knows how they are written.

pub mod gateway;

use crate::charon::Mode;
use crate::netns::Addresses;

/// What protects the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Encapsulating security payload.
    Esp,
    /// Authentication header.
    Ah,
}

impl Protocol {
    /// As policy files spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Esp => "esp",
            Self::Ah => "ah",
        }
    }
}

/// The name of the rule that every [`Policy`] has.
pub const RULE: &str = "to the peer";

/// An upper protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upper {
    /// ICMP.
    Icmp,
    /// TCP to this port.
    TcpPort(u16),
}

/// The policy of one host towards the other: a rule that negotiates, or several.
#[derive(Debug, Clone)]
pub struct Policy {
    /// This host.
    pub own: Addresses,
    /// The peer.
    pub other: Addresses,
    /// Mode of the IPsec SAs.
    pub mode: Mode,
    /// What protects the traffic.
    pub protocol: Protocol,
    /// The upper protocol that is protected; `None`: all.
    pub upper: Option<Upper>,
    /// What goes in clear between the same nets, by a rule of its own.
    pub permitted: Option<Upper>,
    /// The net on this side; transport mode has the wire's addresses instead.
    pub local: String,
    /// The net on the peer's side.
    pub remote: String,
    /// More pairs of nets, this side's first: a rule each.
    pub also: Vec<(String, String)>,
    /// Pre-shared key.
    pub psk: String,
    /// An authentication method in place of the pre-shared key, as policy files write it.
    pub authentication: Option<String>,
    /// The identities of both ends, this side's first, as policy files write them.
    pub identities: Option<(String, String)>,
    /// Main-mode offers in order, as strongSwan writes them: `aes256-sha256-modp2048`.
    pub main_mode: Vec<String>,
    /// Quick-mode offers in order, the same way; with a group there is PFS. `-esn` and `-noesn` stand last.
    pub quick_mode: Vec<String>,
    /// A main mode for each quick mode.
    pub master_pfs: bool,
    /// Lifetime of ISAKMP SAs, seconds.
    pub main_mode_seconds: u32,
    /// Lifetime of IPsec SAs, seconds.
    pub quick_mode_seconds: u32,
    /// Lifetime of IPsec SAs, kilobytes.
    pub quick_mode_kilobytes: u32,
    /// Seconds without traffic after which IPsec SAs end; 0 is never.
    pub idle: u32,
    /// No rule: the default response alone answers.
    pub default_response: bool,
    /// IPComp inside ESP or AH.
    pub compression: bool,
    /// AH around ESP, with this integrity algorithm.
    pub outer_ah: Option<&'static str>,
    /// The table `dpd` of the rules.
    pub dpd: Option<&'static str>,
    /// Aggressive mode.
    pub aggressive: bool,
    /// Traffic with a peer that does not answer IKE passes in clear.
    pub fallback_to_clear: bool,
}

impl Policy {
    /// A policy of the host with the addresses `own` towards `other` that suits
    /// [`Connection::between`](crate::charon::Connection::between) at the other end.
    pub fn between(own: Addresses, other: Addresses) -> Self {
        Self {
            own,
            other,
            mode: Mode::Tunnel,
            protocol: Protocol::Esp,
            upper: None,
            permitted: None,
            also: Vec::new(),
            local: own.net.to_owned(),
            remote: other.net.to_owned(),
            psk: "correct horse battery".to_owned(),
            authentication: None,
            identities: None,
            main_mode: vec!["aes256-sha256-modp2048".to_owned()],
            quick_mode: vec!["aes256-sha256-modp2048".to_owned()],
            master_pfs: false,
            main_mode_seconds: 14_400,
            quick_mode_seconds: 3_600,
            quick_mode_kilobytes: 100_000,
            idle: 0,
            default_response: false,
            compression: false,
            outer_ah: None,
            dpd: None,
            aggressive: false,
            fallback_to_clear: false,
        }
    }

    /// The same in transport mode between the two hosts.
    #[must_use]
    pub fn transport(mut self) -> Self {
        self.mode = Mode::Transport;
        self.local = self.own.wire.to_owned();
        self.remote = self.other.wire.to_owned();
        self
    }

    /// The same in `mode`.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        match mode {
            Mode::Tunnel => self,
            Mode::Transport => self.transport(),
        }
    }

    /// The same with these offers of main mode and quick mode.
    #[must_use]
    pub fn proposals(mut self, main_mode: &str, quick_mode: &str) -> Self {
        self.main_mode = vec![main_mode.to_owned()];
        self.quick_mode = vec![quick_mode.to_owned()];
        self
    }

    /// The same with this pre-shared key.
    #[must_use]
    pub fn psk(mut self, psk: &str) -> Self {
        psk.clone_into(&mut self.psk);
        self
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let tunnel = match self.mode {
            Mode::Tunnel => {
                format!("tunnel = {{ local = \"{}\", remote = \"{}\" }}\n", self.own.wire, self.other.wire)
            }
            Mode::Transport => String::new(),
        };
        // strongSwan writes both kinds of sequence numbers into one proposal.
        let offers: Vec<(&str, bool)> = self.quick_mode.iter().flat_map(|offer| sequence_numbers(offer)).collect();
        let pfs = offers.iter().find_map(|(offer, _)| group(offer));
        let quick_mode: Vec<String> = offers
            .into_iter()
            .map(|(offer, extended)| {
                let without_group = group(offer).map_or(offer, |group| {
                    offer.strip_suffix(group).and_then(|rest| rest.strip_suffix('-')).unwrap_or(offer)
                });
                let (seconds, kilobytes) = (self.quick_mode_seconds, self.quick_mode_kilobytes);
                format!(
                    "{{ {} = \"{without_group}\", lifetime = {{ seconds = {seconds}, kilobytes = {kilobytes} }}{}{}{} }}",
                    self.protocol.name(),
                    self.outer_ah.map(|integrity| format!(", ah = \"{integrity}\"")).unwrap_or_default(),
                    if self.compression { ", compression = true" } else { "" },
                    if extended { ", extended_sequence_numbers = true" } else { "" }
                )
            })
            .collect();
        let main_mode: Vec<String> = self.main_mode.iter().map(|offer| format!("\"{offer}\"")).collect();
        let upper = |upper: Option<Upper>| match upper {
            None => String::new(),
            Some(Upper::Icmp) => ", protocol = \"icmp\"".to_owned(),
            Some(Upper::TcpPort(port)) => format!(", protocol = \"tcp\", destination_port = {port}"),
        };
        let key = || format!("{{ preshared_key = \"{}\" }}", self.psk);
        let method = self.authentication.clone().unwrap_or_else(key);
        let identities = self
            .identities
            .as_ref()
            .map(|(local, remote)| format!("local_id = \"{local}\"\nremote_id = \"{remote}\"\n"));
        let identities = identities.unwrap_or_default();
        let dpd = self.dpd.map(|dpd| format!("dpd = {dpd}\n")).unwrap_or_default();
        let aggressive =
            if self.aggressive { "aggressive_mode = \"exposes the pre-shared key to guessing\"\n" } else { "" };
        let rule = |name: &str, list: &str| {
            format!(
                r#"
[[policy.rule]]
name = "{name}"
filter_list = "{list}"
filter_action = "protect"
authentication = [{method}]
{identities}{tunnel}{dpd}{aggressive}"#
            )
        };
        let list = |name: &str, local: &str, remote: &str, upper: &str| {
            format!(
                r#"
[[filter_list]]
name = "{name}"
filters = [{{ source = "{local}", destination = "{remote}"{upper} }}]
"#
            )
        };
        let mut rules = rule(RULE, "traffic");
        let mut lists = list("traffic", &self.local, &self.remote, &upper(self.upper));
        for (number, (local, remote)) in (2..).zip(&self.also) {
            rules += &rule(&format!("{RULE} {number}"), &format!("traffic {number}"));
            lists += &list(&format!("traffic {number}"), local, remote, &upper(self.upper));
        }
        if self.permitted.is_some() {
            rules += "\n[[policy.rule]]\nname = \"in clear\"\nfilter_list = \"in clear\"\nfilter_action = \"permit\"\n";
            lists += &list("in clear", &self.local, &self.remote, &upper(self.permitted));
            lists += "\n[[filter_action]]\nname = \"permit\"\naction = \"permit\"\n";
        }
        if self.default_response {
            rules = format!(
                "\n[policy.default_response]\nfilter_action = \"protect\"\nauthentication = [{method}]\n{identities}"
            );
            lists.clear();
        }
        format!(
            r#"[[policy]]
name = "test"
assigned = true

[policy.main_mode]
offers = [{main_mode}]
lifetime = {main_mode_seconds}
master_pfs = {master_pfs}
{rules}{lists}
[[filter_action]]
name = "protect"
action = "negotiate"
offers = [{quick_mode}]
pfs = {pfs}
idle = {idle}
fallback_to_clear = {fallback}
"#,
            fallback = self.fallback_to_clear,
            main_mode = main_mode.join(", "),
            main_mode_seconds = self.main_mode_seconds,
            master_pfs = self.master_pfs,
            quick_mode = quick_mode.join(", "),
            idle = self.idle,
            pfs = pfs.map_or_else(|| "false".to_owned(), |group| format!("\"{group}\"")),
        )
    }
}

/// `offer` without what it says of extended sequence numbers, once for each kind that it allows.
fn sequence_numbers(offer: &str) -> Vec<(&str, bool)> {
    if let Some(rest) = offer.strip_suffix("-esn-noesn") {
        return vec![(rest, true), (rest, false)];
    }
    offer.strip_suffix("-esn").map_or_else(|| vec![(offer, false)], |rest| vec![(rest, true)])
}

/// The group of `cipher[-hash][-group]`.
fn group(offer: &str) -> Option<&str> {
    offer.rsplit('-').next().filter(|last| last.starts_with("modp") || last.starts_with("ecp"))
}
