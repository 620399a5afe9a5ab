//! Policy from a domain of Samba, whose schema and first policies are those of Active Directory; with Kerberos.

use std::time::Duration;

use tests::daemon::program;
use tests::netns::Namespace;
use tests::process::{Process, wait_until};
use tests::samba::{ADMIN, BASE, Samba};
use tests::scratch::Scratch;

const PATIENCE: Duration = Duration::from_secs(30);

/// A policy for a domain's computers.
const POLICY: &str = r#"
[[policy]]
name = "of the unit"
polling_interval = 60

[policy.main_mode]
offers = ["3des-sha1-modp2048", "3des-sha1-modp1024"]

[[policy.rule]]
name = "web"
filter_list = "web of the unit"
filter_action = "Require Security"
authentication = [{ preshared_key = "correct horse battery" }]

[[filter_list]]
name = "web of the unit"
filters = [{ source = "192.0.2.1", destination = "192.0.2.80", protocol = "tcp", destination_port = 80 }]
"#;

/// A program of ours with its root, as an administrator with a ticket runs it.
struct Desk<'a> {
    samba: &'a Samba<'a>,
    root: Scratch,
}

impl Desk<'_> {
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let output = self.samba.policyagent(&self.root, arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn settings(&self, lines: &str) {
        let text = format!("[directory]\ntimeout = 20\n{lines}\n");
        self.root.write("etc/policyagent/policyagent.toml", &text);
    }
}

/// The policies that every domain begins with are read as they are known; others are written beside them, assigned by a
/// group policy object and applied by a computer that proves by its keytab who it is.
#[test]
fn a_domain_tells_its_computers_their_policy() {
    let host = Namespace::new("dc");
    host.ip(&["addr add 192.0.2.1/24 dev lo"]);
    let samba = Samba::start(&host);
    let desk = Desk { samba: &samba, root: Scratch::new("root") };
    let kerberos = "servers = [\"ldap://localhost\"]\nbind = \"kerberos\"";
    desk.settings(kerberos);

    let first = desk.run(&["directory", "export"]);
    for (name, parts) in [
        (
            "\"Server (Request Security)\"",
            vec!["\"All IP Traffic\"", "\"Request Security (Optional)\"", "kerberos = true"],
        ),
        ("\"Secure Server (Require Security)\"", vec!["\"Require Security\"", "\"Permit\""]),
        ("\"Client (Respond Only)\"", vec!["[[policy.default_response.offers]]", "esp = \"des-md5\"", "ah = \"sha1\""]),
        ("\"All ICMP Traffic\"", vec!["source = \"me\"", "destination = \"any\"", "protocol = \"icmp\""]),
        (
            "\"Request Security (Optional)\"\ndescription",
            vec!["fallback_to_clear = true", "inbound_passthrough = true", "seconds = 900", "ah = \"md5\""],
        ),
    ] {
        let (_, rest) = first.split_once(&format!("\nname = {name}")).unwrap_or_else(|| panic!("{name}: {first}"));
        for part in parts {
            assert!(rest.contains(part), "{name} {part}: {rest}");
        }
    }
    assert!(first.contains(
        "offers = [\"3des-sha1-modp1024\", \"3des-md5-modp1024\", \"des-sha1-modp768\", \"des-md5-modp768\"]"
    ));

    // What is not touched is not written.
    let container = format!("CN=IP Security,CN=System,{BASE}");
    let stamps = || samba.search(&container, "(objectClass=ipsecBase)", &["uSNChanged"]);
    let file = desk.root.write("policies.toml", &first).display().to_string();
    let before = stamps();
    desk.run(&["directory", "write", &file]);
    assert_eq!(stamps(), before);

    // A policy more, with a filter action that is there.
    desk.root.write("policies.toml", &format!("{first}{POLICY}"));
    desk.run(&["directory", "write", &file]);
    let second = desk.run(&["directory", "export"]);
    assert!(second.contains("name = \"of the unit\"") && second.contains("3des-sha1-modp2048"), "{second}");
    assert_eq!(
        samba
            .search(&container, "(&(objectClass=ipsecNFA)(ipsecName=web))", &["ipsecFilterReference"])
            .matches("ipsecFilterReference: ")
            .count(),
        1
    );

    // Two group policy objects, one for the domain, one for a unit, and a computer in it.
    let short = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let short = short.trim().split('.').next().unwrap_or_default().to_owned();
    let gpo = "{11111111-1111-4111-8111-111111111111}";
    samba.modify(&format!(
        "dn: OU=servers,{BASE}\nchangetype: add\nobjectClass: organizationalUnit\n\n\
         dn: CN={short},OU=servers,{BASE}\nchangetype: add\nobjectClass: computer\nsAMAccountName: {short}$\n\
         userAccountControl: 4096\n\n\
         dn: CN={gpo},CN=Policies,CN=System,{BASE}\nchangetype: add\nobjectClass: groupPolicyContainer\n\
         displayName: for servers\nflags: 0\n\n\
         dn: CN=Machine,CN={gpo},CN=Policies,CN=System,{BASE}\nchangetype: add\nobjectClass: container\n\n\
         dn: OU=servers,{BASE}\nchangetype: modify\nreplace: gPLink\n\
         gPLink: [LDAP://cn={gpo},cn=policies,cn=system,{BASE};0]\n"
    ));
    desk.run(&["directory", "assign", "Client (Respond Only)", "--gpo", "Default Domain Policy"]);
    desk.run(&["directory", "assign", "of the unit", "--gpo", gpo]);
    let gpos = desk.run(&["directory", "gpos"]);
    let lines: Vec<&str> = gpos.lines().collect();
    assert_eq!(lines[0], format!("\"for servers\", linked to OU=servers,{BASE}: decides"), "{gpos}");
    assert!(lines[1].starts_with("    policy \"of the unit\", CN=ipsecPolicy{"), "{gpos}");
    let domain =
        format!("\"Default Domain Policy\", linked to {BASE}: does not decide: \"for servers\" has the last word");
    assert!(lines.contains(&domain.as_str()), "{gpos}");
    let of_server = desk.run(&["netsh", "ipsec", "static", "show", "gpoassignedpolicy"]);
    assert!(!of_server.contains("of the unit"), "{of_server}");
    let script = desk.root.write(
        "script.txt",
        &format!(
            "ipsec static\nset store location=domain domain=EXAMPLE.net\nset policy name=\"Client (Respond Only)\" assign=no \
             gponame=\"{gpo}\"\nshow gpoassignedpolicy\nset policy name=\"of the unit\" assign=no gponame=\"for servers\"\n\
             show gpoassignedpolicy name=\"for servers\"\nset policy name=\"of the unit\" assign=yes gponame=\"for servers\"\n"
        ),
    );
    let shown = desk.run(&["netsh", "-f", &script.display().to_string()]);
    let shown: Vec<&str> = shown.lines().filter_map(|line| line.split_once(" : ")).map(|(_, value)| value).collect();
    let gpo_dn = format!("cn={gpo},cn=policies,cn=system,{BASE}");
    for value in ["for servers", "of the unit", &gpo_dn] {
        assert_eq!(shown.iter().filter(|shown| shown.trim() == value).count(), 1, "{value}: {shown:?}");
    }
    let of_domain = desk.run(&["directory", "gpos", BASE]);
    assert!(of_domain.contains(&format!("\"Default Domain Policy\", linked to {BASE}: decides")), "{of_domain}");

    // What would apply to a unit, or a computer in it, and why not the rest.
    let plan = |place: &str| {
        let text = desk.run(&["--format", "json", "rsop", "--plan", place]);
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let planned = plan(&format!("OU=servers,{BASE}"));
    let rows: Vec<_> = planned["policies"].as_array().unwrap().iter().collect();
    assert_eq!(
        (&rows[0]["name"], &rows[0]["precedence"], &rows[0]["applies"]),
        (&"of the unit".into(), &1.into(), &true.into())
    );
    assert_eq!(rows[1]["why"], "\"for servers\" has the last word");
    let rule = &planned["applied"][0]["policy"]["rules"][0];
    assert_eq!((&rule["name"], &rule["authentication"][0]), (&"web".into(), &"pre-shared key".into()), "{planned}");
    assert_eq!(plan(BASE)["applied"][0]["policy"]["name"], "Client (Respond Only)");

    // The computer itself.
    let root = Scratch::new("root");
    root.write("etc/policyagent/policyagent.toml", &format!("[directory]\n{kerberos}\n"));
    let (program, directory) = (program().display().to_string(), root.path().display().to_string());
    let environment = samba.with_keytab();
    let words =
        environment.iter().map(String::as_str).chain([&*program, "--root", &*directory, "run", "--driver", "memory"]);
    let mut agent = Process::start(&host, &root, "agent", "env", &words.collect::<Vec<_>>());
    let status = || {
        let output = host.output(&program, &["--root", &directory, "--format", "json", "status"]);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap_or_default()
    };
    agent.wait_until("the domain's policy", PATIENCE, || status()["policy"]["rules"] == serde_json::json!(["web"]));
    let told = status()["directory"].clone();
    assert_eq!(
        (told["server"].as_str(), told["policy"].as_str()),
        (Some("ldap://localhost:389"), Some("of the unit")),
        "{told}"
    );
    let looked = std::fs::read_to_string(root.join("var/lib/policyagent/directory-gpos.json")).unwrap();
    assert!(looked.contains("\"for servers\"") && looked.contains("has the last word"), "{looked}");

    let set = host.run(&program, &["--root", &directory, "rsop"]);
    for line in [
        "directory: \"of the unit\", precedence 1, applies: the directory assigns it to this computer",
        "directory: \"Client (Respond Only)\", precedence 2, does not apply: \"for servers\" has the last word",
        "192.0.2.1 <-> 192.0.2.80[80], tcp",
    ] {
        assert!(set.contains(line), "{line}: {set}");
    }

    // Security filtering: no computer of the domain may apply the unit's object, and then they may.
    let may = |kind: &str| {
        let right = format!("({kind};;CR;edacfd8f-ffb3-11d1-b41d-00a0c968f939;;DC)");
        samba.put_rights(&format!("CN={gpo},CN=Policies,CN=System,{BASE}"), &right);
    };
    let wait_policy = |policy: &str| {
        host.run(&program, &["--root", &directory, "directory", "poll"]);
        let there = wait_until(PATIENCE, || status()["directory"]["policy"] == policy);
        assert!(there, "{policy}: {}\n{}", status(), agent.log());
    };
    may("OD");
    let gpos = desk.run(&["directory", "gpos"]);
    let filtered = format!(
        "\"for servers\", linked to OU=servers,{BASE}: does not decide: security filtering: the computer has no right to \
         apply it"
    );
    assert!(gpos.contains(&filtered), "{gpos}");
    assert!(gpos.contains(&format!("\"Default Domain Policy\", linked to {BASE}: decides")), "{gpos}");
    wait_policy("Client (Respond Only)");
    may("OA");
    wait_policy("of the unit");

    // The link goes: the domain's policy, which answers only.
    samba.modify(&format!("dn: OU=servers,{BASE}\nchangetype: modify\ndelete: gPLink\n"));
    wait_policy("Client (Respond Only)");

    // The domain controller is away: what it said stays in force. When it is back, it is followed again.
    samba.down();
    host.run(&program, &["--root", &directory, "directory", "poll"]);
    let refused = || status()["directory"]["error"].as_str().is_some_and(|error| error.contains("Connection refused"));
    assert!(wait_until(PATIENCE, refused), "{}\n{}", status(), agent.log());
    assert_eq!(status()["directory"]["policy"], "Client (Respond Only)");
    let set = host.run(&program, &["--root", &directory, "rsop"]);
    assert!(set.contains("\"Client (Respond Only)\", precedence 1, applies"), "{set}");
    samba.up();
    let link = format!("[LDAP://cn={gpo},cn=policies,cn=system,{BASE};0]");
    samba.modify(&format!("dn: OU=servers,{BASE}\nchangetype: modify\nreplace: gPLink\ngPLink: {link}\n"));
    host.run(&program, &["--root", &directory, "directory", "poll"]);
    let there = wait_until(PATIENCE, || status()["policy"]["rules"] == serde_json::json!(["web"]));
    assert!(there, "{}\n{}", status(), agent.log());

    // A password over TLS instead, and without TLS not.
    let password = samba.password_file();
    let bind = format!(
        "bind = {{ dn = \"{ADMIN}\", password_file = \"{}\" }}\nca = \"{}\"",
        password.display(),
        samba.ca().display()
    );
    for server in ["servers = [\"ldaps://localhost\"]", "servers = [\"ldap://localhost\"]\nstart_tls = true"] {
        desk.settings(&format!("{server}\n{bind}"));
        assert_eq!(desk.run(&["directory", "export"]), second, "{server}");
    }

    // And all of it away again, but for what the domain began with.
    desk.settings(kerberos);
    desk.run(&["directory", "unassign", "--gpo", gpo]);
    desk.root.write("policies.toml", &first);
    desk.run(&["directory", "write", &file]);
    let left = samba.search(&container, "(objectClass=ipsecNFA)", &["ipsecName"]);
    assert!(!left.contains("ipsecName: web"), "{left}");
}
