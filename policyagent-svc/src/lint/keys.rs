//! Authentication that is easily had, or that peers share.
use ikecore::certificate::RevocationCheck;
use ikecore::policy::rule::AuthMethod;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Findings, Kind};
use crate::document::Position;
use crate::model::{Filter, Method, PolicyFile, Side};

const SHORT_KEY: Kind = Kind::medium("short-key", "draw a key by chance: openssl rand -base64 32");
const GUESSABLE_KEY: Kind =
    Kind::high("guessable-key", "draw a key by chance, openssl rand -base64 32, or leave aggressive mode off");
const SHARED_KEY: Kind = Kind::medium(
    "shared-key",
    "give each peer a key or a certificate of its own: whoever has the key can be any of them",
);
const NO_REVOCATION: Kind = Kind::low("no-revocation-check", "name crl, if the authority has revocation lists");
const LEGACY: Kind = Kind::medium("legacy-certificates", "renew the certificates that need it, and take legacy out");

const UNAVAILABLE: Kind = Kind::medium("unavailable-method", "name another method beside it, or in its place");
const NO_MAPPING: Kind = Kind::medium("no-certificate-mapping", "set remote_id, or certificate_mapping = false");

/// Fewer octets than these are within reach of who tries out keys, unless all are drawn by chance.
const ENOUGH_OCTETS: usize = 20;

/// A key with fewer different octets than these is a pattern.
const ENOUGH_DIFFERENT: usize = 8;

pub(super) fn check(file: &PolicyFile, findings: &mut Findings) {
    for policy in &file.policies {
        for rule in &policy.rules {
            let to_any = file.filter_list(&rule.filter_list).is_some_and(|list| {
                let ends = list.filters.iter().flat_map(Filter::sides);
                ends.into_iter().any(|side| *side == Side::Any) && rule.tunnel.is_none()
            });
            let to_any = to_any || rule.tunnel.is_some_and(|tunnel| tunnel.remote.is_none());
            let object = format!("rule {:?}", rule.name);
            let with = With { object, position: rule.position, aggressive: rule.aggressive_mode, to_any };
            rule.authentication.iter().for_each(|used| method(used, &with, findings));
        }
        if let Some(default) = &policy.default_response {
            let object = format!("the default response of policy {:?}", policy.name);
            let with = With { object, position: default.position, aggressive: false, to_any: true };
            default.authentication.iter().for_each(|used| method(used, &with, findings));
        }
    }
}

/// What a method is used with.
struct With {
    object: String,
    position: Position,
    aggressive: bool,
    /// Peers at any address.
    to_any: bool,
}

fn method(method: &Method, with: &With, findings: &mut Findings) {
    let mut add = |kind, message: String| findings.add(kind, &with.object, Some(with.position), message);
    if let Method::Given(AuthMethod::PreSharedKey(key)) = method {
        let octets = key.expose();
        let different = octets.iter().collect::<BTreeSet<_>>().len();
        // Neither the key nor what it is made of is told: how long it is helps nobody who could not find that out.
        if octets.len() < ENOUGH_OCTETS || different < ENOUGH_DIFFERENT {
            let kind = if with.aggressive { GUESSABLE_KEY } else { SHORT_KEY };
            let message = format!(
                "its pre-shared key is short, or a pattern: it has fewer than {ENOUGH_OCTETS} octets, or fewer than \
                 {ENOUGH_DIFFERENT} different ones"
            );
            add(kind, message);
        }
        if with.to_any {
            add(SHARED_KEY, "its pre-shared key is that of peers at any address".to_owned());
        }
    }
    let trust = match method {
        Method::Given(method) => method.trust().map(Arc::clone),
        // Which authorities they are makes no difference here.
        Method::RootCa(wanted) => Some(Arc::new(wanted.strictness.clone().trust(Vec::new(), wanted.exclude_ca_name))),
        Method::Kerberos => {
            add(UNAVAILABLE, "it names Kerberos, which this program has not".to_owned());
            None
        }
    };
    if let Method::RootCa(wanted) = method
        && wanted.certificate_mapping
    {
        add(NO_MAPPING, format!("it takes any certificate of {:?}: certificate_mapping is not available", wanted.text));
    }
    if let Some(trust) = trust {
        if trust.revocation_check == RevocationCheck::Off {
            add(NO_REVOCATION, "it does not look whether certificates are revoked".to_owned());
        }
        if trust.legacy {
            add(LEGACY, "it takes certificates with SHA-1 signatures, or other old ways".to_owned());
        }
    }
}
