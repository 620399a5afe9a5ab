//! Asks that are under way, and whose they are.
use super::Endpoint;
use super::io::Output;
use crate::exchange::runner::BranchNumber;
use crate::exchange::work::{Answer, Ask};
use crate::ids::{AskId, IkeSaId, IpsecSaId, MessageId};
use crate::sa::driver::{SaAnswer, SaName, SaOp};
use crate::wire::ProtocolId;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Whose an ask is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Owner {
    /// A branch of a main mode.
    MainMode(IkeSaId, BranchNumber),
    /// A quick mode.
    QuickMode(IkeSaId, MessageId, BranchNumber),
    /// A transaction.
    Transaction(IkeSaId, MessageId, BranchNumber),
    /// The preparation of an ISAKMP SA: an address is being added.
    Address(IkeSaId),
    /// A look at the traffic of a pair with the peer of an ISAKMP SA.
    Look(IkeSaId, IpsecSaId),
    /// A look whether a pair carries anything.
    Idle(IpsecSaId),
    /// A soft SA is being installed.
    SoftSa(IpsecSaId),
    /// Nobody waits for it, except that an SPI must be given back.
    Nobody,
}

/// What an ask is, as far as it matters when its owner goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Of a worker.
    Work,
    AllocSpi(ProtocolId, IpAddr),
    Sa,
    /// Something that answers by itself even without a driver.
    Other,
}

impl Kind {
    /// True if the driver does it.
    const fn is_of_driver(self) -> bool {
        matches!(self, Self::AllocSpi(..) | Self::Sa)
    }
}

/// All asks under way.
#[derive(Default)]
pub(super) struct Asks {
    next: u64,
    waiting: BTreeMap<AskId, (Owner, Kind)>,
    owned: BTreeSet<(Owner, AskId)>,
}

impl Asks {
    /// True while something is to be done that must be done before the end: by the driver, or to this host's addresses.
    pub(super) fn driver_is_busy(&self) -> bool {
        self.waiting
            .values()
            .any(|(owner, kind)| kind.is_of_driver() || (*owner, *kind) == (Owner::Nobody, Kind::Other))
    }

    /// Forgets what the driver will not answer any more; gives the owners.
    pub(super) fn drop_driver(&mut self) -> Vec<Owner> {
        let lost: Vec<AskId> =
            self.waiting.iter().filter(|(_, (_, kind))| kind.is_of_driver()).map(|(id, _)| *id).collect();
        lost.into_iter().filter_map(|id| self.take(id)).map(|(owner, _)| owner).collect()
    }

    fn take(&mut self, id: AskId) -> Option<(Owner, Kind)> {
        let (owner, kind) = self.waiting.remove(&id)?;
        self.owned.remove(&(owner, id));
        Some((owner, kind))
    }

    /// True if there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

impl Endpoint {
    /// Sends work out.
    pub(super) fn ask(&mut self, owner: Owner, ask: Ask) {
        let kind = match &ask {
            Ask::KeyExchange(_) | Ask::Sign(_) | Ask::VerifyChain(_) => Kind::Work,
            Ask::Sa(SaOp::AllocSpi { protocol, destination, .. }) => Kind::AllocSpi(*protocol, *destination),
            Ask::Sa(_) => Kind::Sa,
            Ask::Xauth(_) | Ask::Address(_) => Kind::Other,
        };
        // A driver that is gone answers nothing.
        if kind.is_of_driver() && self.driver_lost.is_some() {
            return;
        }
        if let Ask::Sa(SaOp::InstallInbound { sa, .. } | SaOp::InstallOutbound { sa, .. }) = &ask {
            self.log_ipsec_key(sa);
        }
        let id = AskId(self.asks.next);
        self.asks.next += 1;
        self.asks.waiting.insert(id, (owner, kind));
        if owner != Owner::Nobody {
            self.asks.owned.insert((owner, id));
        }
        self.flush();
        self.outputs.push_back(Output::Ask(id, ask));
    }

    /// Sends work for the driver out whose answer only matters if it is a failure.
    pub(super) fn tell_driver(&mut self, operation: SaOp) {
        self.ask(Owner::Nobody, Ask::Sa(operation));
    }

    /// The owners from `first` to `last` are gone: computations are cancelled, SPIs on their way are given back when they
    /// come.
    pub(super) fn disown(&mut self, first: Owner, last: Owner) {
        let range = (first, AskId(0))..=(last, AskId(u64::MAX));
        let orphans: Vec<AskId> = self.asks.owned.range(range).map(|(_, id)| *id).collect();
        for id in orphans {
            let Some((_, kind)) = self.asks.take(id) else { continue };
            if kind == Kind::Work {
                self.flush();
                self.outputs.push_back(Output::Cancel(id));
            } else {
                self.asks.waiting.insert(id, (Owner::Nobody, kind));
            }
        }
    }

    /// A main mode is over.
    pub(super) fn disown_main_mode(&mut self, id: IkeSaId) {
        self.disown(Owner::MainMode(id, 0), Owner::MainMode(id, BranchNumber::MAX));
    }

    /// A quick mode is over.
    pub(super) fn disown_quick_mode(&mut self, id: IkeSaId, message_id: MessageId) {
        let owner = |branch| Owner::QuickMode(id, message_id, branch);
        self.disown(owner(0), owner(BranchNumber::MAX));
    }

    /// Takes an answer.
    pub(super) fn answered(&mut self, id: AskId, answer: Answer) {
        let Some((owner, kind)) = self.asks.take(id) else { return };
        match owner {
            Owner::MainMode(sa, branch) => self.main_mode_answer(sa, branch, answer),
            Owner::QuickMode(sa, message_id, branch) => self.quick_mode_answer(sa, message_id, branch, answer),
            Owner::Transaction(sa, message_id, branch) => self.transaction_answer(sa, message_id, branch, answer),
            Owner::Address(sa) => {
                if let Answer::Address(result) = answer {
                    self.address_added(sa, result);
                }
            }
            Owner::Look(sa, pair) => {
                let usage = match answer {
                    Answer::Sa(SaAnswer::Usage(Ok(usage))) => Some(usage),
                    _ => None,
                };
                self.looked(sa, pair, usage);
            }
            Owner::Idle(pair) => {
                if let Answer::Sa(SaAnswer::Usage(Ok(usage))) = answer {
                    self.idle_looked(pair, usage);
                }
            }
            Owner::SoftSa(id) => {
                if let Answer::Sa(SaAnswer::Done(result)) = answer {
                    self.soft_sa_installed(id, result);
                }
            }
            Owner::Nobody => match (answer, kind) {
                (Answer::Sa(SaAnswer::Spi(Ok(spi))), Kind::AllocSpi(protocol, destination)) => {
                    self.tell_driver(SaOp::ReleaseSpi(SaName { protocol, destination, spi }));
                }
                (Answer::Sa(SaAnswer::Done(Err(error))), _) => self.driver_failed(error),
                _ => {}
            },
        }
    }
}
