//! A boot mode in the words of the packet filter.
use super::{BootExemption, OperationMode, TABLE};
use std::fmt::Write as _;

/// What passes in either direction whatever the mode: how neighbours and routers of IPv6 find each other (RFC 4861, RFC 2710,
/// RFC 3810), without which nothing else could, and DHCP (RFC 2131, RFC 8415).
const ALWAYS: [&str; 4] = [
    "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, nd-redirect } accept",
    "icmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } accept",
    "udp sport { 67, 68 } udp dport { 67, 68 } accept",
    "udp sport { 546, 547 } udp dport { 546, 547 } accept",
];

/// The rules that put `mode` in force at once, in place of those that are so far.
pub(crate) fn ruleset(mode: OperationMode, exemptions: &[BootExemption]) -> String {
    let mut text = format!("add table inet {TABLE}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\n");
    // Writing to a String does not fail.
    let _ = write(&mut text, mode, exemptions);
    text + "}\n"
}

fn write(text: &mut String, mode: OperationMode, exemptions: &[BootExemption]) -> std::fmt::Result {
    writeln!(text, "\tcomment \"policyagent boot mode: {}\"", mode.name())?;
    let drop_or_accept = |passes: bool| if passes { "accept" } else { "drop" };
    let permits = mode == OperationMode::Permit;
    let out = permits || mode == OperationMode::Stateful;
    for (chain, passes, own, inbound) in [
        ("input", permits, "iifname", Some(true)),
        ("output", out, "oifname", Some(false)),
        ("forward", permits, "", None),
    ] {
        writeln!(text, "\tchain {chain} {{")?;
        writeln!(text, "\t\ttype filter hook {chain} priority filter; policy {};", drop_or_accept(passes))?;
        // What answers to what passed.
        writeln!(text, "\t\tct state established,related accept")?;
        if let Some(inbound) = inbound {
            writeln!(text, "\t\t{own} \"lo\" accept")?;
            for rule in ALWAYS {
                writeln!(text, "\t\t{rule}")?;
            }
            for exemption in exemptions.iter().filter(|exemption| exemption.inbound == inbound) {
                writeln!(text, "\t\t{}accept", traffic(exemption))?;
            }
        }
        writeln!(text, "\t}}")?;
    }
    Ok(())
}

/// The traffic of an exemption, with a space behind it.
fn traffic(exemption: &BootExemption) -> String {
    let BootExemption { protocol, source_port, destination_port, inbound: _ } = *exemption;
    let with_ports = match protocol {
        0 => return String::new(),
        6 => "tcp",
        17 => "udp",
        other => return format!("meta l4proto {other} "),
    };
    let mut text = format!("meta l4proto {protocol} ");
    for (end, port) in [("sport", source_port), ("dport", destination_port)] {
        if port != 0 {
            text += &format!("{with_ports} {end} {port} ");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_has_its_chains_and_exemptions_their_direction() {
        let exemptions: Vec<BootExemption> =
            ["TCP:0:22:inbound", "udp:500:500:outbound", "ICMP:inbound", "RAW:inbound", "any:outbound"]
                .into_iter()
                .map(|text| BootExemption::parse(text).expect("an exemption"))
                .collect();
        for (mode, input, output) in
            [(OperationMode::Block, "drop", "drop"), (OperationMode::Stateful, "drop", "accept")]
        {
            let text = ruleset(mode, &exemptions);
            assert!(
                text.starts_with("add table inet policyagent_boot\ndelete table inet policyagent_boot\n"),
                "{text}"
            );
            let chains: Vec<&str> = text.split("\tchain ").skip(1).collect();
            let [first, second, third] = chains.as_slice() else { panic!("three chains: {text}") };
            let policy = |verdict: &str| format!("priority filter; policy {verdict};");
            assert!(first.starts_with("input") && first.contains(&policy(input)), "{text}");
            assert!(second.starts_with("output") && second.contains(&policy(output)), "{text}");
            assert!(third.starts_with("forward") && third.contains(&policy("drop")), "{text}");
            for rule in ["meta l4proto 6 tcp dport 22 accept", "meta l4proto 1 accept", "meta l4proto 255 accept"] {
                assert!(first.contains(rule) && !second.contains(rule), "{rule}: {text}");
            }
            assert!(second.contains("meta l4proto 17 udp sport 500 udp dport 500 accept\n\t\taccept\n"), "{text}");
            assert!(!first.contains("\t\taccept"), "{text}");
        }
    }
}
