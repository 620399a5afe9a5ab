//! The service's side of the control socket.
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::incoming::Incoming;
use super::request::{MAX_DOCUMENT, MAX_LINE, Reply, ReplyLine, Request, RequestLine, VERSION};

/// Clients at once.
const CLIENTS: usize = 64;

/// How long a client may be silent.
const IDLE: Duration = Duration::from_secs(30);

/// Answers requests.
pub(crate) trait Answer: Send + Sync + 'static {
    /// The answer to `request`, which came with `document` if it announces one; with the document that the answer
    /// announces.
    fn answer(
        &self,
        request: Request,
        document: Zeroizing<Vec<u8>>,
    ) -> impl Future<Output = (Reply, Zeroizing<Vec<u8>>)> + Send;
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
    let (mut read, mut write) = stream.into_split();
    let nothing = Zeroizing::default;
    if uid != 0 && uid != own {
        let message = format!("user {uid} may not ask; allowed: root and user {own}, whom the service runs as");
        return send(&mut write, Reply::error(message), nothing()).await;
    }
    let mut incoming = Incoming::default();
    loop {
        let line = |incoming: &mut Incoming| {
            let line = incoming.line(0);
            // One that is too long is seen as such before it ends.
            line.or_else(|| (incoming.len() > MAX_LINE).then(|| Zeroizing::new(vec![0; incoming.len()])))
        };
        let Some(line) = receive(&mut read, &mut incoming, line).await? else { return Ok(()) };
        if line.len() > MAX_LINE {
            let message = format!("the line is longer than {MAX_LINE} octets");
            return send(&mut write, Reply::error(message), nothing()).await;
        }
        let request = match understood(&line) {
            Ok(request) => request,
            Err(message) => {
                send(&mut write, Reply::error(message), nothing()).await?;
                continue;
            }
        };
        let octets = request.octets();
        if octets > MAX_DOCUMENT {
            let message = format!("the document has {octets} octets, allowed: {MAX_DOCUMENT}");
            return send(&mut write, Reply::error(message), nothing()).await;
        }
        let document = receive(&mut read, &mut incoming, |incoming| incoming.take(octets)).await?;
        let Some(document) = document else { return Ok(()) };
        let (reply, document) = service.answer(request, document).await;
        send(&mut write, reply, document).await?;
    }
}

/// Reads until `take` finds all that it wants; nothing if the client is silent, or gone.
async fn receive(
    read: &mut OwnedReadHalf,
    incoming: &mut Incoming,
    take: impl Fn(&mut Incoming) -> Option<Zeroizing<Vec<u8>>>,
) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let received = async {
        loop {
            if let Some(taken) = take(incoming) {
                return Ok(Some(taken));
            }
            match read.read(incoming.room()).await? {
                0 => return Ok(None),
                count => incoming.add(count),
            }
        }
    };
    tokio::time::timeout(IDLE, received).await.unwrap_or(Ok(None))
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

async fn send(write: &mut OwnedWriteHalf, reply: Reply, document: Zeroizing<Vec<u8>>) -> io::Result<()> {
    let mut line = serde_json::to_vec(&ReplyLine { version: VERSION, reply })?;
    line.push(b'\n');
    let sent = async {
        write.write_all(&line).await?;
        write.write_all(&document).await
    };
    tokio::time::timeout(IDLE, sent).await.map_err(io::Error::from)?
}
