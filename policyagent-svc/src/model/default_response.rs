//! The default response of a policy: how peers are answered for whom no rule names filters.
use ikecore::identity::Identity;

use super::rule::{flatten, identity};
use super::{Action, FilterAction, Method, Policy, PolicyFile, Record, Reference, action, authentication, rule};
use crate::document::{Fault, Position, Table, Value};

/// What the rule of the default response is called where rules are named.
pub(crate) const NAME: &str = "default response";

/// The default response.
#[derive(Debug)]
pub(crate) struct DefaultResponse {
    /// False: as if it were not there.
    pub(crate) active: bool,
    /// What is negotiated.
    pub(crate) action: ResponseAction,
    /// In order of preference.
    pub(crate) authentication: Vec<Method>,
    /// Whom this host claims to be.
    pub(crate) local_id: Option<Identity>,
    /// Where it stands in the file.
    pub(crate) position: Position,
}

/// What the default response negotiates.
#[derive(Debug)]
pub(crate) enum ResponseAction {
    /// As a filter action of the file, which negotiates.
    Named(Reference),
    /// As an action of its own, which is called as the default response.
    Own(FilterAction),
}

/// Reads the default response of a policy.
pub(super) fn default_response(value: &Value<'_>, policy: &str) -> Option<DefaultResponse> {
    let mut table = value.table()?;
    table.rename(format!("the default response of policy {policy:?}"));
    let active = table.get("active").map_or(Some(true), |value| value.boolean());
    let action = action(&table);
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
        action: action?,
        authentication: methods?,
        local_id: flatten(local_id)?,
        position: value.position(),
    })
}

fn action(table: &Table<'_>) -> Option<ResponseAction> {
    let own = ["offers", "lifetime", "pfs"].map(|key| table.get(key));
    let Some(value) = table.get("filter_action") else {
        if own.iter().all(Option::is_none) {
            table.fault(format!("{} has neither filter_action nor offers, allowed: one of them", table.what()));
            return None;
        }
        let action = action::answer(table)?;
        let (name, record) = (NAME.to_owned(), Record::default());
        return Some(ResponseAction::Own(FilterAction { name, description: None, record, action }));
    };
    if let Some(own) = own.into_iter().flatten().next() {
        own.fault(format!("{} stands beside filter_action, which has its own; allowed: one of them", own.what()));
        return None;
    }
    rule::reference(&value).map(ResponseAction::Named)
}

impl PolicyFile {
    /// The filter action of a default response.
    pub(crate) fn response_action<'a>(&'a self, default: &'a DefaultResponse) -> Option<&'a FilterAction> {
        match &default.action {
            ResponseAction::Named(reference) => self.filter_action(reference),
            ResponseAction::Own(action) => Some(action),
        }
    }

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
        let ResponseAction::Named(reference) = &default.action else { return };
        let Some(action) = self.filter_action(reference) else {
            let names = self.filter_actions.iter().map(|action| action.name.as_str()).collect();
            faults.push(self.dangling(&what, "filter action", reference, names));
            return;
        };
        if !matches!(action.action, Action::Negotiate { .. }) {
            let message = format!("{what} has the filter action {:?}; allowed: one that negotiates", action.name);
            faults.push(self.at(reference.position, message));
        }
    }
}
