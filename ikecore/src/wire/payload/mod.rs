//! The payloads, one file each (RFC 2408 §3.4 to §3.16; RFC 3947; Mode Config; fragments).
//!
//! `decode` takes a body: the octets behind the generic header. `encode` writes one.
use super::codes::PayloadType;
use super::error::{Fault, Part, WireError};
use super::reader::Reader;

pub mod attributes;
mod cert;
mod certreq;
mod delete;
mod fragment;
mod hash;
mod id;
mod ke;
mod natd;
mod natoa;
mod nonce;
mod notify;
pub mod sa;
mod sig;
#[cfg(test)]
mod tests;
pub mod vendor;

pub use attributes::ConfigAttributes;
pub use cert::Cert;
pub use certreq::CertReq;
pub use delete::Delete;
pub use fragment::Fragment;
pub use hash::Hash;
pub use id::Id;
pub use ke::KeyExchange;
pub use natd::NatD;
pub use natoa::NatOa;
pub use nonce::Nonce;
pub use notify::Notify;
pub use sa::{Proposal, Sa, Transform};
pub use sig::Signature;
pub use vendor::Vendor;

/// An SPI with its size field. No protocol has SPIs of more than 255 octets; only that many would be written.
fn sized(spi: &[u8]) -> (u8, &[u8]) {
    let spi = spi.get(..usize::from(u8::MAX)).unwrap_or(spi);
    (u8::try_from(spi.len()).unwrap_or(u8::MAX), spi)
}

/// The body of a payload that is one field of at least one octet.
fn some_octets<'a>(kind: PayloadType, field: &'static str, body: &'a [u8]) -> Result<&'a [u8], WireError> {
    let reader = Reader::new(Part::Payload(kind), body);
    if body.is_empty() {
        return Err(reader.fault(Fault::Length { field, length: 0, allowed: "at least 1" }));
    }
    Ok(body)
}
