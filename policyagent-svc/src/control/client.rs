//! The client's side of the control socket.
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

use super::incoming::Incoming;
use super::request::{MAX_DOCUMENT, Reply, ReplyLine, Request, RequestLine, VERSION};

/// Octets that an answer may have at most: a status with a hundred thousand SAs.
const MAX_REPLY: usize = 256 << 20;

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
    ask_with(path, request, &[], patience).map(|(reply, _)| reply)
}

/// The same with the document that the request announces, and the one that the reply does.
pub(crate) fn ask_with(
    path: &Path,
    request: Request,
    document: &[u8],
    patience: Duration,
) -> Result<(Reply, Zeroizing<Vec<u8>>), ClientError> {
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
    stream.write_all(&line).and_then(|()| stream.write_all(document)).map_err(failed)?;

    let mut incoming = Incoming::default();
    let mut more = |incoming: &mut Incoming| {
        let count = stream.read(incoming.room()).map_err(failed)?;
        incoming.add(count);
        if count == 0 { Err(ClientError::NoAnswer { path: path.clone() }) } else { Ok(()) }
    };
    let mut looked_at = 0;
    let answer = loop {
        if let Some(line) = incoming.line(looked_at) {
            break line;
        }
        looked_at = incoming.len();
        if looked_at > MAX_REPLY {
            return Err(not_understood(format!("it is longer than {MAX_REPLY} octets")));
        }
        more(&mut incoming)?;
    };
    let answer: ReplyLine = serde_json::from_slice(&answer).map_err(|error| not_understood(error.to_string()))?;
    if answer.version != VERSION {
        return Err(not_understood(format!("its version is {}, allowed: {VERSION}", answer.version)));
    }
    let octets = answer.reply.octets();
    if octets > MAX_DOCUMENT {
        return Err(not_understood(format!("its document has {octets} octets, allowed: {MAX_DOCUMENT}")));
    }
    let document = loop {
        if let Some(document) = incoming.take(octets) {
            break document;
        }
        more(&mut incoming)?;
    };
    Ok((answer.reply, document))
}
