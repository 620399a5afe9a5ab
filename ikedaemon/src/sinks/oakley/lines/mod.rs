//! Events as lines.
mod config;
mod names;
mod packet;
mod phases;
mod proposal;
mod service;
#[cfg(test)]
mod tests;

use ikecore::event::{Event, EventKind};

/// The lines of an event, without stamp and line end. An empty one opens a packet's block.
pub(super) fn of(event: &Event) -> Vec<String> {
    let mut out = Vec::new();
    let context = &event.context;
    match &event.kind {
        EventKind::Message(event) => packet::lines(context, event, &mut out),
        EventKind::Negotiation(event) => service::negotiation(context, event, &mut out),
        EventKind::IkeSa(event) => phases::ike_sa(context, event, &mut out),
        EventKind::Config(event) => config::lines(context, event, &mut out),
        EventKind::QuickMode(event) => phases::quick_mode(context, event, &mut out),
        EventKind::IpsecSa(event) => phases::ipsec_sa(context, event, &mut out),
        EventKind::SoftSa(event) => phases::soft_sa(context, event, &mut out),
        EventKind::Endpoint(event) => service::endpoint(event, &mut out),
    }
    out
}
