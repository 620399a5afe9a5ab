//! The grammars of values.
use super::*;

/// How a side is printed.
fn source(address: &str) -> String {
    let printed = canonical(&format!("ipsec static add filter F {address} dstaddr=any"));
    let (_, rest) = printed.split_once("srcaddr=").unwrap();
    rest.split_once(" dstaddr").unwrap().0.to_owned()
}

fn refused(line: &str) -> String {
    error(Context::Root, line).1
}

#[test]
fn an_address_is_a_word_an_address_a_block_a_range_or_a_name() {
    for (written, meant) in [
        ("Me", "me"),
        ("ANY", "any"),
        ("any srcmask=32", "any"),
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7 srcmask=255.255.255.255", "192.0.2.7"),
        ("192.0.2.7 srcmask=32", "192.0.2.7"),
        ("192.0.2.7 srcmask=24", "192.0.2.0 srcmask=255.255.255.0"),
        ("192.0.2.7/24", "192.0.2.0 srcmask=255.255.255.0"),
        ("192.0.2.7/255.255.255.0", "192.0.2.0 srcmask=255.255.255.0"),
        ("0.0.0.0 srcmask=255.255.255.255", "me"),
        ("0.0.0.0 srcmask=0.0.0.0", "any"),
        ("10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9"),
        ("10.0.0.1-10.0.0.1", "10.0.0.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8::1 srcmask=32", "2001:db8:: srcmask=32"),
        ("2001:db8::1-2001:db8::9", "2001:db8::1-2001:db8::9"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("Host.Example", "host.example"),
        ("host.example. srcmask=255.255.255.255", "host.example."),
        ("fileserver7", "fileserver7"),
    ] {
        assert_eq!(source(written), meant, "{written}");
    }
}

#[test]
fn what_is_no_address_is_refused() {
    for wrong in [
        // The comma of an example in the wild.
        "192,168.2.10",
        "10.0.0.256",
        "10.0.0",
        "192.168.2",
        "10.0.0.9-10.0.0.1",
        "10.0.0.1-2001:db8::1",
        "10.0.0.0/33",
        "10.0.0.0/255.0.255.0",
        "10.0.0.0/",
        "2001:db8::/129",
        "fe80::1",
        "2001:db8::1%eth0",
        "fe80::1-fe80::2",
        "0.0.0.0",
        "::",
        "ny",
        "-host.example",
        "ho st",
    ] {
        let message = refused(&format!("ipsec static add filter F srcaddr=\"{wrong}\" dstaddr=any"));
        assert!(message.starts_with(&format!("srcaddr is {wrong:?}")), "{wrong}: {message}");
    }
    let message = refused("ipsec static add filter F srcaddr=ny dstaddr=me");
    assert!(message.starts_with("srcaddr is \"ny\"; did you mean \"any\"? allowed: me, any, an address"), "{message}");
}

#[test]
fn masks_are_ones_then_zeros_and_not_for_ranges() {
    for (written, at, expected) in [
        ("add filter F 10.0.0.0 any srcmask=255.0.255.0", 35, "srcmask is \"255.0.255.0\", allowed: a mask whose ones"),
        ("add filter F 10.0.0.0 any srcmask=33", 35, "srcmask is \"33\""),
        ("add filter F 2001:db8:: any srcmask=255.0.0.0", 37, "srcmask is \"255.0.0.0\", allowed: the length"),
        ("add filter F 10.0.0.1-10.0.0.2 any srcmask=24", 44, "srcmask is given, but srcaddr is a range"),
        ("add filter F host.example any srcmask=24", 39, "srcmask is given, but srcaddr is a name"),
        ("delete sa srcmask=24", 19, "srcmask is given without srcaddr; allowed: both"),
        ("delete sa any srcmask=x", 23, "srcmask is \"x\""),
    ] {
        let context = if written.contains("sa ") { Context::Dynamic } else { Context::Static };
        let (column, message) = error(context, written);
        assert!(message.starts_with(expected), "{written}: {message}");
        assert_eq!(column, at, "{written}: {message}");
    }
}

#[test]
fn the_other_side_of_a_server_is_me_or_left_out() {
    let printed = |line: &str| canonical(&format!("ipsec static add filter F {line}"));
    for line in ["srcaddr=DHCP", "srcaddr=dhcp dstaddr=me", "srcaddr=DHCP dstaddr=0.0.0.0 dstmask=255.255.255.255"] {
        assert!(printed(line).contains("srcaddr=dhcp dstaddr=me "), "{line}");
    }
    for server in ["wins", "dns", "gateway"] {
        assert!(printed(&format!("dstaddr={server}")).contains(&format!("srcaddr=me dstaddr={server} ")));
    }
    for wrong in [
        "srcaddr=dns dstaddr=any",
        "srcaddr=10.0.0.1 dstaddr=wins",
        "srcaddr=dns dstaddr=dhcp",
        "srcaddr=me dstaddr=me",
    ] {
        refused(&format!("ipsec static add filter F {wrong}"));
    }
    assert!(
        refused("ipsec static add filter F srcaddr=10.0.0.1")
            .starts_with("add filter has no dstaddr, which is required")
    );
    assert!(refused("ipsec static add filter F srcaddr=10.0.0.1 dstaddr=2001:db8::1").contains("not of one family"));
}

#[test]
fn protocols_go_by_name_or_number_and_some_have_ports() {
    for (written, meant) in [
        ("any", "any"),
        ("0", "any"),
        ("ICMP", "icmp"),
        ("6", "tcp"),
        ("u", "udp"),
        ("raw", "raw"),
        ("255", "raw"),
        ("gre", "47"),
        ("50", "50"),
    ] {
        let printed = canonical(&format!("ipsec static add filter F me any protocol={written}"));
        assert!(printed.contains(&format!(" protocol={meant} ")), "{printed}");
    }
    for wrong in ["256", "-1", "+6", "tpc", ""] {
        let message = refused(&format!("ipsec static add filter F me any protocol=\"{wrong}\""));
        assert!(message.starts_with(&format!("protocol is {wrong:?}")), "{message}");
    }
    assert!(refused("ipsec static add filter F me any protocol=icnp").contains("did you mean \"icmp\"?"));
    canonical("ipsec static add filter F me any protocol=sctp srcport=1 dstport=65535");
    canonical("ipsec static add filter F me any srcport=0 dstport=0");
    let message = refused("ipsec static add filter F me any dstport=80");
    assert!(message.starts_with("dstport is 80, but the protocol any has no ports"), "{message}");
    assert!(refused("ipsec static add filter F me any protocol=tcp dstport=65536").starts_with("dstport is \"65536\""));
}

#[test]
fn numbers_keep_to_their_bounds() {
    for (parameter, least, most) in [
        ("ipsec static add policy P mmlifetime=", 1, 2879_u64),
        ("ipsec static add policy P pollinginterval=", 1, 35_790),
        ("ipsec static add policy P qmpermm=", 0, 2_147_483_647),
        ("ipsec dynamic add mmpolicy M softsaexpirationtime=", 1, 2879),
        ("ipsec dynamic set config ipsecloginterval value=", 60, 86_400),
        ("ipsec dynamic set config ipsecdiagnostics value=", 0, 7),
        ("ipsec dynamic set config ipsecexempt value=", 0, 3),
        ("ipsec dynamic set config strongcrlcheck value=", 0, 2),
        ("ipsec dynamic set config ikelogging value=", 0, 1),
    ] {
        canonical(&format!("{parameter}{least}"));
        canonical(&format!("{parameter}{most}"));
        let message = refused(&format!("{parameter}{}", most + 1));
        assert!(message.contains(&format!("from {least} to {most}")), "{message}");
        if least > 0 {
            refused(&format!("{parameter}{}", least - 1));
        }
        for wrong in ["-1", "+1", "1.5", "0x1", "\"\"", "99999999999999999999"] {
            refused(&format!("{parameter}{wrong}"));
        }
    }
    // Minutes are seconds in a command.
    let Command::Static(crate::netsh::command::Static::AddPolicy { policy, .. }) =
        command("ipsec static add policy P mmlifetime=480 pollinginterval=180")
    else {
        panic!("add policy")
    };
    assert_eq!((policy.main_mode_lifetime, policy.polling_interval), (Some(28_800), Some(10_800)));
}

#[test]
fn quick_mode_methods_have_algorithms_and_a_life() {
    let printed = |methods: &str| {
        let line = canonical(&format!("ipsec static add filteraction A qmsecmethods=\"{methods}\""));
        line.split_once("qmsecmethods=").unwrap().1.trim_matches('"').to_owned()
    };
    for (written, meant) in [
        ("ESP[3DES,SHA1]:2700s", "ESP[3DES,SHA1]:100000k/2700s"),
        ("esp[des,md5]:20480k", "ESP[DES,MD5]:20480k/3600s"),
        ("ESP[None,SHA1]:2147483647k/172799s", "ESP[None,SHA1]:2147483647k/172799s"),
        ("ESP[3DES,None]:0k/300s", "ESP[3DES,None]:0k/300s"),
        ("AH[MD5]:50000K/900S AH[SHA1]", "AH[MD5]:50000k/900s AH[SHA1]:100000k/3600s"),
        ("AH[SHA1]+ESP[DES,None]", "AH[SHA1]+ESP[DES,None]:100000k/3600s"),
        ("ESP[ AES256 , SHA256_96 ]".trim(), "ESP[AES256,SHA256_96]:100000k/3600s"),
        (
            "ESP[AESGCM128] ESP[AESGCM192_12,None]",
            "ESP[AESGCM128,None]:100000k/3600s ESP[AESGCM192_12,None]:100000k/3600s",
        ),
        ("ESP[CAMELLIA256,SHA512]+IPCOMP+ESN", "ESP[CAMELLIA256,SHA512]+IPCOMP+ESN:100000k/3600s"),
    ] {
        // Blanks part methods; within brackets there are none.
        if written.contains(" ,") {
            refused(&format!("ipsec static add filteraction A qmsecmethods=\"{written}\""));
            continue;
        }
        assert_eq!(printed(written), meant, "{written}");
    }
    for (wrong, at, part) in [
        ("ESP[None,None]", 5, "None,None"),
        ("ESP[3DES,None]+ESN", 1, "ESP[3DES,None]+ESN"),
        ("ESP[AES256]", 1, "ESP[AES256]"),
        ("ESP[AESGCM256,SHA1]", 5, "AESGCM256,SHA1"),
        ("ESP[3DES,SHA9]", 10, "SHA9"),
        ("ESP[ADES,SHA1]", 5, "ADES"),
        ("AH[SHA1] AH[None]", 13, "None"),
        ("ESP[3DES,SHA1]+AH[MD5]", 16, "AH[MD5]"),
        ("ESP[3DES,SHA1]:20479k", 16, "20479k"),
        ("ESP[3DES,SHA1]:299s", 16, "299s"),
        ("ESP[3DES,SHA1]:3600s/100000k", 16, "3600s/100000k"),
        ("ESP[3DES,SHA1]:", 16, ""),
        ("ESP:3DES-SHA1-1", 1, "ESP"),
        ("AES128", 1, "AES128"),
        ("", 1, ""),
    ] {
        let line = format!("add filteraction A qmsecmethods=\"{wrong}\"");
        let (column, message) = error(Context::Static, &line);
        assert!(message.starts_with(&format!("qmsecmethods is {part:?}")), "{wrong}: {message}");
        // The part's place is behind `add filteraction A qmsecmethods="`.
        assert!(column == 33 + at || wrong.is_empty(), "{wrong}: {message}");
    }
}

#[test]
fn main_mode_methods_have_cipher_hash_and_group() {
    let printed = |methods: &str| {
        let line = canonical(&format!("ipsec static add policy P mmsecmethods=\"{methods}\""));
        line.split_once("mmsecmethods=").unwrap().1.trim_matches('"').to_owned()
    };
    for (written, meant) in [
        ("3DES-SHA1-2", "3DES-SHA1-2"),
        ("des-md5-1  AES192-SHA512-3", "DES-MD5-1 AES192-SHA512-3"),
        ("AES256-SHA256-DH14", "AES256-SHA256-3"),
        ("AES256-SHA256-dhgroup24", "AES256-SHA256-DH24"),
        ("AES256-SHA384-ECDHP384", "AES256-SHA384-DH20"),
        ("CAMELLIA128-SHA1-DH5", "CAMELLIA128-SHA1-DH5"),
    ] {
        assert_eq!(printed(written), meant, "{written}");
    }
    // Group 3 is Windows' and not IANA's.
    let Command::Static(crate::netsh::command::Static::AddPolicy { policy, .. }) =
        command("ipsec static add policy P mmsecmethods=3DES-SHA1-3")
    else {
        panic!("add policy")
    };
    assert_eq!(policy.offers.unwrap()[0].group.id(), 14);
    for (wrong, at, part) in [
        ("3DES-SHA1", 1, "3DES-SHA1"),
        ("3DES-SHA1-4", 11, "4"),
        ("3DES-SHA1-DH99", 11, "DH99"),
        ("DES-MD5-1 3DES-SHA2-2", 16, "SHA2"),
        ("3DSE-SHA1-2", 1, "3DSE"),
    ] {
        let (column, message) = error(Context::Static, &format!("add policy P mmsecmethods=\"{wrong}\""));
        assert!(message.starts_with(&format!("mmsecmethods is {part:?}")), "{message}");
        assert_eq!(column, 27 + at, "{message}");
    }
}

#[test]
fn groups_of_quick_mode_go_by_windows_names_or_ianas_numbers() {
    for (written, meant) in [
        ("NOPFS", "NOPFS"),
        ("grpmm", "GRPMM"),
        ("GRP1", "GRP1"),
        ("grp3", "GRP3"),
        ("DH14", "GRP3"),
        ("dh21", "DH21"),
        ("ECDHP256", "DH19"),
    ] {
        let printed = canonical(&format!("ipsec dynamic add qmpolicy Q pfsgroup={written}"));
        assert!(printed.ends_with(&format!("pfsgroup={meant}")), "{printed}");
    }
    for wrong in ["GRP4", "14", "3", "yes", "DH0", "GRP"] {
        assert!(
            refused(&format!("ipsec dynamic add qmpolicy Q pfsgroup={wrong}")).starts_with("pfsgroup is"),
            "{wrong}"
        );
    }
}

#[test]
fn authorities_have_their_options_behind_the_name() {
    let printed = |value: &str| canonical(&format!("ipsec static set defaultrule policy=P rootca=\"{value}\""));
    let named = |name: &str| format!("ipsec static set defaultrule policy=P rootca=\"{name}\"");
    assert_eq!(printed("CN=A B"), named("CN=A B certmap:no excludecaname:no"));
    assert_eq!(printed("CN=A B  excludecaname:y  certmap:Yes"), named("CN=A B certmap:yes excludecaname:yes"));
    // What is no option is of the name.
    assert_eq!(printed("CN=urn:x y:z"), named("CN=urn:x y:z certmap:no excludecaname:no"));
    for wrong in ["", "A Root", "certmap:yes", "CN=A certmap:maybe", "CN=A certmap:yes certmap:no"] {
        assert!(refused(&named(wrong)).starts_with("rootca is"), "{wrong}");
    }
}

#[test]
fn boot_exemptions_have_ports_if_their_protocol_has() {
    let line = |value: &str| format!("ipsec dynamic set config bootexemptions value=\"{value}\"");
    for wrong in [
        "",
        "TCP:inbound",
        "ICMP:1:1:inbound",
        "TCP:80:80:sideways",
        "any:inbound",
        "0:inbound",
        "TCP:80:65536:inbound",
        "TCP",
    ] {
        assert!(refused(&line(wrong)).starts_with("value is"), "{wrong}");
    }
    canonical(&line("raw:in 47:out"));
}

#[test]
fn names_are_of_some_length_and_new_ones_not_all() {
    canonical(&format!("ipsec static add filterlist name={}", "ä".repeat(255)));
    for wrong in [String::new(), "x".repeat(256), "ALL".to_owned(), "a\u{7}b".to_owned()] {
        assert!(refused(&format!("ipsec static add filterlist name=\"{wrong}\"")).starts_with("name is"), "{wrong}");
    }
    for wrong in ["{3f91a819}", "3f91a819-7647-11d1-864d-d46a0000000g", "{3f91a819-7647-11d1-864d-d46a00000000"] {
        assert!(refused(&format!("ipsec static set policy guid={wrong}")).starts_with("guid is"), "{wrong}");
    }
}
