//! The system's monotonic clock as the core's [`Time`].
use ikecore::time::Time;
use std::time::Duration;
use tokio::time::Instant;

/// Counts from its making.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// A clock whose origin is one hour ago, so that no instant of a running service is the core's [`Time::ZERO`].
    pub fn start() -> Self {
        let now = Instant::now();
        Self { origin: now.checked_sub(Duration::from_secs(3600)).unwrap_or(now) }
    }

    /// Now.
    pub fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The instant at which [`Self::now`] reaches `time`; a time beyond the clock's range is a year from now.
    pub fn instant(&self, time: Time) -> Instant {
        let far = || Instant::now() + Duration::from_secs(365 * 86_400);
        self.origin.checked_add(Duration::from_micros(time.as_micros())).unwrap_or_else(far)
    }
}
