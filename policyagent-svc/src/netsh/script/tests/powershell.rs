//! Scripts of PowerShell.
use super::*;

#[test]
fn powershell_takes_its_quotes_off() {
    let text = "\
# comment
$list = 'Partner Servers'
$n = Get-Thing
netsh ipsec static add filterlist name='Partner Link' description=\"it`\"s\" # comment
netsh ipsec static add filterlist name=$list `
  description='don''t'
& netsh.exe ipsec static add filterlist \"name=$list\" | Out-Null; netsh ipsec static dump > $null
netsh ipsec static add filterlist name=$n
Write-Host \"netsh ipsec static delete all\"
if ($x) { netsh ipsec static delete all }
netsh ipsec static set defaultrule P rootca=\"CN=\\'A, B\\' certmap:yes\" psk=''
netsh ipsec static add filterlist name='open
";
    assert_eq!(
        outcomes(Dialect::PowerShell, text),
        [
            "2:1 skipped the variable $list is set for this script",
            "3:1 skipped the variable $n is set to what is no text",
            "4:1 ipsec static add filterlist name=\"Partner Link\" description=\"it\\'s\"",
            "5:1 ipsec static add filterlist name=\"Partner Servers\" description=\"don't\"",
            "7:3 ipsec static add filterlist name=\"Partner Servers\"",
            "7:56 skipped \"Out-Null\": only netsh is carried out",
            "7:66 ipsec static dump",
            "8:40 wrong the variable $n is not set in this script to a text",
            "9:1 skipped \"Write-Host\": only netsh is carried out",
            "10:1 wrong netsh stands behind \"if\", which is not carried out; allowed: netsh as a command of its own",
            "11:71 wrong psk is not what it must be; allowed: a key of at least one character, without control characters",
            "12:40 wrong a quote is opened here, and not closed",
        ]
    );
}

/// The variable that a script sets has the value that it sets, or none.
fn value(script: &str) -> Vec<String> {
    carried_out(Dialect::PowerShell, &format!("{script}\nnetsh ipsec static add filterlist name=$p\n"))
}

#[test]
fn what_powershell_does_not_carry_out_is_not_carried_out() {
    for text in [
        "<# netsh ipsec static delete all #>",
        "cls <# a\nnetsh ipsec static delete all\n'# #> x",
        "$x = @\"\nnetsh ipsec static delete all\n \"@ \nnetsh ipsec static delete all\n\"@",
        "$x = @'\nnetsh ipsec static delete all\n\"@\nit's\n'@ | Out-Null",
        "$x = 'one\nnetsh ipsec static delete all\nit''s'",
        "$x = \"one `\"\nnetsh ipsec static delete all\n\"\"two\" # netsh\n",
        "Write-Host netsh ipsec static delete all",
    ] {
        assert!(carried_out(Dialect::PowerShell, text).is_empty(), "{text}");
        // And what follows is.
        let text = format!("{text}\nnetsh ipsec static dump");
        assert_eq!(carried_out(Dialect::PowerShell, &text), ["ipsec static dump"], "{text}");
    }
    for (text, at) in [("<# a\nnetsh x", "1:1"), ("$x = @'\nnetsh x", "1:6"), ("cls; 'a\nnetsh x", "1:6")] {
        let outcomes = outcomes(Dialect::PowerShell, text);
        let last = outcomes.last().unwrap();
        assert!(last.starts_with(at) && last.ends_with("is opened here, and not closed"), "{outcomes:?}");
    }
    let outcomes =
        carried_out(Dialect::PowerShell, "netsh ipsec static add filterlist name='a\nb' x; netsh ipsec static dump");
    assert!(outcomes[0].starts_with("wrong this text goes over several lines"), "{outcomes:?}");
    assert_eq!(outcomes[1..], ["ipsec static dump"]);
}

#[test]
fn netsh_of_powershell_that_may_not_be_reached_is_not_carried_out() {
    for text in [
        "function f {\n netsh ipsec static delete all\n}",
        "if ($x) {\nnetsh ipsec static delete all\n}",
        "if ($x)\n{\n  if ($y) { cls }\n  netsh ipsec static delete all\n}",
        "if ($x) { cls; netsh ipsec static delete all }",
        "if ($x) { cls } else { netsh ipsec static delete all }",
        "1..3 | ForEach-Object { netsh ipsec static delete all }",
        "$x = $(\nnetsh ipsec static delete all\n)",
        "[void](netsh ipsec static delete all)",
        "Invoke-Expression 'netsh ipsec static delete all'",
        "$c = 'netsh ipsec static delete all'; Invoke-Expression $c",
        "$c = \"$(netsh ipsec static delete all)\"",
        "Write-Host (netsh ipsec static dump)",
        "Write-Host \"all: $(netsh ipsec static dump)\"",
        "cls && netsh ipsec static delete all",
        "cls || netsh ipsec static delete all",
        "exit\nnetsh ipsec static delete all",
        "if ($x) { exit 1 }\nnetsh ipsec static delete all",
        "throw 'no'; netsh ipsec static delete all",
        "if ($x) {\nreturn\n}\nnetsh ipsec static delete all",
        "break\nnetsh ipsec static delete all",
    ] {
        let outcomes = carried_out(Dialect::PowerShell, text);
        assert!(outcomes.len() == 1 && is_uncertain(&outcomes[0]), "{text}: {outcomes:?}");
    }
    for text in [
        "if ($x) { cls }\nnetsh ipsec static dump",
        "function f {\nreturn 1\n}\nnetsh ipsec static dump",
        "Write-Host please exit\nnetsh ipsec static dump",
        "foreach ($i in 1..3) { break }\nnetsh ipsec static dump",
        "Write-Host '{(' \"{\" `{ # {\nnetsh ipsec static dump",
    ] {
        assert_eq!(carried_out(Dialect::PowerShell, text), ["ipsec static dump"], "{text}");
    }
    let outcomes = carried_out(Dialect::PowerShell, "netsh ipsec static add filterlist name=(Get-Name)");
    assert!(outcomes[0].starts_with("wrong brackets outside quotes"), "{outcomes:?}");
}

#[test]
fn variables_of_powershell_keep_no_value_that_they_may_not_have() {
    assert_eq!(value("$p = 'Web'"), ["ipsec static add filterlist name=Web"]);
    assert_eq!(value("$p = 'Mail'\n  $p='Web'; $q = Get-Thing"), ["ipsec static add filterlist name=Web"]);
    assert_eq!(value("$p = 'Web'\nfunction f {\n$q = 'x'\n}"), ["ipsec static add filterlist name=Web"]);
    for change in [
        "$p += 'x'",
        "$p+='x'",
        "$p = 'a' + 'b'",
        "$p = @'\nx\n'@",
        "$p = 'a\nb'",
        "$p = $q = 'x'",
        "$q = $p = 'x'",
        "if ($x) { $p = 'x' }",
        "if ($x) {\n$p = 'x'\n}",
        "foreach ($p in 'a', 'b') { cls }",
        "$p, $q = 'a', 'b'",
        "[string]$p = 'x'",
        "$script:p = 'x'",
        "$p = netsh ipsec static dump",
        "cls && $p = 'x'",
        ". .\\other.ps1",
        "Set-Variable p x",
        "$p++",
    ] {
        let outcomes = value(&format!("$p = 'Web'\n{change}"));
        let last = outcomes.last().unwrap();
        assert!(last.starts_with("wrong the variable $p is not set"), "{change}: {outcomes:?}");
    }
    let outcomes =
        value("$p = 'Web'\nnetsh ipsec static add filterlist $p.Length\nnetsh ipsec static add filterlist \"$p.txt\"");
    assert!(outcomes[0].starts_with("wrong the variable $p"), "{outcomes:?}");
    assert_eq!(outcomes[1], "ipsec static add filterlist name=Web.txt");
}

#[test]
fn what_may_be_a_part_of_a_key_is_not_told() {
    for word in ["psk=\"a$sesame b\"", "psk=$sesame", "\"psk=${sesame}\""] {
        let outcomes = outcomes(Dialect::PowerShell, &format!("netsh ipsec static set defaultrule P {word}"));
        assert!(outcomes.len() == 1 && outcomes[0].contains(" wrong this variable "), "{outcomes:?}");
        assert!(!outcomes[0].contains("sesame"), "{outcomes:?}");
    }
}

#[test]
fn netsh_whose_output_is_kept_is_carried_out() {
    for text in [
        "$null = netsh ipsec static dump",
        "$x=netsh ipsec static dump",
        "$x= netsh.exe ipsec static dump",
        "$x = & netsh ipsec static dump",
        "$n = 'netsh'\n& $n ipsec static dump",
    ] {
        assert_eq!(carried_out(Dialect::PowerShell, text), ["ipsec static dump"], "{text}");
    }
    assert_eq!(outcomes(Dialect::PowerShell, "$null = netsh ipsec static dump"), ["1:9 ipsec static dump"]);
    // What a variable that is not known calls may be netsh.
    assert!(
        carried_out(Dialect::PowerShell, "& $n ipsec static dump")[0].starts_with("wrong this variable is not set")
    );
}
