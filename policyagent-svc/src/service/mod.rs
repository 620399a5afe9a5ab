//! The service: opens, serves, ends.
mod answers;
mod follow;
mod held;
pub(crate) mod listen;
mod live;
mod lock;
mod metrics;
mod mode_config;
mod negotiations;
mod policy;
pub(crate) mod settings;
mod watch;

use ikecore::event::{EndpointEvent, EventKind};
use ikecore::sa::driver::DriverError;
use ikedaemon::asks::Users;
use ikedaemon::driver::open::open;
use ikedaemon::driver::select::DriverChoice;
use ikedaemon::engine::{self, EngineGone, EngineHandle};
use ikedaemon::sinks::keylog::{KeyLog, KeyLogError};
use ikedaemon::sinks::{journal, oakley};
use sd_notify::NotifyState;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Mutex;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::audit::{self, AgentEvent, Audit};
use crate::boot;
use crate::control::report::DriverReport;
use crate::control::server::{ControlSocket, SocketError};
use crate::directory::agent::Agent;
use crate::document::DocumentError;
use crate::paths::Paths;
use crate::users::file::UsersFile;
use crate::users::pam::{Helper, Pam, PamError};
use answers::Service;
use live::Live;
use lock::LockError;
use mode_config::ModeConfigScript;
use negotiations::Negotiations;
use policy::{Attempt, InForce, Look};
use settings::{Overrides, Settings};

/// How long after a driver was lost, or could not be opened, the next one is tried: first, and at most.
const REOPEN_FIRST: Duration = Duration::from_millis(500);
const REOPEN_LAST: Duration = Duration::from_secs(60);

/// How long the driver has to take the first policy.
const POLICY_WITHIN: Duration = Duration::from_secs(20);

/// How long clients have for their answers when the service ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why the service did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The settings have faults.
    #[error(transparent)]
    Settings(#[from] DocumentError),
    /// The policy has faults.
    #[error("{0}")]
    Policy(String),
    /// A directory or file.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Another service is there.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The control socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// No driver.
    #[error(transparent)]
    Driver(#[from] ikedaemon::driver::open::OpenError),
    /// A socket of IKE.
    #[error(transparent)]
    Bind(#[from] ikedaemon::listener::BindError),
    /// The key log.
    #[error(transparent)]
    KeyLog(#[from] KeyLogError),
    /// PAM.
    #[error(transparent)]
    Pam(#[from] PamError),
    /// The place for metrics.
    #[error("metrics.listen {address}: {error}")]
    Metrics {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// Something of the system.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// The driver does not hold to the policy.
    #[error(transparent)]
    Policies(#[from] DriverError),
    /// The driver says nothing.
    #[error("the SA driver has not taken the policy within {} s", POLICY_WITHIN.as_secs())]
    DriverHangs,
    /// It should not.
    #[error("the engine ended by itself")]
    EngineEnded,
}

/// Runs the service until it is told to end.
pub(crate) fn run(paths: Paths, overrides: Overrides) -> Result<(), RunError> {
    let said = Settings::read(&paths.settings())?;
    let live = Live::new(paths.settings(), said.clone());
    let settings = said.with(overrides);
    make_directory(&paths.run(), 0o755)?;
    make_directory(&paths.log(), 0o750)?;
    let lock = lock::take(&paths.lock(), paths.root())?;
    let exemptions = settings.registry.no_default_exempt;
    let mut policy = InForce::new(&paths, settings.policy.as_deref(), settings.sources(&paths), exemptions)?;
    let pam = settings.pam_service.as_deref().map(Helper::start).transpose()?;
    // While there is one thread only, so that no other one keeps them. What is opened from here on needs no others.
    ikedaemon::sys::drop_capabilities().map_err(|error| RunError::System { what: "give up privileges", error })?;
    // Not before: what could only be read with them could not be read again.
    let first = policy.start();
    let system = |what| move |error| RunError::System { what, error };
    let audited = settings.audit.config(&paths, settings.registry.disable_ike_audits);
    let audit = audit::start(audited).map_err(system("start the audit"))?;
    let result =
        first.map_err(RunError::Policy).and_then(|first| work(paths, settings, live, policy, first, pam, &audit));
    if let Err(error) = &result {
        audit.tell(AgentEvent::Failed { error: error.to_string() });
    }
    audit.stop(FAREWELL);
    drop(lock);
    result
}

/// Serves until the end.
fn work(
    paths: Paths,
    settings: Settings,
    live: Live,
    policy: InForce,
    first: Attempt,
    pam: Option<Helper>,
    audit: &Audit,
) -> Result<(), RunError> {
    let system = |what| move |error| RunError::System { what, error };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(system("start the runtime"))?;
    let result = runtime.block_on(serve(paths, settings, live, policy, first, pam, audit));
    // Nothing that is left may hold the end up.
    runtime.shutdown_timeout(Duration::from_millis(500));
    result
}

fn make_directory(path: &Path, mode: u32) -> Result<(), RunError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(mode).create(path);
    made.map_err(|error| RunError::File { path: path.to_owned(), error })
}

async fn serve(
    paths: Paths,
    settings: Settings,
    live: Live,
    mut policy: InForce,
    first: Attempt,
    pam: Option<Helper>,
    audit: &Audit,
) -> Result<(), RunError> {
    let system = |what| move |error| RunError::System { what, error };
    let trace = oakley::Config { enabled: settings.oakley, ..oakley::Config::new(paths.log()) };
    let oakley = oakley::start(&trace).map_err(system("start Oakley.log"))?;
    log_to_stderr(&oakley);
    // Before anything is opened that a signal should close again.
    let mut terminate = signal(SignalKind::terminate()).map_err(system("wait for SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system("wait for SIGINT"))?;
    let mut hangup = signal(SignalKind::hangup()).map_err(system("wait for SIGHUP"))?;

    let opened = open(settings.driver)?;
    let capabilities = opened.driver.capabilities();
    tracing::info!(target: "policyagent::service", "SA driver {}: {}", capabilities.name, opened.why);
    policy.set_link_local(capabilities.link_local);
    let first = if capabilities.link_local { first } else { policy.start().map_err(RunError::Policy)? };
    let metrics = match settings.metrics {
        Some(address) => {
            let listener = metrics::listen(address).await;
            Some(listener.map_err(|error| RunError::Metrics { address, error })?)
        }
        None => None,
    };
    let started = Instant::now();
    let key_log = open_key_log(&paths, &settings)?;
    let users: Arc<dyn Users> = match pam {
        Some(helper) => Arc::new(Pam::new(helper)?),
        None => Arc::new(UsersFile::new(&settings.users.clone().unwrap_or_else(|| paths.users()))),
    };
    let endpoint = settings.endpoint.clone();
    let config = engine::Config {
        endpoint,
        listen: settings.sockets(),
        key_log,
        users: Some(users),
        observer: Some(Arc::new(audit.clone())),
    };
    let engine = engine::start(config, opened.driver)?;
    engine.attach(&oakley);
    engine.set_revocation_check(settings.registry.strong_crl_check);
    // From the start on, so that none is missed.
    let events = engine.subscribe();
    let script = settings.mode_config_script.clone().map(ModeConfigScript::new);
    let script = script.map(|script| tokio::spawn(script.follow(engine.subscribe())));
    let driver = DriverReport::new(capabilities, opened.why);
    let described = format!("{}: {}", driver.name, driver.why);
    let result = async {
        let socket = ControlSocket::open(&paths.socket())?;
        // Before anybody is told that the service is ready: from now on the driver holds to the policy.
        let set = tokio::time::timeout(POLICY_WITHIN, engine.set_policy(Arc::clone(&first.db))).await;
        let unsupported = set.map_err(|_| RunError::DriverHangs)?.map_err(|_| RunError::EngineEnded)??;
        tokio::task::block_in_place(|| policy.put_in_force(first));
        policy.warn_of(unsupported);
        tell_policy(&policy, audit);
        tokio::task::block_in_place(|| lift_boot_mode(audit));
        let directory = settings.directory.as_ref();
        let directory = directory.map(|directory| Agent::start(directory, &paths, audit.clone())).transpose();
        let service = Arc::new(Service {
            directory: directory.map_err(system("start asking the directory"))?,
            engine: engine.clone(),
            started,
            oakley: oakley.clone(),
            settings: Mutex::new(live),
            paths,
            driver: Mutex::new(driver),
            policy: Mutex::new(policy),
            audit: audit.clone(),
            stopping: AtomicBool::new(false),
            clean: AtomicBool::new(false),
            initiating: Mutex::new(()),
            negotiations: Negotiations::default(),
        });
        audit.tell(AgentEvent::Started { driver: described });
        notify(&[NotifyState::Ready]);
        let by_request = tokio::select! {
            () = socket.serve(Arc::clone(&service)) => false,
            () = hang_ups(&mut hangup, &service) => false,
            () = service.negotiations.follow(events) => false,
            () = serve_metrics(metrics, &service) => false,
            () = watch::follow(&service) => false,
            () = follow::machine(&service) => false,
            () = follow::names(&service) => false,
            () = watchdog(&engine) => false,
            () = replace_lost_drivers(&service, settings.driver) => false,
            _ = terminate.recv() => true,
            _ = interrupt.recv() => true,
            // `policyagent stop` ends it, and then waits for nothing but its answer.
            () = engine.ended() => service.is_stopped_by_request(),
        };
        notify(&[NotifyState::Stopping]);
        let clean = engine.shutdown().await || service.has_ended_cleanly();
        socket.farewell(FAREWELL).await;
        audit.tell(AgentEvent::Stopped { clean });
        if by_request { Ok(()) } else { Err(RunError::EngineEnded) }
    }
    .await;
    if result.is_err() {
        engine.shutdown().await;
    }
    if let Some(script) = script {
        let _ = tokio::time::timeout(FAREWELL, script).await;
    }
    oakley.flush(FAREWELL);
    result
}

/// Tells what is in force from the start.
fn tell_policy(policy: &InForce, audit: &Audit) {
    let report = policy.report();
    audit.tell(AgentEvent::PolicyApplied((&report).into()));
    for fault in policy.faults() {
        audit.tell(fault);
    }
    for warning in &report.warnings {
        tracing::warn!(target: "policyagent::service", "{warning}");
    }
}

/// The driver holds to the policy: nothing need stand in for it any more.
fn lift_boot_mode(audit: &Audit) {
    match boot::lift() {
        Ok(true) => audit.tell(AgentEvent::BootModeLifted),
        Ok(false) => {}
        Err(error) => audit.tell(AgentEvent::BootModeNotLifted { error: error.to_string() }),
    }
}

fn open_key_log(paths: &Paths, settings: &Settings) -> Result<Option<Arc<KeyLog>>, KeyLogError> {
    if !settings.key_log {
        return Ok(None);
    }
    let log = KeyLog::open(settings.key_log_directory.clone().unwrap_or_else(|| paths.key_log()))?;
    let directory = log.directory().display();
    tracing::warn!(target: "policyagent::service", "the key log is on: who reads {directory} reads the protected traffic");
    Ok(Some(Arc::new(log)))
}

async fn hang_ups(hangup: &mut tokio::signal::unix::Signal, service: &Service) {
    while hangup.recv().await.is_some() {
        // What is wrong is told, and an engine that is gone needs no policy.
        let _ = service.follow_and_tell(Look::All, "reloaded").await;
    }
}

/// A driver that is lost is replaced by a new one of the same choice; until one opens, every negotiation fails with the
/// reason, and what the lost one blocked stays blocked as long as it can.
async fn replace_lost_drivers(service: &Service, choice: DriverChoice) {
    let mut events = service.engine.subscribe();
    while let Some(event) = events.next().await {
        if !matches!(event.kind, EventKind::Endpoint(EndpointEvent::DriverLost { .. })) {
            continue;
        }
        let mut pause = REOPEN_FIRST;
        loop {
            tokio::time::sleep(pause).await;
            match service.engine.replace_driver(move || open(choice)).await {
                Ok(Ok((capabilities, why))) => {
                    let (name, why_this) = (capabilities.name.to_owned(), why.clone());
                    service.audit.tell(AgentEvent::DriverOpened { name, why: why_this });
                    service.policy.lock().await.set_link_local(capabilities.link_local);
                    *service.driver.lock().await = DriverReport::new(capabilities, why);
                    // What has changed meanwhile could not be put in force.
                    let _ = service.follow_and_tell(Look::All, "the SA driver was opened again").await;
                    break;
                }
                Ok(Err(error)) => service.audit.tell(AgentEvent::DriverNotOpened { error: error.to_string() }),
                Err(EngineGone) => return,
            }
            pause = (pause * 2).min(REOPEN_LAST);
        }
    }
}

/// Serves the statistics, if the settings say where.
async fn serve_metrics(listener: Option<tokio::net::TcpListener>, service: &Arc<Service>) {
    match listener {
        Some(listener) => metrics::serve(listener, Arc::clone(service)).await,
        None => std::future::pending().await,
    }
}

/// Tells the service manager that the engine is alive, if it wants to know.
async fn watchdog(engine: &EngineHandle) {
    let Some(period) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let mut every = tokio::time::interval(period / 2);
    loop {
        every.tick().await;
        if engine.counters().await.is_ok() {
            notify(&[NotifyState::Watchdog]);
        }
    }
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(target: "policyagent::service", "cannot tell the service manager: {error}");
    }
}

/// The journal: what is worth an administrator's attention, on standard error.
fn log_to_stderr(oakley: &oakley::OakleyHandle) {
    let layer = journal::layer(LevelFilter::INFO, journal::stderr_is_journal(), io::stderr);
    let subscriber = tracing_subscriber::registry().with(oakley.layer()).with(layer);
    // One process, one service: nobody has set another.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
