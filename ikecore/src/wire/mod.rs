//! The ISAKMP wire format.
//!
//! Decoding borrows from the received octets, because IKE's hashes cover those and never a re-encoding. Encoding cannot
//! fail. No octets make a decoder panic.
pub mod attribute;
pub mod chain;
pub mod codes;
pub mod dump;
pub mod error;
pub mod header;
pub mod payload;
pub mod reader;
pub mod rules;
#[cfg(test)]
mod tests;
pub mod writer;

pub use attribute::{Attribute, AttributeValue, AttributeWriter};
pub use chain::{Chain, ChainWriter, Padding, RawPayload, build_message, parse};
pub use codes::*;
pub use error::{Fault, Part, WireError};
pub use header::Header;
pub use payload::{
    Cert, CertReq, ConfigAttributes, Delete, Fragment, Hash, Id, KeyExchange, NatD, NatOa, Nonce, Notify, Proposal, Sa,
    Signature, Transform, Vendor,
};
pub use reader::Reader;
pub use rules::{PayloadRule, Unlisted, check};
pub use writer::Writer;
