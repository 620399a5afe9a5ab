//! The rules of a policy, and its default response.
use toml_edit::{ArrayOfTables, Item, Table, TableLike};

use super::values::{set, text_of};
use super::{Kind, PolicyDocument, RunError, check_name, name_of, rules_of, stamp_new};
use crate::model::default_response;
use crate::netsh::command::{RuleNamed, RulesNamed};
use crate::netsh::run::error::hint;

impl PolicyDocument {
    /// The policy's place, and the rule's in it, from 0. The number after the last rule is the default response's.
    pub(crate) fn find_rule(&self, policy: &str, which: &RuleNamed) -> Result<(usize, usize), RunError> {
        let place = self.find_name(Kind::Policy, policy)?;
        let names: Vec<&str> =
            self.table(Kind::Policy, place).into_iter().flat_map(rules_of).filter_map(name_of).collect();
        let (found, text) = match which {
            RuleNamed::Name(name) => (names.iter().position(|other| other == name), format!("{name:?}")),
            RuleNamed::Id(id) => {
                let at = usize::try_from(*id).ok().and_then(|id| id.checked_sub(1));
                (at.filter(|at| *at < names.len()), format!("number {id}"))
            }
        };
        let known = hint(&text, &names);
        let rule = found.ok_or_else(|| RunError::NoRule { policy: policy.to_owned(), rule: text, hint: known })?;
        Ok((place, rule))
    }

    /// A rule at a place that [`Self::find_rule`] gave.
    pub(crate) fn rule_mut(&mut self, (policy, rule): (usize, usize)) -> Result<&mut Table, RunError> {
        let table = self.table_mut(Kind::Policy, policy)?;
        let rules = table.get_mut(Kind::Rule.key()).and_then(Item::as_array_of_tables_mut);
        let rule = rules.and_then(|rules| rules.get_mut(rule));
        rule.ok_or_else(|| RunError::Document("the policy has no such rule".to_owned()))
    }

    /// Adds a rule to a policy, as its last.
    pub(crate) fn add_rule(&mut self, policy: &str, name: &str, mut rule: Table) -> Result<(), RunError> {
        let place = self.find_name(Kind::Policy, policy)?;
        self.free_rule(policy, name)?;
        stamp_new(&mut rule)?;
        rule.decor_mut().set_prefix("\n");
        let table = self.table_mut(Kind::Policy, place)?;
        let rules = table.entry(Kind::Rule.key()).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        if let Some(rules) = rules.as_array_of_tables_mut() {
            rules.push(rule);
        }
        Ok(())
    }

    /// A name that a rule of the policy can get.
    fn free_rule(&self, policy: &str, name: &str) -> Result<(), RunError> {
        check_name(Kind::Rule, name)?;
        if name.eq_ignore_ascii_case(default_response::NAME) {
            let reason = "it is the name of the rule that every policy has; allowed: another name";
            return Err(RunError::Name { kind: Kind::Rule, name: name.to_owned(), reason });
        }
        let place = self.find_name(Kind::Policy, policy)?;
        let taken = self.table(Kind::Policy, place).into_iter().flat_map(rules_of);
        if taken.filter_map(name_of).any(|other| other == name) {
            return Err(RunError::RuleExists { policy: policy.to_owned(), rule: name.to_owned() });
        }
        Ok(())
    }

    /// Gives a rule another name.
    pub(crate) fn rename_rule(&mut self, policy: &str, place: (usize, usize), new: &str) -> Result<(), RunError> {
        if name_of(self.rule_mut(place)?) == Some(new) {
            return Ok(());
        }
        self.free_rule(policy, new)?;
        set(self.rule_mut(place)?, "name", new.into());
        Ok(())
    }

    /// Deletes one rule of a policy, or all but its default response.
    pub(crate) fn delete_rules(&mut self, policy: &str, which: &RulesNamed) -> Result<(), RunError> {
        let RulesNamed::One(one) = which else {
            let place = self.find_name(Kind::Policy, policy)?;
            self.table_mut(Kind::Policy, place)?.remove(Kind::Rule.key());
            return Ok(());
        };
        if self.is_default_rule(policy, one)? {
            return Err(RunError::DefaultRule { policy: policy.to_owned() });
        }
        let (place, rule) = self.find_rule(policy, one)?;
        let table = self.table_mut(Kind::Policy, place)?;
        if let Some(rules) = table.get_mut(Kind::Rule.key()).and_then(Item::as_array_of_tables_mut) {
            rules.remove(rule);
            if rules.is_empty() {
                table.remove(Kind::Rule.key());
            }
        }
        Ok(())
    }

    /// True if the name, or the number after the last rule's, is the default response's.
    pub(crate) fn is_default_rule(&self, policy: &str, which: &RuleNamed) -> Result<bool, RunError> {
        let place = self.find_name(Kind::Policy, policy)?;
        let count = self.table(Kind::Policy, place).into_iter().flat_map(rules_of).count();
        Ok(match which {
            RuleNamed::Name(name) => name.eq_ignore_ascii_case(default_response::NAME),
            RuleNamed::Id(id) => usize::try_from(*id).is_ok_and(|id| id == count + 1),
        })
    }

    /// Assigns a policy, and no other, or unassigns it.
    pub(crate) fn assign(&mut self, place: usize, on: bool) -> Result<(), RunError> {
        if on {
            for other in 0..self.tables(Kind::Policy).count() {
                let table = self.table_mut(Kind::Policy, other)?;
                if other != place && table.get("assigned").and_then(Item::as_bool) == Some(true) {
                    set(table, "assigned", false.into());
                }
            }
        }
        set(self.table_mut(Kind::Policy, place)?, "assigned", on.into());
        Ok(())
    }

    /// The table of a policy's default response, which is made if it is not there; the flag says whether it was.
    pub(crate) fn default_response_mut(&mut self, place: usize) -> Result<(&mut dyn TableLike, bool), RunError> {
        let policy = self.table_mut(Kind::Policy, place)?;
        let was_there = policy.contains_key("default_response");
        let item = policy.entry("default_response").or_insert_with(|| Item::Table(Table::new()));
        let table = item.as_table_like_mut();
        let table = table.ok_or_else(|| RunError::Document("default_response is no table".to_owned()))?;
        Ok((table, was_there))
    }

    /// The filter action that the default response of a policy names, if it names one.
    pub(crate) fn default_filter_action(&self, place: usize) -> Option<&Table> {
        let default = self.table(Kind::Policy, place)?.get("default_response")?.as_table_like()?;
        let name = text_of(default, Kind::FilterAction.key())?;
        self.tables(Kind::FilterAction).find(|action| name_of(action) == Some(name))
    }
}
