//! The last negotiations, for the monitor.
use ikecore::event::negotiation::{Phase, Role};
use ikecore::event::{Event, EventKind, Failure, IkeSaEvent, IpsecSaEvent, NegotiationEvent, QuickModeEvent};
use ikecore::ids::NegotiationId;
use ikedaemon::engine::EventStream;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::control::negotiations::{NegotiationReport, Outcome};

/// How many are kept.
const KEPT: usize = 256;

/// The last negotiations, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Negotiations(Mutex<VecDeque<Entry>>);

#[derive(Debug)]
struct Entry {
    id: NegotiationId,
    began: Instant,
    role: Role,
    cause: String,
    rule: Option<String>,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
    ended: Option<Ended>,
}

#[derive(Debug)]
struct Ended {
    at: Instant,
    phase: Phase,
    failure: Option<Failure>,
}

impl Negotiations {
    fn entries(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the events for as long as the engine runs.
    pub(super) async fn follow(&self, mut events: EventStream) {
        while let Some(event) = events.next().await {
            self.event(&event);
        }
        std::future::pending::<()>().await;
    }

    fn event(&self, event: &Event) {
        let Some(id) = event.context.negotiation else { return };
        let mut entries = self.entries();
        if let EventKind::Negotiation(NegotiationEvent::Started { role, cause, rule }) = &event.kind {
            if entries.len() == KEPT {
                entries.pop_front();
            }
            let (local, remote) = (event.context.local, event.context.remote);
            let (cause, rule) = (cause.to_string(), rule.clone());
            let began = Instant::now();
            entries.push_back(Entry { id, began, role: *role, cause, rule, local, remote, ended: None });
            return;
        }
        let Some(entry) = entries.iter_mut().rev().find(|entry| entry.id == id) else { return };
        entry.local = event.context.local.or(entry.local);
        entry.remote = event.context.remote.or(entry.remote);
        let rule = match &event.kind {
            EventKind::Negotiation(NegotiationEvent::Succeeded { phase, .. }) => {
                entry.ended = Some(Ended { at: Instant::now(), phase: *phase, failure: None });
                return;
            }
            EventKind::Negotiation(NegotiationEvent::Failed { phase, failure, .. }) => {
                entry.ended = Some(Ended { at: Instant::now(), phase: *phase, failure: Some(failure.clone()) });
                return;
            }
            EventKind::IkeSa(IkeSaEvent::Established { rule, .. })
            | EventKind::QuickMode(QuickModeEvent::Created { rule, .. })
            | EventKind::IpsecSa(IpsecSaEvent::Established { rule, .. }) => rule,
            _ => return,
        };
        entry.rule = Some(rule.clone());
    }

    /// What there is to tell, the newest first.
    pub(super) fn report(&self) -> Vec<NegotiationReport> {
        self.entries().iter().rev().map(report).collect()
    }
}

fn report(entry: &Entry) -> NegotiationReport {
    let ended = entry.ended.as_ref();
    let failure = ended.and_then(|ended| ended.failure.as_ref());
    NegotiationReport {
        negotiation: entry.id.to_string(),
        age_seconds: entry.began.elapsed().as_secs(),
        role: entry.role.to_string(),
        cause: entry.cause.clone(),
        rule: entry.rule.clone(),
        local: entry.local.map(Into::into),
        remote: entry.remote.map(Into::into),
        phase: ended.map(|ended| ended.phase.to_string()),
        outcome: match ended {
            None => Outcome::UnderWay,
            Some(Ended { failure: None, .. }) => Outcome::Succeeded,
            Some(Ended { failure: Some(_), .. }) => Outcome::Failed,
        },
        seconds: ended.map_or_else(|| entry.began.elapsed(), |ended| ended.at - entry.began).as_secs(),
        failure: failure.map(ToString::to_string),
        status: failure.map(|failure| failure.status().into()),
    }
}
