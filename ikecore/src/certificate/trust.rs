//! Whom a rule trusts to issue certificates, and how strictly.
use super::{Certificate, dn_text};
use std::borrow::Cow;
use std::path::PathBuf;

/// What revocation lists decide.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum RevocationCheck {
    /// They are not looked at.
    #[default]
    Off,
    /// A certificate is refused if a list says that it was revoked.
    Revoked,
    /// A certificate is refused unless a list that is in its time says that it was not revoked.
    Strict,
}

/// Whom a rule trusts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trust {
    /// The certificates of the authorities, at least one.
    pub authorities: Vec<Certificate>,
    /// Files and directories with revocation lists; they are read at each check.
    pub revocation_lists: Vec<PathBuf>,
    /// What they decide.
    pub revocation_check: RevocationCheck,
    /// Also RSA keys from 1024 bits on and signatures with SHA-1.
    pub legacy: bool,
    /// The peer is asked for a certificate without being told of which authorities.
    pub names_excluded: bool,
}

impl Trust {
    /// True if both take the same certificates; how they ask for them may differ.
    pub fn takes_the_same(&self, other: &Self) -> bool {
        let Self { authorities, revocation_lists, revocation_check, legacy, names_excluded: _ } = self;
        *authorities == other.authorities
            && *revocation_lists == other.revocation_lists
            && *revocation_check == other.revocation_check
            && *legacy == other.legacy
    }

    /// The same trust, with lists that decide no less than `check`.
    pub(crate) fn at_least(&self, check: RevocationCheck) -> Cow<'_, Self> {
        if self.revocation_check >= check {
            return Cow::Borrowed(self);
        }
        Cow::Owned(Self { revocation_check: check, ..self.clone() })
    }

    /// The names of the authorities, for people.
    pub(super) fn names(&self) -> Vec<String> {
        self.authorities.iter().map(|authority| dn_text(authority.subject())).collect()
    }

    /// The fewest bits of RSA keys in a chain.
    pub(super) const fn least_bits(&self) -> u32 {
        if self.legacy { crate::crypto::signature::MIN_RSA_BITS } else { 2_048 }
    }
}
