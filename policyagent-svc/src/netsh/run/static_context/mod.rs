//! `netsh ipsec static`: the objects of a store.
pub(super) mod dump;
mod examples;
pub(crate) mod objects;
mod transfer;

use super::document::{FilterText, Kind, PolicyDocument, name_of};
use super::place::Edit;
use super::{RunError, Session, resolve};
use crate::model::Side;
use crate::netsh::command::{AddFilter, FilterPattern, Named, PolicySettings, Static};

impl Session {
    pub(super) fn carry_out_static(&mut self, command: Static) -> Result<String, RunError> {
        match command {
            Static::AddFilter(filter) => self.add_filter(&filter)?,
            Static::DeleteFilter { filter_list, filter } => self.delete_filter(&filter_list, &filter)?,
            Static::AddFilterList { name, description } => {
                self.edit_lists(&mut |document| objects::add_filter_list(document, &name, description.as_deref()))?;
            }
            Static::SetFilterList { which, new_name, description } => self.edit_lists(&mut |document| {
                objects::set_filter_list(document, &which, new_name.as_deref(), description.as_deref())
            })?,
            Static::DeleteFilterList(which) => {
                self.edit_lists(&mut |document| document.delete(Kind::FilterList, &which))?;
            }
            Static::AddFilterAction { name, action } => {
                self.edit(&mut |document| objects::add_filter_action(document, &name, &action))?;
            }
            Static::SetFilterAction { which, new_name, action } => {
                self.edit(&mut |document| objects::set_filter_action(document, &which, new_name.as_deref(), &action))?;
            }
            Static::DeleteFilterAction(which) => {
                self.edit(&mut |document| document.delete(Kind::FilterAction, &which))?;
            }
            Static::AddPolicy { name, policy } => {
                // Where group policy objects assign, the policy alone cannot.
                let assign = policy.assign == Some(true) && self.place.store.domain().is_none();
                self.edit(&mut |document| objects::add_policy(document, &name, &policy, assign))?;
            }
            Static::SetPolicy { which, new_name, policy, gpo } => {
                self.set_policy(&which, new_name.as_deref(), &policy, gpo.as_deref())?;
            }
            Static::DeletePolicy(which) => self.edit(&mut |document| document.delete(Kind::Policy, &which))?,
            Static::AddRule { name, policy, rule } => {
                self.edit(&mut |document| objects::add_rule(document, &name, &policy, &rule))?;
            }
            Static::SetRule { which, policy, new_name, rule } => {
                self.edit(&mut |document| objects::set_rule(document, &which, &policy, new_name.as_deref(), &rule))?;
            }
            Static::SetDefaultRule { policy, rule } => {
                self.edit(&mut |document| objects::set_default_rule(document, &policy, &rule))?;
            }
            Static::DeleteRule { which, policy } => {
                self.edit(&mut |document| document.delete_rules(&policy, &which))?;
            }
            Static::DeleteAll => self.edit(&mut |document| {
                document.clear();
                Ok(())
            })?,
            Static::SetStore { location } => self.set_store(location)?,
            Static::SetBatch { enabled } => self.set_batch(enabled)?,
            Static::ExportPolicy { file } => {
                self.not_atomic("an export")?;
                self.export(&file)?;
            }
            Static::ImportPolicy { file } => self.import(&file)?,
            Static::RestorePolicyExamples { release } => self.restore_examples(release)?,
            Static::Dump => return dump::dump(&self.document()?),
            Static::Show(show) => return self.show_static(&show),
        }
        Ok(String::new())
    }

    /// Changes the store's document.
    pub(super) fn edit(&mut self, edit: Edit<'_>) -> Result<(), RunError> {
        self.write_batch()?;
        self.place.edit(edit, self.atomic)
    }

    /// Changes the filter lists of the store's document; a batch holds that back until it ends.
    fn edit_lists(&mut self, edit: Edit<'_>) -> Result<(), RunError> {
        self.place.edit(edit, self.atomic || self.batch)
    }

    fn set_batch(&mut self, enabled: bool) -> Result<(), RunError> {
        self.write_batch()?;
        self.batch = enabled;
        Ok(())
    }

    /// Writes what a batch holds back.
    pub(super) fn write_batch(&mut self) -> Result<(), RunError> {
        if !self.atomic {
            self.place.write()?;
        }
        Ok(())
    }

    /// The store's document, with what a batch held back.
    pub(super) fn document(&mut self) -> Result<PolicyDocument, RunError> {
        self.write_batch()?;
        self.place.document()
    }

    fn add_filter(&mut self, filter: &AddFilter) -> Result<(), RunError> {
        let like = FilterText {
            source: Side::Any,
            destination: Side::Any,
            protocol: filter.protocol,
            source_port: filter.source_port,
            destination_port: filter.destination_port,
            mirrored: filter.mirrored,
            description: filter.description.clone(),
            source_name: None,
            destination_name: None,
        };
        let filters = resolve::filters(&filter.source, &filter.destination, &like)?;
        self.edit_lists(&mut |document| {
            if !document.names(Kind::FilterList).any(|name| name == filter.filter_list) {
                objects::add_filter_list(document, &filter.filter_list, None)?;
            }
            document.add_filters(&filter.filter_list, &filters)
        })
    }

    fn delete_filter(&mut self, list: &str, pattern: &FilterPattern) -> Result<(), RunError> {
        self.edit_lists(&mut |document| document.delete_filters(list, pattern))
    }

    fn set_policy(
        &mut self,
        which: &Named,
        new_name: Option<&str>,
        settings: &PolicySettings,
        gpo: Option<&str>,
    ) -> Result<(), RunError> {
        let in_domain = self.place.store.domain().is_some();
        if gpo.is_some() && !in_domain {
            return Err(RunError::WrongStore { what: "gponame", allowed: "domain", store: self.place.name });
        }
        if in_domain && settings.assign.is_some() {
            self.not_atomic("the assignment to a group policy object")?;
        }
        let assign = settings.assign.filter(|_| !in_domain);
        let mut name = String::new();
        self.edit(&mut |document| {
            let place = document.find(Kind::Policy, which)?;
            objects::set_policy(document, which, new_name, settings, assign)?;
            name = document.table(Kind::Policy, place).and_then(name_of).unwrap_or_default().to_owned();
            Ok(())
        })?;
        if let (Some(on), Some(domain)) = (settings.assign, self.place.store.domain()) {
            domain.assign(&name, gpo, on)?;
        }
        Ok(())
    }
}
