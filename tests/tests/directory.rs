//! Policy from a directory: OpenLDAP's server, and the service as its client.

use std::time::Duration;

use tests::daemon::{Daemon, Driver};
use tests::netns::Namespace;
use tests::process::wait_until;
use tests::slapd::{ADMIN, ASSIGNMENT, BASE, PASSWORD, Slapd};

const PATIENCE: Duration = Duration::from_secs(20);

/// The container of the policies.
fn container() -> String {
    format!("CN=IP Security,CN=System,{BASE}")
}

/// Policies for a directory: two, with a rule that permits and one that negotiates.
const POLICIES: &str = r#"
[[policy]]
name = "servers"
description = "for the servers"
polling_interval = 600

[policy.main_mode]
offers = ["3des-sha1-modp2048", "3des-sha1-modp1024"]

[[policy.rule]]
name = "web"
filter_list = "web"
filter_action = "require"
authentication = [{ preshared_key = "correct horse battery" }]

[[policy.rule]]
name = "ping"
filter_list = "ping"
filter_action = "permit"

[[policy]]
name = "clients"

[policy.main_mode]
offers = ["3des-sha1-modp1024"]

[[filter_list]]
name = "web"
filters = [{ source = "192.0.2.1", destination = "192.0.2.80", protocol = "tcp", destination_port = 80 }]

[[filter_list]]
name = "ping"
filters = [{ source = "192.0.2.1", destination = "any", protocol = "icmp" }]

[[filter_action]]
name = "require"
action = "negotiate"
offers = [{ esp = "3des-sha1" }]

[[filter_action]]
name = "permit"
action = "permit"
"#;

/// The local policy, in force where the directory assigns none.
const LOCAL: &str = r#"
[[policy]]
name = "of this host"
assigned = true

[[policy.rule]]
name = "local"
filter_list = "all"
filter_action = "permit"

[[filter_list]]
name = "all"
filters = [{ source = "192.0.2.1", destination = "any" }]

[[filter_action]]
name = "permit"
action = "permit"
"#;

fn host() -> Namespace {
    let host = Namespace::new("host");
    host.ip(&["addr add 192.0.2.1/24 dev lo"]);
    host
}

fn rules(daemon: &Daemon<'_>) -> Vec<String> {
    let status = daemon.status();
    let rules = status["policy"]["rules"].as_array().cloned().unwrap_or_default();
    let mut rules: Vec<String> = rules.iter().filter_map(|rule| rule.as_str()).map(str::to_owned).collect();
    // A directory knows no order of rules.
    rules.sort();
    rules
}

#[track_caller]
fn wait_rules(daemon: &Daemon<'_>, wanted: &[&str]) {
    let there = wait_until(PATIENCE, || rules(daemon) == wanted);
    assert!(there, "{wanted:?}, but {:?}\n{}\n{}", rules(daemon), daemon.status(), daemon.output());
}

#[track_caller]
fn wait_directory(
    daemon: &Daemon<'_>,
    what: &str,
    condition: impl Fn(&serde_json::Value) -> bool,
) -> serde_json::Value {
    let there = wait_until(PATIENCE, || condition(&daemon.status()["directory"]));
    let directory = daemon.status()["directory"].clone();
    assert!(there, "{what}: {directory:#}\n{}", daemon.output());
    directory
}

/// What a command says on standard error when it fails.
fn refused(daemon: &Daemon<'_>, arguments: &[&str]) -> String {
    let output = daemon.command(arguments);
    assert!(!output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a host's administrator sees of the directory and changes there by netsh alone.
#[test]
fn netsh_edits_the_directory() {
    let host = host();
    let slapd = Slapd::start(&host);
    let settings = format!("{}polling = 1\n", slapd.settings());
    let daemon = Daemon::start_with_settings(&host, Driver::Memory, LOCAL, &settings);
    let netsh = |script: &str| {
        let file = daemon.path("script.txt");
        std::fs::write(&file, format!("ipsec static\nset store location=domain\n{script}\n")).unwrap();
        daemon.command(&["netsh", "-f", &file.display().to_string()])
    };
    let done = |script: &str| {
        let output = netsh(script);
        assert!(output.status.success(), "{script}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(done("show store").contains("example.net"), "{}", done("show store"));
    done(
        "add policy name=servers description=\"for the servers\" mmsecmethods=3DES-SHA1-2\n\
         add filter filterlist=web srcaddr=192.0.2.1 dstaddr=192.0.2.80 protocol=tcp dstport=80\n\
         add filteraction name=require action=negotiate qmsecmethods=ESP[3DES,SHA1]\n\
         add rule name=web policy=servers filterlist=web filteraction=require psk=\"correct horse battery\"",
    );
    assert_eq!(slapd.search(&container(), "(objectClass=ipsecNFA)", &["1.1"]).matches("dn: ").count(), 2);
    assert!(done("show gpoassignedpolicy").lines().all(|line| !line.contains("servers")));
    done("set policy name=servers assign=yes");
    let assigned = done("show gpoassignedpolicy");
    for part in ["Domain Policy Name", "servers", "for the servers", "Last Modified"] {
        assert!(assigned.contains(part), "{part}: {assigned}");
    }
    wait_rules(&daemon, &["web"]);
    assert_eq!(daemon.status()["directory"]["policy"], "servers");

    // A change is a change of the one object, and comes into force.
    done("set rule name=web policy=servers newname=\"web servers\"");
    wait_rules(&daemon, &["web servers"]);
    assert!(done("show rule name=\"web servers\" policy=servers").contains("require"));

    // All of a script or nothing; and what objects cannot express is refused by name.
    let before = slapd.search(&container(), "(objectClass=ipsecBase)", &["ipsecName", "modifyTimestamp"]);
    for (script, why) in [
        ("add policy name=two mmsecmethods=AES256-SHA256-DH14", "which objects of a directory cannot express"),
        ("delete filterlist name=web", "is in use by"),
        ("set policy name=servers assign=yes gponame=nobody", "the group policy object \"nobody\": 0 objects"),
    ] {
        let output = netsh(script);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(why), "{script}: {output:?}");
    }
    assert_eq!(slapd.search(&container(), "(objectClass=ipsecBase)", &["ipsecName", "modifyTimestamp"]), before);
    let elsewhere =
        daemon.command(&["netsh", "ipsec", "static", "set", "store", "location=domain", "domain=example.org"]);
    let said = String::from_utf8_lossy(&elsewhere.stderr).into_owned();
    assert!(!elsewhere.status.success() && said.contains("is about example.net, not \"example.org\""), "{elsewhere:?}");

    // Another policy's assignment is not taken away.
    done("add policy name=other mmsecmethods=3DES-SHA1-2\nset policy name=other assign=no");
    assert!(done("show gpoassignedpolicy").contains("servers"));
    done("set policy name=servers assign=no\ndelete policy name=servers");
    wait_rules(&daemon, &["local"]);
    assert_eq!(slapd.search(&container(), "(ipsecName=servers)", &["1.1"]).matches("dn: ").count(), 0);
}

/// The service takes its policy from the directory, follows it, keeps it while the directory is away, and gives it up.
#[test]
fn the_service_follows_the_directory() {
    let host = host();
    let mut slapd = Slapd::start(&host);
    let settings = format!("{}polling = 1\n", slapd.settings());
    let mut daemon = Daemon::start_with_settings(&host, Driver::Memory, LOCAL, &settings);
    wait_directory(&daemon, "an answer", |directory| directory["polls"].as_u64() > Some(0));
    wait_rules(&daemon, &["local"]);

    let file = daemon.path("policies.toml");
    std::fs::write(&file, POLICIES).unwrap();
    let file = file.display().to_string();
    daemon.run(&["directory", "write", &file]);
    assert_eq!(slapd.search(&container(), "(objectClass=ipsecNFA)", &["1.1"]).matches("dn: ").count(), 2);
    daemon.run(&["directory", "assign", "servers"]);
    let said =
        slapd.search(ASSIGNMENT, "(objectClass=ipsecPolicy)", &["ipsecName", "description", "ipsecOwnersReference"]);
    assert!(said.contains("ipsecName: servers\n") && said.contains("description: for the servers\n"), "{said}");
    assert!(said.contains("ipsecOwnersReference: CN=ipsecPolicy{"), "{said}");
    wait_rules(&daemon, &["ping", "web"]);
    let directory = wait_directory(&daemon, "the policy", |directory| directory["policy"] == "servers");
    assert_eq!((directory["server"].as_str(), directory["reads"].as_u64()), (Some(slapd.ldaps().as_str()), Some(1)));
    let shown = daemon.run(&["directory", "show"]);
    assert!(shown.contains("assigned = true") && !shown.contains("clients"), "{shown}");

    // As long as nothing changes, nothing is read.
    let polls = directory["polls"].as_u64().unwrap();
    let directory = wait_directory(&daemon, "more polls", |directory| directory["polls"].as_u64() > Some(polls + 1));
    assert_eq!(directory["reads"].as_u64(), Some(1));

    // A change of what belongs to the policy. What was written by hand stays as it was.
    let changed = daemon.run(&["directory", "export"]).replace("\"ping\"", "\"pings\"");
    std::fs::write(&file, &changed).unwrap();
    daemon.run(&["directory", "write", &file]);
    wait_rules(&daemon, &["pings", "web"]);

    // The directory goes away: its policy stays, over a restart too. When it is back, it is followed again.
    slapd.down();
    let directory = wait_directory(&daemon, "a failure", |directory| directory["failures"].as_u64() == Some(1));
    assert!(
        directory["error"].as_str().unwrap().contains("no server of the directory can be used: ldaps://localhost:3891"),
        "{directory}"
    );
    let next = directory["next_poll_seconds"].as_u64().unwrap();
    assert!((50..=60).contains(&next), "the first pause is a minute: {next}");
    assert_eq!(rules(&daemon), ["pings", "web"]);
    daemon.kill_and_restart();
    assert_eq!(rules(&daemon), ["pings", "web"], "of the copy");
    wait_directory(&daemon, "a failure", |directory| directory["failures"].as_u64() == Some(1));
    daemon.run(&["directory", "poll"]);
    let directory = wait_directory(&daemon, "another", |directory| directory["failures"].as_u64() == Some(2));
    let next = directory["next_poll_seconds"].as_u64().unwrap();
    assert!((230..=240).contains(&next), "the second pause is four minutes: {next}");
    slapd.up();
    daemon.run(&["directory", "poll"]);
    wait_directory(&daemon, "an answer", |directory| directory["failures"] == 0 && directory["reads"] == 1);

    // No policy any more: the local one is in force.
    daemon.run(&["directory", "unassign"]);
    wait_rules(&daemon, &["local"]);
    assert_eq!(daemon.status()["directory"]["policy"], serde_json::Value::Null);
    let journal = daemon.output();
    for part in ["policy \"servers\" (cn=ipsecPolicy{", "no policy is assigned to this host", "next attempt in 1 min"] {
        assert!(journal.contains(part), "{part}: {journal}");
    }
    assert!(!journal.contains("correct horse"), "no key is printed");
}

/// What is written comes back; what is not touched is not written; what is used is not deleted.
#[test]
fn policies_are_written_changed_and_deleted() {
    let host = host();
    let slapd = Slapd::start(&host);
    let daemon = Daemon::start_with_settings(&host, Driver::Memory, LOCAL, &slapd.settings());
    let file = daemon.path("policies.toml").display().to_string();
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write(POLICIES);
    daemon.run(&["directory", "write", &file]);
    let exported = daemon.run(&["directory", "export"]);
    let stamps = || slapd.search(&container(), "(objectClass=ipsecBase)", &["entryCSN"]);
    let before = stamps();
    write(&exported);
    daemon.run(&["directory", "write", &file]);
    assert_eq!(stamps(), before, "nothing was changed, so nothing was written");
    assert_eq!(daemon.run(&["directory", "export"]), exported);

    // Algorithms that objects have no numbers for are refused by name, and nothing is written.
    write(&exported.replace("3des-sha1\"", "aes256-sha256\""));
    let error = refused(&daemon, &["directory", "write", &file]);
    assert!(error.contains("filter action \"require\": has esp aes256-sha256 in offer 1"), "{error}");
    write(&exported.replace("\"permit\"\n", "\"pass\"\n"));
    let error = refused(&daemon, &["directory", "write", &file]);
    assert!(error.contains("\"pass\""), "a document with faults: {error}");
    assert_eq!(stamps(), before);

    // Somebody else's rule uses a filter list that is to go.
    let list = slapd.search(&container(), "(ipsecName=web)", &["ipsecOwnersReference"]);
    let dn = list
        .lines()
        .find_map(|line| line.strip_prefix("dn: CN=ipsecFilter"))
        .map(|rest| format!("CN=ipsecFilter{rest}"));
    let dn = dn.unwrap_or_else(|| panic!("{list}"));
    slapd.modify(&format!(
        "dn: CN=ipsecNFA{{11111111-1111-4111-8111-111111111111}},{}\nchangetype: add\nobjectClass: ipsecNFA\n\
         ipsecFilterReference: {dn}\n\ndn: {dn}\nchangetype: modify\nadd: ipsecOwnersReference\n\
         ipsecOwnersReference: CN=ipsecNFA{{11111111-1111-4111-8111-111111111111}},{}\n",
        container(),
        container()
    ));
    let of = |text: &str, from: &str, to: &str| {
        let (begin, end) = (text.find(from).unwrap(), text.find(to).unwrap());
        format!("{}{}", &text[..begin], &text[end..])
    };
    let without_rule = of(POLICIES, "[[policy.rule]]\nname = \"web\"", "[[policy.rule]]\nname = \"ping\"");
    let without = of(&without_rule, "[[filter_list]]\nname = \"web\"", "[[filter_list]]\nname = \"ping\"");
    write(&without);
    let error = refused(&daemon, &["directory", "write", &file]);
    assert!(
        error.to_lowercase().contains("is still used by cn=ipsecnfa{11111111-1111-4111-8111-111111111111}"),
        "{error}"
    );
    assert!(
        slapd.search(&container(), "(objectClass=ipsecNFA)", &["ipsecName"]).contains("ipsecName: web"),
        "nothing changed"
    );
    slapd.modify(&format!(
        "dn: CN=ipsecNFA{{11111111-1111-4111-8111-111111111111}},{}\nchangetype: delete\n",
        container()
    ));
    daemon.run(&["directory", "write", &file]);
    let left = slapd.search(&container(), "(objectClass=ipsecBase)", &["ipsecName"]);
    assert_eq!(left.matches("dn: CN=ipsecNFA").count(), 1, "{left}");
    assert!(!left.contains("ipsecName: web"), "{left}");
    let error = refused(&daemon, &["directory", "assign", "nobody"]);
    assert!(
        error.contains("the directory has no policy \"nobody\"; allowed: servers, clients")
            || error.contains("clients, servers"),
        "{error}"
    );

    // All of it.
    write("# Nothing.\n");
    daemon.run(&["directory", "write", &file]);
    assert_eq!(slapd.search(&container(), "(objectClass=ipsecBase)", &["1.1"]), "");

    // With extensions, what objects have no numbers for is there all the same.
    let settings = daemon.path("etc/policyagent/policyagent.toml");
    std::fs::write(&settings, format!("{}extensions = true\n", slapd.settings())).unwrap();
    write(
        &POLICIES
            .replace("\"3des-sha1\"", "\"aes256gcm16\"")
            .replace("[\"3des-sha1-modp2048\"", "[\"aes256-sha256-modp2048\", \"3des-sha1-modp2048\""),
    );
    daemon.run(&["directory", "write", &file]);
    let exported = daemon.run(&["directory", "export"]);
    assert!(exported.contains("aes256gcm16") && exported.contains("aes256-sha256-modp2048"), "{exported}");
}

/// Six hundred filter lists: more than a page, and more than the server gives at once.
#[test]
fn many_objects_come_page_by_page() {
    let host = host();
    let slapd = Slapd::start(&host);
    let daemon = Daemon::start_with_settings(&host, Driver::Memory, LOCAL, &slapd.settings());
    let list = |number: u32| {
        format!(
            "[[filter_list]]\nname = \"list {number}\"\nfilters = [{{ source = \"me\", destination = \"10.0.{}.{}\" }}]\n",
            number / 250,
            number % 250 + 1
        )
    };
    let file = daemon.path("policies.toml");
    std::fs::write(&file, (0..600).map(list).collect::<String>()).unwrap();
    daemon.run(&["directory", "write", &file.display().to_string()]);
    let exported = daemon.run(&["directory", "export"]);
    assert_eq!(exported.matches("[[filter_list]]").count(), 600);
}

/// How the connection is protected, and who this host says it is.
#[test]
fn connections_are_protected_and_servers_are_checked() {
    let host = host();
    let slapd = Slapd::start(&host);
    let daemon = Daemon::start_with_settings(&host, Driver::Memory, LOCAL, &slapd.settings());
    let file = daemon.path("policies.toml");
    std::fs::write(&file, POLICIES).unwrap();
    daemon.run(&["directory", "write", &file.display().to_string()]);
    let settings = |lines: &str| {
        let text = format!("[directory]\nbase = \"{BASE}\"\nassignment = \"{ASSIGNMENT}\"\ntimeout = 5\n{lines}\n");
        std::fs::write(daemon.path("etc/policyagent/policyagent.toml"), text).unwrap();
    };
    let (ca, (certificate, key)) = (slapd.ca(), slapd.client());
    let (ca, certificate, key) = (ca.display(), certificate.display(), key.display());
    let start_tls = format!("servers = [\"ldap://localhost:3890\"]\nstart_tls = true\nca = \"{ca}\"");
    for good in [
        format!("servers = [\"{}\"]", slapd.ldap()),
        start_tls.clone(),
        format!("{start_tls}\nbind = {{ certificate = \"{certificate}\", private_key = \"{key}\" }}"),
        // The first server is not there.
        format!("servers = [\"ldaps://localhost:3999\", \"{}\"]\nca = \"{ca}\"", slapd.ldaps()),
    ] {
        settings(&good);
        assert!(daemon.run(&["directory", "export"]).contains("name = \"servers\""), "{good}");
    }
    let wrong = daemon.path("wrong");
    std::fs::write(&wrong, "wrong\n").unwrap();
    let other = daemon.path("other.pem");
    std::fs::write(&other, "no certificate").unwrap();
    let bind = format!("bind = {{ dn = \"{ADMIN}\", password_file = \"{}\" }}", wrong.display());
    for (bad, part) in [
        (format!("servers = [\"{}\"]", slapd.ldaps()), "certificate verify failed"),
        (format!("servers = [\"ldaps://127.0.0.1:3891\"]\nca = \"{ca}\""), "mismatch"),
        (format!("{start_tls}\n{bind}"), "the bind: the server says invalidCredentials (49)"),
        (format!("servers = [\"{}\"]\nca = \"{}\"", slapd.ldaps(), other.display()), "other.pem"),
        (
            "servers = [\"ldap://localhost:3999\"]".to_owned(),
            "no server of the directory can be used: ldap://localhost:3999",
        ),
        (format!("servers = [\"{}\"]\n{bind}", slapd.ldap()), "is without TLS; allowed: ldaps, or start_tls = true"),
    ] {
        settings(&bad);
        let error = refused(&daemon, &["directory", "export"]);
        assert!(error.contains(part), "{part}: {error}");
        assert!(!error.contains(PASSWORD), "{error}");
    }
    // Nobody may write.
    settings(&start_tls);
    std::fs::write(&file, "# Nothing.\n").unwrap();
    let error = refused(&daemon, &["directory", "write", &file.display().to_string()]);
    assert!(error.contains("the server says strongerAuthRequired (8)"), "{error}");
}

/// The policies are on another server, to which this one refers; and a server that refers to itself is left.
#[test]
fn referrals_are_followed_but_not_for_ever() {
    let host = host();
    let far = Slapd::start(&host);
    let writer = Daemon::start_with_settings(&host, Driver::Memory, LOCAL, &far.settings());
    let file = writer.path("policies.toml");
    std::fs::write(&file, POLICIES).unwrap();
    writer.run(&["directory", "write", &file.display().to_string()]);
    writer.run(&["directory", "assign", "servers"]);
    let referral = |to: &str| {
        format!(
            "dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: example\n\n\
             dn: CN=System,{BASE}\nobjectClass: referral\nobjectClass: extensibleObject\ncn: System\n\
             ref: {to}/CN=System,{BASE}\n"
        )
    };
    let near = Slapd::with(&host, 3990, &referral(&far.ldap()));
    let settings = |server: &str| {
        let text = format!("[directory]\nservers = [\"{server}\"]\nbase = \"{BASE}\"\nassignment = \"{ASSIGNMENT}\"\n");
        std::fs::write(writer.path("etc/policyagent/policyagent.toml"), text).unwrap();
    };
    settings(&near.ldap());
    assert!(writer.run(&["directory", "show"]).contains("name = \"web\""));
    let lost = Slapd::with(&host, 4090, &referral("ldap://127.0.0.1:4090"));
    settings(&lost.ldap());
    let error = refused(&writer, &["directory", "show"]);
    assert!(
        error.contains("more than 5 referrals one after the other, the last one to ldap://127.0.0.1:4090"),
        "{error}"
    );
}

/// A thousand hosts that are switched on at once.
#[test]
fn a_thousand_hosts_are_served() {
    let host = host();
    let slapd = Slapd::start(&host);
    let daemon = Daemon::start_with_settings(&host, Driver::Memory, LOCAL, &slapd.settings());
    let file = daemon.path("policies.toml");
    std::fs::write(&file, POLICIES).unwrap();
    daemon.run(&["directory", "write", &file.display().to_string()]);
    daemon.run(&["directory", "assign", "servers"]);
    // A thousand hosts have a thousand processors for TLS, this one has not.
    let text = format!(
        "[directory]\nservers = [\"{}\"]\nbase = \"{BASE}\"\nassignment = \"{ASSIGNMENT}\"\ntimeout = 60\n",
        slapd.ldap()
    );
    std::fs::write(daemon.path("etc/policyagent/policyagent.toml"), text).unwrap();
    let told = daemon.run(&["--format", "json", "directory", "simulate", "1000"]);
    println!("{told}");
    let load: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((load["hosts"].as_u64(), load["failed"].as_u64()), (Some(1000), Some(0)), "{told}");
}
