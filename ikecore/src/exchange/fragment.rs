//! IKE fragmentation, as Microsoft began it and others took it over: a message that is longer than the path allows travels
//! in pieces, each behind the header of the whole, as the only payload, in clear.
//!
//! No hash covers a fragment. So of each number several are kept, and every message that can be made of them is tried: a
//! forged fragment makes one more, as if somebody had forged a whole message, and the true one is there all the same.
use crate::wire::payload::Fragment;
use crate::wire::{ChainWriter, Flags, Header, PayloadType, build_message};
use bytes::Bytes;
use std::collections::BTreeMap;

#[cfg(test)]
mod tests;

/// Octets before the data of a fragment: ISAKMP header, generic header, id, number and flags.
const OVERHEAD: usize = Header::LEN + 8;

/// Octets that a message may have when it is put together.
pub const MAX_MESSAGE: usize = 65_535;

/// Fragments of one number that are kept.
const ALTERNATIVES: usize = 4;

/// Messages that are tried when a fragment comes.
const TRIES: usize = 32;

/// Cuts a message into datagrams of at most `room` octets; `None` if that cannot be done.
pub fn cut(octets: &[u8], room: usize, id: u16) -> Option<Vec<Bytes>> {
    let header = Header::read(octets).ok()?;
    // The flags of the fragment say nothing of encryption: it is not encrypted itself.
    let header = Header { flags: header.flags.without(Flags::ENCRYPTION), ..header };
    let chunks: Vec<&[u8]> = octets.chunks(room.checked_sub(OVERHEAD).filter(|size| *size > 0)?).collect();
    let count = u8::try_from(chunks.len()).ok()?;
    let pieces = chunks.into_iter().zip(1_u8..).map(|(data, number)| {
        let flags = if number == count { Fragment::LAST } else { 0 };
        let mut chain = ChainWriter::new();
        chain.push(PayloadType::FRAGMENT, |writer| Fragment { id, number, flags, data }.encode(writer));
        let (first, body) = chain.finish();
        Bytes::from(build_message(&header, first, &body))
    });
    Some(pieces.collect())
}

struct Piece {
    last: bool,
    /// It has come since it was last part of a message.
    fresh: bool,
    data: Vec<u8>,
}

/// The fragments of one message so far, whatever was forged among them.
#[derive(Default)]
pub struct Assembly {
    /// By number, the oldest first.
    pieces: BTreeMap<u8, Vec<Piece>>,
}

impl Assembly {
    /// Octets that it holds.
    pub fn octets(&self) -> usize {
        self.pieces.values().flatten().map(|piece| piece.data.len()).sum()
    }

    /// Takes a fragment, and gives every message that it completes, the likeliest first. A fragment that is here already
    /// completes one only together with others that came again too: the sender repeats its message, and wants its answer.
    pub fn add(&mut self, fragment: &Fragment<'_>) -> Vec<Vec<u8>> {
        let (number, last) = (fragment.number, fragment.is_last());
        let alternatives = self.pieces.entry(number).or_default();
        let twin = alternatives.iter().position(|piece| piece.last == last && piece.data == fragment.data);
        let piece = match twin {
            Some(twin) => Piece { fresh: true, ..alternatives.remove(twin) },
            None => Piece { last, fresh: true, data: fragment.data.to_vec() },
        };
        if alternatives.len() >= ALTERNATIVES {
            alternatives.remove(0);
        }
        // The one that has just come is the newest.
        alternatives.push(piece);
        let is_repeated = twin.is_some();
        let ends: Vec<u8> = if last {
            vec![number]
        } else {
            let is_end = |(_, pieces): &(&u8, &Vec<Piece>)| pieces.iter().any(|piece| piece.last);
            self.pieces.iter().filter(|(at, _)| **at > number).filter(is_end).map(|(at, _)| *at).collect()
        };
        let mut messages = Vec::new();
        for end in ends {
            let choices: Option<Vec<Vec<&[u8]>>> =
                (1..=end).map(|at| self.choices(at, end, number, is_repeated)).collect();
            if let Some(choices) = choices {
                combine(&choices, TRIES, &mut messages);
            }
        }
        if !messages.is_empty() {
            self.pieces.values_mut().flatten().for_each(|piece| piece.fresh = false);
        }
        messages
    }

    /// What may stand at a place of a message that ends with `end`: of `newest` only what has just come, of others the
    /// newest first.
    fn choices(&self, at: u8, end: u8, newest: u8, only_fresh: bool) -> Option<Vec<&[u8]>> {
        let fits = |piece: &&Piece| piece.last == (at == end) && (piece.fresh || !only_fresh);
        let pieces = self.pieces.get(&at)?.iter().rev().filter(fits);
        let take = if at == newest { 1 } else { ALTERNATIVES };
        let choices: Vec<&[u8]> = pieces.take(take).map(|piece| piece.data.as_slice()).collect();
        (!choices.is_empty()).then_some(choices)
    }
}

/// Every message with one of the choices at each place, until there are `limit`.
fn combine(choices: &[Vec<&[u8]>], limit: usize, messages: &mut Vec<Vec<u8>>) {
    let mut at = vec![0_usize; choices.len()];
    while messages.len() < limit {
        let pieces: Vec<&[u8]> =
            choices.iter().zip(&at).filter_map(|(choices, index)| choices.get(*index)).copied().collect();
        if pieces.iter().map(|piece| piece.len()).sum::<usize>() <= MAX_MESSAGE {
            messages.push(pieces.concat());
        }
        // Counts on, the first place fastest.
        let mut carried = true;
        for (index, choices) in at.iter_mut().zip(choices) {
            *index += 1;
            carried = *index >= choices.len();
            if !carried {
                break;
            }
            *index = 0;
        }
        if carried {
            return;
        }
    }
}
