//! The operations of the engine on the data path.
use super::{Pair, Plane, Sa};
use crate::driver::userspace::NAME;
use crate::driver::userspace::replay::ReplayWindow;
use ikecore::ids::{IpsecSaId, Spi};
use ikecore::proposal::suite::Mode;
use ikecore::sa::driver::{DriverError, SaAnswer, SaName, SaOp, SaPair, TrafficAction, TrafficPolicy, Usage};
use ikecore::time::Time;
use ikecore::wire::codes::ProtocolId;
use std::net::{IpAddr, SocketAddr};

/// SPIs below are reserved (RFC 4303 §2.1).
const LOWEST_SPI: u32 = 0x100;
/// How often a free SPI is looked for; each try fails with a chance of the SAs' number in 2^32.
const TRIES: usize = 16;

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
                self.reserved.remove(&(name.destination, name.spi));
                SaAnswer::Done(Ok(()))
            }
            SaOp::Install(pair) => SaAnswer::Done(self.install(now, &pair)),
            SaOp::Delete { id, .. } => {
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
        if protocol != ProtocolId::ESP {
            return Err(refuse(operation(), format!("this driver runs ESP only, not {protocol}")));
        }
        for _ in 0..TRIES {
            let mut octets = [0; 4];
            self.random.fill(&mut octets).map_err(|error| refuse(operation(), error.to_string()))?;
            let spi = Spi(u32::from_be_bytes(octets));
            let key = (destination, spi);
            if spi.0 >= LOWEST_SPI && !self.arrivals.contains_key(&key) && !self.reserved.contains_key(&key) {
                self.reserved.insert(key, SaName { protocol, destination, spi });
                return Ok(spi);
            }
        }
        Err(refuse(operation(), format!("{TRIES} random SPIs were all in use")))
    }

    fn install(&mut self, now: Time, pair: &SaPair) -> Result<(), DriverError> {
        let name = |spec: &ikecore::sa::driver::SaSpec| SaName {
            protocol: spec.suite.protocol(),
            destination: spec.destination,
            spi: spec.spi,
        };
        let adding = |direction: &str, spec| format!("add {direction} SA {}", name(spec));
        let inbound = Sa::new(&pair.inbound, now).map_err(|e| refuse(adding("inbound", &pair.inbound), e))?;
        let outbound = Sa::new(&pair.outbound, now).map_err(|e| refuse(adding("outbound", &pair.outbound), e))?;
        check_policy(&pair.policy)?;
        let key = (inbound.name.destination, inbound.name.spi);
        if self.arrivals.contains_key(&key) {
            return Err(refuse(adding("inbound", &pair.inbound), "there is an SA of this name"));
        }
        if self.pairs.values().any(|other| other.outbound.name == outbound.name) {
            return Err(refuse(adding("outbound", &pair.outbound), "there is an SA of this name"));
        }
        if self.pairs.contains_key(&pair.id) {
            return Err(refuse(format!("add the SAs of {}", pair.id), "a pair of this handle is installed"));
        }
        self.reserved.remove(&key);
        self.arrivals.insert(key, pair.id);
        self.serial += 1;
        let mut width = pair.inbound.replay_window;
        if pair.inbound.extended_sequence_numbers {
            // Without a window nothing tells the upper half; one packet is raised to the narrowest.
            width = width.max(1);
        }
        let window = ReplayWindow::new(width);
        let serial = self.serial;
        let installed =
            Pair { inbound, outbound, sequence: 0, window, replays: 0, integrity_failures: 0, mapping: None, serial };
        self.pairs.insert(pair.id, installed);
        self.spd.add_pair(pair.id, pair.policy);
        Ok(())
    }

    /// Sends what waited; packets that still have no SA wait again.
    pub(in crate::driver::userspace) fn release_held(&mut self, now: Time) {
        for packet in self.hold.take(now) {
            self.host_packet(now, &packet);
        }
    }

    /// Removes a pair; what is not there is no error.
    pub(in crate::driver::userspace) fn remove(&mut self, id: IpsecSaId) {
        self.spd.remove_pair(id);
        self.pairs.remove(&id);
        self.arrivals.retain(|_, own| *own != id);
    }

    fn update(&mut self, id: IpsecSaId, local: SocketAddr, remote: SocketAddr) -> Result<(), DriverError> {
        let operation = || format!("move the SAs of {id} to {local} and {remote}");
        let Some(pair) = self.pairs.get_mut(&id) else {
            return Err(refuse(operation(), "no such pair is installed"));
        };
        if local.is_ipv4() != remote.is_ipv4() {
            return Err(refuse(operation(), "the addresses are of two families"));
        }
        let key = (local.ip(), pair.inbound.name.spi);
        if self.arrivals.get(&key).is_some_and(|other| *other != id) {
            return Err(refuse(operation(), "there is an SA of this name"));
        }
        for (sa, source, destination) in [(&mut pair.inbound, remote, local), (&mut pair.outbound, local, remote)] {
            (sa.source, sa.name.destination) = (source.ip(), destination.ip());
            if let Some(encapsulation) = &mut sa.encapsulation {
                encapsulation.source_port = source.port();
                encapsulation.destination_port = destination.port();
            }
        }
        pair.mapping = None;
        self.arrivals.retain(|_, own| *own != id);
        self.arrivals.insert(key, id);
        Ok(())
    }

    fn usage(&self, id: IpsecSaId) -> Result<Usage, DriverError> {
        let Some(pair) = self.pairs.get(&id) else {
            return Err(refuse(format!("query the SAs of {id}"), "no such pair is installed"));
        };
        Ok(Usage {
            inbound_octets: pair.inbound.octets,
            inbound_packets: pair.inbound.packets,
            outbound_octets: pair.outbound.octets,
            outbound_packets: pair.outbound.packets,
            replays: pair.replays,
            integrity_failures: pair.integrity_failures,
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
    let TrafficAction::Protect { protocol, mode, endpoints, .. } = policy.action else { return Ok(()) };
    if protocol != ProtocolId::ESP {
        return Err(refuse(operation(), format!("this driver runs ESP only, not {protocol}")));
    }
    if mode == Mode::Tunnel && endpoints.is_none() {
        return Err(refuse(operation(), "tunnel mode needs the addresses of its two ends"));
    }
    Ok(())
}
