//! Reading the tables: those of this program, and those of Wireshark with the same algorithms.
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use ikecore::endpoint::LoggedKey;
use ikecore::endpoint::key_log::EspKey;
use ikecore::ids::{Cookie, Spi};
use ikecore::proposal::suite::{EspCipher, Integrity};
use ikecore::secret::Secret;
use zeroize::Zeroizing;

use super::lines::{authentication, encryption};
use super::{ESP_TABLE, ISAKMP_TABLE};

/// A table that cannot be read. What stands in it is not repeated: it may be a key.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refused.
    #[error("key log {path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// A line is none of its table's.
    #[error("key log {path}, line {line}: allowed: {allowed}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// What may stand there.
        allowed: &'static str,
    },
}

/// All keys in the tables in `directory`, of which one may be missing.
pub fn read(directory: &Path) -> Result<Vec<LoggedKey>, ReadError> {
    let mut keys = Vec::new();
    let mut missing = None;
    let mut found = false;
    for (name, line, allowed) in [
        (ISAKMP_TABLE, isakmp as fn(&[&str]) -> Option<LoggedKey>, "a cookie of 16 hexadecimal digits, and a key"),
        (
            ESP_TABLE,
            esp,
            "family, source, destination, SPI, cipher, key, integrity algorithm, key, as the key log writes them",
        ),
    ] {
        let path = directory.join(name);
        match fs::read(&path) {
            Ok(octets) => {
                let octets = Zeroizing::new(octets);
                found = true;
                table(&path, &octets, line, allowed, &mut keys)?;
            }
            Err(error) => missing = Some(ReadError::File { path, error }),
        }
    }
    match missing {
        Some(error) if !found => Err(error),
        _ => Ok(keys),
    }
}

fn table(
    path: &Path,
    octets: &[u8],
    read: fn(&[&str]) -> Option<LoggedKey>,
    allowed: &'static str,
    keys: &mut Vec<LoggedKey>,
) -> Result<(), ReadError> {
    for (number, line) in octets.split(|octet| *octet == b'\n').enumerate() {
        let wrong = || ReadError::Line { path: path.to_owned(), line: number + 1, allowed };
        let line = std::str::from_utf8(line).map_err(|_| wrong())?.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split(',').map(|field| field.trim().trim_matches('"')).collect();
        keys.push(read(&fields).ok_or_else(wrong)?);
    }
    Ok(())
}

fn isakmp(fields: &[&str]) -> Option<LoggedKey> {
    let [cookie, key] = fields else { return None };
    let initiator = Cookie(octets(cookie)?.as_slice().try_into().ok()?);
    Some(LoggedKey::Isakmp { initiator, key: secret(key)? })
}

fn esp(fields: &[&str]) -> Option<LoggedKey> {
    let [family, source, destination, spi, cipher, encryption_key, integrity, integrity_key] = fields else {
        return None;
    };
    let any = match *family {
        "IPv4" => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        "IPv6" => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let address = |text: &str| if text == "*" { Some(any) } else { text.parse().ok() };
    let encryption_key = secret(encryption_key)?;
    let length = encryption_key.expose().len();
    let fits = |is: &EspCipher| encryption(*is) == Some(*cipher) && is.key_len() == length;
    let integrity = match *integrity {
        "NULL" => None,
        name => Some(Integrity::ALL.into_iter().find(|is| authentication(*is) == name)?),
    };
    Some(LoggedKey::Esp(EspKey {
        source: address(source)?,
        destination: address(destination)?,
        encapsulated: *source == "*" || *destination == "*",
        spi: Spi(u32::from_str_radix(spi.strip_prefix("0x")?, 16).ok()?),
        cipher: EspCipher::ALL.into_iter().find(fits)?,
        integrity,
        encryption_key,
        integrity_key: secret(integrity_key)?,
    }))
}

fn secret(digits: &str) -> Option<Secret<Vec<u8>>> {
    octets(digits.strip_prefix("0x").unwrap_or(digits)).map(Secret::new)
}

fn octets(digits: &str) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut octets = Vec::with_capacity(pairs.len());
    for [high, low] in pairs {
        octets.push(digit(*high)? << 4 | digit(*low)?);
    }
    Some(octets)
}
