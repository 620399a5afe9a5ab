use super::{Crowd, layer};
use crate::sinks::publish;
use crate::sinks::testing::with_subscriber;
use ikecore::event::negotiation::{Cause, Role};
use ikecore::event::{Context, Event, EventKind, Failure, NegotiationEvent, Phase};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Kept {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// What the layer prints while `body` runs.
fn printed(level: LevelFilter, journal: bool, body: impl FnOnce()) -> String {
    let kept = Kept::default();
    with_subscriber(tracing_subscriber::registry().with(layer(level, journal, kept.clone())), body);
    let octets = kept.0.lock().expect("no panic").clone();
    String::from_utf8(octets).expect("UTF-8")
}

fn negotiation(event: NegotiationEvent) {
    let remote = Some("[2001:db8::2]:500".parse().expect("an address"));
    publish(&Event { context: Context { remote, ..Context::default() }, kind: EventKind::Negotiation(event) });
}

fn a_negotiation_fails_and_one_succeeds() {
    negotiation(NegotiationEvent::Started { role: Role::Initiator, cause: Cause::Command, rule: None });
    let failure = Failure::NoPolicyForPeer { peer: std::net::IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 2]).into() };
    let (role, phase, rule, selector) = (Role::Responder, Phase::MainMode, None, None);
    negotiation(NegotiationEvent::Failed { role, phase, failure, seconds: 0, rule, selector });
    negotiation(NegotiationEvent::Succeeded { role: Role::Initiator, phase: Phase::QuickMode });
}

#[test]
fn outcomes_are_one_line_each_and_steps_are_none() {
    let expected = "\
warning: main mode with [2001:db8::2]:500 failed (responder, after 0 s): no rule of the policy negotiates with \
2001:db8::2 (status 13825 NO_POLICY)
info: quick mode with [2001:db8::2]:500 succeeded (initiator)
";
    assert_eq!(printed(LevelFilter::INFO, false, a_negotiation_fails_and_one_succeeds), expected);
    let for_journal = expected.replace("warning: ", "<4>").replace("info: ", "<6>");
    assert_eq!(printed(LevelFilter::INFO, true, a_negotiation_fails_and_one_succeeds), for_journal);
    let quiet = printed(LevelFilter::WARN, false, a_negotiation_fails_and_one_succeeds);
    assert_eq!(quiet, expected.lines().next().expect("a line").to_owned() + "\n");
}

#[test]
fn the_trace_is_not_for_the_console_and_no_text_breaks_the_line() {
    let text = printed(LevelFilter::TRACE, false, || {
        crate::sinks::oakley::line("of the trace");
        tracing::info!(target: super::TARGET, "evil\n<0>forged\x1b[2J");
    });
    assert_eq!(text, "info: evil\\n<0>forged\\x1b[2J\n");
}

#[test]
fn a_crowd_is_told_of_once_in_a_while_with_the_number_of_those_untold() {
    let crowd = Crowd(Mutex::new(None));
    let start = Instant::now();
    assert_eq!(crowd.admit(start), Some(0));
    for _ in 0..5 {
        assert_eq!(crowd.admit(start + Duration::from_secs(9)), None);
    }
    assert_eq!(crowd.admit(start + Duration::from_secs(10)), Some(5));
    assert_eq!(crowd.admit(start + Duration::from_secs(10)), None);
    assert_eq!(crowd.admit(start + Duration::from_secs(30)), Some(1));
}
