//! Batch files.
use super::*;

#[test]
fn of_a_batch_file_netsh_is_carried_out_and_nothing_else() {
    let text = "\
@echo off
setlocal
REM netsh ipsec static delete all
::netsh ipsec static delete all
rem ^
cls
Echo netsh ipsec static delete all
echo.
echo It doesn't matter
pause >nul
:label
  netsh.exe ipsec static add filterlist name=A > nul 2>&1
@C:\\Windows\\System32\\netsh.exe ipsec static add filterlist name=B>>\"C:\\log file.txt\"
\"%SystemRoot%\\system32\\netsh\" ipsec static add filterlist name=\"a & b > c ^ d\" & netsh ipsec static dump
ipconfig && netsh ipsec static show store || echo no
exit /b 0
del /q C:\\*
";
    assert_eq!(
        outcomes(Dialect::Batch, text),
        [
            "1:1 skipped echo prints only",
            "2:1 skipped \"setlocal\": only netsh is carried out",
            "6:1 skipped cls: the screen stays",
            "7:1 skipped echo prints only",
            "8:1 skipped echo prints only",
            "9:1 skipped echo prints only",
            "10:1 skipped pause: nobody waits",
            "11:1 skipped a label: there are no jumps",
            "12:3 ipsec static add filterlist name=A",
            "13:1 ipsec static add filterlist name=B",
            "14:1 ipsec static add filterlist name=\"a & b > c ^ d\"",
            "14:82 ipsec static dump",
            "15:1 skipped \"ipconfig\": only netsh is carried out",
            "15:13 wrong netsh stands behind \"&&\", and whether it is to run cannot be known; allowed: netsh as a command of its own",
            "15:46 skipped echo prints only",
            "16:1 skipped exit: there are no jumps, and what follows may not be reached",
            "17:1 skipped \"del\": only netsh is carried out",
        ]
    );
}

#[test]
fn carets_join_lines_and_places_stay_those_of_the_file() {
    let text = "netsh ipsec static ^\r\nadd filterlist ^\r\n  nam=A ^^x\r\nnetsh ipsec static add filterlist a^&b\r\n";
    assert_eq!(
        outcomes(Dialect::Batch, text),
        ["1:1 ipsec static add filterlist name=A description=\"^x\"", "4:1 ipsec static add filterlist name=\"a&b\"",]
    );
    let wrong = "netsh ipsec static ^\nadd filter F me ^\n   dstaddr=10.0.0.256";
    let outcome = &outcomes(Dialect::Batch, wrong)[0];
    assert!(outcome.starts_with("3:12 wrong dstaddr is \"10.0.0.256\""), "{outcome}");
    // At the end of the file, and behind an escaped caret, nothing is joined.
    assert_eq!(carried_out(Dialect::Batch, "netsh ipsec static dump ^"), ["ipsec static dump"]);
}

#[test]
fn variables_that_the_script_sets_are_filled_in_and_others_refused() {
    let text = "\
set LIST=Web
set \"HOST=10.0.0.1\"
SET /p ASK=who?
netsh ipsec static add filter %list% srcaddr=%Host% dstaddr=me description=100%%
netsh ipsec static add filterlist name=%ASK%
netsh ipsec static add filterlist name=%1
echo %NOBODY%
set LIST=
netsh ipsec static add filterlist name=%LIST%
";
    assert_eq!(
        carried_out(Dialect::Batch, text),
        [
            "ipsec static add filter filterlist=Web srcaddr=10.0.0.1 dstaddr=me description=100% protocol=any mirrored=yes srcport=0 dstport=0",
            "wrong the variable \"ASK\" is not set in this script; allowed: set NAME=VALUE before it",
            "wrong this is an argument of the batch file, and it has none",
            "wrong the variable \"LIST\" is not set in this script; allowed: set NAME=VALUE before it",
        ]
    );
}

#[test]
fn variables_that_double_themselves_come_to_an_end() {
    let mut text = "set A=0123456789\n".to_owned();
    text += &"set A=%A%%A%\n".repeat(100);
    text += "netsh ipsec static add filterlist name=%A%\n";
    let outcomes = carried_out(Dialect::Batch, &text);
    assert!(outcomes[0].starts_with("wrong "), "{outcomes:?}");
}

#[test]
fn netsh_behind_conditions_is_not_silently_left_out() {
    for line in [
        "if exist x netsh ipsec static dump",
        "for %%i in (a) do netsh ipsec static dump",
        "(netsh ipsec static dump)",
        "call netsh.exe ipsec static dump",
        // The rest of the line belongs to the condition.
        "if exist x del y & netsh ipsec static dump",
        "if not \"%1\"==\"\" netsh ipsec static dump",
        "if a == b netsh ipsec static dump",
        "if a==b if not defined c @netsh ipsec static dump",
        "if exist x (del y) else netsh ipsec static dump",
        "for /f \"tokens=*\" %%i in ('netsh ipsec static dump') do echo %%i",
        "for %%i in (a b) do @if exist %%i (echo it & netsh ipsec static dump)",
        "ipconfig && netsh ipsec static dump",
        "ipconfig || netsh ipsec static dump",
        "ipconfig && find x | netsh ipsec static dump",
        "ipconfig && (cls & cls) | netsh ipsec static dump",
    ] {
        let outcomes = carried_out(Dialect::Batch, line);
        assert!(outcomes.len() == 1 && is_uncertain(&outcomes[0]), "{line}: {outcomes:?}");
    }
    assert!(carried_out(Dialect::Batch, "if exist x del y\ngoto end\ncall other.cmd").is_empty());
    for line in [
        "(cls) & netsh ipsec static dump",
        "ipconfig && cls & netsh ipsec static dump",
        "echo :( & netsh ipsec static dump",
        "echo( & netsh ipsec static dump",
        "dir (a) ) | netsh ipsec static dump",
        "if a==b cls\nnetsh ipsec static dump",
    ] {
        assert_eq!(carried_out(Dialect::Batch, line), ["ipsec static dump"], "{line}");
    }
}

#[test]
fn netsh_in_blocks_of_several_lines_is_not_carried_out() {
    let text = "\
if exist x (
  netsh ipsec static delete all
  rem )
  echo ^) \")\" (of them)
  netsh ipsec static delete all
) else (
  netsh ipsec static delete all
)
for %%i in (a b) do (
  if exist %%i (
    cls
  ) & netsh ipsec static delete all
)
(
netsh ipsec static delete all
)
netsh ipsec static dump
";
    let outcomes = carried_out(Dialect::Batch, text);
    assert_eq!(outcomes.len(), 6, "{outcomes:?}");
    assert!(outcomes[..5].iter().all(|outcome| is_uncertain(outcome)), "{outcomes:?}");
    assert_eq!(outcomes[5], "ipsec static dump");
    // A block that is not closed goes to the end.
    let outcomes = carried_out(Dialect::Batch, "if exist x (\nnetsh ipsec static dump\nnetsh ipsec static dump\n");
    assert!(outcomes.len() == 2 && outcomes.iter().all(|outcome| is_uncertain(outcome)), "{outcomes:?}");
}

#[test]
fn netsh_behind_jumps_is_not_carried_out() {
    for jump in [
        "goto :eof",
        "goto end",
        "exit",
        "EXIT /b 1",
        "if exist x goto end",
        "ipconfig || exit/b",
        "if exist x (\ngoto end\n)",
        "other.cmd x",
        ":again\ncls\ngoto again",
    ] {
        let text = format!("netsh ipsec static dump\n{jump}\nnetsh ipsec static delete all\n:end\n");
        let outcomes = carried_out(Dialect::Batch, &text);
        assert!(
            outcomes.len() == 2 && outcomes[0] == "ipsec static dump" && is_uncertain(&outcomes[1]),
            "{outcomes:?}"
        );
    }
    // Where the script jumps back to, it is once or several times, or in a part that is called.
    for jump in ["goto again", "if exist x goto :AGAIN", "goto %X%", "call :again"] {
        let outcomes = carried_out(Dialect::Batch, &format!(":again\nnetsh ipsec static delete all\n{jump}\n"));
        assert!(outcomes.len() == 1 && is_uncertain(&outcomes[0]), "{jump}: {outcomes:?}");
    }
    for line in [
        ":again\nnetsh ipsec static dump",
        "call x.cmd\nnetsh ipsec static dump",
        "rem goto a\n:a\nnetsh ipsec static dump",
    ] {
        assert_eq!(carried_out(Dialect::Batch, line), ["ipsec static dump"], "{line}");
    }
}

#[test]
fn a_remark_takes_the_rest_of_its_line() {
    for line in [
        "cls & rem x & netsh ipsec static delete all",
        "cls & @REM & netsh ipsec static delete all",
        "cls &::& netsh x",
    ] {
        assert!(carried_out(Dialect::Batch, line).is_empty(), "{line}");
    }
    let text = "netsh ipsec static dump & rem | netsh ipsec static delete all\nnetsh ipsec static show store";
    assert_eq!(carried_out(Dialect::Batch, text), ["ipsec static dump", "ipsec static show store"]);
}

#[test]
fn variables_of_which_it_is_not_known_what_they_are_have_no_value() {
    for change in [
        "set P=%1",
        "set P=%UNSET%x",
        "if exist x set P=other",
        "if exist x (\nset P=other\n)",
        "for %%i in (a b) do set \"P=%%i\"",
        "ipconfig && set P=other",
        "set /a P+=1",
        "set /a \"P=5\"",
        "set /a Q=1, P=5",
        "set /a \"Q=(P*=2)\"",
        "set /a Q=P=5",
        "set /p P=what?",
        "set %X%=other",
        "call other.cmd",
        "endlocal",
        "exit\nset P=other",
    ] {
        let text = format!("set P=Web\n{change}\nset T=%P%\nnetsh ipsec static add filterlist name=%P%\n");
        let outcomes = carried_out(Dialect::Batch, &text);
        assert!(outcomes.len() == 1 && outcomes[0].starts_with("wrong "), "{change}: {outcomes:?}");
    }
    for change in ["set Q=%1", "set /a Q+=1", "if a==b set Q=x", "set /a Q=P+1"] {
        let text = format!("set P=Web\n{change}\nnetsh ipsec static add filterlist name=%P%\n");
        assert_eq!(carried_out(Dialect::Batch, &text), ["ipsec static add filterlist name=Web"], "{change}");
    }
}

#[test]
fn exclamation_marks_are_of_variables_once_the_script_says_so() {
    let script = |first: &str| format!("{first}\nset P=Web\nnetsh ipsec static add filterlist name=!P!\n");
    assert_eq!(carried_out(Dialect::Batch, &script("setlocal")), ["ipsec static add filterlist name=\"!P!\""]);
    let outcomes = carried_out(Dialect::Batch, &script("SETLOCAL EnableExtensions EnableDelayedExpansion"));
    assert!(outcomes.len() == 1 && outcomes[0].starts_with("wrong delayed expansion"), "{outcomes:?}");
    let text =
        "setlocal enabledelayedexpansion\nset P=Web\nset Q=x\nset Q=!P!\nnetsh ipsec static add filterlist name=%Q%\n";
    assert!(carried_out(Dialect::Batch, text)[0].starts_with("wrong the variable \"Q\" is not set"));
}

#[test]
fn what_may_be_a_part_of_a_key_is_not_told() {
    for line in [
        "netsh ipsec static set defaultrule P psk=100%sesame%",
        "netsh ipsec static set defaultrule P psk=a%sesame x & netsh psk=b%",
        "netsh ipsec static set defaultrule P psk=a%1sesame%b",
    ] {
        let outcomes = outcomes(Dialect::Batch, line);
        assert!(outcomes.iter().any(|outcome| outcome.contains(" wrong ")), "{outcomes:?}");
        assert!(outcomes.iter().all(|outcome| !outcome.contains("sesame")), "{outcomes:?}");
    }
}

#[test]
fn what_is_missing_in_one_command_is_not_missing_in_the_next() {
    let text = "echo %UNSET% & netsh ipsec static dump >> %LOG%";
    assert_eq!(carried_out(Dialect::Batch, text), ["ipsec static dump"]);
    // All of a line is filled in before any of it is carried out.
    let text = "set A=One\nset A=Two& netsh ipsec static add filterlist name=%A%";
    assert_eq!(carried_out(Dialect::Batch, text), ["ipsec static add filterlist name=One"]);
    let outcomes =
        carried_out(Dialect::Batch, "netsh ipsec static dump & netsh ipsec static add filterlist name=%UNSET%");
    assert!(outcomes.len() == 2 && outcomes[0] == "ipsec static dump", "{outcomes:?}");
    assert_eq!(outcomes[1], "wrong this variable is not set in this script; allowed: set NAME=VALUE before it");
    // What it calls may be netsh.
    assert!(carried_out(Dialect::Batch, "%NSH% ipsec static dump")[0].starts_with("wrong "));
    assert_eq!(
        carried_out(Dialect::Batch, "set N=netsh\n%N% ipsec static dump\nnetsh ipsec static add filterlist 50%"),
        ["ipsec static dump", "ipsec static add filterlist name=50"]
    );
}
