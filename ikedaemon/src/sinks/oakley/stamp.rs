//! The stamp before each line.
use crate::sys;
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Appends one line to `out`: ` M-DD: HH:MM:SS:mmm:<thread> <text>`, local time, the thread in hexadecimal, with its
/// line end. An empty text leaves the stamp alone.
pub(super) fn line(at: SystemTime, thread: u32, text: &str, out: &mut String) {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    let zero = sys::LocalTime { month: 1, day: 1, hour: 0, minute: 0, second: 0 };
    let sys::LocalTime { month, day, hour, minute, second } = sys::local_time(seconds).unwrap_or(zero);
    let millis = since.subsec_millis();
    // Writing to a string cannot fail.
    let _ = write!(out, "{month:>2}-{day:02}: {hour:02}:{minute:02}:{second:02}:{millis:03}:{thread:x}");
    if !text.is_empty() {
        out.push(' ');
        // What a peer sends must not begin a line of its own, nor drive a terminal.
        text.chars().for_each(|c| if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) });
    }
    out.push('\n');
}
