//! `restorepolicyexamples`: the three policies that every Windows has as examples.
use ikecore::proposal::suite::{EspCipher, Integrity, Lifetime};

use super::objects::{self, ah, esp};
use crate::model::{Offer, Side};
use crate::netsh::command::{
    Action, FilterActionSettings, Method, Named, OneOrAll, PolicySettings, Release, RuleSettings,
};
use crate::netsh::run::document::{FilterText, Kind, PolicyDocument};
use crate::netsh::run::{RunError, Session};

const ALL_IP: &str = "All IP Traffic";
const ALL_ICMP: &str = "All ICMP Traffic";
const PERMIT: &str = "Permit";
const REQUEST: &str = "Request Security (Optional)";
const REQUIRE: &str = "Require Security";

/// A policy: name, description, and the filter action for all traffic.
const POLICIES: [(&str, &str, Option<&str>); 3] = [
    ("Client (Respond Only)", "Communicate normally; answer peers that ask for security.", None),
    (
        "Server (Request Security)",
        "Ask for security with all traffic; accept clear traffic of peers that do not answer.",
        Some(REQUEST),
    ),
    ("Secure Server (Require Security)", "Require security with all traffic.", Some(REQUIRE)),
];

impl Session {
    /// `restorepolicyexamples`. What the releases differ in is not known; each gets the same.
    pub(super) fn restore_examples(&mut self, release: Release) -> Result<(), RunError> {
        let (Release::Win2k | Release::Xp | Release::Win2003) = release;
        if self.place.name != "local" {
            let store = self.place.name;
            return Err(RunError::WrongStore { what: "restorepolicyexamples", allowed: "local", store });
        }
        self.edit(&mut restore)
    }
}

/// Puts the examples back as they were. A policy of another's making that uses their lists and actions keeps them, with
/// the contents of the examples.
fn restore(document: &mut PolicyDocument) -> Result<(), RunError> {
    for (name, ..) in POLICIES {
        forget(document, Kind::Policy, name)?;
    }
    for (name, protocol) in [(ALL_IP, 0), (ALL_ICMP, 1)] {
        let filter = FilterText {
            source: Side::Me,
            destination: Side::Any,
            protocol,
            source_port: 0,
            destination_port: 0,
            mirrored: true,
            description: None,
            source_name: None,
            destination_name: None,
        };
        if document.names(Kind::FilterList).any(|other| other == name) {
            document.clear_filters(name)?;
        } else {
            objects::add_filter_list(document, name, None)?;
        }
        document.add_filters(name, &[filter])?;
    }
    for (name, action) in actions() {
        if document.names(Kind::FilterAction).any(|other| other == name) {
            objects::set_filter_action(document, &Named::Name(name.to_owned()), None, &action)?;
        } else {
            objects::add_filter_action(document, name, &action)?;
        }
    }
    for (name, description, all_traffic) in POLICIES {
        let settings = PolicySettings { description: Some(description.to_owned()), ..PolicySettings::default() };
        objects::add_policy(document, name, &settings, false)?;
        if let Some(action) = all_traffic {
            add_rule(document, name, ALL_ICMP, PERMIT)?;
            add_rule(document, name, ALL_IP, action)?;
        }
    }
    Ok(())
}

fn forget(document: &mut PolicyDocument, kind: Kind, name: &str) -> Result<(), RunError> {
    if document.names(kind).any(|other| other == name) {
        document.delete(kind, &OneOrAll::One(name.to_owned()))?;
    }
    Ok(())
}

fn add_rule(document: &mut PolicyDocument, policy: &str, list: &str, action: &str) -> Result<(), RunError> {
    let rule = RuleSettings {
        filter_list: Some(list.to_owned()),
        filter_action: Some(action.to_owned()),
        authentication: Some(vec![Method::Kerberos]),
        ..RuleSettings::default()
    };
    objects::add_rule(document, list, policy, &rule)
}

fn actions() -> [(&'static str, FilterActionSettings); 3] {
    let life = |seconds| Lifetime { seconds, kilobytes: 100_000 };
    let (sha, md5) = (Integrity::HmacSha1_96, Integrity::HmacMd5_96);
    let (triple, single) = (EspCipher::TripleDesCbc, EspCipher::DesCbc);
    let permit = FilterActionSettings { action: Some(Action::Permit), ..FilterActionSettings::default() };
    let negotiate = |soft: bool, offers: Vec<Offer>| FilterActionSettings {
        description: None,
        quick_mode_pfs: Some(false),
        inbound_passthrough: Some(true),
        soft: Some(soft),
        action: Some(Action::Negotiate),
        offers: Some(offers),
    };
    let request =
        vec![esp(triple, sha, life(900)), esp(single, sha, life(900)), ah(sha, life(300)), ah(md5, life(300))];
    let require = vec![
        esp(triple, sha, life(900)),
        esp(triple, md5, life(900)),
        esp(single, sha, life(900)),
        esp(single, md5, life(900)),
    ];
    [(PERMIT, permit), (REQUEST, negotiate(true, request)), (REQUIRE, negotiate(false, require))]
}
