//! The client's side of the control socket.
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::request::{Reply, ReplyLine, Request, RequestLine, VERSION};

/// Octets that an answer may have at most: a status with a hundred thousand SAs.
const MAX_REPLY: u64 = 256 << 20;

/// Why the service could not be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody listens.
    #[error("no policyagent is running: nobody serves {path} ({error}); start it with `policyagent run`")]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Not allowed.
    #[error("{path}: {error}; the control socket is for root and for the user that the service runs as")]
    NotAllowed {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The conversation broke off.
    #[error("{path}: {error}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The answer is none.
    #[error("{path}: the service's answer is not understood: {reason}")]
    NotUnderstood {
        /// The socket.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The service ended without an answer.
    #[error("{path}: the service ended without an answer")]
    NoAnswer {
        /// The socket.
        path: PathBuf,
    },
}

/// Asks the service behind the socket `path`; waits for the answer as long as `patience`.
pub(crate) fn ask(path: &Path, request: Request, patience: Duration) -> Result<Reply, ClientError> {
    let path = path.to_owned();
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            let message = format!("no answer within {} s", patience.as_secs());
            ClientError::Io { path: path.clone(), error: io::Error::new(io::ErrorKind::TimedOut, message) }
        }
        _ => ClientError::Io { path: path.clone(), error },
    };
    let mut stream = UnixStream::connect(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            ClientError::NotRunning { path: path.clone(), error }
        }
        io::ErrorKind::PermissionDenied => ClientError::NotAllowed { path: path.clone(), error },
        _ => ClientError::Io { path: path.clone(), error },
    })?;
    stream.set_read_timeout(Some(patience)).map_err(failed)?;
    stream.set_write_timeout(Some(patience)).map_err(failed)?;
    let not_understood = |reason: String| ClientError::NotUnderstood { path: path.clone(), reason };
    let mut line = serde_json::to_vec(&RequestLine { version: VERSION, request })
        .map_err(|error| not_understood(error.to_string()))?;
    line.push(b'\n');
    stream.write_all(&line).map_err(failed)?;
    let mut answer = String::new();
    BufReader::new(stream.take(MAX_REPLY)).read_line(&mut answer).map_err(failed)?;
    if answer.is_empty() {
        return Err(ClientError::NoAnswer { path: path.clone() });
    }
    let answer: ReplyLine = serde_json::from_str(&answer).map_err(|error| not_understood(error.to_string()))?;
    if answer.version != VERSION {
        return Err(not_understood(format!("its version is {}, allowed: {VERSION}", answer.version)));
    }
    Ok(answer.reply)
}
