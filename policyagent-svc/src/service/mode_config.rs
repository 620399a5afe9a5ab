//! What else of this host changes with an address that a gateway gives: a script of the administrator's does that, who knows
//! where this host has its name servers from.
use ikecore::event::{ConfigEvent, Configuration, EventKind};
use ikedaemon::engine::EventStream;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long the script may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether the script has ended.
const STEP: Duration = Duration::from_millis(20);

/// Runs the script with what gateways give.
#[derive(Debug)]
pub(super) struct ModeConfigScript {
    path: PathBuf,
    /// What it was called with for `up` and not yet for `down`.
    up: Vec<Configuration>,
}

impl ModeConfigScript {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, up: Vec::new() }
    }

    /// Follows the events to their end, which is that of the engine; then nothing is left up.
    pub(super) async fn follow(mut self, mut events: EventStream) {
        while let Some(event) = events.next().await {
            match &event.kind {
                EventKind::Config(ConfigEvent::Configured(configuration)) => self.given(configuration).await,
                EventKind::Config(ConfigEvent::AddressReturned(address)) => self.returned(*address).await,
                _ => {}
            }
        }
        for configuration in core::mem::take(&mut self.up) {
            self.run("down", configuration).await;
        }
    }

    async fn given(&mut self, configuration: &Configuration) {
        // Each new ISAKMP SA brings it again.
        if self.up.contains(configuration) {
            return;
        }
        for address in &configuration.addresses {
            self.returned(*address).await;
        }
        self.up.push(configuration.clone());
        self.run("up", configuration.clone()).await;
    }

    /// What came with the address is no longer true.
    async fn returned(&mut self, address: IpAddr) {
        let Some(index) = self.up.iter().position(|up| up.addresses.contains(&address)) else { return };
        let configuration = self.up.remove(index);
        self.run("down", configuration).await;
    }

    async fn run(&self, what: &'static str, configuration: Configuration) {
        let path = self.path.clone();
        let run = move || run(&path, what, &configuration);
        let result = tokio::task::spawn_blocking(run).await.unwrap_or_else(|error| Err(error.to_string()));
        if let Err(error) = result {
            tracing::error!(target: "policyagent::service", "mode_config_script {} {what}: {error}", self.path.display());
        }
    }
}

fn run(path: &Path, what: &str, configuration: &Configuration) -> Result<(), String> {
    let mut command = Command::new(path);
    command.arg(what).stdin(Stdio::null()).envs(environment(configuration));
    let mut script = command.spawn().map_err(|error| error.to_string())?;
    let end = Instant::now() + PATIENCE;
    loop {
        match script.try_wait().map_err(|error| error.to_string())? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("it ended with {status}")),
            None if Instant::now() >= end => {
                script.kill().and_then(|()| script.wait()).map_err(|error| error.to_string())?;
                return Err(format!("it was killed after {} s", PATIENCE.as_secs()));
            }
            None => std::thread::sleep(STEP),
        }
    }
}

/// What the script learns, each list with spaces between its items.
fn environment(configuration: &Configuration) -> [(&'static str, String); 5] {
    let Configuration { addresses, dns, split_networks, domain, banner } = configuration;
    // The environment has no zeros in it.
    let text = |text: &Option<String>| text.as_deref().unwrap_or_default().replace('\0', " ");
    [
        ("MODE_CONFIG_ADDRESSES", list(addresses)),
        ("MODE_CONFIG_NAME_SERVERS", list(dns)),
        ("MODE_CONFIG_NETWORKS", list(split_networks)),
        ("MODE_CONFIG_DOMAIN", text(domain)),
        ("MODE_CONFIG_BANNER", text(banner)),
    ]
}

fn list(items: &[impl ToString]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
