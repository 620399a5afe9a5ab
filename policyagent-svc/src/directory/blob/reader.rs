//! Reads fields, never beyond the end.
use super::BlobError;
use crate::guid::Guid;
use std::net::Ipv4Addr;
use zeroize::Zeroizing;

/// Where the reading is.
pub(crate) struct Reader<'a> {
    class: &'static str,
    octets: &'a [u8],
    at: usize,
    body_end: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(class: &'static str, octets: &'a [u8]) -> Self {
        Self { class, octets, at: 0, body_end: octets.len() }
    }

    /// Where the body ends, as its length says.
    pub(super) const fn body_ends(&mut self, at: usize) {
        self.body_end = at;
    }

    /// Where the body ends, as its length says.
    pub(super) const fn body_end(&self) -> usize {
        self.body_end
    }

    pub(super) const fn offset(&self) -> usize {
        self.at
    }

    /// Goes on at another place.
    pub(super) const fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.octets.get(self.at..).unwrap_or_default()
    }

    pub(super) const fn error(&self, offset: usize, what: &'static str, value: String, allowed: String) -> BlobError {
        BlobError { class: self.class, offset, what, value, allowed }
    }

    pub(super) fn bytes(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], BlobError> {
        let rest = self.rest();
        let taken = rest.get(..n).ok_or_else(|| {
            let value = format!("{n} octets long");
            self.error(self.at, what, value, format!("at most {}, which follow", rest.len()))
        })?;
        self.at += n;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], BlobError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N, what)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, BlobError> {
        self.array(what).map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16, BlobError> {
        self.array(what).map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, BlobError> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// 0 is no; whatever else is yes.
    pub(super) fn boolean(&mut self, what: &'static str) -> Result<bool, BlobError> {
        self.u32(what).map(|value| value != 0)
    }

    pub(super) fn guid(&mut self, what: &'static str) -> Result<Guid, BlobError> {
        self.array(what).map(Guid)
    }

    pub(super) fn address(&mut self, what: &'static str) -> Result<Ipv4Addr, BlobError> {
        self.array(what).map(|octets: [u8; 4]| Ipv4Addr::from(octets))
    }

    pub(super) fn sixteen(&mut self, what: &'static str) -> Result<[u8; 16], BlobError> {
        self.array(what)
    }

    /// A number of things that have at least `least` octets each.
    pub(super) fn count(&mut self, what: &'static str, least: usize) -> Result<usize, BlobError> {
        let at = self.at;
        let count = self.u32(what)? as usize;
        let most = self.rest().len() / least;
        if count > most {
            return Err(self.error(at, what, count.to_string(), format!("at most {most}, for which there is room")));
        }
        Ok(count)
    }

    /// A length in octets and so much UTF-16, with or without a NUL at its end. It may be a secret.
    pub(super) fn text(&mut self, what: &'static str) -> Result<Zeroizing<String>, BlobError> {
        let at = self.at;
        let length = self.count(what, 1)?;
        let octets = self.bytes(length, what)?;
        self.utf16(at, octets, what)
    }

    /// UTF-16, with or without a NUL at its end.
    pub(super) fn utf16(&self, at: usize, octets: &[u8], what: &'static str) -> Result<Zeroizing<String>, BlobError> {
        let (pairs, odd) = octets.as_chunks::<2>();
        if !odd.is_empty() {
            let value = format!("{} octets long", octets.len());
            return Err(self.error(at, what, value, "an even number of octets".to_owned()));
        }
        let units = Zeroizing::new(pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect::<Vec<u16>>());
        let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
        String::from_utf16(&units[..end]).map(Zeroizing::new).map_err(|_| {
            let value = format!("{} octets with half a character", octets.len());
            self.error(at, what, value, "UTF-16".to_owned())
        })
    }

    /// True, and behind it, if `marker` is next, be it behind the zero octet that ends a value.
    pub(super) fn skip_marker(&mut self, marker: Guid) -> bool {
        let rest = self.rest();
        let zeros = usize::from(rest.first() == Some(&0) && !rest.starts_with(&marker.0));
        let found = rest.get(zeros..).is_some_and(|rest| rest.starts_with(&marker.0));
        if found {
            self.at += zeros + marker.0.len();
        }
        found
    }
}
