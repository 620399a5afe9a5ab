//! Authentication methods: pre-shared keys and certificates, and the files that hold them.
use ikecore::certificate::{Certificate, RevocationCheck, Trust, certificates_from_file};
use ikecore::crypto::signature::SigningKey;
use ikecore::identity::{Identity, dn};
use ikecore::policy::rule::{AuthMethod, CertificateMethod, HybridMethod, OwnCertificate};
use ikecore::secret::Secret;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

use crate::document::{Position, Table, Value};

/// A pre-shared key is some octets, not a disk.
const MAX_PRESHARED_KEY: u64 = 4096;

/// The most octets of a file with certificates or a private key.
const MAX_FILE: u64 = 1_048_576;

/// The most authorities of a method.
const MAX_AUTHORITIES: usize = 256;

/// The most certificates of a chain of this host's.
const MAX_CHAIN: usize = ikecore::certificate::MAX_CHAIN;

/// Keys of a method with certificates besides `certificate` and `hybrid`.
const CERTIFICATE_KEYS: [&str; 5] = ["private_key", "ca", "crl", "crl_check", "legacy"];

/// A way to prove who one is, as a rule names it.
#[derive(Clone, Debug)]
pub(crate) enum Method {
    /// With all that it needs.
    Given(AuthMethod),
    /// Kerberos, which this program has not: kept for hosts that have it.
    Kerberos,
    /// Certificates that the machine has below an authority.
    RootCa(Arc<RootCa>),
}

impl Method {
    /// What it proves by, if the document says so itself.
    pub(crate) const fn given(&self) -> Option<&AuthMethod> {
        match self {
            Self::Given(method) => Some(method),
            Self::Kerberos | Self::RootCa(_) => None,
        }
    }
}

/// Any certificate of the machine's below an authority, which is looked up by its name when the policy is compiled.
#[derive(Debug)]
pub(crate) struct RootCa {
    /// The name as it is written.
    pub(crate) text: String,
    /// The name, encoded.
    pub(crate) name: Vec<u8>,
    /// The peer's certificate must belong to an account of the domain.
    pub(crate) certificate_mapping: bool,
    /// The authority is not named in certificate requests.
    pub(crate) exclude_ca_name: bool,
    /// How strictly the peer's certificate is looked at.
    pub(crate) strictness: Strictness,
    /// Where it stands in the file.
    pub(crate) position: Position,
}

/// How strictly certificates of peers are looked at.
#[derive(Clone, Debug)]
pub(crate) struct Strictness {
    revocation_lists: Vec<PathBuf>,
    revocation_check: RevocationCheck,
    legacy: bool,
}

impl Strictness {
    /// Trust in these authorities.
    pub(crate) fn trust(self, authorities: Vec<Certificate>, names_excluded: bool) -> Trust {
        let Self { revocation_lists, revocation_check, legacy } = self;
        Trust { authorities, revocation_lists, revocation_check, legacy, names_excluded }
    }
}

/// The keys of which a method has one, unless it is hybrid.
const KINDS: [&str; 5] = ["preshared_key", "preshared_key_file", "certificate", "kerberos", "root_ca"];

/// Reads a method.
pub(super) fn method(value: &Value<'_>) -> Option<Method> {
    let table = value.table()?;
    let kinds = KINDS.map(|key| table.get(key));
    let settings = CERTIFICATE_KEYS.map(|key| table.get(key));
    let flags = ["certificate_mapping", "exclude_ca_name"].map(|key| table.get(key));
    let hybrid = table.get("hybrid").map_or(Some(false), |value| value.boolean());
    table.finish();
    let what = table.what();
    let names = KINDS.iter();
    let mut there: Vec<&str> = names.zip(&kinds).filter(|(_, value)| value.is_some()).map(|(key, _)| *key).collect();
    let hybrid = hybrid?;
    if hybrid {
        there.retain(|key| *key != "certificate");
        there.insert(0, "hybrid");
    }
    if there.len() > 1 {
        table.fault(format!("{what} has both {}, allowed: one", there.join(" and ")));
        return None;
    }
    let [text, file, certificate, kerberos, root_ca] = kinds;
    if root_ca.is_none()
        && let Some(flag) = flags.iter().flatten().next()
    {
        flag.fault(format!("{} stands without root_ca, allowed: both, or neither", flag.what()));
        return None;
    }
    if hybrid {
        return hybrid_method(&table, certificate, settings).map(Method::Given);
    }
    if let Some(root_ca) = root_ca {
        return root_ca_method(&root_ca, flags, settings);
    }
    if let (None, Some((key, setting))) =
        (&certificate, CERTIFICATE_KEYS.iter().zip(&settings).find_map(|(key, setting)| Some((key, setting.as_ref()?))))
    {
        setting.fault(format!("{what} has {key} without certificate, allowed: both, or neither"));
        return None;
    }
    if let Some(certificate) = certificate {
        return certificate_method(&table, &certificate, settings).map(Method::Given);
    }
    if let Some(kerberos) = kerberos {
        if !kerberos.boolean()? {
            kerberos.fault(format!("{} is false, allowed: true, or no such key", kerberos.what()));
            return None;
        }
        return Some(Method::Kerberos);
    }
    let key = match (text, file) {
        (Some(text), _) => text.secret()?,
        (None, Some(file)) => key_file(&file)?,
        (None, None) => {
            table.fault(format!(
                "{what} names no key, allowed: preshared_key, preshared_key_file, certificate with private_key and ca, root_ca, or \
                 kerberos"
            ));
            return None;
        }
    };
    // The copy is the one that stays; the other is wiped.
    Some(Method::Given(AuthMethod::PreSharedKey(Arc::new(Secret::new(key.to_vec())))))
}

/// The certificates are looked for when the policy is compiled: they are the machine's, not the file's.
fn root_ca_method(
    value: &Value<'_>,
    [mapping, exclude]: [Option<Value<'_>>; 2],
    [private_key, ca, crl, crl_check, legacy]: [Option<Value<'_>>; 5],
) -> Option<Method> {
    if let Some(other) = private_key.or(ca) {
        other.fault(format!("{} stands beside root_ca, allowed with root_ca: crl, crl_check, legacy", other.what()));
        return None;
    }
    let text = value.text()?;
    let name = dn::encode(text).map_err(|fault| value.fault(format!("{} has {fault}", value.what()))).ok();
    let flag = |value: Option<Value<'_>>| value.map_or(Some(false), |value| value.boolean());
    let (certificate_mapping, exclude_ca_name) = (flag(mapping), flag(exclude));
    let strictness = strictness(crl, crl_check, legacy)?;
    Some(Method::RootCa(Arc::new(RootCa {
        text: text.to_owned(),
        name: name?,
        certificate_mapping: certificate_mapping?,
        exclude_ca_name: exclude_ca_name?,
        strictness,
        position: value.position(),
    })))
}

/// A secret that stands in the file, under `key`, or in one of its own, which is named under `file_key`.
pub(super) fn secret(table: &Table<'_>, key: &'static str, file_key: &'static str) -> Option<Zeroizing<Vec<u8>>> {
    match (table.get(key), table.get(file_key)) {
        (Some(text), None) => text.secret(),
        (None, Some(file)) => key_file(&file),
        (None, None) => {
            table.fault(format!("{} names no key, allowed: {key} or {file_key}", table.what()));
            None
        }
        (Some(_), Some(_)) => {
            table.fault(format!("{} has both {key} and {file_key}, allowed: one", table.what()));
            None
        }
    }
}

/// A file's octets; `None` is a fault.
fn read(value: &Value<'_>, path: &Path, most: u64) -> Option<(Metadata, Zeroizing<Vec<u8>>)> {
    value.reads(path);
    let read = || -> io::Result<(Metadata, Option<Zeroizing<Vec<u8>>>)> {
        let metadata = fs::metadata(path)?;
        if metadata.len() > most || !metadata.is_file() {
            return Ok((metadata, None));
        }
        Ok((metadata, Some(Zeroizing::new(fs::read(path)?))))
    };
    match read() {
        Ok((metadata, Some(octets))) => Some((metadata, octets)),
        Ok((_, None)) => {
            value.fault(format!("{} is {}, allowed: a file of at most {most} octets", value.what(), path.display()));
            None
        }
        Err(error) => {
            value.fault(format!("{} is {}: {error}", value.what(), path.display()));
            None
        }
    }
}

fn warn_if_open(value: &Value<'_>, path: &Path, metadata: &Metadata) {
    if metadata.mode() & 0o077 != 0 {
        value.warn(format!(
            "{} is {}, which others can read (mode {:03o}); it should be 600",
            value.what(),
            path.display(),
            metadata.mode() & 0o777
        ));
    }
}

fn key_file(value: &Value<'_>) -> Option<Zeroizing<Vec<u8>>> {
    let path = value.path()?;
    let (metadata, mut key) = read(value, &path, MAX_PRESHARED_KEY)?;
    if key.last() == Some(&b'\n') {
        key.pop();
        if key.last() == Some(&b'\r') {
            key.pop();
        }
    }
    if key.is_empty() {
        value.fault(format!("{} is {}, which is empty", value.what(), path.display()));
        return None;
    }
    warn_if_open(value, &path, &metadata);
    Some(key)
}

fn certificate_method(
    table: &Table<'_>,
    certificate: &Value<'_>,
    [private_key, ca, crl, crl_check, legacy]: [Option<Value<'_>>; 5],
) -> Option<AuthMethod> {
    let what = table.what();
    if private_key.is_none() || ca.is_none() {
        let missing = if private_key.is_none() { "private_key" } else { "ca" };
        table.fault(format!(
            "{what} has certificate without {missing}, allowed: certificate, private_key and ca together"
        ));
    }
    let own = own_certificate(certificate, private_key);
    let trust = ca.and_then(|ca| trust(&ca, crl, crl_check, legacy));
    Some(AuthMethod::Certificate(Arc::new(CertificateMethod { own: Arc::new(own?), trust: Arc::new(trust?) })))
}

/// The gateway has what it signs by, the client whom it trusts.
fn hybrid_method(
    table: &Table<'_>,
    certificate: Option<Value<'_>>,
    [private_key, ca, crl, crl_check, legacy]: [Option<Value<'_>>; 5],
) -> Option<AuthMethod> {
    let signs = certificate.is_some() || private_key.is_some();
    let checks = [&ca, &crl, &crl_check, &legacy].iter().any(|value| value.is_some());
    match (certificate, ca) {
        (Some(certificate), None) if private_key.is_some() && !checks => {
            let own = own_certificate(&certificate, private_key)?;
            Some(AuthMethod::Hybrid(HybridMethod::Gateway(Arc::new(own))))
        }
        (None, Some(ca)) if !signs => {
            let trust = trust(&ca, crl, crl_check, legacy)?;
            Some(AuthMethod::Hybrid(HybridMethod::Client(Arc::new(trust))))
        }
        _ => {
            let what = table.what();
            table.fault(format!(
                "{what} is hybrid, allowed: certificate and private_key, of the gateway, or ca, with crl, crl_check and legacy, \
                 of a client"
            ));
            None
        }
    }
}

/// By what this host signs.
fn own_certificate(certificate: &Value<'_>, private_key: Option<Value<'_>>) -> Option<OwnCertificate> {
    let own = own_chain(certificate);
    let key = private_key.and_then(|value| own_key(&value, own.as_ref().map(|(own, _)| own)));
    let (certificate, issuers) = own?;
    Some(OwnCertificate { certificate, issuers, private_key: key? })
}

/// Whose certificates the peer may have.
fn trust(
    ca: &Value<'_>,
    crl: Option<Value<'_>>,
    crl_check: Option<Value<'_>>,
    legacy: Option<Value<'_>>,
) -> Option<Trust> {
    let authorities = authorities(ca);
    let strictness = strictness(crl, crl_check, legacy)?;
    Some(strictness.trust(authorities?, false))
}

fn strictness(crl: Option<Value<'_>>, crl_check: Option<Value<'_>>, legacy: Option<Value<'_>>) -> Option<Strictness> {
    let lists = crl.map_or(Some(Vec::new()), |value| paths(&value, "revocation list"));
    let default = lists.as_ref().map(Vec::is_empty);
    let check = match crl_check {
        Some(value) => check(&value, default),
        None if default == Some(true) => Some(RevocationCheck::Off),
        None => Some(RevocationCheck::Revoked),
    };
    let legacy = legacy.map_or(Some(false), |value| value.boolean());
    Some(Strictness { revocation_lists: lists?, revocation_check: check?, legacy: legacy? })
}

fn check(value: &Value<'_>, without_lists: Option<bool>) -> Option<RevocationCheck> {
    let levels =
        [("off", RevocationCheck::Off), ("revoked", RevocationCheck::Revoked), ("strict", RevocationCheck::Strict)];
    let check = value.one_of(&levels)?;
    if check != RevocationCheck::Off && without_lists == Some(true) {
        value.fault(format!("{} needs crl, allowed without it: off", value.what()));
        return None;
    }
    Some(check)
}

/// The certificates of a file; `None` is a fault.
fn certificates(value: &Value<'_>, path: &Path) -> Option<Vec<Certificate>> {
    let (_, octets) = read(value, path, MAX_FILE)?;
    match certificates_from_file(&octets) {
        Ok(certificates) => Some(certificates),
        Err(fault) => {
            value.fault(format!("{} is {}: {fault}", value.what(), path.display()));
            None
        }
    }
}

/// This host's certificate and those of its issuers.
fn own_chain(value: &Value<'_>) -> Option<(Certificate, Vec<Certificate>)> {
    let path = value.path()?;
    let mut all = certificates(value, &path)?.into_iter();
    let own = all.next()?;
    // A root is known to whoever trusts it.
    let issuers: Vec<Certificate> = all.filter(|issuer| !issuer.is_self_issued()).collect();
    if issuers.len() >= MAX_CHAIN {
        let count = issuers.len() + 1;
        value.fault(format!("{} has {count} certificates, allowed: 1 to {MAX_CHAIN}", value.what()));
        return None;
    }
    if let Err(fault) = own.check_usage() {
        value.fault(format!("{} is {}: {fault}", value.what(), path.display()));
        return None;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if let Err(fault) = own.check_date(i64::try_from(now).unwrap_or(i64::MAX)) {
        value.warn(format!("{} is {}: {fault}", value.what(), path.display()));
    }
    Some((own, issuers))
}

/// The file of the private key; it is not kept, but it must be the right one.
fn own_key(value: &Value<'_>, own: Option<&Certificate>) -> Option<PathBuf> {
    let path = value.path()?;
    let (metadata, octets) = read(value, &path, MAX_FILE)?;
    let checked = SigningKey::from_file(&octets).and_then(|key| own.map_or(Ok(()), |own| key.check(own.key())));
    if let Err(error) = checked {
        value.fault(format!("{} is {}: {error}", value.what(), path.display()));
        return None;
    }
    warn_if_open(value, &path, &metadata);
    Some(path)
}

fn authorities(value: &Value<'_>) -> Option<Vec<Certificate>> {
    let mut authorities: Vec<Certificate> = Vec::new();
    for path in paths(value, "CA")? {
        for file in files(value, &path)? {
            for authority in certificates(value, &file)? {
                if !authorities.contains(&authority) {
                    authorities.push(authority);
                }
            }
        }
    }
    if !(1..=MAX_AUTHORITIES).contains(&authorities.len()) {
        let count = authorities.len();
        value.fault(format!("{} has {count} certificates, allowed: 1 to {MAX_AUTHORITIES}", value.what()));
        return None;
    }
    Some(authorities)
}

/// One path, or a list of them; each must be there.
fn paths(value: &Value<'_>, item: &str) -> Option<Vec<PathBuf>> {
    let each = if value.is_list() { value.list(item)? } else { return Some(vec![path(value)?]) };
    each.iter().map(path).collect()
}

fn path(value: &Value<'_>) -> Option<PathBuf> {
    let path = value.path()?;
    match fs::metadata(&path) {
        Ok(_) => Some(path),
        Err(error) => {
            value.fault(format!("{} is {}: {error}", value.what(), path.display()));
            None
        }
    }
}

/// A file is itself, a directory its files with certificates.
fn files(value: &Value<'_>, path: &Path) -> Option<Vec<PathBuf>> {
    if !path.is_dir() {
        return Some(vec![path.to_owned()]);
    }
    value.reads(path);
    let list = || -> io::Result<Vec<PathBuf>> {
        let mut files: Vec<PathBuf> = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        let certificate = |file: &PathBuf| {
            let extension = file.extension().and_then(std::ffi::OsStr::to_str);
            matches!(extension, Some("pem" | "crt" | "cer" | "der")) && file.is_file()
        };
        files.retain(certificate);
        files.sort();
        Ok(files)
    };
    match list() {
        Ok(files) => Some(files),
        Err(error) => {
            value.fault(format!("{} is {}: {error}", value.what(), path.display()));
            None
        }
    }
}

/// The identity that a rule sends must be in each of its certificates.
pub(super) fn check_local_id(value: &Value<'_>, identity: &Identity, methods: &[Method]) {
    for method in methods.iter().filter_map(Method::given) {
        let Some(own) = method.own() else { continue };
        if let Err(fault) = own.certificate.name(identity) {
            value.fault(format!("{} is not in the certificate of {}: {fault}", value.what(), own.certificate));
        }
    }
}
