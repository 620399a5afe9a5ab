//! `[directory]` of the settings: where the directory is, who asks it, and which policy is meant.
use std::path::PathBuf;
use std::time::Duration;

use crate::document::{Table, Value};
use crate::guid::Guid;

/// What is said of the directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Settings {
    /// Its servers, which are tried in this order.
    pub(crate) servers: Vec<Server>,
    /// TLS on connections that begin in clear.
    pub(crate) start_tls: bool,
    /// The authorities that servers' certificates may be of, if not those of the system.
    pub(crate) ca: Option<PathBuf>,
    /// Who this host is to the directory.
    pub(crate) bind: Bind,
    /// The domain's naming context, if not the one that the server names.
    pub(crate) base: Option<String>,
    /// The container of the policies, if not the usual one.
    pub(crate) container: Option<String>,
    /// Which policy is assigned.
    pub(crate) assignment: Assignment,
    /// What objects cannot express is kept in them all the same.
    pub(crate) extensions: bool,
    /// How long one operation may take.
    pub(crate) timeout: Duration,
    /// How often the directory is asked, if not as often as the policy says.
    pub(crate) polling: Option<Duration>,
}

/// A server, by its URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Server {
    /// TLS from the beginning.
    pub(crate) tls: bool,
    /// Its name, or its address.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
}

/// Who this host is to the directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Bind {
    /// Nobody in particular.
    Anonymous,
    /// A name with a password, which is read each time.
    Simple {
        /// The distinguished name, or what the server takes for one.
        dn: String,
        /// The file with the password.
        password_file: PathBuf,
    },
    /// By Kerberos: whoever the ticket cache or the keytab of the process is for.
    Kerberos,
    /// By the certificate of the TLS connection.
    External {
        /// The certificate.
        certificate: PathBuf,
        /// Its private key (PKCS #8).
        private_key: PathBuf,
    },
}

/// Which policy is assigned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Assignment {
    /// What this object says.
    Object(String),
    /// What this group policy object says.
    Gpo(Guid),
    /// What the group policy objects say that apply to a computer.
    Computer {
        /// Its distinguished name; without one it is looked for by the name of this host.
        dn: Option<String>,
        /// The site that it is in.
        site: Option<String>,
    },
}

impl Settings {
    /// The servers to which what is asked, and what they answer, goes in clear.
    pub(crate) fn in_clear(&self) -> impl Iterator<Item = &Server> {
        let protects = self.start_tls || self.bind == Bind::Kerberos;
        self.servers.iter().filter(move |server| !server.tls && !protects)
    }
}

impl Server {
    /// The server of a URL: `ldaps://dc1.example.net`, `ldap://192.0.2.1:3890`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "ldap" => false,
            "ldaps" => true,
            _ => return None,
        };
        let rest = rest.split(['/', '?']).next().unwrap_or_default();
        let (host, port) = match rest.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((host, port))) => (format!("[{host}]"), port.strip_prefix(':')),
            Some(None) => return None,
            None => match rest.split_once(':') {
                Some((host, port)) => (host.to_owned(), Some(port)),
                None => (rest.to_owned(), None),
            },
        };
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port != 0)?,
            None if tls => 636,
            None => 389,
        };
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
        (!host.is_empty() && host.chars().all(is_host)).then_some(Self { tls, host, port })
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}:{}", if self.tls { "ldaps" } else { "ldap" }, self.host, self.port)
    }
}

/// Reads the table.
pub(crate) fn read(value: &Value<'_>) -> Option<Settings> {
    let mut table = value.table()?;
    table.rename("[directory]".to_owned());
    let servers = table.require("servers").and_then(|value| value.list("server"));
    let allowed = "the URL of a server: ldaps://dc1.example.net, ldap://192.0.2.1:3890";
    let servers =
        servers.map(|values| values.iter().map(|value| value.parsed(Server::parse, allowed)).collect::<Vec<_>>());
    let start_tls = table.get("start_tls").map_or(Some(false), |value| value.boolean());
    let ca = table.get("ca").and_then(|value| value.path());
    let bind = table.get("bind").map_or(Some(Bind::Anonymous), |value| bind(&value));
    let dn = |key| table.get(key).and_then(|value| value.parsed(distinguished_name, DISTINGUISHED_NAME));
    let (base, container) = (dn("base"), dn("container"));
    let assignment = assignment(&table);
    let extensions = table.get("extensions").map_or(Some(false), |value| value.boolean());
    let seconds = |key, range| table.get(key).and_then(|value| value.integer(range)).map(u64::from);
    let timeout = Duration::from_secs(seconds("timeout", 1..=600).unwrap_or(10));
    let polling = seconds("polling", 1..=31_536_000).map(Duration::from_secs);
    table.finish();
    let servers = servers?.into_iter().collect::<Option<Vec<_>>>()?;
    let (start_tls, bind) = (start_tls?, bind?);
    let in_clear = servers.iter().find(|server| !server.tls).filter(|_| !start_tls);
    let with = match bind {
        Bind::Simple { .. } => Some("a password"),
        Bind::External { .. } => Some("a certificate"),
        Bind::Anonymous | Bind::Kerberos => None,
    };
    if let (Some(with), Some(server)) = (with, in_clear) {
        let url = server.url();
        table.fault(format!(
            "[directory] has a bind with {with}, but {url} is without TLS; allowed: ldaps, or start_tls = true"
        ));
        return None;
    }
    Some(Settings {
        servers,
        start_tls,
        ca,
        bind,
        base,
        container,
        assignment: assignment?,
        extensions: extensions?,
        timeout,
        polling,
    })
}

const DISTINGUISHED_NAME: &str = "a distinguished name, as in DC=example,DC=net";

fn distinguished_name(text: &str) -> Option<String> {
    let is_rdn = |part: &str| part.split_once('=').is_some_and(|(kind, value)| !kind.is_empty() && !value.is_empty());
    text.split(',').all(is_rdn).then(|| text.to_owned())
}

fn bind(value: &Value<'_>) -> Option<Bind> {
    if !value.is_table() {
        let kerberos = value.one_of(&[("anonymous", false), ("kerberos", true)])?;
        #[cfg(not(feature = "kerberos"))]
        if kerberos {
            value.fault(format!("{} is \"kerberos\", which this program was built without", value.what()));
            return None;
        }
        return Some(if kerberos { Bind::Kerberos } else { Bind::Anonymous });
    }
    let table = value.table()?;
    let (dn, password_file) = (table.get("dn"), table.get("password_file"));
    let (certificate, private_key) = (table.get("certificate"), table.get("private_key"));
    table.finish();
    match (dn, password_file, certificate, private_key) {
        (Some(dn), Some(file), None, None) => {
            Some(Bind::Simple { dn: dn.name()?.to_owned(), password_file: file.path()? })
        }
        (None, None, Some(certificate), Some(key)) => {
            Some(Bind::External { certificate: certificate.path()?, private_key: key.path()? })
        }
        _ => {
            let what = table.what();
            table.fault(format!("{what}, allowed: dn and password_file, or certificate and private_key"));
            None
        }
    }
}

fn assignment(table: &Table<'_>) -> Option<Assignment> {
    let object = table.get("assignment");
    let gpo = table.get("gpo");
    let computer = table.get("computer");
    let site = table.get("site");
    if let Some(second) = [&object, &gpo, &computer].into_iter().flatten().nth(1) {
        second.fault(format!("{} is one too many; allowed: one of assignment, gpo, computer", second.what()));
        return None;
    }
    if let (Some(site), true) = (&site, object.is_some() || gpo.is_some()) {
        site.fault(format!("{} is for a computer only", site.what()));
        return None;
    }
    if let Some(value) = object {
        return value.parsed(distinguished_name, DISTINGUISHED_NAME).map(Assignment::Object);
    }
    if let Some(value) = gpo {
        return value
            .parsed(|text| text.parse().ok(), "the GUID of a group policy object in braces")
            .map(Assignment::Gpo);
    }
    let dn = match computer {
        Some(value) => Some(value.parsed(distinguished_name, DISTINGUISHED_NAME)?),
        None => None,
    };
    let site = match site {
        Some(value) => Some(value.name()?.to_owned()),
        None => None,
    };
    Some(Assignment::Computer { dn, site })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Document, DocumentError};

    fn parse(text: &str) -> Result<Settings, DocumentError> {
        let text = format!("[directory]\n{text}");
        let document = Document::of("/e/policyagent.toml", &text);
        document.parse("the file", |table| table.get("directory").and_then(|value| read(&value))).map(|(s, _)| s)
    }

    #[test]
    fn every_key_has_its_effect() {
        let settings = parse(
            "servers = [\"ldaps://dc1.example.net\", \"ldap://[2001:db8::1]:3890/\"]\nstart_tls = true\nca = \"ca.pem\"\n\
             bind = { dn = \"CN=agent,DC=example\", password_file = \"secret\" }\nbase = \"DC=example\"\n\
             container = \"CN=P,DC=example\"\ncomputer = \"CN=h,DC=example\"\nsite = \"Here\"\nextensions = true\ntimeout = 3\npolling = 60\n",
        )
        .unwrap();
        let urls: Vec<String> = settings.servers.iter().map(Server::url).collect();
        assert_eq!(urls, ["ldaps://dc1.example.net:636", "ldap://[2001:db8::1]:3890"]);
        assert!(settings.start_tls && settings.extensions);
        assert_eq!(settings.ca, Some("/e/ca.pem".into()));
        let simple = Bind::Simple { dn: "CN=agent,DC=example".to_owned(), password_file: "/e/secret".into() };
        assert_eq!(settings.bind, simple);
        assert_eq!(
            (settings.base.as_deref(), settings.container.as_deref()),
            (Some("DC=example"), Some("CN=P,DC=example"))
        );
        let computer = Assignment::Computer { dn: Some("CN=h,DC=example".to_owned()), site: Some("Here".to_owned()) };
        assert_eq!(settings.assignment, computer);
        assert_eq!((settings.timeout, settings.polling), (Duration::from_secs(3), Some(Duration::from_secs(60))));
        let of = |line: &str| parse(&format!("servers = [\"ldaps://a\"]\n{line}")).unwrap();
        assert_eq!(of("").assignment, Assignment::Computer { dn: None, site: None });
        assert_eq!(of("bind = \"anonymous\"").bind, Bind::Anonymous);
        let external = Bind::External { certificate: "/e/c".into(), private_key: "/e/k".into() };
        assert_eq!(of("bind = { certificate = \"c\", private_key = \"k\" }").bind, external);
        let gpo = of("gpo = \"{31B2F340-016D-11D2-945F-00C04FB984F9}\"").assignment;
        assert_eq!(gpo, Assignment::Gpo("{31b2f340-016d-11d2-945f-00c04fb984f9}".parse().unwrap()));
        assert_eq!(of("assignment = \"CN=x\"").assignment, Assignment::Object("CN=x".to_owned()));
        #[cfg(feature = "kerberos")]
        assert_eq!(of("bind = \"kerberos\"").bind, Bind::Kerberos);
    }

    #[test]
    fn faults_name_place_value_and_what_is_allowed() {
        let told = |text: &str| parse(text).unwrap_err().to_string();
        for (text, part) in [
            ("", "[directory] has no servers, which is required"),
            (
                "servers = [\"http://x\"]",
                ":2:12: server 1 in servers of [directory] is \"http://x\", allowed: the URL of a server",
            ),
            ("servers = [\"ldap://x:0\"]", "is \"ldap://x:0\""),
            ("servers = [\"ldaps://x\"]\nbase = \"example.net\"", "is \"example.net\", allowed: a distinguished name"),
            ("servers = [\"ldaps://x\"]\nbind = \"nobody\"", "allowed: anonymous, kerberos"),
            (
                "servers = [\"ldaps://x\"]\nbind = { dn = \"x\" }",
                "allowed: dn and password_file, or certificate and private_key",
            ),
            (
                "servers = [\"ldap://x\"]\nbind = { dn = \"x\", password_file = \"y\" }",
                "has a bind with a password, but ldap://x:389 is without TLS; allowed: ldaps, or start_tls = true",
            ),
            (
                "servers = [\"ldaps://x\"]\ngpo = \"{31B2F340-016D-11D2-945F-00C04FB984F9}\"\ncomputer = \"CN=x\"",
                ":4:12: computer of [directory] is one too many; allowed: one of assignment, gpo, computer",
            ),
            (
                "servers = [\"ldaps://x\"]\nassignment = \"CN=x\"\nsite = \"y\"",
                "site of [directory] is for a computer only",
            ),
            ("servers = [\"ldaps://x\"]\ntimeout = 0", "allowed: an integer from 1 to 600"),
        ] {
            let error = told(text);
            assert!(error.contains(part), "{error}");
        }
    }
}
