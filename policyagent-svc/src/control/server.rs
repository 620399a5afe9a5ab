//! The service's side of the control socket.
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::request::{MAX_LINE, Reply, ReplyLine, Request, RequestLine, VERSION};

/// Clients at once.
const CLIENTS: usize = 64;

/// How long a client may be silent.
const IDLE: Duration = Duration::from_secs(30);

/// Answers requests.
pub(crate) trait Answer: Send + Sync + 'static {
    /// The answer to `request`.
    fn answer(&self, request: Request) -> impl Future<Output = Reply> + Send;
}

/// Why the socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    /// Somebody answers on it.
    #[error("{0}: another service answers on the control socket")]
    InUse(PathBuf),
    /// Something that is no socket is in its place.
    #[error("{0}: is in the place of the control socket and is no socket; remove it")]
    NoSocket(PathBuf),
    /// The system refused.
    #[error("{path}: {error}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// The control socket; the file is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// A permit a client.
    clients: Arc<Semaphore>,
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // Whoever finds it later sees that nobody listens.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl ControlSocket {
    /// Opens the socket; a file that a crash has left is replaced.
    pub(crate) fn open(path: &Path) -> Result<Self, SocketError> {
        let io = |error| SocketError::Io { path: path.to_owned(), error };
        match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io(error)),
            Ok(metadata) if !metadata.file_type().is_socket() => return Err(SocketError::NoSocket(path.to_owned())),
            Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
                Ok(_) => return Err(SocketError::InUse(path.to_owned())),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(path).map_err(io)?;
                }
                Err(error) => return Err(io(error)),
            },
        }
        let listener = UnixListener::bind(path).map_err(io)?;
        // Who connects is checked by credentials; this only keeps others from trying.
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(io)?;
        Ok(Self { listener, path: path.to_owned(), clients: Arc::new(Semaphore::new(CLIENTS)) })
    }

    /// Serves clients until the task is dropped.
    pub(crate) async fn serve(&self, service: Arc<impl Answer>) {
        loop {
            let Ok(permit) = Arc::clone(&self.clients).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let service = Arc::clone(&service);
                    tokio::spawn(async move {
                        if let Err(error) = client(stream, service.as_ref()).await {
                            tracing::debug!(target: "policyagent::control", "client: {error}");
                        }
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(target: "policyagent::control", "accept: {error}");
                    // Out of descriptors, most likely: some may be given back.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl ControlSocket {
    /// Lets the clients that are there have their answers, for at most `patience`.
    pub(crate) async fn farewell(&self, patience: Duration) {
        let all = u32::try_from(CLIENTS).unwrap_or(u32::MAX);
        // Who still talks then talks to nobody.
        let _ = tokio::time::timeout(patience, self.clients.acquire_many(all)).await;
    }
}

async fn client(stream: UnixStream, service: &impl Answer) -> io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    let own = nix::unistd::geteuid().as_raw();
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    if uid != 0 && uid != own {
        let message = format!("user {uid} may not ask; allowed: root and user {own}, whom the service runs as");
        return send(&mut write, Reply::error(message)).await;
    }
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = MAX_LINE as u64 + 1;
        let mut one = (&mut read).take(limit);
        match tokio::time::timeout(IDLE, one.read_until(b'\n', &mut line)).await {
            Err(_) => return Ok(()),
            Ok(result) => {
                if result? == 0 {
                    return Ok(());
                }
            }
        }
        if line.len() > MAX_LINE {
            let message = format!("the line is longer than {MAX_LINE} octets");
            return send(&mut write, Reply::error(message)).await;
        }
        let reply = match understood(&line) {
            Ok(request) => service.answer(request).await,
            Err(message) => Reply::error(message),
        };
        send(&mut write, reply).await?;
    }
}

/// The request on a line, or what is wrong with it.
fn understood(line: &[u8]) -> Result<Request, String> {
    /// Only the version, so that a line of another one is called just that.
    #[derive(serde::Deserialize)]
    struct Version {
        version: u32,
    }
    let Version { version } =
        serde_json::from_slice(line).map_err(|error| format!("the line is no request: {error}"))?;
    if version != VERSION {
        return Err(format!("version {version} is not spoken, allowed: {VERSION}"));
    }
    let line: RequestLine = serde_json::from_slice(line).map_err(|error| format!("the line is no request: {error}"))?;
    Ok(line.request)
}

async fn send(write: &mut tokio::net::unix::OwnedWriteHalf, reply: Reply) -> io::Result<()> {
    let mut line = serde_json::to_vec(&ReplyLine { version: VERSION, reply })?;
    line.push(b'\n');
    tokio::time::timeout(IDLE, write.write_all(&line)).await.map_err(io::Error::from)?
}
