//! DNS names in commands: they are resolved when the command runs.
use std::net::{IpAddr, ToSocketAddrs as _};

use ikecore::policy::selector::Prefix;

use super::document::FilterText;
use super::error::RunError;
use crate::model::Side;
use crate::netsh::command::Address;

/// The addresses of a name, each once, those of IPv4 first.
pub(crate) fn resolve(name: &str) -> Result<Vec<IpAddr>, RunError> {
    let answer = (name, 0).to_socket_addrs();
    let answer = answer.map_err(|error| RunError::Resolve { name: name.to_owned(), reason: error.to_string() })?;
    let mut addresses: Vec<IpAddr> = answer.map(|socket| socket.ip()).collect();
    addresses.sort();
    addresses.dedup();
    if addresses.is_empty() {
        return Err(RunError::Resolve { name: name.to_owned(), reason: "no answer".to_owned() });
    }
    Ok(addresses)
}

/// A side, and the name that it came from.
type Named = (Side, Option<String>);

fn sides(address: &Address) -> Result<Vec<Named>, RunError> {
    match address {
        Address::Side(side) => Ok(vec![(side.clone(), None)]),
        Address::Name(name) => {
            let side = |address| (Side::Prefix(Prefix::host(address)), Some(name.clone()));
            Ok(resolve(name)?.into_iter().map(side).collect())
        }
    }
}

/// What an address is called in messages.
pub(crate) fn text(address: &Address) -> String {
    match address {
        Address::Side(side) => side.to_string(),
        Address::Name(name) => name.clone(),
    }
}

/// A filter for each pair of addresses; `like` has the rest.
pub(crate) fn filters(source: &Address, destination: &Address, like: &FilterText) -> Result<Vec<FilterText>, RunError> {
    let mut filters = Vec::new();
    let (sources, destinations) = (sides(source)?, sides(destination)?);
    for (source, source_name) in &sources {
        for (destination, destination_name) in &destinations {
            if let (Side::Prefix(one), Side::Prefix(other)) = (source, destination)
                && one.address().is_ipv4() != other.address().is_ipv4()
            {
                continue;
            }
            filters.push(FilterText {
                source: source.clone(),
                destination: destination.clone(),
                source_name: source_name.clone(),
                destination_name: destination_name.clone(),
                ..like.clone()
            });
        }
    }
    if filters.is_empty() {
        return Err(RunError::Families { source_name: text(source), destination: text(destination) });
    }
    Ok(filters)
}
