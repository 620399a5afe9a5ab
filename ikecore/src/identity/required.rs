//! Whom a rule requires: one peer, or all whose distinguished names are of one form.
//!
//! What a peer proves is an [`Identity`], which is never a form: a name with an asterisk in it is no more than that.
use super::dn::Form;
use super::{Identity, IdentityTextError};
use core::fmt;
use core::str::FromStr;

/// What the identity of a peer must be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Required {
    /// This one.
    One(Identity),
    /// A distinguished name of this form.
    Form(Form),
}

impl Required {
    /// True if the peer with this identity is meant.
    pub fn matches(&self, identity: &Identity) -> bool {
        match (self, identity) {
            (Self::One(one), identity) => one.matches(identity),
            (Self::Form(form), Identity::DerAsn1Dn(name)) => form.matches(name),
            (Self::Form(_), _) => false,
        }
    }

    /// True if it is one peer.
    pub const fn is_one(&self) -> bool {
        matches!(self, Self::One(_))
    }
}

impl From<Identity> for Required {
    fn from(identity: Identity) -> Self {
        Self::One(identity)
    }
}

impl fmt::Display for Required {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(identity) => write!(f, "{identity}"),
            Self::Form(form) => write!(f, "dn:{form}"),
        }
    }
}

impl FromStr for Required {
    type Err = IdentityTextError;

    /// Reads what [`fmt::Display`] writes: an identity, or `dn:C=CH, O=Example, CN=*`, where an asterisk that is a value by
    /// itself stands for any value.
    fn from_str(text: &str) -> Result<Self, IdentityTextError> {
        let identity: Identity = text.parse()?;
        let form = text.strip_prefix("dn:").and_then(Form::parse);
        Ok(form.map_or(Self::One(identity), Self::Form))
    }
}
