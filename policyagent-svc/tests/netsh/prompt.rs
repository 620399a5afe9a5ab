//! The prompt, at a terminal.
use std::fs;
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::instance::text;
use crate::machine::Machines;

#[test]
fn at_the_prompt_contexts_are_shown_and_keys_not_kept() {
    let machines = Machines::new("prompt");
    let instance = &machines.here;
    let terminal = nix::pty::openpty(None, None).unwrap();
    let end = || Stdio::from(terminal.slave.try_clone().unwrap());
    let mut child = instance
        .command(&["netsh"])
        .env("XDG_STATE_HOME", &instance.root)
        .env("TERM", "xterm")
        .env("PATH", &machines.path)
        .stdin(end())
        .stdout(end())
        .stderr(end())
        .spawn()
        .unwrap();
    drop(terminal.slave);
    let mut keyboard = fs::File::from(terminal.master);
    let mut screen = keyboard.try_clone().unwrap();
    let (told, tells) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut octets = [0; 4096];
        // The terminal ends with the program.
        while let Ok(count @ 1..) = screen.read(&mut octets) {
            if told.send(text(&octets[..count])).is_err() {
                break;
            }
        }
    });
    let mut seen = String::new();
    // What follows it is for the next.
    let mut until = |expected: &str| {
        loop {
            if let Some(at) = seen.find(expected) {
                seen.drain(..at + expected.len());
                return;
            }
            match tells.recv_timeout(Duration::from_secs(20)) {
                Ok(more) => seen += &more,
                Err(_) => panic!("{expected:?} does not come: {seen:?}"),
            }
        }
    };
    // The terminal shows the prompt again with each change of a line: behind the end of a line it is a new one.
    let prompt = "\r\n\u{1b}[?2004h";
    let mut kind = |text: &str| keyboard.write_all(text.as_bytes()).unwrap();
    until("netsh>");
    kind("ipsec static\r");
    until(prompt);
    until("netsh ipsec static>");
    // The rest of the word is offered.
    kind("add filterli\t name=Typed\r");
    until(prompt);
    until("netsh ipsec static>");
    kind("set defaultrule policy=None psk=sesame\r");
    until("there is no policy \"None\"");
    until(prompt);
    until("netsh ipsec static>");
    kind("add rule R P F A psk=\"sesame\" ?\r");
    until("Example: ");
    until(prompt);
    until("netsh ipsec static>");
    kind("nonsense\r");
    until("no command of netsh ipsec static");
    until(prompt);
    until("netsh ipsec static>");
    // Typed ahead, and pasted: several lines at once.
    kind("add filterlist Ahead\rshow filterlist name=Ahead\r");
    until("FilterList Name");
    until(prompt);
    until("netsh ipsec static>");
    kind("\u{1b}[200~add filterlist Pasted\n# comment\nshow filterlist name=Pasted\n\u{1b}[201~\r");
    until("FilterList Name");
    until(prompt);
    until("netsh ipsec static>");
    kind("set machine gate\r");
    until(prompt);
    until("[gate] netsh ipsec static>");
    kind("add filterlist There\r");
    until(prompt);
    until("[gate] netsh ipsec static>");
    kind("set machine gate user=joe pwd=sesame\r");
    until("ssh says who you are");
    until(prompt);
    until("[gate] netsh ipsec static>");
    kind("add filterlist Nowhere\r");
    until("not carried out");
    until(prompt);
    kind("set machine\r");
    until(prompt);
    kind("quit\r");
    let end = Instant::now() + Duration::from_secs(20);
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "the prompt does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    for name in ["Typed", "Ahead", "Pasted"] {
        assert!(instance.policy().contains(name), "{}", instance.policy());
    }
    assert!(!instance.policy().contains("There") && !instance.policy().contains("Nowhere"), "{}", instance.policy());
    let kept = fs::read_to_string(instance.root.join("policyagent/netsh-history")).unwrap();
    assert_eq!(
        kept,
        "ipsec static\nadd filterlist name=Typed\nadd filterlist Ahead\nshow filterlist name=Ahead\n\
         add filterlist Pasted\nshow filterlist name=Pasted\nset machine gate\n\
         add filterlist There\nadd filterlist Nowhere\nset machine\nquit\n"
    );
}
