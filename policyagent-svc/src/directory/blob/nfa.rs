//! `ipsecNFA`: what a rule has besides its references.
use super::{Blob, BlobError, Reader, Writer};
use crate::guid::Guid;
use core::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use zeroize::Zeroizing;

/// Interfaces that are lines dialled up.
pub(crate) const DIAL_UP: u32 = 0xffff_ffff;
/// Interfaces of local networks.
pub(crate) const LAN: u32 = 0xffff_fffe;
/// All interfaces.
pub(crate) const ALL: u32 = 0xffff_fffd;

/// Octets that begin each of the markers of later versions. The published text lacks two octets of their end, so that they
/// are known by these and by their number, and are never written.
const MARKER: [u8; 10] = [1; 10];

/// The value of an `ipsecNFA`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NfaBlob {
    /// In order of preference.
    pub(crate) methods: Vec<NfaMethod>,
    /// [`DIAL_UP`], [`LAN`], [`ALL`].
    pub(crate) interfaces: u32,
    /// The name of an interface.
    pub(crate) interface: String,
    /// The rule is for tunnel mode, with this end.
    pub(crate) tunnel: Option<IpAddr>,
    /// The name of the tunnel's end.
    pub(crate) tunnel_name: String,
    /// The rule is in use.
    pub(crate) is_active: bool,
    /// What later versions say of each method: 1 mapped to an account, 2 without the authority's name.
    pub(crate) flags: Vec<u32>,
}

/// How peers prove who they are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum NfaMethod {
    /// A pre-shared key.
    PresharedKey(Zeroizing<String>),
    /// A certificate of the authority with this name.
    Certificate(String),
    /// Kerberos.
    Kerberos,
    /// A number that is not published.
    Unknown(u32),
}

impl fmt::Debug for NfaMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PresharedKey(_) => f.write_str("PresharedKey"),
            Self::Certificate(name) => write!(f, "Certificate({name:?})"),
            Self::Kerberos => f.write_str("Kerberos"),
            Self::Unknown(number) => write!(f, "Unknown({number})"),
        }
    }
}

impl Blob for NfaBlob {
    const CLASS: &'static str = "ipsecNFA";
    const GUID: Guid = Guid::new(0x11bb_ac00, 0x498d, 0x11d1, [0x86, 0x39, 0x00, 0xa0, 0x24, 0x8d, 0x30, 0x21]);

    fn read_body(reader: &mut Reader<'_>) -> Result<Self, BlobError> {
        let count = reader.count("the number of authentication methods", 8)?;
        let methods = (0..count).map(|_| method(reader)).collect::<Result<Vec<_>, _>>()?;
        let interfaces = reader.u32("the interface type")?;
        let interface = String::clone(&*reader.text("the interface's name")?);
        let address = reader.address("the tunnel's address")?;
        let is_tunnel = reader.boolean("the mark of a tunnel")?;
        let is_active = reader.boolean("the mark of use")?;
        let tunnel_name = String::clone(&*reader.text("the name of the tunnel's end")?);
        let tunnel = is_tunnel.then_some(IpAddr::V4(address));
        let mut blob = Self { methods, interfaces, interface, tunnel, tunnel_name, is_active, flags: Vec::new() };
        while let Some(number) = later_part(reader) {
            blob.read_later(reader, number)?;
        }
        Ok(blob)
    }

    fn write_body(&self, writer: &mut Writer) {
        writer.length(self.methods.len());
        for method in &self.methods {
            match method {
                NfaMethod::PresharedKey(key) => {
                    writer.u32(1);
                    writer.text(key);
                }
                NfaMethod::Certificate(name) => {
                    writer.u32(3);
                    writer.text(name);
                }
                NfaMethod::Kerberos => {
                    writer.u32(5);
                    writer.text("");
                }
                NfaMethod::Unknown(number) => {
                    writer.u32(*number);
                    writer.u32(0);
                }
            }
        }
        writer.u32(self.interfaces);
        writer.text(&self.interface);
        let address = match self.tunnel {
            Some(IpAddr::V4(address)) => address,
            _ => Ipv4Addr::UNSPECIFIED,
        };
        writer.bytes(&address.octets());
        writer.boolean(self.tunnel.is_some());
        writer.boolean(self.is_active);
        writer.text(&self.tunnel_name);
    }
}

impl NfaBlob {
    fn read_later(&mut self, reader: &mut Reader<'_>, number: u8) -> Result<(), BlobError> {
        match number {
            1 => {
                // The same number of methods again, as later versions would have them.
                let count = reader.count("the number of alternative methods", 8)?;
                for _ in 0..count {
                    method(reader)?;
                }
            }
            2 => {
                reader.u32("the field before the flags")?;
                self.flags =
                    (0..self.methods.len()).map(|_| reader.u32("the flags of a method")).collect::<Result<_, _>>()?;
            }
            _ => {
                let address = Ipv6Addr::from(reader.sixteen("the tunnel's IPv6 address")?);
                if !address.is_unspecified() {
                    self.tunnel = Some(IpAddr::V6(address));
                }
            }
        }
        Ok(())
    }
}

/// The number of the part of a later version that is next.
fn later_part(reader: &mut Reader<'_>) -> Option<u8> {
    let rest = reader.rest();
    let zeros = usize::from(rest.first() == Some(&0));
    let marker = rest.get(zeros..zeros + 16)?;
    let number = marker.strip_prefix(&MARKER)?.iter().copied().max()?;
    if !(1..=3).contains(&number) {
        return None;
    }
    reader.go_to(reader.offset() + zeros + 16);
    Some(number)
}

fn method(reader: &mut Reader<'_>) -> Result<NfaMethod, BlobError> {
    let number = reader.u32("the type of an authentication method")?;
    let at = reader.offset();
    let length = reader.count("the length of an authentication method", 1)?;
    let octets = reader.bytes(length, "an authentication method")?;
    Ok(match number {
        1 => NfaMethod::PresharedKey(reader.utf16(at, octets, "the pre-shared key")?),
        3 => NfaMethod::Certificate(String::clone(&*reader.utf16(at, octets, "the authority's name")?)),
        5 => NfaMethod::Kerberos,
        number => NfaMethod::Unknown(number),
    })
}
