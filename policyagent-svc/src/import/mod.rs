//! `policyagent import`: the configurations of strongSwan and libreswan as policy documents.
//!
//! Each syntax has a parser; what it reads becomes [`connection::Connection`]s, in the words of policy documents; one
//! translator makes a document of them. Every option that was read has an entry in the [`ledger`], and a fate in the end.
mod certificates;
mod connection;
mod files;
mod identity;
mod ipsec_conf;
mod known;
mod ledger;
mod proposal;
mod report;
mod secrets;
mod selector;
mod swanctl;
#[cfg(test)]
mod tests;
mod translate;
mod tree;
mod values;

pub(crate) use files::{Files, System};
pub(crate) use ledger::At;
pub(crate) use report::Report;
pub(crate) use translate::{KeyFile, append, check};

use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

use crate::document::DocumentError;
use ledger::Ledger;

/// The most options of all files together, those that sections inherit included.
const MAX_ENTRIES: usize = 100_000;

/// How deep sections and files may be nested.
const MAX_DEPTH: usize = 24;

/// The most files that are included.
const MAX_FILES: usize = 1_000;

/// Whose configuration it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Syntax {
    /// strongSwan's swanctl.conf.
    Swanctl,
    /// strongSwan's ipsec.conf.
    IpsecConf,
    /// libreswan's ipsec.conf.
    Libreswan,
}

impl Syntax {
    /// What messages call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Swanctl => "swanctl.conf of strongSwan",
            Self::IpsecConf => "ipsec.conf of strongSwan",
            Self::Libreswan => "ipsec.conf of libreswan",
        }
    }

    /// The program.
    pub(crate) const fn program(self) -> &'static str {
        match self {
            Self::Swanctl | Self::IpsecConf => "strongSwan",
            Self::Libreswan => "libreswan",
        }
    }
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    /// The text is not of the syntax.
    #[error("{at}: {message}")]
    Syntax {
        /// Where.
        at: At,
        /// What is wrong.
        message: String,
    },
    /// A file cannot be read.
    #[error("{file}: {error}")]
    File {
        /// Which.
        file: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// More than anybody writes.
    #[error("{file}: more than {MAX_ENTRIES} options, or {MAX_FILES} files, with what sections inherit")]
    TooMuch {
        /// The file at which it became too much.
        file: String,
    },
    /// What was made has a fault that comes of no connection.
    #[error("what was made of it has faults: {0}")]
    Document(DocumentError),
    /// Nobody said whose it is, and it does not show.
    #[error("{file}: {why}; allowed: --from swanctl, ipsec.conf or libreswan")]
    Unclear {
        /// The file.
        file: String,
        /// Why it does not show.
        why: &'static str,
    },
}

/// What surrounds the files: the machine that they are for.
pub(crate) struct Context<'a> {
    /// The file system.
    pub(crate) files: &'a dyn Files,
    /// Looks up a name.
    pub(crate) resolve: &'a dyn Fn(&str) -> Option<IpAddr>,
    /// The addresses of the host whose configuration it is.
    pub(crate) addresses: &'a BTreeSet<IpAddr>,
    /// Where certificates are that the configuration does not name by file: NAME.pem with NAME.key.
    pub(crate) certificates: &'a Path,
    /// Where the authorities' are.
    pub(crate) authorities: &'a Path,
    /// How many files have been included.
    pub(crate) included: Cell<usize>,
}

impl<'a> Context<'a> {
    /// What surrounds files.
    pub(crate) fn new(
        files: &'a dyn Files,
        resolve: &'a dyn Fn(&str) -> Option<IpAddr>,
        addresses: &'a BTreeSet<IpAddr>,
        certificates: &'a Path,
        authorities: &'a Path,
    ) -> Self {
        Self { files, resolve, addresses, certificates, authorities, included: Cell::new(0) }
    }

    /// The files that an `include` names, with their texts; none is no fault.
    fn included(&self, at: &At, pattern: &str) -> Result<Vec<(String, Zeroizing<String>)>, ImportError> {
        let directory = Path::new(&*at.file).parent().unwrap_or_else(|| Path::new(""));
        let paths = files::matching(self.files, &directory.join(pattern));
        let read = |path: PathBuf| {
            self.included.set(self.included.get() + 1);
            if self.included.get() > MAX_FILES {
                return Err(ImportError::TooMuch { file: path.display().to_string() });
            }
            self.text(&path)
        };
        paths.into_iter().map(read).collect()
    }

    /// A file's name and text.
    pub(crate) fn text(&self, path: &Path) -> Result<(String, Zeroizing<String>), ImportError> {
        let file = path.display().to_string();
        let octets = self.files.read(path).map_err(|error| ImportError::File { file: file.clone(), error })?;
        match std::str::from_utf8(&octets) {
            Ok(text) => Ok((file, Zeroizing::new(text.to_owned()))),
            Err(error) => {
                let line = octets.iter().take(error.valid_up_to()).filter(|octet| **octet == b'\n').count() + 1;
                let at = At { file: file.as_str().into(), line };
                Err(ImportError::Syntax { at, message: "is not UTF-8".to_owned() })
            }
        }
    }
}

/// What is asked for.
pub(crate) struct Request<'a> {
    /// Whose syntax; none: as the files look.
    pub(crate) syntax: Option<Syntax>,
    /// The files.
    pub(crate) files: &'a [PathBuf],
    /// The files with secrets of their own.
    pub(crate) secrets: &'a [PathBuf],
    /// The name of the policy that is made.
    pub(crate) policy: &'a str,
    /// Whether it is assigned.
    pub(crate) assign: bool,
}

/// What was made.
pub(crate) struct Imported {
    /// The policy document.
    pub(crate) document: Zeroizing<String>,
    /// The keys that are no text: files beside the document.
    pub(crate) key_files: Vec<KeyFile>,
    /// What became of everything.
    pub(crate) report: Report,
}

/// Reads the files and makes a policy document of them.
pub(crate) fn import(context: &Context<'_>, request: &Request<'_>) -> Result<Imported, ImportError> {
    let texts: Vec<_> = request.files.iter().map(|path| context.text(path)).collect::<Result<_, _>>()?;
    let secret_texts: Vec<_> = request.secrets.iter().map(|path| context.text(path)).collect::<Result<_, _>>()?;
    let syntax = match request.syntax {
        Some(syntax) => syntax,
        None => texts.first().map_or(Ok(Syntax::Swanctl), |(file, text)| guess(file, text))?,
    };
    let mut ledger = Ledger::default();
    let mut everything = match syntax {
        Syntax::Swanctl => {
            let all: Vec<_> = texts.iter().chain(&secret_texts).collect();
            swanctl::read(context, &all, &mut ledger)?
        }
        Syntax::IpsecConf | Syntax::Libreswan => {
            let secrets = secrets::read(context, &secret_texts, syntax, &mut ledger)?;
            ipsec_conf::read(context, syntax, &texts, &secrets, &mut ledger)?
        }
    };
    let made = translate::translate(syntax, request, &mut everything)?;
    settle(syntax, &everything, &made);
    let report = report::report(syntax, &everything, &made, &ledger);
    Ok(Imported { document: made.document, key_files: made.key_files, report })
}

/// Writes down the fate of the options of connections and pools, now that it is known which of them there are.
fn settle(syntax: Syntax, everything: &connection::Everything, made: &translate::Made) {
    let given = |pool: &&connection::Pool| made.pools.contains(&pool.name);
    let pools = everything.pools.iter().filter(given).map(|pool| &pool.options);
    for options in everything.connections.iter().map(|connection| &connection.options).chain(pools) {
        options.iter().for_each(|(entry, class)| known::classify(entry, *class, syntax.program()));
    }
    for pool in everything.pools.iter().filter(|pool| !given(pool)) {
        pool.options
            .iter()
            .for_each(|(entry, _)| entry.not_needed("no rule that is made gives addresses of this pool"));
    }
    everything.left_out.iter().flat_map(|left| &left.entries).for_each(|entry| entry.left_out());
}

/// Whose syntax a text has.
fn guess(file: &str, text: &str) -> Result<Syntax, ImportError> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let is_conf = |line: &str| ["conn ", "config ", "ca ", "version "].iter().any(|word| line.starts_with(word));
    let first = lines.clone().find(|line| !line.starts_with("include"));
    match first {
        Some(line) if is_conf(line) => {}
        Some(line) if line.contains('{') => return Ok(Syntax::Swanctl),
        // Nothing but files that it includes.
        None if Path::new(file).file_name().is_some_and(|name| name == "swanctl.conf") => return Ok(Syntax::Swanctl),
        _ => return Err(ImportError::Unclear { file: file.to_owned(), why: "looks like none of the three syntaxes" }),
    }
    let (mut strongswan, mut libreswan) = (0, 0);
    if lines.clone().any(|line| line.starts_with("version ")) {
        libreswan += 1;
    }
    for line in lines.by_ref() {
        let Some((name, value)) = line.split_once('=') else { continue };
        match ipsec_conf::whose(name.trim(), value.trim()) {
            Some(Syntax::Libreswan) => libreswan += 1,
            Some(_) => strongswan += 1,
            None => {}
        }
    }
    match strongswan.cmp(&libreswan) {
        core::cmp::Ordering::Greater => Ok(Syntax::IpsecConf),
        core::cmp::Ordering::Less => Ok(Syntax::Libreswan),
        core::cmp::Ordering::Equal => {
            Err(ImportError::Unclear { file: file.to_owned(), why: "strongSwan and libreswan both read such a file" })
        }
    }
}

/// Any octets in each of the syntaxes, with secrets and an included file of the same octets, make a document that the
/// model reads, or a fault.
pub(crate) fn fuzz_import(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let files = files::Memory::new(&[("/f", &text), ("/i", &text)]);
    let addresses = BTreeSet::from([IpAddr::from([10, 9, 0, 1])]);
    let name = PathBuf::from("/f");
    for syntax in [None, Some(Syntax::Swanctl), Some(Syntax::IpsecConf), Some(Syntax::Libreswan)] {
        let (certificates, authorities) = (Path::new("/certificates"), Path::new("/authorities"));
        let context = Context::new(&files, &|_| None, &addresses, certificates, authorities);
        let names = [name.clone()];
        let request = Request { syntax, files: &names, secrets: &names, policy: "imported", assign: true };
        let Ok(imported) = import(&context, &request) else { continue };
        if imported.key_files.is_empty()
            && let Err(error) = check(Path::new("/made.toml"), &imported.document)
        {
            panic!("{error}\n{}", *imported.document);
        }
    }
}

/// Inputs for [`fuzz_import`], each with its file name.
pub(crate) fn import_seeds() -> Vec<(&'static str, Vec<u8>)> {
    const SWANCTL: &str = "connections { a : d { version = 1\nremote_addrs = 10.9.0.2\nlocal { auth = psk }\nremote { auth = psk }\n\
        children { c { local_ts = 10.1.0.0/16\nremote_ts = 10.2.0.0/16[tcp/80] } } } }\nd { dpd_delay = 30s }\n\
        secrets { ike { secret = \"x y\" } }\n";
    const CONF: &str = "config setup\nconn %default\n\tkeyexchange=ikev1\n\tike=aes256-sha256-modp2048!\nconn a\n\talso=b\n\tauto=add\n\
        conn b\n\tleft=10.9.0.1\n\tright=10.9.0.2\n\tauthby=secret\n";
    const LIBRESWAN: &str = "version 2\nconn a\n\tikev2=no\n\tleft=%defaultroute\n\tright=10.9.0.2\n\tleftsubnets={10.1.0.0/24 10.2.0.0/24}\n\
        \tphase2alg=aes256-sha2_256;modp2048\n\tauthby=secret\n\tauto=start\n";
    const SECRETS: &str = ": PSK \"x\"\n10.9.0.1 %any : PSK 0x0102\n@joe : XAUTH \"p\"\n";
    [("swanctl", SWANCTL), ("ipsec-conf", CONF), ("libreswan", LIBRESWAN), ("secrets", SECRETS)]
        .map(|(name, text)| (name, text.as_bytes().to_vec()))
        .to_vec()
}
