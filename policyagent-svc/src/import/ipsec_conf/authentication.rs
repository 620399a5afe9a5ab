//! How the ends of a `conn` prove who they are.
use std::path::PathBuf;

use super::super::connection::{Authentication, Authorities, Own, Xauth};
use super::super::identity::Id;
use super::super::secrets::{self, Kind, Pair};
use super::super::values::is_yes;
use super::super::{Syntax, certificates};
use super::Options;
use super::conn::Reader;

/// How one end proves who it is: in phase 1, and whether its user does after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Proof {
    kind: &'static str,
    user: bool,
}

impl Reader<'_> {
    /// How both ends prove who they are; the error says why the connection is left out.
    pub(super) fn authentication(
        &self,
        options: &Options,
        ends: &Pair<'_>,
        doubts: &mut Vec<String>,
    ) -> Result<(Authentication, Option<Xauth>), String> {
        let [local, remote] =
            if self.syntax == Syntax::Libreswan { self.libreswan(options)? } else { strongswan(options)? };
        let xauth = match (local.user, remote.user) {
            (false, false) => None,
            (false, true) => Some(Xauth::Server),
            (true, false) => Some(self.user(options, ends)?),
            (true, true) => return Err("the users of both ends prove who they are, which no rule has".to_owned()),
        };
        let authentication = match (local.kind, remote.kind) {
            ("psk", "psk") => {
                let Some(secret) = secrets::preshared_key(self.secrets, ends, self.syntax) else {
                    return Err(
                        "its pre-shared key is in none of the files: name ipsec.secrets with --secrets".to_owned()
                    );
                };
                secret.used.set(true);
                Authentication::PresharedKey(secret.key.clone())
            }
            ("pubkey", "pubkey") => {
                Authentication::Certificates(self.own(options)?, self.trust(options, ends.remote.0.is_some(), doubts)?)
            }
            ("pubkey", "user") => Authentication::HybridGateway(self.own(options)?),
            ("user", "pubkey") => Authentication::HybridClient(self.trust(options, ends.remote.0.is_some(), doubts)?),
            (one, other) => {
                return Err(format!("one end proves itself by {one}, the other by {other}, which IKEv1 does not have"));
            }
        };
        Ok((authentication, xauth))
    }

    fn libreswan(&self, options: &Options) -> Result<[Proof; 2], String> {
        let value = match (options.get("authby"), options.local("auth"), options.remote("auth")) {
            (Some(entry), ..) => entry,
            (None, Some(one), Some(other)) if one.value == other.value => one,
            (None, Some(_), _) | (None, _, Some(_)) => {
                return Err("its ends prove themselves differently, which is IKEv2 only".to_owned());
            }
            (None, None, None) => return Ok(self.with_users(options, "pubkey")),
        };
        let words: Vec<&str> = value.value.split([',', '|']).map(str::trim).collect();
        let kind = match words.first().copied().unwrap_or_default() {
            "secret" | "psk" => "psk",
            word if word.starts_with("rsa") => "pubkey",
            "null" => return Err("nobody proves who he is (authby=null), which is IKEv2 only".to_owned()),
            "never" => return Err("nothing is negotiated (authby=never)".to_owned()),
            word => return Err(format!("authby={word} is nothing that IKEv1 has")),
        };
        let is_other = |word: &&str| (kind == "psk") != matches!(*word, "secret" | "psk");
        if let Some(other) = words.iter().find(|word| is_other(word)) {
            value.lost(
                format!("only the first is taken, not {other}"),
                "add the other method to the rule's authentication",
            );
        }
        Ok(self.with_users(options, kind))
    }

    fn with_users(&self, options: &Options, kind: &'static str) -> [Proof; 2] {
        let is = |entry: Option<&std::rc::Rc<super::Entry>>| entry.is_some_and(|entry| is_yes(entry.value.trim()));
        let client = is(options.local("xauthclient")) || is(options.remote("xauthserver"));
        let server = is(options.local("xauthserver")) || is(options.remote("xauthclient"));
        [Proof { kind, user: client && !server }, Proof { kind, user: server }]
    }

    fn user(&self, options: &Options, ends: &Pair<'_>) -> Result<Xauth, String> {
        let named =
            if self.syntax == Syntax::Libreswan { options.local("username") } else { options.get("xauth_identity") };
        // Without a name strongSwan says its identity, without the kind.
        let identity = ends.local.0.map(|id| id.split_once(':').map_or(id, |(_, name)| name));
        let user = named.map(|entry| entry.value.as_str()).or(identity);
        let Some(secret) = secrets::password(self.secrets, user) else {
            return Err(format!(
                "the password of user {:?} is in none of the files: name ipsec.secrets with --secrets",
                user.unwrap_or_default()
            ));
        };
        secret.used.set(true);
        let owner = secret.owners.iter().find_map(|owner| match owner {
            Id::Known(name) => Some(name.split_once(':').map_or(name.as_str(), |(_, name)| name)),
            Id::Any | Id::Unknown(_) => None,
        });
        match user.or(owner).filter(|user| !user.is_empty() && user.len() <= 255) {
            Some(user) => Ok(Xauth::Client { user: user.to_owned(), password: secret.key.clone() }),
            None => Err("the user of extended authentication has no name".to_owned()),
        }
    }

    fn own(&self, options: &Options) -> Result<Own, String> {
        let named = options.local("cert");
        if self.syntax == Syntax::Libreswan {
            if options
                .local("rsasigkey")
                .is_some_and(|entry| entry.value.starts_with("0s") || entry.value.starts_with("0x"))
            {
                return Err("raw keys have no counterpart: have certificates made".to_owned());
            }
            let Some(named) = named else { return Err("no certificate of this host is named (leftcert)".to_owned()) };
            let own = self.context.certificates.join(format!("{}.pem", named.value.as_str()));
            let key = self.context.certificates.join(format!("{}.key", named.value.as_str()));
            return certificates::own(self.context, &own, &[key]).map_err(|why| {
                format!(
                    "{why}; libreswan's are in a database: export them (pk12util -o, then openssl pkcs12 -nodes) to {} and NAME.key beside it",
                    own.display()
                )
            });
        }
        let Some(named) = named else { return Err("no certificate of this host is named (leftcert)".to_owned()) };
        let below = self.directory.join("ipsec.d");
        let own = below.join("certs").join(named.value.as_str());
        let keys = self.secrets.iter().filter(|secret| secret.kind == Kind::PrivateKey);
        let keys = keys.filter_map(|secret| Some((secret, std::str::from_utf8(&secret.key.0).ok()?)));
        let directory = below.join("private");
        let mut paths: Vec<PathBuf> = Vec::new();
        for (secret, name) in keys {
            paths.push(directory.join(name));
            secret.used.set(true);
        }
        paths.push(directory);
        certificates::own(self.context, &own, &paths)
    }

    fn trust(&self, options: &Options, has_id: bool, doubts: &mut Vec<String>) -> Result<Authorities, String> {
        if let Some(entry) = options.remote("cert") {
            entry.lost("certificates of peers are not named one by one", "name the peer by remote_id");
            if !has_id {
                doubts.push("any certificate of the authorities would do for the peer".to_owned());
            }
        }
        if options
            .remote("sigkey")
            .or_else(|| options.remote("rsasigkey"))
            .is_some_and(|entry| entry.value.starts_with("0s") || entry.value.starts_with("0x"))
        {
            return Err("raw keys have no counterpart: have certificates made".to_owned());
        }
        let below = self.directory.join("ipsec.d");
        let (directory, lists) = match self.syntax {
            Syntax::Libreswan => (self.context.authorities.to_owned(), None),
            Syntax::Swanctl | Syntax::IpsecConf => (below.join("cacerts"), Some(below.join("crls"))),
        };
        let mut files = certificates::certificates_of(self.context, &directory);
        let more = self.authorities.iter().map(|file| certificates::absolute(&directory.join(file)));
        files.extend(more.filter(|file| !files.contains(file)).collect::<Vec<_>>());
        if let Some(missing) = files.iter().find(|file| self.context.files.read(file).is_err()) {
            return Err(format!("the authority {} cannot be read", missing.display()));
        }
        if files.is_empty() {
            return Err(format!("no certificate of an authority is in {}", directory.display()));
        }
        let lists = lists.filter(|lists| !self.context.files.list(lists).is_empty());
        if self.strict && lists.is_none() {
            doubts.push("there are no revocation lists, so that revocation cannot be checked as strictly".to_owned());
        }
        let strict = self.strict && lists.is_some();
        Ok(Authorities { files, revocation_lists: lists.map(|lists| certificates::absolute(&lists)), strict })
    }
}

/// The rounds of strongSwan: by `auth` of each end, else by `authby`.
fn strongswan(options: &Options) -> Result<[Proof; 2], String> {
    let kind = |text: &str| -> Result<&'static str, String> {
        match text.split(['-', ':']).next().unwrap_or_default() {
            "" | "pubkey" | "rsasig" | "ecdsasig" | "rsa" | "ecdsa" | "ike" => Ok("pubkey"),
            "psk" | "secret" => Ok("psk"),
            "xauth" => Ok("user"),
            "eap" => Err("EAP is IKEv2 only".to_owned()),
            "never" => Err("nothing is negotiated (authby=never)".to_owned()),
            other => Err(format!("{other} is nothing that IKEv1 has")),
        }
    };
    let named = ["auth", "auth2"].iter().any(|name| options.local(name).or_else(|| options.remote(name)).is_some());
    if named {
        let proof = |first: Option<&std::rc::Rc<super::Entry>>, second: Option<&std::rc::Rc<super::Entry>>| {
            // What the end does not say, both do.
            let first = kind(first.map_or_else(|| options.value("authby"), |entry| entry.value.as_str()))?;
            let second = second.map(|entry| kind(&entry.value)).transpose()?;
            Ok::<_, String>(Proof { kind: first, user: first == "user" || second == Some("user") })
        };
        return Ok([
            proof(options.local("auth"), options.local("auth2"))?,
            proof(options.remote("auth"), options.remote("auth2"))?,
        ]);
    }
    let authby = options.value("authby");
    let (kind, users) = match authby {
        "xauthpsk" => ("psk", true),
        "xauthrsasig" => ("pubkey", true),
        other => (kind(other)?, false),
    };
    let server = options.value("xauth") == "server";
    Ok([Proof { kind, user: users && !server }, Proof { kind, user: users && server }])
}
