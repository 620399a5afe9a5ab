//! `policyagent explain`.
use super::{Host, POLICY, stderr};
use serde_json::Value;
use std::fs;
use std::path::Path;

#[test]
fn explain_tells_what_becomes_of_traffic_and_why() {
    let host = Host::new("explain");
    let text = host.done(&["explain", "127.0.0.1", "127.0.0.9"]);
    assert!(
        text.starts_with(
            "127.0.0.1 <-> 127.0.0.9, icmp\n  negotiate: rule \"to b\", filter 127.0.0.1 <-> 127.0.0.9, weight 512\n"
        ),
        "{text}"
    );
    assert!(text.contains("  written as  127.0.0.1 <-> 127.0.0.9, any (line 16)\n"), "{text}");
    assert!(text.contains("transport mode with 127.0.0.9") && text.contains("by          pre-shared key"), "{text}");
    assert!(!text.contains("sesame") && !text.contains("Why not"), "{text}");

    assert!(!text.contains("passes in clear"), "{text}");
    host.write_policy(&POLICY.replace("action = \"negotiate\"", "action = \"negotiate\"\nfallback_to_clear = true"));
    let falls_back = host.done(&["explain", "127.0.0.1", "127.0.0.9"]);
    assert!(falls_back.contains("  if the peer does not answer, it passes in clear\n"), "{falls_back}");
    host.write_policy(POLICY);

    let text = host.done(&["explain", "127.0.0.1", "127.0.0.8", "--remote-port", "443"]);
    assert!(text.contains("127.0.0.1 <-> 127.0.0.8[443], tcp\n  in clear: no filter is for it\n"), "{text}");
    assert!(
        text.contains(
            "rule \"to b\", 127.0.0.1 <-> 127.0.0.9, weight 512: its filter is for another address on the peer's side"
        ),
        "{text}"
    );

    let json = host.done(&["--format", "json", "explain", "127.0.0.1", "127.0.0.9", "--protocol", "udp"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&report["decides"]["rule"], &report["flow"]["protocol"]), (&"to b".into(), &"udp".into()));
    assert_eq!(report["decides"]["negotiation"]["mode"], "transport");
    assert_eq!(report["decides"]["generic"], "127.0.0.1 <-> 127.0.0.9, any");
    assert_eq!(report["others"], Value::Array(Vec::new()));

    assert!(host.failed(&["explain", "127.0.0.1", "::1"]).contains("127.0.0.1 and ::1 are not of one family"));
    let wrong = host.call(&["explain", "127.0.0.1", "127.0.0.9", "--protocol", "sctpp"]);
    let error = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(wrong.status.code() == Some(2) && error.contains("did you mean \"sctp\"? allowed: any"), "{error}");
}

#[test]
fn explain_tells_what_is_otherwise_for_packets_that_arrive() {
    let host = Host::new("direction");
    // A rule before the other, for what goes to the peer.
    let rule =
        "[[policy.rule]]\nname = \"not to b\"\nfilter_list = \"to b\"\nfilter_action = \"drop\"\n\n[[policy.rule]]";
    let policy = POLICY.replace("[[policy.rule]]", rule)
        + r#"
[[filter_list]]
name = "to b"
filters = [{ source = "127.0.0.1", destination = "127.0.0.9", mirrored = false }]

[[filter_action]]
name = "drop"
action = "block"
"#;
    host.write_policy(&policy);
    let text = host.done(&["explain", "127.0.0.1", "127.0.0.9"]);
    let leaving = "127.0.0.1 -> 127.0.0.9, icmp\n  block: rule \"not to b\", filter 127.0.0.1 -> 127.0.0.9, weight 512\n  \
                   written as  127.0.0.1 -> 127.0.0.9, any (line ";
    assert!(text.starts_with(leaving), "{text}");
    let arriving =
        "127.0.0.1 <- 127.0.0.9, icmp\n  negotiate: rule \"to b\", filter 127.0.0.1 <-> 127.0.0.9, weight 512\n";
    let other = "  rule \"not to b\", 127.0.0.1 -> 127.0.0.9, weight 512: its filter is for the other direction\n";
    assert!(text.contains(arriving) && text.ends_with(other), "{text}");
    let json = host.done(&["--format", "json", "explain", "127.0.0.1", "127.0.0.9"]);
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["decides"]["action"], "block");
    assert_eq!(report["inbound"]["decides"]["action"], "negotiate");
    // An exception for one direction is on purpose.
    let check = host.done(&["check"]);
    assert!(!check.contains("warning") && !check.contains("contradiction") && !check.contains("crossing"), "{check}");
}

#[test]
fn explain_tells_of_what_is_exempt() {
    let host = Host::new("exempt");
    let kerberos = ["explain", "127.0.0.1", "127.0.0.9", "--remote-port", "88"];
    assert!(host.done(&kerberos).contains("negotiate: rule"));
    fs::write(host.root.join("etc/policyagent/policyagent.toml"), "[IPsec]\nNoDefaultExempt = 0\n").unwrap();
    let text = host.done(&kerberos);
    assert!(text.contains("in clear: NoDefaultExempt of the settings exempts it from filters: "), "{text}");
    assert!(!text.contains("rule"), "{text}");
    assert!(host.done(&["explain", "127.0.0.1", "127.0.0.9"]).contains("negotiate: rule"));
}

#[test]
fn explain_tells_what_would_be_answered_to_a_proposal() {
    let host = Host::new("proposal");
    let explain = ["explain", "127.0.0.1", "127.0.0.9"];
    let with = |more: &[&'static str]| [&explain, more].concat();
    let text = host.done(&with(&["--main-mode", "3des-sha1-modp1024", "aes256-sha256-modp2048"]));
    let expected = "from 127.0.0.9 to 127.0.0.1\n  main mode, 2 transforms\n    refused: rule \"to b\": proposal 1 transform 1: \
                    Encryption Algorithm is 3DES-CBC (5), allowed: AES-CBC-256 (7)\n    chosen: rule \"to b\": proposal 1 \
                    transform 2: AES-CBC-256 SHA-256 MODP-2048 (14), pre-shared key (1), life 28800 s\n";
    assert_eq!(text, expected);
    let text = host.done(&with(&["--main-mode", "aes256-sha256-modp2048", "--by", "3"]));
    assert!(text.contains("Authentication Method is RSA signatures (3), allowed: pre-shared key (1)"), "{text}");
    assert!(text.ends_with("refused: nothing is acceptable to any rule for the peer\n"), "{text}");
    let text = host.done(&["explain", "127.0.0.1", "127.0.0.8", "--main-mode", "aes256-sha256-modp2048"]);
    assert!(text.contains("refused: no rule of the policy negotiates with 127.0.0.8"), "{text}");

    let text = host.done(&with(&["--quick-mode", "aes128-sha256", "aes256-sha256"]));
    assert!(
        text.contains("  quick mode for 127.0.0.1 <-> 127.0.0.9, transport mode\n    refused: rule \"to b\""),
        "{text}"
    );
    assert!(
        text.contains("ESP_AES-CBC-128 (12), allowed: ESP_AES-CBC-256 (12)") && text.contains("transform 2: ESP "),
        "{text}"
    );
    let arguments = with(&["--quick-mode", "aes256-sha256-modp2048", "--mode", "tunnel", "--remote-port", "80"]);
    let json = host.done(&[&["--format", "json"], arguments.as_slice()].concat());
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&report["main_mode"], &report["local"]), (&Value::Null, &"127.0.0.1".into()), "{report}");
    let rule = &report["quick_mode"]["rules"][0];
    assert_eq!((&rule["rule"], &rule["chosen"]), (&"to b".into(), &Value::Null), "{report}");
    assert_eq!(rule["refused"][0]["attribute"], "Encapsulation Mode", "{report}");
    let net = host.done(&with(&["--quick-mode", "aes256-sha256", "--remote-net", "127.0.0.0/24"]));
    assert!(net.contains("refused:") && net.contains("127.0.0.1 <-> 127.0.0.0/24"), "{net}");

    // A first message as it was on the wire, and as its digits.
    let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/message/main-1");
    let octets = fs::read(&seed).unwrap();
    let digits: String = octets.iter().map(|octet| format!("{octet:02x}\n")).collect();
    let hex = host.root.join("message.txt");
    fs::write(&hex, digits).unwrap();
    let of = |path: &Path| host.done(&[&explain[..], &["--packet", path.to_str().unwrap()]].concat());
    let text = of(&seed);
    assert!(text.contains("main mode, ") && text.contains(" rule \"to b\": proposal "), "{text}");
    assert_eq!(of(&hex), text);
    let third = seed.with_file_name("main-3");
    let error = host.failed(&[&explain[..], &["--packet", third.to_str().unwrap()]].concat());
    assert!(error.contains("it is not the first message of the exchange"), "{error}");
    fs::write(&hex, "01 02").unwrap();
    assert!(host.failed(&[&explain[..], &["--packet", hex.to_str().unwrap()]].concat()).contains("message.txt: "));

    let error = host.failed(&with(&["--quick-mode", "aes256-sha256-modp2048", "aes256-sha256"]));
    assert!(error.contains("one group in all its proposals"), "{error}");
    let wrong = stderr(&host.call(&with(&["--main-mode", "aes265-sha256-modp2048"])));
    assert!(wrong.contains("did you mean \"aes256\"?"), "{wrong}");
}
