//! Messages in and out: decoding, encryption, and what the trace sees of them.
use super::{Cx, Path};
use crate::crypto::cipher::CipherKey;
use crate::crypto::hash::{Digest, HashAlg};
use crate::crypto::iv::Iv;
use crate::event::{EventKind, Failure, MessageEvent, Reject};
use crate::ids::{Cookies, MessageId};
use crate::wire::payload::attributes::without_secrets;
use crate::wire::{
    Chain, ChainWriter, ExchangeType, Flags, Header, Padding, PayloadRule, PayloadType, Unlisted, WireError,
    build_message, check, parse,
};
use bytes::Bytes;

/// A received message whose header is in order.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// The header.
    pub header: Header,
    /// The whole message.
    pub octets: &'a [u8],
    /// Where it came to and from.
    pub path: Path,
}

impl<'a> Incoming<'a> {
    /// Checks the header.
    pub fn decode(octets: &'a [u8], path: Path) -> Result<Self, WireError> {
        let header = Header::decode(octets)?;
        header.check()?;
        Ok(Self { header, octets, path })
    }

    /// What follows the header.
    pub fn body(&self) -> &'a [u8] {
        self.octets.get(Header::LEN..).unwrap_or_default()
    }

    /// True if the commit bit is set (RFC 2408 §3.1). No hash covers it.
    pub fn commits(&self) -> bool {
        self.header.flags.contains(Flags::COMMIT)
    }

    /// True if the body is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.header.flags.contains(Flags::ENCRYPTION)
    }

    /// What tells a duplicate from another message. The flags of an encrypted message do not count, but for the one that
    /// says so: no hash covers them, and somebody on the way could make another message of the same one.
    pub fn digest(&self) -> Digest {
        let split = self.octets.get(..Header::FLAGS).zip(self.octets.get(Header::FLAGS + 1..));
        match split.filter(|_| self.is_encrypted()) {
            Some((before, after)) => HashAlg::Sha256.digest(&[before, &[Flags::ENCRYPTION.0], after]),
            None => HashAlg::Sha256.digest(&[self.octets]),
        }
    }

    /// The payloads of a message in clear, if they are what `rules` allow.
    pub fn clear(&self, rules: &[PayloadRule]) -> Result<Chain<'a>, Reject> {
        if self.is_encrypted() {
            return Err(self.encryption(false));
        }
        let chain = parse(self.header.next_payload, self.body(), Padding::Forbidden)?;
        check(&chain, rules, Unlisted::Ignore)?;
        Ok(chain)
    }

    /// Decrypts with a staged IV: nothing is committed before the caller is content with what comes out.
    pub fn open(&self, key: &CipherKey, iv: &Iv, cx: &mut Cx<'_>) -> Result<Opened, Reject> {
        if !self.is_encrypted() {
            return Err(self.encryption(true));
        }
        let mut body = self.body().to_vec();
        let next_iv = iv.next(&body);
        key.decrypt(iv.as_ref(), &mut body).map_err(|error| Reject::Cipher(error.to_string()))?;
        let is_transaction = self.header.exchange == ExchangeType::TRANSACTION;
        // What does not parse was encrypted with another key, and shows nothing to the trace.
        parse(self.header.next_payload, &body, Padding::Allowed).map_err(Reject::Undecipherable)?;
        cx.trace.step(|| {
            let flags = self.header.flags.without(Flags::ENCRYPTION);
            let octets = build_message(&Header { flags, ..self.header }, self.header.next_payload, &body);
            let octets = if is_transaction { without_secrets(&octets).into() } else { octets.into() };
            EventKind::Message(MessageEvent::Decrypted { octets })
        });
        Ok(Opened { first: self.header.next_payload, body, next_iv })
    }

    fn encryption(&self, must: bool) -> Reject {
        Reject::Encryption { flags: self.header.flags.0, exchange: self.header.exchange, must }
    }

    /// The refusal of a message that the state does not wait for.
    pub const fn unexpected(&self, state: &'static str) -> Reject {
        Reject::Unexpected { exchange: self.header.exchange, payload: self.header.next_payload, state }
    }
}

/// A decrypted body.
pub struct Opened {
    first: PayloadType,
    body: Vec<u8>,
    /// The IV of the next message of the exchange, once this one is accepted.
    pub next_iv: Iv,
}

impl Opened {
    /// The payloads, whatever they are.
    pub fn payloads(&self) -> Result<Chain<'_>, WireError> {
        parse(self.first, &self.body, Padding::Allowed)
    }

    /// The payloads, if they are what `rules` allow.
    pub fn chain(&self, rules: &[PayloadRule]) -> Result<Chain<'_>, WireError> {
        let chain = self.payloads()?;
        check(&chain, rules, Unlisted::Ignore)?;
        Ok(chain)
    }

    /// In phase 2 a HASH comes first, and covers what follows it, the padding not included (RFC 2409 §5.5): the hash and
    /// what it covers.
    pub fn hashed<'a>(&'a self, chain: &Chain<'a>) -> Result<(&'a [u8], &'a [u8]), Reject> {
        let Some(hash) = chain.payloads.first().filter(|payload| payload.kind == PayloadType::HASH) else {
            return Err(Reject::Hash("the position of HASH, which must come first,"));
        };
        let end = self.body.len().saturating_sub(chain.padding.len());
        Ok((hash.body, self.body.get(hash.whole.len()..end).unwrap_or_default()))
    }
}

/// A message to send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// What it is, for people: `main mode message 1`.
    pub name: &'static str,
    /// The message as it goes out.
    pub octets: Bytes,
    /// The message before encryption.
    pub plain: Bytes,
    /// True if it goes out encrypted.
    pub encrypted: bool,
    /// From where to where.
    pub path: Path,
}

impl Outgoing {
    /// The same message with the commit bit (RFC 2408 §3.1).
    pub fn committing(mut self) -> Self {
        for octets in [&mut self.octets, &mut self.plain] {
            let mut changed = octets.to_vec();
            if let Some(flags) = changed.get_mut(Header::FLAGS) {
                *flags |= Flags::COMMIT.0;
            }
            *octets = changed.into();
        }
        self
    }
}

/// The fields of a header that differ from message to message.
#[derive(Clone, Copy, Debug)]
pub struct Envelope {
    /// The name of the message.
    pub name: &'static str,
    /// From where to where.
    pub path: Path,
    /// Both cookies.
    pub cookies: Cookies,
    /// The exchange.
    pub exchange: ExchangeType,
    /// The message ID.
    pub message_id: MessageId,
}

impl Envelope {
    fn header(&self, flags: Flags) -> Header {
        Header {
            initiator: self.cookies.initiator,
            responder: self.cookies.responder,
            next_payload: PayloadType::NONE,
            version: Header::VERSION,
            exchange: self.exchange,
            flags,
            message_id: self.message_id,
            length: 0,
        }
    }

    /// A message in clear.
    pub fn clear(&self, chain: ChainWriter) -> Outgoing {
        let (first, body) = chain.finish();
        let octets = Bytes::from(build_message(&self.header(Flags::NONE), first, &body));
        Outgoing { name: self.name, plain: octets.clone(), octets, encrypted: false, path: self.path }
    }

    /// An encrypted message, and the IV of the next message of the exchange.
    pub fn sealed(&self, chain: ChainWriter, key: &CipherKey, iv: &Iv) -> Result<(Outgoing, Iv), Failure> {
        let (first, mut body) = chain.finish();
        let plain = Bytes::from(build_message(&self.header(Flags::NONE), first, &body));
        // RFC 2409 Appendix B: padded with zeros to whole blocks.
        let block = key.alg().block_len();
        body.resize(body.len().next_multiple_of(block), 0);
        key.encrypt(iv.as_ref(), &mut body)
            .map_err(|error| Failure::Crypto { operation: "encryption", reason: error.to_string() })?;
        let next_iv = iv.next(&body);
        let octets = Bytes::from(build_message(&self.header(Flags::ENCRYPTION), first, &body));
        Ok((Outgoing { name: self.name, plain, octets, encrypted: true, path: self.path }, next_iv))
    }
}
