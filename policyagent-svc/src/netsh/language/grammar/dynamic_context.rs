//! `netsh ipsec dynamic`.
use super::parameters::*;
use super::*;
use crate::netsh::language::build::dynamic_context as build;

const NAME: Parameter = required("name", Kind::Name, "which one");
const SOFT_SA: Parameter = optional("softsaexpirationtime", MINUTES, "480", "life of soft SAs");
const PFSGROUP: Parameter = optional("pfsgroup", Kind::PfsGroup, "nopfs", "perfect forward secrecy in quick mode");
const QMSECMETHODS: Parameter =
    optional("qmsecmethods", Kind::QuickModeOffers, "ESP[3DES,SHA1]", "what is offered, in order of preference");
const INBOUND: Parameter = optional("actioninbound", Kind::Action, "negotiate", "what is done with what arrives");
const OUTBOUND: Parameter = optional("actionoutbound", Kind::Action, "negotiate", "what is done with what leaves");
const TUNNEL: Parameter = optional("tunneldstaddress", Kind::TunnelEnd, "none", "the other end of the tunnel");
const ALL: Parameter = optional("all", Kind::All, "", "all of them, which is so without it");
const WANTED_SOURCE: Parameter = optional("srcaddr", Kind::Address, "whichever", "only those with this source");
const WANTED_DESTINATION: Parameter =
    optional("dstaddr", Kind::Address, "whichever", "only those with this destination");
const WANTED_PROTOCOL: Parameter = optional("protocol", Kind::Protocol, "whichever", "only those for this protocol");
const WANTED_SRCPORT: Parameter =
    optional("srcport", Kind::Port, "whichever", "only those with this port of the source");
const WANTED_DSTPORT: Parameter =
    optional("dstport", Kind::Port, "whichever", "only those with this port of the destination");
const WANTED_INBOUND: Parameter = optional("actioninbound", Kind::Action, "whichever", "only those with this action");
const WANTED_OUTBOUND: Parameter = optional("actionoutbound", Kind::Action, "whichever", "only those with this action");
// What identifies a rule has no defaults.
const KEY_PROTOCOL: Parameter = required("protocol", Kind::Protocol, "the protocol");
const KEY_SRCPORT: Parameter = required("srcport", Kind::Port, "the port of the source");
const KEY_DSTPORT: Parameter = required("dstport", Kind::Port, "the port of the destination");
const KEY_MIRRORED: Parameter = required("mirrored", Kind::YesNo, "also the way back");
const KEY_CONNTYPE: Parameter = required("conntype", Kind::ConnectionType, "the kind of interface that it is for");
const FILTER_TYPE: Parameter = optional(
    "type",
    Kind::Keyword(&["generic", "specific"]),
    "generic",
    "the filters as they were made, or what they are for the addresses of this host",
);

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        verb: "add",
        object: "mmpolicy",
        about: "makes a main mode policy",
        parameters: &[NAME_NEW, QMPERMM, MMLIFETIME, SOFT_SA, MMSECMETHODS],
        remarks: &[],
        example: "add mmpolicy name=Main mmlifetime=300 mmsecmethods=\"AES256-SHA256-3 3DES-SHA1-2\"",
        build: build::add_mm_policy,
    },
    Entry {
        verb: "add",
        object: "qmpolicy",
        about: "makes a quick mode policy",
        parameters: &[NAME_NEW, SOFT, PFSGROUP, QMSECMETHODS],
        remarks: &[],
        example: "add qmpolicy name=Quick pfsgroup=grpmm qmsecmethods=\"AH[MD5]+ESP[3DES,SHA1]:100000k/3600s\"",
        build: build::add_qm_policy,
    },
    Entry {
        verb: "add",
        object: "rule",
        about: "adds a rule with its filter",
        parameters: &[
            SOURCE,
            DESTINATION,
            required("mmpolicy", Kind::Name, "the main mode policy"),
            optional(
                "qmpolicy",
                Kind::Name,
                "none",
                "the quick mode policy; needed unless both actions are permit or block",
            ),
            PROTOCOL,
            SRCPORT,
            DSTPORT,
            MIRRORED,
            CONNTYPE,
            INBOUND,
            OUTBOUND,
            SOURCE_MASK,
            DESTINATION_MASK,
            TUNNEL,
            KERBEROS,
            PSK,
            ROOTCA,
        ],
        remarks: &[SIDES_REMARK, AUTHENTICATION_REMARK],
        example: "add rule srcaddr=me dstaddr=192.0.2.7 mmpolicy=Main qmpolicy=Quick psk=\"a long key\"",
        build: build::add_rule,
    },
    Entry {
        verb: "delete",
        object: "all",
        about: "deletes every dynamic policy and rule, and their SAs",
        parameters: &[],
        remarks: &[],
        example: "delete all",
        build: build::delete_all,
    },
    Entry {
        verb: "delete",
        object: "mmpolicy",
        about: "deletes a main mode policy that no rule has, or all of them",
        parameters: &[ONE_OR_ALL],
        remarks: &[],
        example: "delete mmpolicy name=Main",
        build: build::delete_mm_policy,
    },
    Entry {
        verb: "delete",
        object: "qmpolicy",
        about: "deletes a quick mode policy that no rule has, or all of them",
        parameters: &[ONE_OR_ALL],
        remarks: &[],
        example: "delete qmpolicy name=Quick",
        build: build::delete_qm_policy,
    },
    Entry {
        verb: "delete",
        object: "rule",
        about: "deletes the rule that all of this identifies",
        parameters: &[
            SOURCE,
            DESTINATION,
            KEY_PROTOCOL,
            KEY_SRCPORT,
            KEY_DSTPORT,
            KEY_MIRRORED,
            KEY_CONNTYPE,
            SOURCE_MASK,
            DESTINATION_MASK,
            TUNNEL,
        ],
        remarks: &[SIDES_REMARK],
        example: "delete rule srcaddr=me dstaddr=192.0.2.7 protocol=any srcport=0 dstport=0 mirrored=yes conntype=all",
        build: build::delete_rule,
    },
    Entry {
        verb: "delete",
        object: "sa",
        about: "deletes SAs, by the addresses of their ends",
        parameters: &[WANTED_SOURCE, WANTED_DESTINATION, SOURCE_MASK, DESTINATION_MASK],
        remarks: &["Without an address it deletes all SAs."],
        example: "delete sa dstaddr=192.0.2.7",
        build: build::delete_sa,
    },
    Entry {
        verb: "dump",
        object: "",
        about: "prints a script that makes the dynamic policies and rules",
        parameters: &[],
        remarks: &["The script has the keys in it."],
        example: "dump",
        build: build::dump,
    },
    Entry {
        verb: "set",
        object: "config",
        about: "sets a property of the service",
        parameters: &[
            required("property", Kind::Keyword(PROPERTIES), "which one"),
            required("value", Kind::Setting, "its value"),
        ],
        remarks: &[
            "ipsecdiagnostics is 0 to 7, ikelogging 0 or 1, strongcrlcheck 0 to 2, ipsecloginterval 60 to 86400 seconds, \
             ipsecexempt 0 to 3, bootmode stateful, block or permit.",
            "bootexemptions is none, or in quotes items Protocol:SourcePort:DestinationPort:Direction with blanks between \
             them, without ports where the protocol has none; the direction is inbound or outbound.",
        ],
        example: "set config property=bootexemptions value=\"ICMP:inbound TCP:80:80:outbound\"",
        build: build::set_config,
    },
    Entry {
        verb: "set",
        object: "mmpolicy",
        about: "changes a main mode policy; what is left out stays",
        parameters: &[NAME, unset(QMPERMM), unset(MMLIFETIME), unset(SOFT_SA), unset(MMSECMETHODS)],
        remarks: &[],
        example: "set mmpolicy name=Main mmlifetime=60",
        build: build::set_mm_policy,
    },
    Entry {
        verb: "set",
        object: "qmpolicy",
        about: "changes a quick mode policy; what is left out stays",
        parameters: &[NAME, unset(SOFT), unset(PFSGROUP), unset(QMSECMETHODS)],
        remarks: &[],
        example: "set qmpolicy name=Quick soft=y",
        build: build::set_qm_policy,
    },
    Entry {
        verb: "set",
        object: "rule",
        about: "changes the rule that addresses, protocol, ports, mirrored, conntype and tunnel identify",
        parameters: &[
            SOURCE,
            DESTINATION,
            KEY_PROTOCOL,
            KEY_SRCPORT,
            KEY_DSTPORT,
            KEY_MIRRORED,
            KEY_CONNTYPE,
            SOURCE_MASK,
            DESTINATION_MASK,
            TUNNEL,
            optional("mmpolicy", Kind::Name, "", "the main mode policy from now on"),
            optional("qmpolicy", Kind::Name, "", "the quick mode policy from now on"),
            optional("actioninbound", Kind::Action, "", "what is done with what arrives from now on"),
            optional("actionoutbound", Kind::Action, "", "what is done with what leaves from now on"),
            KERBEROS,
            PSK,
            ROOTCA,
        ],
        remarks: &[SIDES_REMARK, AUTHENTICATION_REMARK, REPLACED_REMARK],
        example: "set rule srcaddr=me dstaddr=192.0.2.7 protocol=any srcport=0 dstport=0 mirrored=yes conntype=all qmpolicy=Other",
        build: build::set_rule,
    },
    Entry {
        verb: "show",
        object: "all",
        about: "shows all policies, filters, SAs, statistics and properties",
        parameters: &[RESOLVE],
        remarks: &[],
        example: "show all",
        build: build::show_all,
    },
    Entry {
        verb: "show",
        object: "config",
        about: "shows the properties of the service",
        parameters: &[],
        remarks: &[],
        example: "show config",
        build: build::show_config,
    },
    Entry {
        verb: "show",
        object: "mmfilter",
        about: "shows main mode filters",
        parameters: &[
            SHOW_ONE_OR_ALL,
            FILTER_TYPE,
            WANTED_SOURCE,
            WANTED_DESTINATION,
            SOURCE_MASK,
            DESTINATION_MASK,
            RESOLVE,
        ],
        remarks: &[],
        example: "show mmfilter all type=specific",
        build: build::show_mm_filter,
    },
    Entry {
        verb: "show",
        object: "mmpolicy",
        about: "shows main mode policies",
        parameters: &[SHOW_ONE_OR_ALL],
        remarks: &[],
        example: "show mmpolicy all",
        build: build::show_mm_policy,
    },
    Entry {
        verb: "show",
        object: "mmsas",
        about: "shows main mode SAs",
        parameters: &[ALL, WANTED_SOURCE, WANTED_DESTINATION, FORMAT, RESOLVE, SOURCE_MASK, DESTINATION_MASK],
        remarks: &[],
        example: "show mmsas all",
        build: build::show_mm_sas,
    },
    Entry {
        verb: "show",
        object: "qmfilter",
        about: "shows quick mode filters",
        parameters: &[
            SHOW_ONE_OR_ALL,
            FILTER_TYPE,
            WANTED_SOURCE,
            WANTED_DESTINATION,
            SOURCE_MASK,
            DESTINATION_MASK,
            WANTED_PROTOCOL,
            WANTED_SRCPORT,
            WANTED_DSTPORT,
            WANTED_INBOUND,
            WANTED_OUTBOUND,
            RESOLVE,
        ],
        remarks: &[],
        example: "show qmfilter all protocol=tcp",
        build: build::show_qm_filter,
    },
    Entry {
        verb: "show",
        object: "qmpolicy",
        about: "shows quick mode policies",
        parameters: &[SHOW_ONE_OR_ALL],
        remarks: &[],
        example: "show qmpolicy name=Quick",
        build: build::show_qm_policy,
    },
    Entry {
        verb: "show",
        object: "qmsas",
        about: "shows quick mode SAs",
        parameters: &[
            ALL,
            WANTED_SOURCE,
            WANTED_DESTINATION,
            WANTED_PROTOCOL,
            FORMAT,
            RESOLVE,
            SOURCE_MASK,
            DESTINATION_MASK,
        ],
        remarks: &[],
        example: "show qmsas all",
        build: build::show_qm_sas,
    },
    Entry {
        verb: "show",
        object: "rule",
        about: "shows the dynamic rules",
        parameters: &[
            optional("type", Kind::Keyword(&["transport", "tunnel"]), "both", "only rules of this mode"),
            WANTED_SOURCE,
            WANTED_DESTINATION,
            SOURCE_MASK,
            DESTINATION_MASK,
            WANTED_PROTOCOL,
            WANTED_SRCPORT,
            WANTED_DSTPORT,
            WANTED_INBOUND,
            WANTED_OUTBOUND,
            RESOLVE,
        ],
        remarks: &[],
        example: "show rule type=tunnel",
        build: build::show_rule,
    },
    Entry {
        verb: "show",
        object: "stats",
        about: "shows statistics",
        parameters: &[optional("type", Kind::Keyword(&["all", "ike", "ipsec"]), "all", "which")],
        remarks: &[],
        example: "show stats type=ike",
        build: build::show_stats,
    },
];
