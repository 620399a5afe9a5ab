//! What Mode Config gives: addresses, name servers, networks (draft-dukes-ike-mode-cfg-02 §3.4), and Cisco's additions.
use crate::event::Configuration;
use crate::policy::pool::Pool;
use crate::policy::selector::Prefix;
use crate::wire::{Attribute, AttributeValue, AttributeWriter, ConfigAttribute};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What this host tells of itself.
const VERSION: &[u8] = b"policyagent";

/// The attributes that this host answers.
const SUPPORTED: &[ConfigAttribute] = &[
    ConfigAttribute::INTERNAL_IP4_ADDRESS,
    ConfigAttribute::INTERNAL_IP4_NETMASK,
    ConfigAttribute::INTERNAL_IP4_DNS,
    ConfigAttribute::INTERNAL_ADDRESS_EXPIRY,
    ConfigAttribute::APPLICATION_VERSION,
    ConfigAttribute::INTERNAL_IP6_ADDRESS,
    ConfigAttribute::INTERNAL_IP6_DNS,
    ConfigAttribute::INTERNAL_IP4_SUBNET,
    ConfigAttribute::SUPPORTED_ATTRIBUTES,
    ConfigAttribute::INTERNAL_IP6_SUBNET,
    ConfigAttribute::UNITY_BANNER,
    ConfigAttribute::UNITY_DEF_DOMAIN,
    ConfigAttribute::UNITY_SPLIT_INCLUDE,
];

/// The most of each kind that a client keeps of what it is given.
const MOST: usize = 64;

/// Octets of one network in UNITY_SPLIT_INCLUDE: address, mask, and six that say protocol and ports, or nothing.
const SPLIT_LEN: usize = 14;

impl Configuration {
    /// Reads what a gateway gives; what cannot be used is left out.
    pub(super) fn read(attributes: &[Attribute<'_>]) -> Self {
        let mut read = Self::default();
        for attribute in attributes {
            let AttributeValue::Variable(octets) = attribute.value else { continue };
            let kind = ConfigAttribute(attribute.kind);
            match kind {
                ConfigAttribute::INTERNAL_IP4_ADDRESS | ConfigAttribute::INTERNAL_IP6_ADDRESS => {
                    let ipv4 = kind == ConfigAttribute::INTERNAL_IP4_ADDRESS;
                    if read.address(ipv4).is_none() {
                        read.addresses.extend(address(octets, ipv4).filter(is_of_a_host));
                    }
                }
                ConfigAttribute::INTERNAL_IP4_DNS | ConfigAttribute::INTERNAL_IP6_DNS if read.dns.len() < MOST => {
                    let ipv4 = kind == ConfigAttribute::INTERNAL_IP4_DNS;
                    read.dns.extend(address(octets, ipv4).filter(is_of_a_host));
                }
                ConfigAttribute::INTERNAL_IP4_SUBNET => read.add_network(v4_subnet(octets)),
                ConfigAttribute::INTERNAL_IP6_SUBNET => read.add_network(v6_subnet(octets)),
                ConfigAttribute::UNITY_SPLIT_INCLUDE => {
                    let (networks, _) = octets.as_chunks::<SPLIT_LEN>();
                    networks.iter().for_each(|network| read.add_network(network.get(..8).and_then(v4_subnet)));
                }
                ConfigAttribute::UNITY_DEF_DOMAIN => read.domain = text(octets),
                ConfigAttribute::UNITY_BANNER => read.banner = text(octets),
                _ => {}
            }
        }
        read
    }

    fn add_network(&mut self, network: Option<Prefix>) {
        let new = network.filter(|network| self.split_networks.len() < MOST && !self.split_networks.contains(network));
        self.split_networks.extend(new);
    }
}

/// What can be the address of an interface, or of a name server.
fn is_of_a_host(address: &IpAddr) -> bool {
    let broadcast = *address == IpAddr::V4(Ipv4Addr::BROADCAST);
    !(address.is_unspecified() || address.is_multicast() || address.is_loopback() || broadcast)
}

/// The first octets as an address. Some put a prefix length behind an IPv6 address, as IKEv2 does.
pub(super) fn address(octets: &[u8], ipv4: bool) -> Option<IpAddr> {
    match (ipv4, octets.len()) {
        (true, 4) => octets.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into()),
        (false, 16 | 17) => octets.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets).into()),
        _ => None,
    }
}

fn v4_subnet(octets: &[u8]) -> Option<Prefix> {
    let (address, mask) = octets.split_first_chunk::<4>()?;
    let mask = u32::from_be_bytes(*mask.first_chunk::<4>()?);
    let len = mask.leading_ones();
    // A mask of ones followed by zeros.
    let in_order = len + mask.trailing_zeros() == 32 || mask == u32::MAX;
    Prefix::new(IpAddr::from(*address), u8::try_from(len).ok()?).ok().filter(|_| in_order)
}

fn v6_subnet(octets: &[u8]) -> Option<Prefix> {
    let (address, len) = octets.split_first_chunk::<16>()?;
    Prefix::new(IpAddr::from(*address), *len.first()?).ok()
}

fn text(octets: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(octets.strip_suffix(&[0]).unwrap_or(octets)).into_owned();
    (!text.is_empty() && text.len() <= 4_096).then_some(text)
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn mask(network: Prefix) -> [u8; 4] {
    u32::MAX.checked_shl(32 - u32::from(network.prefix_len())).unwrap_or(0).to_be_bytes()
}

/// What a client asks for: an address of each family that it needs, with the one it has as a wish, and all else that
/// helps it.
pub(super) fn request(ipv4: bool, ipv6: bool, has: &[IpAddr]) -> AttributeWriter {
    let mut list = AttributeWriter::new();
    let wish =
        |is_ipv4| has.iter().find(|address| address.is_ipv4() == is_ipv4).map(|a| octets(*a)).unwrap_or_default();
    if ipv4 {
        list.variable(ConfigAttribute::INTERNAL_IP4_ADDRESS, &wish(true))
            .variable(ConfigAttribute::INTERNAL_IP4_DNS, &[])
            .variable(ConfigAttribute::INTERNAL_IP4_SUBNET, &[]);
    }
    if ipv6 {
        list.variable(ConfigAttribute::INTERNAL_IP6_ADDRESS, &wish(false))
            .variable(ConfigAttribute::INTERNAL_IP6_DNS, &[])
            .variable(ConfigAttribute::INTERNAL_IP6_SUBNET, &[]);
    }
    for kind in [ConfigAttribute::UNITY_BANNER, ConfigAttribute::UNITY_DEF_DOMAIN, ConfigAttribute::UNITY_SPLIT_INCLUDE]
    {
        list.variable(kind, &[]);
    }
    list
}

/// What a gateway has for a client.
pub(super) struct Gift<'a> {
    pub(super) pool: &'a Pool,
    pub(super) addresses: &'a [IpAddr],
    /// Seconds that the addresses are the client's at least.
    pub(super) expiry: u32,
}

impl Gift<'_> {
    /// All of it, for a client that did not ask.
    pub(super) fn whole(&self) -> AttributeWriter {
        let mut list = AttributeWriter::new();
        for address in self.addresses {
            list.variable(
                match address {
                    IpAddr::V4(_) => ConfigAttribute::INTERNAL_IP4_ADDRESS,
                    IpAddr::V6(_) => ConfigAttribute::INTERNAL_IP6_ADDRESS,
                },
                &octets(*address),
            );
        }
        for kind in [
            ConfigAttribute::INTERNAL_IP4_DNS,
            ConfigAttribute::INTERNAL_IP6_DNS,
            ConfigAttribute::UNITY_DEF_DOMAIN,
            ConfigAttribute::UNITY_BANNER,
            ConfigAttribute::UNITY_SPLIT_INCLUDE,
        ] {
            self.answer(kind, &mut list);
        }
        list
    }

    /// What it has of one kind.
    pub(super) fn answer(&self, kind: ConfigAttribute, list: &mut AttributeWriter) {
        let pool = self.pool;
        let all = |addresses: &[IpAddr], ipv4: bool| -> Vec<Vec<u8>> {
            addresses.iter().filter(|address| address.is_ipv4() == ipv4).map(|address| octets(*address)).collect()
        };
        let networks = |ipv4: bool| pool.split_networks.iter().filter(move |one| one.address().is_ipv4() == ipv4);
        let text = |text: &Option<String>| text.iter().map(|text| text.clone().into_bytes()).collect();
        let values: Vec<Vec<u8>> = match kind {
            ConfigAttribute::INTERNAL_IP4_ADDRESS => all(self.addresses, true),
            ConfigAttribute::INTERNAL_IP6_ADDRESS => all(self.addresses, false),
            // The address is one of a host: nothing is on a link with it.
            ConfigAttribute::INTERNAL_IP4_NETMASK if self.addresses.iter().any(IpAddr::is_ipv4) => {
                vec![vec![u8::MAX; 4]]
            }
            ConfigAttribute::INTERNAL_IP4_DNS => all(&pool.dns, true),
            ConfigAttribute::INTERNAL_IP6_DNS => all(&pool.dns, false),
            ConfigAttribute::INTERNAL_ADDRESS_EXPIRY if !self.addresses.is_empty() => {
                vec![self.expiry.to_be_bytes().to_vec()]
            }
            ConfigAttribute::INTERNAL_IP4_SUBNET => {
                networks(true).map(|one| [octets(one.address()), mask(*one).to_vec()].concat()).collect()
            }
            ConfigAttribute::INTERNAL_IP6_SUBNET => {
                networks(false).map(|one| [octets(one.address()), vec![one.prefix_len()]].concat()).collect()
            }
            ConfigAttribute::UNITY_SPLIT_INCLUDE => {
                let entries = networks(true).flat_map(|one| [octets(one.address()), mask(*one).to_vec(), vec![0; 6]]);
                let entries: Vec<u8> = entries.flatten().collect();
                if entries.is_empty() { Vec::new() } else { vec![entries] }
            }
            ConfigAttribute::UNITY_DEF_DOMAIN => text(&pool.domain),
            ConfigAttribute::UNITY_BANNER => text(&pool.banner),
            other => return general(other, list),
        };
        for value in values {
            list.variable(kind, &value);
        }
    }
}

/// What any host answers, whatever its policy.
pub(super) fn general(kind: ConfigAttribute, list: &mut AttributeWriter) {
    match kind {
        ConfigAttribute::APPLICATION_VERSION => {
            list.variable(kind, VERSION);
        }
        ConfigAttribute::SUPPORTED_ATTRIBUTES => {
            let all: Vec<u8> = SUPPORTED.iter().flat_map(|kind| kind.0.to_be_bytes()).collect();
            list.variable(kind, &all);
        }
        _ => {}
    }
}
