//! What ESP needs besides the CBC ciphers: integrity check values and AES-GCM.
mod gcm;
mod icv;

pub use gcm::AesGcm16;
pub use icv::{Icv, IcvKey, Integrity};
