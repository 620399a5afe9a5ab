//! The children of a connection.
use std::net::IpAddr;

use super::super::connection::{Child, Filter, ModeConfig, Protection, What};
use super::super::proposal::{self, Reading};
use super::super::selector::{self, Ends, Side};
use super::super::tree::Section;
use super::super::values::{is_yes, list, octets, time};
use super::super::{Syntax, connection::Offer};
use super::{Reader, shunt};

/// Whether a child negotiates nothing.
pub(super) fn is_shunt(section: &Section) -> bool {
    section.option("mode").is_some_and(|entry| shunt(entry.value.trim()).is_some())
}

impl Reader<'_> {
    /// The children of a connection between these addresses.
    pub(super) fn children(
        &self,
        sections: &[Section],
        local: Option<IpAddr>,
        remote: Option<IpAddr>,
        mode_config: &Option<ModeConfig>,
    ) -> Vec<Child> {
        let gets = matches!(mode_config, Some(ModeConfig::Client { .. }));
        let gives = matches!(mode_config, Some(ModeConfig::Server { .. }));
        let child = |section: &Section| {
            let mode = section.option("mode");
            let what = match mode.map_or("", |entry| entry.value.trim()) {
                "" | "tunnel" => What::Protect(protection(section, true)?),
                "transport" => What::Protect(protection(section, false)?),
                other => match (shunt(other), mode) {
                    (Some(shunt), _) => shunt,
                    (None, Some(entry)) => {
                        entry.lost("there are tunnel and transport mode: the child is left out", "use one of them");
                        return None;
                    }
                    (None, None) => return None,
                },
            };
            if let Some(entry) =
                section.option("start_action").filter(|entry| matches!(entry.value.trim(), "start" | "trap|start"))
            {
                entry.differs(
                    "the first packet has SAs negotiated, or `policyagent initiate`; not the start of the service",
                );
            }
            let negotiates = matches!(what, What::Protect(_));
            let ends = Ends { local, remote, gets: gets && negotiates, gives: gives && negotiates };
            let filters = self.filters(section, ends, negotiates);
            (!filters.is_empty()).then(|| Child { name: section.name.clone(), what, filters })
        };
        sections.iter().filter_map(child).collect()
    }

    fn filters(&self, section: &Section, ends: Ends, negotiates: bool) -> Vec<Filter> {
        let sides = |name: &str| {
            let Some(entry) = section.option(name).filter(|entry| !entry.value.is_empty()) else {
                return vec![Side::DYNAMIC];
            };
            let mut sides = Vec::new();
            for text in list(&entry.value) {
                match selector::traffic_selector(self.context, text) {
                    Ok(side) => sides.push(side),
                    Err(why) => entry.lost(format!("{text:?}: {why}"), "write a filter for it by hand"),
                }
            }
            if negotiates && sides.len() > 1 {
                entry.lost(
                    "IKEv1 has one selector a side: only the first is taken, as strongSwan does with IKEv1",
                    "add a filter for each pair for which the peer has a child, too",
                );
                sides.truncate(1);
            }
            sides
        };
        let (local, remote) = (sides("local_ts"), sides("remote_ts"));
        let mut filters = Vec::new();
        for one in &local {
            for other in &remote {
                match selector::filter(ends, one, other) {
                    Ok(filter) => filters.push(filter),
                    Err(why) => {
                        let entry = ["remote_ts", "local_ts", "mode"].iter().find_map(|name| section.option(name));
                        if let Some(entry) = entry {
                            entry.lost(format!("no filter comes of it: {why}"), "write a filter by hand");
                        }
                    }
                }
            }
        }
        filters
    }
}

/// How a child protects; `None` if none of its proposals is available.
fn protection(section: &Section, tunnel: bool) -> Option<Protection> {
    let value = |name: &str| section.option(name).map_or("", |entry| entry.value.trim());
    let ah = section.option("ah_proposals").filter(|entry| !entry.value.is_empty());
    let esp = section.option("esp_proposals").filter(|entry| !entry.value.is_empty());
    // Compressed is preferred, and may be refused.
    let compression = is_yes(value("ipcomp")).then_some(false);
    let reading = Reading { syntax: Syntax::Swanctl, ah: false, sha256_96: is_yes(value("sha256_96")), compression };
    let mut offers: Vec<Offer> = Vec::new();
    let mut group = None;
    if ah.is_none() || esp.is_some() {
        let read = proposal::quick_mode(esp, reading);
        offers.extend(read.offers);
        group = read.group;
    }
    if let Some(entry) = ah {
        let read = proposal::quick_mode(Some(entry), Reading { ah: true, ..reading });
        offers.extend(read.offers);
        group = group.or(read.group);
    }
    if offers.is_empty() {
        return None;
    }
    const HOUR: u64 = 3600;
    let rekey = time(section.option("rekey_time"), HOUR);
    let life = time(section.option("life_time"), rekey.saturating_add(rekey / 10));
    let volume = |name: &str| {
        let entry = section.option(name).filter(|entry| !entry.value.is_empty())?;
        let octets = octets(&entry.value);
        if octets.is_none() {
            entry.lost("is no number of octets: SAs have no limit of them", "write a number");
        }
        octets
    };
    let rekey_bytes = volume("rekey_bytes").unwrap_or(0);
    let life_bytes = volume("life_bytes").unwrap_or_else(|| rekey_bytes.saturating_add(rekey_bytes / 10));
    Some(Protection {
        tunnel,
        offers,
        pfs: group,
        // Without rekeying and without a limit SAs live on; ours have the longest life that there is.
        seconds: if life == 0 { u64::MAX } else { life },
        kilobytes: life_bytes.div_ceil(1024),
        idle: time(section.option("inactivity"), 0),
    })
}
