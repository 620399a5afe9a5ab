//! Lines of `netsh ipsec static`.
use super::{Line, Secrets};
use crate::netsh::command::{
    AddFilter, DefaultRuleSettings, FilterActionSettings, FilterPattern, Layout, Lists, Named, OneOrAll,
    PolicySettings, Release, RuleNamed, RuleSettings, RulesNamed, ShowRules, ShowStatic, Static, StoreLocation,
};

fn start(command: &str) -> Line {
    Line::new(&format!("ipsec static {command}"))
}

impl Line {
    pub(super) fn one_or_all(self, which: &OneOrAll) -> Self {
        match which {
            OneOrAll::One(name) => self.with_name(name),
            OneOrAll::All => self.word("all"),
        }
    }

    fn named(self, which: &Named) -> Self {
        match which {
            Named::Name(name) => self.with("name", name),
            Named::Guid(guid) => self.with("guid", guid),
        }
    }

    fn rule_named(self, which: &RuleNamed) -> Self {
        match which {
            RuleNamed::Name(name) => self.with_name(name),
            RuleNamed::Id(id) => self.number("id", Some(*id)),
        }
    }

    fn text(self, tag: &str, value: Option<&String>) -> Self {
        self.with_some(tag, value.map(String::as_str))
    }

    fn filter_action(self, settings: &FilterActionSettings) -> Self {
        let FilterActionSettings { description, quick_mode_pfs, inbound_passthrough, soft, action, offers } = settings;
        self.text("description", description.as_ref())
            .yes_no("qmpfs", *quick_mode_pfs)
            .yes_no("inpass", *inbound_passthrough)
            .yes_no("soft", *soft)
            .action("action", *action)
            .offers(offers.as_deref())
    }

    fn policy(self, settings: &PolicySettings) -> Self {
        self.text("description", settings.description.as_ref())
            .yes_no("mmpfs", settings.master_pfs)
            .number("qmpermm", settings.quick_mode_limit)
            .minutes("mmlifetime", settings.main_mode_lifetime)
            .yes_no("activatedefaultrule", settings.activate_default_rule)
            .minutes("pollinginterval", settings.polling_interval)
            .yes_no("assign", settings.assign)
            .main_mode_offers(settings.offers.as_deref())
    }

    fn rule(self, settings: &RuleSettings, secrets: Secrets) -> Self {
        self.text("description", settings.description.as_ref())
            .text("filterlist", settings.filter_list.as_ref())
            .text("filteraction", settings.filter_action.as_ref())
            .tunnel("tunnel", settings.tunnel.as_ref())
            .connection_type(settings.connection_type)
            .yes_no("activate", settings.activate)
            .methods(settings.authentication.as_deref(), secrets)
    }

    fn layout(self, layout: &Layout) -> Self {
        let Layout { verbose, table, wide, resolve_dns } = *layout;
        let line = if verbose { self.with("level", "verbose") } else { self };
        let line = line.table(table);
        let line = if wide { line.with("wide", "yes") } else { line };
        line.resolve_dns(resolve_dns)
    }

    pub(super) fn table(self, table: bool) -> Self {
        if table { self.with("format", "table") } else { self }
    }

    pub(super) fn resolve_dns(self, resolve: bool) -> Self {
        if resolve { self.with("resolvedns", "yes") } else { self }
    }
}

pub(super) fn line(command: &Static, secrets: Secrets) -> Line {
    match command {
        Static::AddFilter(filter) => add_filter(filter),
        Static::AddFilterAction { name, action } => start("add filteraction").with("name", name).filter_action(action),
        Static::AddFilterList { name, description } => {
            start("add filterlist").with("name", name).text("description", description.as_ref())
        }
        Static::AddPolicy { name, policy } => start("add policy").with("name", name).policy(policy),
        Static::AddRule { name, policy, rule } => {
            start("add rule").with("name", name).with("policy", policy).rule(rule, secrets)
        }
        Static::SetPolicy { which, new_name, policy, gpo } => start("set policy")
            .named(which)
            .text("newname", new_name.as_ref())
            .policy(policy)
            .text("gponame", gpo.as_ref()),
        Static::SetRule { which, policy, new_name, rule } => start("set rule")
            .rule_named(which)
            .with("policy", policy)
            .text("newname", new_name.as_ref())
            .rule(rule, secrets),
        Static::SetFilterList { which, new_name, description } => start("set filterlist")
            .named(which)
            .text("newname", new_name.as_ref())
            .text("description", description.as_ref()),
        Static::SetFilterAction { which, new_name, action } => {
            start("set filteraction").named(which).text("newname", new_name.as_ref()).filter_action(action)
        }
        Static::SetDefaultRule { policy, rule } => {
            let DefaultRuleSettings { quick_mode_pfs, activate, offers, authentication } = rule;
            start("set defaultrule")
                .with("policy", policy)
                .yes_no("qmpfs", *quick_mode_pfs)
                .yes_no("activate", *activate)
                .offers(offers.as_deref())
                .methods(authentication.as_deref(), secrets)
        }
        Static::SetStore { location } => match location {
            StoreLocation::Local => start("set store").with("location", "local"),
            StoreLocation::Persistent => start("set store").with("location", "persistent"),
            StoreLocation::Domain(name) => start("set store").with("location", "domain").text("domain", name.as_ref()),
        },
        Static::SetBatch { enabled } => start("set batch").with("mode", if *enabled { "enable" } else { "disable" }),
        Static::DeleteAll => start("delete all"),
        Static::DeletePolicy(which) => start("delete policy").one_or_all(which),
        Static::DeleteFilterList(which) => start("delete filterlist").one_or_all(which),
        Static::DeleteFilterAction(which) => start("delete filteraction").one_or_all(which),
        Static::DeleteRule { which, policy } => match which {
            RulesNamed::All => start("delete rule").word("all").with("policy", policy),
            RulesNamed::One(which) => start("delete rule").rule_named(which).with("policy", policy),
        },
        Static::DeleteFilter { filter_list, filter } => delete_filter(filter_list, filter),
        Static::ExportPolicy { file } => start("exportpolicy").with("file", &file.to_string_lossy()),
        Static::ImportPolicy { file } => start("importpolicy").with("file", &file.to_string_lossy()),
        Static::RestorePolicyExamples { release } => start("restorepolicyexamples").with(
            "release",
            match release {
                Release::Win2k => "win2k",
                Release::Xp => "xp",
                Release::Win2003 => "win2003",
            },
        ),
        Static::Dump => start("dump"),
        Static::Show(which) => show(which),
    }
}

fn add_filter(filter: &AddFilter) -> Line {
    start("add filter")
        .with("filterlist", &filter.filter_list)
        .address("srcaddr", "srcmask", Some(&filter.source))
        .address("dstaddr", "dstmask", Some(&filter.destination))
        .text("description", filter.description.as_ref())
        .protocol(Some(filter.protocol))
        .yes_no("mirrored", Some(filter.mirrored))
        .port("srcport", Some(filter.source_port))
        .port("dstport", Some(filter.destination_port))
}

fn delete_filter(filter_list: &str, filter: &FilterPattern) -> Line {
    start("delete filter")
        .with("filterlist", filter_list)
        .address("srcaddr", "srcmask", Some(&filter.source))
        .address("dstaddr", "dstmask", Some(&filter.destination))
        .protocol(filter.protocol)
        .port("srcport", filter.source_port)
        .port("dstport", filter.destination_port)
        .yes_no("mirrored", filter.mirrored)
}

fn lists(line: Line, which: &Lists, layout: &Layout) -> Line {
    match which {
        Lists::One(name) => line.with_name(name),
        Lists::OfRule(rule) => line.with("rule", rule),
        Lists::All => line.word("all"),
    }
    .layout(layout)
}

fn show(which: &ShowStatic) -> Line {
    match which {
        ShowStatic::All(layout) => start("show all").layout(layout),
        ShowStatic::Policy { which, layout } => start("show policy").one_or_all(which).layout(layout),
        ShowStatic::FilterList { which, layout } => lists(start("show filterlist"), which, layout),
        ShowStatic::FilterAction { which, layout } => lists(start("show filteraction"), which, layout),
        ShowStatic::Rule { which, policy, tunnel, layout } => {
            let line = match which {
                ShowRules::One(which) => start("show rule").rule_named(which),
                ShowRules::All => start("show rule").word("all"),
                ShowRules::Default => start("show rule").word("default"),
            };
            let kind = tunnel.map(|tunnel| if tunnel { "tunnel" } else { "transport" });
            line.with("policy", policy).with_some("type", kind).layout(layout)
        }
        ShowStatic::GpoAssignedPolicy { gpo } => start("show gpoassignedpolicy").text("name", gpo.as_ref()),
        ShowStatic::Store => start("show store"),
    }
}
