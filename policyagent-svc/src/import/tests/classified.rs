//! Every option of the three man pages has a class, and docs/import.md has the table of them.
use std::collections::BTreeSet;
use std::path::PathBuf;

use super::super::known::{Class, Known};
use super::super::{Syntax, ipsec_conf, swanctl};

/// The options of a man page, each with its section.
fn listed(text: &'static str) -> BTreeSet<(&'static str, &'static str)> {
    text.lines().filter_map(|line| line.split_once(' ')).collect()
}

/// Fails for what has no class, or two.
fn complete(manual: &'static str, options: &'static [Known], class: impl Fn(&str, &str) -> Option<Class>) {
    let listed = listed(manual);
    assert!(listed.len() > 70, "{}", listed.len());
    let without: Vec<_> = listed.iter().filter(|(section, name)| class(section, name).is_none()).collect();
    assert!(without.is_empty(), "without a class: {without:?}");
    let mut seen = BTreeSet::new();
    let twice: Vec<_> = options.iter().filter(|(section, name, _)| !seen.insert((section, name))).collect();
    assert!(twice.is_empty(), "with two classes: {twice:?}");
}

#[test]
fn every_option_of_swanctl_conf_has_a_class() {
    complete(include_str!("data/options.swanctl"), swanctl::options::OPTIONS, swanctl::options::class);
}

#[test]
fn every_option_of_strongswans_ipsec_conf_has_a_class() {
    let class = |section: &str, name: &str| ipsec_conf::class(Syntax::IpsecConf, section, name);
    complete(include_str!("data/options.ipsec-conf"), ipsec_conf::strongswan::OPTIONS, class);
}

#[test]
fn every_option_of_libreswans_ipsec_conf_has_a_class() {
    let class = |section: &str, name: &str| ipsec_conf::class(Syntax::Libreswan, section, name);
    complete(include_str!("data/options.libreswan"), ipsec_conf::libreswan::OPTIONS, class);
}

#[test]
fn other_names_lead_to_options() {
    for (syntax, options, aliases) in [
        (Syntax::IpsecConf, ipsec_conf::strongswan::OPTIONS, ipsec_conf::strongswan::ALIASES),
        (Syntax::Libreswan, ipsec_conf::libreswan::OPTIONS, ipsec_conf::libreswan::ALIASES),
    ] {
        for (alias, name) in aliases {
            assert!(options.iter().any(|(_, own, _)| own == name), "{alias}: {name}");
            let known =
                ["conn", "ca", "setup"].iter().any(|section| ipsec_conf::class(syntax, section, alias).is_some());
            assert!(known, "{alias}");
        }
    }
}

/// The tables of options as docs/import.md has them.
fn tables() -> String {
    let mut out = String::new();
    for (syntax, options) in [
        (Syntax::Swanctl, swanctl::options::OPTIONS),
        (Syntax::IpsecConf, ipsec_conf::strongswan::OPTIONS),
        (Syntax::Libreswan, ipsec_conf::libreswan::OPTIONS),
    ] {
        out += &format!("\n### {}\n\n| section | option | what becomes of it |\n|---|---|---|\n", syntax.name());
        for (section, name, class) in options {
            let what = match class {
                Class::Translated(to) => (*to).to_owned(),
                Class::NotNeeded(why) => format!("*not needed:* {why}"),
                Class::Lost { why, instead, .. } => format!("**lost:** {why}. {instead}"),
            };
            out += &format!("| `{section}` | `{name}` | {what} |\n");
        }
    }
    out
}

#[test]
fn the_documentation_has_the_table() {
    const BEGIN: &str = "<!-- The tables are written by the tests, from the program's own. -->\n";
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "docs", "import.md"].iter().collect();
    let text = std::fs::read_to_string(&path).expect("docs/import.md");
    let (before, held) = text.split_once(BEGIN).expect("the mark above the tables");
    let tables = tables();
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{tables}")).expect("the documentation written");
        return;
    }
    assert_eq!(held, tables, "if it shall be so, run with UPDATE_SNAPSHOTS=1");
}
