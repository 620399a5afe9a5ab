//! Which driver: by name, or the best one that this system really supports.
use std::fmt;
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// What the administrator chose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DriverChoice {
    /// The kernel's where it accepts an ESP SA, else the daemon's own ESP.
    #[default]
    Auto,
    /// The kernel's, by netlink.
    Xfrm,
    /// The kernel's, by PF_KEY.
    Pfkey,
    /// The daemon's own ESP.
    Userspace,
    /// None: SAs are negotiated and protect nothing.
    Memory,
}

/// No driver has that name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no SA driver is called {0:?}, allowed: auto, xfrm, pfkey, userspace, memory")]
pub struct UnknownDriver(String);

impl DriverChoice {
    /// Every choice.
    pub const ALL: [Self; 5] = [Self::Auto, Self::Xfrm, Self::Pfkey, Self::Userspace, Self::Memory];

    /// As settings and the command line spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Xfrm => "xfrm",
            Self::Pfkey => "pfkey",
            Self::Userspace => "userspace",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for DriverChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DriverChoice {
    type Err = UnknownDriver;

    fn from_str(name: &str) -> Result<Self, UnknownDriver> {
        Self::ALL.into_iter().find(|choice| choice.name() == name).ok_or_else(|| UnknownDriver(name.to_owned()))
    }
}
