//! Whole configurations, and what becomes of them.
mod certificates;
mod classified;
mod effects;
mod parts;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::files::Memory;
use super::{Context, ImportError, Imported, Request, Syntax, import};

/// Imports files that are not there, as the host 10.9.0.1; the first is the configuration.
fn imported(syntax: Option<Syntax>, files: &[(&str, &str)], secrets: &[&str]) -> Result<Imported, ImportError> {
    let memory = Memory::new(files);
    let addresses = BTreeSet::from([IpAddr::from([10, 9, 0, 1])]);
    let resolve = |name: &str| (name == "vpn.example").then(|| IpAddr::from([10, 9, 0, 77]));
    let context =
        Context::new(&memory, &resolve, &addresses, Path::new("/etc/policyagent/certificates"), Path::new("/none"));
    let names = [PathBuf::from(files[0].0)];
    let secrets: Vec<PathBuf> = secrets.iter().map(PathBuf::from).collect();
    import(&context, &Request { syntax, files: &names, secrets: &secrets, policy: "imported", assign: false })
}

/// The document and the report are as they were last seen. `UPDATE_SNAPSHOTS=1` writes them.
fn snapshot(name: &str, imported: &Imported) {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "src/import/tests/data"].iter().collect();
    for (extension, text) in [("toml", imported.document.as_str()), ("report", &imported.report.text())] {
        let path = folder.join(format!("{name}.{extension}"));
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, text).expect("a snapshot written");
        }
        let held = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(held, text, "{}: if it shall be so, run with UPDATE_SNAPSHOTS=1", path.display());
    }
}

#[test]
fn two_offices_of_swanctl() {
    let files = [
        ("/etc/swanctl/swanctl.conf", include_str!("data/site-to-site.swanctl")),
        ("/etc/swanctl/peers/third.conf", include_str!("data/site-to-site.peers")),
        ("/etc/swanctl/secrets.inc", include_str!("data/site-to-site.secrets")),
    ];
    let imported = imported(None, &files, &[]).expect("it is translated");
    snapshot("site-to-site", &imported);
    let keys: Vec<_> = imported.key_files.iter().map(|file| (file.name.as_str(), file.key.octets().len())).collect();
    assert_eq!(keys, [("third.psk", 18)], "a key that is no text is a file");
    assert!(!imported.report.is_complete());
}

#[test]
fn road_warriors_of_swanctl() {
    let files = [("/etc/swanctl/swanctl.conf", include_str!("data/road-warriors.swanctl"))];
    snapshot("road-warriors", &imported(None, &files, &[]).expect("it is translated"));
}

#[test]
fn offices_of_ipsec_conf() {
    let files = [
        ("/etc/ipsec.conf", include_str!("data/offices.ipsec.conf")),
        ("/etc/ipsec.secrets", include_str!("data/offices.secrets")),
    ];
    snapshot("offices", &imported(None, &files, &["/etc/ipsec.secrets"]).expect("it is translated"));
}

#[test]
fn connections_of_libreswan() {
    let files = [
        ("/etc/ipsec.conf", include_str!("data/libreswan.conf")),
        ("/etc/ipsec.secrets", include_str!("data/libreswan.secrets")),
    ];
    snapshot("libreswan", &imported(None, &files, &["/etc/ipsec.secrets"]).expect("it is translated"));
}
