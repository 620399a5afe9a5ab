use super::{Figure, Kind, name, text};
use crate::control::example::example;
use std::collections::BTreeSet;

/// The names of the samples.
fn samples(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split(['{', ' ']).next()).collect()
}

#[test]
fn every_figure_that_is_known_is_a_metric_and_no_other() {
    let status = example();
    let text = text(status.clone()).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert!(text.contains("policyagent_info{version=\"1.2.3\",driver=\"userspace\"} 1\n"), "{text}");
    assert!(text.contains("policyagent_uptime_seconds 3725\n"), "{text}");
    for figure in Figure::ALL {
        let name = name(*figure);
        let (sample, kind) = match figure.kind() {
            Kind::Counter => (format!("{name}_total"), "counter"),
            Kind::Gauge => (name.clone(), "gauge"),
        };
        match status.statistics.get(*figure) {
            Some(value) => {
                assert!(text.contains(&format!("\n{sample} {value}\n")), "{sample} {value}\n{text}");
                assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name}");
                assert!(text.contains(&format!("# HELP {name} {}\n", figure.help())), "{name}");
            }
            None => assert!(!samples(&text).contains(sample.as_str()), "{sample}"),
        }
    }
}

#[test]
fn the_dashboard_names_only_metrics_that_there_are() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../dist/grafana-dashboard.json");
    let dashboard: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut known: BTreeSet<String> =
        ["policyagent_info", "policyagent_uptime_seconds", "policyagent_policy_version"].map(str::to_owned).into();
    known.extend(Figure::ALL.iter().map(|figure| match figure.kind() {
        Kind::Counter => format!("{}_total", name(*figure)),
        Kind::Gauge => name(*figure),
    }));
    let mut named = 0;
    let panels = dashboard["panels"].as_array().unwrap();
    for target in panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap()) {
        let expression = target["expr"].as_str().unwrap();
        let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        for word in expression.split(word).filter(|word| word.starts_with("policyagent_")) {
            assert!(known.contains(word), "{word} of {expression:?}");
            named += 1;
        }
    }
    assert!(named > 10, "{named}");
}
