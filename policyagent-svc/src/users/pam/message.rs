//! What goes between the service, its helper and the process of a check: a number, then fields of octets, each behind its
//! length in 2 octets.
use std::io::{self, Read, Write};
use zeroize::Zeroizing;

/// Whether somebody is a user.
pub(super) struct Question<'a> {
    /// The answer has the same.
    pub(super) number: u32,
    /// The name.
    pub(super) user: &'a [u8],
    /// The password.
    pub(super) password: &'a [u8],
    /// The address of the peer.
    pub(super) peer: &'a str,
}

/// A question as it came.
pub(super) struct Asked {
    pub(super) number: u32,
    pub(super) user: Zeroizing<Vec<u8>>,
    pub(super) password: Zeroizing<Vec<u8>>,
    pub(super) peer: String,
}

/// Whether he is; if not, why, for the administrator.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Answer {
    pub(super) number: u32,
    pub(super) result: Result<(), String>,
}

impl Question<'_> {
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        write(to, self.number, &[self.user, self.password, self.peer.as_bytes()])
    }
}

impl Asked {
    /// The next one; `None` at the end.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let Some((number, [user, password, peer])) = read(from)? else { return Ok(None) };
        Ok(Some(Self { number, user, password, peer: String::from_utf8_lossy(&peer).into_owned() }))
    }

    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let Self { number, user, password, peer } = self;
        Question { number: *number, user, password, peer }.write(to)
    }
}

impl Answer {
    /// The next one; `None` at the end.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let Some((number, [reason])) = read(from)? else { return Ok(None) };
        // No reason, and he is one.
        let reason = Some(String::from_utf8_lossy(&reason).into_owned()).filter(|reason| !reason.is_empty());
        Ok(Some(Self { number, result: reason.map_or(Ok(()), Err) }))
    }

    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let reason = match &self.result {
            Ok(()) => "",
            Err(reason) if reason.is_empty() => "no reason given",
            Err(reason) => reason,
        };
        write(to, self.number, &[reason.as_bytes()])
    }
}

/// In one write, so that what several threads write does not mix.
fn write(to: &mut impl Write, number: u32, fields: &[&[u8]]) -> io::Result<()> {
    let mut octets = Zeroizing::new(Vec::with_capacity(4 + fields.iter().map(|field| 2 + field.len()).sum::<usize>()));
    octets.extend_from_slice(&number.to_be_bytes());
    for field in fields {
        let length = u16::try_from(field.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        octets.extend_from_slice(&length.to_be_bytes());
        octets.extend_from_slice(field);
    }
    to.write_all(&octets)
}

type Fields<const N: usize> = [Zeroizing<Vec<u8>>; N];

fn read<const N: usize>(from: &mut impl Read) -> io::Result<Option<(u32, Fields<N>)>> {
    let mut number = [0; 4];
    match from.read_exact(&mut number) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    }
    let mut fields = std::array::from_fn(|_| Zeroizing::new(Vec::new()));
    for field in &mut fields {
        let mut length = [0; 2];
        from.read_exact(&mut length)?;
        *field = Zeroizing::new(vec![0; u16::from_be_bytes(length).into()]);
        from.read_exact(field)?;
    }
    Ok(Some((u32::from_be_bytes(number), fields)))
}
