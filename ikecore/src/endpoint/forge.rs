//! For fuzzing: messages that an ISAKMP SA protects whatever they hold, and whether anything is under way.
use super::Endpoint;
use crate::crypto::quick::{hash_1, informational};
use crate::exchange::Path;
use crate::exchange::runner::Exchange;
use crate::ids::MessageId;
use crate::wire::chain::GENERIC_HEADER;
use crate::wire::{ExchangeType, Flags, Header, PayloadType, build_message};
use bytes::Bytes;

impl Endpoint {
    /// What this host would send if it wanted to say `body`, whose first payload is `first`: encrypted under its newest
    /// ISAKMP SA, and with the right hash before it.
    pub(crate) fn forge(
        &self,
        exchange: ExchangeType,
        message_id: MessageId,
        first: PayloadType,
        body: &[u8],
    ) -> Option<(Path, Bytes)> {
        let sa = self.ike_sas.values().rev().find(|sa| sa.standing().is_some())?;
        let keys = &sa.standing()?.sa.keys;
        let hash = match exchange {
            ExchangeType::QUICK => hash_1(keys.a(), message_id, body),
            _ => informational(keys.a(), message_id, body),
        };
        // By hand: the chain behind the hash is as wild as the fuzzer likes.
        let len = u16::try_from(GENERIC_HEADER + hash.as_ref().len()).ok()?;
        let mut octets = vec![first.0, 0];
        octets.extend(len.to_be_bytes());
        octets.extend(hash.as_ref());
        octets.extend(body);
        octets.resize(octets.len().next_multiple_of(keys.cipher.alg().block_len()), 0);
        keys.cipher.encrypt(keys.first_iv(message_id).as_ref(), &mut octets).ok()?;
        let header = Header {
            initiator: keys.cookies.initiator,
            responder: keys.cookies.responder,
            next_payload: PayloadType::HASH,
            version: Header::VERSION,
            exchange,
            flags: Flags::ENCRYPTION,
            message_id,
            length: 0,
        };
        Some((sa.path, build_message(&header, PayloadType::HASH, &octets).into()))
    }

    /// True if nothing is under way: no negotiation, no exchange, no ask.
    pub(crate) fn is_settled(&self) -> bool {
        let exchange_is_open = |sa: &super::tables::IkeSa| {
            sa.standing().is_none_or(|standing| {
                standing
                    .quick_modes
                    .values()
                    .any(|running| running.exchange.as_ref().and_then(Exchange::state).is_some())
            })
        };
        self.negotiations.is_empty()
            && self.index.wanted.is_empty()
            && self.asks.is_empty()
            && !self.ike_sas.values().any(exchange_is_open)
    }
}
