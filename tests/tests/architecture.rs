//! The architecture as a test: which crate may use which, the order of ikecore's modules, where `unsafe` may stand,
//! how long a file may be.
//!
//! Each rule is a function from sources to complaints, tried on a bad sample beside it, and then on the workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which workspace crates a crate may use; `tests` may use all, nothing may use `tests`.
const EDGES: [(&str, &[&str]); 3] =
    [("ikecore", &[]), ("ikedaemon", &["ikecore"]), ("policyagent-svc", &["ikecore", "ikedaemon"])];

/// Dependencies that would bring sockets, clocks, threads or logging into ikecore.
const IMPURE: [&str; 10] =
    ["tokio", "nix", "libc", "socket2", "tracing", "tracing-subscriber", "time", "log", "mio", "async-trait"];

/// Modules of ikecore for tests and fuzzing: they may use all others, and none may use them.
const OUTSIDE: [&str; 2] = ["fuzzing", "testing"];

/// The one file that may hold `unsafe`.
const UNSAFE: &str = "ikedaemon/src/sys.rs";

/// Lines of a file.
const LONGEST: usize = 700;

/// A source file: its path from the workspace's root, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// The modules that lead to this file from its crate's root; none for the root itself.
    fn module(&self) -> Vec<&str> {
        let inside = self.path.split_once("/src/").map_or("", |(_, inside)| inside).trim_end_matches(".rs");
        let mut names: Vec<&str> = inside.split('/').collect();
        if matches!(names.last(), Some(&("mod" | "lib" | "main"))) {
            names.pop();
        }
        names
    }

    /// Whether the whole file is compiled for tests only.
    fn is_test(&self) -> bool {
        self.module().iter().any(|name| *name == "tests" || name.ends_with("_tests"))
    }

    /// The text without comments, strings and tests.
    fn code(&self) -> String {
        let code = without_comments_and_strings(&self.text);
        match code.find("#[cfg(test)]\nmod tests {") {
            Some(tests) => code[..tests].to_owned(),
            None => code,
        }
    }

    /// The top-level modules of its crate that it names.
    fn uses(&self) -> BTreeSet<String> {
        let code = self.code();
        let up = "super::".repeat(self.module().len().max(1));
        let mut found = BTreeSet::new();
        for (at, _) in code.match_indices("crate::") {
            if !ends_in_name(&code[..at]) && !code[..at].ends_with('$') {
                found.extend(heads(&code[at + "crate::".len()..]));
            }
        }
        for (at, _) in code.match_indices(up.as_str()) {
            let before = &code[..at];
            if !before.ends_with("super::") && !ends_in_name(before) && !self.module().is_empty() {
                found.extend(heads(&code[at + up.len()..]));
            }
        }
        found
    }
}

fn ends_in_name(text: &str) -> bool {
    text.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
}

/// The first names of what follows `crate::`: one, or those of a group in braces.
fn heads(text: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = text.strip_prefix('{') else { return vec![name(text)] };
    let mut depth = 0;
    let mut at_start = true;
    let mut names = Vec::new();
    for (at, c) in group.char_indices() {
        match c {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            c if at_start && !c.is_whitespace() => {
                names.push(name(&group[at..]));
                at_start = false;
            }
            _ => {}
        }
    }
    names
}

/// `text` with comments, strings and character literals left out; lines stay lines.
fn without_comments_and_strings(text: &str) -> String {
    let octets = text.as_bytes();
    let mut code = String::new();
    let mut at = 0;
    while let Some(&octet) = octets.get(at) {
        let rest = &text[at..];
        let length = match octet {
            b'/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            b'"' => 1 + string_end(&rest[1..]),
            b'r' if !ends_in_name(&text[..at]) && (rest.starts_with("r\"") || rest.starts_with("r#\"")) => {
                let (open, close) = if rest.starts_with("r\"") { (2, "\"") } else { (3, "\"#") };
                rest[open..].find(close).map_or(rest.len(), |end| open + end + close.len())
            }
            // A character literal, but not a lifetime.
            b'\'' if rest[1..].starts_with('\\') => rest[3..].find('\'').map_or(rest.len(), |end| end + 4),
            b'\'' if rest[1..].chars().nth(1) == Some('\'') => 2 + rest[1..].chars().next().map_or(0, char::len_utf8),
            _ => {
                let c = rest.chars().next().expect("not at the end");
                code.push(c);
                at += c.len_utf8();
                continue;
            }
        };
        code.extend(rest[..length].chars().filter(|c| *c == '\n'));
        at += length;
    }
    code
}

/// How far it is from a string's first octet to behind its closing quote.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, octet) in text.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Complaints about the dependencies of `crates`: name -> names of what it depends on.
fn check_edges(crates: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, dependencies) in crates {
        if name == "tests" {
            continue;
        }
        let Some((_, allowed)) = EDGES.iter().find(|(known, _)| known == name) else {
            complaints.push(format!("crate {name} has no place in the architecture: decide what it may use"));
            continue;
        };
        for dependency in dependencies {
            if crates.contains_key(dependency) && !allowed.contains(&dependency.as_str()) {
                complaints.push(format!("{name} must not use {dependency}; it may use {allowed:?}"));
            }
            if name == "ikecore" && IMPURE.contains(&dependency.as_str()) {
                complaints.push(format!("ikecore must stay pure, and {dependency} is not"));
            }
        }
    }
    complaints
}

/// The layers that the documentation at the head of ikecore's lib.rs lists, lowest first.
fn layers(lib: &str) -> Vec<Vec<String>> {
    let doc: Vec<&str> = lib.lines().filter_map(|line| line.strip_prefix("//!")).collect();
    let doc = doc.join(" ");
    let Some((_, order)) = doc.split_once("left of it:") else { return Vec::new() };
    let order = order.split('.').next().unwrap_or_default();
    let names = |layer: &str| {
        let inside = layer.split('`').nth(1).unwrap_or_default();
        inside.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    order.split('<').map(names).collect()
}

/// Complaints about uses inside ikecore that go up the `layers`.
fn check_layers(layers: &[Vec<String>], sources: &[Source]) -> Vec<String> {
    let place = |module: &str| layers.iter().position(|layer| layer.iter().any(|name| name == module));
    let modules: BTreeSet<&str> = sources.iter().filter_map(|source| source.module().first().copied()).collect();
    let mut complaints = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        let Some(&own) = source.module().first() else { continue };
        if OUTSIDE.contains(&own) {
            continue;
        }
        let Some(own_place) = place(own) else {
            complaints.push(format!("{}: module {own} has no place in the order at the head of lib.rs", source.path));
            continue;
        };
        for used in source.uses() {
            if used == own || !modules.contains(used.as_str()) {
                continue;
            }
            if place(&used).is_none_or(|place| place > own_place) {
                complaints.push(format!("{}: {own} must not use {used}, which stands right of it", source.path));
            }
        }
    }
    complaints
}

/// Complaints about top-level modules of one crate that use each other in a circle.
fn check_cycles(sources: &[Source]) -> Vec<String> {
    let mut graph: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        if let Some(&own) = source.module().first() {
            graph.entry(own).or_default().extend(source.uses().into_iter().filter(|used| used != own));
        }
    }
    // Take away what uses nothing that is left; what cannot be taken away is in a circle or leads into one.
    let mut left: BTreeMap<&str, BTreeSet<String>> = graph.clone();
    loop {
        let names: BTreeSet<String> = left.keys().map(|name| (*name).to_owned()).collect();
        let before = left.len();
        left.retain(|_, uses| uses.iter().any(|used| names.contains(used)));
        if left.len() == before {
            break;
        }
    }
    let names: BTreeSet<String> = left.keys().map(|name| (*name).to_owned()).collect();
    left.iter()
        .map(|(name, uses)| {
            let uses: Vec<&String> = uses.intersection(&names).collect();
            format!("module {name} is in a circle or leads into one: it uses {uses:?}")
        })
        .collect()
}

/// Complaints about `unsafe`.
fn check_unsafe(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        // The lines of the code and of the text are the same lines.
        let code = without_comments_and_strings(&source.text);
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in code.lines().enumerate() {
            if !line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe") {
                continue;
            }
            let place = format!("{}:{}", source.path, number + 1);
            if source.path != UNSAFE {
                complaints.push(format!("{place}: unsafe outside {UNSAFE}"));
            } else if !lines[number.saturating_sub(6)..=number].iter().any(|line| line.contains("SAFETY:")) {
                complaints.push(format!("{place}: unsafe without a SAFETY: line above"));
            }
        }
    }
    complaints
}

/// Complaints about long files.
fn check_length(sources: &[Source]) -> Vec<String> {
    let long = sources.iter().map(|source| (source, source.text.lines().count())).filter(|(_, lines)| *lines > LONGEST);
    long.map(|(source, lines)| format!("{}: {lines} lines; {LONGEST} are allowed: is it one idea?", source.path))
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests is in the workspace").to_owned()
}

/// The Rust sources below `directory` of the workspace.
fn sources(directory: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut directories = vec![root().join(directory)];
    while let Some(directory) = directories.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        for path in entries.map(|entry| entry.expect("a directory can be read").path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && name != "corpus" {
                directories.push(path);
            } else if name.ends_with(".rs") {
                let relative = path.strip_prefix(root()).expect("below the root").display().to_string();
                found.push(Source::new(&relative, &std::fs::read_to_string(&path).expect("sources are UTF-8")));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The workspace's crates with the names of their dependencies of every kind.
fn workspace_crates() -> BTreeMap<String, Vec<String>> {
    let arguments = ["metadata", "--no-deps", "--format-version", "1", "--offline", "--locked"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let name = |value: &serde_json::Value| value["name"].as_str().expect("a name").to_owned();
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| (name(package), package["dependencies"].as_array().expect("a list").iter().map(name).collect()))
        .collect()
}

#[track_caller]
fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn crates_use_only_what_they_may() {
    let crates = workspace_crates();
    assert_eq!(crates.len(), 4, "{:?}", crates.keys());
    assert_none(&check_edges(&crates));
}

#[test]
fn modules_of_ikecore_use_only_those_left_of_them() {
    let sources = sources("ikecore/src");
    let lib = sources.iter().find(|source| source.path == "ikecore/src/lib.rs").expect("ikecore has a lib.rs");
    let layers = layers(&lib.text);
    assert!(layers.len() >= 10, "the order at the head of lib.rs cannot be read: {layers:?}");
    assert_none(&check_layers(&layers, &sources));
}

#[test]
fn modules_use_each_other_in_no_circle() {
    for (name, _) in EDGES {
        assert_none(&check_cycles(&sources(&format!("{name}/src"))));
    }
}

#[test]
fn unsafe_stands_in_one_file() {
    for directory in ["ikecore", "ikedaemon", "policyagent-svc", "tests", "fuzz"] {
        assert_none(&check_unsafe(&sources(directory)));
    }
}

#[test]
fn files_can_be_read_in_one_sitting() {
    for directory in ["ikecore", "ikedaemon", "policyagent-svc", "tests", "fuzz"] {
        assert_none(&check_length(&sources(directory)));
    }
}

/// Each rule, broken on purpose.
mod broken {
    use super::{
        BTreeMap, LONGEST, Source, check_cycles, check_edges, check_layers, check_length, check_unsafe, layers,
    };

    fn crates(list: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        list.iter()
            .map(|(name, uses)| ((*name).to_owned(), uses.iter().map(|used| (*used).to_owned()).collect()))
            .collect()
    }

    #[test]
    fn edges() {
        let good = crates(&[("ikecore", &["ring"]), ("ikedaemon", &["ikecore", "tokio"]), ("tests", &["ikedaemon"])]);
        assert!(check_edges(&good).is_empty());
        let bad = crates(&[
            ("ikecore", &["ikedaemon", "tokio"]),
            ("ikedaemon", &["tests"]),
            ("tests", &[]),
            ("surprise", &[]),
        ]);
        let complaints = check_edges(&bad).join("\n");
        assert_eq!(complaints.lines().count(), 4, "{complaints}");
        assert!(complaints.contains("ikecore must not use ikedaemon"), "{complaints}");
        assert!(complaints.contains("tokio is not"), "{complaints}");
        assert!(complaints.contains("ikedaemon must not use tests"), "{complaints}");
        assert!(complaints.contains("surprise has no place"), "{complaints}");
    }

    const LIB: &str = "//! A module uses only those left of it:\n//! `time ids` < `wire` <\n//! `sa` < `endpoint`.\n";

    #[test]
    fn order() {
        let layers = layers(LIB);
        assert_eq!(layers, [vec!["time", "ids"], vec!["wire"], vec!["sa"], vec!["endpoint"]]);
        let source = |path: &str, text: &str| Source::new(&format!("ikecore/src/{path}"), text);
        let good = [
            source("time.rs", "use crate::ids::Spi; // not crate::endpoint\n"),
            source("ids.rs", ""),
            source("wire/mod.rs", "use std::fmt;\nuse crate::{ids, time::{Time, endpoint}};\nuse super::ids;\n"),
            source("wire/tests.rs", "use crate::endpoint::Endpoint;\n"),
            source(
                "sa.rs",
                "fn f() { crate::wire::g(\"crate::endpoint\") }\n#[cfg(test)]\nmod tests {\nuse crate::endpoint;}",
            ),
            source("endpoint/mod.rs", "use crate::sa::Sa;\npub(crate) mod timers;"),
            source("testing.rs", "use crate::endpoint::Endpoint;"),
        ];
        assert!(check_layers(&layers, &good).is_empty(), "{:?}", check_layers(&layers, &good));
        let bad = [
            source("time.rs", "use crate::{\n    ids::Spi,\n    wire::{Reader, sa},\n};\n"),
            source("ids.rs", "fn f() -> crate::sa::Sa {}"),
            source("wire/payload/sa.rs", "use super::super::super::endpoint::Endpoint;\nuse super::super::sa;\n"),
            source("sa.rs", "use super::endpoint;\nuse crate::testing::pair;\n"),
            source("endpoint.rs", ""),
            source("testing.rs", ""),
            source("extra.rs", ""),
        ];
        let complaints = check_layers(&layers, &bad).join("\n");
        assert_eq!(complaints.lines().count(), 6, "{complaints}");
        for expected in [
            "time must not use wire",
            "ids must not use sa",
            "wire must not use endpoint",
            "sa must not use endpoint",
            "sa must not use testing",
            "extra has no place",
        ] {
            assert!(complaints.contains(expected), "{expected}: {complaints}");
        }
    }

    #[test]
    fn circles() {
        let source = |path: &str, text: &str| Source::new(&format!("ikedaemon/src/{path}"), text);
        let mut sources = vec![
            source("lib.rs", "pub mod engine;"),
            source("engine.rs", "use crate::driver::Driver; use crate::engine::Own;"),
            source("driver/mod.rs", "use crate::sys;"),
            source("sys.rs", ""),
        ];
        assert!(check_cycles(&sources).is_empty());
        sources.push(source("driver/xfrm/state.rs", "use super::super::super::engine::Engine;"));
        let complaints = check_cycles(&sources).join("\n");
        assert_eq!(complaints.lines().count(), 2, "{complaints}");
        assert!(complaints.contains("module driver") && complaints.contains("module engine"), "{complaints}");
    }

    #[test]
    fn unsafe_code() {
        let good = [
            Source::new("ikedaemon/src/sys.rs", "// SAFETY: the descriptor is ours.\nlet x = unsafe { f() };\n"),
            Source::new(
                "ikecore/src/lib.rs",
                "#![forbid(unsafe_code)]\n/// Not unsafe.\nconst X: &str = \"unsafe\";\n",
            ),
        ];
        assert!(check_unsafe(&good).is_empty(), "{:?}", check_unsafe(&good));
        let bad = [
            Source::new("ikedaemon/src/sys.rs", "let x = unsafe { f() };\n"),
            Source::new("ikecore/src/a.rs", "let c = '\"';\nlet r = r#\"\"#; unsafe fn f() {}\n"),
        ];
        let complaints = check_unsafe(&bad);
        assert_eq!(complaints.len(), 2, "{complaints:?}");
        assert!(complaints[1].starts_with("ikecore/src/a.rs:2: "), "{complaints:?}");
    }

    #[test]
    fn length() {
        assert!(check_length(&[Source::new("a.rs", &"\n".repeat(LONGEST))]).is_empty());
        assert_eq!(check_length(&[Source::new("a.rs", &"\n".repeat(LONGEST + 1))]).len(), 1);
    }
}
