//! The numbers that tie policies to SAs in the kernel.
//!
//! Two things keep the core's numbers out of the kernel here. Over PF_KEY Linux takes only the reqids 1 to 0x3fff for a
//! policy (`IPSEC_MANUAL_REQID_MAX`; for a higher one it silently chooses another). And it keeps no selector with an SA
//! made over PF_KEY, so that two SAs with the same addresses, mode and reqid are the same to it, whatever was negotiated
//! for them. So each stream of traffic gets a number of its own, and the number does what the SA's selector should.
use ikecore::policy::selector::Selector;
use ikecore::proposal::suite::Mode;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The reqids of this driver. No one else should use them: what a start finds with one of them is a crash's remains.
pub(super) const RANGE: RangeInclusive<u32> = 0x2000..=0x3fff;

/// The reqid of SPIs whose SA is not there yet; what traffic it will be for is not known then.
pub(super) const LARVAL: u32 = *RANGE.start();

/// Traffic that needs SAs of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Stream {
    /// The rule's number.
    rule: u32,
    mode: Mode,
    /// In transport mode the SA's own addresses tell the streams apart, so that all addresses of a rule share a number.
    selector: Result<Selector, Ports>,
}

/// What a transport-mode SA has in its selector besides its addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Ports {
    protocol: u8,
    local: u16,
    remote: u16,
}

impl Stream {
    pub(super) const fn new(rule: u32, mode: Mode, selector: Selector) -> Self {
        let selector = match mode {
            Mode::Tunnel => Ok(selector),
            Mode::Transport => {
                Err(Ports { protocol: selector.protocol, local: selector.local_port, remote: selector.remote_port })
            }
        };
        Self { rule, mode, selector }
    }
}

/// No number is free.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("all {} reqids of the driver are in use", RANGE.end() - RANGE.start())]
pub(super) struct Exhausted;

/// The numbers in use.
#[derive(Debug, Default)]
pub(super) struct Reqids(BTreeMap<Stream, u32>);

impl Reqids {
    /// The number of `stream`, a new one if it has none.
    pub(super) fn of(&mut self, stream: Stream) -> Result<u32, Exhausted> {
        if let Some(reqid) = self.0.get(&stream) {
            return Ok(*reqid);
        }
        let mut used: Vec<u32> = self.0.values().copied().collect();
        used.sort_unstable();
        let reqid = (LARVAL + 1..=*RANGE.end())
            .zip(used.iter().map(Some).chain(std::iter::repeat(None)))
            .find_map(|(candidate, used)| (used != Some(&candidate)).then_some(candidate))
            .ok_or(Exhausted)?;
        self.0.insert(stream, reqid);
        Ok(reqid)
    }

    /// Gives back the numbers of all streams but those `in_use`.
    pub(super) fn keep(&mut self, in_use: &[Stream]) {
        self.0.retain(|stream, _| in_use.contains(stream));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ikecore::policy::selector::Prefix;

    fn selector(remote: &str, protocol: u8) -> Selector {
        let host = |address: &str| Prefix::host(address.parse().unwrap());
        Selector { protocol, ..Selector::between(host("10.0.0.1"), host(remote)) }
    }

    #[test]
    fn streams_that_the_kernel_cannot_tell_apart_have_different_numbers() {
        let mut reqids = Reqids::default();
        let tunnel = |remote, protocol| Stream::new(7, Mode::Tunnel, selector(remote, protocol));
        let transport = |remote, protocol| Stream::new(7, Mode::Transport, selector(remote, protocol));
        let first = reqids.of(tunnel("10.0.0.2", 0)).unwrap();
        assert!(RANGE.contains(&first) && first != LARVAL);
        assert_eq!(reqids.of(tunnel("10.0.0.2", 0)), Ok(first));
        assert_ne!(reqids.of(tunnel("10.0.0.3", 0)), Ok(first));
        let first = reqids.of(transport("10.0.0.2", 0)).unwrap();
        assert_eq!(reqids.of(transport("10.0.0.3", 0)), Ok(first));
        assert_ne!(reqids.of(transport("10.0.0.2", 6)), Ok(first));
        assert_ne!(reqids.of(Stream::new(8, Mode::Transport, selector("10.0.0.2", 0))), Ok(first));
    }

    #[test]
    fn numbers_are_used_again_and_end() {
        let mut reqids = Reqids::default();
        let stream = |rule| Stream::new(rule, Mode::Transport, selector("10.0.0.2", 0));
        let first = reqids.of(stream(1)).unwrap();
        let second = reqids.of(stream(2)).unwrap();
        assert_eq!((first, second), (LARVAL + 1, LARVAL + 2));
        reqids.keep(&[stream(2)]);
        assert_eq!(reqids.of(stream(3)), Ok(first));
        assert_eq!(reqids.of(stream(4)), Ok(second + 1));
        let mut reqids = Reqids((0..RANGE.end() - LARVAL).map(|rule| (stream(rule), LARVAL + 1 + rule)).collect());
        assert_eq!(reqids.of(stream(u32::MAX)), Err(Exhausted));
    }
}
