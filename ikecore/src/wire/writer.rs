//! Writes fields to octets; cannot fail.

/// Octets being written.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

/// A 16-bit length field that still has to be filled in with [`Writer::fill`].
#[derive(Debug)]
#[must_use = "the length stays invalid until it is filled in"]
pub struct Length {
    at: usize,
    start: usize,
}

impl Writer {
    /// Nothing written yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// One octet.
    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    /// Two octets in network order.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    /// Four octets in network order.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// Octets as they are.
    pub fn bytes(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
    }

    /// `count` zero octets.
    pub fn zeros(&mut self, count: usize) {
        self.0.resize(self.0.len().saturating_add(count), 0);
    }

    /// A two-octet length field that will count from `start`, an earlier [`Self::len`]. Until [`Self::fill`] it holds
    /// 0, which no payload can have: a forgotten one makes the receiver refuse the message instead of misreading it.
    pub fn length_from(&mut self, start: usize) -> Length {
        let at = self.len();
        self.u16(0);
        Length { at, start }
    }

    /// Fills in what was written since the start of `length`. More than 65535 octets leave the 0.
    pub fn fill(&mut self, length: Length) {
        let count = u16::try_from(self.len().saturating_sub(length.start)).unwrap_or(0);
        if let Some(field) = self.0.get_mut(length.at..).and_then(<[u8]>::first_chunk_mut) {
            *field = count.to_be_bytes();
        }
    }

    /// How many octets were written.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// True if nothing was written.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was written.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// What was written.
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}
