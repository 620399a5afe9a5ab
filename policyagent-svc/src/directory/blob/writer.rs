//! Writes fields.
use crate::guid::Guid;
use zeroize::Zeroizing;

/// What was written. Values may hold secrets and are wiped.
#[derive(Default)]
pub(crate) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    pub(super) fn octets(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    pub(super) fn bytes(&mut self, octets: &[u8]) {
        // A vector that grows by itself leaves its old octets behind in memory.
        if self.0.capacity() - self.0.len() < octets.len() {
            let mut larger = Vec::with_capacity((self.0.len() + octets.len()) * 2);
            larger.extend_from_slice(&self.0);
            self.0 = Zeroizing::new(larger);
        }
        self.0.extend_from_slice(octets);
    }

    pub(super) fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    pub(super) fn boolean(&mut self, value: bool) {
        self.u32(value.into());
    }

    /// A number of things in memory, which is far below 2^32.
    pub(super) fn length(&mut self, value: usize) {
        self.u32(u32::try_from(value).unwrap_or(u32::MAX));
    }

    pub(super) fn guid(&mut self, guid: Guid) {
        self.bytes(&guid.0);
    }

    pub(super) fn zeros(&mut self, n: usize) {
        for _ in 0..n {
            self.u8(0);
        }
    }

    /// The length in octets, the text in UTF-16, a NUL.
    pub(super) fn text(&mut self, text: &str) {
        let units = Zeroizing::new(text.encode_utf16().chain([0]).collect::<Vec<u16>>());
        self.length(units.len() * 2);
        units.iter().for_each(|unit| self.u16(*unit));
    }
}
