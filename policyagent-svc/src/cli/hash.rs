//! `policyagent hash-password`.
use std::io::Read as _;
use std::process::ExitCode;
use zeroize::Zeroizing;

use super::failed;
use crate::users::file;

/// The longest password that is read.
const MAX_OCTETS: u64 = 1_024;

/// Reads a password from standard input, without one line end at its end, and prints its hash.
pub(super) fn hash_password() -> ExitCode {
    let mut password = Zeroizing::new(Vec::new());
    if let Err(error) = std::io::stdin().lock().take(MAX_OCTETS + 2).read_to_end(&mut password) {
        return failed(format!("standard input: {error}"));
    }
    if password.last() == Some(&b'\n') {
        password.pop();
    }
    if password.is_empty() || password.len() as u64 > MAX_OCTETS {
        return failed(format!("the password has {} octets, allowed: 1 to {MAX_OCTETS}", password.len()));
    }
    match file::hash(&password) {
        Ok(hash) => {
            println!("{hash}");
            ExitCode::SUCCESS
        }
        Err(error) => failed(error),
    }
}
