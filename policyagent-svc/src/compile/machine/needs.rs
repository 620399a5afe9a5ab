//! What of a machine a policy goes by: when nothing of it changes, the policy stays as it is.
use std::collections::BTreeSet;

use crate::model::{ConnectionType, Filter, Method, PolicyFile, Server, Side};

/// What of a machine a policy goes by, besides its addresses.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Needs {
    /// Its links, and the link-local addresses on them.
    pub(crate) links: bool,
    /// Which interfaces are which.
    pub(crate) connection_types: bool,
    /// Servers.
    pub(crate) servers: BTreeSet<Server>,
    /// Hosts by name.
    pub(crate) hosts: BTreeSet<String>,
    /// Its certificates.
    pub(crate) certificates: bool,
}

impl Needs {
    /// What these files need together.
    pub(crate) fn of<'a>(files: impl IntoIterator<Item = &'a PolicyFile>) -> Self {
        let mut needs = Self::default();
        for file in files {
            for side in file.filter_lists.iter().flat_map(|list| &list.filters).flat_map(Filter::sides) {
                needs.add(side);
            }
            for policy in &file.policies {
                let of_rules = policy.rules.iter().flat_map(|rule| &rule.authentication);
                let of_default = policy.default_response.iter().flat_map(|default| &default.authentication);
                needs.certificates |= of_rules.chain(of_default).any(|method| matches!(method, Method::RootCa(_)));
                needs.connection_types |= policy.rules.iter().any(|rule| rule.connection_type != ConnectionType::All);
            }
        }
        needs
    }

    fn add(&mut self, side: &Side) {
        self.links |= side.is_link_local();
        match side {
            Side::Server(server) => {
                // An IPv6 router is known by its link-local address, a name server may be.
                self.links = true;
                self.servers.insert(*server);
            }
            Side::Host(name) => {
                self.hosts.insert(name.clone());
            }
            Side::Me | Side::Any | Side::Pool | Side::Prefix(_) | Side::OnLink(..) | Side::Range(_) => {}
        }
    }
}
