//! What the dynamic context asks of the running service besides its document.
use std::path::PathBuf;
use std::time::Duration;

use crate::control::client::ask;
use crate::control::in_force::InForceReport;
use crate::control::report::Status;
use crate::control::request::{Reply, Request, Target};
use crate::netsh::run::error::RunError;
use crate::paths::Paths;

/// How long the service may take for what it answers at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// The running service, or what stands for it in tests.
pub(crate) trait Service {
    /// SAs and counters.
    fn status(&self) -> Result<Status, RunError>;

    /// Policies and filters.
    fn in_force(&self) -> Result<InForceReport, RunError>;

    /// Ends SAs.
    fn terminate(&self, target: Target) -> Result<(), RunError>;
}

/// The service behind the control socket.
pub(crate) struct Running {
    socket: PathBuf,
}

impl Running {
    /// The service of an instance; it is asked when it is needed.
    pub(crate) fn new(paths: &Paths) -> Self {
        Self { socket: paths.socket() }
    }

    fn ask(&self, request: Request) -> Result<Reply, RunError> {
        match ask(&self.socket, request, PATIENCE) {
            Ok(Reply::Error { message }) => Err(RunError::Service(message)),
            Ok(reply) => Ok(reply),
            Err(error) => Err(RunError::Service(error.to_string())),
        }
    }
}

fn unexpected<T>() -> Result<T, RunError> {
    Err(RunError::Service("the service has answered another question".to_owned()))
}

impl Service for Running {
    fn status(&self) -> Result<Status, RunError> {
        match self.ask(Request::Status)? {
            Reply::Status(status) => Ok(*status),
            _ => unexpected(),
        }
    }

    fn in_force(&self) -> Result<InForceReport, RunError> {
        match self.ask(Request::InForce)? {
            Reply::InForce(report) => Ok(*report),
            _ => unexpected(),
        }
    }

    fn terminate(&self, target: Target) -> Result<(), RunError> {
        self.ask(Request::Terminate(target)).map(|_| ())
    }
}
