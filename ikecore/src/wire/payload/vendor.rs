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
    (b"\x99\x09\xb6\x4e\xed\x93\x7c\x65\x73\xde\x52\xac\xe9\x52\xfa\x6b", "draft-ietf-ipsec-nat-t-ike-04"),
    (b"\x80\xd0\xbb\x3d\xef\x54\x56\x5e\xe8\x46\x45\xd4\xc8\x5c\xe3\xee", "draft-ietf-ipsec-nat-t-ike-05"),
    (b"\x4d\x1e\x0e\x13\x6d\xea\xfa\x34\xc4\xf3\xea\x9f\x02\xec\x72\x85", "draft-ietf-ipsec-nat-t-ike-06"),
    (b"\x43\x9b\x59\xf8\xba\x67\x6c\x4c\x77\x37\xae\x22\xea\xb8\xf5\x82", "draft-ietf-ipsec-nat-t-ike-07"),
    (b"\x8f\x8d\x83\x82\x6d\x24\x6b\x6f\xc7\xa8\xa6\xa4\x28\xc1\x1d\xe8", "draft-ietf-ipsec-nat-t-ike-08"),
    (b"\x4d\xf3\x79\x28\xe9\xfc\x4f\xd1\xb3\x26\x21\x70\xd5\x15\xc6\x62", "draft-ietf-ipsec-nat-t-ike"),
    (b"\x27\xba\xb5\xdc\x01\xea\x07\x60\xea\x4e\x31\x90\xac\x27\xc0\xd0", "draft-stenberg-ipsec-nat-traversal-01"),
    (b"\x61\x05\xc4\x22\xe7\x68\x47\xe4\x3f\x96\x84\x80\x12\x92\xae\xcd", "draft-stenberg-ipsec-nat-traversal-02"),
    (b"\x6a\x74\x34\xc1\x9d\x7e\x36\x34\x80\x90\xa0\x23\x34\xc9\xc8\x05", "draft-huttunen-ipsec-esp-in-udp-00.txt"),
    (b"\x50\x76\x0f\x62\x4c\x63\xe5\xc5\x3e\xea\x38\x6c\x68\x5c\xa0\x83", "ESPThruNAT"),
    (b"\x88\x2f\xe5\x6d\x6f\xd2\x0d\xbc\x22\x51\x61\x3b\x2e\xbe\x5b\xeb", "strongSwan"),
    (b"\x70\x03\xcb\xc1\x09\x7d\xbe\x9c\x26\x00\xba\x69\x83\xbc\x8b\x35", "KAME/racoon"),
    (b"\xad\x2c\x0d\xd0\xb9\xc3\x20\x83\xcc\xba\x25\xb8\x86\x1e\xc4\x55", "A GSS-API Authentication Method for IKE"),
    (b"\x1f\x07\xf7\x0e\xaa\x65\x14\xd3\xb0\xfa\x96\x54\x2a\x50", "CISCO VPN 3000"),
    (b"OE-Libreswan-", "libreswan"),
    (b"HeartBeat_Notify", "HeartBeat_Notify"),
];
