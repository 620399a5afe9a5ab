//! `ipsecPolicy`: how often the directory is asked.
use super::{Blob, BlobError, Reader, Writer};
use crate::guid::Guid;

/// The value of an `ipsecPolicy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PolicyBlob {
    /// Seconds; 0 is 10800.
    pub(crate) polling_interval: u32,
}

impl Blob for PolicyBlob {
    const CLASS: &'static str = "ipsecPolicy";
    const GUID: Guid = Guid::new(0x2220_2163, 0x4f4c, 0x11d1, [0x86, 0x3b, 0x00, 0xa0, 0x24, 0x8d, 0x30, 0x21]);

    fn read_body(reader: &mut Reader<'_>) -> Result<Self, BlobError> {
        Ok(Self { polling_interval: reader.u32("the polling interval")? })
    }

    fn write_body(&self, writer: &mut Writer) {
        writer.u32(self.polling_interval);
    }
}
