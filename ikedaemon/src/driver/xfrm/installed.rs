//! Installed pairs, and how one moves to other addresses or ports.
use super::netlink::Refusal;
use super::{XfrmDriver, failed, message};
use ikecore::ids::IpsecSaId;
use ikecore::proposal::suite::{Layer, Mode};
use ikecore::sa::driver::{DriverError, SaLayer, SaName, SaSpec, TrafficAction, TrafficPolicy, UdpEncapsulation};
use ikecore::secret::Secret;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NlasIterator, Parseable};
use netlink_packet_xfrm::{
    UserSaInfo, XFRM_MSG_NEWSA, XFRM_USER_SA_INFO_LEN, XFRMA_REPLAY_ESN_VAL, XFRMA_REPLAY_VAL, XfrmAttrs, XfrmMessage,
};
use nix::errno::Errno;
use std::net::SocketAddr;

/// How far the sequence number of a moved SA jumps: more packets than leave between reading it and deleting the SA.
const JUMP: u32 = 1024;

/// A pair in the kernel.
pub(super) struct Installed {
    inbound: SaSpec,
    /// Once the second step is done.
    outbound: Option<(SaSpec, TrafficPolicy)>,
}

/// Keeps what later operations need: of the keys nothing, unless a NAT may make the SA move.
fn without_keys(mut spec: SaSpec) -> SaSpec {
    if spec.encapsulation.is_none() {
        spec.encryption_key = Secret::new(Vec::new());
        spec.integrity_key = Secret::new(Vec::new());
        if let Some(outer) = &mut spec.outer {
            outer.key = Secret::new(Vec::new());
        }
    }
    spec
}

impl Installed {
    /// After the first step.
    pub(super) fn new(inbound: SaSpec) -> Self {
        Self { inbound: without_keys(inbound), outbound: None }
    }

    /// After the second step.
    pub(super) fn complete(&mut self, outbound: SaSpec, policy: TrafficPolicy) {
        self.outbound = Some((without_keys(outbound), policy));
    }

    /// Back to what it was after the first step; what was added since, if anything.
    pub(super) fn halve(&mut self) -> Option<SaSpec> {
        self.outbound.take().map(|(outbound, _)| outbound)
    }

    /// True after the second step.
    pub(super) const fn is_whole(&self) -> bool {
        self.outbound.is_some()
    }

    /// The inbound SA and, if it is there, the outbound one; of each the main layer.
    pub(super) fn main_names(&self) -> impl Iterator<Item = SaName> {
        let outbound = self.outbound.as_ref().map(|(outbound, _)| outbound.name());
        core::iter::once(self.inbound.name()).chain(outbound)
    }

    /// All layers of the inbound SA and, if it is there, the outbound one.
    pub(super) fn names(&self) -> impl Iterator<Item = SaName> {
        let outbound = self.outbound.iter().flat_map(|(outbound, _)| outbound.names());
        self.inbound.names().chain(outbound)
    }
}

impl XfrmDriver {
    /// Changes the outer addresses and ports of a pair.
    pub(super) fn update(&mut self, id: IpsecSaId, local: SocketAddr, remote: SocketAddr) -> Result<(), DriverError> {
        let operation = || format!("move pair {id} to {local} and {remote}");
        let Some(mut installed) = self.pairs.remove(&id) else {
            return Err(failed(operation(), "no such pair is installed"));
        };
        let outcome = self.move_pair(id, &mut installed, local, remote, &operation);
        self.pairs.insert(id, installed);
        outcome
    }

    fn move_pair(
        &mut self,
        id: IpsecSaId,
        installed: &mut Installed,
        local: SocketAddr,
        remote: SocketAddr,
        operation: &dyn Fn() -> String,
    ) -> Result<(), DriverError> {
        let Installed { inbound, outbound: Some((outbound, policy)) } = installed else {
            return Err(failed(operation(), "its outbound SA is not installed"));
        };
        if inbound.encapsulation.is_none() || outbound.encapsulation.is_none() {
            return Err(failed(operation(), "it is not encapsulated in UDP"));
        }
        let former = (inbound.destination, inbound.source);
        let moves = former != (local.ip(), remote.ip());
        if moves && inbound.mode == Mode::Transport {
            // The addresses are those of the traffic itself, which selectors and policy are for.
            return Err(failed(operation(), "in transport mode only the ports can change"));
        }
        let before: Vec<SaName> = inbound.names().chain(outbound.names()).collect();
        readdress(inbound, remote, local);
        readdress(outbound, local, remote);
        if !moves {
            // Only ESP has ports.
            let main = |layer: &SaLayer<'_>| matches!(layer.layer, Layer::Sa(_));
            for (spec, layer) in [&*inbound, &*outbound].into_iter().flat_map(layered).filter(|(_, of)| main(of)) {
                // The kernel takes over new ports in place; counters and sequence numbers stay.
                let request = message::state(spec, &layer).map_err(|reason| failed(operation(), reason))?;
                self.kernel
                    .request(XfrmMessage::UpdateSa(request.take()), NLM_F_REPLACE)
                    .map_err(|refusal| failed(operation(), refusal))?;
            }
            return Ok(());
        }
        for ((spec, layer), name) in [&*inbound, &*outbound].into_iter().flat_map(layered).zip(before) {
            self.move_state(spec, &layer, name)
                .map_err(|refusal| failed(format_args!("{}: SA {name}", operation()), refusal))?;
            self.names.remove(&name);
            self.names.insert(spec.name_of(&layer));
        }
        if let TrafficAction::Protect { endpoints: Some(endpoints), .. } = &mut policy.action {
            *endpoints = (local.ip(), remote.ip());
        }
        let changes = self.policies.install(id, *policy);
        self.apply(&changes)
    }

    /// Replaces the SA `name` by `layer` of `spec`; sequence numbers, window and counters go along.
    fn move_state(&mut self, spec: &SaSpec, layer: &SaLayer<'_>, name: SaName) -> Result<(), Refusal> {
        let unfit = |text| Refusal { errno: Errno::EINVAL, text: Some(text) };
        let mut request = message::state(spec, layer).map_err(unfit)?;
        let get = message::state_name(name).map_err(unfit)?;
        let delete = get.clone();
        let mut carried = Vec::new();
        self.kernel.exchange(XfrmMessage::GetSa(get), 0, &mut |message_type, payload| {
            if message_type == XFRM_MSG_NEWSA {
                carried = carry(payload, spec.extended_sequence_numbers);
            }
        })?;
        // With a wide window, the kernel's own takes the place of an empty one.
        request.attributes().retain(|attribute| !matches!(attribute, XfrmAttrs::ReplayStateEsn(_)));
        request.attributes().append(&mut carried);
        self.kernel.request(XfrmMessage::DeleteSa(delete), 0)?;
        self.kernel.request(XfrmMessage::AddSa(request.take()), NLM_F_CREATE | NLM_F_EXCL)
    }
}

/// The layers of a direction, each with the whole.
fn layered(spec: &SaSpec) -> impl Iterator<Item = (&SaSpec, SaLayer<'_>)> {
    spec.layers().map(move |layer| (spec, layer))
}

fn readdress(spec: &mut SaSpec, source: SocketAddr, destination: SocketAddr) {
    spec.source = source.ip();
    spec.destination = destination.ip();
    spec.encapsulation = Some(UdpEncapsulation { source_port: source.port(), destination_port: destination.port() });
}

/// What an SA takes along when it is made anew. Of the attributes, only these are looked at: others hold keys.
fn carry(payload: &[u8], extended: bool) -> Vec<XfrmAttrs> {
    let Ok(info) = UserSaInfo::parse(payload) else { return Vec::new() };
    let attributes = payload.get(XFRM_USER_SA_INFO_LEN..).unwrap_or_default();
    let mut carried = vec![XfrmAttrs::LifetimeBytes(info.lifetime_cur)];
    for attribute in NlasIterator::new(attributes).filter_map(Result::ok) {
        if ![XFRMA_REPLAY_VAL, XFRMA_REPLAY_ESN_VAL].contains(&attribute.kind()) {
            continue;
        }
        match XfrmAttrs::parse(&attribute) {
            Ok(XfrmAttrs::ReplayState(mut replay)) => {
                replay.oseq = jump(replay.oseq);
                carried.push(XfrmAttrs::ReplayState(replay));
            }
            Ok(XfrmAttrs::ReplayStateEsn(mut replay)) => {
                (replay.oseq_hi, replay.oseq) = match extended {
                    true => jump_extended(replay.oseq_hi, replay.oseq),
                    false => (replay.oseq_hi, jump(replay.oseq)),
                };
                carried.push(XfrmAttrs::ReplayStateEsn(replay));
            }
            _ => {}
        }
    }
    carried
}

/// RFC 4303 §2.2: a sequence number never comes again, so rather leave some out.
const fn jump(sequence: u32) -> u32 {
    if sequence == 0 { 0 } else { sequence.saturating_add(JUMP) }
}

/// The same for a number of 64 bits, in two halves.
const fn jump_extended(upper: u32, lower: u32) -> (u32, u32) {
    match lower.checked_add(JUMP) {
        _ if upper == 0 && lower == 0 => (0, 0),
        Some(lower) => (upper, lower),
        None if upper == u32::MAX => (u32::MAX, u32::MAX),
        None => (upper + 1, lower.wrapping_add(JUMP)),
    }
}

#[cfg(test)]
mod tests {
    use super::{jump, jump_extended};

    #[test]
    fn sequence_numbers_jump_but_never_wrap() {
        assert_eq!([0, 1, 5000, u32::MAX - 1].map(jump), [0, 1025, 6024, u32::MAX]);
        let halves = [(0, 0), (0, 1), (0, u32::MAX - 1), (u32::MAX, u32::MAX - 1)];
        let jumped = [(0, 0), (0, 1025), (1, 1022), (u32::MAX, u32::MAX)];
        assert_eq!(halves.map(|(upper, lower)| jump_extended(upper, lower)), jumped);
    }
}
