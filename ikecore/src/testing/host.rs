//! A host for tests: an endpoint, a driver that only remembers, and everything that came out.
use crate::certificate::{CertificateFault, RevocationCheck, lists_from_file};
use crate::endpoint::{
    AddressOp, Answer, Ask, Command, Config, Endpoint, Input, LoggedKey, Output, Transmit, XauthCheck,
};
use crate::event::{Event, EventKind, Failure, NegotiationEvent};
use crate::exchange::work::Sign;
use crate::ids::{AskId, IpsecSaId, Spi};
use crate::policy::db::PolicyDb;
use crate::proposal::suite::CPIS;
use crate::sa::driver::{DriverError, SaAnswer, SaName, SaOp, SaPair, SaSpec, TrafficPolicy, Usage};
use crate::testing::SeededRandom;
use crate::time::Time;
use crate::wire::codes::ProtocolId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

/// The date of hosts that nobody told another: in January 2026.
pub const DATE: i64 = 1_767_900_000;

/// What a driver has been told, and how it misbehaves.
#[derive(Default, Debug)]
pub struct TestDriver {
    /// Inbound SAs of pairs of which the second step is not done.
    pub halves: BTreeMap<IpsecSaId, SaSpec>,
    /// Installed pairs.
    pub pairs: BTreeMap<IpsecSaId, SaPair>,
    /// Soft SAs.
    pub softs: BTreeMap<IpsecSaId, TrafficPolicy>,
    /// SPIs that are allocated and not installed.
    pub larval: BTreeSet<SaName>,
    /// The standing policies.
    pub policies: Vec<TrafficPolicy>,
    /// What queries are answered.
    pub usage: BTreeMap<IpsecSaId, Usage>,
    /// Fails this many operations of each kind from now on: SPIs, installations.
    pub fail_spis: usize,
    /// Fails this many first steps.
    pub fail_inbound: usize,
    /// Fails this many second steps.
    pub fail_outbound: usize,
    /// Fails this many soft SAs.
    pub fail_softs: usize,
    /// Answers nothing.
    pub mute: bool,
    /// Answers nothing after so many operations.
    pub mute_after: Option<usize>,
    next_spi: u32,
}

impl TestDriver {
    /// Whether the next operation stays without an answer.
    fn is_mute(&mut self) -> bool {
        self.mute |= self.mute_after == Some(0);
        self.mute_after = self.mute_after.map(|left| left.saturating_sub(1));
        self.mute
    }

    fn carry_out(&mut self, operation: SaOp) -> SaAnswer {
        let refuse = |operation: &str| DriverError {
            driver: "test",
            operation: operation.to_owned(),
            reason: "told to fail".to_owned(),
        };
        match operation {
            SaOp::AllocSpi { protocol, destination, .. } => {
                if self.fail_spis > 0 {
                    self.fail_spis -= 1;
                    return SaAnswer::Spi(Err(refuse("allocate an SPI")));
                }
                self.next_spi += 1;
                let spi = Spi(match protocol {
                    ProtocolId::IPCOMP => CPIS.start() + self.next_spi % (CPIS.end() - CPIS.start()),
                    _ => 0x1000_0000 + self.next_spi,
                });
                self.larval.insert(SaName { protocol, destination, spi });
                SaAnswer::Spi(Ok(spi))
            }
            SaOp::ReleaseSpi(name) => {
                self.larval.remove(&name);
                SaAnswer::Done(Ok(()))
            }
            SaOp::InstallInbound { id, sa } => {
                if self.fail_inbound > 0 {
                    self.fail_inbound -= 1;
                    return SaAnswer::Done(Err(refuse("add the inbound SA")));
                }
                for name in sa.names() {
                    assert!(self.larval.remove(&name), "{name} was not allocated");
                }
                assert!(self.halves.insert(id, *sa).is_none(), "a second first step of pair {id}");
                SaAnswer::Done(Ok(()))
            }
            SaOp::InstallOutbound { id, sa, policy } => {
                assert!(self.halves.contains_key(&id), "no first step of pair {id}");
                if self.fail_outbound > 0 {
                    self.fail_outbound -= 1;
                    return SaAnswer::Done(Err(refuse("add the outbound SA")));
                }
                if let Some(inbound) = self.halves.remove(&id) {
                    self.pairs.insert(id, SaPair { id, inbound, outbound: *sa, policy });
                }
                SaAnswer::Done(Ok(()))
            }
            SaOp::InstallSoft { id, policy } => {
                if self.fail_softs > 0 {
                    self.fail_softs -= 1;
                    return SaAnswer::Done(Err(refuse("add the policy")));
                }
                assert!(!self.pairs.contains_key(&id) && !self.halves.contains_key(&id), "{id} is a pair");
                assert!(self.softs.insert(id, policy).is_none(), "{id} is a soft SA");
                SaAnswer::Done(Ok(()))
            }
            SaOp::DeleteOutbound(id) => {
                if let Some(pair) = self.pairs.remove(&id) {
                    self.halves.insert(id, pair.inbound);
                }
                SaAnswer::Done(Ok(()))
            }
            SaOp::Delete { id, inbound } => {
                self.larval.retain(|name| !inbound.contains(name));
                self.halves.remove(&id);
                self.pairs.remove(&id);
                self.softs.remove(&id);
                SaAnswer::Done(Ok(()))
            }
            SaOp::Update { .. } => SaAnswer::Done(Ok(())),
            SaOp::Query(id) => SaAnswer::Usage(Ok(self.usage.get(&id).copied().unwrap_or_default())),
            SaOp::SetPolicies(policies) => {
                self.policies = policies;
                SaAnswer::Done(Ok(()))
            }
        }
    }
}

/// Signs for a host.
pub type Signer = fn(&Sign, &Host) -> Result<Vec<u8>, CertificateFault>;

/// A host.
pub struct Host {
    /// Its endpoint.
    pub endpoint: Endpoint,
    /// Its driver.
    pub driver: TestDriver,
    /// Every event so far.
    pub events: Vec<Event>,
    /// Datagrams that it sent and that nobody has taken.
    pub sent: VecDeque<Transmit>,
    /// Asks that were never answered, because the driver is mute.
    pub unanswered: Vec<AskId>,
    /// Keeps computations back in `held` instead of doing them.
    pub hold: bool,
    /// Computations that are kept back.
    pub held: Vec<(AskId, Ask)>,
    /// The files of the host: private keys, revocation lists.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    /// Signs in another way than with the private key.
    pub sign: Option<Signer>,
    /// The date, in seconds since 1970.
    pub date: i64,
    /// What revocation lists decide at least.
    pub revocation_check: RevocationCheck,
    /// What it gave to the key log.
    pub keys: Vec<LoggedKey>,
    /// When it wants to be woken.
    pub wake: Option<Time>,
    /// Names and passwords of the users that it admits.
    pub users: BTreeMap<String, Vec<u8>>,
    /// Addresses that peers gave to it.
    pub addresses: BTreeSet<IpAddr>,
    /// Refuses to take an address.
    pub no_addresses: bool,
    /// Checks of users that are kept back; `None`: none is.
    pub checks: Option<Vec<(AskId, XauthCheck)>>,
}

impl Host {
    /// A host with a policy, whose randomness comes of `seed`.
    pub fn new(config: Config, seed: u64, policy: PolicyDb) -> Self {
        let endpoint = Endpoint::new(config, Box::new(SeededRandom::new(seed)), Time::ZERO);
        let mut host = Self {
            endpoint,
            // Two hosts that draw the same SPIs would have the same keys in both directions.
            driver: TestDriver { next_spi: (seed as u32 & 0xfff) << 12, ..TestDriver::default() },
            events: Vec::new(),
            sent: VecDeque::new(),
            unanswered: Vec::new(),
            hold: false,
            held: Vec::new(),
            keys: Vec::new(),
            files: BTreeMap::new(),
            sign: None,
            date: DATE,
            revocation_check: RevocationCheck::Off,
            wake: None,
            users: BTreeMap::new(),
            addresses: BTreeSet::new(),
            no_addresses: false,
            checks: None,
        };
        host.feed(Time::ZERO, Input::Policy(Arc::new(policy)));
        host
    }

    /// Gives one input, then everything that comes of it except datagrams.
    pub fn feed(&mut self, now: Time, input: Input<'_>) {
        self.endpoint.handle(now, input);
        let mut answers = VecDeque::new();
        loop {
            match self.endpoint.poll() {
                Output::Transmit(transmit) => self.sent.push_back(transmit),
                Output::Event(event) => self.events.push(event),
                Output::Key(key) => self.keys.push(key),
                Output::Cancel(id) => {
                    answers.retain(|(of, _)| *of != id);
                    self.held.retain(|(of, _)| *of != id);
                }
                Output::Ask(id, Ask::Sa(_)) if self.driver.is_mute() => self.unanswered.push(id),
                Output::Ask(id, Ask::Xauth(check)) if self.checks.is_some() => {
                    self.checks.get_or_insert_default().push((id, check));
                }
                Output::Ask(id, ask) if self.hold && !matches!(ask, Ask::Sa(_)) => self.held.push((id, ask)),
                Output::Ask(id, ask) => answers.push_back((id, self.work(ask))),
                Output::Wait(wake) => {
                    self.wake = wake;
                    let Some((id, answer)) = answers.pop_front() else { return };
                    self.endpoint.handle(now, Input::Answer(id, answer));
                }
            }
        }
    }

    /// Whether a user is admitted.
    pub fn check(&self, check: &XauthCheck) -> Answer {
        let known = self.users.get(&check.user).is_some_and(|password| check.password.ct_eq(password));
        Answer::Xauth(if known { Ok(()) } else { Err("wrong name or password".to_owned()) })
    }

    fn address(&mut self, operation: AddressOp) -> Result<(), String> {
        match operation {
            AddressOp::Add(_) if self.no_addresses => return Err("told to fail".to_owned()),
            AddressOp::Add(address) => self.addresses.insert(address),
            AddressOp::Remove(address) => self.addresses.remove(&address),
        };
        Ok(())
    }

    /// What the driver and the workers answer.
    fn work(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::KeyExchange(work) => Answer::KeyExchange(work.run()),
            Ask::Sign(work) => Answer::Sign(match (self.sign, self.files.get(&work.own.private_key)) {
                (Some(sign), _) => sign(&work, self),
                (None, Some(file)) => work.run(file),
                (None, None) => Err(work.no_key("no such file".to_owned())),
            }),
            Ask::VerifyChain(work) => Answer::VerifyChain(work.run(self.date, self.revocation_check, &mut |path| {
                let name = path.display().to_string();
                let missing =
                    || CertificateFault::RevocationList { name: name.clone(), reason: "no such file".to_owned() };
                lists_from_file(&name, self.files.get(path).ok_or_else(missing)?)
            })),
            Ask::Sa(operation) => Answer::Sa(self.driver.carry_out(operation)),
            Ask::Xauth(check) => self.check(&check),
            Ask::Address(operation) => Answer::Address(self.address(operation)),
        }
    }

    /// Does the computations that were kept back, and from now on all at once.
    pub fn release(&mut self, now: Time) {
        self.hold = false;
        self.do_held(now);
    }

    /// Does the computations that were kept back.
    pub fn do_held(&mut self, now: Time) {
        for (id, ask) in core::mem::take(&mut self.held) {
            let answer = self.work(ask);
            self.feed(now, Input::Answer(id, answer));
        }
    }

    /// Gives a command.
    pub fn command(&mut self, now: Time, command: Command) {
        self.feed(now, Input::Command(command));
    }

    /// Gives a datagram.
    pub fn receive(&mut self, now: Time, local: SocketAddr, remote: SocketAddr, octets: &[u8]) {
        self.feed(now, Input::Datagram { local, remote, octets });
    }

    /// How every negotiation ended so far.
    pub fn ends(&self) -> Vec<Result<(), Failure>> {
        let ends = self.events.iter().filter_map(|event| match &event.kind {
            EventKind::Negotiation(NegotiationEvent::Succeeded { .. }) => Some(Ok(())),
            EventKind::Negotiation(NegotiationEvent::Failed { failure, .. }) => Some(Err(failure.clone())),
            _ => None,
        });
        ends.collect()
    }

    /// The failures of negotiations so far.
    pub fn failures(&self) -> Vec<Failure> {
        self.ends().into_iter().filter_map(Result::err).collect()
    }
}
