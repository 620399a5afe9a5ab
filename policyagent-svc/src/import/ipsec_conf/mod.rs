//! The syntax of ipsec.conf, which strongSwan and libreswan share: sections that begin at the left margin, indented options,
//! `also`, `%default`, `include`.
mod authentication;
mod conn;
pub(crate) mod libreswan;
pub(crate) mod strongswan;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use zeroize::Zeroizing;

use super::connection::Everything;
use super::known::{Class, Known, classify};
use super::ledger::{At, Entry, Ledger};
use super::secrets::Secret;
use super::{Context, ImportError, MAX_DEPTH, MAX_ENTRIES, Syntax};

/// A section as it is written, with those of the same name added to it.
struct Section {
    /// `conn`, `ca`, `setup`.
    kind: String,
    name: String,
    at: At,
    options: Vec<Rc<Entry>>,
}

/// The options that a section has in the end, by their names in the table.
pub(crate) struct Options {
    /// The section's name.
    pub(crate) name: String,
    /// Where it begins.
    pub(crate) at: At,
    by_name: BTreeMap<String, Rc<Entry>>,
    /// The two ends' options change places: the local end is that of `right`.
    pub(crate) right_is_local: bool,
    /// What named the sections that it has more options of.
    also: Vec<Rc<Entry>>,
}

impl Options {
    /// The option with a name of the table; an empty value counts as none.
    pub(crate) fn get(&self, name: &str) -> Option<&Rc<Entry>> {
        self.by_name.get(&plain(name)).filter(|entry| !entry.value.is_empty())
    }

    /// The value of an option, or nothing.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.get(name).map_or("", |entry| entry.value.trim())
    }

    /// An option of this host's end: `subnet` is `leftsubnet` or `rightsubnet`.
    pub(crate) fn local(&self, name: &str) -> Option<&Rc<Entry>> {
        self.get(&format!("{}{name}", if self.right_is_local { "right" } else { "left" }))
    }

    /// The same of the peer's end.
    pub(crate) fn remote(&self, name: &str) -> Option<&Rc<Entry>> {
        self.get(&format!("{}{name}", if self.right_is_local { "left" } else { "right" }))
    }

    /// All of them.
    pub(crate) fn entries(&self) -> Vec<Rc<Entry>> {
        self.by_name.values().chain(&self.also).cloned().collect()
    }
}

/// The options of a syntax, and their other names.
fn tables(syntax: Syntax) -> (&'static [Known], &'static [(&'static str, &'static str)]) {
    match syntax {
        Syntax::Libreswan => (libreswan::OPTIONS, libreswan::ALIASES),
        Syntax::Swanctl | Syntax::IpsecConf => (strongswan::OPTIONS, strongswan::ALIASES),
    }
}

/// A name as it is compared: in lower case, without hyphens and underscores.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect()
}

/// The name without its end: that of `right` is that of `left`.
fn of_left(name: &str) -> String {
    name.strip_prefix("right").map_or_else(|| name.to_owned(), |rest| format!("left{rest}"))
}

/// The name in the table, with the end that it is of.
fn canonical(syntax: Syntax, name: &str) -> String {
    let name = plain(name);
    let is_right = name.starts_with("right");
    let left = of_left(&name);
    let (_, aliases) = tables(syntax);
    let found = aliases.iter().find(|(alias, _)| plain(alias) == left).map_or(left, |(_, real)| plain(real));
    match found.strip_prefix("left") {
        Some(rest) if is_right => format!("right{rest}"),
        _ => found,
    }
}

/// What becomes of an option of a section of this kind.
pub(crate) fn class(syntax: Syntax, kind: &str, name: &str) -> Option<Class> {
    if syntax == Syntax::Libreswan && ["x-", "x_", "X-", "X_"].iter().any(|prefix| name.starts_with(prefix)) {
        // ipsec.conf(5).
        return Some(Class::NotNeeded("libreswan leaves such names to users"));
    }
    let name = of_left(&canonical(syntax, name));
    let (options, _) = tables(syntax);
    options.iter().find(|(section, own, _)| *section == kind && plain(own) == name).map(|(.., class)| *class)
}

/// Whose option this is, if it is only one's: to guess whose file it stands in.
pub(crate) fn whose(name: &str, value: &str) -> Option<Syntax> {
    let known = |syntax| ["conn", "ca", "setup"].iter().any(|kind| class(syntax, kind, name).is_some());
    match (known(Syntax::IpsecConf), known(Syntax::Libreswan)) {
        (true, false) => Some(Syntax::IpsecConf),
        (false, true) => Some(Syntax::Libreswan),
        _ if plain(name) == "keyexchange" && value == "ikev1" => Some(Syntax::IpsecConf),
        _ if value.ends_with('!') => Some(Syntax::IpsecConf),
        _ if value.contains(';') || value.contains("sha2_") => Some(Syntax::Libreswan),
        _ => None,
    }
}

/// Reads files in the form of ipsec.conf as if one included the other.
pub(crate) fn read(
    context: &Context<'_>,
    syntax: Syntax,
    texts: &[(String, Zeroizing<String>)],
    secrets: &[Secret],
    ledger: &mut Ledger,
) -> Result<Everything, ImportError> {
    let mut sections = Vec::new();
    for (file, text) in texts {
        parse(context, file, text, 0, &mut sections, ledger)?;
    }
    let mut budget = MAX_ENTRIES;
    let mut all = Vec::new();
    for section in sections.iter().filter(|section| !section.name.starts_with('%')) {
        let options = effective(syntax, &sections, section, &mut budget)?;
        if section.kind != "conn" {
            let entries = options.entries();
            entries
                .iter()
                .for_each(|entry| classify(entry, class(syntax, &section.kind, &entry.option), syntax.program()));
        }
        all.push((section.kind.as_str(), options));
    }
    let directory = texts.first().map(|(file, _)| file.clone()).unwrap_or_default();
    Ok(conn::read(context, syntax, &directory, &all, secrets))
}

/// The value of a line, without quotes and comment; the rest of a quote may be in the lines that follow.
fn value<'a>(text: &str, lines: &mut impl Iterator<Item = (usize, &'a str)>) -> Result<String, &'static str> {
    let text = text.trim();
    let Some(inside) = text.strip_prefix('"') else {
        // White space comes before the # of a comment.
        let comment =
            text.char_indices().zip(text.chars().skip(1)).find(|((_, before), c)| before.is_whitespace() && *c == '#');
        let end = comment.map_or(text.len(), |((at, _), _)| at);
        let value = if text.starts_with('#') { "" } else { text.get(..end).unwrap_or_default() };
        return Ok(value.split_whitespace().collect::<Vec<_>>().join(" "));
    };
    let mut value = String::new();
    let mut rest = inside.to_owned();
    loop {
        let mut characters = rest.chars();
        let mut goes_on = false;
        while let Some(c) = characters.next() {
            match c {
                '"' => return Ok(value),
                '\\' => match characters.next() {
                    Some(c @ ('"' | '\\')) => value.push(c),
                    Some(c) => value.extend(['\\', c]),
                    None => goes_on = true,
                },
                c => value.push(c),
            }
        }
        match lines.next() {
            Some((_, line)) if goes_on => rest = line.to_owned(),
            _ => return Err("a quote has no end"),
        }
    }
}

fn parse(
    context: &Context<'_>,
    file: &str,
    text: &str,
    depth: usize,
    sections: &mut Vec<Section>,
    ledger: &mut Ledger,
) -> Result<(), ImportError> {
    let file: Rc<str> = file.into();
    // The section that options belong to.
    let mut open: Option<usize> = None;
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    while let Some((number, line)) = lines.next() {
        let at = At { file: Rc::clone(&file), line: number };
        let fault = |message: String| Err(ImportError::Syntax { at: at.clone(), message });
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let mut words = trimmed.split_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next());
        let is_indented = line.starts_with([' ', '\t']);
        match (first, second) {
            ("include", Some(pattern)) if !pattern.starts_with('=') => {
                if depth >= MAX_DEPTH {
                    return fault(format!("files are included more than {MAX_DEPTH} deep"));
                }
                for (file, text) in context.included(&at, pattern.trim_matches('"'))? {
                    parse(context, &file, &text, depth + 1, sections, ledger)?;
                }
                open = None;
            }
            ("version", _) if !is_indented => {}
            ("conn" | "ca" | "config", Some(name)) if !is_indented => {
                let kind = if first == "config" { "setup" } else { first };
                let found = sections.iter().position(|section| section.kind == kind && section.name == name);
                open = Some(found.unwrap_or_else(|| {
                    let section =
                        Section { kind: kind.to_owned(), name: name.to_owned(), at: at.clone(), options: Vec::new() };
                    sections.push(section);
                    sections.len() - 1
                }));
            }
            _ => {
                let Some((name, rest)) = trimmed.split_once('=') else {
                    return fault(format!("{first:?} is no section (conn, ca, config setup), and no option with ="));
                };
                let Some(section) = open.and_then(|index| sections.get_mut(index)) else {
                    return fault(format!("option {:?} is in no section", name.trim()));
                };
                let value = match value(rest, &mut lines) {
                    Ok(value) => value,
                    Err(message) => return fault(message.to_owned()),
                };
                let path = if section.kind == "setup" {
                    "config setup".to_owned()
                } else {
                    format!("{} {}", section.kind, section.name)
                };
                let entry = Entry::new(at.clone(), &path, name.trim(), &value);
                ledger.add(&entry);
                if ledger.entries.len() > MAX_ENTRIES {
                    return Err(ImportError::TooMuch { file: file.to_string() });
                }
                section.options.push(entry);
            }
        }
    }
    Ok(())
}

/// What a section has with what it names by `also`, and what holds for all of its kind.
fn effective(
    syntax: Syntax,
    sections: &[Section],
    section: &Section,
    budget: &mut usize,
) -> Result<Options, ImportError> {
    let mut options = Options {
        name: section.name.clone(),
        at: section.at.clone(),
        by_name: BTreeMap::new(),
        right_is_local: false,
        also: Vec::new(),
    };
    // Breadth does not matter, depth first: what is named first goes first. Each section counts once.
    let mut seen = BTreeSet::from([section.name.as_str()]);
    let mut open = vec![(section, false)];
    while let Some((one, flipped)) = open.pop() {
        let mut named = Vec::new();
        for entry in one.options.iter().rev() {
            *budget = budget.checked_sub(1).ok_or_else(|| ImportError::TooMuch { file: entry.at.file.to_string() })?;
            let name = canonical(syntax, &entry.option);
            if name == "also" || (name == "alsoflip" && syntax == Syntax::Libreswan) {
                options.also.push(Rc::clone(entry));
                for other in entry.value.split([',', ' ']).filter(|other| !other.is_empty()) {
                    let found = sections.iter().find(|section| section.kind == one.kind && section.name == other);
                    match found {
                        Some(other) if seen.insert(&other.name) => named.push((other, flipped != (name == "alsoflip"))),
                        Some(_) => {}
                        None => {
                            let message = format!("{}={other} names a section that is not there", entry.option);
                            return Err(ImportError::Syntax { at: entry.at.clone(), message });
                        }
                    }
                }
                continue;
            }
            add(&mut options, flip(name, flipped), entry);
        }
        // They were found from the last to the first, and the last to be pushed comes next.
        open.extend(named);
    }
    for default in sections.iter().filter(|other| other.kind == section.kind && other.name == "%default") {
        for entry in default.options.iter().rev() {
            *budget = budget.checked_sub(1).ok_or_else(|| ImportError::TooMuch { file: entry.at.file.to_string() })?;
            add(&mut options, canonical(syntax, &entry.option), entry);
        }
    }
    Ok(options)
}

/// The first counts: what is added later is further away.
fn add(options: &mut Options, name: String, entry: &Rc<Entry>) {
    match options.by_name.get(&name) {
        None => {
            options.by_name.insert(name, Rc::clone(entry));
        }
        Some(other) if !Rc::ptr_eq(other, entry) => {
            entry.overridden(format!("for {:?}, {} says otherwise, and counts", options.name, other.at));
        }
        Some(_) => {}
    }
}

fn flip(name: String, flipped: bool) -> String {
    match (name.strip_prefix("left"), name.strip_prefix("right")) {
        (Some(rest), _) if flipped => format!("right{rest}"),
        (_, Some(rest)) if flipped => format!("left{rest}"),
        _ => name,
    }
}
