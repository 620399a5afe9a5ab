//! Numbers of the wire with their names.
//!
//! Every code is a newtype that holds any value a peer may send, so that decoding never loses one; what a value means
//! is decided later, by code that matches on the constants.

/// Makes a code type: a newtype over an unsigned integer with one constant and one name a known value.
macro_rules! code {
    ($(#[$doc:meta])* $name:ident($int:ty) { $($constant:ident = $value:literal $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        impl $name {
            $(
                #[doc = $label]
                pub const $constant: Self = Self($value);
            )*

            /// The name the value has in its standard; `None` for a value without one.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($label),)*
                    _ => None,
                }
            }
        }

        impl core::fmt::Display for $name {
            /// The name with the number, as in `AES-CBC (7)`; `unknown (99)` for a value without a name.
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{} ({})", self.name().unwrap_or("unknown"), self.0)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl From<$int> for $name {
            fn from(value: $int) -> Self {
                Self(value)
            }
        }

        impl From<$name> for $int {
            fn from(code: $name) -> Self {
                code.0
            }
        }
    };
}

mod config;
mod ike;
mod ipsec;
mod isakmp;
#[cfg(test)]
mod tests;

pub use config::{ConfigAttribute, ConfigType};
pub use ike::{
    AuthenticationMethod, EncryptionAlgorithm, GroupDescription, GroupType, HashAlgorithm, IkeAttribute, LifeType,
};
pub(super) use ipsec::TransformId;
pub use ipsec::{
    AhTransform, AuthenticationAlgorithm, EncapsulationMode, EspTransform, ExtendedSequenceNumber, IdType,
    IpcompTransform, IpsecAttribute, Situation,
};
pub use isakmp::{CertEncoding, Doi, ExchangeType, Flags, IkeTransform, NotifyType, PayloadType, ProtocolId};
