use super::{Figure, Group, Statistics};
use std::collections::BTreeSet;

#[test]
fn figures_have_names_of_their_own_in_each_group() {
    for group in [Group::MainMode, Group::QuickMode] {
        let of_group: Vec<Figure> = Figure::ALL.iter().copied().filter(|figure| figure.group() == group).collect();
        let kinds: [fn(Figure) -> Option<&'static str>; 3] =
            [|figure| Some(figure.key()), |figure| Some(figure.title()), Figure::netsh];
        for name in kinds {
            let names: Vec<&str> = of_group.iter().filter_map(|figure| name(*figure)).collect();
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
        }
    }
}

#[test]
fn a_figure_is_what_it_was_set_to_and_no_other_is() {
    let mut statistics = Statistics::default();
    statistics.set(Figure::Rekeys, 3);
    let known: Vec<Figure> = Figure::ALL.iter().copied().filter(|figure| statistics.get(*figure).is_some()).collect();
    assert_eq!(known, [Figure::Rekeys]);
    assert_eq!(statistics.get(Figure::Rekeys), Some(3));
    statistics.set(Figure::Rekeys, None);
    assert_eq!(statistics, Statistics::default());
}

#[test]
fn the_manual_has_every_figure_as_it_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/monitor.md");
    let manual = std::fs::read_to_string(path).unwrap();
    for figure in Figure::ALL {
        let netsh = figure.netsh().unwrap_or("-");
        let kind = match figure.kind() {
            super::Kind::Counter => "counts",
            super::Kind::Gauge => "at the moment",
        };
        let (title, key, help) = (figure.title(), figure.key(), figure.help());
        let row = format!("| {title} | {netsh} | `{key}` | {kind} | {help} |\n");
        assert!(manual.contains(&row), "{row}");
    }
}
