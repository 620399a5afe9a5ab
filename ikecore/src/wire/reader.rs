//! Reads fields from octets; every error names the part, the field and the offset.
use super::error::{Fault, Part, WireError};

/// A cursor over borrowed octets. It never reads past their end.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    part: Part,
    field: &'static str,
    octets: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Reads `octets`, which are a `part`.
    pub const fn new(part: Part, octets: &'a [u8]) -> Self {
        Self { part, field: "the next field", octets, offset: 0 }
    }

    /// Names the field that is read next, for errors.
    pub const fn field(&mut self, name: &'static str) -> &mut Self {
        self.field = name;
        self
    }

    /// One octet.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        self.array().map(u8::from_be_bytes)
    }

    /// Two octets in network order.
    pub fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four octets in network order.
    pub fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_be_bytes)
    }

    /// `N` octets.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        match self.octets.split_first_chunk::<N>() {
            Some((head, tail)) => {
                self.octets = tail;
                self.offset += N;
                Ok(*head)
            }
            None => Err(self.truncated(N)),
        }
    }

    /// `count` octets, borrowed.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        match self.octets.split_at_checked(count) {
            Some((head, tail)) => {
                self.octets = tail;
                self.offset += count;
                Ok(head)
            }
            None => Err(self.truncated(count)),
        }
    }

    /// All that is left.
    pub const fn rest(&mut self) -> &'a [u8] {
        let rest = self.octets;
        self.offset += rest.len();
        self.octets = &[];
        rest
    }

    /// What is left, without reading it.
    pub const fn peek(&self) -> &'a [u8] {
        self.octets
    }

    /// How many octets are left.
    pub const fn remaining(&self) -> usize {
        self.octets.len()
    }

    /// True if nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// Octets read so far.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Ends the reading: an error if something is left.
    pub fn finish(self) -> Result<(), WireError> {
        match self.remaining() {
            0 => Ok(()),
            count => Err(self.fault(Fault::Trailing { count })),
        }
    }

    /// An error at the present offset.
    pub const fn fault(&self, fault: Fault) -> WireError {
        self.fault_at(self.offset, fault)
    }

    /// An error at `offset`.
    pub const fn fault_at(&self, offset: usize, fault: Fault) -> WireError {
        WireError { part: self.part, offset, fault }
    }

    fn truncated(&self, needed: usize) -> WireError {
        self.fault(Fault::Truncated { field: self.field, needed, there: self.remaining() })
    }
}
