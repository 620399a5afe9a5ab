//! OpenLDAP's server as a directory with IPsec policies, on the loopback interface of a namespace.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ikecore::testing::authority::{Authority, KeyKind, Wish, pem};

use crate::netns::Namespace;
use crate::process::Process;
use crate::scratch::Scratch;

/// The domain.
pub const BASE: &str = "DC=example,DC=net";
/// Who may change it.
pub const ADMIN: &str = "CN=admin,DC=example,DC=net";
/// The password of [`ADMIN`].
pub const PASSWORD: &str = "correct horse";
/// Where a policy is assigned.
pub const ASSIGNMENT: &str = "CN=ipsec,CN=Windows,CN=Microsoft,CN=Machine,CN={31B2F340-016D-11D2-945F-00C04FB984F9},CN=Policies,CN=System,DC=example,DC=net";

/// How long the server may take to serve.
const START: Duration = Duration::from_secs(20);

/// The port of LDAP; that of LDAPS is the next one.
const PORT: u16 = 3890;

/// A server. What it holds stays when it is stopped and started again.
#[derive(Debug)]
pub struct Slapd<'a> {
    namespace: &'a Namespace,
    files: Scratch,
    port: u16,
    process: Option<Process>,
}

impl<'a> Slapd<'a> {
    /// Starts one with the containers of a domain and nothing in them.
    pub fn start(namespace: &'a Namespace) -> Self {
        Self::with(namespace, PORT, &containers())
    }

    /// Starts one on another port with these entries, in LDIF.
    pub fn with(namespace: &'a Namespace, port: u16, entries: &str) -> Self {
        let files = Scratch::new("slapd");
        certificates(&files);
        files.write("ipsec.schema", include_str!("directory/ipsec.schema"));
        std::fs::create_dir_all(files.join("db")).expect("a directory of ours");
        let path = |name: &str| files.join(name).display().to_string();
        let config = format!(
            "include /etc/ldap/schema/core.schema\ninclude {schema}\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n\
             pidfile {pid}\nTLSCertificateFile {certificate}\nTLSCertificateKeyFile {key}\nTLSCACertificateFile {ca}\n\
             TLSVerifyClient try\nthreads 8\n\
             database mdb\nsuffix \"{BASE}\"\nrootdn \"{ADMIN}\"\nrootpw \"{PASSWORD}\"\ndirectory {db}\nmaxsize 268435456\n\
             dbnosync\nindex objectClass,cn eq\nlimits * size=100 size.pr=500 size.prtotal=unlimited\n\
             access to * by * read\n",
            schema = path("ipsec.schema"),
            pid = path("pid"),
            certificate = path("server.pem"),
            key = path("server.key"),
            ca = path("ca.pem"),
            db = path("db"),
        );
        files.write("slapd.conf", &config);
        files.write("entries.ldif", entries);
        // AppArmor, where it is on, ties the program to its usual directories by its path.
        files.install("/usr/sbin/slapd".as_ref(), "slapd");
        let mut server = Self { namespace, files, port, process: None };
        let config = server.path("slapd.conf");
        let add = ["-T", "add", "-f", &config, "-l", &server.path("entries.ldif")];
        server.namespace.run(&server.program(), &add);
        server.up();
        server
    }

    fn path(&self, name: &str) -> String {
        self.files.join(name).display().to_string()
    }

    fn program(&self) -> String {
        self.path("slapd")
    }

    /// The file with the authority of its certificate.
    pub fn ca(&self) -> PathBuf {
        self.files.join("ca.pem")
    }

    /// A client's certificate and its key.
    pub fn client(&self) -> (PathBuf, PathBuf) {
        (self.files.join("client.pem"), self.files.join("client.key"))
    }

    /// A file with the password of [`ADMIN`].
    pub fn password_file(&self) -> PathBuf {
        self.files.write("password", &format!("{PASSWORD}\n"))
    }

    /// Its URL without TLS.
    pub fn ldap(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.port)
    }

    /// Its URL with TLS.
    pub fn ldaps(&self) -> String {
        format!("ldaps://localhost:{}", self.port + 1)
    }

    /// `[directory]` of an administrator.
    pub fn settings(&self) -> String {
        format!(
            "[directory]\nservers = [\"{}\"]\nca = \"{}\"\nbase = \"{BASE}\"\nassignment = \"{ASSIGNMENT}\"\n\
             bind = {{ dn = \"{ADMIN}\", password_file = \"{}\" }}\n",
            self.ldaps(),
            self.ca().display(),
            self.password_file().display()
        )
    }

    /// Starts it again.
    pub fn up(&mut self) {
        let urls = format!("{} ldaps://localhost:{}", self.ldap(), self.port + 1);
        let config = self.path("slapd.conf");
        let name = format!("slapd {}", self.port);
        let arguments = ["-d", "0", "-h", &urls, "-f", &config];
        let mut process = Process::start(self.namespace, &self.files, &name, &self.program(), &arguments);
        let url = self.ldap();
        process.wait_until("an answer", START, || {
            self.namespace.output("ldapsearch", &["-x", "-H", &url, "-s", "base", "-b", "", "1.1"]).status.success()
        });
        self.process = Some(process);
    }

    /// Stops it.
    pub fn down(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop();
        }
    }

    /// The process.
    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("it is up")
    }

    /// What `ldapsearch` finds below `base`, in lines of LDIF without comments.
    pub fn search(&self, base: &str, filter: &str, attributes: &[&str]) -> String {
        let url = self.ldap();
        let mut arguments =
            vec!["-x", "-LLL", "-o", "ldif-wrap=no", "-E", "pr=500/noprompt", "-H", &url, "-b", base, filter];
        arguments.extend(attributes);
        let found = self.namespace.run("ldapsearch", &arguments);
        let lines = found.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        // The server writes the kinds of names as it likes.
        lines.map(|line| line.replace("cn=", "CN=").replace("dc=", "DC=") + "\n").collect()
    }

    /// Changes entries by LDIF.
    pub fn modify(&self, ldif: &str) {
        let file = self.files.write("change.ldif", ldif);
        let file = file.display().to_string();
        self.namespace.run("ldapmodify", &["-x", "-H", &self.ldap(), "-D", ADMIN, "-w", PASSWORD, "-f", &file]);
    }
}

/// The containers of a domain.
fn containers() -> String {
    let mut text = format!("dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: example\n\n");
    let gpo = "CN={31B2F340-016D-11D2-945F-00C04FB984F9},CN=Policies,CN=System";
    let machine = format!("CN=Machine,{gpo}");
    for place in ["CN=System", "CN=IP Security,CN=System", "CN=Policies,CN=System", gpo, &machine] {
        let name = place.split([',', '=']).nth(1).unwrap_or_default();
        text.push_str(&format!("dn: {place},{BASE}\nobjectClass: container\ncn: {name}\n\n"));
    }
    text
}

fn certificates(files: &Scratch) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let now = i64::try_from(now).expect("a time of this age");
    let mut authority = Authority::root("C=CH, O=Example, CN=root", KeyKind::P256, now);
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    files.write("ca.pem", &text(&pem(&authority.certificate())));
    for (name, subject) in [("server", "C=CH, O=Example, CN=server"), ("client", "C=CH, O=Example, CN=client")] {
        let issued = authority.issue(&Wish::new(subject, &["fqdn:localhost"], KeyKind::P256, now));
        files.write(&format!("{name}.pem"), &text(&issued.pem()));
        files.write(&format!("{name}.key"), &text(&issued.key));
    }
}
