//! What swanctl.conf says: connections, children, secrets, pools, authorities.
mod child;
pub(crate) mod options;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use zeroize::Zeroizing;

use super::certificates;
use super::connection::{
    Authentication, Authorities, Child, Connection, Dpd, Everything, LeftOut, ModeConfig, Own, Pool, What, Xauth,
};
use super::identity::{self, Id};
use super::known::{Class, classify};
use super::ledger::{Entry, Ledger};
use super::secrets::{self, Kind, Pair, Secret};
use super::tree::{self, Section};
use super::values::{Host, host, is_yes, list, time};
use super::{Context, ImportError, Syntax, proposal};

/// Reads files in the form of swanctl.conf as if one included the other.
pub(crate) fn read(
    context: &Context<'_>,
    texts: &[&(String, Zeroizing<String>)],
    ledger: &mut Ledger,
) -> Result<Everything, ImportError> {
    let mut everything = Everything::default();
    let roots: Vec<Section> =
        texts.iter().map(|(file, text)| tree::read(context, file, text, ledger)).collect::<Result<_, _>>()?;
    let all = |name: &'static str| {
        roots.iter().filter_map(move |root| root.section(name)).flat_map(|section| &section.sections)
    };
    for root in &roots {
        for section in &root.sections {
            if matches!(section.name.as_str(), "connections" | "secrets" | "pools" | "authorities") {
                section.options.iter().for_each(|entry| classify(entry, None, "swanctl.conf"));
            }
        }
        root.options.iter().for_each(|entry| classify(entry, None, "swanctl.conf"));
    }
    let secrets = all("secrets").filter_map(secret).collect();
    all("pools").for_each(|section| everything.pools.push(pool(section)));
    let directory =
        texts.first().and_then(|(file, _)| Path::new(file).parent()).unwrap_or_else(|| Path::new("")).to_owned();
    let mut reader = Reader { context, secrets, directory, authorities: Vec::new(), pools: Vec::new() };
    reader.pools = everything.pools.iter().map(|pool| pool.name.clone()).collect();
    for section in all("authorities") {
        reader.authority(section);
    }
    for section in all("connections") {
        match reader.connection(section) {
            Ok(connection) => everything.connections.push(connection),
            Err(left_out) => everything.left_out.push(left_out),
        }
    }
    secrets::settle(&reader.secrets);
    Ok(everything)
}

/// A secret, by the prefix of its section's name.
fn secret(section: &Section) -> Option<Secret> {
    const KINDS: [&str; 11] =
        ["eap", "xauth", "ntlm", "ike", "ppk", "private", "rsa", "ecdsa", "pkcs8", "pkcs12", "token"];
    // The longest that fits: pkcs12 and pkcs8 do not begin each other.
    let kind = KINDS.iter().filter(|kind| section.name.starts_with(*kind)).max_by_key(|kind| kind.len());
    for entry in section.entries() {
        let class = kind.and_then(|kind| options::class(&format!("secrets.{kind}<suffix>"), &entry.option));
        classify(&entry, class, "strongSwan");
    }
    let kind = match *kind? {
        "ike" => Kind::PresharedKey,
        "eap" | "xauth" => Kind::Password,
        _ => return None,
    };
    let entry = Rc::clone(section.option("secret")?);
    let owners = section.options.iter().filter(|entry| entry.option.starts_with("id"));
    let owners = owners.map(|entry| match kind {
        // The name of a user is as it stands.
        Kind::Password => Id::Known(entry.value.to_string()),
        Kind::PresharedKey | Kind::PrivateKey => identity::strongswan(&entry.value),
    });
    match secrets::octets(&entry.value, Syntax::Swanctl) {
        Ok(octets) if octets.is_empty() => entry.lost("is empty", "give it a value"),
        Ok(octets) => {
            let key = super::connection::Key(Rc::new(octets));
            return Some(Secret { kind, owners: owners.collect(), key, entry, used: std::cell::Cell::new(false) });
        }
        Err(why) => entry.lost(why, "correct it"),
    }
    None
}

fn pool(section: &Section) -> Pool {
    let mut pool = Pool {
        name: section.name.clone(),
        at: section.at.clone(),
        addresses: Vec::new(),
        dns: Vec::new(),
        split_networks: Vec::new(),
        domain: None,
        banner: None,
        options: Vec::new(),
    };
    for entry in section.entries() {
        let class = options::class(options::POOL, &entry.option).or_else(|| options::class(options::POOL, "<attr>"));
        pool.options.push((Rc::clone(&entry), class));
        match entry.option.as_str() {
            "addrs" => pool.addresses = super::translate::pool_addresses(&entry),
            "dns" => pool.dns.extend(super::translate::servers(&entry)),
            "split_include" | "subnet" => pool.split_networks.extend(super::translate::networks(&entry)),
            _ => {}
        }
    }
    pool
}

/// Reads connections with what the other sections say.
struct Reader<'a> {
    context: &'a Context<'a>,
    secrets: Vec<Secret>,
    /// That of swanctl.conf, with those of certificates and keys.
    directory: PathBuf,
    /// The authorities that have sections.
    authorities: Vec<PathBuf>,
    pools: Vec<String>,
}

/// A round of authentication, with what its section says.
struct Round<'s> {
    section: &'s Section,
    kind: &'static str,
}

impl Reader<'_> {
    fn authority(&mut self, section: &Section) {
        for entry in section.entries() {
            classify(&entry, options::class(options::AUTHORITY, &entry.option), "strongSwan");
            if matches!(entry.option.as_str(), "cacert" | "file") && !entry.value.is_empty() {
                self.authorities.push(self.file("x509ca", &entry.value));
            }
        }
    }

    /// A file that is named by its path, or by its name in a directory of swanctl's.
    fn file(&self, directory: &str, name: &str) -> PathBuf {
        certificates::absolute(&self.directory.join(directory).join(name))
    }

    fn connection(&self, section: &Section) -> Result<Connection, LeftOut> {
        let entries = section.entries();
        let left_out = |why: String| LeftOut::new(&section.name, &section.at, why, &entries);
        let option = |name: &str| section.option(name);
        let value = |name: &str| option(name).map_or("", |entry| entry.value.trim());
        let (no_sections, children) = (Vec::new(), section.section("children"));
        let children = children.map_or(&no_sections, |section| &section.sections);
        let shunts_only = !children.is_empty() && children.iter().all(child::is_shunt);
        if value("version") == "2" && !shunts_only {
            return Err(left_out("it is for IKEv2 only (version = 2)".to_owned()));
        }
        if section.name.is_empty() || section.name.len() > 100 {
            return Err(left_out("its name is empty, or has more than 100 characters".to_owned()));
        }
        if is_yes(value("mediation")) || !value("mediated_by").is_empty() {
            return Err(left_out("mediation is IKEv2 only".to_owned()));
        }
        let rounds = |prefix: &str| {
            let mut rounds: Vec<&Section> =
                section.sections.iter().filter(|inner| inner.name.starts_with(prefix)).collect();
            rounds.sort_by_key(|round| {
                round.option("round").and_then(|entry| entry.value.parse::<u32>().ok()).unwrap_or(0)
            });
            rounds.into_iter().map(|section| Round { section, kind: auth(section) }).collect::<Vec<_>>()
        };
        let (local, remote) = (rounds("local"), rounds("remote"));
        let (mut doubts, mut traffic_doubts) = (Vec::new(), Vec::new());
        let mut notes = Vec::new();
        match option("version") {
            Some(entry) if entry.value.trim() == "0" => {
                entry.differs("IKEv1 only: strongSwan begins with IKEv2, and takes both");
            }
            None if !shunts_only => {
                notes.push("IKEv1 only: without version strongSwan begins with IKEv2, and takes both".to_owned());
            }
            _ => {}
        }
        let local_host = host(self.context, option("local_addrs"));
        let remote_host = host(self.context, option("remote_addrs"));
        if remote_host == Host::Lost {
            traffic_doubts.push("who the peer is, is not known".to_owned());
        }
        let mut identity = |round: Option<&Round<'_>>, whose: &str| {
            let entry = round?.section.option("id")?;
            match identity::strongswan(&entry.value) {
                Id::Any => None,
                Id::Known(id) => Some(id),
                Id::Unknown(why) => {
                    entry.lost(format!("{why}: the rule is not active"), "write an identity that documents have");
                    doubts.push(format!("{whose} identity is not known"));
                    None
                }
            }
        };
        let local_id = identity(local.first(), "this host's");
        let remote_id = identity(remote.first(), "the peer's");
        let ends = Pair {
            local: (local_id.as_deref(), local_host.address()),
            remote: (remote_id.as_deref(), remote_host.address()),
        };
        let authentication = if shunts_only {
            Authentication::None
        } else {
            self.authentication(&local, &remote, &ends, &mut doubts).map_err(&left_out)?
        };
        let xauth = self.xauth(&local, &remote).map_err(&left_out)?;
        let offers = proposal::main_mode(option("proposals"), Syntax::Swanctl);
        if offers.is_empty() && !shunts_only {
            return Err(left_out("none of its proposals is available".to_owned()));
        }
        let mode_config = self.mode_config(section, &mut doubts);
        let children = self.children(children, local_host.address(), remote_host.address(), &mode_config);
        if children.is_empty() {
            return Err(left_out("it has no children that can be translated".to_owned()));
        }
        Ok(Connection {
            name: section.name.clone(),
            at: section.at.clone(),
            local: local_host.address(),
            remote: remote_host.address(),
            local_id,
            // Hybrid gateways look at no identity of the client.
            remote_id: remote_id.filter(|_| !matches!(authentication, Authentication::HybridGateway(_))),
            authentication,
            aggressive: is_yes(value("aggressive")),
            offers,
            lifetime: lifetime(section),
            dpd: dpd(section),
            unique: unique(option("unique")),
            xauth,
            mode_config,
            options: known(section, &local, &remote, &children),
            children,
            doubts,
            traffic_doubts,
            notes,
        })
    }

    fn authentication(
        &self,
        local: &[Round<'_>],
        remote: &[Round<'_>],
        ends: &Pair<'_>,
        doubts: &mut Vec<String>,
    ) -> Result<Authentication, String> {
        for round in remote {
            for name in ["groups", "cert_policy", "ca_id", "pubkeys"] {
                if round.section.option(name).is_some_and(|entry| !entry.value.is_empty()) {
                    doubts.push(format!("{name} of the peer is not looked at"));
                }
            }
        }
        // The second round of IKEv1 is that of the user.
        for round in local.iter().skip(1).chain(remote.iter().skip(1)) {
            if round.kind != "xauth" {
                return Err(format!("an end proves itself by {} in a further round, which is IKEv2 only", round.kind));
            }
        }
        let kind = |rounds: &[Round<'_>]| rounds.first().map_or("pubkey", |round| round.kind);
        match (kind(local), kind(remote)) {
            ("psk", "psk") => {
                let Some(secret) = secrets::preshared_key(&self.secrets, ends, Syntax::Swanctl) else {
                    return Err("its pre-shared key is in none of the files: name more with --secrets".to_owned());
                };
                secret.used.set(true);
                Ok(Authentication::PresharedKey(secret.key.clone()))
            }
            ("pubkey", "pubkey") => {
                Ok(Authentication::Certificates(self.own(local)?, self.trust(remote, ends.remote.0.is_some(), doubts)?))
            }
            ("pubkey", "xauth") => Ok(Authentication::HybridGateway(self.own(local)?)),
            ("xauth", "pubkey") => {
                Ok(Authentication::HybridClient(self.trust(remote, ends.remote.0.is_some(), doubts)?))
            }
            ("eap", _) | (_, "eap") => Err("EAP is IKEv2 only".to_owned()),
            (one, other) => {
                Err(format!("one end proves itself by {one}, the other by {other}, which IKEv1 does not have"))
            }
        }
    }

    fn own(&self, local: &[Round<'_>]) -> Result<Own, String> {
        let section = local.first().map(|round| round.section);
        let named = section.into_iter().flat_map(|section| {
            let inner = section.sections.iter().filter(|inner| inner.name.starts_with("cert"));
            let files = inner.filter_map(|inner| inner.option("file")).map(|entry| self.file("", &entry.value));
            let certs = section.option("certs").into_iter().flat_map(|entry| list(&entry.value));
            certs.map(|name| self.file("x509", name)).chain(files).collect::<Vec<_>>()
        });
        // Without a name, strongSwan takes any whose key it has.
        let named: Vec<PathBuf> = named.collect();
        let directory = self.directory.join("x509");
        let candidates = if named.is_empty() { certificates::certificates_of(self.context, &directory) } else { named };
        let keys = ["private", "rsa", "ecdsa", "pkcs8"].map(|name| self.directory.join(name));
        let mut why = format!("no certificate of this host is named, or in {}", directory.display());
        for candidate in &candidates {
            match certificates::own(self.context, candidate, &keys) {
                Ok(own) => return Ok(own),
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    fn trust(&self, remote: &[Round<'_>], has_id: bool, doubts: &mut Vec<String>) -> Result<Authorities, String> {
        let section = remote.first().map(|round| round.section);
        let option =
            |name: &str| section.and_then(|section| section.option(name)).filter(|entry| !entry.value.is_empty());
        let inner = |prefix: &'static str| {
            let sections = section.into_iter().flat_map(|section| &section.sections);
            sections.filter(move |inner| inner.name.starts_with(prefix)).filter_map(|inner| inner.option("file"))
        };
        for entry in option("certs").into_iter().chain(inner("cert")) {
            entry.lost("certificates of peers are not named one by one", "name the peer by remote_id");
            if !has_id {
                doubts.push("any certificate of the authorities would do for the peer".to_owned());
            }
        }
        let named = option("cacerts").into_iter().flat_map(|entry| list(&entry.value));
        let named =
            named.map(|name| self.file("x509ca", name)).chain(inner("cacert").map(|entry| self.file("", &entry.value)));
        let mut files: Vec<PathBuf> = named.collect();
        if files.is_empty() {
            files = certificates::certificates_of(self.context, &self.directory.join("x509ca"));
            files.extend(self.authorities.iter().filter(|file| !files.contains(file)).cloned().collect::<Vec<_>>());
        }
        if let Some(missing) = files.iter().find(|file| self.context.files.read(file).is_err()) {
            return Err(format!("the authority {} cannot be read", missing.display()));
        }
        if files.is_empty() {
            return Err(format!("no authority is named, or in {}", self.directory.join("x509ca").display()));
        }
        let lists = self.directory.join("x509crl");
        let lists = (!self.context.files.list(&lists).is_empty()).then(|| certificates::absolute(&lists));
        let revocation = option("revocation");
        let strict = match revocation.map(|entry| entry.value.trim()) {
            Some("strict") => lists.is_some(),
            _ => false,
        };
        if let Some(entry) =
            revocation.filter(|entry| entry.value.trim() == "ifuri" || (entry.value.trim() == "strict" && !strict))
        {
            entry.lost(
                "there are no revocation lists in x509crl, and none are fetched: the rule is not active",
                "have them fetched, and set crl and crl_check",
            );
            doubts.push("revocation cannot be checked as strictly".to_owned());
        }
        Ok(Authorities { files, revocation_lists: lists, strict })
    }

    fn xauth(&self, local: &[Round<'_>], remote: &[Round<'_>]) -> Result<Option<Xauth>, String> {
        let of = |rounds: &'_ [Round<'_>]| rounds.iter().position(|round| round.kind == "xauth");
        if of(remote).is_some() {
            return Ok(Some(Xauth::Server));
        }
        let Some(round) = of(local).and_then(|at| local.get(at)) else { return Ok(None) };
        let name = ["xauth_id", "id"].iter().find_map(|name| round.section.option(name));
        let user = name.map(|entry| entry.value.as_str());
        let Some(secret) = secrets::password(&self.secrets, user) else {
            return Err(format!("the password of user {:?} is in none of the files", user.unwrap_or_default()));
        };
        let owner = secret.owners.iter().find_map(|owner| match owner {
            Id::Known(name) => Some(name.clone()),
            Id::Any | Id::Unknown(_) => None,
        });
        let Some(user) = user.map(str::to_owned).or(owner).filter(|user| !user.is_empty() && user.len() <= 255) else {
            return Err("the user of extended authentication has no name".to_owned());
        };
        secret.used.set(true);
        Ok(Some(Xauth::Client { user, password: secret.key.clone() }))
    }

    fn mode_config(&self, section: &Section, doubts: &mut Vec<String>) -> Option<ModeConfig> {
        let push = section.option("pull").is_some_and(|entry| !is_yes(entry.value.trim()) && !entry.value.is_empty());
        if let Some(entry) = section.option("vips").filter(|entry| !entry.value.is_empty()) {
            let asked = |address: &str| address.parse::<IpAddr>().is_ok_and(|address| !address.is_unspecified());
            if list(&entry.value).any(asked) {
                entry.differs("no certain address is asked for: the gateway gives one");
            }
            return Some(ModeConfig::Client { push });
        }
        let entry = section.option("pools").filter(|entry| !entry.value.is_empty())?;
        let mut names = list(&entry.value);
        let first = names.next()?;
        if names.next().is_some() {
            entry
                .lost(format!("only pool {first:?} is taken: a rule has one"), "add the addresses of the others to it");
        }
        if !self.pools.iter().any(|pool| pool == first) {
            entry.lost(
                format!("pool {first:?} is in none of the files: the rule is not active"),
                "write a pool, and mode_config",
            );
            doubts.push("clients would be given no addresses".to_owned());
            return None;
        }
        Some(ModeConfig::Server { pool: first.to_owned(), push })
    }
}

/// The options of a connection with what becomes of each; those of children that are not there are left out.
fn known(
    section: &Section,
    local: &[Round<'_>],
    remote: &[Round<'_>],
    children: &[Child],
) -> Vec<(Rc<Entry>, Option<Class>)> {
    let mut all = Vec::new();
    let mut add = |entries: &[Rc<Entry>], section: &str| {
        all.extend(entries.iter().map(|entry| (Rc::clone(entry), options::class(section, &entry.option))));
    };
    add(&section.options, options::CONNECTION);
    for inner in &section.sections {
        let is = |rounds: &[Round<'_>]| rounds.iter().any(|round| round.section.name == inner.name);
        let of = match inner.name.as_str() {
            "children" => {
                add(&inner.options, "");
                for child in &inner.sections {
                    if children.iter().any(|made| made.name == child.name) {
                        add(&child.entries(), options::CHILD);
                    } else {
                        child.entries().iter().for_each(|entry| entry.left_out());
                    }
                }
                continue;
            }
            _ if is(local) => options::LOCAL,
            _ if is(remote) => options::REMOTE,
            _ => "",
        };
        add(&inner.options, of);
        for part in &inner.sections {
            let kind = ["cacert", "cert"].iter().find(|kind| part.name.starts_with(*kind)).unwrap_or(&"");
            add(&part.entries(), &format!("{of}.{kind}<suffix>"));
        }
    }
    all
}

/// How a round proves who it is, without the details.
fn auth(section: &Section) -> &'static str {
    let Some(entry) = section.option("auth").filter(|entry| !entry.value.is_empty()) else { return "pubkey" };
    let value = entry.value.trim();
    let (kind, rest) = value.split_once('-').map_or((value, None), |(kind, rest)| (kind, Some(rest)));
    match kind {
        "psk" => "psk",
        "xauth" => {
            if let Some(backend) = rest {
                entry.differs(format!("users are looked up as the settings say, not by {backend}"));
            }
            "xauth"
        }
        "eap" => "eap",
        _ if kind == "pubkey" || kind == "rsa" || kind == "ecdsa" || kind.starts_with("ike:") => {
            if kind != "pubkey" || rest.is_some() {
                entry.lost(
                    "keys and hashes of the chain are held to no more than the usual",
                    "see legacy in docs/policy.md",
                );
            }
            "pubkey"
        }
        _ => "something else",
    }
}

fn unique(entry: Option<&Rc<Entry>>) -> &'static str {
    match entry.map_or("", |entry| entry.value.trim()) {
        "replace" | "yes" => "replace",
        "keep" => "refuse",
        _ => "keep",
    }
}

/// The life of ISAKMP SAs: when strongSwan begins anew, and what it grants beyond.
fn lifetime(section: &Section) -> u64 {
    const REKEY: u64 = 4 * 3600;
    let reauth = time(section.option("reauth_time"), 0);
    let rekey = time(section.option("rekey_time"), if reauth > 0 { 0 } else { REKEY });
    let both = [reauth, rekey];
    let soft = both.iter().filter(|seconds| **seconds > 0).min().copied().unwrap_or(REKEY);
    let over = time(section.option("over_time"), both.iter().max().copied().unwrap_or(REKEY) / 10);
    soft.saturating_add(over)
}

fn dpd(section: &Section) -> Option<Dpd> {
    // How long strongSwan repeats a message without an answer, by its defaults.
    const RETRANSMISSIONS: u64 = 165;
    let delay = time(section.option("dpd_delay"), 0);
    if delay == 0 {
        return None;
    }
    let timeout = match time(section.option("dpd_timeout"), 0) {
        0 => delay.saturating_add(RETRANSMISSIONS),
        timeout => timeout,
    };
    let children = section.section("children").into_iter().flat_map(|section| &section.sections);
    let mut actions = children.filter_map(|child| child.option("dpd_action"));
    let restart = actions.any(|entry| matches!(entry.value.trim(), "restart" | "start"));
    Some(Dpd { delay, timeout, restart })
}

/// Whether a section's mode is that of a policy that negotiates nothing.
pub(crate) fn shunt(mode: &str) -> Option<What> {
    match mode {
        "pass" | "passthrough" => Some(What::Permit),
        "drop" => Some(What::Block),
        _ => None,
    }
}
