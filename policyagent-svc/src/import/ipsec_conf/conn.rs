//! Sections `conn`: connections, each with one child.
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::super::connection::{
    Authentication, Child, Connection, Dpd, Everything, Filter, LeftOut, ModeConfig, Offer, Pool, Protection, What,
};
use super::super::identity::{self, Id};
use super::super::ledger::Entry;
use super::super::proposal::{self, Reading};
use super::super::secrets::{Pair, Secret, settle};
use super::super::selector::{self, Block, Ends, Side};
use super::super::swanctl::shunt;
use super::super::values::{Host, host, is_yes, list, octets, time};
use super::super::{Context, Syntax, translate};
use super::{Options, class};

/// Reads sections with what surrounds them.
pub(super) struct Reader<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) syntax: Syntax,
    pub(super) secrets: &'a [Secret],
    /// That of ipsec.conf.
    pub(super) directory: PathBuf,
    /// The authorities that have sections.
    pub(super) authorities: Vec<String>,
    /// No certificate without a revocation list.
    pub(super) strict: bool,
    unique: &'static str,
}

/// Reads sections, each with its kind.
pub(super) fn read(
    context: &Context<'_>,
    syntax: Syntax,
    file: &str,
    sections: &[(&str, Options)],
    secrets: &[Secret],
) -> Everything {
    let of = |kind: &'static str| sections.iter().filter(move |(own, _)| *own == kind).map(|(_, options)| options);
    let mut unique = "replace";
    let mut strict = false;
    for setup in of("setup") {
        unique = match setup.value("uniqueids") {
            "no" | "never" => "keep",
            "keep" => "refuse",
            _ => "replace",
        };
        let entry = if syntax == Syntax::Libreswan { setup.get("crl-strict") } else { setup.get("strictcrlpolicy") };
        strict |= entry.is_some_and(|entry| is_yes(&entry.value) || entry.value.as_str() == "ifuri");
    }
    let authorities = of("ca").filter(|ca| ca.value("auto") == "add").map(|ca| ca.value("cacert").to_owned());
    let directory = Path::new(file).parent().unwrap_or_else(|| Path::new("")).to_owned();
    let authorities = authorities.filter(|file| !file.is_empty()).collect();
    let reader = Reader { context, syntax, secrets, directory, authorities, strict, unique };
    let mut everything = Everything::default();
    for (_, options) in sections.iter().filter(|(kind, _)| *kind == "conn") {
        let mut options = Options {
            name: options.name.clone(),
            at: options.at.clone(),
            by_name: options.by_name.clone(),
            right_is_local: false,
            also: options.also.clone(),
        };
        match reader.connection(&mut options, &mut everything.pools) {
            Ok(connection) => everything.connections.push(connection),
            Err(left_out) => everything.left_out.push(left_out),
        }
    }
    settle(secrets);
    everything
}

impl Reader<'_> {
    fn is_libreswan(&self) -> bool {
        self.syntax == Syntax::Libreswan
    }

    fn connection(&self, options: &mut Options, pools: &mut Vec<Pool>) -> Result<Connection, LeftOut> {
        let entries = options.entries();
        let (name, at) = (options.name.clone(), options.at.clone());
        let left_out = |why: &str| LeftOut::new(&name, &at, why, &entries);
        if matches!(options.value("auto"), "" | "ignore") {
            return Err(left_out("it is not loaded: auto is not there, or ignore").expected());
        }
        if name.len() > 100 {
            return Err(left_out("its name has more than 100 characters"));
        }
        let shunt = match options.value("type") {
            "reject" => {
                let entry = options.get("type");
                entry.iter().for_each(|entry| entry.differs("packets are dropped, and nobody is told"));
                Some(What::Block)
            }
            mode => shunt(mode),
        };
        let notes = if shunt.is_none() { self.version(options).map_err(left_out)? } else { Vec::new() };
        for end in ["left", "right"] {
            if matches!(options.value(end), "%opportunistic" | "%opportunisticgroup" | "%group") {
                return Err(left_out(
                    "opportunistic connections have no counterpart: see fallback_to_clear of filter actions",
                ));
            }
        }
        self.find_local(options);
        let options = &*options;
        let (mut doubts, mut traffic_doubts) = (Vec::new(), Vec::new());
        let local_host = host(self.context, options.local(""));
        let remote_host = host(self.context, options.remote(""));
        if remote_host == Host::Lost {
            traffic_doubts.push("who the peer is, is not known".to_owned());
        }
        let local_id = self.identity(options.local("id"), "this host's", &mut doubts);
        let mut remote_id = self.identity(options.remote("id"), "the peer's", &mut doubts);
        // Without an identity it is the address, unless a certificate is named: then it is its subject, which is not known.
        let by_certificate = !self.is_libreswan() && options.remote("cert").is_some();
        if options.remote("id").is_none() && !by_certificate {
            remote_id = remote_host.address().map(|address| address.to_string());
        }
        if shunt.is_none() {
            self.narrowing(options, &mut doubts);
        }
        let ends = Pair {
            local: (local_id.as_deref(), local_host.address()),
            remote: (remote_id.as_deref(), remote_host.address()),
        };
        let (authentication, xauth) = match shunt {
            Some(_) => (Authentication::None, None),
            None => self.authentication(options, &ends, &mut doubts).map_err(|why| left_out(&why))?,
        };
        if let Authentication::HybridGateway(_) = authentication {
            remote_id = None;
        }
        let offers = proposal::main_mode(options.get("ike"), self.syntax);
        if offers.is_empty() && shunt.is_none() {
            return Err(left_out("none of its proposals for main mode is available"));
        }
        let mode_config = if shunt.is_some() { None } else { self.mode_config(options, pools, &mut doubts) };
        let what = match shunt {
            Some(shunt) => shunt,
            None => What::Protect(self.protection(options, &offers).map_err(left_out)?),
        };
        if let Some(entry) = options.get("auto").filter(|entry| matches!(entry.value.trim(), "start" | "up" | "keep")) {
            entry.differs(
                "the first packet has SAs negotiated, or `policyagent initiate`; not the start of the service",
            );
        }
        let ends = Ends {
            local: local_host.address(),
            remote: remote_host.address(),
            gets: matches!(mode_config, Some(ModeConfig::Client { .. })),
            gives: matches!(mode_config, Some(ModeConfig::Server { .. })),
        };
        let tunnel = !matches!(&what, What::Protect(protection) if !protection.tunnel);
        let filters = self.filters(options, ends, tunnel, matches!(what, What::Protect(_)), &mut traffic_doubts);
        if filters.is_empty() {
            return Err(left_out("no filter comes of its subnets"));
        }
        Ok(Connection {
            name: name.clone(),
            at: at.clone(),
            local: local_host.address(),
            remote: remote_host.address(),
            local_id,
            remote_id,
            authentication,
            aggressive: is_yes(options.value("aggressive")),
            offers,
            lifetime: unlimited(time(
                options.get("ikelifetime"),
                if self.is_libreswan() { 8 * 3600 } else { 3 * 3600 },
            )),
            dpd: self.dpd(options),
            unique: self.unique,
            xauth,
            mode_config,
            children: vec![Child { name, what, filters }],
            options: entries
                .iter()
                .map(|entry| (Rc::clone(entry), class(self.syntax, "conn", &entry.option)))
                .collect(),
            doubts,
            traffic_doubts,
            notes,
        })
    }

    /// Whether it is for IKEv1; the error says why not.
    fn version(&self, options: &Options) -> Result<Vec<String>, &'static str> {
        let (exchange, ikev2) = (options.get("keyexchange"), options.get("ikev2"));
        let exchange_is = |value: &str| exchange.is_some_and(|entry| entry.value.eq_ignore_ascii_case(value));
        if exchange_is("ikev2") {
            return Err("it is for IKEv2 only (keyexchange=ikev2)");
        }
        if self.is_libreswan() {
            return match ikev2.map(|entry| entry.value.to_ascii_lowercase()).as_deref() {
                Some("no" | "never" | "permit") => Ok(Vec::new()),
                _ if exchange_is("ikev1") => Ok(Vec::new()),
                Some(_) => Err("it is for IKEv2 only (ikev2=yes)"),
                None => Err(
                    "it is for IKEv2 only, which libreswan 4 takes without ikev2: write ikev2=no if it is for IKEv1",
                ),
            };
        }
        const BOTH: &str = "IKEv1 only: strongSwan begins with IKEv2, and takes both";
        match exchange {
            Some(entry) if entry.value.eq_ignore_ascii_case("ike") => entry.differs(BOTH),
            Some(_) => {}
            None => return Ok(vec![format!("{BOTH}, as keyexchange is not there")]),
        }
        Ok(Vec::new())
    }

    /// Finds out which end this host is: that with an address of it, or that of the default route; else left.
    fn find_local(&self, options: &mut Options) {
        let own = |name: &str| {
            let value = options.value(name);
            let address = value.parse::<IpAddr>().ok();
            value == "%defaultroute" || address.is_some_and(|address| self.context.addresses.contains(&address))
        };
        let (left, right) = (own("left"), own("right"));
        options.right_is_local = right && !left;
    }

    /// What says more closely who the peer is, and is not looked at, however it proves that.
    fn narrowing(&self, options: &Options, doubts: &mut Vec<String>) {
        for name in ["certpolicy", "groups", "groups2"] {
            if options.remote(name).is_some_and(|entry| !entry.value.is_empty()) {
                doubts.push(format!("{name} of the peer is not looked at"));
            }
        }
        if options.remote("ca").is_some_and(|entry| !matches!(entry.value.as_str(), "" | "%same")) {
            doubts.push("the authority of the peer is not looked at".to_owned());
        }
        if self.is_libreswan() && is_yes(options.value("dns-match-id")) {
            doubts.push("the peer's identity is not compared with the DNS".to_owned());
        }
    }

    fn identity(&self, entry: Option<&Rc<Entry>>, whose: &str, doubts: &mut Vec<String>) -> Option<String> {
        let entry = entry?;
        let text = if self.is_libreswan() {
            entry.value.as_str()
        } else {
            entry.value.strip_prefix('%').filter(|rest| !rest.starts_with("any")).unwrap_or(&entry.value)
        };
        let id = if self.is_libreswan() { identity::libreswan(text) } else { identity::strongswan(text) };
        match id {
            Id::Any => None,
            Id::Known(id) => Some(id),
            Id::Unknown(why) => {
                entry.lost(format!("{why}: the rule is not active"), "write an identity that documents have");
                doubts.push(format!("{whose} identity is not known"));
                None
            }
        }
    }

    fn protection(&self, options: &Options, main_mode: &[String]) -> Result<Protection, &'static str> {
        let tunnel = match options.value("type") {
            "" | "tunnel" => true,
            "transport" => false,
            _ => return Err("its type is neither tunnel nor transport mode"),
        };
        let is_ah = options.get("ah").is_some() || options.value("phase2") == "ah";
        let entry = options.get("ah").or_else(|| options.get("esp"));
        if options.value("phase2") == "ah+esp" {
            return Err("phase2=ah+esp is what libreswan 4 does not have either");
        }
        let sha256_96 = is_yes(options.value(if self.is_libreswan() { "sha2-truncbug" } else { "sha256_96" }));
        // strongSwan prefers it, libreswan requires it of IKEv1.
        let compression = is_yes(options.value("compress")).then(|| self.is_libreswan());
        let reading = Reading { syntax: self.syntax, ah: is_ah, sha256_96, compression };
        let read = proposal::quick_mode(entry, reading);
        let offers: Vec<Offer> = read.offers;
        if offers.is_empty() {
            return Err("none of its proposals for quick mode is available");
        }
        let mut pfs = read.group;
        if self.is_libreswan() {
            let named = options.get("pfsgroup").and_then(|entry| proposal::group(&entry.value));
            pfs = match options.get("pfs").is_none_or(|entry| is_yes(&entry.value)) {
                false => None,
                // Without a group it is that of main mode.
                true => pfs
                    .or(named)
                    .or_else(|| main_mode.first().and_then(|offer| proposal::group(offer.rsplit('-').next()?))),
            };
            let groups = main_mode.iter().filter_map(|offer| offer.rsplit('-').next());
            if read.group.is_none()
                && let Some(group) = pfs
                && let Some(entry) = options.get("pfs").or_else(|| options.get("ike"))
                && groups.clone().any(|other| other != group)
            {
                entry
                    .differs(format!("perfect forward secrecy has {group} always, not the group that main mode chose"));
            }
        }
        let (life, life_name, bytes) = if self.is_libreswan() {
            (8 * 3600, "salifetime", "ipsec-max-bytes")
        } else {
            (3600, "lifetime", "lifebytes")
        };
        let kilobytes = options.get(bytes).map_or(0, |entry| {
            let octets = octets(&entry.value);
            if octets.is_none() {
                entry.lost("is no number of octets: SAs have no limit of them", "write a number");
            }
            octets.unwrap_or(0).div_ceil(1024)
        });
        Ok(Protection {
            tunnel,
            offers,
            pfs,
            seconds: unlimited(time(options.get(life_name), life)),
            kilobytes,
            idle: time(options.get("inactivity"), 0),
        })
    }

    fn dpd(&self, options: &Options) -> Option<Dpd> {
        let action = options.value("dpdaction");
        let restart = action.starts_with("restart");
        if self.is_libreswan() {
            let (delay, timeout) = (time(options.get("dpddelay"), 0), time(options.get("dpdtimeout"), 0));
            return (delay > 0 && timeout > 0).then_some(Dpd { delay, timeout, restart });
        }
        if matches!(action, "" | "none") {
            return None;
        }
        let (delay, timeout) = (time(options.get("dpddelay"), 30), time(options.get("dpdtimeout"), 150));
        (delay > 0).then_some(Dpd { delay, timeout, restart })
    }

    /// The sides of an end, with what `protoport` says.
    fn sides(
        &self,
        options: &Options,
        is_local: bool,
        negotiates: bool,
        tunnel: bool,
        doubts: &mut Vec<String>,
    ) -> Vec<Side> {
        let option = |name: &str| if is_local { options.local(name) } else { options.remote(name) };
        let (mut protocol, mut port) = (0, 0);
        if let Some(entry) = option("protoport") {
            match selector::protocol_and_port(self.context, &entry.value) {
                Ok(found) => (protocol, port) = found,
                Err(why) => {
                    entry.lost(format!("{why}: the rule is not active"), "write the filter by hand");
                    doubts.push("more than the protocol and port would be protected".to_owned());
                }
            }
        }
        let mut sides = Vec::new();
        for entry in option("subnet").into_iter().chain(option("subnets")) {
            let value = entry.value.trim().trim_start_matches('{').trim_end_matches('}');
            if value.starts_with("vhost:") || value.starts_with("vnet:") {
                if tunnel {
                    entry.lost(
                        "the networks that a peer may claim are not listed: the rule is not active",
                        "name the network in the filter",
                    );
                    doubts.push("which networks the peer may claim is not known".to_owned());
                } else {
                    entry.differs("peers behind a NAT are served all the same, whatever their address there");
                }
                sides.push(Side { block: Block::Dynamic, protocol, port });
                continue;
            }
            let parts = value.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty());
            let mut count = 0;
            for part in parts {
                count += 1;
                if count > 1 && negotiates && !self.is_libreswan() {
                    entry.lost(
                        "IKEv1 has one subnet a side: only the first is taken, as strongSwan does with IKEv1",
                        "add a filter for each pair for which the peer has a connection, too",
                    );
                    break;
                }
                match selector::traffic_selector(self.context, part) {
                    Ok(side) if side.protocol == 0 && side.port == 0 => sides.push(Side { protocol, port, ..side }),
                    Ok(side) => sides.push(side),
                    Err(why) => entry.lost(format!("{part:?}: {why}"), "write a filter for it by hand"),
                }
            }
            if count == 0 {
                sides.push(Side { block: Block::Dynamic, protocol, port });
            }
        }
        if option("subnet").is_none() && option("subnets").is_none() {
            sides.push(Side { block: Block::Dynamic, protocol, port });
        }
        sides
    }

    fn filters(
        &self,
        options: &Options,
        ends: Ends,
        tunnel: bool,
        negotiates: bool,
        doubts: &mut Vec<String>,
    ) -> Vec<Filter> {
        let locals = self.sides(options, true, negotiates, tunnel, doubts);
        let remotes = self.sides(options, false, negotiates, tunnel, doubts);
        let mut filters = Vec::new();
        for local in &locals {
            for remote in &remotes {
                match selector::filter(ends, local, remote) {
                    Ok(filter) => filters.push(filter),
                    Err(why) => {
                        let names = ["subnet", "subnets", "sourceip", "addresspool", ""];
                        let entry = names.iter().find_map(|name| options.remote(name).or_else(|| options.local(name)));
                        if let Some(entry) = entry {
                            entry.lost(format!("no filter comes of it: {why}"), "write a filter by hand");
                        }
                    }
                }
            }
        }
        filters
    }

    fn mode_config(&self, options: &Options, pools: &mut Vec<Pool>, doubts: &mut Vec<String>) -> Option<ModeConfig> {
        let push = if self.is_libreswan() {
            !is_yes(options.value("modecfgpull"))
        } else {
            options.value("modeconfig") == "push"
        };
        let is = |entry: Option<&Rc<Entry>>| entry.is_some_and(|entry| is_yes(entry.value.trim()));
        let (given, dns) = if self.is_libreswan() {
            if is(options.local("modecfgclient")) {
                return Some(ModeConfig::Client { push });
            }
            (options.remote("addresspool")?, options.get("modecfgdns"))
        } else {
            if let Some(entry) = options.local("sourceip") {
                if list(&entry.value).any(|part| part.parse::<IpAddr>().is_ok()) {
                    entry.differs("no certain address is asked for: the gateway gives one");
                }
                return Some(ModeConfig::Client { push });
            }
            (options.remote("sourceip")?, options.remote("dns"))
        };
        if given.value.starts_with('%') {
            given.lost("the pool is in no file: the rule is not active", "write a pool, and mode_config");
            doubts.push("clients would be given no addresses".to_owned());
            return None;
        }
        let addresses = translate::pool_addresses(given);
        if addresses.is_empty() {
            doubts.push("clients would be given no addresses".to_owned());
            return None;
        }
        // The same addresses in two connections are one pool.
        if let Some(pool) = pools.iter().find(|pool| pool.addresses == addresses) {
            return Some(ModeConfig::Server { pool: pool.name.clone(), push });
        }
        let text = |name: &str| options.get(name).map(|entry| entry.value.to_string());
        let domains = text("modecfgdomains");
        let domain = domains.as_deref().and_then(|domains| domains.split([',', ' ']).find(|part| !part.is_empty()));
        let split = options.local("subnet").map(|entry| translate::networks(entry)).unwrap_or_default();
        pools.push(Pool {
            name: options.name.clone(),
            at: given.at.clone(),
            addresses,
            dns: dns.map(translate::servers).unwrap_or_default(),
            // What covers everything is no split.
            split_networks: split.into_iter().filter(|network| !network.ends_with("/0")).collect(),
            domain: domain.map(str::to_owned),
            banner: text("modecfgbanner"),
            options: Vec::new(),
        });
        Some(ModeConfig::Server { pool: options.name.clone(), push })
    }
}

/// Seconds of a life; 0 is no limit.
const fn unlimited(seconds: u64) -> u64 {
    if seconds == 0 { u64::MAX } else { seconds }
}
