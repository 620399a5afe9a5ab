//! Text of octets: UTF-8, UTF-16, or what else a file was written in.
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use zeroize::Zeroizing;

/// No text.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    /// No encoding has this name.
    #[error(
        "{0:?} is no encoding; allowed: utf-8, utf-16le, utf-16be, windows-1252, gb18030, gbk, big5, shift_jis, euc-kr, \
             windows-1251, and what else the Encoding Standard names"
    )]
    Unknown(String),
    /// The octets are not of the encoding.
    #[error("octets that are no text of {encoding}; allowed: another encoding with --encoding")]
    Malformed {
        /// Its name.
        encoding: &'static str,
    },
    /// It has a character that no text has.
    #[error("line {line} has a zero octet: this is no script")]
    Binary {
        /// The line.
        line: usize,
    },
}

/// The text of octets, and a warning if how they are written was guessed. `named` goes before a guess, and a byte order
/// mark before both.
pub(crate) fn decode(octets: &[u8], named: Option<&str>) -> Result<(Zeroizing<String>, Option<String>), DecodeError> {
    let named = match named {
        Some(name) => Some(Encoding::for_label(name.as_bytes()).ok_or_else(|| DecodeError::Unknown(name.to_owned()))?),
        None => None,
    };
    let (encoding, skip, guessed) = match (Encoding::for_bom(octets), named) {
        (Some((encoding, length)), _) => (encoding, length, false),
        (None, Some(encoding)) => (encoding, 0, false),
        (None, None) => match without_mark(octets) {
            Some(encoding) => (encoding, 0, false),
            None if str::from_utf8(octets).is_ok() => (UTF_8, 0, false),
            None => (WINDOWS_1252, 0, true),
        },
    };
    let body = octets.get(skip..).unwrap_or_default();
    let decoded = encoding.decode_without_bom_handling_and_without_replacement(body);
    let text = decoded.ok_or_else(|| DecodeError::Malformed { encoding: encoding.name() })?;
    let text = Zeroizing::new(text.into_owned());
    if let Some(line) = text.split('\n').position(|line| line.contains('\0')) {
        return Err(DecodeError::Binary { line: line + 1 });
    }
    let warning = guessed.then(|| {
        "not UTF-8, taken as Windows-1252; if names look wrong, say the encoding, as in --encoding gb18030".to_owned()
    });
    Ok((text, warning))
}

/// UTF-16 without its mark: every other octet of what is mostly ASCII is zero.
fn without_mark(octets: &[u8]) -> Option<&'static Encoding> {
    let head = octets.get(..octets.len().min(64))?;
    let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|octet| **octet == 0).count();
    let half = head.len() / 2;
    match (zeros(0), zeros(1)) {
        _ if half < 2 || octets.len() % 2 == 1 => None,
        (0, odd) if odd * 4 >= half * 3 => Some(UTF_16LE),
        (even, 0) if even * 4 >= half * 3 => Some(UTF_16BE),
        _ => None,
    }
}
