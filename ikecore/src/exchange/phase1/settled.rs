//! What the SA payloads settle, and what follows from it in the same way in each mode.
use super::super::auth::{Authentication, PeerVerified};
use super::super::info;
use super::super::message::{Incoming, Outgoing};
use super::super::natt::{Nat, Revision};
use super::super::step::{self, Step};
use super::super::vendor::Announced;
use super::super::{Cx, Path};
use super::choice::{self, Choice};
use super::payloads::{self, PeerKe};
use super::{Established, Phase1Keys};
use crate::crypto::group::KeyPair;
use crate::crypto::iv::Iv;
use crate::crypto::skeyid::{HashInputs, Inputs};
use crate::event::negotiation::Role;
use crate::event::{Failure, Reject};
use crate::ids::{Cookie, Cookies};
use crate::policy::rule::Rule;
use crate::secret::Secret;
use crate::wire::{Chain, PayloadType, Sa};
use std::sync::Arc;

/// The SA payload of a message.
pub struct SaPayload<'a> {
    /// Its body.
    pub body: &'a [u8],
    /// What it says.
    pub sa: Sa<'a>,
}

impl<'a> SaPayload<'a> {
    /// Reads it.
    pub fn read(message: &Incoming<'_>, chain: &Chain<'a>) -> Result<Self, Reject> {
        let raw = chain.one(PayloadType::SA).ok_or_else(|| message.unexpected("SA"))?;
        Ok(Self { body: raw.body, sa: raw.decode(Sa::decode)? })
    }
}

/// What the two SA payloads settled.
pub struct Settled {
    /// This host's role.
    pub role: Role,
    /// Both cookies.
    pub cookies: Cookies,
    /// The rule, the algorithms, the authentication method.
    pub choice: Choice,
    /// The revision of NAT traversal that both speak.
    pub revision: Option<Revision>,
    /// What the peer's vendor IDs announce.
    pub announced: Announced,
    /// The body of the initiator's SA payload: HASH_I and HASH_R cover all of it (RFC 2409 §5).
    sa: Vec<u8>,
}

/// One end's contribution and the other's: public values and nonces.
pub struct Contributions<'a> {
    /// This host's key pair.
    pub pair: &'a KeyPair,
    /// This host's nonce.
    pub nonce: &'a [u8],
    /// What the peer sent.
    pub peer: &'a PeerKe,
}

/// What the last message of the peer settled, and who it is.
pub struct Closing {
    /// From where to where the messages go by now.
    pub path: Path,
    /// What NAT detection found.
    pub nat: Nat,
    /// The peer says that it has no earlier SA with this host.
    pub initial_contact: bool,
    /// The last block of phase 1 in ciphertext, or what stands for it.
    pub last_block: Iv,
}

impl Settled {
    /// The responder chooses among what message 1 offers.
    pub fn choose(
        offered: &SaPayload<'_>,
        rules: &[Arc<Rule>],
        cookie: Cookie,
        message: &Incoming<'_>,
        chain: &Chain<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<Self, Reject> {
        payloads::trace_vendors(chain, cx);
        let choice = choice::choose(&offered.sa, rules, message.path.peer(), cx).map_err(Reject::Refused)?;
        let cookies = Cookies { initiator: message.header.initiator, responder: cookie };
        Ok(Self::new(Role::Responder, cookies, choice, offered.body.to_vec(), chain, cx))
    }

    /// The initiator takes the responder's choice, in message 2; `offered` is the body of its own SA payload.
    pub fn accept(
        offered: &[u8],
        rule: &Arc<Rule>,
        message: &Incoming<'_>,
        chain: &Chain<'_>,
        cx: &Cx<'_>,
    ) -> Result<Self, Reject> {
        let choice = choice::accept_reply(&SaPayload::read(message, chain)?.sa, offered, rule)?;
        Ok(Self::new(Role::Initiator, message.header.cookies(), choice, offered.to_vec(), chain, cx))
    }

    fn new(role: Role, cookies: Cookies, choice: Choice, sa: Vec<u8>, chain: &Chain<'_>, cx: &Cx<'_>) -> Self {
        let revision = Revision::announced(chain).filter(|_| cx.settings.nat_traversal);
        Self { role, cookies, choice, revision, announced: Announced::read(chain), sa }
    }

    /// What is the initiator's and what is the responder's, of what is this host's and the peer's.
    const fn sides<T>(&self, own: T, peer: T) -> (T, T)
    where
        T: Copy,
    {
        match self.role {
            Role::Initiator => (own, peer),
            Role::Responder => (peer, own),
        }
    }

    /// The keys that come of the shared secret.
    pub fn keys(&self, of: &Contributions<'_>, shared: &Secret<Vec<u8>>) -> Result<Phase1Keys, Failure> {
        let Choice { authentication, chosen } = &self.choice;
        let (ni, nr) = self.sides(of.nonce, &of.peer.nonce);
        let (g_xi, g_xr) = self.sides(of.pair.public(), &of.peer.public);
        let inputs = Inputs { cookies: &self.cookies, ni, nr, g_xy: shared.expose() };
        let skeyid = authentication.skeyid(chosen.suite.hash, &inputs);
        Phase1Keys::derive(&chosen.suite, skeyid, g_xi, g_xr)
    }

    /// What HASH_I covers with the initiator's ID, and HASH_R with the responder's.
    pub fn hash_inputs<'a>(&'a self, pair: &'a KeyPair, peer: &'a PeerKe, id_b: &'a [u8]) -> HashInputs<'a> {
        let (g_xi, g_xr) = self.sides(pair.public(), &peer.public);
        HashInputs { g_xi, g_xr, cookies: &self.cookies, sai_b: &self.sa, id_b }
    }

    /// The ISAKMP SA, for a peer that the rule wants: see [`Self::admit`].
    pub fn established(
        &self,
        keys: &Phase1Keys,
        rule: &Arc<Rule>,
        closing: Closing,
        peer: PeerVerified,
    ) -> Established {
        let Closing { path, nat, initial_contact, last_block } = closing;
        let chosen = &self.choice.chosen;
        Established {
            keys: Arc::new(keys.phase_2(self.cookies, chosen.suite, last_block)),
            role: self.role,
            rule: Arc::clone(rule),
            lifetime: chosen.lifetime,
            peer,
            path,
            nat,
            revision: self.revision.filter(|_| nat.between()),
            initial_contact,
            announced: self.announced,
        }
    }

    /// The initiator ends with its last message, if there is one left. For the responder the ISAKMP SA stands: if the rule
    /// does not want the peer, it must hear that it does not.
    pub fn finish<S: step::Role<Outcome = Established>>(
        &self,
        keys: &Phase1Keys,
        rule: &Arc<Rule>,
        closing: Closing,
        peer: PeerVerified,
        last: Option<Outgoing>,
        cx: &mut Cx<'_>,
    ) -> Step<S> {
        let (path, nat) = (closing.path, closing.nat);
        let admitted = self.admit(&peer, path, nat, cx);
        let established = self.established(keys, rule, closing, peer);
        match admitted {
            Ok(()) => Step::done(established, last),
            Err(failure) => {
                let send = info::delete_ike(path, &established.keys, cx.rng).ok();
                Step { send, ..Step::fail(failure) }
            }
        }
    }

    /// Whether the rule wants a peer that has proven this; `nat` is what NAT detection found.
    pub fn admit(&self, peer: &PeerVerified, path: Path, nat: Nat, cx: &mut Cx<'_>) -> Result<(), Failure> {
        self.choice.authentication.admit(peer, path.peer().ip(), nat.remote, cx)
    }

    /// The authentication by the rule that is meant for such a peer, by which the responder goes on.
    pub fn meant_for(
        &self,
        peer: &PeerVerified,
        path: Path,
        nat: Nat,
        cx: &mut Cx<'_>,
    ) -> Result<Authentication, Failure> {
        let Choice { authentication, chosen } = &self.choice;
        authentication.of_identity(&chosen.suite, peer, path, nat.remote, cx)
    }
}
