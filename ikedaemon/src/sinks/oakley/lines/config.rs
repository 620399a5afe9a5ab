//! Extended authentication and Mode Config.
use super::names;
use ikecore::event::{ConfigEvent, Context};

/// The lines of one event.
pub(super) fn lines(context: &Context, event: &ConfigEvent, out: &mut Vec<String>) {
    out.push(format!("{event}, sa:{}", names::sa(context)));
    if let ConfigEvent::Configured(configuration) = event
        && let Some(banner) = &configuration.banner
    {
        out.push(format!("  the peer says: {banner}"));
    }
}
