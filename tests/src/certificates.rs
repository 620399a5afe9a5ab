//! Certificates for both hosts: a root, an issuing authority for each, a certificate for each.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use ikecore::certificate::Certificate;
use ikecore::testing::authority::{Authority, Issued, KeyKind, Wish, list_pem, pem};

use crate::charon::{Connection, Credentials};
use crate::pluto;
use crate::policy_text::Policy;
use crate::scratch::Scratch;

const DAY: i64 = 86_400;

/// The authorities, and what they issued. Each host knows the root and its own issuing authority, so that each has to
/// send the peer an intermediate certificate.
pub struct Certificates {
    root: Authority,
    issuing: [Authority; 2],
    hosts: [Issued; 2],
    now: i64,
    files: Scratch,
}

impl Certificates {
    /// With keys of one kind for both hosts; `a.example` and `b.example` are their names.
    pub fn new(key: KeyKind) -> Self {
        Self::with(key, |_, _, _| {})
    }

    /// The same with the wish for each host's certificate changed: its index, the wish, now.
    pub fn with(key: KeyKind, change: impl Fn(usize, &mut Wish, i64)) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let now = i64::try_from(now).expect("a time of this age");
        let mut root = Authority::root("C=CH, O=Example, CN=root", KeyKind::Rsa(2048), now);
        let mut issuing = ["C=CH, O=Example, CN=issuing a", "C=CH, O=Example, CN=issuing b"]
            .map(|name| root.intermediate(name, KeyKind::P256));
        let mut number = 0;
        let hosts = issuing.each_mut().map(|authority| {
            let host = ["a", "b"][number];
            let mut wish =
                Wish::new(&format!("C=CH, O=Example, CN={host}"), &[&format!("fqdn:{host}.example")], key, now);
            change(number, &mut wish, now);
            number += 1;
            authority.issue(&wish)
        });
        Self { root, issuing, hosts, now, files: Scratch::new("certificates") }
    }

    /// A file that nobody else can read.
    fn write(&self, name: &str, octets: &[u8]) -> PathBuf {
        let path = self.files.write(name, &String::from_utf8_lossy(octets));
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a file of ours");
        path
    }

    /// The revocation lists of the root and of charon's authority, in PEM; charon's certificate is on the second, or not.
    pub fn lists(&self, revoked: bool) -> [String; 2] {
        let entry = [(&self.hosts[1].certificate, self.now - 60)];
        self.lists_until(if revoked { &entry } else { &[] }, self.now + DAY)
    }

    /// The same, that were to be renewed a minute ago.
    pub fn stale_lists(&self) -> [String; 2] {
        self.lists_until(&[], self.now - 60)
    }

    fn lists_until(&self, entries: &[(&Certificate, i64)], next: i64) -> [String; 2] {
        let issued = self.now - DAY;
        let lists =
            [self.root.revocation_list(&[], issued, next), self.issuing[1].revocation_list(entries, issued, next)];
        lists.map(|der| text(list_pem(&der)))
    }

    /// The lists that charon needs to know that the daemon's certificate is in order.
    fn lists_for_charon(&self) -> Vec<String> {
        let (issued, next) = (self.now - DAY, self.now + DAY);
        let authorities = [&self.root, &self.issuing[0]];
        authorities.iter().map(|of| text(list_pem(&of.revocation_list(&[], issued, next)))).collect()
    }

    /// The policy with the daemon's certificate; `more` are further settings of the method, `, key = value`.
    pub fn policy(&self, policy: Policy, more: &str) -> Policy {
        let method = format!("{}, {}{more}", self.own(), self.authorities());
        Policy { authentication: Some(format!("{{ {method} }}")), ..policy }
    }

    /// What a method of the daemon says of whom it trusts.
    pub fn authorities(&self) -> String {
        format!("ca = \"{}\"", self.write("root.pem", &pem(&self.root.certificate())).display())
    }

    /// The same of an authority that has issued nothing here.
    pub fn other_authority(&self) -> String {
        let other = Authority::root("CN=somebody else", KeyKind::P256, self.now);
        format!("ca = \"{}\"", self.write("other.pem", &pem(&other.certificate())).display())
    }

    /// What a method of the daemon says of its own certificate.
    pub fn own(&self) -> String {
        let own = [self.hosts[0].pem(), pem(&self.issuing[0].certificate())].concat();
        let (own, key) = (self.write("a.pem", &own), self.write("a.key", &self.hosts[0].key));
        format!("certificate = \"{}\", private_key = \"{}\"", own.display(), key.display())
    }

    /// The settings of a machine that has all this in directories: the root, the daemon's certificate, and before it one
    /// of an authority that nobody here knows.
    pub fn directories(&self) -> String {
        let mut other = Authority::root("CN=somebody else", KeyKind::P256, self.now);
        let stray = other.issue(&Wish::new("CN=a stray", &[], KeyKind::P256, self.now));
        self.write("own/0.pem", &stray.pem());
        self.write("own/0.key", &stray.key);
        self.write("own/a.pem", &[self.hosts[0].pem(), pem(&self.issuing[0].certificate())].concat());
        self.write("own/a.key", &self.hosts[0].key);
        self.write("authorities/root.pem", &pem(&self.root.certificate()));
        let [own, authorities] = ["own", "authorities"].map(|name| self.files.join(name).display().to_string());
        format!("[certificates]\nown = \"{own}\"\nauthorities = \"{authorities}\"\n")
    }

    /// A file with `lists`.
    pub fn list_file(&self, lists: &[String]) -> String {
        self.write("lists.crl", lists.concat().as_bytes()).display().to_string()
    }

    /// The connection with charon's certificate. It refuses the daemon's unless it knows that it is not revoked.
    pub fn connection(&self, connection: Connection) -> Connection {
        self.connection_with(&self.hosts[1], "b.example", connection)
    }

    /// The same with a certificate of its own for one more host, with this subject and the name `name.example`.
    pub fn connection_of_another(&mut self, subject: &str, name: &str, connection: Connection) -> Connection {
        let name = format!("{name}.example");
        let wish = Wish::new(subject, &[&format!("fqdn:{name}")], KeyKind::Rsa(2048), self.now);
        let issued = self.issuing[1].issue(&wish);
        self.connection_with(&issued, &name, connection)
    }

    fn connection_with(&self, issued: &Issued, name: &str, connection: Connection) -> Connection {
        let authorities = [&self.root, &self.issuing[1]];
        let certificates = Credentials {
            certificate: text(issued.pem()),
            private_key: text(issued.key.clone()),
            authorities: authorities.iter().map(|of| text(pem(&of.certificate()))).collect(),
            revocation_lists: self.lists_for_charon(),
        };
        Connection {
            certificates: Some(certificates),
            local_id: name.to_owned(),
            remote_id: "C=CH, O=Example, CN=a".to_owned(),
            ..connection
        }
    }

    /// The same for pluto, whose database has the root and its own authority, too. Revocation lists it has none.
    pub fn pluto(&self, connection: pluto::Connection) -> pluto::Connection {
        let authorities = [&self.root, &self.issuing[1]].map(Authority::certificate);
        let credentials = pluto::Credentials {
            pkcs12: self.hosts[1].pkcs12(pluto::NICKNAME, &authorities.each_ref(), pluto::PASSWORD),
            root: text(pem(&authorities[0])),
        };
        pluto::Connection {
            certificates: Some(credentials),
            local_id: "@b.example".to_owned(),
            remote_id: "C=CH, O=Example, CN=a".to_owned(),
            ..connection
        }
    }
}

fn text(octets: Vec<u8>) -> String {
    String::from_utf8(octets).expect("PEM is ASCII")
}
