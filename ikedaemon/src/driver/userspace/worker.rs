//! The thread that moves packets: it owns the data path, the device, the sockets, and what was changed in the kernel.
use super::device::{Device, Line, RawSockets, Received, Tun, Wires};
use super::filter::Filter;
use super::plane::{Arrival, Effect, Plane};
use super::routing::{Routing, local_addresses};
use super::{NAME, packet};
use crate::driver::DriverMessage;
use bytes::Bytes;
use ikecore::ids::{AskId, IpsecSaId};
use ikecore::sa::driver::{DriverError, SaAnswer, SaOp};
use ikecore::time::Time;
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How often limits are looked at.
const TICK: Duration = Duration::from_millis(250);
/// How often the routes are laid anew.
const REFRESH: Duration = Duration::from_secs(5);
/// Packets of one source that are handled before others get their turn.
const BATCH: usize = 64;
/// Larger than any IP packet.
const ROOM: usize = 1 << 16;
/// How long the list of this host's addresses is believed.
const ADDRESSES_LIVE: Duration = Duration::from_secs(1);

/// What the driver's handle asks for.
pub(super) enum Request {
    /// An operation of the engine.
    Operation(AskId, SaOp),
}

/// An ESP packet that came in UDP.
pub(super) struct Encapsulated {
    /// This host's address and port.
    pub(super) local: SocketAddr,
    /// The peer's.
    pub(super) remote: SocketAddr,
    /// From the SPI on.
    pub(super) packet: Bytes,
}

/// The ends of the channels to the handle.
pub(super) struct Channels {
    /// Operations. Its closing ends the worker.
    pub(super) requests: mpsc::UnboundedReceiver<Request>,
    /// ESP in UDP.
    pub(super) encapsulated: mpsc::Receiver<Encapsulated>,
    /// What the engine is told.
    pub(super) messages: mpsc::UnboundedSender<DriverMessage>,
    /// Packets to send in UDP; those that find no room are dropped.
    pub(super) outgoing: mpsc::Sender<DriverMessage>,
}

/// All that the worker owns. On drop, the routes go before the device that they lead to.
pub(super) struct Parts {
    /// The data path.
    pub(super) plane: Plane,
    /// Rules and routes.
    pub(super) routing: Routing,
    /// The kernel's policies, where it has any.
    pub(super) filter: Option<Filter>,
    /// The device.
    pub(super) tun: Tun,
    /// The sockets.
    pub(super) sockets: RawSockets,
}

struct Worker {
    plane: Plane,
    routing: Routing,
    filter: Option<Filter>,
    device: Device,
    wires: Wires,
    messages: mpsc::UnboundedSender<DriverMessage>,
    outgoing: mpsc::Sender<DriverMessage>,
    origin: Instant,
    addresses: BTreeSet<IpAddr>,
    addresses_read: Option<Instant>,
}

/// Runs until the handle is dropped.
pub(super) fn run(parts: Parts, channels: Channels) {
    let Channels { mut requests, encapsulated, messages, outgoing } = channels;
    let lost = messages.clone();
    let result = tokio::runtime::Builder::new_current_thread().enable_all().build().and_then(|runtime| {
        runtime.block_on(async {
            let Parts { plane, routing, filter, tun, sockets } = parts;
            let mut worker = Worker {
                plane,
                routing,
                filter,
                device: Device::new(tun)?,
                wires: Wires::new(sockets)?,
                messages,
                outgoing,
                origin: Instant::now(),
                addresses: BTreeSet::new(),
                addresses_read: None,
            };
            if let Err(error) = worker.serve(&mut requests, encapsulated).await {
                let _ = worker.messages.send(DriverMessage::Lost(format!("{NAME}: {error}")));
                // What keeps clear text in stays until the driver is given up.
                while requests.recv().await.is_some() {}
            }
            Ok(())
        })
    });
    if let Err(error) = result {
        let _: Result<(), _> = lost.send(DriverMessage::Lost(format!("{NAME}: {error}")));
    }
}

impl Worker {
    fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    async fn serve(
        &mut self,
        requests: &mut mpsc::UnboundedReceiver<Request>,
        mut encapsulated: mpsc::Receiver<Encapsulated>,
    ) -> io::Result<()> {
        let mut room = vec![0; ROOM];
        let mut more = vec![0; ROOM];
        let mut refreshes = tokio::time::interval(REFRESH);
        refreshes.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                request = requests.recv() => match request {
                    Some(Request::Operation(ask, operation)) => self.operate(ask, operation),
                    None => return Ok(()),
                },
                read = self.device.read(&mut room) => {
                    let read = read?;
                    self.plane.host_packet(self.now(), room.get(..read).unwrap_or_default());
                    for _ in 1..BATCH {
                        let Some(read) = self.device.read_more(&mut more) else { break };
                        self.plane.host_packet(self.now(), more.get(..read).unwrap_or_default());
                    }
                }
                line = self.wires.wait_any() => {
                    let line = line?;
                    self.receive(line, &mut more);
                }
                Some(Encapsulated { local, remote, packet }) = encapsulated.recv() => {
                    self.plane.esp_packet(self.now(), &Arrival::in_udp(remote, local), &packet);
                }
                _ = ticks.tick(), if !self.plane.is_idle() => self.plane.tick(self.now()),
                _ = refreshes.tick() => self.routing.refresh(&self.plane.spd().captures()),
            }
            self.take_effects();
        }
    }

    fn receive(&mut self, line: Line, room: &mut [u8]) {
        for _ in 0..BATCH {
            match self.wires.receive(line, room) {
                Ok(Some(Received::Esp { arrival, range })) => {
                    self.plane.esp_packet(self.now(), &arrival, room.get(range).unwrap_or_default());
                }
                Ok(Some(Received::Ah { arrival, packet })) => self.plane.ah_packet(self.now(), &arrival, &packet),
                Ok(None) => {}
                // Nothing more, or an error that a sender of ICMP provoked: the next packet tells.
                Err(_) => return,
            }
        }
    }

    fn operate(&mut self, ask: AskId, operation: SaOp) {
        let installed = match &operation {
            SaOp::InstallOutbound { id, .. } | SaOp::InstallSoft { id, .. } => Some(*id),
            _ => None,
        };
        let changes = matches!(
            operation,
            SaOp::InstallOutbound { .. }
                | SaOp::InstallSoft { .. }
                | SaOp::DeleteOutbound(_)
                | SaOp::Delete { .. }
                | SaOp::SetPolicies(_)
        );
        let mut answer = self.plane.apply(self.now(), operation);
        if changes
            && matches!(answer, SaAnswer::Done(Ok(())))
            && let Err(reason) = self.follow_policies()
        {
            answer = self.undo(installed, reason);
        }
        let _ = self.messages.send(DriverMessage::Answer(ask, answer));
        if installed.is_some() {
            self.plane.release_held(self.now());
        }
    }

    /// Routes and the kernel's policies follow the policies of the data path.
    fn follow_policies(&mut self) -> Result<(), String> {
        let spd = self.plane.spd();
        self.routing.set_captures(&spd.captures())?;
        match &mut self.filter {
            Some(filter) => filter
                .set_policies(spd.in_order(), &local_addresses())
                .map_err(|error| format!("have the kernel refuse clear text: {error}")),
            None => Ok(()),
        }
    }

    fn undo(&mut self, installed: Option<IpsecSaId>, reason: String) -> SaAnswer {
        let operation = match installed {
            Some(id) => {
                self.plane.remove_outbound(id);
                // What was there before fitted.
                let _ = self.follow_policies();
                format!("route the traffic of {id}")
            }
            None => "route the traffic of the policies".to_owned(),
        };
        SaAnswer::Done(Err(DriverError { driver: NAME, operation, reason }))
    }

    fn take_effects(&mut self) {
        while let Some(effect) = self.plane.next_effect() {
            match effect {
                Effect::Network(packet) => self.wires.send(&packet),
                Effect::Host(packet) => self.give_to_host(&packet),
                // Sending is allowed to lose packets; telling is not.
                Effect::Message(message @ DriverMessage::SendEncapsulated { .. }) => {
                    let _ = self.outgoing.try_send(message);
                }
                Effect::Message(message) => {
                    let _ = self.messages.send(message);
                }
            }
        }
    }

    fn give_to_host(&mut self, octets: &[u8]) {
        let Some(packet) = packet::Packet::parse(octets) else { return };
        if packet.source.is_ipv4() || !self.is_own(packet.destination) {
            self.device.write(octets);
        } else if !self.is_own(packet.source) {
            // Nobody else speaks as this host. For IPv4 the kernel looks at that itself.
            self.wires.inject(packet.destination, octets);
        }
    }

    fn is_own(&mut self, address: IpAddr) -> bool {
        if self.addresses_read.is_none_or(|read| read.elapsed() > ADDRESSES_LIVE) {
            self.addresses = local_addresses();
            self.addresses_read = Some(Instant::now());
        }
        self.addresses.contains(&address)
    }
}
