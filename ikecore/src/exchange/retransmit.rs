//! When to send a message again, and when to give up.
use crate::time::{Duration, Time};

/// The retransmission plan: intervals that double.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The first interval.
    pub first: Duration,
    /// Transmissions of one message, the first included.
    pub transmissions: u32,
}

impl Plan {
    /// The interval after the `sent`th transmission (1 for the first).
    pub fn interval(&self, sent: u32) -> Duration {
        self.first.saturating_mul(1_u32.checked_shl(sent.saturating_sub(1)).unwrap_or(u32::MAX))
    }

    /// From the first transmission to giving up.
    pub fn total(&self) -> Duration {
        (1..=self.transmissions).fold(Duration::ZERO, |sum, sent| sum.saturating_add(self.interval(sent)))
    }
}

/// So many repetitions of a long message go out whole; then it may be the length that keeps it from arriving. This and the
/// first transmission are three seconds with the usual intervals.
pub const WHOLE: u32 = 1;

/// Where the messages of an exchange stand in the plan.
#[derive(Clone, Copy, Debug)]
pub struct Retransmission {
    /// How often the present message was sent.
    pub sent: u32,
    /// When it was sent first.
    pub since: Time,
}

impl Retransmission {
    /// A message is sent for the first time.
    pub const fn begin(now: Time) -> Self {
        Self { sent: 1, since: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_transmissions_take_63_seconds_to_give_up() {
        let plan = Plan { first: Duration::from_secs(1), transmissions: 6 };
        let gaps: Vec<u64> = (1..=6).map(|sent| plan.interval(sent).as_secs()).collect();
        assert_eq!(gaps, [1, 2, 4, 8, 16, 32]);
        assert_eq!(plan.total().as_secs(), 63);
    }
}
