//! What comes over the control socket: lines, and documents behind them. Documents have keys in them, so all of it is wiped.
use zeroize::Zeroizing;

/// Octets to begin with.
const FIRST: usize = 4096;

/// Octets that have come and were not yet taken.
#[derive(Default)]
pub(super) struct Incoming {
    octets: Zeroizing<Vec<u8>>,
    /// How many of them there are; the rest is room.
    filled: usize,
}

impl Incoming {
    /// Room for more, at least one octet.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.filled == self.octets.len() {
            // Not in place: that would leave a copy behind.
            let mut larger = Zeroizing::new(vec![0; (2 * self.filled).max(FIRST)]);
            larger[..self.filled].copy_from_slice(&self.octets[..self.filled]);
            self.octets = larger;
        }
        &mut self.octets[self.filled..]
    }

    /// So many octets have come into the room.
    pub(super) fn add(&mut self, count: usize) {
        self.filled += count;
    }

    /// How many octets wait.
    pub(super) fn len(&self) -> usize {
        self.filled
    }

    /// The next line, without its end, once all of it is there. `from` octets are known to have no end of a line.
    pub(super) fn line(&mut self, from: usize) -> Option<Zeroizing<Vec<u8>>> {
        let waiting = self.octets.get(from..self.filled)?;
        let end = from + waiting.iter().position(|octet| *octet == b'\n')?;
        let line = self.take(end)?;
        self.take(1)?;
        Some(line)
    }

    /// The next so many octets, once all of them are there.
    pub(super) fn take(&mut self, count: usize) -> Option<Zeroizing<Vec<u8>>> {
        if self.filled < count {
            return None;
        }
        let taken = Zeroizing::new(self.octets[..count].to_vec());
        self.octets.copy_within(count..self.filled, 0);
        self.filled -= count;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_documents_are_taken_apart_however_they_come() {
        let all: Vec<u8> = [&b"first\n"[..], &vec![b'd'; 10_000], b"second\n\nrest"].concat();
        for step in [1, 7, 4096, 100_000] {
            let mut incoming = Incoming::default();
            let mut taken: Vec<Vec<u8>> = Vec::new();
            let mut pieces = all.chunks(step);
            loop {
                let next = if taken.len() == 1 { incoming.take(10_000) } else { incoming.line(0) };
                if let Some(next) = next {
                    taken.push(next.to_vec());
                    continue;
                }
                let Some(mut piece) = pieces.next() else { break };
                while !piece.is_empty() {
                    let room = incoming.room();
                    let count = room.len().min(piece.len());
                    room[..count].copy_from_slice(&piece[..count]);
                    incoming.add(count);
                    piece = &piece[count..];
                }
            }
            assert_eq!(taken, [b"first".to_vec(), vec![b'd'; 10_000], b"second".to_vec(), Vec::new()], "{step}");
            assert_eq!((incoming.len(), incoming.line(2)), (4, None));
        }
    }
}
