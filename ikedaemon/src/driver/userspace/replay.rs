//! The anti-replay window (RFC 4303 §3.4.3), and the upper half of numbers that it tells (Appendix A2).

#[cfg(test)]
mod tests;

/// The smallest window, in packets; §3.4.3 prefers 64 as the default.
const SMALLEST: u32 = 64;
/// The largest: 32 KiB of bits.
const LARGEST: u32 = 1 << 18;
/// Packets of one word of the bitmap.
const WORD: u64 = 64;

/// Which sequence numbers were received.
#[derive(Debug)]
pub(super) struct ReplayWindow {
    /// Packets that it remembers; 0: no protection.
    size: u32,
    /// The highest number received.
    top: u64,
    /// A ring of bits, one word longer than the window, so that moving on clears whole words (RFC 6479).
    seen: Vec<u64>,
}

impl ReplayWindow {
    /// A window of `size` packets: 0 is none, others are raised to 64 at least.
    pub(super) fn new(size: u32) -> Self {
        let size = if size == 0 { 0 } else { size.clamp(SMALLEST, LARGEST) };
        let words = usize::try_from(u64::from(size).div_ceil(WORD) + 1).unwrap_or(1);
        Self { size, top: 0, seen: vec![0; words] }
    }

    /// The whole number of a packet that has the lower half (Appendix A2.2): the one that is nearest to the window. `None`
    /// if it is of a time before the first packet. Meaningless without a window.
    pub(super) fn infer(&self, lower: u32) -> Option<u64> {
        let (upper, top) = (self.top >> 32, self.top & u64::from(u32::MAX));
        let (lower, size) = (u64::from(lower), u64::from(self.size));
        let upper = match (top + 1).checked_sub(size) {
            // The window is within numbers of one upper half: below it are those of the next.
            Some(bottom) if lower >= bottom => upper,
            Some(_) => upper.checked_add(1)?,
            // The window reaches back into the upper half before.
            None if lower > top + (1 << 32) - size => upper.checked_sub(1)?,
            None => upper,
        };
        (upper < 1 << 32).then_some((upper << 32) | lower)
    }

    /// True if a packet of this number may be new. To be asked before its integrity is checked.
    pub(super) fn is_new(&self, sequence: u64) -> bool {
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
        if self.top - sequence >= u64::from(self.size) {
            return false;
        }
        self.seen.get(self.word(sequence)).is_some_and(|word| word & bit(sequence) == 0)
    }

    /// Notes the number of a packet whose integrity was verified.
    pub(super) fn note(&mut self, sequence: u64) {
        if self.size == 0 {
            return;
        }
        if sequence > self.top {
            let words = u64::try_from(self.seen.len()).unwrap_or(u64::MAX);
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

    fn word(&self, sequence: u64) -> usize {
        let words = u64::try_from(self.seen.len()).unwrap_or(1).max(1);
        usize::try_from(sequence / WORD % words).unwrap_or(0)
    }
}

const fn bit(sequence: u64) -> u64 {
    1 << (sequence % WORD)
}
