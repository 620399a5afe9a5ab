//! Answers to the requests of the control socket.
use ikecore::address::HostAddress;
use ikecore::endpoint::{Command, IpsecSaInfo, Snapshot};
use ikecore::event::negotiation::Cause;
use ikecore::event::{EventKind, Failure, IpsecSaEvent, NegotiationEvent};
use ikecore::ids::{IkeSaId, IpsecSaId, NegotiationId};
use ikedaemon::engine::{EngineGone, EngineHandle, EventStream};
use ikedaemon::sinks::oakley::OakleyHandle;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::live::{Live, Pending};
use super::negotiations::Negotiations;
use super::policy::{InForce, Look};
use super::settings::registry::Name;
use crate::audit::{self, AgentEvent, Audit};
use crate::control::report::{
    DriverReport, IkeSaReport, InitiateReport, IpsecSaReport, OakleyReport, PolicyReport, ServiceReport, SoftSaReport,
    Status,
};
use crate::control::request::{Reply, Request, Target};
use crate::control::server::Answer;
use crate::directory::agent::Agent;
use crate::document::{allowed, suggestion};
use crate::link::NamedAddress;
use crate::paths::Paths;
use crate::store::dynamic_document;

/// What the service is made of, for those who ask.
#[derive(Debug)]
pub(crate) struct Service {
    /// The engine.
    pub(crate) engine: EngineHandle,
    /// When the engine was started.
    pub(crate) started: Instant,
    /// The trace.
    pub(crate) oakley: OakleyHandle,
    /// The places of this instance.
    pub(crate) paths: Paths,
    /// What installs SAs.
    pub(crate) driver: Mutex<DriverReport>,
    /// The settings that can change.
    pub(crate) settings: Mutex<Live>,
    /// The policy.
    pub(crate) policy: Mutex<InForce>,
    /// The audit.
    pub(crate) audit: Audit,
    /// Who asks the directory for policy.
    pub(crate) directory: Option<Agent>,
    /// A client has told it to end.
    pub(crate) stopping: AtomicBool,
    /// It has ended so, and everything was deleted.
    pub(crate) clean: AtomicBool,
    /// Held while a negotiation is begun by command, so that its beginning is not taken for another's.
    pub(crate) initiating: Mutex<()>,
    /// The last negotiations.
    pub(crate) negotiations: Negotiations,
}

/// Why a request was not met.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The engine has ended.
    #[error(transparent)]
    EngineGone(#[from] EngineGone),
    /// Whatever else.
    #[error("{0}")]
    Other(String),
}

impl Answer for Service {
    async fn answer(&self, request: Request, document: Zeroizing<Vec<u8>>) -> (Reply, Zeroizing<Vec<u8>>) {
        let answer = match request {
            Request::Status => self.status().await.map(|status| Reply::Status(Box::new(status))),
            Request::InForce => Ok(Reply::InForce(Box::new(self.policy.lock().await.in_force()))),
            Request::Negotiations => Ok(Reply::Negotiations { negotiations: self.negotiations.report() }),
            Request::Stop => Ok(self.stop().await),
            Request::Reload => self.reload().await,
            Request::PollDirectory => match &self.directory {
                Some(agent) => {
                    agent.poll_now();
                    Ok(Reply::done("the directory is asked now"))
                }
                None => Err(Refusal::Other("the settings name no directory; allowed: a table [directory]".to_owned())),
            },
            Request::Initiate { rule, peer, wait_seconds } => {
                let patience = Duration::from_secs(wait_seconds.into());
                self.initiate(rule, peer, patience).await.map(|report| Reply::Initiate(Box::new(report)))
            }
            Request::Terminate(target) => self.terminate(target).await,
            Request::Rekey(target) => self.rekey(target).await,
            Request::Log { enabled } => {
                self.oakley.set_enabled(enabled);
                let path = self.paths.oakley();
                Ok(Reply::done(format!("Oakley.log is {}: {}", if enabled { "on" } else { "off" }, path.display())))
            }
            Request::DynamicPolicy => {
                let policy = self.policy.lock().await;
                let (revision, text) = policy.dynamic();
                return (
                    Reply::DynamicPolicy { revision, octets: text.len() },
                    Zeroizing::new(text.as_bytes().to_vec()),
                );
            }
            Request::SetDynamicPolicy { revision, .. } => self.set_dynamic_policy(revision, document).await,
        };
        (answer.unwrap_or_else(Reply::error), Zeroizing::default())
    }
}

impl Service {
    /// Everything that stands.
    pub(super) async fn status(&self) -> Result<Status, Refusal> {
        let snapshot = self.engine.snapshot().await?;
        let now = self.engine.now();
        // First, so that the statistics have their traffic.
        let ipsec_sas = self.pairs(&snapshot.ipsec_sas).await?;
        Ok(Status {
            service: ServiceReport {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                pid: std::process::id(),
                uptime_seconds: self.started.elapsed().as_secs(),
                root: self.paths.root().to_owned(),
                listen: self.engine.addresses().iter().copied().map(Into::into).collect(),
            },
            driver: self.driver.lock().await.clone(),
            policy: self.policy.lock().await.report(),
            directory: self.directory.as_ref().map(Agent::report),
            settings: self.settings.lock().await.report(),
            oakley: OakleyReport { enabled: self.oakley.is_enabled(), path: self.paths.oakley() },
            audit: self.audit.report(),
            ike_sas: snapshot.ike_sas.iter().map(|sa| IkeSaReport::new(sa, now)).collect(),
            quick_modes: snapshot.quick_modes.iter().map(Into::into).collect(),
            ipsec_sas,
            soft_sas: snapshot.soft_sas.iter().map(|soft| SoftSaReport::new(soft, now)).collect(),
            counters: snapshot.counters.into(),
            statistics: (&self.engine.statistics().await?).into(),
        })
    }

    /// The pairs with their traffic.
    async fn pairs(&self, sas: &[IpsecSaInfo]) -> Result<Vec<IpsecSaReport>, Refusal> {
        let mut reports = Vec::with_capacity(sas.len());
        for sa in sas {
            let usage = self.engine.usage(sa.id).await?.map_err(|error| error.to_string());
            reports.push(IpsecSaReport::new(sa, self.engine.now(), usage));
        }
        Ok(reports)
    }

    /// True if the engine's end is what a client wanted.
    pub(crate) fn is_stopped_by_request(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// True if the end that a client wanted has left nothing.
    pub(crate) fn has_ended_cleanly(&self) -> bool {
        self.clean.load(Ordering::Relaxed)
    }

    async fn stop(&self) -> Reply {
        self.stopping.store(true, Ordering::Relaxed);
        let clean = self.engine.shutdown().await;
        self.clean.store(clean, Ordering::Relaxed);
        if clean {
            Reply::done("stopped")
        } else {
            let warnings =
                vec!["not everything could be deleted in time; the next start removes what is left".to_owned()];
            Reply::Done { message: "stopped".to_owned(), warnings }
        }
    }

    /// Looks at the policy again and puts in force what is new. True if something is. What is wrong is in the journal and
    /// in the report.
    async fn follow(&self, look: Look, why: &str) -> Result<bool, Refusal> {
        // Under the lock, so that a later version does not reach the engine before an earlier one.
        let mut policy = self.policy.lock().await;
        self.change(&mut policy, look, why).await
    }

    async fn change(&self, policy: &mut InForce, look: Look, why: &str) -> Result<bool, Refusal> {
        policy.set_granted(self.engine.snapshot().await?.granted);
        let before = policy.faults();
        // Files are read, and ten thousand filters compiled.
        let attempt = tokio::task::block_in_place(|| policy.attempt(look));
        for fault in policy.faults().into_iter().filter(|fault| !before.contains(fault)) {
            self.audit.tell(fault);
        }
        let Some(attempt) = attempt.map_err(Refusal::Other)? else { return Ok(false) };
        match self.engine.set_policy(Arc::clone(&attempt.db)).await? {
            Ok(unsupported) => {
                tokio::task::block_in_place(|| policy.put_in_force(attempt));
                policy.warn_of(unsupported);
            }
            Err(error) => {
                let error = format!("the driver does not hold to the new policy: {error}");
                policy.refuse(&attempt, &error);
                // What it held to before it holds to again.
                let _ = self.engine.set_policy(Arc::clone(policy.db())).await?;
                return Err(Refusal::Other(error));
            }
        }
        let report = policy.report();
        self.audit.tell(AgentEvent::PolicyChanged { why: why.to_owned(), policy: (&report).into() });
        for warning in &report.warnings {
            tracing::warn!(target: "policyagent::service", "{warning}");
        }
        Ok(true)
    }

    /// Reads the settings again, and does what takes effect at once.
    pub(crate) async fn follow_settings(&self) {
        let mut settings = self.settings.lock().await;
        let change = match settings.look() {
            Ok(change) => change,
            Err(error) => {
                self.audit.tell(AgentEvent::SettingsRefused { error });
                return;
            }
        };
        for name in change.at_once {
            match name {
                Name::EnableLogging => self.oakley.set_enabled(change.in_force.enable_logging),
                _ => self.engine.set_revocation_check(change.in_force.strong_crl_check),
            }
            let takes_effect = name.takes_effect().text();
            self.audit.tell(AgentEvent::SettingChanged { name: name.place().1, takes_effect });
        }
        for Pending { name, takes_effect } in change.later {
            self.audit.tell(AgentEvent::SettingChanged { name, takes_effect: takes_effect.text() });
        }
    }

    async fn reload(&self) -> Result<Reply, Refusal> {
        self.follow_and_tell(Look::All, "reloaded").await?;
        let report = self.policy.lock().await.report();
        match &report.error {
            Some(error) => Err(Refusal::Other(format!("{error}\nnot reloaded: the policy before stays in force"))),
            None => Ok(Reply::Done { message: in_force(&report), warnings: report.warnings }),
        }
    }

    /// Puts another document in the place of the dynamic store's, if that is of the revision `of`.
    async fn set_dynamic_policy(&self, of: u64, document: Zeroizing<Vec<u8>>) -> Result<Reply, Refusal> {
        let text = str::from_utf8(&document).map_err(|error| Refusal::Other(format!("the document: {error}")))?;
        let document = dynamic_document(&self.paths, text).map_err(|error| Refusal::Other(error.to_string()))?;
        let mut policy = self.policy.lock().await;
        let (revision, old) = policy.dynamic();
        if revision != of {
            return Ok(Reply::OtherRevision { revision });
        }
        if old != text {
            let changed = self.change(&mut policy, Look::Dynamic(document), "the dynamic policy has changed").await;
            if let Err(Refusal::Other(error)) = &changed {
                self.audit.tell(AgentEvent::PolicyRefused { error: error.clone() });
            }
            changed?;
        }
        let report = policy.report();
        Ok(Reply::Done { message: in_force(&report), warnings: report.warnings })
    }

    /// As [`Self::follow`], with what goes wrong in the journal.
    pub(crate) async fn follow_and_tell(&self, look: Look, why: &str) -> Result<(), Refusal> {
        let followed = self.follow(look, why).await;
        if let Err(Refusal::Other(error)) = &followed {
            self.audit.tell(AgentEvent::PolicyRefused { error: error.clone() });
        }
        followed.map(drop)
    }

    async fn initiate(
        &self,
        rule: String,
        peer: Option<NamedAddress>,
        patience: Duration,
    ) -> Result<InitiateReport, Refusal> {
        self.check_rule(&rule).await?;
        let peer = peer.map(NamedAddress::resolve).transpose().map_err(|error| Refusal::Other(error.to_string()))?;
        let deadline = tokio::time::Instant::now() + patience;
        let begin = self.initiating.lock().await;
        let mut events = self.engine.subscribe();
        self.engine.command(Command::InitiateRule { rule: rule.clone(), peer }).await?;
        let late = || {
            Refusal::Other(format!("rule {rule:?}: no SAs within {} s; the negotiation goes on", patience.as_secs()))
        };
        let started = tokio::time::timeout_at(deadline, started(&mut events)).await;
        drop(begin);
        let negotiation = started.map_err(|_| late())?.ok_or(EngineGone)?;
        let outcome = tokio::time::timeout_at(deadline, outcome(&mut events, negotiation)).await;
        let (failure, made) = outcome.map_err(|_| late())?.ok_or(EngineGone)?;
        let status = failure.as_ref().map_or(ikecore::event::Status::Success, Failure::status);
        let Snapshot { mut ipsec_sas, .. } = self.engine.snapshot().await?;
        ipsec_sas.retain(|sa| made.contains(&sa.id));
        Ok(InitiateReport {
            rule,
            negotiation: Some(negotiation.to_string()),
            succeeded: failure.is_none(),
            failure: failure.map(|failure| failure.to_string()),
            status: status.into(),
            ipsec_sas: self.pairs(&ipsec_sas).await?,
        })
    }

    async fn check_rule(&self, rule: &str) -> Result<(), Refusal> {
        let policy = self.policy.lock().await;
        let negotiable: Vec<&str> = policy
            .db()
            .rules
            .iter()
            .filter(|rule| rule.quick_mode().is_some())
            .map(|rule| rule.name.as_str())
            .collect();
        if negotiable.contains(&rule) {
            return Ok(());
        }
        let what = if policy.db().rules.iter().any(|other| other.name == rule) {
            "does not negotiate"
        } else if policy.db().default_response().is_some_and(|default| default.name == rule) {
            "only answers"
        } else {
            "is not in force"
        };
        let hint = suggestion(rule, negotiable.iter().copied());
        let hint = if hint.is_empty() { ",".to_owned() } else { hint };
        Err(Refusal::Other(format!("rule {rule:?} {what}{hint} allowed: {}", allowed(negotiable))))
    }

    async fn terminate(&self, target: Target) -> Result<Reply, Refusal> {
        let snapshot = self.engine.snapshot().await?;
        let command = match target {
            Target::Peer(named) => {
                let peer = named.resolve().map_err(|error| Refusal::Other(error.to_string()))?;
                let known = snapshot.ike_sas.iter().map(|sa| sa.remote);
                let known = known.chain(snapshot.ipsec_sas.iter().map(|sa| sa.remote));
                let known = known.chain(snapshot.soft_sas.iter().map(|sa| sa.remote));
                if !known.into_iter().any(|remote| HostAddress::from(remote) == peer) {
                    return Err(Refusal::Other(format!("there is no SA with {named}")));
                }
                Command::DeletePeer(peer)
            }
            Target::IkeSa(id) => Command::DeleteIkeSa(ike_sa(&snapshot, id.0)?),
            Target::IpsecSa(id) if snapshot.soft_sas.iter().any(|soft| soft.id.0 == id.0) => {
                Command::DeleteIpsecSa(IpsecSaId(id.0))
            }
            Target::IpsecSa(id) => Command::DeleteIpsecSa(ipsec_sa(&snapshot, id.0)?),
            // What comes to stand between the snapshot and now goes, too.
            Target::All => Command::DeleteAll,
        };
        self.engine.command(command).await?;
        let after = self.engine.snapshot().await?;
        let message = format!(
            "deleted; {} ISAKMP SAs and {} pairs of IPsec SAs are left",
            after.ike_sas.len(),
            after.ipsec_sas.len()
        );
        Ok(Reply::done(message))
    }

    async fn rekey(&self, target: Target) -> Result<Reply, Refusal> {
        let snapshot = self.engine.snapshot().await?;
        let (command, what) = match target {
            Target::IkeSa(id) => (Command::RekeyIkeSa(ike_sa(&snapshot, id.0)?), format!("ISAKMP SA {id}")),
            Target::IpsecSa(id) => (Command::RekeyIpsecSa(ipsec_sa(&snapshot, id.0)?), format!("IPsec SA pair {id}")),
            Target::Peer(_) | Target::All => {
                return Err(Refusal::Other("one SA is replaced at a time, allowed: ike_sa, ipsec_sa".to_owned()));
            }
        };
        self.engine.command(command).await?;
        Ok(Reply::done(format!("{what} is being replaced")))
    }
}

/// What is in force, for people.
fn in_force(report: &PolicyReport) -> String {
    audit::InForce::from(report).to_string()
}

fn ike_sa(snapshot: &Snapshot, id: u64) -> Result<IkeSaId, Refusal> {
    let found = snapshot.ike_sas.iter().map(|sa| sa.id).find(|sa| sa.0 == id);
    let known = || snapshot.ike_sas.iter().map(|sa| sa.id.to_string()).collect::<Vec<_>>();
    found.ok_or_else(|| unknown("ISAKMP SA", id, &known()))
}

fn ipsec_sa(snapshot: &Snapshot, id: u64) -> Result<IpsecSaId, Refusal> {
    let found = snapshot.ipsec_sas.iter().map(|sa| sa.id).find(|sa| sa.0 == id);
    let known = || snapshot.ipsec_sas.iter().map(|sa| sa.id.to_string()).collect::<Vec<_>>();
    found.ok_or_else(|| unknown("IPsec SA pair", id, &known()))
}

fn unknown(kind: &str, id: u64, known: &[String]) -> Refusal {
    Refusal::Other(format!("there is no {kind} {id:x}, allowed: {}", allowed(known.iter().map(String::as_str))))
}

/// The negotiation that the command just given has begun.
async fn started(events: &mut EventStream) -> Option<NegotiationId> {
    loop {
        let event = events.next().await?;
        if let EventKind::Negotiation(NegotiationEvent::Started { cause: Cause::Command, .. }) = &event.kind
            && let Some(negotiation) = event.context.negotiation
        {
            return Some(negotiation);
        }
    }
}

/// How the negotiation ends: the failure, if it is one, and the SAs that were made.
async fn outcome(events: &mut EventStream, negotiation: NegotiationId) -> Option<(Option<Failure>, Vec<IpsecSaId>)> {
    let mut made = Vec::new();
    loop {
        let event = events.next().await?;
        if event.context.negotiation != Some(negotiation) {
            continue;
        }
        match &event.kind {
            EventKind::IpsecSa(IpsecSaEvent::Established { .. }) => made.extend(event.context.ipsec_sa),
            EventKind::Negotiation(NegotiationEvent::Succeeded { .. }) => return Some((None, made)),
            EventKind::Negotiation(NegotiationEvent::Failed { failure, .. }) => {
                return Some((Some(failure.clone()), made));
            }
            _ => {}
        }
    }
}
