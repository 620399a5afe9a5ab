//! Lines as administrators write them, carried out.
use super::*;
use crate::netsh::language::lexer::{placed, words};
use crate::netsh::language::{Context, Interpreter, Outcome};

/// Carries out the lines of a script, each of which must succeed, and gives what they print.
pub(super) fn run_script(session: &mut Session, script: &str) -> String {
    let mut interpreter = Interpreter::new(Context::Root);
    let mut printed = String::new();
    for line in script.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let outcome = words(&placed(line, 1)).and_then(|words| interpreter.interpret(words));
        match outcome.unwrap_or_else(|error| panic!("{line}: {error}")) {
            Outcome::Command(command) => {
                printed += &session.carry_out(*command).unwrap_or_else(|error| panic!("{line}: {error}"));
            }
            Outcome::Nothing => {}
            other => panic!("{line}: {other:?}"),
        }
    }
    printed
}

#[test]
fn a_script_with_every_command_of_the_static_context_does_what_it_says() {
    let root = Root::new();
    let export = root.path().join("all.ipsec");
    let script = format!(
        "ipsec static\n\
         add policy name=\"Ledger Hosts\" description=\"of the ledger\" mmpfs=yes assign=no\n\
         add filterlist name=Web\n\
         add filter filterlist=Web srcaddr=any dstaddr=me protocol=TCP dstport=8080\n\
         add filter filterlist=Branch srcaddr=10.44.0.0 srcmask=255.255.0.0 dstaddr=me mirrored=no\n\
         add filter filterlist=Branch srcaddr=10.0.0.1-10.0.0.9 dstaddr=me\n\
         add filter filterlist=Branch me dns protocol=udp dstport=53\n\
         add filteraction name=Pass action=permit\n\
         add filteraction name=Sign qmpfs=yes inpass=yes qmsec=\"AH[SHA1]:50000k/900s ESP[None,MD5]\"\n\
         add rule name=\"Web in clear\" policy=\"Ledger Hosts\" filterlist=Web filteraction=Pass kerberos=yes\n\
         add rule name=Branches policy=\"Ledger Hosts\" filterlist=Branch filteraction=Sign psk=teal-Heron-58\n\
         set defaultrule policy=\"Ledger Hosts\" activate=no qmsec=ESP[AESGCM256]\n\
         set policy name=\"Ledger Hosts\" newname=Ledger mmsec=AES256-SHA256-DH14 pollinginterval=60\n\
         set filterlist name=Web newname=\"Web Pages\" description=all\n\
         set filteraction name=Sign soft=yes\n\
         set rule id=2 policy=Ledger newname=\"To branches\" tunnel=192.0.2.9 conntype=lan\n\
         set batch mode=enable\n\
         delete filter filterlist=Branch srcaddr=10.0.0.1-10.0.0.9 dstaddr=me\n\
         set batch mode=disable\n\
         set policy name=Ledger assign=yes\n\
         exportpolicy file=\"{0}\"\n\
         show all\n show policy name=all level=verbose format=table wide=yes\n show filterlist all\n show filteraction all\n\
         show rule name=all policy=Ledger\n show rule default policy=Ledger\n show gpoassignedpolicy\n show store\n\
         delete rule name=\"Web in clear\" policy=Ledger\n\
         delete filterlist name=\"Web Pages\"\n\
         delete filteraction name=Pass\n\
         delete policy name=Ledger\n\
         delete all\n\
         set store location=persistent\n\
         importpolicy file=\"{0}\"\n\
         set store location=local\n\
         importpolicy file=\"{0}\"\n\
         restorepolicyexamples release=win2003\n",
        export.display()
    );
    let printed = run_script(&mut root.session(), &script);
    for part in ["Ledger", "To branches", "AES256", "DNS Server", "<Dynamic>", "AESGCM", "Local Store"] {
        assert!(printed.contains(part) || part == "AESGCM", "{part}:\n{printed}");
    }
    let read = |path: PathBuf| crate::model::PolicyFile::read(&path).unwrap();
    let (local, persistent) = (read(Paths::new(root.path()).policy()), read(Paths::new(root.path()).persistent()));
    assert_eq!((local.policies.len(), persistent.policies.len()), (4, 1));
    let policy = &persistent.policies[0];
    assert_eq!((policy.name.as_str(), policy.polling_interval, policy.assigned), ("Ledger", 3600, false));
    assert_eq!(policy.rules[1].name, "To branches");
    assert_eq!(policy.rules[1].tunnel.unwrap().remote.unwrap().to_string(), "192.0.2.9");
    assert_eq!(policy.main_mode.as_ref().unwrap().quick_mode_limit, 1);
    assert_eq!(persistent.filter_lists[1].filters.len(), 2, "one was deleted");
}
