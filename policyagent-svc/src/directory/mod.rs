//! Policy from a directory over LDAP, in the form that MS-GPIPSEC describes.
mod access;
pub(crate) mod agent;
pub(crate) mod blob;
pub(crate) mod client;
pub(crate) mod objects;
pub(crate) mod settings;
pub(crate) mod store;

/// The name of this host.
pub(crate) fn host() -> Result<String, HostError> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").map_err(HostError)?;
    Ok(name.trim().to_owned())
}

/// This host tells no name.
#[derive(Debug, thiserror::Error)]
#[error("the name of this host: {0}")]
pub(crate) struct HostError(std::io::Error);
