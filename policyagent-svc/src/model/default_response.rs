//! The default response of a policy: how peers are answered for whom no rule names filters.
use ikecore::identity::Identity;
use ikecore::policy::rule::AuthMethod;

use super::rule::{flatten, identity};
use super::{Action, Policy, PolicyFile, Reference, authentication, rule};
use crate::document::{Fault, Position, Value};

/// What the rule of the default response is called where rules are named.
pub(crate) const NAME: &str = "default response";

/// The default response.
#[derive(Debug)]
pub(crate) struct DefaultResponse {
    /// False: as if it were not there.
    pub(crate) active: bool,
    /// The filter action's name; it negotiates.
    pub(crate) filter_action: Reference,
    /// In order of preference.
    pub(crate) authentication: Vec<AuthMethod>,
    /// Whom this host claims to be.
    pub(crate) local_id: Option<Identity>,
    /// Where it stands in the file.
    pub(crate) position: Position,
}

/// Reads the default response of a policy.
pub(super) fn default_response(value: &Value<'_>, policy: &str) -> Option<DefaultResponse> {
    let mut table = value.table()?;
    table.rename(format!("the default response of policy {policy:?}"));
    let active = table.get("active").map_or(Some(true), |value| value.boolean());
    let filter_action = table.require("filter_action").and_then(|value| rule::reference(&value));
    let methods = table.require("authentication").and_then(|value| value.list("method"));
    let methods = methods.map(|values| values.iter().map(authentication::method).collect::<Vec<_>>());
    let methods = methods.and_then(|methods| methods.into_iter().collect::<Option<Vec<_>>>());
    let local_id = table.get("local_id").map(|value| {
        let identity = identity(&value)?;
        if let Some(methods) = &methods {
            authentication::check_local_id(&value, &identity, methods);
        }
        Some(identity)
    });
    table.finish();
    Some(DefaultResponse {
        active: active?,
        filter_action: filter_action?,
        authentication: methods?,
        local_id: flatten(local_id)?,
        position: value.position(),
    })
}

impl PolicyFile {
    /// What is wrong between the default response of a policy and other objects.
    pub(super) fn check_default_response(&self, policy: &Policy, faults: &mut Vec<Fault>) {
        let Some(default) = &policy.default_response else { return };
        let what = format!("the default response of policy {:?}", policy.name);
        if let Some(rule) = policy.rules.iter().find(|rule| rule.name == NAME) {
            let message = format!("the name {NAME:?} is that of {what}; allowed: another name");
            faults.push(self.at(rule.position, message));
        }
        if policy.main_mode.is_none() {
            faults.push(self.at(default.position, format!("{what} negotiates, but the policy has no main_mode")));
        }
        let Some(action) = self.filter_action(&default.filter_action) else {
            let names = self.filter_actions.iter().map(|action| action.name.as_str()).collect();
            faults.push(self.dangling(&what, "filter action", &default.filter_action, names));
            return;
        };
        if !matches!(action.action, Action::Negotiate { .. }) {
            let message = format!("{what} has the filter action {:?}; allowed: one that negotiates", action.name);
            faults.push(self.at(default.filter_action.position, message));
        }
    }
}
