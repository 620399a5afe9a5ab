//! One suite of tests for every SA driver: what [`SaDriver`] and [`SaOp`](ikecore::sa::driver::SaOp) promise.
//!
//! The suite knows drivers by the trait only. Where they stand, and how packets travel, a [`Place`] says.
mod bench;
mod control;
mod policies;
mod traffic;

use std::net::{IpAddr, UdpSocket};

use ikedaemon::driver::{Capabilities, SaDriver};

use crate::netns::{A, Addresses, B, World};
use bench::Bench;

/// One of the two hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// The first.
    A,
    /// The second.
    B,
}

impl Host {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// The other one.
    pub const fn peer(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// Its addresses.
    pub const fn addresses(self) -> Addresses {
        match self {
            Self::A => A,
            Self::B => B,
        }
    }
}

/// Where the drivers stand.
pub trait Place {
    /// Opens the driver of `host`. A tokio runtime is there.
    fn open(&mut self, host: Host) -> Box<dyn SaDriver>;

    /// A UDP socket of `host`, bound to this address and port (0: any).
    fn socket(&mut self, host: Host, address: IpAddr, port: u16) -> UdpSocket;
}

/// Two network namespaces, with a driver made by a function that is called inside them.
pub struct Namespaces<F> {
    world: World,
    open: F,
}

impl<F> std::fmt::Debug for Namespaces<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Namespaces").field("world", &self.world).finish_non_exhaustive()
    }
}

impl<F: Fn() -> Box<dyn SaDriver> + Clone + Send + 'static> Namespaces<F> {
    /// Makes the namespaces.
    pub fn new(open: F) -> Self {
        Self { world: World::new(), open }
    }

    const fn namespace(&self, host: Host) -> &crate::netns::Namespace {
        match host {
            Host::A => &self.world.a,
            Host::B => &self.world.b,
        }
    }
}

impl<F: Fn() -> Box<dyn SaDriver> + Clone + Send + 'static> Place for Namespaces<F> {
    fn open(&mut self, host: Host) -> Box<dyn SaDriver> {
        let (open, runtime) = (self.open.clone(), tokio::runtime::Handle::current());
        self.namespace(host).within(move || {
            let _in_runtime = runtime.enter();
            open()
        })
    }

    fn socket(&mut self, host: Host, address: IpAddr, port: u16) -> UdpSocket {
        self.namespace(host)
            .within(move || UdpSocket::bind((address, port)))
            .unwrap_or_else(|e| panic!("UDP socket on {address}:{port}: {e}"))
    }
}

/// What a case needs of the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Answers to operations that install no SA.
    Answers,
    /// SAs that can be installed; where they are none the worse for that no packet ever comes.
    Sas,
    /// Packets that meet policies, but no SAs.
    Policies,
    /// Packets that travel through SAs.
    Traffic,
}

/// One test.
#[derive(Clone, Copy)]
pub struct Case {
    /// What it shows.
    pub name: &'static str,
    /// What it needs.
    pub needs: Needs,
    /// Whether a driver with these capabilities must pass.
    applies: fn(&Capabilities) -> bool,
    body: fn(&mut Bench<'_>),
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("needs", &self.needs).finish_non_exhaustive()
    }
}

impl Case {
    const fn new(name: &'static str, needs: Needs, body: fn(&mut Bench<'_>)) -> Self {
        Self { name, needs, applies: |_| true, body }
    }

    const fn only(mut self, applies: fn(&Capabilities) -> bool) -> Self {
        self.applies = applies;
        self
    }

    /// Runs it; panics if the driver fails. Says so and does nothing where the driver cannot do what it is about.
    pub fn run(&self, place: &mut dyn Place) {
        let mut bench = Bench::new(place);
        let capabilities = bench.capabilities();
        if (self.applies)(&capabilities) {
            (self.body)(&mut bench);
        } else {
            println!("SKIPPED: {}: not with {}", self.name, capabilities.description);
        }
    }
}

/// All cases.
pub fn cases() -> Vec<Case> {
    [control::CASES, policies::CASES, traffic::CASES].concat()
}
