//! The syntax of swanctl.conf: sections in braces, `name = value`, `include`, sections that others build on.
use std::collections::BTreeSet;
use std::rc::Rc;

use super::ledger::{At, Entry, Ledger};
use super::{Context, ImportError, MAX_DEPTH, MAX_ENTRIES};

/// A section as it is written, with those of the same name added to it.
#[derive(Debug)]
pub(crate) struct Section {
    /// Its name.
    pub(crate) name: String,
    /// Where it begins.
    pub(crate) at: At,
    references: Vec<String>,
    /// Its options, each once.
    pub(crate) options: Vec<Rc<Entry>>,
    /// The sections in it.
    pub(crate) sections: Vec<Self>,
}

impl Section {
    fn new(name: &str, at: At) -> Self {
        Self { name: name.to_owned(), at, references: Vec::new(), options: Vec::new(), sections: Vec::new() }
    }

    /// The option with this name.
    pub(crate) fn option(&self, name: &str) -> Option<&Rc<Entry>> {
        self.options.iter().find(|entry| entry.option == name)
    }

    /// The section with this name.
    pub(crate) fn section(&self, name: &str) -> Option<&Self> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// All options of it and of the sections in it.
    pub(crate) fn entries(&self) -> Vec<Rc<Entry>> {
        let inside = self.sections.iter().flat_map(Self::entries);
        self.options.iter().cloned().chain(inside).collect()
    }

    fn find(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |section, name| section.section(name))
    }

    /// What it holds with what it builds on: its own goes first.
    fn resolved(&self, root: &Self, budget: &mut usize, open: &mut BTreeSet<String>, path: &str) -> Option<Self> {
        let mut result = Self::new(&self.name, self.at.clone());
        result.options.clone_from(&self.options);
        *budget = budget.checked_sub(self.options.len() + 1)?;
        for section in &self.sections {
            let path = if path.is_empty() { section.name.clone() } else { format!("{path}.{}", section.name) };
            result.sections.push(section.resolved(root, budget, open, &path)?);
        }
        for reference in &self.references {
            // What builds on itself gets nothing more by it.
            if open.len() >= MAX_DEPTH {
                return None;
            }
            if reference == path || !open.insert(reference.clone()) {
                continue;
            }
            if let Some(base) = root.find(reference) {
                let base = base.resolved(root, budget, open, reference)?;
                result.inherit(base, budget)?;
            }
            open.remove(reference);
        }
        Some(result)
    }

    fn inherit(&mut self, base: Self, budget: &mut usize) -> Option<()> {
        *budget = budget.checked_sub(base.options.len() + 1)?;
        for entry in base.options {
            if self.option(&entry.option).is_none() {
                self.options.push(entry);
            }
        }
        for section in base.sections {
            match self.sections.iter_mut().find(|own| own.name == section.name) {
                Some(own) => own.inherit(section, budget)?,
                None => self.sections.push(section),
            }
        }
        Some(())
    }

    /// The names of what it builds on and what is not there, in it and in the sections in it.
    fn dangling(&self, root: &Self, found: &mut Vec<(At, String)>) {
        for reference in self.references.iter().filter(|reference| root.find(reference).is_none()) {
            found.push((self.at.clone(), reference.clone()));
        }
        self.sections.iter().for_each(|section| section.dangling(root, found));
    }
}

/// Reads a file and what it includes, and has each section hold what it builds on.
pub(crate) fn read(context: &Context<'_>, file: &str, text: &str, ledger: &mut Ledger) -> Result<Section, ImportError> {
    let mut root = Section::new("", At { file: file.into(), line: 1 });
    Parser::new(context, file, text, 0).items(&mut root, &mut Vec::new(), ledger, true)?;
    let mut dangling = Vec::new();
    root.dangling(&root, &mut dangling);
    if let Some((at, name)) = dangling.into_iter().next() {
        return Err(ImportError::Syntax { at, message: format!("builds on section {name:?}, which is not there") });
    }
    let mut budget = MAX_ENTRIES;
    let too_many = || ImportError::TooMuch { file: file.to_owned() };
    root.resolved(&root, &mut budget, &mut BTreeSet::new(), "").ok_or_else(too_many)
}

/// A word of the syntax.
#[derive(PartialEq, Eq)]
enum Token {
    Name(String),
    Open,
    Close,
    Equals,
    Colon,
    Comma,
    End,
}

impl Token {
    /// For messages, without what it says: that may be a secret.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Name(_) => "a word",
            Self::Open => "{",
            Self::Close => "}",
            Self::Equals => "=",
            Self::Colon => ":",
            Self::Comma => ",",
            Self::End => "the end",
        }
    }
}

struct Parser<'a> {
    context: &'a Context<'a>,
    file: Rc<str>,
    rest: &'a str,
    line: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn new(context: &'a Context<'a>, file: &str, text: &'a str, depth: usize) -> Self {
        Self { context, file: file.into(), rest: text, line: 1, depth }
    }

    fn at(&self) -> At {
        At { file: Rc::clone(&self.file), line: self.line }
    }

    fn fault<T>(&self, message: impl Into<String>) -> Result<T, ImportError> {
        Err(ImportError::Syntax { at: self.at(), message: message.into() })
    }

    /// The next character, taken.
    fn take(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        self.line += usize::from(c == '\n');
        Some(c)
    }

    /// Skips white space, line ends and comments.
    fn skip(&mut self) {
        while let Some(c) = self.rest.chars().next() {
            match c {
                '#' => {
                    let end = self.rest.find('\n').unwrap_or(self.rest.len());
                    self.rest = &self.rest[end..];
                }
                c if c.is_whitespace() => {
                    self.take();
                }
                _ => return,
            }
        }
    }

    fn token(&mut self) -> Result<Token, ImportError> {
        self.skip();
        let Some(c) = self.rest.chars().next() else { return Ok(Token::End) };
        let simple = match c {
            '{' => Some(Token::Open),
            '}' => Some(Token::Close),
            '=' => Some(Token::Equals),
            ':' => Some(Token::Colon),
            ',' => Some(Token::Comma),
            _ => None,
        };
        if let Some(token) = simple {
            self.take();
            return Ok(token);
        }
        if c == '"' {
            self.take();
            return self.quoted().map(Token::Name);
        }
        let end = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | '=' | ':' | ',' | '"' | '#');
        let end = self.rest.find(end).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(Token::Name(name.to_owned()))
    }

    /// What stands up to the closing quote, which is taken too.
    fn quoted(&mut self) -> Result<String, ImportError> {
        let begin = self.line;
        let mut text = String::new();
        loop {
            match self.take() {
                Some('"') => return Ok(text),
                Some('\\') => match self.take() {
                    Some('n') => text.push('\n'),
                    Some('r') => text.push('\r'),
                    Some('t') => text.push('\t'),
                    // The value goes on in the next line.
                    Some('\n') => {}
                    Some(c) => text.push(c),
                    None => {}
                },
                Some(c) => text.push(c),
                None => return self.fault(format!("the quote of line {begin} has no end")),
            }
        }
    }

    /// The value after an equals sign: up to the end of the line, a comment, or the section's end.
    fn value(&mut self) -> Result<String, ImportError> {
        let mut text = String::new();
        while let Some(c) = self.rest.chars().next() {
            match c {
                '\n' | '#' | '}' => break,
                '"' => {
                    self.take();
                    let quoted = self.quoted()?;
                    if text.trim().is_empty() {
                        text.clear();
                    }
                    text.push_str(&quoted);
                    // White space in quotes stays, and what follows the quotes is trimmed.
                    let rest = self.rest.trim_start_matches([' ', '\t', '\r']);
                    if rest.is_empty() || rest.starts_with(['\n', '#', '}']) {
                        return Ok(text);
                    }
                }
                c => {
                    text.push(c);
                    self.take();
                }
            }
        }
        Ok(text.trim().to_owned())
    }

    /// Reads up to the end of the section that is open: the file's, or that of a brace.
    fn items(
        &mut self,
        section: &mut Section,
        path: &mut Vec<String>,
        ledger: &mut Ledger,
        is_file: bool,
    ) -> Result<(), ImportError> {
        if path.len() > MAX_DEPTH {
            return self.fault(format!("sections are nested more than {MAX_DEPTH} deep"));
        }
        loop {
            let token = self.token()?;
            let name = match token {
                Token::End if is_file => return Ok(()),
                Token::End => return self.fault(format!("the section of line {} has no end", section.at.line)),
                Token::Close if !is_file => return Ok(()),
                Token::Name(name) => name,
                token => {
                    return self
                        .fault(format!("{} stands where a name is allowed, or the section's end", token.kind()));
                }
            };
            let at = self.at();
            if name == "include" && !self.rest.trim_start_matches([' ', '\t']).starts_with(['=', '{', ':']) {
                let pattern = self.value()?;
                self.include(&pattern, section, path, ledger)?;
                continue;
            }
            match self.token()? {
                Token::Equals => {
                    let value = self.value()?;
                    self.option(section, &at, path, &name, &value, ledger)?;
                }
                Token::Open => self.open(section, path, &name, at, Vec::new(), ledger)?,
                Token::Colon => {
                    let mut references = Vec::new();
                    loop {
                        let Token::Name(reference) = self.token()? else {
                            return self.fault("the section names nothing to build on after the colon");
                        };
                        references.push(reference);
                        match self.token()? {
                            Token::Comma => {}
                            Token::Open => break,
                            token => {
                                return self
                                    .fault(format!("{} stands where a comma or brace is allowed", token.kind()));
                            }
                        }
                    }
                    self.open(section, path, &name, at, references, ledger)?;
                }
                token => return self.fault(format!("{} follows a name, allowed: = or {{", token.kind())),
            }
        }
    }

    fn option(
        &self,
        section: &mut Section,
        at: &At,
        path: &[String],
        name: &str,
        value: &str,
        ledger: &mut Ledger,
    ) -> Result<(), ImportError> {
        let entry = Entry::new(at.clone(), &path.join("."), name, value);
        ledger.add(&entry);
        if ledger.entries.len() > MAX_ENTRIES {
            return Err(ImportError::TooMuch { file: self.file.to_string() });
        }
        match section.options.iter_mut().find(|earlier| earlier.option == name) {
            Some(earlier) => {
                earlier.overridden(format!("{at} says otherwise, and the later counts"));
                *earlier = entry;
            }
            None => section.options.push(entry),
        }
        Ok(())
    }

    fn open(
        &mut self,
        section: &mut Section,
        path: &mut Vec<String>,
        name: &str,
        at: At,
        references: Vec<String>,
        ledger: &mut Ledger,
    ) -> Result<(), ImportError> {
        let index = section.sections.iter().position(|inner| inner.name == name).unwrap_or_else(|| {
            section.sections.push(Section::new(name, at));
            section.sections.len() - 1
        });
        let Some(inner) = section.sections.get_mut(index) else { return Ok(()) };
        inner.references.extend(references);
        path.push(name.to_owned());
        let read = self.items(inner, path, ledger, false);
        path.pop();
        read
    }

    fn include(
        &mut self,
        pattern: &str,
        section: &mut Section,
        path: &mut Vec<String>,
        ledger: &mut Ledger,
    ) -> Result<(), ImportError> {
        if self.depth >= MAX_DEPTH {
            return self.fault(format!("files are included more than {MAX_DEPTH} deep"));
        }
        for (file, text) in self.context.included(&self.at(), pattern)? {
            Parser::new(self.context, &file, &text, self.depth + 1).items(section, path, ledger, true)?;
        }
        Ok(())
    }
}
