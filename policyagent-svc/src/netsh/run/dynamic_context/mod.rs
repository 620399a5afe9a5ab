//! `netsh ipsec dynamic`: what is in force.
mod config;
mod dump;
mod objects;
pub(crate) mod service;
mod show;
mod statistics;

use ikecore::policy::selector::Prefix;
use std::net::IpAddr;

use super::place::Edit;
use super::{RunError, Session, resolve};
use crate::control::request::{Handle, Target};
use crate::model::Side;
use crate::netsh::command::{Address, Dynamic};

impl Session {
    pub(super) fn carry_out_dynamic(&mut self, command: Dynamic) -> Result<String, RunError> {
        match command {
            Dynamic::AddMainModePolicy { name, policy } => {
                self.edit_dynamic(&mut |document| objects::add_main_mode(document, &name, &policy))?;
            }
            Dynamic::SetMainModePolicy { name, policy } => {
                self.edit_dynamic(&mut |document| objects::set_main_mode(document, &name, &policy))?;
            }
            Dynamic::AddQuickModePolicy { name, policy } => {
                self.edit_dynamic(&mut |document| objects::add_quick_mode(document, &name, &policy))?;
            }
            Dynamic::SetQuickModePolicy { name, policy } => {
                self.edit_dynamic(&mut |document| objects::set_quick_mode(document, &name, &policy))?;
            }
            Dynamic::AddRule(rule) => self.edit_dynamic(&mut |document| objects::add_rule(document, &rule))?,
            Dynamic::SetRule(rule) => self.edit_dynamic(&mut |document| objects::set_rule(document, &rule))?,
            Dynamic::DeleteMainModePolicy(which) => {
                self.edit_dynamic(&mut |document| objects::delete_main_mode(document, &which))?;
            }
            Dynamic::DeleteQuickModePolicy(which) => {
                self.edit_dynamic(&mut |document| objects::delete_quick_mode(document, &which))?;
            }
            Dynamic::DeleteRule(key) => self.edit_dynamic(&mut |document| objects::delete_rule(document, &key))?,
            // Their SAs end with the rules.
            Dynamic::DeleteAll => self.edit_dynamic(&mut |document| {
                document.clear();
                Ok(())
            })?,
            Dynamic::DeleteSa { source, destination } => {
                self.not_atomic("the end of SAs")?;
                self.delete_sas(source.as_ref(), destination.as_ref())?;
            }
            Dynamic::SetConfig(setting) => {
                self.not_atomic("a setting")?;
                return self.set_config(&setting);
            }
            Dynamic::Dump => return dump::dump(&self.dynamic.document()?),
            Dynamic::Show(show) => return self.show_dynamic(&show),
        }
        Ok(String::new())
    }

    fn edit_dynamic(&mut self, edit: Edit<'_>) -> Result<(), RunError> {
        self.dynamic.edit(&mut |document| edit(document).map_err(objects::renamed), self.atomic)
    }

    /// Ends the SAs between two ends: all of them if neither is named.
    fn delete_sas(&self, source: Option<&Address>, destination: Option<&Address>) -> Result<(), RunError> {
        if source.is_none() && destination.is_none() {
            return self.service.terminate(Target::All);
        }
        let (source, destination) = (End::of(source)?, End::of(destination)?);
        let status = self.service.status()?;
        let handle = |id: &str| u64::from_str_radix(id, 16).map(Handle);
        // IPsec SAs first: a peer takes the delete of an ISAKMP SA for the end of all that it knows of.
        for sa in &status.ipsec_sas {
            if let (true, Ok(id)) =
                (is_between(sa.local.host.ip(), sa.remote.host.ip(), &source, &destination), handle(&sa.id))
            {
                self.service.terminate(Target::IpsecSa(id))?;
            }
        }
        for sa in &status.soft_sas {
            if let (true, Ok(id)) =
                (is_between(sa.local.host.ip(), sa.remote.host.ip(), &source, &destination), handle(&sa.id))
            {
                self.service.terminate(Target::IpsecSa(id))?;
            }
        }
        for sa in &status.ike_sas {
            if let (true, Ok(id)) =
                (is_between(sa.local.host.ip(), sa.remote.host.ip(), &source, &destination), handle(&sa.id))
            {
                self.service.terminate(Target::IkeSa(id))?;
            }
        }
        Ok(())
    }
}

/// One end of SAs or of filters, as a command names it.
pub(super) enum End {
    /// Whatever it is.
    Any,
    /// This host.
    Me,
    /// In one of these blocks.
    In(Vec<Prefix>),
}

impl End {
    fn of(address: Option<&Address>) -> Result<Self, RunError> {
        Ok(match address {
            None | Some(Address::Side(Side::Any)) => Self::Any,
            Some(Address::Side(Side::Me)) => Self::Me,
            Some(Address::Side(Side::Prefix(prefix))) => Self::In(vec![*prefix]),
            Some(Address::Name(name)) => Self::In(resolve::resolve(name)?.into_iter().map(Prefix::host).collect()),
            Some(Address::Side(other)) => {
                return Err(RunError::Unsupported(format!(
                    "SAs and filters in force have addresses, not {other}; allowed: me, any, an address or a prefix"
                )));
            }
        })
    }

    fn is(&self, address: IpAddr, here: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Me => here,
            Self::In(blocks) => blocks.iter().any(|block| block.contains(address)),
        }
    }
}

/// True if traffic between the two, one way or the other, is meant.
fn is_between(local: IpAddr, remote: IpAddr, source: &End, destination: &End) -> bool {
    source.is(local, true) && destination.is(remote, false) || source.is(remote, false) && destination.is(local, true)
}
