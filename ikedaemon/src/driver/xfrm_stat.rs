//! What the kernel counts of IPsec: `/proc/net/xfrm_stat`, which is of a network namespace, and of all SAs in it.
use super::Drops;
use std::fs::File;
use std::os::unix::fs::FileExt as _;

/// The counters since it was opened.
#[derive(Debug)]
pub(super) struct XfrmStat {
    /// `None`: this kernel was built without.
    file: Option<File>,
    /// As they were at first.
    before: Raw,
}

/// The counters as they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Raw {
    no_state: Option<u64>,
    protocol_error: Option<u64>,
    sequence_error: Option<u64>,
}

impl XfrmStat {
    /// Those of this thread's network namespace.
    pub(super) fn open() -> Self {
        let file = File::open("/proc/thread-self/net/xfrm_stat").ok();
        let before = file.as_ref().map(read).unwrap_or_default();
        Self { file, before }
    }

    /// What was dropped since.
    pub(super) fn drops(&self) -> Drops {
        let now = self.file.as_ref().map(read).unwrap_or_default();
        let since = |now: Option<u64>, before: Option<u64>| Some(now?.saturating_sub(before.unwrap_or(0)));
        Drops {
            bad_spi: since(now.no_state, self.before.no_state),
            not_decrypted: since(now.protocol_error, self.before.protocol_error),
            not_authenticated: None,
            replayed: since(now.sequence_error, self.before.sequence_error),
        }
    }
}

fn read(file: &File) -> Raw {
    let mut room = [0; 4096];
    // The kernel makes the text anew for each read from the start; it is some hundred octets.
    let length = file.read_at(&mut room, 0).unwrap_or(0);
    parse(&String::from_utf8_lossy(room.get(..length).unwrap_or_default()))
}

fn parse(text: &str) -> Raw {
    let of = |name: &str| {
        let mut lines = text.lines().map(str::split_ascii_whitespace);
        lines.find_map(|mut words| if words.next() == Some(name) { words.next()?.parse().ok() } else { None })
    };
    Raw {
        no_state: of("XfrmInNoStates"),
        protocol_error: of("XfrmInStateProtoError"),
        sequence_error: of("XfrmInStateSeqError"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Raw, parse};

    #[test]
    fn counters_are_found_by_their_names_and_what_is_missing_is_not_zero() {
        let text = "XfrmInError                     \t0\nXfrmInNoStates                  \t7\nXfrmInStateProtoError           \t2\n";
        assert_eq!(parse(text), Raw { no_state: Some(7), protocol_error: Some(2), sequence_error: None });
        assert_eq!(parse(""), Raw::default());
    }
}
