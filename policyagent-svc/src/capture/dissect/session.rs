//! What of one frame is needed to read another: keys, and where each exchange of ISAKMP has come to.
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ikecore::crypto::{CipherAlg, CipherKey, HashAlg, Iv};
use ikecore::endpoint::LoggedKey;
use ikecore::endpoint::key_log::EspKey;
use ikecore::ids::{Cookie, MessageId, Spi};
use ikecore::proposal::suite::IpsecSuite;
use ikecore::wire::chain::parse_lenient;
use ikecore::wire::{
    Chain, EncryptionAlgorithm, HashAlgorithm, Header, IkeAttribute, KeyExchange, Padding, PayloadType, Sa,
};
use ikedaemon::driver::userspace::esp::{OpenError, Opened, Sequence, Transform};

use super::null::Null;

/// ISAKMP SAs and exchanges that are kept track of; a forged message makes neither, as each needs a key.
const MOST_EXCHANGES: usize = 1024;
/// Messages of one exchange that are kept to know them again.
const MOST_MESSAGES: usize = 64;
/// SAs without encryption that are remembered.
const MOST_NULL: usize = 4096;

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Session {
    keys: Vec<Key>,
    phase_1: BTreeMap<Cookie, Phase1>,
    /// How the packets of an SA without encryption are made.
    null: BTreeMap<(IpAddr, Spi), Null>,
}

#[derive(Debug)]
struct Key {
    key: LoggedKey,
    used: bool,
    /// Of ESP, once it was needed.
    transform: Option<Transform>,
}

/// An ISAKMP SA whose key is known.
#[derive(Debug, Default)]
struct Phase1 {
    /// What the responder chose, or the initiator offers alone.
    suite: Option<(CipherAlg, HashAlg)>,
    /// Public values of the key exchange: the initiator's, the responder's.
    public: Vec<Vec<u8>>,
    exchanges: BTreeMap<MessageId, Exchange>,
}

/// The enciphered messages of an exchange, in order: the IV that each was read with, and its ciphertext.
#[derive(Debug, Default)]
struct Exchange {
    messages: Vec<(Iv, Vec<u8>)>,
}

/// Why a message stays as it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum Sealed {
    #[error(
        "the capture does not have the first messages of main mode or aggressive mode, whose public values begin the decryption"
    )]
    NoBeginning,
    #[error("the key is not one of {0}")]
    Key(&'static str),
    #[error("it is no whole number of blocks of {0}")]
    Blocks(&'static str),
    #[error("what the key makes of it is no message: one before it is missing in the capture, or the key is another's")]
    Nonsense,
}

impl Session {
    pub(super) fn new(keys: Vec<LoggedKey>) -> Self {
        let keys = keys.into_iter().map(|key| Key { key, used: false, transform: None }).collect();
        Self { keys, ..Self::default() }
    }

    pub(super) fn used(&self) -> impl Iterator<Item = &LoggedKey> {
        self.keys.iter().filter(|key| key.used).map(|key| &key.key)
    }

    /// Where the key of an ISAKMP SA stands: the one that was written last.
    fn isakmp_key(&self, initiator: Cookie) -> Option<usize> {
        let of = |key: &Key| matches!(&key.key, LoggedKey::Isakmp { initiator: is, .. } if *is == initiator);
        self.keys.iter().rposition(of)
    }

    /// Takes from a message in clear what is needed to read later ones.
    pub(super) fn learn(&mut self, header: &Header, plain: &[u8]) {
        if self.isakmp_key(header.initiator).is_none() || self.phase_1.len() >= MOST_EXCHANGES {
            return;
        }
        let phase_1 = self.phase_1.entry(header.initiator).or_default();
        let (chain, _) = parse_lenient(header.next_payload, plain, Padding::Allowed);
        // Of an offer of several nobody knows which it will be; the responder has chosen one.
        phase_1.suite = chosen(&chain).or(phase_1.suite);
        let public = chain.one(PayloadType::KE).and_then(|raw| raw.decode(KeyExchange::decode).ok());
        if let Some(public) = public
            && phase_1.public.len() < 2
            && phase_1.public.iter().all(|known| known != public.data)
        {
            phase_1.public.push(public.data.to_vec());
        }
    }

    /// The plain body of an enciphered message; `None` if there is no key for it.
    pub(super) fn decrypt(&mut self, header: &Header, body: &[u8]) -> Option<Result<Vec<u8>, Sealed>> {
        let index = self.isakmp_key(header.initiator)?;
        let key = self.keys.get_mut(index)?;
        let LoggedKey::Isakmp { key: octets, .. } = &key.key else { return None };
        let Some(phase_1) = self.phase_1.get_mut(&header.initiator) else { return Some(Err(Sealed::NoBeginning)) };
        let plain = phase_1.decrypt(octets.expose(), header, body);
        key.used |= plain.is_ok();
        Some(plain)
    }

    /// What an ESP packet holds; `None` if there is no key for it. Also the lengths of its IV and its check value.
    pub(super) fn open(
        &mut self,
        (source, destination): (IpAddr, IpAddr),
        spi: Spi,
        packet: &[u8],
    ) -> Option<Result<(Opened, usize, usize), String>> {
        let fits = |key: &&mut Key| match &key.key {
            LoggedKey::Esp(esp) => {
                esp.spi == spi && (esp.encapsulated || esp.destination == destination && esp.source == source)
            }
            LoggedKey::Isakmp { .. } => false,
        };
        let key = self.keys.iter_mut().rev().find(fits)?;
        let LoggedKey::Esp(esp) = &key.key else { return None };
        if key.transform.is_none() {
            match transform(esp) {
                Ok(transform) => key.transform = Some(transform),
                Err(error) => return Some(Err(error)),
            }
        }
        let transform = key.transform.as_ref()?;
        let number = packet.get(4..8).and_then(|octets| octets.try_into().ok()).map(u32::from_be_bytes)?;
        let opened = match transform.open(packet, Sequence::Short(number)) {
            // With extended numbers the upper half counts, too: in the first four thousand million packets it is zero.
            Err(OpenError::Integrity) => transform.open(packet, Sequence::Extended(number.into())),
            opened => opened,
        };
        key.used |= opened.is_ok();
        let lengths = (transform.iv_len(), transform.icv_len());
        Some(opened.map(|opened| (opened, lengths.0, lengths.1)).map_err(|error| error.to_string()))
    }

    /// How packets without encryption of this SA are made, if that is known, or if this one shows it.
    pub(super) fn null(&mut self, (source, destination): (IpAddr, IpAddr), spi: Spi, octets: &[u8]) -> Option<Null> {
        let known = self.null.get(&(destination, spi)).filter(|null| null.trailer(octets).is_some()).copied();
        let found = known.or_else(|| Null::recognise(source, destination, octets))?;
        if self.null.len() < MOST_NULL {
            self.null.insert((destination, spi), found);
        }
        Some(found)
    }
}

fn transform(key: &EspKey) -> Result<Transform, String> {
    let suite = IpsecSuite::Esp { cipher: key.cipher, integrity: key.integrity };
    Transform::new(suite, key.encryption_key.expose(), key.integrity_key.expose())
}

/// The algorithms of the one transform that an SA payload has.
fn chosen(chain: &Chain<'_>) -> Option<(CipherAlg, HashAlg)> {
    let sa = chain.one(PayloadType::SA)?.decode(Sa::decode).ok()?;
    let [proposal] = sa.proposals.as_slice() else { return None };
    let [transform] = proposal.transforms.as_slice() else { return None };
    let value = |kind: IkeAttribute| {
        let attribute = transform.attributes.iter().find(|attribute| attribute.kind == kind.0)?;
        u16::try_from(attribute.as_u64()?).ok()
    };
    let bits = value(IkeAttribute::KEY_LENGTH);
    let cipher = match (EncryptionAlgorithm(value(IkeAttribute::ENCRYPTION_ALGORITHM)?), bits) {
        (EncryptionAlgorithm::DES_CBC, _) => CipherAlg::Des,
        (EncryptionAlgorithm::TRIPLE_DES_CBC, _) => CipherAlg::TripleDes,
        (EncryptionAlgorithm::AES_CBC, None | Some(128)) => CipherAlg::Aes128,
        (EncryptionAlgorithm::AES_CBC, Some(192)) => CipherAlg::Aes192,
        (EncryptionAlgorithm::AES_CBC, Some(256)) => CipherAlg::Aes256,
        (EncryptionAlgorithm::CAMELLIA_CBC, None | Some(128)) => CipherAlg::Camellia128,
        (EncryptionAlgorithm::CAMELLIA_CBC, Some(192)) => CipherAlg::Camellia192,
        (EncryptionAlgorithm::CAMELLIA_CBC, Some(256)) => CipherAlg::Camellia256,
        _ => return None,
    };
    let hash = match HashAlgorithm(value(IkeAttribute::HASH_ALGORITHM)?) {
        HashAlgorithm::MD5 => HashAlg::Md5,
        HashAlgorithm::SHA => HashAlg::Sha1,
        HashAlgorithm::SHA2_256 => HashAlg::Sha256,
        HashAlgorithm::SHA2_384 => HashAlg::Sha384,
        HashAlgorithm::SHA2_512 => HashAlg::Sha512,
        _ => return None,
    };
    hash.is_available().then_some((cipher, hash))
}

impl Phase1 {
    fn decrypt(&mut self, key: &[u8], header: &Header, body: &[u8]) -> Result<Vec<u8>, Sealed> {
        let (Some((cipher, hash)), [g_xi, g_xr]) = (self.suite, self.public.as_slice()) else {
            return Err(Sealed::NoBeginning);
        };
        let key = CipherKey::new(cipher, key).map_err(|_| Sealed::Key(cipher.name()))?;
        if body.is_empty() || !body.len().is_multiple_of(cipher.block_len()) {
            return Err(Sealed::Blocks(cipher.name()));
        }
        // RFC 2409 Appendix B.
        let first = Iv::phase_1(hash, cipher.block_len(), g_xi, g_xr);
        let begin = if header.message_id == MessageId::PHASE_1 {
            first
        } else {
            let phase_1 = self.exchanges.get(&MessageId::PHASE_1).and_then(Exchange::next).unwrap_or(first);
            Iv::phase_2(hash, cipher.block_len(), phase_1.as_ref(), header.message_id)
        };
        if self.exchanges.len() >= MOST_EXCHANGES && !self.exchanges.contains_key(&header.message_id) {
            self.exchanges.retain(|id, _| *id == MessageId::PHASE_1);
        }
        let exchange = self.exchanges.entry(header.message_id).or_default();
        // A message that comes again has the IV that it had; else that of the message before, whichever was the last to
        // come: some may have come again meanwhile.
        let again = exchange.messages.iter().find(|(_, known)| known == body).map(|(iv, _)| iv.clone());
        let known = again.is_some();
        let others = exchange.messages.iter().rev().map(|(iv, ciphertext)| iv.next(ciphertext));
        for iv in again.into_iter().chain(others).chain([begin]) {
            let mut plain = body.to_vec();
            let decrypted = key.decrypt(iv.as_ref(), &mut plain);
            let (chain, fault) = parse_lenient(header.next_payload, &plain, Padding::Allowed);
            let makes_sense = decrypted.is_ok() && fault.is_none() && !chain.payloads.is_empty();
            if makes_sense {
                if !known && exchange.messages.len() < MOST_MESSAGES {
                    exchange.messages.push((iv, body.to_vec()));
                }
                return Ok(plain);
            }
        }
        Err(Sealed::Nonsense)
    }
}

impl Exchange {
    /// The IV of the message that comes next.
    fn next(&self) -> Option<Iv> {
        self.messages.last().map(|(iv, ciphertext)| iv.next(ciphertext))
    }
}
