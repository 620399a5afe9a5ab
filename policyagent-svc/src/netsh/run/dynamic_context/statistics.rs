//! `show stats`: the figures that Windows has, under its names. docs/netsh.md says what each counts.
use ikedaemon::statistics::{Figure, Group};
use serde::Serialize;
use std::collections::BTreeMap;

use crate::control::report::{StatisticsReport, Status};
use crate::netsh::command::Statistics;
use crate::netsh::run::show::layout::Lines;

/// The statistics that were asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Report {
    ike: Option<BTreeMap<&'static str, Option<u64>>>,
    ipsec: Option<BTreeMap<&'static str, Option<u64>>>,
    #[serde(skip)]
    figures: StatisticsReport,
}

/// Those that netsh shows.
fn shown(group: Group) -> impl Iterator<Item = (Figure, &'static str)> {
    let of_group = Figure::ALL.iter().copied().filter(move |figure| figure.group() == group);
    of_group.filter_map(|figure| Some((figure, figure.netsh()?)))
}

impl Report {
    /// What `status` tells of what was asked for.
    pub(super) fn new(status: &Status, which: Statistics) -> Self {
        let figures = &status.statistics;
        let of = |group| shown(group).map(|(figure, _)| (figure.key(), figures.get(figure))).collect();
        Self {
            ike: (which != Statistics::Ipsec).then(|| of(Group::MainMode)),
            ipsec: (which != Statistics::Ike).then(|| of(Group::QuickMode)),
            figures: figures.clone(),
        }
    }
}

/// The statistics as text.
pub(super) fn text(report: &Report) -> String {
    let mut lines = Lines::default();
    let write = |lines: &mut Lines, heading: &str, group| {
        lines.heading(heading);
        shown(group).for_each(|(figure, name)| lines.field(name, report.figures.text(figure)));
    };
    if report.ike.is_some() {
        write(&mut lines, "IKE Statistics", Group::MainMode);
    }
    if report.ike.is_some() && report.ipsec.is_some() {
        lines.line("");
    }
    if report.ipsec.is_some() {
        write(&mut lines, "IPsec Statistics", Group::QuickMode);
    }
    lines.into_text()
}
