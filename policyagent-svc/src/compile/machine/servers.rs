//! The servers that a machine was told of, each kind from where its system writes it down.
use ikecore::address::{HostAddress, Scope, is_link_local};
use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::{Machine, Sources};
use crate::link::{self, Interface};
use crate::model::Server;

/// The most octets of a file that is read here, so that a wrong one does not fill the memory.
const MAX_FILE: u64 = 1 << 20;

/// Where name servers stand. The first is followed by the second where it names systemd-resolved's own address.
const RESOLV_CONF: &str = "etc/resolv.conf";
const UPLINKS: &str = "run/systemd/resolve/resolv.conf";
const STUBS: [&str; 2] = ["127.0.0.53", "127.0.0.54"];

/// Where Samba's settings are.
const SMB_CONF: &str = "etc/samba/smb.conf";

/// Where leases are: of systemd-networkd, of NetworkManager, of dhclient.
const LEASES: [&str; 4] = ["run/systemd/netif/leases", "var/lib/NetworkManager", "var/lib/dhcp", "var/lib/dhclient"];

impl Sources {
    /// The servers of a kind, without those that are this machine.
    pub(super) fn find(&self, server: Server, machine: &Machine) -> BTreeSet<HostAddress> {
        let mut found: BTreeSet<HostAddress> = match server {
            Server::Dns => self.name_servers(machine),
            Server::Wins if !self.wins_servers.is_empty() => {
                self.wins_servers.iter().copied().map(HostAddress::from).collect()
            }
            Server::Wins => self.read(SMB_CONF).map(|text| of_samba(&text)).unwrap_or_default(),
            Server::Dhcp => self.leases(machine),
            // Where the routes cannot be read, the filter waits.
            Server::Gateway => ikedaemon::network::default_gateways().unwrap_or_default(),
        };
        found.retain(|address| {
            let ip = address.ip();
            let own = machine.addresses.contains(&ip) || machine.on_links.contains(address);
            !own && !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast()
        });
        found
    }

    fn read(&self, path: &str) -> Option<String> {
        read(&self.system.join(path))
    }

    fn name_servers(&self, machine: &Machine) -> BTreeSet<HostAddress> {
        let text = self.read(RESOLV_CONF).unwrap_or_default();
        let named: Vec<&str> = name_servers(&text).collect();
        if !named.iter().any(|name| STUBS.contains(name)) {
            return named.into_iter().filter_map(|name| on_link(name, machine)).collect();
        }
        let uplinks = self.read(UPLINKS).unwrap_or_default();
        let all = named.into_iter().chain(name_servers(&uplinks));
        all.filter_map(|name| on_link(name, machine)).collect()
    }

    fn leases(&self, machine: &Machine) -> BTreeSet<HostAddress> {
        let mut files: Vec<PathBuf> = Vec::new();
        for directory in LEASES {
            let Ok(entries) = fs::read_dir(self.system.join(directory)) else { continue };
            let all = directory.starts_with("run/");
            files.extend(entries.flatten().map(|entry| entry.path()).filter(|path| all || is_lease(path)));
        }
        let texts = files.iter().filter_map(|path| read(path));
        texts.flat_map(|text| of_leases(&text, machine)).map(HostAddress::from).collect()
    }
}

fn read(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok().filter(|metadata| metadata.is_file() && metadata.len() <= MAX_FILE);
    metadata.and_then(|_| fs::read_to_string(path).ok())
}

fn is_lease(path: &Path) -> bool {
    matches!(path.extension().and_then(std::ffi::OsStr::to_str), Some("lease" | "leases"))
}

/// What stands behind `nameserver` in resolv.conf(5).
fn name_servers(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())
    })
}

/// An address, a link-local one with its interface.
fn on_link(text: &str, machine: &Machine) -> Option<HostAddress> {
    let (bare, interface) = link::split(text);
    let address: IpAddr = bare.parse().ok()?;
    if !is_link_local(address) {
        return Some(address.into());
    }
    let interface: Interface = interface?.parse().ok()?;
    let scope: Scope = machine.link(interface)?;
    Some(HostAddress::new(address, scope))
}

/// `wins server` of smb.conf(5), which may have a tag before each address.
fn of_samba(text: &str) -> BTreeSet<HostAddress> {
    let value = text.lines().filter(|line| !line.trim_start().starts_with(['#', ';'])).find_map(|line| {
        let (key, value) = line.split_once('=')?;
        let key: String = key.chars().filter(|c| !c.is_whitespace()).collect();
        key.eq_ignore_ascii_case("winsserver").then_some(value)
    });
    let words = value.unwrap_or_default().split([' ', ',', '\t']);
    let address = |word: &str| word.rsplit(':').next()?.parse::<IpAddr>().ok();
    words.filter_map(address).map(HostAddress::from).collect()
}

/// The servers of leases for addresses that the machine still has. Of several for one address the last counts.
fn of_leases(text: &str, machine: &Machine) -> BTreeSet<IpAddr> {
    // systemd: ADDRESS=10.0.0.5, SERVER_ADDRESS=10.0.0.1; dhclient: fixed-address 10.0.0.5;
    // option dhcp-server-identifier 10.0.0.1;
    let mut found = std::collections::BTreeMap::new();
    let (mut own, mut server): (Option<IpAddr>, Option<IpAddr>) = (None, None);
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with("lease") && line.ends_with('{') {
            (own, server) = (None, None);
        }
        let own_text = line.strip_prefix("ADDRESS=").or_else(|| line.strip_prefix("fixed-address "));
        let server_text =
            line.strip_prefix("SERVER_ADDRESS=").or_else(|| line.strip_prefix("option dhcp-server-identifier "));
        let address = |text: Option<&str>| text.and_then(|text| text.trim_end_matches(';').trim().parse().ok());
        own = address(own_text).or(own);
        server = address(server_text).or(server);
        if let (Some(own), Some(server)) = (own, server)
            && machine.addresses.contains(&own)
        {
            found.insert(own, server);
        }
    }
    found.into_values().collect()
}
