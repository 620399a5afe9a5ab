//! What ESP needs besides the CBC ciphers: integrity check values, AES-CTR and AES-GCM.
mod ctr;
mod gcm;
mod icv;
mod xcbc;

pub use ctr::AesCtr;
pub use gcm::{AesGcm, GcmIcvLen};
pub use icv::{Icv, IcvKey, Integrity};
