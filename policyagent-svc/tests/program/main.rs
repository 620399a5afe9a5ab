//! The built program: its commands, its messages, its exit status; the service with the driver `memory` on loopback.
mod explain;
mod host;
mod monitor;

use host::{Host, POLICY, stderr};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn help_names_every_command_and_a_wrong_argument_what_is_allowed() {
    let host = Host::new("help");
    let help = host.done(&["--help"]);
    for command in ["run", "status", "stop", "reload", "check", "initiate", "terminate", "rekey", "log"] {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in\n{help}");
        assert!(host.done(&[command, "--help"]).contains("--format"), "{command}");
    }
    assert!(!help.contains("generate"));
    let output = host.call(&["run", "--driver", "tun"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("auto, xfrm, pfkey, userspace, memory"), "{}", stderr(&output));
    let output = host.call(&["terminate"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn check_shows_the_policy_or_names_every_fault() {
    let host = Host::new("check");
    let text = host.done(&["check"]);
    assert!(text.contains("Policy \"lab\", assigned") && text.contains("127.0.0.1 <-> 127.0.0.9"), "{text}");
    assert!(!text.contains("sesame") && !text.contains('\x1b'), "{text}");
    let report: Value = serde_json::from_str(&host.done(&["--format", "json", "check"])).unwrap();
    let filter = &report["in_force"][0]["filters"][0];
    assert_eq!((&filter["line"], &filter["generic"]), (&16.into(), &"127.0.0.1 <-> 127.0.0.9, any".into()));
    assert_eq!(filter["specific"], serde_json::json!([{ "filter": "127.0.0.1 <-> 127.0.0.9", "weight": 512 }]));
    assert!(text.contains("127.0.0.1 <-> 127.0.0.9, weight 512\n"), "{text}");

    // A short key is of medium severity, no PFS of low.
    assert!(text.contains(": medium: rule \"to b\": its pre-shared key is short"), "{text}");
    let kinds: Vec<&str> =
        report["findings"].as_array().unwrap().iter().filter_map(|finding| finding["kind"].as_str()).collect();
    assert_eq!(kinds, ["short-key", "no-pfs"]);
    host.done(&["check", "--fail-on", "high"]);
    assert_eq!(host.call(&["check", "--fail-on", "medium"]).status.code(), Some(1));

    host.write_policy(
        &POLICY.replace("negotiate", "negociate").replace("\"b\"\nfilter_action", "\"c\"\nfilter_action"),
    );
    let path = host.policy();
    let error = host.failed(&["check", "--policy", path.to_str().unwrap()]);
    assert!(error.contains(&format!("{}:20:10: action of filter action", path.display())), "{error}");
    let output = host.call(&["--format", "json", "check"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["faults"][0]["line"]), (Some(1), &Value::from(20)));
    // The dangling reference shows once all objects are right.
    host.write_policy(&POLICY.replace("\"b\"\nfilter_action", "\"c\"\nfilter_action"));
    assert!(host.failed(&["check"]).contains(":10:15: rule \"to b\" names the filter list \"c\""));
}

#[test]
fn rsop_tells_which_policies_apply_and_why_not_the_others() {
    let mut host = Host::new("rsop");
    let text = host.done(&["rsop"]);
    assert!(text.contains("the service does not run"), "{text}");
    assert!(text.contains("local: \"lab\", precedence 1, applies: the directory assigns no policy"), "{text}");
    assert!(text.contains("127.0.0.1 <-> 127.0.0.9, any") && !text.contains("sesame"), "{text}");
    fs::create_dir_all(host.root.join("var/lib/policyagent")).unwrap();
    fs::write(host.root.join("var/lib/policyagent/persistent.toml"), POLICY.replace("\"lab\"", "\"base\"")).unwrap();
    host.start();
    let set: Value = serde_json::from_str(&host.done(&["--format", "json", "rsop"])).unwrap();
    let told = set["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["store"].as_str(), row["name"].as_str(), &row["applies"]));
    let (yes, no) = (Value::from(true), Value::from(false));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            (Some("persistent"), Some("base"), &yes),
            (Some("directory"), None, &no),
            (Some("local"), Some("lab"), &yes),
            (Some("dynamic"), None, &no),
        ]
    );
    assert_eq!(set["service_runs"], true);
    assert!(host.failed(&["rsop", "--plan", "OU=x"]).contains("has no table [directory]"));
}

#[test]
fn the_service_runs_reloads_and_stops() {
    let mut host = Host::new("run");
    host.start();
    let status = host.status();
    assert_eq!(status["driver"]["name"], "memory");
    assert_eq!((&status["policy"]["name"], &status["policy"]["version"]), (&"lab".into(), &1.into()));
    assert_eq!((&status["policy"]["rules"][0], &status["oakley"]["enabled"]), (&"to b".into(), &true.into()));
    assert!(host.done(&["status"]).contains("driver        memory: chosen"));

    // A second one on the same root.
    let error = host.failed(&["run", "--driver", "memory", "--listen", "127.0.0.1:0"]);
    let pid = host.service.as_ref().unwrap().id();
    assert!(error.contains(&format!("another policyagent, process {pid}, serves")), "{error}");
    assert!(host.done(&["status"]).contains("policyagent"), "the first is as it was");

    // A broken policy changes nothing, and status says so.
    host.write_policy(&POLICY.replace("negotiate", "negociate"));
    let error = host.failed(&["reload"]);
    assert!(error.contains(":20:10:") && error.contains("the policy before stays in force"), "{error}");
    let status = host.status();
    assert_eq!((&status["policy"]["version"], &status["policy"]["rules"][0]), (&1.into(), &"to b".into()));
    assert!(status["policy"]["error"].as_str().unwrap().contains(":20:10:"));
    assert!(host.done(&["status"]).contains("the file as it is now is not in force"));

    host.write_policy(&POLICY.replace("\"to b\"", "\"to c\""));
    assert!(host.done(&["reload"]).contains("version 2"));
    let status = host.status();
    assert_eq!((&status["policy"]["rules"][0], &status["policy"]["error"]), (&"to c".into(), &Value::Null));

    host.write_policy(&POLICY.replace("\"to b\"", "\"to d\""));
    host.signal(nix::sys::signal::Signal::SIGHUP);
    host.until("SIGHUP reloads", |host| host.status()["policy"]["rules"][0] == "to d");

    // Nothing to work on: what there is is named.
    let error = host.failed(&["initiate", "to e"]);
    assert!(error.contains("did you mean \"to d\"? allowed: to d"), "{error}");
    assert!(host.failed(&["terminate", "--peer", "127.0.0.9"]).contains("there is no SA with 127.0.0.9"));
    assert!(host.failed(&["rekey", "--ike-sa", "7"]).contains("there is no ISAKMP SA 7, allowed: none"));
    assert!(host.done(&["terminate", "--all"]).contains("0 ISAKMP SAs"));

    // The log, and its switch.
    assert!(host.done(&["log"]).lines().count() > 0);
    assert_eq!(host.done(&["log", "-n", "1"]).lines().count(), 1);
    assert!(host.done(&["--format", "json", "log", "-n", "1"]).starts_with("{\"line\":"));
    assert!(host.done(&["log", "--switch", "off"]).contains("off"));
    assert_eq!(host.status()["oakley"]["enabled"], false);

    let began = Instant::now();
    assert_eq!(host.done(&["stop"]), "stopped\n");
    assert!(host.ended().success());
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(!host.root.join("run/policyagent/control.sock").exists());
    assert!(host.failed(&["status"]).contains("no policyagent is running"));
}

#[test]
fn edits_are_noticed_by_themselves() {
    let mut host = Host::new("noticed");
    host.start();
    let state = host.root.join("var/lib/policyagent");
    let rules = |host: &Host| host.status()["policy"]["rules"].as_array().unwrap().clone();
    let version = |host: &Host| host.status()["policy"]["version"].as_u64().unwrap();
    // In place, as an editor may write; and by another file, as tools do.
    host.write_policy(&POLICY.replace("\"to b\"", "\"to c\""));
    host.until("a file that was written is read", |host| rules(host) == ["to c"]);
    let new = host.policy().with_extension("new");
    fs::write(&new, POLICY.replace("\"to b\"", "\"to d\"")).unwrap();
    fs::rename(&new, host.policy()).unwrap();
    host.until("a file that was replaced is read", |host| rules(host) == ["to d"]);

    // A key that the policy names, and that is not there at first.
    let keyed = POLICY.replace("preshared_key = \"open sesame\"", "preshared_key_file = \"keys/b\"");
    host.write_policy(&keyed);
    host.until("the file that is missing is named", |host| host.status()["policy"]["error"].is_string());
    assert_eq!(rules(&host), ["to d"]);
    fs::create_dir(host.policy().with_file_name("keys")).unwrap();
    fs::write(host.policy().with_file_name("keys").join("b"), "open sesame").unwrap();
    host.until("the key is read", |host| rules(host) == ["to b"]);
    assert_eq!(host.status()["policy"]["error"], Value::Null);
    let before = version(&host);
    fs::write(host.policy().with_file_name("keys").join("b"), "open poppy").unwrap();
    host.until("another key is read", |host| version(host) == before + 1);

    // The persistent store, which was not there at all. A second edit is noticed, too; and what stays the same is not new.
    fs::write(state.join("persistent.toml"), POLICY).unwrap();
    host.until("the persistent store is read", |host| rules(host) == ["to b (persistent)", "to b"]);
    let before = version(&host);
    fs::write(state.join("persistent.toml"), POLICY).unwrap();
    let marker = POLICY.replace("open sesame", "open maize");
    host.write_policy(&marker);
    host.until("what was written after it is read", |host| version(host) > before);
    assert_eq!(version(&host), before + 1);

    // Many edits are not many versions.
    for n in 0..200 {
        host.write_policy(&POLICY.replace("\"to b\"", &format!("\"to {n}\"")));
    }
    host.until("the last of many edits is read", |host| rules(host)[1] == "to 199");
    assert!(version(&host) <= before + 20, "{}", host.status()["policy"]);
    assert_eq!(host.status()["policy"]["stores"][0]["version"], 1);
    assert!(host.done(&["status"]).contains("    persistent  lab, version 1 since"), "{}", host.done(&["status"]));
}

#[test]
fn settings_that_take_effect_at_once_do() {
    let mut host = Host::new("live");
    host.start();
    let settings = host.root.join("etc/policyagent/policyagent.toml");
    assert_eq!(host.status()["oakley"]["enabled"], true, "by the command line");
    fs::write(&settings, "[oakley]\nEnableLogging = 1\n[IPsec]\nNoDefaultExempt = 0\n").unwrap();
    host.until("the settings are read", |host| host.status()["settings"]["pending"].as_array().unwrap().len() == 1);
    let text = host.done(&["status"]);
    assert!(text.contains("  settings      NoDefaultExempt: when the service is started again\n"), "{text}");
    fs::write(&settings, "[oakley]\nEnableLogging = 0\n").unwrap();
    host.until("the trace is switched off", |host| host.status()["oakley"]["enabled"] == false);
    assert_eq!(host.status()["settings"]["pending"], Value::Array(Vec::new()));
    fs::write(&settings, "[oakley]\nEnableLogging = 0\n[ike]\ntransmissions = 4\n[key_log]\nenabled = true\n").unwrap();
    let pending =
        ["[key_log]: when the service is started again", "[ike] or NLBSFlags: when the service is started again"];
    host.until("other settings are told", |host| {
        host.status()["settings"]["pending"] == Value::from(pending.as_slice())
    });
    fs::write(&settings, "[oakley]\nEnableLogging = 2\n").unwrap();
    host.until("the fault is told", |host| host.status()["settings"]["error"].is_string());
    assert_eq!(host.status()["oakley"]["enabled"], false);
}

/// The time that the service has computed so far, seconds.
fn computed(host: &Host) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", host.service.as_ref().unwrap().id())).unwrap();
    // User and system time are the 12th and 13th field behind the name, in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

#[test]
fn ten_thousand_rules_are_read_and_compiled_in_no_time() {
    const COUNT: u32 = 10_000;
    let (head, rest) = POLICY.split_once("[[policy.rule]]").unwrap();
    let (_, action) = rest.split_once("[[filter_action]]").unwrap();
    let mut text = head.to_owned();
    for n in 0..COUNT {
        text += &format!(
            "[[policy.rule]]\nname = \"rule {n}\"\nfilter_list = \"list {n}\"\nfilter_action = \"require\"\n\
             authentication = [{{ preshared_key = \"open sesame\" }}]\n"
        );
    }
    for n in 0..COUNT {
        let peer = std::net::Ipv4Addr::from_bits(0x0a00_0000 + n);
        text += &format!(
            "[[filter_list]]\nname = \"list {n}\"\nfilters = [{{ source = \"127.0.0.1\", destination = \"{peer}\" }}]\n"
        );
    }
    text = text + "[[filter_action]]" + action;
    let mut host = Host::new("many");
    host.write_policy(&text);
    host.start();
    let before = computed(&host);
    host.write_policy(&text.replace("\"rule 7\"", "\"another\""));
    host.until("the edit is in force", |host| {
        fs::read_to_string(host.root.join("stderr")).unwrap().contains("version 2 is in force")
    });
    let spent = computed(&host) - before;
    // Without optimisation 0.5 s; 2.2 s when each rule's list was looked for among all.
    assert!(spent < 1.5, "{spent} s");
    assert_eq!(host.status()["policy"]["rules"][7], "another");
}

#[test]
fn what_was_good_stays_in_force_across_a_restart() {
    let mut host = Host::new("last-good");
    host.start();
    host.write_policy(&POLICY[..POLICY.len() / 2]);
    host.until("the fault is seen", |host| host.status()["policy"]["error"].is_string());
    host.done(&["stop"]);
    host.ended();
    host.start();
    let policy = host.status()["policy"].clone();
    assert_eq!((&policy["rules"][0], &policy["stores"][2]["state"]), (&"to b".into(), &"last_good".into()), "{policy}");
    let log = fs::read_to_string(host.root.join("stderr")).unwrap();
    assert!(log.contains("policy.toml:") && !log.contains("sesame"), "{log}");
    assert!(host.done(&["status"]).contains("    local       lab, the last good version, "));
    host.write_policy(POLICY);
    host.until("it is repaired", |host| host.status()["policy"]["stores"][2]["state"] == "in_force");
}

/// What the service answers to a line with a document behind it; the document of the answer has `octets` octets.
fn asked(host: &Host, line: &str, document: &str) -> (Value, String) {
    let mut stream = UnixStream::connect(host.root.join("run/policyagent/control.sock")).unwrap();
    write!(stream, "{line}\n{document}").unwrap();
    let mut reader = BufReader::new(stream);
    let mut answer = String::new();
    reader.read_line(&mut answer).unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let mut document = vec![0; answer["octets"].as_u64().and_then(|n| n.try_into().ok()).unwrap_or_default()];
    reader.read_exact(&mut document).unwrap();
    (answer, String::from_utf8(document).unwrap())
}

#[test]
fn the_dynamic_policy_is_that_of_the_running_service() {
    let mut host = Host::new("dynamic");
    host.start();
    let get = |host: &Host| asked(host, r#"{"version":1,"command":"dynamic_policy"}"#, "");
    let set = |host: &Host, revision: &Value, text: &str| {
        let octets = text.len();
        let line = format!(r#"{{"version":1,"command":"set_dynamic_policy","revision":{revision},"octets":{octets}}}"#);
        asked(host, &line, text).0
    };
    let (first, text) = get(&host);
    assert_eq!((&first["reply"], text.as_str()), (&"dynamic_policy".into(), ""));
    let document = POLICY.replace("assigned = true\n", "").replace("\"lab\"", "\"by hand\"");
    assert_eq!(set(&host, &first["revision"], &document)["reply"], "done");
    let (second, text) = get(&host);
    assert_eq!(text, document);
    let policy = host.status()["policy"].clone();
    assert_eq!((&policy["name"], &policy["rules"][1]), (&"lab, by hand".into(), &"to b (dynamic)".into()));
    assert_eq!(policy["stores"][3]["policies"][0], "by hand");
    assert!(host.failed(&["initiate", "to bb"]).contains("allowed: to b, to b (dynamic)"));

    // Somebody who has seen another version; one with a fault; the same again.
    let other = set(&host, &first["revision"], "");
    assert_eq!((&other["reply"], &other["revision"]), (&"other_revision".into(), &second["revision"]));
    let fault = set(&host, &second["revision"], &document.replace("negotiate", "negociate"));
    assert!(fault["message"].as_str().unwrap().starts_with("dynamic policy:19:10: action of"), "{fault}");
    assert_eq!(set(&host, &second["revision"], &document)["reply"], "done");
    assert_eq!(get(&host), (second.clone(), document));
    assert_eq!(host.status()["policy"]["version"], policy["version"]);

    // It ends with the service.
    host.done(&["stop"]);
    host.ended();
    host.start();
    let (third, text) = get(&host);
    assert!(text.is_empty() && third["revision"] != second["revision"] && third["revision"] != first["revision"]);
    assert_eq!(host.status()["policy"]["rules"].as_array().unwrap().len(), 1);
}

#[test]
fn a_negotiation_that_fails_is_told_with_its_reason() {
    let mut host = Host::new("initiate");
    let settings = "[ike]\nretransmit_first_milliseconds = 100\ntransmissions = 2\n";
    fs::write(host.root.join("etc/policyagent/policyagent.toml"), settings).unwrap();
    host.start();
    let error = host.failed(&["initiate", "to b", "--wait", "20"]);
    assert!(error.contains("rule \"to b\": no answer from 127.0.0.9:500 to main mode message 1 after 2"), "{error}");
    assert!(error.contains("13805 TIMED_OUT"), "{error}");
    let output = host.call(&["--format", "json", "initiate", "to b"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["succeeded"], &report["status"]["code"]), (&false.into(), &13805.into()));
    assert_eq!(host.status()["counters"]["main_modes_failed"], 2);
    let log = host.done(&["log"]);
    assert!(log.contains("127.0.0.9") && !log.contains("sesame"), "{log}");
}

#[test]
fn sigterm_ends_it_cleanly_and_a_crash_leaves_nothing_that_hinders_the_next() {
    let mut host = Host::new("signals");
    host.start();
    host.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(host.ended().success());
    host.start();
    host.signal(nix::sys::signal::Signal::SIGKILL);
    assert!(!host.ended().success());
    assert!(host.root.join("run/policyagent/control.sock").exists(), "left by the crash");
    assert!(host.failed(&["status"]).contains("no policyagent is running"));
    host.start();
    assert_eq!(host.status()["policy"]["name"], "lab");
    assert!(host.root.join("var/log/policyagent/Oakley.log.sav").exists(), "the log of the run before is kept");
}

#[test]
fn the_service_has_no_more_capabilities_than_it_needs() {
    let mut host = Host::new("capabilities");
    host.start();
    let path = format!("/proc/{}/task", host.service.as_ref().unwrap().id());
    // CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW.
    let kept: u64 = 1 << 10 | 1 << 12 | 1 << 13;
    let mut threads = 0;
    for task in fs::read_dir(path).unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        for set in ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:"] {
            let digits = status.lines().find_map(|line| line.strip_prefix(set)).unwrap().trim();
            let held = u64::from_str_radix(digits, 16).unwrap();
            assert_eq!(held & !kept, 0, "{set} {digits}");
        }
        assert!(status.contains("NoNewPrivs:\t1"), "{status}");
        threads += 1;
    }
    assert!(threads > 1);
}

#[test]
fn the_service_manager_is_told() {
    let mut host = Host::new("notify");
    let path = host.root.join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let arguments = ["run", "--driver", "memory", "--listen", "127.0.0.1:0"];
    let mut command = host.command(&arguments);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000").stderr(Stdio::null());
    host.service = Some(command.spawn().unwrap());
    let next = || {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).expect("in time");
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    };
    assert_eq!((next(), next(), next()), ("READY=1".into(), "WATCHDOG=1".into(), "WATCHDOG=1".into()));
    host.signal(nix::sys::signal::Signal::SIGTERM);
    while next() != "STOPPING=1" {}
    assert!(host.ended().success());
}

#[test]
fn settings_with_faults_and_a_missing_policy_end_the_start() {
    let host = Host::new("start");
    let settings = host.root.join("etc/policyagent/policyagent.toml");
    fs::write(&settings, "drivr = \"memory\"\n").unwrap();
    let error = host.failed(&["run"]);
    assert!(error.contains(":1:1: the file has no key \"drivr\"; did you mean \"driver\"?"), "{error}");
    fs::remove_file(&settings).unwrap();
    let error = host.failed(&["run", "--driver", "memory", "--policy", "/nonexistent/policy.toml"]);
    assert!(error.contains("/nonexistent/policy.toml: No such file"), "{error}");
    let error = host.failed(&["run", "--driver", "memory", "--listen", "192.0.2.77:5000"]);
    assert!(error.contains("192.0.2.77:5000"), "{error}");
    let _ = fs::remove_dir_all(host.root.join("run"));
    fs::write(host.root.join("run"), "").unwrap();
    assert!(host.failed(&["run", "--driver", "memory"]).contains("run/policyagent:"));
}

#[test]
fn man_pages_and_completions_are_written() {
    let host = Host::new("generate");
    let names = |what: &str| {
        let directory = host.root.join(what);
        host.done(&["generate", what, directory.to_str().unwrap()]);
        let entries = fs::read_dir(&directory).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let man = names("man");
    assert!(man.contains(&"policyagent.1".into()) && man.contains(&"policyagent-initiate.1".into()), "{man:?}");
    assert!(!man.iter().any(|name| name.contains("generate")), "{man:?}");
    assert_eq!(names("completions"), ["_policyagent", "policyagent.bash", "policyagent.fish"]);
}

#[test]
fn the_control_socket_can_be_used_by_hand() {
    let mut host = Host::new("socket");
    host.start();
    let mut stream = UnixStream::connect(host.root.join("run/policyagent/control.sock")).unwrap();
    stream.write_all(b"{\"version\":1,\"command\":\"status\"}\n").unwrap();
    let mut answer = String::new();
    std::io::BufRead::read_line(&mut BufReader::new(&stream), &mut answer).unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((&answer["reply"], &answer["driver"]["name"]), (&"status".into(), &"memory".into()));
    assert!(Path::new(answer["service"]["root"].as_str().unwrap()).ends_with(host.root.file_name().unwrap()));
}
