//! Opening the driver that was chosen, or the best one that this system really supports.
use super::memory::MemoryDriver;
use super::pfkey::PfkeyDriver;
use super::select::DriverChoice;
use super::userspace::UserspaceDriver;
use super::xfrm::{self, XfrmDriver};
use super::{SaDriver, userspace};
use ikecore::sa::driver::DriverError;

/// A driver, and why it is this one.
pub struct Opened {
    /// The driver.
    pub driver: Box<dyn SaDriver>,
    /// Why this one, for people: `chosen`, `auto: the kernel accepts ESP SAs`.
    pub why: String,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("why", &self.why).finish_non_exhaustive()
    }
}

/// No driver could be opened.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// The chosen one could not.
    #[error("SA driver {driver} cannot be opened: {reason}")]
    Refused {
        /// Which.
        driver: DriverChoice,
        /// Why not.
        reason: String,
    },
    /// With `auto`: none that protects traffic.
    #[error(
        "no SA driver works here: xfrm: {xfrm}; userspace: {userspace}; allowed too: memory, which protects nothing"
    )]
    None {
        /// Why not this.
        xfrm: String,
        /// Why not that.
        userspace: String,
    },
}

/// Opens a driver in the network namespace of the calling thread, which must run in a tokio runtime. `Auto` takes XFRM
/// where the kernel accepts an ESP SA, otherwise the daemon's own ESP.
pub fn open(choice: DriverChoice) -> Result<Opened, OpenError> {
    let refused = |reason: String| OpenError::Refused { driver: choice, reason };
    let of_driver = |error: DriverError| refused(error.to_string());
    let chosen = |driver: Box<dyn SaDriver>| Opened { driver, why: "chosen".to_owned() };
    match choice {
        DriverChoice::Xfrm => Ok(chosen(Box::new(XfrmDriver::open().map_err(of_driver)?))),
        DriverChoice::Pfkey => Ok(chosen(Box::new(PfkeyDriver::open().map_err(of_driver)?))),
        DriverChoice::Userspace => Ok(chosen(Box::new(UserspaceDriver::open().map_err(refused)?))),
        DriverChoice::Memory => Ok(Opened {
            driver: Box::new(MemoryDriver::new().0),
            why: "chosen; SAs are negotiated and protect nothing".to_owned(),
        }),
        DriverChoice::Auto => auto(),
    }
}

fn auto() -> Result<Opened, OpenError> {
    let xfrm = match xfrm::probe() {
        Ok(_) => match XfrmDriver::open() {
            Ok(driver) => {
                let why = "auto: the kernel accepts ESP SAs".to_owned();
                return Ok(Opened { driver: Box::new(driver), why });
            }
            Err(error) => error.to_string(),
        },
        Err(reason) => reason,
    };
    let opened = userspace::probe().and_then(|_| UserspaceDriver::open());
    match opened {
        Ok(driver) => Ok(Opened { driver: Box::new(driver), why: format!("auto: xfrm does not work here: {xfrm}") }),
        Err(userspace) => Err(OpenError::None { xfrm, userspace }),
    }
}
