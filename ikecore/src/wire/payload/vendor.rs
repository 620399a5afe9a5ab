//! The Vendor ID payload (RFC 2408 §3.16) and the vendor IDs that are known.
use super::super::error::WireError;
use super::super::writer::Writer;

/// A vendor ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vendor<'a> {
    /// The ID, of any length.
    pub data: &'a [u8],
}

impl<'a> Vendor<'a> {
    /// Takes a body as it is: no vendor ID spoils a message.
    pub const fn decode(body: &'a [u8]) -> Result<Self, WireError> {
        Ok(Self { data: body })
    }

    /// Writes a body.
    pub fn encode(&self, writer: &mut Writer) {
        writer.bytes(self.data);
    }

    /// What the ID announces, if it is one of [`KNOWN`].
    pub fn name(&self) -> Option<&'static str> {
        KNOWN.iter().find(|(prefix, _)| self.data.starts_with(prefix)).map(|(_, name)| *name)
    }
}

/// NAT traversal of RFC 3947: MD5 of `RFC 3947`.
pub const RFC_3947: [u8; 16] = *b"\x4a\x13\x1c\x81\x07\x03\x58\x45\x5c\x57\x28\xf2\x0e\x95\x45\x2f";
/// NAT traversal of draft 03: MD5 of `draft-ietf-ipsec-nat-t-ike-03`.
pub const NAT_T_DRAFT_03: [u8; 16] = *b"\x7d\x94\x19\xa6\x53\x10\xca\x6f\x2c\x17\x9d\x92\x15\x52\x9d\x56";
/// NAT traversal of draft 02 as Windows writes it: MD5 of `draft-ietf-ipsec-nat-t-ike-02` and a newline.
pub const NAT_T_DRAFT_02_NEWLINE: [u8; 16] = *b"\x90\xcb\x80\x91\x3e\xbb\x69\x6e\x08\x63\x81\xb5\xec\x42\x7b\x1f";
/// NAT traversal of draft 02: MD5 of `draft-ietf-ipsec-nat-t-ike-02`.
pub const NAT_T_DRAFT_02: [u8; 16] = *b"\xcd\x60\x46\x43\x35\xdf\x21\xf8\x7c\xfd\xb2\xfc\x68\xb6\xa4\x48";
/// Windows; a version of 4 octets follows: 2 for 2000, 3 for XP, 4 for Server 2003.
pub const MS_NT5: [u8; 16] = *b"\x1e\x2b\x51\x69\x05\x99\x1c\x7d\x7c\x96\xfc\xbf\xb5\x87\xe4\x61";
/// [`MS_NT5`] of Windows Server 2003.
pub const MS_NT5_2003: [u8; 20] = *b"\x1e\x2b\x51\x69\x05\x99\x1c\x7d\x7c\x96\xfc\xbf\xb5\x87\xe4\x61\0\0\0\x04";
/// IKE fragmentation: MD5 of `FRAGMENTATION`; some add 4 octets.
pub const FRAGMENTATION: [u8; 16] = *b"\x40\x48\xb7\xd5\x6e\xbc\xe8\x85\x25\xe7\xde\x7f\x00\xd6\xc2\xd3";
/// [`FRAGMENTATION`] as others than Microsoft write it, for main mode.
pub const FRAGMENTATION_MAIN_MODE: [u8; 20] =
    *b"\x40\x48\xb7\xd5\x6e\xbc\xe8\x85\x25\xe7\xde\x7f\x00\xd6\xc2\xd3\x80\x00\x00\x00";
/// The sender has no SA with the receiver: MD5 of `Vid-Initial-Contact`.
pub const INITIAL_CONTACT: [u8; 16] = *b"\x26\x24\x4d\x38\xed\xdb\x61\xb3\x17\x2a\x36\xe3\xd0\xcf\xb8\x19";
/// A member of a cluster: MD5 of `NLBS_PRESENT`.
pub const NLBS_PRESENT: [u8; 16] = *b"\x72\x87\x2b\x95\xfc\xda\x2e\xb7\x08\xef\xe3\x22\x11\x9b\x49\x71";
/// Kerberos: MD5 of `GSSAPI`.
pub const GSSAPI: [u8; 16] = *b"\x62\x1b\x04\xbb\x09\x88\x2a\xc1\xe1\x59\x35\xfe\xfa\x24\xae\xee";
/// Dead peer detection (RFC 3706 §5.1); the version, 1.0, follows in 2 octets.
pub const DPD: [u8; 14] = *b"\xaf\xca\xd7\x13\x68\xa1\xf1\xc9\x6b\x86\x96\xfc\x77\x57";
/// [`DPD`] in version 1.0.
pub const DPD_1_0: [u8; 16] = *b"\xaf\xca\xd7\x13\x68\xa1\xf1\xc9\x6b\x86\x96\xfc\x77\x57\x01\x00";
/// Extended authentication (draft-beaulieu-ike-xauth-02 §4).
pub const XAUTH: [u8; 8] = *b"\x09\x00\x26\x89\xdf\xd6\xb7\x12";
/// Cisco's client extensions; the version, 1.0, follows in 2 octets.
pub const UNITY: [u8; 14] = *b"\x12\xf5\xf2\x8c\x45\x71\x68\xa9\x70\x2d\x9f\xe2\x74\xcc";
/// [`UNITY`] with the version 1.0.
pub const UNITY_1_0: [u8; 16] = *b"\x12\xf5\xf2\x8c\x45\x71\x68\xa9\x70\x2d\x9f\xe2\x74\xcc\x01\x00";

/// The beginnings of known vendor IDs with their names.
pub const KNOWN: &[(&[u8], &str)] = &[
    (&RFC_3947, "RFC 3947"),
    (&NAT_T_DRAFT_03, "draft-ietf-ipsec-nat-t-ike-03"),
    (&NAT_T_DRAFT_02_NEWLINE, "draft-ietf-ipsec-nat-t-ike-02\\n"),
    (&NAT_T_DRAFT_02, "draft-ietf-ipsec-nat-t-ike-02"),
    (&MS_NT5, "MS NT5 ISAKMPOAKLEY"),
    (&FRAGMENTATION, "FRAGMENTATION"),
    (&INITIAL_CONTACT, "Vid-Initial-Contact"),
    (&NLBS_PRESENT, "NLBS_PRESENT"),
    (&GSSAPI, "GSSAPI"),
    (&DPD, "Dead Peer Detection"),
    (&XAUTH, "XAUTH"),
    (&UNITY, "CISCO-UNITY"),
    (b"\x44\x85\x15\x2d\x18\xb6\xbb\xcd\x0b\xe8\xa8\x46\x95\x79\xdd\xcc", "draft-ietf-ipsec-nat-t-ike-00"),
    (b"\x16\xf6\xca\x16\xe4\xa4\x06\x6d\x83\x82\x1a\x0f\x0a\xea\xa8\x62", "draft-ietf-ipsec-nat-t-ike-01"),
    (b"\x01\x52\x8b\xbb\xc0\x06\x96\x12\x18\x49\xab\x9a\x1c\x5b\x2a\x51\0\0\0\0", "KEY_MODS, IKE"),
    (b"\x01\x52\x8b\xbb\xc0\x06\x96\x12\x18\x49\xab\x9a\x1c\x5b\x2a\x51\0\0\0\x01", "KEY_MODS, AuthIP"),
    (b"\x01\x52\x8b\xbb\xc0\x06\x96\x12\x18\x49\xab\x9a\x1c\x5b\x2a\x51\0\0\0\x02", "KEY_MODS, IKEv2"),
    (b"\x7b\xb9\x38\x67\xd7\x6c\x8d\x80\xdf\x0f\x40\xfa\xe8\xfc\x3b\x19", "AUTHIP_INIT_KE_DH_GROUP"),
    (b"\x21\x4c\xa4\xfa\xff\xa7\xf3\x2d\x67\x48\xe5\x30\x33\x95\xae\x83", "MS-MamieExists"),
    (b"\xe3\xa5\x96\x6a\x76\x37\x9f\xe7\x07\x22\x82\x31\xe5\xce\x86\x52", "IKE CGA version 1"),
    (b"\xfb\x1d\xe3\xcd\xf3\x41\xb7\xea\x16\xb7\xe5\xbe\x08\x55\xf1\x20", "MS-Negotiation Discovery Capable"),
];
