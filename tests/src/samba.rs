//! A domain of Samba, with its directory and its Kerberos, on the loopback interface of a namespace.

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ikecore::testing::authority::{Authority, KeyKind, Wish, pem};

use crate::daemon::program;
use crate::netns::Namespace;
use crate::process::{Process, wait_until};
use crate::scratch::Scratch;

/// The domain's naming context.
pub const BASE: &str = "DC=example,DC=net";
/// Who may do everything.
pub const ADMIN: &str = "Administrator@EXAMPLE.NET";
/// The password of [`ADMIN`].
pub const PASSWORD: &str = "Passw0rd-of-a-test";

/// How long the domain controller may take to serve.
const START: Duration = Duration::from_secs(60);

/// A domain controller. Its name is `localhost`, so that nobody needs a name server.
#[derive(Debug)]
pub struct Samba<'a> {
    namespace: &'a Namespace,
    files: Scratch,
    process: RefCell<Option<Process>>,
}

impl<'a> Samba<'a> {
    /// Makes a domain and serves it.
    pub fn start(namespace: &'a Namespace) -> Self {
        let files = Scratch::new("samba");
        let path = |name: &str| files.join(name).display().to_string();
        let target = format!("--targetdir={}", path("dc"));
        let password = format!("--adminpass={PASSWORD}");
        let words = [
            "domain",
            "provision",
            &target,
            &password,
            "--realm=EXAMPLE.NET",
            "--domain=EXAMPLE",
            "--server-role=dc",
            "--dns-backend=NONE",
            "--host-name=dc1",
            "--host-ip=127.0.0.1",
        ];
        namespace.run("samba-tool", &words);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let now = i64::try_from(now).expect("a time of this age");
        let mut authority = Authority::root("C=CH, O=Example, CN=root", KeyKind::P256, now);
        let issued = authority.issue(&Wish::new("C=CH, O=Example, CN=dc1", &["fqdn:localhost"], KeyKind::P256, now));
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        files.write("ca.pem", &text(&pem(&authority.certificate())));
        files.write("dc.pem", &text(&issued.pem()));
        let key = files.write("dc.key", &text(&issued.key));
        // Samba takes no other key.
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&key, private).expect("a file of ours");
        files.write(
            "krb5.conf",
            "[libdefaults]\n default_realm = EXAMPLE.NET\n dns_lookup_realm = false\n dns_lookup_kdc = false\n \
             dns_canonicalize_hostname = false\n rdns = false\n[realms]\n EXAMPLE.NET = {\n  kdc = 127.0.0.1\n }\n\
             [domain_realm]\n localhost = EXAMPLE.NET\n",
        );
        let config = path("dc/etc/smb.conf");
        namespace.run("samba-tool", &["spn", "add", "ldap/localhost", "DC1$", "-s", &config]);
        let samba = Self { namespace, files, process: RefCell::default() };
        samba.up();
        // A keytab of the administrator, and a ticket by it.
        let principal = format!("--principal={ADMIN}");
        let keytab = samba.path("admin.keytab");
        namespace.run("samba-tool", &["domain", "exportkeytab", &keytab, &principal, "-s", &config]);
        samba.kerberos("kinit", &["-k", "-t", &keytab, ADMIN]);
        samba
    }

    /// Serves the domain.
    pub fn up(&self) {
        let path = |name: &str| self.files.join(name).display().to_string();
        let config = path("dc/etc/smb.conf");
        let tls = [("cafile", "ca.pem"), ("certfile", "dc.pem"), ("keyfile", "dc.key")]
            .map(|(what, name)| format!("--option=tls {what}={}", path(name)));
        let mut arguments = vec!["-F", "--no-process-group", "--debug-stdout", "-s", &config];
        arguments.extend(tls.iter().map(String::as_str));
        arguments.extend([
            "--option=server services=ldap,cldap,kdc",
            "--option=dcerpc endpoint servers=",
            "--option=interfaces=lo",
            "--option=bind interfaces only=yes",
        ]);
        let mut process = Process::start(self.namespace, &self.files, "samba", "samba", &arguments);
        let search = ["-x", "-H", "ldap://127.0.0.1", "-s", "base", "-b", "", "1.1"];
        process.wait_until("an answer", START, || self.namespace.output("ldapsearch", &search).status.success());
        self.process.replace(Some(process));
    }

    /// Serves it no more.
    #[track_caller]
    pub fn down(&self) {
        drop(self.process.take());
        let search = ["-x", "-H", "ldap://127.0.0.1", "-s", "base", "-b", "", "1.1"];
        let silent = || !self.namespace.output("ldapsearch", &search).status.success();
        assert!(wait_until(START, silent), "the domain controller is still there");
    }

    fn path(&self, name: &str) -> String {
        self.files.join(name).display().to_string()
    }

    /// The file with the authority of its certificate.
    pub fn ca(&self) -> PathBuf {
        self.files.join("ca.pem")
    }

    /// A file with the password of [`ADMIN`].
    pub fn password_file(&self) -> PathBuf {
        self.files.write("password", PASSWORD)
    }

    /// The environment of programs that use the administrator's ticket.
    fn with_ticket(&self) -> [String; 2] {
        [format!("KRB5_CONFIG={}", self.path("krb5.conf")), format!("KRB5CCNAME=FILE:{}", self.path("tickets"))]
    }

    /// The environment of programs that get themselves a ticket by the administrator's keytab.
    pub fn with_keytab(&self) -> [String; 3] {
        [
            format!("KRB5_CONFIG={}", self.path("krb5.conf")),
            format!("KRB5_CLIENT_KTNAME=FILE:{}", self.path("admin.keytab")),
            format!("KRB5CCNAME=MEMORY:{}", self.path("own")),
        ]
    }

    /// Runs a program with the administrator's ticket.
    #[track_caller]
    pub fn kerberos(&self, program: &str, arguments: &[&str]) -> String {
        let environment = self.with_ticket();
        let words: Vec<&str> =
            environment.iter().map(String::as_str).chain([program]).chain(arguments.iter().copied()).collect();
        self.namespace.run("env", &words)
    }

    /// The same of `policyagent` with the files below `root`, whatever comes of it.
    pub fn policyagent(&self, root: &Scratch, arguments: &[&str]) -> Output {
        let environment = self.with_ticket();
        let (program, root) = (program().display().to_string(), root.path().display().to_string());
        let words = environment.iter().map(String::as_str).chain([&*program, "--root", &*root]);
        self.namespace.output("env", &words.chain(arguments.iter().copied()).collect::<Vec<_>>())
    }

    /// Puts entries (in SDDL) in front of the list of rights of an object.
    pub fn put_rights(&self, dn: &str, entries: &str) {
        let (object, entries) = (format!("--objectdn={dn}"), format!("--sddl={entries}"));
        self.namespace.run("samba-tool", &["dsacl", "set", &object, &entries, "-s", &self.path("dc/etc/smb.conf")]);
    }

    /// Changes the domain's database by LDIF.
    pub fn modify(&self, ldif: &str) {
        let file = self.files.write("change.ldif", ldif).display().to_string();
        self.kerberos("ldapmodify", &["-Q", "-Y", "GSSAPI", "-N", "-H", "ldap://localhost", "-f", &file]);
    }

    /// What `ldapsearch` finds, in lines of LDIF.
    pub fn search(&self, base: &str, filter: &str, attributes: &[&str]) -> String {
        let mut words = vec![
            "-Q",
            "-Y",
            "GSSAPI",
            "-N",
            "-LLL",
            "-o",
            "ldif-wrap=no",
            "-H",
            "ldap://localhost",
            "-b",
            base,
            filter,
        ];
        words.extend(attributes);
        self.kerberos("ldapsearch", &words)
    }
}
