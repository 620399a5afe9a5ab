//! Every command, and every parameter of it: what is written, and what it means as it is printed in full.
use super::super::bind::bind;
use super::super::grammar::{Context, Kind};
use super::super::lexer::{placed, words};
use super::canonical;

/// Lines of the static context with what they mean.
const STATIC: &[(&str, &str)] = &[
    (
        "add filter filterlist=F srcaddr=10.1.2.3 srcmask=255.255.0.0 dstaddr=me description=web protocol=tcp mirrored=no \
         srcport=1024 dstport=80",
        "add filter filterlist=F srcaddr=10.1.0.0 srcmask=255.255.0.0 dstaddr=me description=web protocol=tcp mirrored=no \
         srcport=1024 dstport=80",
    ),
    (
        "add filter F 192.0.2.1 192.0.2.0 dstmask=24",
        "add filter filterlist=F srcaddr=192.0.2.1 dstaddr=192.0.2.0 dstmask=255.255.255.0 protocol=any mirrored=yes \
         srcport=0 dstport=0",
    ),
    (
        "add filteraction name=A description=d qmpfs=y inpass=n soft=yes action=n qmsecmethods=\"AH[MD5]+ESP[3DES,SHA1]:20480k/300s ESP[None,MD5]\"",
        "add filteraction name=A description=d qmpfs=yes inpass=no soft=yes action=negotiate \
         qmsecmethods=\"AH[MD5]+ESP[3DES,SHA1]:20480k/300s ESP[None,MD5]:100000k/3600s\"",
    ),
    ("add filterlist name=L description=\"two words\"", "add filterlist name=L description=\"two words\""),
    (
        "add policy name=P description=d mmpfs=yes mmlifetime=12 activatedefaultrule=no pollinginterval=6 assign=yes \
         mmsecmethods=\"3DES-SHA1-2 des-md5-1\"",
        "add policy name=P description=d mmpfs=yes qmpermm=1 mmlifetime=12 activatedefaultrule=no pollinginterval=6 \
         assign=yes mmsecmethods=\"3DES-SHA1-2 DES-MD5-1\"",
    ),
    ("add policy P qmpermm=7", "add policy name=P qmpermm=7"),
    ("add policy P mmpfs=yes qmpermm=7", "add policy name=P mmpfs=yes qmpermm=1"),
    ("add policy P mmpfs=no qmpermm=1", "add policy name=P mmpfs=no qmpermm=0"),
    (
        "add rule name=R policy=P filterlist=F filteraction=A tunnel=192.0.2.9 conntype=dialup activate=no description=d \
         psk=one kerberos=yes rootca=\"C=US,O=MSFT,CN=\\'A, B Root\\' certmap:yes excludecaname:no\" rootca=\"CN=Two\"",
        "add rule name=R policy=P description=d filterlist=F filteraction=A tunnel=192.0.2.9 conntype=dialup activate=no \
         psk=one kerberos=yes rootca=\"C=US,O=MSFT,CN=\\'A, B Root\\' certmap:yes excludecaname:no\" \
         rootca=\"CN=Two certmap:no excludecaname:no\"",
    ),
    ("delete all", "delete all"),
    (
        "delete filter filterlist=F srcaddr=any dstaddr=10.0.0.0 protocol=17 srcmask=32 dstmask=8 srcport=1 dstport=2 mirrored=y",
        "delete filter filterlist=F srcaddr=any dstaddr=10.0.0.0 dstmask=255.0.0.0 protocol=udp srcport=1 dstport=2 \
         mirrored=yes",
    ),
    ("delete filteraction name=A", "delete filteraction name=A"),
    ("delete filteraction all", "delete filteraction all"),
    ("delete filterlist name=F", "delete filterlist name=F"),
    ("delete policy name=P", "delete policy name=P"),
    ("delete policy ALL", "delete policy all"),
    ("delete policy \"all\"", "delete policy name=\"all\""),
    ("show rule \"default\" P", "show rule name=\"default\" policy=P"),
    ("delete rule name=R policy=P", "delete rule name=R policy=P"),
    ("delete rule id=3 policy=P", "delete rule id=3 policy=P"),
    ("delete rule all P", "delete rule all policy=P"),
    ("dump", "dump"),
    ("exportpolicy file=backup", "exportpolicy file=backup.ipsec"),
    ("exportpolicy /tmp/b.txt", "exportpolicy file=/tmp/b.txt"),
    ("importpolicy file=backup.ipsec", "importpolicy file=backup.ipsec"),
    ("restorepolicyexamples release=win2003", "restorepolicyexamples release=win2003"),
    ("restorepolicyexamples x", "restorepolicyexamples release=xp"),
    ("set batch mode=enable", "set batch mode=enable"),
    ("set batch d", "set batch mode=disable"),
    (
        "set defaultrule policy=P qmpfs=yes activate=no qmsecmethods=AH[SHA1]:900s kerberos=no psk=k rootca=CN=A",
        "set defaultrule policy=P qmpfs=yes activate=no qmsecmethods=AH[SHA1]:100000k/900s psk=k \
         rootca=\"CN=A certmap:no excludecaname:no\"",
    ),
    ("set defaultrule policy=P kerberos=yes", "set defaultrule policy=P kerberos=yes"),
    (
        "set filteraction guid={3F91A819-7647-11d1-864d-d46a00000000} newname=B description=\"\" qmpfs=no inpass=yes soft=no \
         action=permit qmsecmethods=AH[SHA1]",
        "set filteraction guid={3f91a819-7647-11d1-864d-d46a00000000} newname=B description=\"\" qmpfs=no inpass=yes \
         soft=no action=permit qmsecmethods=AH[SHA1]:100000k/3600s",
    ),
    ("set filteraction name=A action=b", "set filteraction name=A action=block"),
    ("set filterlist name=F newname=G description=d", "set filterlist name=F newname=G description=d"),
    (
        "set filterlist {3f91a819-7647-11d1-864d-d46a00000000} G",
        "set filterlist guid={3f91a819-7647-11d1-864d-d46a00000000} newname=G",
    ),
    (
        "set filterlist guid=3f91a819-7647-11d1-864d-d46a00000000",
        "set filterlist guid={3f91a819-7647-11d1-864d-d46a00000000}",
    ),
    (
        "set policy name=P newname=Q description=d mmpfs=no qmpermm=0 mmlifetime=480 activatedefaultrule=yes \
         pollinginterval=180 assign=no gponame=G mmsecmethods=AES256-SHA256-DH14",
        "set policy name=P newname=Q description=d mmpfs=no qmpermm=0 mmlifetime=480 activatedefaultrule=yes \
         pollinginterval=180 assign=no mmsecmethods=AES256-SHA256-3 gponame=G",
    ),
    (
        "set policy guid={3f91a819-7647-11d1-864d-d46a00000000} assign=y",
        "set policy guid={3f91a819-7647-11d1-864d-d46a00000000} assign=yes",
    ),
    (
        "set rule id=2 policy=P newname=N description=d filterlist=F filteraction=A tunnel=gw.example conntype=lan \
         activate=yes kerberos=y psk=k rootca=CN=A",
        "set rule id=2 policy=P newname=N description=d filterlist=F filteraction=A tunnel=gw.example conntype=lan \
         activate=yes kerberos=yes psk=k rootca=\"CN=A certmap:no excludecaname:no\"",
    ),
    ("set rule name=R policy=P", "set rule name=R policy=P"),
    ("set store location=local", "set store location=local"),
    ("set store p", "set store location=persistent"),
    ("set store location=domain domain=corp.example", "set store location=domain domain=corp.example"),
    ("show all format=table wide=yes", "show all format=table wide=yes"),
    (
        "show filteraction name=A level=v format=t wide=y",
        "show filteraction name=A level=verbose format=table wide=yes",
    ),
    ("show filteraction rule=R", "show filteraction rule=R"),
    ("show filterlist all level=normal format=list resolvedns=yes wide=no", "show filterlist all resolvedns=yes"),
    ("show filterlist name=F", "show filterlist name=F"),
    ("show filterlist rule=R", "show filterlist rule=R"),
    ("show gpoassignedpolicy name=G", "show gpoassignedpolicy name=G"),
    ("show gpo", "show gpoassignedpolicy"),
    ("show policy name=P level=verbose format=list wide=yes", "show policy name=P level=verbose wide=yes"),
    ("show policy", "show policy all"),
    (
        "show rule name=R policy=P type=tunnel level=verbose format=table wide=no",
        "show rule name=R policy=P type=tunnel level=verbose format=table",
    ),
    ("show rule id=1 policy=P type=transport", "show rule id=1 policy=P type=transport"),
    ("show rule default P", "show rule default policy=P"),
    ("show rule policy=P", "show rule all policy=P"),
    ("show store", "show store"),
];

/// Lines of the dynamic context with what they mean.
const DYNAMIC: &[(&str, &str)] = &[
    (
        "add mmpolicy name=M qmpermm=2 mmlifetime=300 softsaexpirationtime=10 mmsecmethods=\"3DES-MD5-3 AES128-SHA384-ECDHP256\"",
        "add mmpolicy name=M qmpermm=2 mmlifetime=300 softsaexpirationtime=10 mmsecmethods=\"3DES-MD5-3 AES128-SHA384-DH19\"",
    ),
    ("add mmp M", "add mmpolicy name=M"),
    (
        "add qmpolicy name=Q soft=y pfsgroup=grp3 qmsec=ESP[AESGCM256]",
        "add qmpolicy name=Q soft=yes pfsgroup=GRP3 qmsecmethods=\"ESP[AESGCM256,None]:100000k/3600s\"",
    ),
    (
        "add rule srcaddr=me dstaddr=192.0.2.0 mmpolicy=M qmpolicy=Q protocol=tcp srcport=1 dstport=2 mirrored=no \
         conntype=lan actioninbound=negotiate actionoutbound=permit srcmask=32 dstmask=24 tunneldst=192.0.2.1 kerberos=yes \
         psk=k rootca=CN=A",
        "add rule srcaddr=me dstaddr=192.0.2.0 dstmask=255.255.255.0 protocol=tcp srcport=1 dstport=2 mirrored=no \
         conntype=lan tunneldstaddress=192.0.2.1 mmpolicy=M qmpolicy=Q actioninbound=negotiate actionoutbound=permit \
         kerberos=yes psk=k rootca=\"CN=A certmap:no excludecaname:no\"",
    ),
    (
        "add rule any any M actioninbound=block actionoutbound=block",
        "add rule srcaddr=any dstaddr=any protocol=any srcport=0 dstport=0 mirrored=yes conntype=all mmpolicy=M \
         actioninbound=block actionoutbound=block",
    ),
    ("delete all", "delete all"),
    ("delete mmpolicy name=M", "delete mmpolicy name=M"),
    ("delete mmpolicy all", "delete mmpolicy all"),
    ("delete qmpolicy name=Q", "delete qmpolicy name=Q"),
    (
        "delete rule srcaddr=10.0.0.0 dstaddr=me protocol=any srcport=0 dstport=0 mirrored=yes conntype=all srcmask=8 \
         dstmask=255.255.255.255 tunneldstaddress=192.0.2.1",
        "delete rule srcaddr=10.0.0.0 srcmask=255.0.0.0 dstaddr=me protocol=any srcport=0 dstport=0 mirrored=yes \
         conntype=all tunneldstaddress=192.0.2.1",
    ),
    (
        "delete sa srcaddr=me dstaddr=192.0.2.0 srcmask=32 dstmask=24",
        "delete sa srcaddr=me dstaddr=192.0.2.0 dstmask=255.255.255.0",
    ),
    ("dump", "dump"),
    ("set config property=ipsecdiagnostics value=7", "set config property=ipsecdiagnostics value=7"),
    ("set config ikelogging 1", "set config property=ikelogging value=1"),
    ("set config strong 2", "set config property=strongcrlcheck value=2"),
    ("set config ipsecloginterval 60", "set config property=ipsecloginterval value=60"),
    ("set config ipsecexempt value=0", "set config property=ipsecexempt value=0"),
    ("set config bootmode b", "set config property=bootmode value=block"),
    ("set config bootexemptions none", "set config property=bootexemptions value=none"),
    (
        "set config bootexemptions value=\"icmp:in TCP:80:80:outbound 17:0:68:inbound\"",
        "set config property=bootexemptions value=\"ICMP:inbound TCP:80:80:outbound UDP:0:68:inbound\"",
    ),
    (
        "set mmpolicy name=M qmpermm=0 mmlifetime=1 softsaexpirationtime=2879 mmsecmethods=DES-MD5-1",
        "set mmpolicy name=M qmpermm=0 mmlifetime=1 softsaexpirationtime=2879 mmsecmethods=DES-MD5-1",
    ),
    (
        "set qmpolicy name=Q soft=no pfsgroup=DH20 qmsecmethods=ESP[3DES,None]",
        "set qmpolicy name=Q soft=no pfsgroup=DH20 qmsecmethods=\"ESP[3DES,None]:100000k/3600s\"",
    ),
    (
        "set rule srcaddr=any dstaddr=me protocol=udp srcport=1 dstport=2 mirrored=no conntype=dialup srcmask=32 \
         dstmask=32 tunneldstaddress=2001:db8::1 mmpolicy=M qmpolicy=Q actioninbound=p actionoutbound=b kerberos=yes psk=k rootca=CN=A",
        "set rule srcaddr=any dstaddr=me protocol=udp srcport=1 dstport=2 mirrored=no conntype=dialup \
         tunneldstaddress=2001:db8::1 mmpolicy=M qmpolicy=Q actioninbound=permit actionoutbound=block kerberos=yes psk=k \
         rootca=\"CN=A certmap:no excludecaname:no\"",
    ),
    ("show all resolvedns=yes", "show all resolvedns=yes"),
    ("show config", "show config"),
    (
        "show mmfilter name=F type=specific srcaddr=10.0.0.0 dstaddr=me srcmask=8 dstmask=32 resolvedns=y",
        "show mmfilter name=F type=specific srcaddr=10.0.0.0 srcmask=255.0.0.0 dstaddr=me resolvedns=yes",
    ),
    ("show mmpolicy name=M", "show mmpolicy name=M"),
    ("show mmsas all format=table resolvedns=no", "show mmsas format=table"),
    (
        "show mmsas 192.0.2.1 dstaddr=10.0.0.0 srcmask=24 dstmask=8",
        "show mmsas srcaddr=192.0.2.0 srcmask=255.255.255.0 dstaddr=10.0.0.0 dstmask=255.0.0.0",
    ),
    ("show mmsas srcaddr=192.0.2.1", "show mmsas srcaddr=192.0.2.1"),
    (
        "show mmsas me 192.0.2.0 table yes 32 24",
        "show mmsas srcaddr=me dstaddr=192.0.2.0 dstmask=255.255.255.0 resolvedns=yes format=table",
    ),
    (
        "show qmfilter name=F type=generic srcaddr=me dstaddr=any srcmask=32 dstmask=0 protocol=tcp srcport=1 dstport=2 \
         actioninbound=permit actionoutbound=block resolvedns=no",
        "show qmfilter name=F srcaddr=me dstaddr=any protocol=tcp srcport=1 dstport=2 actioninbound=permit \
         actionoutbound=block",
    ),
    ("show qmpolicy all", "show qmpolicy all"),
    ("show qmpolicy name=Q", "show qmpolicy name=Q"),
    (
        "show qmsas me 192.0.2.0 tcp table yes 32 24",
        "show qmsas srcaddr=me dstaddr=192.0.2.0 dstmask=255.255.255.0 resolvedns=yes protocol=tcp format=table",
    ),
    ("show qmsas all protocol=icmp format=list resolvedns=yes", "show qmsas resolvedns=yes protocol=icmp"),
    (
        "show qmsas srcaddr=me dstaddr=10.0.0.0 srcmask=32 dstmask=8",
        "show qmsas srcaddr=me dstaddr=10.0.0.0 dstmask=255.0.0.0",
    ),
    (
        "show rule type=transport srcaddr=me dstaddr=any srcmask=32 dstmask=0 protocol=1 srcport=0 dstport=0 \
         actioninbound=n actionoutbound=n resolvedns=yes",
        "show rule type=transport srcaddr=me dstaddr=any resolvedns=yes protocol=icmp srcport=0 dstport=0 \
         actioninbound=negotiate actionoutbound=negotiate",
    ),
    ("show stats type=ike", "show stats type=ike"),
    ("show stats", "show stats type=all"),
];

const ROOT: &[(&str, &str)] = &[
    ("set machine", "set machine"),
    ("set machine gate", "set machine name=gate"),
    ("set machine name=root@gate user=joe pwd=x", "set machine name=\"root@gate\" user=joe pwd=\"*\""),
];

#[test]
fn commands_mean_what_they_print() {
    for (context, cases) in [("", ROOT), ("ipsec static ", STATIC), ("ipsec dynamic ", DYNAMIC)] {
        for (written, meant) in cases {
            let meant = format!("{context}{meant}");
            assert_eq!(canonical(&format!("{context}{written}")), meant, "{written}");
            assert_eq!(canonical(&meant), meant);
        }
    }
}

#[test]
fn every_parameter_of_the_grammar_has_a_case() {
    for (context, cases) in [(Context::Root, ROOT), (Context::Static, STATIC), (Context::Dynamic, DYNAMIC)] {
        for entry in context.entries() {
            let prefix = entry.name();
            let mut tags = Vec::new();
            let mut found = false;
            for (written, _) in cases {
                let Some(rest) = written.strip_prefix(&prefix).filter(|rest| rest.is_empty() || rest.starts_with(' '))
                else {
                    continue;
                };
                found = true;
                let words = words(&placed(rest, 1)).unwrap();
                let at = crate::document::Position { line: 1, column: 1 };
                tags.extend(bind(entry, words, at).unwrap().tags());
            }
            assert!(found, "{prefix} has no case");
            for parameter in entry.parameters {
                let tag = parameter.tag;
                assert!(tags.contains(&tag), "{tag} of {prefix} has no case");
            }
        }
    }
}

#[test]
fn the_examples_of_the_help_are_commands() {
    for (context, name) in
        [(Context::Root, ""), (Context::Static, "ipsec static "), (Context::Dynamic, "ipsec dynamic ")]
    {
        for entry in context.entries() {
            assert!(entry.example.starts_with(&entry.name()), "{}", entry.example);
            canonical(&format!("{name}{}", entry.example));
        }
    }
}

#[test]
fn each_default_of_the_tables_is_a_value_of_its_parameter() {
    for entry in [Context::Static, Context::Dynamic].iter().flat_map(|context| context.entries()) {
        for parameter in entry.parameters {
            let default = parameter.default;
            let allowed = match &parameter.kind {
                Kind::YesNo | Kind::Action | Kind::ConnectionType | Kind::Protocol | Kind::Keyword(_) => {
                    parameter.kind.keywords().contains(&default) || ["both", "whichever"].contains(&default)
                }
                Kind::Number(range) | Kind::Minutes(range) => {
                    default.parse().is_ok_and(|number| range.contains(&number))
                }
                _ => true,
            };
            assert!(default.is_empty() || allowed, "{}: {} is {default}", entry.name(), parameter.tag);
        }
    }
}

#[test]
fn what_set_leaves_out_stays_and_has_no_default() {
    // Of a rule what identifies it, of a store what is no property.
    let excepted = ["srcmask", "dstmask", "tunneldstaddress", "domain"];
    for entry in [Context::Static, Context::Dynamic].iter().flat_map(|context| context.entries()) {
        for parameter in entry.parameters.iter().filter(|_| entry.verb == "set") {
            let is_excepted = excepted.contains(&parameter.tag);
            assert!(parameter.default.is_empty() || is_excepted, "{}: {}", entry.name(), parameter.tag);
        }
    }
}
