//! The operations of the engine on the data path.
use super::{Pair, Plane, Sa};
use crate::driver::userspace::NAME;
use crate::driver::userspace::replay::ReplayWindow;
use ikecore::address::Scope;
use ikecore::ids::{IpsecSaId, Spi};
use ikecore::proposal::suite::{CPIS, Mode};
use ikecore::sa::driver::{DriverError, SaAnswer, SaName, SaOp, SaSpec, TrafficAction, TrafficPolicy, Usage};
use ikecore::time::Time;
use ikecore::wire::codes::ProtocolId;
use std::net::{IpAddr, SocketAddr};

/// SPIs below are reserved (RFC 4303 §2.1).
const LOWEST_SPI: u32 = 0x100;
/// How often a free SPI is looked for; each try fails with a chance of the SAs' number in 2^32.
const TRIES: usize = 16;
/// Why nothing that is link-local is protected: packets for a link go out by its device whatever the routes say.
const NO_LINKS: &str = "this driver cannot protect link-local addresses: packets from and to them never pass its device; \
                        allowed: the driver xfrm";

fn refuse(operation: String, reason: impl Into<String>) -> DriverError {
    DriverError { driver: NAME, operation, reason: reason.into() }
}

impl Plane {
    /// Does one operation.
    pub(in crate::driver::userspace) fn apply(&mut self, now: Time, operation: SaOp) -> SaAnswer {
        match operation {
            SaOp::AllocSpi { protocol, source, destination, .. } => {
                SaAnswer::Spi(self.alloc_spi(protocol, source, destination))
            }
            SaOp::ReleaseSpi(name) => {
                self.reserved.remove(&name);
                SaAnswer::Done(Ok(()))
            }
            SaOp::InstallInbound { id, sa } => SaAnswer::Done(self.install_inbound(now, id, &sa)),
            SaOp::InstallOutbound { id, sa, policy } => SaAnswer::Done(self.install_outbound(now, id, &sa, policy)),
            SaOp::InstallSoft { id, policy } => SaAnswer::Done(self.install_soft(id, policy)),
            SaOp::DeleteOutbound(id) => {
                self.remove_outbound(id);
                SaAnswer::Done(Ok(()))
            }
            SaOp::Delete { id, inbound } => {
                self.reserved.retain(|name| !inbound.contains(name));
                self.remove(id);
                SaAnswer::Done(Ok(()))
            }
            SaOp::Update { id, local, remote } => SaAnswer::Done(self.update(id, local, remote)),
            SaOp::Query(id) => SaAnswer::Usage(self.usage(id)),
            SaOp::SetPolicies(policies) => SaAnswer::Done(self.set_policies(policies)),
        }
    }

    fn alloc_spi(&mut self, protocol: ProtocolId, source: IpAddr, destination: IpAddr) -> Result<Spi, DriverError> {
        let operation = || format!("choose an SPI for {protocol} from {source} to {destination}");
        if ![ProtocolId::ESP, ProtocolId::AH, ProtocolId::IPCOMP].contains(&protocol) {
            return Err(refuse(operation(), format!("this driver runs ESP, AH and IPComp, not {protocol}")));
        }
        for _ in 0..TRIES {
            let mut octets = [0; 4];
            self.random.fill(&mut octets).map_err(|error| refuse(operation(), error.to_string()))?;
            let drawn = u32::from_be_bytes(octets);
            let spi = Spi(match protocol {
                ProtocolId::IPCOMP => CPIS.start() + drawn % (CPIS.end() - CPIS.start() + 1),
                _ => drawn,
            });
            let name = SaName { protocol, destination, spi };
            let taken = match protocol {
                ProtocolId::IPCOMP => self.pairs.values().any(|pair| pair.inbound.cpi == Some(spi)),
                _ => self.arrivals.contains_key(&name),
            };
            if spi.0 >= LOWEST_SPI && !taken && self.reserved.insert(name) {
                return Ok(spi);
            }
        }
        Err(refuse(operation(), format!("{TRIES} random SPIs were all in use")))
    }

    fn install_inbound(&mut self, now: Time, id: IpsecSaId, spec: &SaSpec) -> Result<(), DriverError> {
        let operation = || format!("add inbound SA {}", spec.name());
        if spec.scope != Scope::ANY {
            return Err(refuse(operation(), NO_LINKS));
        }
        let inbound = Sa::new(spec, now).map_err(|reason| refuse(operation(), reason))?;
        if inbound.names().any(|name| self.arrivals.contains_key(&name)) {
            return Err(refuse(operation(), "there is an SA of this name"));
        }
        if self.is_in_use(id) {
            return Err(refuse(operation(), format!("there is one of pair {id}")));
        }
        self.reserved.retain(|reserved| spec.names().all(|name| name != *reserved));
        self.arrivals.extend(inbound.names().map(|name| (name, id)));
        let mut width = spec.replay_window;
        if spec.extended_sequence_numbers {
            // Without a window nothing tells the upper half; one packet is raised to the narrowest.
            width = width.max(1);
        }
        let window = ReplayWindow::new(width);
        let installed = Pair {
            inbound,
            outbound: None,
            sequence: 0,
            window,
            outer_window: ReplayWindow::new(width),
            replays: 0,
            integrity_failures: 0,
            mapping: None,
            serial: 0,
        };
        self.pairs.insert(id, installed);
        Ok(())
    }

    fn install_outbound(
        &mut self,
        now: Time,
        id: IpsecSaId,
        spec: &SaSpec,
        policy: TrafficPolicy,
    ) -> Result<(), DriverError> {
        let operation = || format!("add outbound SA {}", spec.name());
        let outbound = Sa::new(spec, now).map_err(|reason| refuse(operation(), reason))?;
        check_policy(&policy)?;
        let mut others = self.pairs.values().filter_map(|other| other.outbound.as_ref());
        if others.any(|other| other.names().any(|name| outbound.names().any(|own| own == name))) {
            return Err(refuse(operation(), "there is an SA of this name"));
        }
        let Some(pair) = self.pairs.get_mut(&id).filter(|pair| pair.outbound.is_none()) else {
            return Err(refuse(operation(), format!("pair {id} does not wait for it")));
        };
        pair.outbound = Some(outbound);
        self.serial += 1;
        pair.serial = self.serial;
        self.spd.add_pair(id, policy);
        Ok(())
    }

    fn is_in_use(&self, id: IpsecSaId) -> bool {
        self.pairs.contains_key(&id) || self.spd.contains(id)
    }

    fn install_soft(&mut self, id: IpsecSaId, policy: TrafficPolicy) -> Result<(), DriverError> {
        if self.is_in_use(id) {
            return Err(refuse(format!("add soft SA {id}"), "its handle is in use"));
        }
        check_policy(&policy)?;
        self.spd.add_pair(id, policy);
        Ok(())
    }

    /// Undoes the second step of a pair, or a soft SA.
    pub(in crate::driver::userspace) fn remove_outbound(&mut self, id: IpsecSaId) {
        self.spd.remove_pair(id);
        if let Some(pair) = self.pairs.get_mut(&id) {
            pair.outbound = None;
        }
    }

    /// Sends what waited; packets that still have no SA wait again.
    pub(in crate::driver::userspace) fn release_held(&mut self, now: Time) {
        for packet in self.hold.take(now) {
            self.host_packet(now, &packet);
        }
    }

    /// Removes a pair or soft SA; what is not there is no error.
    pub(in crate::driver::userspace) fn remove(&mut self, id: IpsecSaId) {
        self.spd.remove_pair(id);
        self.pairs.remove(&id);
        self.arrivals.retain(|_, own| *own != id);
    }

    fn update(&mut self, id: IpsecSaId, local: SocketAddr, remote: SocketAddr) -> Result<(), DriverError> {
        let operation = || format!("move the SAs of {id} to {local} and {remote}");
        let Some(Pair { inbound, outbound: Some(outbound), mapping, .. }) = self.pairs.get_mut(&id) else {
            return Err(refuse(operation(), "no such pair is installed"));
        };
        if local.is_ipv4() != remote.is_ipv4() {
            return Err(refuse(operation(), "the addresses are of two families"));
        }
        let mut names = inbound.names().map(|name| SaName { destination: local.ip(), ..name });
        if names.any(|name| self.arrivals.get(&name).is_some_and(|other| *other != id)) {
            return Err(refuse(operation(), "there is an SA of this name"));
        }
        for (sa, source, destination) in [(&mut *inbound, remote, local), (outbound, local, remote)] {
            (sa.source, sa.name.destination) = (source.ip(), destination.ip());
            if let Some(encapsulation) = &mut sa.encapsulation {
                encapsulation.source_port = source.port();
                encapsulation.destination_port = destination.port();
            }
        }
        *mapping = None;
        self.arrivals.retain(|_, own| *own != id);
        self.arrivals.extend(inbound.names().map(|name| (name, id)));
        Ok(())
    }

    fn usage(&self, id: IpsecSaId) -> Result<Usage, DriverError> {
        let Some(pair) = self.pairs.get(&id) else {
            return Err(refuse(format!("query the SAs of {id}"), "no such pair is installed"));
        };
        let (outbound_octets, outbound_packets) =
            pair.outbound.as_ref().map_or((0, 0), |outbound| (outbound.octets, outbound.packets));
        Ok(Usage {
            inbound_octets: pair.inbound.octets,
            inbound_packets: pair.inbound.packets,
            outbound_octets,
            outbound_packets,
            replays: Some(pair.replays),
            integrity_failures: Some(pair.integrity_failures),
        })
    }

    fn set_policies(&mut self, policies: Vec<TrafficPolicy>) -> Result<(), DriverError> {
        policies.iter().try_for_each(check_policy)?;
        self.spd.set_standing(policies);
        Ok(())
    }
}

/// Refuses what this driver cannot enforce.
fn check_policy(policy: &TrafficPolicy) -> Result<(), DriverError> {
    let operation = || format!("add policy {}", policy.selector);
    if policy.selector.scope != Scope::ANY {
        return Err(refuse(operation(), NO_LINKS));
    }
    let TrafficAction::Protect { mode, endpoints, .. } = policy.action else { return Ok(()) };
    if mode == Mode::Tunnel && endpoints.is_none() {
        return Err(refuse(operation(), "tunnel mode needs the addresses of its two ends"));
    }
    Ok(())
}
