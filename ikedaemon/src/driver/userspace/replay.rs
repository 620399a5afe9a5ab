//! The anti-replay window (RFC 4303 §3.4.3).

#[cfg(test)]
mod tests;

/// The smallest window, in packets; §3.4.3 prefers 64 as the default.
const SMALLEST: u32 = 64;
/// The largest: 32 KiB of bits.
const LARGEST: u32 = 1 << 18;
/// Packets of one word of the bitmap.
const WORD: u32 = u64::BITS;

/// Which sequence numbers were received.
#[derive(Debug)]
pub(super) struct ReplayWindow {
    /// Packets that it remembers; 0: no protection.
    size: u32,
    /// The highest number received.
    top: u32,
    /// A ring of bits, one word longer than the window, so that moving on clears whole words (RFC 6479).
    seen: Vec<u64>,
}

impl ReplayWindow {
    /// A window of `size` packets: 0 is none, others are raised to 64 at least.
    pub(super) fn new(size: u32) -> Self {
        let size = if size == 0 { 0 } else { size.clamp(SMALLEST, LARGEST) };
        let words = usize::try_from(size.div_ceil(WORD) + 1).unwrap_or(1);
        Self { size, top: 0, seen: vec![0; words] }
    }

    /// True if a packet of this number may be new. To be asked before its integrity is checked.
    pub(super) fn is_new(&self, sequence: u32) -> bool {
        if self.size == 0 {
            return true;
        }
        // RFC 4303 §2.2: the first packet has number 1.
        if sequence == 0 {
            return false;
        }
        if sequence > self.top {
            return true;
        }
        if self.top - sequence >= self.size {
            return false;
        }
        self.seen.get(self.word(sequence)).is_some_and(|word| word & bit(sequence) == 0)
    }

    /// Notes the number of a packet whose integrity was verified.
    pub(super) fn note(&mut self, sequence: u32) {
        if self.size == 0 {
            return;
        }
        if sequence > self.top {
            let words = u32::try_from(self.seen.len()).unwrap_or(u32::MAX);
            let moved = (sequence / WORD - self.top / WORD).min(words);
            for step in 0..moved {
                let index = self.word((sequence / WORD - step) * WORD);
                if let Some(word) = self.seen.get_mut(index) {
                    *word = 0;
                }
            }
            self.top = sequence;
        }
        let index = self.word(sequence);
        if let Some(word) = self.seen.get_mut(index) {
            *word |= bit(sequence);
        }
    }

    fn word(&self, sequence: u32) -> usize {
        usize::try_from(sequence / WORD).unwrap_or(0) % self.seen.len().max(1)
    }
}

const fn bit(sequence: u32) -> u64 {
    1 << (sequence % WORD)
}
