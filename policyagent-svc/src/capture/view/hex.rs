//! Octets in hexadecimal and as text.
use std::fmt::Write as _;
use std::ops::Range;

/// Octets of a line.
const WIDTH: usize = 16;

/// Adds the octets to `out`, but for those that are not to be shown.
pub(super) fn dump(octets: &[u8], secrets: &[Range<usize>], out: &mut String) {
    let hidden = |at: usize| secrets.iter().any(|range| range.contains(&at));
    for (line, chunk) in octets.chunks(WIDTH).enumerate() {
        let start = line * WIDTH;
        // Writing to a String does not fail.
        let _ = write!(out, "    {start:04x} ");
        for (at, octet) in chunk.iter().enumerate() {
            let gap = if at == WIDTH / 2 { "  " } else { " " };
            let _ = if hidden(start + at) { write!(out, "{gap}**") } else { write!(out, "{gap}{octet:02x}") };
        }
        let missing = WIDTH - chunk.len();
        let gap = usize::from(chunk.len() <= WIDTH / 2);
        let _ = write!(out, "{:1$}  ", "", missing * 3 + gap);
        for (at, octet) in chunk.iter().enumerate() {
            let shown = match octet {
                _ if hidden(start + at) => '*',
                b' '..=b'~' => char::from(*octet),
                _ => '.',
            };
            out.push(shown);
        }
        out.push('\n');
    }
}
