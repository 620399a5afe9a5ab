//! The command line of the monitor.
use clap::Args;

use super::view::View;

/// Arguments of `monitor`.
#[derive(Args, Debug)]
pub(crate) struct MonitorArgs {
    /// The machine whose service is shown, by ssh [default: this one]
    #[arg(short = 'r', value_name = "[USER@]MACHINE")]
    pub(crate) machine: Option<String>,
    /// Print it once, and end; with --format json for programs
    #[arg(long)]
    pub(crate) once: bool,
    /// Seconds after which the service is asked again; 0: when told to
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=3600))]
    pub(crate) refresh: u32,
    /// Show DNS names for addresses
    #[arg(long)]
    pub(crate) dns: bool,
    /// Only this view, more than once if wanted; without --once: the view to begin with
    #[arg(long, value_name = "VIEW", value_parser = clap::builder::PossibleValuesParser::new(View::ALL.map(View::key)))]
    pub(crate) view: Vec<String>,
}
