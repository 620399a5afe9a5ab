//! Which driver: by name, or the best one that this system really supports.
use super::memory::MemoryDriver;
use super::pfkey::PfkeyDriver;
use super::userspace::UserspaceDriver;
use super::xfrm::{self, XfrmDriver};
use super::SaDriver;
use ikecore::sa::driver::DriverError;
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

/// The driver that was opened.
pub struct Opened {
    /// The driver.
    pub driver: Box<dyn SaDriver>,
    /// Why this one, for people.
    pub why: String,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("why", &self.why).finish_non_exhaustive()
    }
}

/// No driver could be opened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// The one that was chosen.
    #[error("{0}")]
    Chosen(DriverError),
    /// Neither of those that `auto` stands for.
    #[error("no SA driver can be used: xfrm: {xfrm}; userspace: {userspace}")]
    Neither {
        /// Why not the kernel's.
        xfrm: String,
        /// Why not the daemon's own.
        userspace: String,
    },
}

/// Opens the driver of a choice, in this thread's network namespace and inside a tokio runtime.
pub fn open(choice: DriverChoice) -> Result<Opened, OpenError> {
    let chosen = |driver: Result<Box<dyn SaDriver>, DriverError>| match driver {
        Ok(driver) => Ok(Opened { driver, why: "chosen by the settings".to_owned() }),
        Err(error) => Err(OpenError::Chosen(error)),
    };
    match choice {
        DriverChoice::Auto => open_best(),
        DriverChoice::Xfrm => chosen(open_xfrm()),
        DriverChoice::Pfkey => chosen(PfkeyDriver::open().map(boxed)),
        DriverChoice::Userspace => chosen(open_userspace()),
        DriverChoice::Memory => chosen(Ok(boxed(MemoryDriver::new().0))),
    }
}

fn open_best() -> Result<Opened, OpenError> {
    // A kernel may answer on the netlink socket and yet have no ESP: only an SA that it accepts proves that it has.
    let xfrm = match xfrm::probe() {
        Ok(_) => match open_xfrm() {
            Ok(driver) => {
                return Ok(Opened { driver, why: "the kernel accepts ESP SAs".to_owned() });
            }
            Err(error) => error.to_string(),
        },
        Err(reason) => reason,
    };
    match open_userspace() {
        Ok(driver) => Ok(Opened { driver, why: format!("xfrm cannot be used: {xfrm}") }),
        Err(error) => Err(OpenError::Neither { xfrm, userspace: error.reason }),
    }
}

fn boxed(driver: impl SaDriver + 'static) -> Box<dyn SaDriver> {
    Box::new(driver)
}

fn open_xfrm() -> Result<Box<dyn SaDriver>, DriverError> {
    XfrmDriver::open().map(boxed)
}

fn open_userspace() -> Result<Box<dyn SaDriver>, DriverError> {
    let failed = |reason| DriverError { driver: "userspace", operation: "open".to_owned(), reason };
    UserspaceDriver::open().map(boxed).map_err(failed)
}
