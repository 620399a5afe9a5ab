//! Messages that are changed on the way, those that are encrypted by somebody who has the keys.
use super::*;
use crate::crypto::iv::Iv;
use crate::crypto::quick::{hash_1, hash_2};
use crate::exchange::phase1::IkeKeys;
use crate::wire::{ChainWriter, ExchangeType, Flags, build_message};
use Of::{Id, Ke, Quick, Sa};

/// The payloads of a message.
pub(super) type Payloads = Vec<(PayloadType, Vec<u8>)>;

/// The messages that one end sends and the other judges, in either direction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Messages 1 and 2 of main mode.
    Sa,
    /// Messages 3 and 4.
    Ke,
    /// Messages 5 and 6.
    Id,
    /// Messages 1 and 2 of quick mode.
    Quick,
}

impl Of {
    /// Whether a message is one of these.
    pub(super) fn fits(self, header: &Header) -> bool {
        let encrypted = header.flags.contains(Flags::ENCRYPTION);
        match self {
            Sa => header.exchange == ExchangeType::MAIN && !encrypted && header.next_payload == PayloadType::SA,
            Ke => header.exchange == ExchangeType::MAIN && !encrypted && header.next_payload == PayloadType::KE,
            Id => header.exchange == ExchangeType::MAIN && encrypted,
            Quick => header.exchange == ExchangeType::QUICK,
        }
    }

    /// For people: the message that the initiator, or the responder, sends.
    pub(super) const fn name(self, side: usize) -> &'static str {
        match (self, side) {
            (Sa, 0) => "main mode message 1",
            (Sa, _) => "main mode message 2",
            (Ke, 0) => "main mode message 3",
            (Ke, _) => "main mode message 4",
            (Id, 0) => "main mode message 5",
            (Id, _) => "main mode message 6",
            (Quick, 0) => "quick mode message 1",
            (Quick, _) => "quick mode message 2",
        }
    }
}

/// The body of the first payload of a kind.
pub(super) fn body(payloads: &mut Payloads, kind: PayloadType) -> &mut Vec<u8> {
    payloads.iter_mut().find(|(of, _)| *of == kind).map(|(_, body)| body).expect("a payload of this kind")
}

pub(super) fn read(first: PayloadType, octets: &[u8]) -> Payloads {
    let chain = parse(first, octets, Padding::Allowed).expect("the payloads of a message of a host");
    chain.payloads.iter().map(|payload| (payload.kind, payload.body.to_vec())).collect()
}

pub(super) fn write(payloads: &Payloads) -> (PayloadType, Vec<u8>) {
    let mut chain = ChainWriter::new();
    for (kind, body) in payloads {
        chain.push(*kind, |writer| writer.bytes(body));
    }
    chain.finish()
}

/// Somebody on the way who has the keys.
pub(super) struct Between {
    keys: Arc<IkeKeys>,
    /// The IV of the initiator's message; that of the responder's follows from the message.
    iv: Iv,
    /// The initiator's message, as the responder gets it.
    first: Vec<u8>,
    /// Ni_b of the quick mode.
    nonce: Vec<u8>,
}

impl Between {
    /// Two hosts show the keys to somebody who has them: others that are like them do the same again.
    pub(super) fn observing(mut network: Network, of: Of) -> Self {
        initiate(&mut network);
        network.run(Duration::from_secs(LIMIT));
        let octets = |number: usize| &network.log[number].1.octets;
        let sa = network.hosts[0].endpoint.ike_sas.values().next().expect("an ISAKMP SA");
        let keys = Arc::clone(&sa.standing().expect("standing").sa.keys);
        // Messages 3 and 4 are the third and the fourth of all, and quick mode begins with the seventh.
        let [public_i, public_r] = [2, 3].map(|number| {
            let header = Header::decode(octets(number)).expect("a message of a host");
            read(header.next_payload, &octets(number)[Header::LEN..]).swap_remove(0).1
        });
        let iv = match of {
            Quick => keys.first_iv(Header::decode(octets(6)).expect("a message of a host").message_id),
            _ => Iv::phase_1(keys.suite.hash, keys.cipher.alg().block_len(), &public_i, &public_r),
        };
        Self { keys, iv, first: Vec::new(), nonce: Vec::new() }
    }

    /// What becomes of a message on the way: of one side those that are meant are changed.
    pub(super) fn pass(
        &mut self,
        of: Of,
        side: usize,
        change: fn(&mut Payloads),
        from: usize,
        octets: &[u8],
    ) -> Vec<u8> {
        let Some(header) = Header::decode(octets).ok().filter(|header| of.fits(header)) else { return octets.to_vec() };
        if from == side {
            return self.change(&header, from, octets, change);
        }
        // Only of the first does the responder's message follow.
        if from == 0 && self.first.is_empty() {
            self.change(&header, from, octets, |_| {});
            self.first = octets.to_vec();
        }
        octets.to_vec()
    }

    /// A message that is encrypted, with its payloads changed and, in phase 2, its hash made anew.
    fn change(&mut self, header: &Header, from: usize, octets: &[u8], change: fn(&mut Payloads)) -> Vec<u8> {
        let iv = if from == 0 { self.iv.clone() } else { self.iv.next(&self.first) };
        let mut plain = octets[Header::LEN..].to_vec();
        self.keys.cipher.decrypt(iv.as_ref(), &mut plain).expect("whole blocks");
        let mut payloads = read(header.next_payload, &plain);
        let phase_2 = header.exchange == ExchangeType::QUICK;
        if phase_2 && from == 0 {
            self.nonce.clone_from(body(&mut payloads, PayloadType::NONCE));
        }
        change(&mut payloads);
        if phase_2 {
            let (a, id) = (self.keys.a(), header.message_id);
            let (_, rest) = write(&payloads[1..].to_vec());
            let hash = if from == 0 { hash_1(a, id, &rest) } else { hash_2(a, id, &self.nonce, &rest) };
            payloads[0].1 = hash.as_ref().to_vec();
        }
        encrypted(&self.keys, &iv, header, &payloads)
    }
}

/// The message with these payloads.
pub(super) fn encrypted(keys: &IkeKeys, iv: &Iv, header: &Header, payloads: &Payloads) -> Vec<u8> {
    let (first, mut octets) = write(payloads);
    octets.resize(octets.len().next_multiple_of(keys.cipher.alg().block_len()), 0);
    keys.cipher.encrypt(iv.as_ref(), &mut octets).expect("whole blocks");
    build_message(header, first, &octets)
}
