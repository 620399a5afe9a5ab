//! `ipsecISAKMPPolicy`: the offers and the life of main modes.
use super::{Blob, BlobError, Reader, Writer};
use crate::guid::Guid;

/// The group of 2048 bits; the others go by IKE's numbers.
pub(crate) const GROUP_2048: u32 = 0x1000_0001;

/// Certificates are mapped to accounts.
pub(crate) const MAP_CERTIFICATES: u32 = 1;
/// The peer is not told which authorities will do.
pub(crate) const NO_CERTIFICATE_REQUEST: u32 = 2;

/// Octets of a method.
const METHOD: usize = 64;

/// The value of an `ipsecISAKMPPolicy`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct IsakmpBlob {
    /// The object's own GUID.
    pub(crate) guid: Guid,
    /// Each quick mode has a main mode of its own.
    pub(crate) master_pfs: bool,
    /// [`MAP_CERTIFICATES`], [`NO_CERTIFICATE_REQUEST`].
    pub(crate) options: u32,
    /// Offers with 2048 bits, which go before the methods; 0 ends them. 1 DES-MD5, 2 DES-SHA1, 3 3DES-MD5, 4 3DES-SHA1.
    pub(crate) new_groups: [u8; 4],
    /// Quick modes of a main mode; 0 is no limit.
    pub(crate) quick_mode_limit: u32,
    /// The life of main modes in seconds; 0 is 28800.
    pub(crate) seconds: u32,
    /// The offers.
    pub(crate) methods: Vec<IsakmpMethod>,
}

/// An offer of main mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct IsakmpMethod {
    /// 0 none, 1 DES, 2 or 3 3DES.
    pub(crate) cipher: u32,
    /// 0 none, 1 MD5, 2 SHA1.
    pub(crate) hash: u32,
    /// An offer with 2048 bits in the place of this one, by the numbers of [`IsakmpBlob::new_groups`]; 0 is none.
    pub(crate) replacement: u8,
    /// 1, 2, [`GROUP_2048`].
    pub(crate) group: u32,
    /// As in the object.
    pub(crate) quick_mode_limit: u32,
    /// Kilobytes of a main mode; 0 is no limit.
    pub(crate) kilobytes: u32,
    /// As in the object.
    pub(crate) seconds: u32,
    /// As in the object.
    pub(crate) pfs: bool,
}

impl Blob for IsakmpBlob {
    const CLASS: &'static str = "ipsecISAKMPPolicy";
    const GUID: Guid = Guid::new(0x80dc_20b8, 0x2ec8, 0x11d1, [0xa8, 0x9e, 0x00, 0xa0, 0x24, 0x8d, 0x30, 0x21]);

    fn read_body(reader: &mut Reader<'_>) -> Result<Self, BlobError> {
        let guid = reader.guid("the GUID of the object")?;
        reader.bytes(4, "the field behind the GUID")?;
        let master_pfs = reader.boolean("the master PFS")?;
        let options = reader.u32("the options")?;
        let mut new_groups = [0; 4];
        for group in &mut new_groups {
            let at = reader.offset();
            *group = reader.u8("an offer with 2048 bits")?;
            if *group > 4 {
                return Err(reader.error(at, "an offer with 2048 bits", group.to_string(), "0 to 4".to_owned()));
            }
        }
        let quick_mode_limit = reader.u32("the limit of quick modes")?;
        let seconds = reader.u32("the lifetime")?;
        reader.bytes(20, "the fields before the number of methods")?;
        let count = reader.count("the number of methods", METHOD)?;
        let methods = (0..count).map(|_| method(reader)).collect::<Result<_, _>>()?;
        Ok(Self { guid, master_pfs, options, new_groups, quick_mode_limit, seconds, methods })
    }

    fn write_body(&self, writer: &mut Writer) {
        writer.guid(self.guid);
        writer.u32(0);
        writer.boolean(self.master_pfs);
        writer.u32(self.options);
        writer.bytes(&self.new_groups);
        writer.u32(self.quick_mode_limit);
        writer.u32(self.seconds);
        writer.zeros(20);
        writer.length(self.methods.len());
        for method in &self.methods {
            writer.u32(0);
            writer.u32(method.cipher);
            writer.zeros(8);
            writer.u32(method.hash);
            writer.zeros(16);
            writer.u8(method.replacement);
            writer.zeros(7);
            writer.u32(method.group);
            writer.u32(method.quick_mode_limit);
            writer.u32(method.kilobytes);
            writer.u32(method.seconds);
            writer.boolean(method.pfs);
        }
    }
}

fn method(reader: &mut Reader<'_>) -> Result<IsakmpMethod, BlobError> {
    reader.bytes(4, "the version of a method")?;
    let cipher = reader.u32("the cipher of a method")?;
    reader.bytes(8, "the fields behind the cipher")?;
    let hash = reader.u32("the hash of a method")?;
    reader.bytes(16, "the fields behind the hash")?;
    let at = reader.offset();
    let replacement = reader.u8("the replacement of a method")?;
    if replacement > 4 {
        return Err(reader.error(at, "the replacement of a method", replacement.to_string(), "0 to 4".to_owned()));
    }
    reader.bytes(7, "the fields behind the replacement")?;
    Ok(IsakmpMethod {
        cipher,
        hash,
        replacement,
        group: reader.u32("the group of a method")?,
        quick_mode_limit: reader.u32("the limit of quick modes of a method")?,
        kilobytes: reader.u32("the kilobytes of a method")?,
        seconds: reader.u32("the lifetime of a method")?,
        pfs: reader.boolean("the identity PFS of a method")?,
    })
}
