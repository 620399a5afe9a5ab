//! The store of a domain: the policies of its directory.
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

use super::error::RunError;
use super::store::{Change, DomainStore, GpoAssigned, PolicyStore};
use crate::directory::store::{By, DirectoryError, DirectoryStore, InPlace};
use crate::paths::Paths;
use crate::service::settings::Settings;

/// The directory of the settings.
pub(super) struct Domain {
    store: DirectoryStore,
    /// As in `example.net`.
    name: String,
    /// What messages call its document.
    path: PathBuf,
}

impl From<DirectoryError> for RunError {
    fn from(error: DirectoryError) -> Self {
        Self::Directory(error.to_string())
    }
}

/// Opens the directory of the settings, which must be that of the domain `name` if one is named.
pub(super) fn open(paths: &Paths, name: Option<&str>) -> Result<Domain, RunError> {
    let path = paths.settings();
    let settings = Settings::read(&path).map_err(|error| RunError::Document(error.to_string()))?;
    let settings = settings.directory(paths).map_err(|error| RunError::NoDomain(error.to_string()))?;
    let unreachable = |error: DirectoryError| RunError::NoDomain(error.to_string());
    let store = DirectoryStore::new(settings).map_err(unreachable)?;
    let base = store.base().map_err(unreachable)?;
    let own = domain_name(&base);
    if let Some(name) = name.filter(|name| !name.eq_ignore_ascii_case(&own)) {
        let other = format!("[directory] in {} is about {own}, not {name:?}", path.display());
        return Err(RunError::NoDomain(other));
    }
    let path = Path::new("/").join(format!("the directory of {own}"));
    Ok(Domain { store, name: own, path })
}

/// The name of the domain of a naming context: `example.net` of `DC=example,DC=net`. What is not of that kind stays.
fn domain_name(base: &str) -> String {
    let label = |part: &str| {
        let (kind, value) = part.split_once('=')?;
        kind.trim().eq_ignore_ascii_case("dc").then(|| value.trim().to_owned())
    };
    let labels: Option<Vec<String>> = base.split(',').map(label).collect();
    labels.map_or_else(|| base.to_owned(), |labels| labels.join("."))
}

fn by(gpo: Option<&str>) -> By {
    gpo.map_or(By::Settings, |gpo| By::Gpo(gpo.to_owned()))
}

impl PolicyStore for Domain {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read(&self) -> Result<Zeroizing<String>, RunError> {
        Ok(self.store.read()?.document.text())
    }

    fn edit(&mut self, change: Change<'_>) -> Result<(), RunError> {
        self.store.edit(|text| Ok((Zeroizing::new(change(text)?), ())))
    }

    fn domain(&mut self) -> Option<&mut dyn DomainStore> {
        Some(self)
    }
}

impl DomainStore for Domain {
    fn name(&self) -> &str {
        &self.name
    }

    fn assign(&mut self, policy: &str, gpo: Option<&str>, on: bool) -> Result<(), RunError> {
        let by = by(gpo);
        if on {
            return Ok(self.store.assign(Some(policy), &by)?);
        }
        // What another policy has is not taken from it.
        match self.store.assigned_by(&by)? {
            Some(assigned) if assigned.policy == policy => Ok(self.store.assign(None, &by)?),
            Some(_) | None => Ok(()),
        }
    }

    fn assigned(&mut self, gpo: Option<&str>) -> Result<Option<GpoAssigned>, RunError> {
        let assigned = match gpo {
            Some(_) => self.store.assigned_by(&by(gpo))?,
            None => self.store.assigned_here()?,
        };
        Ok(assigned.map(|InPlace { gpo, policy, description, last_modified }| {
            let (gpo, gpo_dn) = gpo.unwrap_or_default();
            GpoAssigned { gpo, gpo_dn, policy, description, last_modified }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::domain_name;

    #[test]
    fn a_domain_is_called_by_its_labels() {
        assert_eq!(domain_name("DC=example,DC=net"), "example.net");
        assert_eq!(domain_name("dc=Example, dc=net"), "Example.net");
        assert_eq!(domain_name("O=example,C=CH"), "O=example,C=CH");
    }
}
