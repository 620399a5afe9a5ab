//! The settings file of the service.
pub(crate) mod registry;

use ikecore::endpoint;
use ikedaemon::driver::select::DriverChoice;
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::listen::Listen;
use crate::audit;
use crate::compile::{Sources, is_me};
use crate::directory;
use crate::document::{Document, DocumentError, Table, Value};
use crate::paths::Paths;
use crate::store::{EditError, PATIENCE, edit_file};
use registry::Registry;

/// What the service is to do. Policy is not among it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// What installs SAs.
    pub(crate) driver: DriverChoice,
    /// Where to listen; nothing is everywhere.
    pub(crate) listen: Vec<Listen>,
    /// The policy file, if not the usual one.
    pub(crate) policy: Option<PathBuf>,
    /// The users of extended authentication, if not the usual file.
    pub(crate) users: Option<PathBuf>,
    /// The service of PAM that is asked for them instead.
    pub(crate) pam_service: Option<String>,
    /// The directory of this machine's certificates, if not the usual one.
    pub(crate) own_certificates: Option<PathBuf>,
    /// The directory of the authorities' certificates, if not the usual one.
    pub(crate) authorities: Option<PathBuf>,
    /// The WINS servers, if they are not to be those of Samba.
    pub(crate) wins_servers: Vec<IpAddr>,
    /// Run with what gateways give by Mode Config.
    pub(crate) mode_config_script: Option<PathBuf>,
    /// What administrators know from Windows.
    pub(crate) registry: Registry,
    /// What is audited, and where to.
    pub(crate) audit: audit::Settings,
    /// Oakley.log is written from the start.
    pub(crate) oakley: bool,
    /// The keys of all that is negotiated are written, for who wants to look into the traffic.
    pub(crate) key_log: bool,
    /// Where, if not at the usual place.
    pub(crate) key_log_directory: Option<PathBuf>,
    /// Of the endpoint.
    pub(crate) endpoint: endpoint::Config,
    /// Where the statistics are served for Prometheus; nothing: nowhere.
    pub(crate) metrics: Option<SocketAddr>,
    /// Of the directory that policy comes from.
    pub(crate) directory: Option<directory::settings::Settings>,
}

/// No directory is named.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{} has no table [directory]", .0.display())]
pub(crate) struct NoDirectory(PathBuf);

/// What the command line says of the settings; nothing leaves them as they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    /// What installs SAs.
    pub(crate) driver: Option<DriverChoice>,
    /// Where to listen.
    pub(crate) listen: Vec<Listen>,
    /// The policy file.
    pub(crate) policy: Option<PathBuf>,
    /// Oakley.log is written.
    pub(crate) oakley: Option<bool>,
}

impl Settings {
    /// Reads the settings file; one that is not there leaves everything as it is by default.
    pub(crate) fn read(path: &Path) -> Result<Self, DocumentError> {
        match Document::read(path) {
            Ok(document) => Self::parse(&document),
            Err(DocumentError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Of the directory, for who cannot do without; these are the settings of `paths`.
    pub(crate) fn directory(&self, paths: &Paths) -> Result<&directory::settings::Settings, NoDirectory> {
        self.directory.as_ref().ok_or_else(|| NoDirectory(paths.settings()))
    }

    fn parse(document: &Document) -> Result<Self, DocumentError> {
        document.parse("the file", |table| Some(settings(&table))).map(|(settings, _)| settings)
    }

    /// What the command line says goes before what the file says.
    pub(crate) fn with(mut self, overrides: Overrides) -> Self {
        let Overrides { driver, listen, policy, oakley } = overrides;
        self.driver = driver.unwrap_or(self.driver);
        if !listen.is_empty() {
            self.listen = listen;
        }
        self.policy = policy.or(self.policy);
        self.oakley = oakley.unwrap_or(self.oakley);
        self
    }

    /// The keys and tables in which these settings differ from others, but for the [`Registry`]'s: a change of them takes effect when
    /// the service is started again.
    pub(crate) fn differences(&self, other: &Self) -> Vec<&'static str> {
        let Self { driver, listen, policy, users, pam_service, own_certificates, authorities, .. } = self;
        let Self { wins_servers, mode_config_script, registry: _, oakley: _, key_log, key_log_directory, .. } = self;
        let Self { endpoint, directory, audit, .. } = self;
        let certificates = (own_certificates, authorities) == (&other.own_certificates, &other.authorities);
        let compared = [
            ("driver", *driver == other.driver),
            ("listen", *listen == other.listen),
            ("policy", *policy == other.policy),
            ("users", *users == other.users),
            ("pam_service", *pam_service == other.pam_service),
            ("[certificates]", certificates),
            ("wins_servers", *wins_servers == other.wins_servers),
            ("mode_config_script", *mode_config_script == other.mode_config_script),
            ("[key_log]", (key_log, key_log_directory) == (&other.key_log, &other.key_log_directory)),
            ("[ike] or NLBSFlags", *endpoint == other.endpoint),
            ("[directory]", *directory == other.directory),
            ("[audit]", *audit == other.audit),
        ];
        compared.into_iter().filter(|(_, is_same)| !is_same).map(|(name, _)| name).collect()
    }

    /// Where it is written what a machine does not know by itself.
    pub(crate) fn sources(&self, paths: &Paths) -> Sources {
        Sources {
            system: PathBuf::from("/"),
            own: self.own_certificates.clone().unwrap_or_else(|| paths.certificates()),
            authorities: self.authorities.clone().unwrap_or_else(|| paths.authorities()),
            wins_servers: self.wins_servers.clone(),
            link_local: true,
        }
    }

    /// The sockets to open; none is every address with the ports of IKE and NAT traversal.
    pub(crate) fn sockets(&self) -> Vec<SocketAddr> {
        let port = self.endpoint.nat_t_port;
        let mut known = BTreeSet::new();
        let sockets = self.listen.iter().flat_map(|listen| listen.sockets(port));
        sockets.filter(|socket| known.insert(*socket)).collect()
    }
}

/// Has `edit` make a new text of the settings file's text, as a store's edit does: under a lock, and only if the new one has no
/// fault. What of it takes effect at once the running service notices.
pub(crate) fn edit<R, E>(paths: &Paths, edit: impl FnMut(&str) -> Result<(String, R), E>) -> Result<R, EditError<E>> {
    let check = |document: &Document| Settings::parse(document).map(drop);
    edit_file(&paths.settings(), 0o755, PATIENCE, check, edit)
}

/// Takes what is right and faults the rest: with a fault the result is not used.
fn settings(table: &Table<'_>) -> Settings {
    let mut settings = Settings::default();
    if let Some(choice) = table.get("driver").and_then(|v| v.one_of(&DriverChoice::ALL.map(|c| (c.name(), c)))) {
        settings.driver = choice;
    }
    if let Some(values) = table.get("listen").and_then(|value| value.list("address")) {
        let allowed = "an address, an address with its port (10.0.0.1:500, [2001:db8::1]:500)";
        settings.listen = values.iter().filter_map(|value| value.parsed(|text| text.parse().ok(), allowed)).collect();
    }
    settings.policy = table.get("policy").and_then(|value| value.path());
    settings.users = table.get("users").and_then(|value| value.path());
    settings.mode_config_script = table.get("mode_config_script").and_then(|value| value.path());
    if let Some(value) = table.get("pam_service") {
        let is_name = |text: &str| !text.is_empty() && !text.starts_with('.') && !text.contains(['/', '\0']);
        let allowed = "the name of a file in /etc/pam.d";
        settings.pam_service = value.parsed(|text| is_name(text).then(|| text.to_owned()), allowed);
        if settings.users.is_some() {
            value.fault("pam_service and users cannot both be there: users are looked up by PAM or in a file");
        }
    }
    if let Some(certificates) = table.get("certificates").and_then(|value| value.table()) {
        settings.own_certificates = certificates.get("own").and_then(|value| value.path());
        settings.authorities = certificates.get("authorities").and_then(|value| value.path());
        certificates.finish();
    }
    if let Some(values) = table.get("wins_servers").and_then(|value| value.list("server")) {
        let address = |text: &str| text.parse::<IpAddr>().ok().filter(|address| is_me(*address));
        let read = values.iter().filter_map(|value| value.parsed(address, "the address of a host, not link-local"));
        settings.wins_servers = read.collect();
    }
    if let Some(oakley) = table.get("oakley").and_then(|value| value.table()) {
        settings.registry.read("oakley", &oakley);
        settings.oakley = settings.registry.enable_logging;
        if let Some(on) = oakley.get("NLBSFlags").and_then(|value| flag(&value)) {
            settings.endpoint.of_cluster = on;
        }
        oakley.finish();
    }
    if let Some(ipsec) = table.get("IPsec").and_then(|value| value.table()) {
        settings.registry.read("IPsec", &ipsec);
        ipsec.finish();
    }
    if let Some(audit) = table.get("audit").and_then(|value| value.table()) {
        settings.registry.read("audit", &audit);
        settings.audit.read(&audit);
        audit.finish();
    }
    if let Some(key_log) = table.get("key_log").and_then(|value| value.table()) {
        if let Some(on) = key_log.get("enabled").and_then(|value| flag(&value)) {
            settings.key_log = on;
        }
        settings.key_log_directory = key_log.get("directory").and_then(|value| value.path());
        key_log.finish();
    }
    if let Some(ike) = table.get("ike").and_then(|value| value.table()) {
        endpoint(&ike, &mut settings.endpoint);
        ike.finish();
    }
    if let Some(metrics) = table.get("metrics").and_then(|value| value.table()) {
        let address = |text: &str| text.parse::<SocketAddr>().ok().filter(|address| address.port() != 0);
        let allowed = "an address with its port (127.0.0.1:9510, [::1]:9510)";
        settings.metrics = metrics.get("listen").and_then(|value| value.parsed(address, allowed));
        metrics.finish();
    }
    settings.directory = table.get("directory").and_then(|value| directory::settings::read(&value));
    table.finish();
    settings
}

fn endpoint(table: &Table<'_>, config: &mut endpoint::Config) {
    let integer = |key, range| table.get(key).and_then(|value| value.integer(range));
    if let Some(milliseconds) = integer("retransmit_first_milliseconds", 50..=60_000) {
        config.retransmit_first = Duration::from_millis(milliseconds.into());
    }
    if let Some(count) = integer("transmissions", 1..=20) {
        config.transmissions = count;
    }
    if let Some(milliseconds) = integer("fallback_delay_milliseconds", 100..=600_000) {
        config.fallback_delay = Duration::from_millis(milliseconds.into());
    }
    if let Some(port) = integer("nat_t_port", 1..=65_535).and_then(|port| u16::try_from(port).ok()) {
        config.nat_t_port = port;
    }
    if let Some(count) = integer("half_open_per_peer", 1..=100_000) {
        config.half_open_per_peer = count as usize;
    }
    if let Some(count) = integer("half_open_total", 1..=1_000_000) {
        config.half_open_total = count as usize;
    }
    if let Some(count) = integer("half_open_cookie", 0..=1_000_000) {
        config.half_open_cookie = count as usize;
    }
    if let Some(count) = integer("quick_modes_at_once", 1..=100) {
        config.quick_modes_at_once = count as usize;
    }
    if let Some(seconds) = integer("nat_keep_alive_seconds", 0..=3600) {
        config.nat_keep_alive = Duration::from_secs(seconds.into());
    }
    if let Some(packets) = integer("replay_window", 0..=4096) {
        config.replay_window = packets;
    }
    if let Some(on) = table.get("initial_contact").and_then(|value| flag(&value)) {
        config.initial_contact = on;
    }
    if let Some(on) = table.get("fragmentation").and_then(|value| flag(&value)) {
        config.fragmentation = on;
    }
    if let Some(on) = table.get("commit_bit").and_then(|value| flag(&value)) {
        config.commit_bit = on;
    }
    if let Some(on) = table.get("windows_vendor_id").and_then(|value| flag(&value)) {
        config.as_windows = on;
    }
    if let Some(on) = table.get("nat_traversal").and_then(|value| flag(&value)) {
        config.nat_traversal = on;
    }
}

/// `true`, `false`, or as in the registry 1 and 0.
fn flag(value: &Value<'_>) -> Option<bool> {
    if value.is_integer() { value.integer(0..=1).map(|one| one == 1) } else { value.boolean() }
}

#[cfg(test)]
mod tests {
    use super::registry::Name;
    use super::*;
    use crate::boot::{BootExemption, OperationMode};
    use ikecore::certificate::RevocationCheck;
    use ikecore::policy::exempt::DefaultExemptions;
    use std::convert::Infallible;

    fn parse(text: &str) -> Result<Settings, DocumentError> {
        Settings::parse(&Document::of("/e/policyagent.toml", text))
    }

    #[test]
    fn every_key_has_its_effect() {
        let settings = parse(
            "driver = \"memory\"\nlisten = [\"10.0.0.1\", \"[::1]:5000\"]\npolicy = \"p.toml\"\nusers = \"u\"\n\
             mode_config_script = \"script\"\n\
             [oakley]\nEnableLogging = 1\nNLBSFlags = 1\n[key_log]\nenabled = true\ndirectory = \"keys\"\n\
             [ike]\nretransmit_first_milliseconds = 250\ntransmissions = 3\nnat_t_port = 4501\nhalf_open_per_peer = 1\n\
             half_open_total = 2\nreplay_window = 128\ninitial_contact = false\nnat_traversal = 0\n\
             nat_keep_alive_seconds = 0\nfragmentation = false\ncommit_bit = true\nhalf_open_cookie = 3\nwindows_vendor_id = true\n\
             quick_modes_at_once = 4\nfallback_delay_milliseconds = 500\n[directory]\nservers = [\"ldaps://dc1.example.net\"]\n\
             [metrics]\nlisten = \"[::1]:9510\"\n",
        )
        .unwrap();
        assert_eq!(settings.metrics, Some("[::1]:9510".parse().unwrap()));
        for wrong in ["9510", "127.0.0.1", "127.0.0.1:0", "host:9510"] {
            let error = parse(&format!("[metrics]\nlisten = \"{wrong}\"\n")).unwrap_err().to_string();
            assert!(error.contains("allowed: an address with its port (127.0.0.1:9510, [::1]:9510)"), "{error}");
        }
        assert_eq!((settings.driver, settings.oakley), (DriverChoice::Memory, true));
        assert_eq!(settings.policy.as_deref(), Some(Path::new("/e/p.toml")));
        assert!(settings.key_log);
        assert_eq!(settings.key_log_directory.as_deref(), Some(Path::new("/e/keys")));
        assert_eq!(settings.users.as_deref(), Some(Path::new("/e/u")));
        assert_eq!(settings.mode_config_script.as_deref(), Some(Path::new("/e/script")));
        let sockets: Vec<String> = settings.sockets().iter().map(ToString::to_string).collect();
        assert_eq!(sockets, ["10.0.0.1:500", "10.0.0.1:4501", "[::1]:5000"]);
        let ike = &settings.endpoint;
        assert_eq!(ike.fallback_delay, Duration::from_millis(500));
        assert_eq!((ike.retransmit_first, ike.transmissions), (Duration::from_millis(250), 3));
        assert_eq!((ike.half_open_per_peer, ike.half_open_total, ike.replay_window), (1, 2, 128));
        assert_eq!((ike.commit_bit, ike.half_open_cookie, ike.quick_modes_at_once), (true, 3, 4));
        assert!(!ike.initial_contact && !ike.nat_traversal && ike.nat_keep_alive.is_zero() && !ike.fragmentation);
        assert!(ike.as_windows && ike.of_cluster);
        assert_eq!(settings.directory.unwrap().servers[0].url(), "ldaps://dc1.example.net:636");
    }

    #[test]
    fn the_settings_of_windows_have_its_names_and_values() {
        assert_eq!(parse("").unwrap().registry, Registry::default());
        let registry = |text: &str| parse(text).unwrap().registry;
        let all = registry(
            "[oakley]\nEnableLogging = 1\nStrongCRLCheck = 2\n[audit]\nDisableIKEAudits = 1\n[IPsec]\nNoDefaultExempt = 0\n\
             EnableDiagnostics = 7\nLogInterval = 60\nOperationMode = 3\n\
             BootExemptions = [\"TCP:0:22:inbound\", \"icmp:Outbound\", \"RAW:inbound\", \"50:inbound\"]\n",
        );
        assert!(all.enable_logging && all.disable_ike_audits);
        assert_eq!((all.no_default_exempt, all.enable_diagnostics, all.log_interval), (DefaultExemptions::All, 7, 60));
        assert_eq!(
            (all.strong_crl_check, all.operation_mode),
            (RevocationCheck::Strict, Some(OperationMode::Stateful))
        );
        let exemption =
            |protocol, destination_port, inbound| BootExemption { protocol, source_port: 0, destination_port, inbound };
        let expected =
            [exemption(6, 22, true), exemption(1, 0, false), exemption(255, 0, true), exemption(50, 0, true)];
        assert_eq!(all.boot_exemptions, expected);
        assert_eq!(all.differences(&Registry::default()), Name::ALL);
        assert_eq!(all.differences(&all.clone()), []);
        assert_eq!(registry("[IPsec]\nOperationMode = \"block\"").operation_mode, Some(OperationMode::Block));
        assert_eq!(registry("[IPsec]\nBootExemptions = \"none\"").boot_exemptions, []);

        let told = |text: &str| parse(text).unwrap_err().to_string();
        for (text, expected) in [
            (
                "[IPsec]\nNoDefaultExempt = 4",
                ":2:19: NoDefaultExempt of IPsec of the file is 4, allowed: an integer from 0 to 3",
            ),
            ("[IPsec]\nLogInterval = 59", "an integer from 60 to 86400"),
            ("[IPsec]\nOperationMode = 2", "is 2, allowed: 0 (permit), 1 (block), 3 (stateful)"),
            ("[IPsec]\nOperationMode = \"statefull\"", "did you mean \"stateful\"? allowed: permit, block, stateful"),
            ("[IPsec]\nBootExemptions = [\"TCP:inbound\"]", "allowed: PROTOCOL:SOURCE-PORT:DESTINATION-PORT:DIRECTION"),
            ("[IPsec]\nBootExemptions = [\"ICMP:0:0:inbound\"]", "is \"ICMP:0:0:inbound\", allowed: PROTOCOL:"),
            ("[oakley]\nStrongCRLCheck = 3", "an integer from 0 to 2"),
            ("[audit]\nDisableIkeAudits = 1", "did you mean \"DisableIKEAudits\"?"),
        ] {
            assert!(told(text).contains(expected), "{text}: {}", told(text));
        }
    }

    #[test]
    fn the_file_is_edited_as_stores_are() {
        let root = std::env::temp_dir().join(format!("policyagent-settings-{}", std::process::id()));
        let paths = Paths::new(&root);
        let add = |line: &str| edit(&paths, |old| Ok::<_, Infallible>((format!("{old}{line}\n"), ())));
        add("driver = \"memory\" # as it was").unwrap();
        add("[IPsec]\nNoDefaultExempt = 0").unwrap();
        let error = add("LogInterval = 5").unwrap_err().to_string();
        assert!(error.contains("policyagent.toml:4:15: LogInterval of IPsec"), "{error}");
        let text = std::fs::read_to_string(paths.settings()).unwrap();
        assert_eq!(text, "driver = \"memory\" # as it was\n[IPsec]\nNoDefaultExempt = 0\n");
        assert_eq!(Settings::read(&paths.settings()).unwrap().registry.no_default_exempt, DefaultExemptions::All);
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn users_are_those_of_a_file_or_of_pam() {
        assert_eq!(parse("pam_service = \"policyagent\"").unwrap().pam_service.as_deref(), Some("policyagent"));
        let told = |text: &str| parse(text).unwrap_err().to_string();
        let both = told("users = \"u\"\npam_service = \"policyagent\"");
        assert!(both.contains(":2:15: pam_service and users cannot both be there"), "{both}");
        for name in ["", "../shadow", "a/b"] {
            let error = told(&format!("pam_service = \"{name}\""));
            assert!(error.contains("allowed: the name of a file in /etc/pam.d"), "{error}");
        }
    }

    #[test]
    fn faults_name_place_value_and_what_is_allowed() {
        let text = "driver = \"xfrn\"\nlistten = 1\n[ike]\ntransmissions = 0\n[oakley]\nEnableLogging = 2\n";
        let error = parse(text).unwrap_err().to_string();
        assert_eq!(
            error.lines().collect::<Vec<_>>(),
            [
                "/e/policyagent.toml:1:10: driver of the file is \"xfrn\"; did you mean \"xfrm\"? allowed: auto, xfrm, \
                 pfkey, userspace, memory",
                "/e/policyagent.toml:2:1: the file has no key \"listten\"; did you mean \"listen\"? allowed: driver, \
                 listen, policy, users, mode_config_script, pam_service, certificates, wins_servers, oakley, IPsec, audit, key_log, ike, \
                 metrics, directory",
                "/e/policyagent.toml:4:17: transmissions of ike of the file is 0, allowed: an integer from 1 to 20",
                "/e/policyagent.toml:6:17: EnableLogging of oakley of the file is 2, allowed: an integer from 0 to 1",
            ]
        );
    }

    #[test]
    fn what_a_machine_knows_is_at_the_usual_places_or_at_those_of_the_file() {
        let paths = Paths::new(Path::new("/r"));
        let usual = Settings::default().sources(&paths);
        let certificates = Path::new("/r/etc/policyagent/certificates");
        assert_eq!((usual.own.as_path(), usual.wins_servers.len()), (certificates, 0));
        assert_eq!(usual.authorities, Path::new("/r/etc/policyagent/authorities"));
        let text =
            "wins_servers = [\"10.0.0.2\", \"10.0.0.3\"]\n[certificates]\nown = \"mine\"\nauthorities = \"/a\"\n";
        let other = parse(text).unwrap().sources(&paths);
        assert_eq!((other.own.as_path(), other.wins_servers.len()), (Path::new("/e/mine"), 2));
        assert_eq!(other.authorities, Path::new("/a"));
        let wrong = parse("wins_servers = [\"fe80::1\"]").unwrap_err().to_string();
        assert!(wrong.contains("is \"fe80::1\", allowed: the address of a host, not link-local"), "{wrong}");
    }

    #[test]
    fn the_command_line_goes_before_the_file() {
        let file = parse("driver = \"memory\"\nlisten = [\"10.0.0.1\"]\noakley = { EnableLogging = true }").unwrap();
        let overrides = Overrides {
            driver: Some(DriverChoice::Userspace),
            listen: vec!["127.0.0.1:5001".parse().unwrap()],
            policy: Some("x".into()),
            oakley: Some(false),
        };
        let settings = file.with(overrides);
        assert_eq!((settings.driver, settings.oakley), (DriverChoice::Userspace, false));
        assert_eq!(settings.sockets().len(), 1);
        assert_eq!(settings.policy.as_deref(), Some(Path::new("x")));
    }

    #[test]
    fn no_file_is_the_default() {
        let settings = Settings::read(Path::new("/nonexistent/policyagent.toml")).unwrap();
        assert!(!settings.oakley && !settings.key_log && settings.sockets().is_empty() && settings.policy.is_none());
    }
}
