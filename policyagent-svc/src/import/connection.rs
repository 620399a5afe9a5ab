//! What the three syntaxes have in common: connections, in the words of policy documents.
use std::net::IpAddr;
use std::path::PathBuf;
use std::rc::Rc;
use zeroize::Zeroizing;

use super::known::Class;
use super::ledger::{At, Entry};

/// A connection: the two ends, main mode, and what goes under it.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Its name.
    pub(crate) name: String,
    /// Where its section begins.
    pub(crate) at: At,
    /// This host's address on the wire; none: whichever.
    pub(crate) local: Option<IpAddr>,
    /// The peer's; none: anybody's.
    pub(crate) remote: Option<IpAddr>,
    /// Whom this host claims to be, as documents write it; none: its address, or its certificate's subject.
    pub(crate) local_id: Option<String>,
    /// Whom the peer must prove to be.
    pub(crate) remote_id: Option<String>,
    /// How the two prove it.
    pub(crate) authentication: Authentication,
    /// Aggressive mode.
    pub(crate) aggressive: bool,
    /// Main-mode offers, as documents write them.
    pub(crate) offers: Vec<String>,
    /// The life of ISAKMP SAs, seconds.
    pub(crate) lifetime: u64,
    /// How the peer is watched.
    pub(crate) dpd: Option<Dpd>,
    /// `keep`, `replace` or `refuse`.
    pub(crate) unique: &'static str,
    /// Extended authentication.
    pub(crate) xauth: Option<Xauth>,
    /// Mode Config.
    pub(crate) mode_config: Option<ModeConfig>,
    /// What goes under it.
    pub(crate) children: Vec<Child>,
    /// Why its rules are written, but not active: without what was lost they would accept or send more.
    pub(crate) doubts: Vec<String>,
    /// Those that are about which traffic is meant: they hold for what permits or blocks, too.
    pub(crate) traffic_doubts: Vec<String>,
    /// Differences that no option tells of.
    pub(crate) notes: Vec<String>,
    /// Its options, with what becomes of each.
    pub(crate) options: Vec<(Rc<Entry>, Option<Class>)>,
}

/// How the ends prove who they are.
#[derive(Debug)]
pub(crate) enum Authentication {
    /// Not at all: the connection has no children that negotiate.
    None,
    /// By a pre-shared key.
    PresharedKey(Key),
    /// By certificates of both ends.
    Certificates(Own, Authorities),
    /// This host by a certificate, the peer's user by a password.
    HybridGateway(Own),
    /// The other way round.
    HybridClient(Authorities),
}

/// The octets of a key; wiped when dropped.
#[derive(Clone)]
pub(crate) struct Key(pub(crate) Rc<Zeroizing<Vec<u8>>>);

impl Key {
    /// The octets.
    pub(crate) fn octets(&self) -> &Zeroizing<Vec<u8>> {
        &self.0
    }
}

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key")
    }
}

/// By what this host signs.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    /// The file of the certificate.
    pub(crate) certificate: PathBuf,
    /// The file of its private key.
    pub(crate) private_key: PathBuf,
}

/// Whose certificates the peer may have.
#[derive(Clone, Debug)]
pub(crate) struct Authorities {
    /// Files, or directories of files.
    pub(crate) files: Vec<PathBuf>,
    /// A directory of revocation lists.
    pub(crate) revocation_lists: Option<PathBuf>,
    /// A certificate that no list covers is refused.
    pub(crate) strict: bool,
}

/// Dead peer detection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dpd {
    /// Seconds.
    pub(crate) delay: u64,
    /// Seconds.
    pub(crate) timeout: u64,
    /// Negotiate anew at once.
    pub(crate) restart: bool,
}

/// Extended authentication.
#[derive(Debug)]
pub(crate) enum Xauth {
    /// The peer's user proves itself.
    Server,
    /// This host proves to be a user.
    Client {
        /// The user.
        user: String,
        /// The password.
        password: Key,
    },
}

/// Mode Config.
#[derive(Clone, Debug)]
pub(crate) enum ModeConfig {
    /// This host gives addresses of a pool.
    Server {
        /// The pool's name.
        pool: String,
        /// Unasked.
        push: bool,
    },
    /// This host gets one.
    Client {
        /// Without asking.
        push: bool,
    },
}

/// What goes under a connection: some traffic, and what is done with it.
#[derive(Debug)]
pub(crate) struct Child {
    /// Its name.
    pub(crate) name: String,
    /// What is done.
    pub(crate) what: What,
    /// The traffic, this host's side first.
    pub(crate) filters: Vec<Filter>,
}

/// What is done with traffic.
#[derive(Debug)]
pub(crate) enum What {
    /// It goes in clear.
    Permit,
    /// It is dropped.
    Block,
    /// It is protected.
    Protect(Protection),
}

/// How traffic is protected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Protection {
    /// Tunnel mode.
    pub(crate) tunnel: bool,
    /// In order of preference.
    pub(crate) offers: Vec<Offer>,
    /// The group of perfect forward secrecy.
    pub(crate) pfs: Option<&'static str>,
    /// The life of SAs, seconds.
    pub(crate) seconds: u64,
    /// The same in kilobytes; 0: no limit.
    pub(crate) kilobytes: u64,
    /// SAs without traffic for so many seconds end; 0: they do not.
    pub(crate) idle: u64,
}

impl Protection {
    /// Whether one filter action does for both.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let terms = |one: &Self| (one.pfs, one.seconds, one.kilobytes, one.idle);
        self.offers == other.offers && terms(self) == terms(other)
    }
}

/// A quick-mode offer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Offer {
    /// ESP's algorithms, or AH's.
    pub(crate) algorithms: String,
    /// AH.
    pub(crate) ah: bool,
    /// IPComp.
    pub(crate) compression: bool,
    /// Sequence numbers of 64 bits.
    pub(crate) extended_sequence_numbers: bool,
}

/// Some traffic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Filter {
    /// This host's side, as documents write it.
    pub(crate) source: String,
    /// The peer's side.
    pub(crate) destination: String,
    /// The protocol; 0 is any.
    pub(crate) protocol: u8,
    /// The port on this host's side; 0 is any.
    pub(crate) source_port: u16,
    /// The port on the peer's side.
    pub(crate) destination_port: u16,
}

/// A pool of addresses.
#[derive(Debug)]
pub(crate) struct Pool {
    /// Its name.
    pub(crate) name: String,
    /// Where it stands.
    pub(crate) at: At,
    /// Addresses, prefixes and ranges.
    pub(crate) addresses: Vec<String>,
    /// Name servers.
    pub(crate) dns: Vec<String>,
    /// What clients are told to reach.
    pub(crate) split_networks: Vec<String>,
    /// For clients.
    pub(crate) domain: Option<String>,
    /// For clients.
    pub(crate) banner: Option<String>,
    /// Its options, with what becomes of each.
    pub(crate) options: Vec<(Rc<Entry>, Option<Class>)>,
}

/// What was read.
#[derive(Default, Debug)]
pub(crate) struct Everything {
    /// The connections that are translated.
    pub(crate) connections: Vec<Connection>,
    /// The pools.
    pub(crate) pools: Vec<Pool>,
    /// The connections that are not, and why.
    pub(crate) left_out: Vec<LeftOut>,
}

/// A connection that is not translated.
#[derive(Debug)]
pub(crate) struct LeftOut {
    /// Its name.
    pub(crate) name: String,
    /// Where it begins.
    pub(crate) at: At,
    /// Why.
    pub(crate) why: String,
    /// Its program would not have loaded it either.
    pub(crate) expected: bool,
    /// Its options.
    pub(crate) entries: Vec<Rc<Entry>>,
}

impl LeftOut {
    /// Leaves out a connection with all its options.
    pub(crate) fn new(name: &str, at: &At, why: impl Into<String>, entries: &[Rc<Entry>]) -> Self {
        Self { name: name.to_owned(), at: at.clone(), why: why.into(), expected: false, entries: entries.to_vec() }
    }

    /// The same of one that is not in force where it comes from.
    pub(crate) fn expected(self) -> Self {
        Self { expected: true, ..self }
    }
}
