//! The text of the document.
use core::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

use super::super::connection::{
    Authentication, Authorities, Everything, Filter, Key, ModeConfig, Own, Pool, What, Xauth,
};
use super::super::{Request, Syntax};
use super::main_mode::{self, MainMode};
use super::{KeyFile, Rule};
use crate::model::protocol_name;

/// The longest life that documents have.
const MAX_SECONDS: u64 = 31_536_000;

/// A text as it is written.
pub(super) struct Written {
    pub(super) text: Zeroizing<String>,
    pub(super) key_files: Vec<KeyFile>,
    /// Which lines come from which connection.
    pub(super) parts: Vec<(Range<usize>, usize)>,
    /// The line that comes next.
    next_line: usize,
}

impl Written {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        self.next_line += 1;
    }
}

pub(super) struct Writer<'a> {
    syntax: Syntax,
    request: &'a Request<'a>,
    everything: &'a Everything,
    rules: &'a [Rule<'a>],
    /// By rule, the rule whose name its filter action has: the first that does the same.
    actions: Vec<usize>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        syntax: Syntax,
        request: &'a Request<'a>,
        everything: &'a Everything,
        rules: &'a [Rule<'a>],
    ) -> Self {
        let same = |one: &What, other: &What| match (one, other) {
            (What::Permit, What::Permit) | (What::Block, What::Block) => true,
            (What::Protect(one), What::Protect(other)) => one.is_like(other),
            _ => false,
        };
        let mut first: Vec<usize> = Vec::new();
        let mut actions = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            let found = first
                .iter()
                .find(|other| rules.get(**other).is_some_and(|other| same(&other.child.what, &rule.child.what)));
            let found = found.copied().unwrap_or(index);
            if found == index {
                first.push(index);
            }
            actions.push(found);
        }
        Self { syntax, request, everything, rules, actions }
    }

    /// The document. `for_check`: something stands for keys that are in files of their own.
    pub(super) fn document(&self, for_check: bool) -> Written {
        let mut out = Written { text: Zeroizing::default(), key_files: Vec::new(), parts: Vec::new(), next_line: 1 };
        out.line(&format!("# Made by `policyagent import` from {}:", self.syntax.name()));
        self.request.files.iter().for_each(|file| out.line(&format!("# {}", comment(&file.display().to_string()))));
        out.line("# The traffic of a rule that negotiates never goes in clear. What has no counterpart, the command's report says.");
        out.line("");
        out.line("[[policy]]");
        out.line(&format!("name = {}", quoted(self.request.policy)));
        out.line(&format!("assigned = {}", self.request.assign));
        self.main_mode(&mut out);
        for (index, rule) in self.rules.iter().enumerate() {
            let begin = out.next_line;
            self.rule(&mut out, rule, self.action(index), for_check);
            let end = out.next_line;
            out.parts.push((begin..end, rule.index));
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let begin = out.next_line;
            if !rule.is_default_response {
                filter_list(&mut out, rule);
            }
            if self.actions.get(index) == Some(&index) {
                action(&mut out, rule);
            }
            let end = out.next_line;
            out.parts.push((begin..end, rule.index));
        }
        for named in &self.everything.pools {
            let given = |rule: &&Rule<'_>| matches!(&rule.mode_config, Some(ModeConfig::Server { pool, .. }) if *pool == named.name);
            if let Some(rule) = self.rules.iter().find(given) {
                let begin = out.next_line;
                pool(&mut out, named);
                let end = out.next_line;
                out.parts.push((begin..end, rule.index));
            }
        }
        out
    }

    fn main_mode(&self, out: &mut Written) {
        let Some(MainMode { offers, lifetime }) = main_mode::of(self.everything.connections.iter()) else { return };
        out.line("");
        out.line("[policy.main_mode]");
        out.line(&format!("offers = [{}]", quoted_list(offers.iter())));
        out.line(&format!("lifetime = {}", lifetime.clamp(1, MAX_SECONDS)));
    }

    fn rule(&self, out: &mut Written, rule: &Rule<'_>, action: &str, for_check: bool) {
        let connection = rule.connection;
        let protection = match &rule.child.what {
            What::Protect(protection) => Some(protection),
            What::Permit | What::Block => None,
        };
        out.line("");
        out.line(&format!("# Connection {} ({}).", comment(&connection.name), comment(&connection.at.to_string())));
        connection.notes.iter().for_each(|note| out.line(&format!("# {}.", comment(note))));
        rule.doubts.iter().for_each(|doubt| out.line(&format!("# Not active: {}.", comment(doubt))));
        if rule.is_default_response {
            out.line("# It answers whoever begins, and begins with nobody.");
            out.line("[policy.default_response]");
        } else {
            out.line("[[policy.rule]]");
            out.line(&format!("name = {}", quoted(&rule.name)));
        }
        if !rule.doubts.is_empty() {
            out.line("active = false");
        }
        if !rule.is_default_response {
            out.line(&format!("filter_list = {}", quoted(&rule.name)));
        }
        out.line(&format!("filter_action = {}", quoted(action)));
        let Some(protection) = protection else { return };
        self.authentication(out, rule, for_check);
        if let Some(id) = &connection.local_id {
            out.line(&format!("local_id = {}", quoted(id)));
        }
        if rule.is_default_response {
            return;
        }
        if let Some(id) = &connection.remote_id {
            out.line(&format!("remote_id = {}", quoted(id)));
        }
        if protection.tunnel {
            let local =
                connection.local.map(|local| format!("local = {}, ", quoted(&local.to_string()))).unwrap_or_default();
            let remote = connection.remote.map_or_else(|| "any".to_owned(), |remote| remote.to_string());
            out.line(&format!("tunnel = {{ {local}remote = {} }}", quoted(&remote)));
        }
        if connection.aggressive {
            out.line("aggressive_mode = \"exposes the pre-shared key to guessing\"");
        }
        match &connection.xauth {
            None => {}
            Some(Xauth::Server) => out.line("xauth = \"server\""),
            Some(Xauth::Client { user, password }) => {
                let password =
                    secret(out, "password", &format!("{} password", rule.connection.name), password, for_check);
                out.line(&format!("xauth = {{ user = {}, {} }}", quoted(user), *password));
            }
        }
        match &rule.mode_config {
            None => {}
            Some(ModeConfig::Client { push }) => {
                out.line(&format!("mode_config = {}", quoted(if *push { "push" } else { "pull" })));
            }
            Some(ModeConfig::Server { pool, push }) => {
                let push = if *push { ", push = true" } else { "" };
                out.line(&format!("mode_config = {{ pool = {}{push} }}", quoted(pool)));
            }
        }
        if let Some(dpd) = connection.dpd {
            let seconds = |seconds: u64| seconds.clamp(1, 86_400);
            let action = if dpd.restart { "restart" } else { "hold" };
            let (delay, timeout) = (seconds(dpd.delay), seconds(dpd.timeout));
            out.line(&format!(
                "dpd = {{ delay = {delay}, timeout = {timeout}, action = {}, periodic = true }}",
                quoted(action)
            ));
        }
        if connection.unique != "keep" {
            out.line(&format!("unique = {}", quoted(connection.unique)));
        }
    }

    fn authentication(&self, out: &mut Written, rule: &Rule<'_>, for_check: bool) {
        let path = |path: &Path| quoted(&path.display().to_string());
        let paths = |paths: &[PathBuf]| paths.iter().map(|one| path(one)).collect::<Vec<_>>().join(", ");
        let own =
            |own: &Own| format!("certificate = {}, private_key = {}", path(&own.certificate), path(&own.private_key));
        let trust = |trust: &Authorities| {
            let mut text = format!("ca = [{}]", paths(&trust.files));
            if let Some(lists) = &trust.revocation_lists {
                let check = if trust.strict { "strict" } else { "revoked" };
                // Writing to a String does not fail.
                let _ = write!(text, ", crl = {}, crl_check = {}", path(lists), quoted(check));
            }
            text
        };
        let method = match &rule.connection.authentication {
            Authentication::None => return,
            Authentication::PresharedKey(key) => secret(out, "preshared_key", &rule.connection.name, key, for_check),
            Authentication::Certificates(one, other) => Zeroizing::new(format!("{}, {}", own(one), trust(other))),
            Authentication::HybridGateway(one) => Zeroizing::new(format!("hybrid = true, {}", own(one))),
            Authentication::HybridClient(other) => Zeroizing::new(format!("hybrid = true, {}", trust(other))),
        };
        out.text.push_str("authentication = [{ ");
        out.text.push_str(&method);
        out.line(" }]");
    }

    /// The name of a rule's filter action.
    fn action(&self, index: usize) -> &'a str {
        let first = self.actions.get(index).and_then(|first| self.rules.get(*first));
        first.map_or("", |rule| &rule.name)
    }
}

/// `KEY = "text"`, or `KEY_file = "NAME.psk"` for what is no text.
fn secret(out: &mut Written, key: &str, name: &str, octets: &Key, for_check: bool) -> Zeroizing<String> {
    match std::str::from_utf8(&octets.0) {
        Ok(text) => {
            let quoted = Zeroizing::new(quoted(text));
            Zeroizing::new(format!("{key} = {}", *quoted))
        }
        Err(_) if for_check => Zeroizing::new(format!("{key} = \"a key\"")),
        Err(_) => {
            let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
            let plain: String = name.chars().map(plain).collect();
            let base = plain.trim_start_matches('.').to_owned();
            let mut file = format!("{base}.psk");
            let mut number = 2;
            // The same key of a connection's rules is one file.
            while out.key_files.iter().any(|other| other.name == file && *other.key.0 != *octets.0) {
                file = format!("{base}-{number}.psk");
                number += 1;
            }
            if !out.key_files.iter().any(|other| other.name == file) {
                out.key_files.push(KeyFile { name: file.clone(), key: octets.clone() });
            }
            Zeroizing::new(format!("{key}_file = {}", quoted(&file)))
        }
    }
}

fn filter_list(out: &mut Written, rule: &Rule<'_>) {
    out.line("");
    out.line("[[filter_list]]");
    out.line(&format!("name = {}", quoted(&rule.name)));
    out.line("filters = [");
    let mut written: Vec<&Filter> = Vec::new();
    for filter in &rule.filters {
        if written.contains(&filter) {
            continue;
        }
        written.push(filter);
        let Filter { source, destination, protocol, source_port, destination_port } = filter;
        let mut text = format!("source = {}, destination = {}", quoted(source), quoted(destination));
        // Writing to a String does not fail.
        if *protocol != 0 {
            let name = protocol_name(*protocol);
            let name = if name.parse::<u8>().is_ok() { name } else { quoted(&name) };
            let _ = write!(text, ", protocol = {name}");
        }
        for (key, port) in [("source_port", source_port), ("destination_port", destination_port)] {
            if *port != 0 {
                let _ = write!(text, ", {key} = {port}");
            }
        }
        out.line(&format!("    {{ {text} }},"));
    }
    out.line("]");
}

fn action(out: &mut Written, rule: &Rule<'_>) {
    out.line("");
    out.line("[[filter_action]]");
    out.line(&format!("name = {}", quoted(&rule.name)));
    let protection = match &rule.child.what {
        What::Permit => return out.line("action = \"permit\""),
        What::Block => return out.line("action = \"block\""),
        What::Protect(protection) => protection,
    };
    out.line("action = \"negotiate\"");
    out.line("offers = [");
    for offer in &protection.offers {
        let mut text = format!("{} = {}", if offer.ah { "ah" } else { "esp" }, quoted(&offer.algorithms));
        if offer.compression {
            text.push_str(", compression = true");
        }
        if offer.extended_sequence_numbers {
            text.push_str(", extended_sequence_numbers = true");
        }
        out.line(&format!("    {{ {text} }},"));
    }
    out.line("]");
    let (seconds, kilobytes) =
        (protection.seconds.clamp(1, MAX_SECONDS), protection.kilobytes.min(u64::from(u32::MAX)));
    out.line(&format!("lifetime = {{ seconds = {seconds}, kilobytes = {kilobytes} }}"));
    if let Some(group) = protection.pfs {
        out.line(&format!("pfs = {}", quoted(group)));
    }
    if protection.idle > 0 {
        out.line(&format!("idle = {}", protection.idle.min(86_400)));
    }
}

fn pool(out: &mut Written, pool: &Pool) {
    out.line("");
    out.line(&format!("# Pool {} ({}).", comment(&pool.name), comment(&pool.at.to_string())));
    out.line("[[pool]]");
    out.line(&format!("name = {}", quoted(&pool.name)));
    out.line(&format!("addresses = [{}]", quoted_list(pool.addresses.iter())));
    for (key, list) in [("dns", &pool.dns), ("split_networks", &pool.split_networks)] {
        if !list.is_empty() {
            out.line(&format!("{key} = [{}]", quoted_list(list.iter())));
        }
    }
    for (key, text) in [("domain", &pool.domain), ("banner", &pool.banner)] {
        if let Some(text) = text {
            out.line(&format!("{key} = {}", quoted(text)));
        }
    }
}

fn quoted_list(texts: impl Iterator<Item: AsRef<str>>) -> String {
    texts.map(|text| quoted(text.as_ref())).collect::<Vec<_>>().join(", ")
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    // Long enough that it does not grow, and leaves no copy of a secret behind.
    let mut out = String::with_capacity(text.len() * 6 + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                // Writing to a String does not fail.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// What may stand in a comment.
fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
