//! `netsh ipsec static`.
use super::parameters::*;
use super::*;
use crate::netsh::language::build::static_context as build;

const POLLING: Kind = Kind::Minutes(1..=35_790);

const NAME_OR_GUID: Parameter = row("name", Kind::Name, Need::Either, "", "which one");
const GUID: Parameter = row("guid", Kind::Guid, Need::Or, "", "which one, by its GUID");
const NEW_NAME: Parameter = optional("newname", Kind::NewName, "", "its name from now on");
const DESCRIPTION: Parameter = optional("description", Kind::Text, "", "a text for people");
const OF_RULE: Parameter = row("rule", Kind::Name, Need::Or, "", "those of this rule");

const QMPFS: Parameter =
    optional("qmpfs", Kind::YesNo, "no", "perfect forward secrecy in quick mode, with the group of main mode");
const INPASS: Parameter = optional("inpass", Kind::YesNo, "no", "accept clear packets, answer protected");
const ACTION: Parameter = optional("action", Kind::Action, "negotiate", "what is done");
const QMSECMETHODS: Parameter = optional(
    "qmsecmethods",
    Kind::QuickModeOffers,
    "",
    "what is offered, in order of preference; ignored unless the action is negotiate",
);
const MMPFS: Parameter =
    optional("mmpfs", Kind::YesNo, "no", "master key perfect forward secrecy: one quick mode of each main mode");
const ACTIVATE_DEFAULT: Parameter =
    optional("activatedefaultrule", Kind::YesNo, "yes", "the default response is active");
const POLLINGINTERVAL: Parameter = optional("pollinginterval", POLLING, "180", "how often changes are looked for");
const ASSIGN: Parameter =
    optional("assign", Kind::YesNo, "no", "put it into force; takes the place of the one that is");

const POLICY: Parameter = required("policy", Kind::Name, "the policy that has it");
const TUNNEL: Parameter = optional("tunnel", Kind::TunnelEnd, "none", "the other end of the tunnel");
const ACTIVATE: Parameter = optional("activate", Kind::YesNo, "yes", "it is active");

const MMPFS_REMARK: &str = "mmpfs=yes is qmpermm=1, and goes before a qmpermm that says otherwise.";
const TUNNEL_REMARK: &str = "A tunnel needs two rules, one for each direction, with filters that are not mirrored.";

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        verb: "add",
        object: "filter",
        about: "adds a filter to a filter list, which is made if it is not there",
        parameters: &[
            required("filterlist", Kind::Name, "the filter list"),
            SOURCE,
            DESTINATION,
            DESCRIPTION,
            PROTOCOL,
            MIRRORED,
            SOURCE_MASK,
            DESTINATION_MASK,
            SRCPORT,
            DSTPORT,
        ],
        remarks: &[SIDES_REMARK],
        example: "add filter filterlist=Web srcaddr=any dstaddr=me protocol=tcp dstport=80",
        build: build::add_filter,
    },
    Entry {
        verb: "add",
        object: "filteraction",
        about: "makes a filter action",
        parameters: &[NAME_NEW, DESCRIPTION, QMPFS, INPASS, SOFT, ACTION, QMSECMETHODS],
        remarks: &[],
        example: "add filteraction name=Protect action=negotiate qmsecmethods=\"ESP[AES256,SHA256] ESP[3DES,SHA1]:100000k/3600s\"",
        build: build::add_filter_action,
    },
    Entry {
        verb: "add",
        object: "filterlist",
        about: "makes a filter list without filters",
        parameters: &[NAME_NEW, DESCRIPTION],
        remarks: &[],
        example: "add filterlist name=Web",
        build: build::add_filter_list,
    },
    Entry {
        verb: "add",
        object: "policy",
        about: "makes a policy with its default response",
        parameters: &[
            NAME_NEW,
            DESCRIPTION,
            MMPFS,
            QMPERMM,
            MMLIFETIME,
            ACTIVATE_DEFAULT,
            POLLINGINTERVAL,
            ASSIGN,
            MMSECMETHODS,
        ],
        remarks: &[MMPFS_REMARK],
        example: "add policy name=Servers activatedefaultrule=no mmsecmethods=\"AES256-SHA256-3 3DES-SHA1-2\"",
        build: build::add_policy,
    },
    Entry {
        verb: "add",
        object: "rule",
        about: "adds a rule to a policy; its filter list and filter action must be there",
        parameters: &[
            NAME_NEW,
            POLICY,
            required("filterlist", Kind::Name, "the filter list"),
            required("filteraction", Kind::Name, "the filter action"),
            TUNNEL,
            CONNTYPE,
            ACTIVATE,
            DESCRIPTION,
            KERBEROS,
            PSK,
            ROOTCA,
        ],
        remarks: &[AUTHENTICATION_REMARK, TUNNEL_REMARK],
        example: "add rule name=Web policy=Servers filterlist=Web filteraction=Protect psk=\"a long key\"",
        build: build::add_rule,
    },
    Entry {
        verb: "delete",
        object: "all",
        about: "deletes every policy, filter list and filter action of the store",
        parameters: &[],
        remarks: &[],
        example: "delete all",
        build: build::delete_all,
    },
    Entry {
        verb: "delete",
        object: "filter",
        about: "deletes a filter of a filter list; what is left out is as in add filter",
        parameters: &[
            required("filterlist", Kind::Name, "the filter list"),
            SOURCE,
            DESTINATION,
            PROTOCOL,
            SOURCE_MASK,
            DESTINATION_MASK,
            SRCPORT,
            DSTPORT,
            MIRRORED,
        ],
        remarks: &[SIDES_REMARK],
        example: "delete filter filterlist=Web srcaddr=any dstaddr=me protocol=tcp dstport=80",
        build: build::delete_filter,
    },
    Entry {
        verb: "delete",
        object: "filteraction",
        about: "deletes a filter action that no rule has, or all of them",
        parameters: &[ONE_OR_ALL],
        remarks: &[],
        example: "delete filteraction name=Protect",
        build: build::delete_filter_action,
    },
    Entry {
        verb: "delete",
        object: "filterlist",
        about: "deletes a filter list that no rule has, or all of them",
        parameters: &[ONE_OR_ALL],
        remarks: &[],
        example: "delete filterlist name=Web",
        build: build::delete_filter_list,
    },
    Entry {
        verb: "delete",
        object: "policy",
        about: "deletes a policy with its rules, or all of them",
        parameters: &[ONE_OR_ALL],
        remarks: &[],
        example: "delete policy name=Servers",
        build: build::delete_policy,
    },
    Entry {
        verb: "delete",
        object: "rule",
        about: "deletes a rule of a policy, or all of them; the default response stays",
        parameters: &[
            row("name", Kind::OneOrAll, Need::Either, "", "which one, or all"),
            row("id", Kind::Number(1..=0x7fff_ffff), Need::Or, "", "which one, by its number"),
            POLICY,
        ],
        remarks: &[],
        example: "delete rule name=Web policy=Servers",
        build: build::delete_rule,
    },
    Entry {
        verb: "dump",
        object: "",
        about: "prints a script that makes what the store has",
        parameters: &[],
        remarks: &["The script has the keys in it."],
        example: "dump",
        build: build::dump,
    },
    Entry {
        verb: "exportpolicy",
        object: "",
        about: "writes all of the store into a file",
        parameters: &[required("file", Kind::File, "the file; .ipsec is put behind a name without extension")],
        remarks: &[],
        example: "exportpolicy file=backup.ipsec",
        build: build::export_policy,
    },
    Entry {
        verb: "importpolicy",
        object: "",
        about: "reads into the store what exportpolicy has written",
        parameters: &[required("file", Kind::File, "the file; .ipsec is put behind a name without extension")],
        remarks: &[],
        example: "importpolicy file=backup.ipsec",
        build: build::import_policy,
    },
    Entry {
        verb: "restorepolicyexamples",
        object: "",
        about: "makes the example policies Client, Server and Secure Server anew; only in the local store",
        parameters: &[required("release", Kind::Keyword(&["win2k", "xp", "win2003"]), "of which release")],
        remarks: &[],
        example: "restorepolicyexamples release=win2003",
        build: build::restore_policy_examples,
    },
    Entry {
        verb: "set",
        object: "batch",
        about: "holds changes of filter lists back, to write them in one go",
        parameters: &[required("mode", Kind::Keyword(&["enable", "disable"]), "from now on, or no longer")],
        remarks: &["It holds until netsh ends."],
        example: "set batch mode=enable",
        build: build::set_batch,
    },
    Entry {
        verb: "set",
        object: "defaultrule",
        about: "changes the default response of a policy",
        parameters: &[
            POLICY,
            QMPFS_SET,
            optional("activate", Kind::YesNo, "", "it is active"),
            QMSECMETHODS,
            KERBEROS,
            PSK,
            ROOTCA,
        ],
        remarks: &[AUTHENTICATION_REMARK, "They replace those that it has."],
        example: "set defaultrule policy=Servers activate=no",
        build: build::set_default_rule,
    },
    Entry {
        verb: "set",
        object: "filteraction",
        about: "changes a filter action; what is left out stays",
        parameters: &[
            NAME_OR_GUID,
            GUID,
            NEW_NAME,
            DESCRIPTION,
            QMPFS_SET,
            INPASS_SET,
            SOFT_SET,
            ACTION_SET,
            QMSECMETHODS,
        ],
        remarks: &[],
        example: "set filteraction name=Protect qmpfs=yes",
        build: build::set_filter_action,
    },
    Entry {
        verb: "set",
        object: "filterlist",
        about: "changes name and description of a filter list",
        parameters: &[NAME_OR_GUID, GUID, NEW_NAME, DESCRIPTION],
        remarks: &[],
        example: "set filterlist name=Web newname=Intranet",
        build: build::set_filter_list,
    },
    Entry {
        verb: "set",
        object: "policy",
        about: "changes a policy; what is left out stays",
        parameters: &[
            NAME_OR_GUID,
            GUID,
            NEW_NAME,
            DESCRIPTION,
            unset(MMPFS),
            unset(QMPERMM),
            unset(MMLIFETIME),
            unset(ACTIVATE_DEFAULT),
            unset(POLLINGINTERVAL),
            unset(ASSIGN),
            optional("gponame", Kind::Text, "", "of the domain store: the group policy object that assign is for"),
            unset(MMSECMETHODS),
        ],
        remarks: &[MMPFS_REMARK],
        example: "set policy name=Servers assign=yes",
        build: build::set_policy,
    },
    Entry {
        verb: "set",
        object: "rule",
        about: "changes a rule; what is left out stays",
        parameters: &[
            row("name", Kind::Name, Need::Either, "", "which one"),
            row("id", Kind::Number(1..=0x7fff_ffff), Need::Or, "", "which one, by its number"),
            POLICY,
            NEW_NAME,
            DESCRIPTION,
            optional("filterlist", Kind::Name, "", "the filter list"),
            optional("filteraction", Kind::Name, "", "the filter action"),
            unset(TUNNEL),
            unset(CONNTYPE),
            unset(ACTIVATE),
            KERBEROS,
            PSK,
            ROOTCA,
        ],
        remarks: &[AUTHENTICATION_REMARK, "They replace those that it has."],
        example: "set rule name=Web policy=Servers activate=no",
        build: build::set_rule,
    },
    Entry {
        verb: "set",
        object: "store",
        about: "has the commands that follow be about another store, until netsh ends",
        parameters: &[
            required("location", Kind::Keyword(&["local", "persistent", "domain"]), "which store"),
            optional("domain", Kind::Text, "that of this host", "the name of the domain; only with location=domain"),
        ],
        remarks: &[],
        example: "set store location=persistent",
        build: build::set_store,
    },
    Entry {
        verb: "show",
        object: "all",
        about: "shows policies, filter lists and filter actions",
        parameters: &[FORMAT, WIDE],
        remarks: &[],
        example: "show all",
        build: build::show_all,
    },
    Entry {
        verb: "show",
        object: "filteraction",
        about: "shows filter actions",
        parameters: &[SHOW_ONE_OR_ALL, OF_RULE, LEVEL, FORMAT, WIDE],
        remarks: &[],
        example: "show filteraction name=Protect level=verbose",
        build: build::show_filter_action,
    },
    Entry {
        verb: "show",
        object: "filterlist",
        about: "shows filter lists",
        parameters: &[SHOW_ONE_OR_ALL, OF_RULE, LEVEL, FORMAT, RESOLVE, WIDE],
        remarks: &[],
        example: "show filterlist all level=verbose",
        build: build::show_filter_list,
    },
    Entry {
        verb: "show",
        object: "gpoassignedpolicy",
        about: "shows what group policy assigns to this host, or what a group policy object assigns",
        parameters: &[optional("name", Kind::Text, "", "the group policy object")],
        remarks: &[],
        example: "show gpoassignedpolicy",
        build: build::show_gpo_assigned_policy,
    },
    Entry {
        verb: "show",
        object: "policy",
        about: "shows policies",
        parameters: &[SHOW_ONE_OR_ALL, LEVEL, FORMAT, WIDE],
        remarks: &[],
        example: "show policy name=Servers level=verbose",
        build: build::show_policy,
    },
    Entry {
        verb: "show",
        object: "rule",
        about: "shows rules of a policy, or its default response",
        parameters: &[
            row("name", Kind::RuleOrAll, Need::EitherOrNone, "all", "which one, all, or the default response"),
            row("id", Kind::Number(1..=0x7fff_ffff), Need::Or, "", "which one, by its number"),
            POLICY,
            optional("type", Kind::Keyword(&["tunnel", "transport"]), "both", "only rules of this mode"),
            LEVEL,
            FORMAT,
            WIDE,
        ],
        remarks: &["A rule that is called all or default is shown by its id, or by its name in quotes."],
        example: "show rule all policy=Servers",
        build: build::show_rule,
    },
    Entry {
        verb: "show",
        object: "store",
        about: "shows which store the commands are about",
        parameters: &[],
        remarks: &[],
        example: "show store",
        build: build::show_store,
    },
];

const QMPFS_SET: Parameter = unset(QMPFS);
const INPASS_SET: Parameter = unset(INPASS);
const SOFT_SET: Parameter = unset(SOFT);
const ACTION_SET: Parameter = unset(ACTION);

/// The parameter as of `set`, where what is left out stays as it is.
const fn unset(parameter: Parameter) -> Parameter {
    let Parameter { tag, kind, need, default: _, help } = parameter;
    Parameter { tag, kind, need, default: "", help }
}
