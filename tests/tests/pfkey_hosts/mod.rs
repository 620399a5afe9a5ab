//! Hosts with the PF_KEY driver, and the pairs that they install.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::IpAddr;
use std::time::Duration;

use ikecore::crypto::esp::Integrity;
use ikecore::ids::{AskId, IpsecSaId, Spi};
use ikecore::policy::selector::{Prefix, Selector};
use ikecore::proposal::suite::{EspCipher, IpsecSuite, Lifetime, Mode};
use ikecore::sa::driver::{
    Direction, SaAnswer, SaName, SaOp, SaPair, SaSpec, TrafficAction, TrafficPolicy, UdpEncapsulation, Usage,
};
use ikecore::secret::Secret;
use ikedaemon::driver::pfkey::PfkeyDriver;
use ikedaemon::driver::{DriverMessage, SaDriver as _};
use tests::netns::{A, B, Namespace, World};
use tokio::runtime::Runtime;

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) const AES_SHA1: IpsecSuite =
    IpsecSuite::Esp { cipher: EspCipher::Aes128Cbc, integrity: Some(Integrity::HmacSha1_96) };

/// A driver in a namespace, with what it said and was not asked for yet.
pub(crate) struct Host {
    pub(crate) driver: PfkeyDriver,
    pub(crate) asked: u64,
    pub(crate) events: VecDeque<DriverMessage>,
}

impl Host {
    pub(crate) fn new(runtime: &Runtime, namespace: &Namespace) -> Self {
        let handle = runtime.handle().clone();
        let driver = namespace.within(move || {
            let _context = handle.enter();
            PfkeyDriver::open()
        });
        Self { driver: driver.expect("the guest has PF_KEY"), asked: 0, events: VecDeque::new() }
    }

    pub(crate) fn ask(&mut self, runtime: &Runtime, operation: SaOp) -> SaAnswer {
        self.asked += 1;
        let ask = AskId(self.asked);
        self.driver.submit(ask, operation);
        loop {
            match self.next(runtime, PATIENCE).expect("an answer") {
                DriverMessage::Answer(answered, answer) => {
                    assert_eq!(answered, ask);
                    return answer;
                }
                event => self.events.push_back(event),
            }
        }
    }

    pub(crate) fn next(&mut self, runtime: &Runtime, patience: Duration) -> Option<DriverMessage> {
        let message = poll_fn(|context| self.driver.poll_message(context));
        runtime.block_on(async { tokio::time::timeout(patience, message).await.ok() })
    }

    pub(crate) fn event(&mut self, runtime: &Runtime, patience: Duration) -> Option<DriverMessage> {
        self.events.pop_front().or_else(|| self.next(runtime, patience))
    }

    pub(crate) fn attempt(&mut self, runtime: &Runtime, operation: SaOp) -> Result<(), String> {
        match self.ask(runtime, operation) {
            SaAnswer::Done(done) => done.map_err(|error| error.to_string()),
            other => panic!("{other:?}"),
        }
    }

    /// In two steps; if one is refused, what there is goes.
    pub(crate) fn install(&mut self, runtime: &Runtime, pair: SaPair) -> Result<(), String> {
        let (id, inbound) = (pair.id, pair.inbound.name());
        let done = pair.steps().into_iter().try_for_each(|step| self.attempt(runtime, step));
        done.inspect_err(|_| self.done(runtime, SaOp::Delete { id, inbound: vec![inbound] }))
    }

    #[track_caller]
    pub(crate) fn done(&mut self, runtime: &Runtime, operation: SaOp) {
        let shown = format!("{operation:?}");
        self.attempt(runtime, operation).unwrap_or_else(|error| panic!("{shown}: {error}"));
    }

    pub(crate) fn usage(&mut self, runtime: &Runtime, id: u64) -> Usage {
        match self.ask(runtime, SaOp::Query(IpsecSaId(id))) {
            SaAnswer::Usage(usage) => usage.expect("the pair is installed"),
            other => panic!("{other:?}"),
        }
    }

    /// An SPI for packets of `tunnel` that arrive here.
    pub(crate) fn spi(
        &mut self,
        runtime: &Runtime,
        suite: IpsecSuite,
        mode: Mode,
        source: IpAddr,
        destination: IpAddr,
    ) -> Spi {
        let operation = SaOp::AllocSpi { protocol: suite.protocol(), source, destination, mode, reqid: 7 };
        match self.ask(runtime, operation) {
            SaAnswer::Spi(spi) => spi.expect("an SPI"),
            other => panic!("{other:?}"),
        }
    }
}

/// Both hosts, each with a driver.
pub(crate) struct Pairs {
    pub(crate) world: World,
    pub(crate) runtime: Runtime,
    pub(crate) a: Host,
    pub(crate) b: Host,
}

/// What a pair is for.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) id: u64,
    pub(crate) suite: IpsecSuite,
    pub(crate) mode: Mode,
    /// Outer addresses.
    pub(crate) outer: (IpAddr, IpAddr),
    pub(crate) selector: Selector,
    pub(crate) encapsulation: bool,
    pub(crate) soft: Lifetime,
    pub(crate) hard: Lifetime,
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub(crate) fn prefix(text: &str) -> Prefix {
    let (address, len) = text.split_once('/').expect("a prefix");
    Prefix::new(ip(address), len.parse().expect("a length")).expect("a prefix")
}

impl Plan {
    pub(crate) fn transport() -> Self {
        let outer = (ip(A.wire), ip(B.wire));
        Self {
            id: 1,
            suite: AES_SHA1,
            mode: Mode::Transport,
            outer,
            selector: Selector::between(Prefix::host(outer.0), Prefix::host(outer.1)),
            encapsulation: false,
            soft: Lifetime::default(),
            hard: Lifetime::default(),
        }
    }

    pub(crate) fn tunnel() -> Self {
        let selector = Selector::between(prefix(A.net), prefix(B.net));
        Self { mode: Mode::Tunnel, selector, ..Self::transport() }
    }

    /// The same, seen from the other host.
    pub(crate) fn reversed(&self) -> Self {
        let Selector { local, remote, local_port, remote_port, .. } = self.selector;
        let selector = Selector {
            local: remote,
            remote: local,
            local_port: remote_port,
            remote_port: local_port,
            ..self.selector
        };
        Self { outer: (self.outer.1, self.outer.0), selector, ..self.clone() }
    }

    pub(crate) fn policy(&self) -> TrafficPolicy {
        let endpoints = (self.mode == Mode::Tunnel).then_some(self.outer);
        let action = TrafficAction::Protect {
            protocols: self.suite.alone().protocols(),
            mode: self.mode,
            endpoints,
            inbound_passthrough: false,
        };
        TrafficPolicy { selector: self.selector, action, priority: 100, reqid: 7 }
    }

    pub(crate) fn sa(&self, direction: Direction, spi: Spi) -> SaSpec {
        let (local, remote) = self.outer;
        let (source, destination) = if direction == Direction::Outbound { (local, remote) } else { (remote, local) };
        // The keys follow from the SPI, so that both hosts have the same.
        let key = |len: usize, salt: u8| {
            let octets = (0..len).map(|at| spi.0.to_be_bytes()[at % 4] ^ (at as u8) ^ salt).collect();
            Secret::new(octets)
        };
        SaSpec {
            direction,
            spi,
            suite: self.suite,
            mode: self.mode,
            source,
            destination,
            scope: ikecore::address::Scope::ANY,
            selector: self.selector,
            encapsulation: self.encapsulation.then_some(UdpEncapsulation { source_port: 4500, destination_port: 4500 }),
            encryption_key: key(self.suite.encryption_key_len(), 0),
            integrity_key: key(self.suite.integrity_key_len(), 0x55),
            cpi: None,
            outer: None,
            reqid: 7,
            replay_window: 64,
            extended_sequence_numbers: false,
            soft: self.soft,
            hard: self.hard,
        }
    }

    pub(crate) fn pair(&self, inbound: Spi, outbound: Spi) -> SaPair {
        SaPair {
            id: IpsecSaId(self.id),
            inbound: self.sa(Direction::Inbound, inbound),
            outbound: self.sa(Direction::Outbound, outbound),
            policy: self.policy(),
        }
    }

    pub(crate) fn name(&self, destination: IpAddr, spi: Spi) -> SaName {
        SaName { protocol: self.suite.protocol(), destination, spi }
    }
}

impl Pairs {
    pub(crate) fn new() -> Self {
        let world = World::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (a, b) = (Host::new(&runtime, &world.a), Host::new(&runtime, &world.b));
        Self { world, runtime, a, b }
    }

    /// SPIs for packets to `a` and to `b`.
    pub(crate) fn spis(&mut self, plan: &Plan) -> (Spi, Spi) {
        let (a, b) = plan.outer;
        let to_a = self.a.spi(&self.runtime, plan.suite, plan.mode, b, a);
        let to_b = self.b.spi(&self.runtime, plan.suite, plan.mode, a, b);
        (to_a, to_b)
    }

    /// Installs `plan`, as `a` sees it, at both hosts; returns the SPIs to `a` and to `b`.
    #[track_caller]
    pub(crate) fn install(&mut self, plan: &Plan) -> (Spi, Spi) {
        let (to_a, to_b) = self.spis(plan);
        self.b.install(&self.runtime, plan.reversed().pair(to_b, to_a)).expect("installed");
        self.a.install(&self.runtime, plan.pair(to_a, to_b)).expect("installed");
        (to_a, to_b)
    }

    #[track_caller]
    pub(crate) fn delete(&mut self, plan: &Plan, (to_a, to_b): (Spi, Spi)) {
        let (at_a, at_b) = (plan.name(plan.outer.0, to_a), plan.name(plan.outer.1, to_b));
        let id = IpsecSaId(plan.id);
        self.a.done(&self.runtime, SaOp::Delete { id, inbound: vec![at_a] });
        self.b.done(&self.runtime, SaOp::Delete { id, inbound: vec![at_b] });
    }

    #[track_caller]
    pub(crate) fn assert_empty(&self) {
        for namespace in [&self.world.a, &self.world.b] {
            assert_eq!(namespace.run("ip", &["xfrm", "state"]), "", "states at {}", namespace.name());
            // Neighbour discovery stays exempt.
            let policies = namespace.run("ip", &["xfrm", "policy"]);
            let left =
                policies.lines().filter(|line| line.starts_with("src") && !line.contains("proto ipv6-icmp type 13"));
            assert_eq!(left.count(), 0, "policies at {}: {policies}", namespace.name());
        }
    }
}
