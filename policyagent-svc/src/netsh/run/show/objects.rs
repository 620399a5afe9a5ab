//! The objects of a store, as text.
use super::count;
use super::layout::{Lines, Table, yes_no};
use super::view::{
    FilterActionView, FilterListView, FilterView, MethodView, PolicyView, RuleView, SideView, StoreView,
};
use crate::netsh::command::Layout;

/// `show all`.
pub(super) fn all(view: &StoreView, layout: Layout) -> String {
    let layout = Layout { verbose: true, ..layout };
    let part = |heading: &str, text: String| {
        let mut lines = Lines::default();
        lines.heading(heading);
        lines.line("");
        lines.into_text() + &text + "\n"
    };
    part("Policies", policies(&view.policies.iter().collect::<Vec<_>>(), layout))
        + &part("Filter Lists", filter_lists(&view.filter_lists.iter().collect::<Vec<_>>(), layout))
        + &part("Filter Actions", filter_actions(&view.filter_actions.iter().collect::<Vec<_>>(), layout))
}

/// `show policy`.
pub(super) fn policies(policies: &[&PolicyView], layout: Layout) -> String {
    if layout.table {
        let mut table = Table::new(&["Policy Name", "Assigned", "Rules", "Last Modified", "Description"]);
        for policy in policies {
            table.row(vec![
                policy.name.clone(),
                yes_no(policy.assigned).to_owned(),
                policy.rules.len().to_string(),
                policy.last_modified.clone().unwrap_or_default(),
                policy.description.clone().unwrap_or_default(),
            ]);
        }
        let mut text = table.text(layout.wide);
        if layout.verbose {
            for policy in policies {
                text += &format!("\nRules of {:?}\n\n{}", policy.name, rules(&refs(&policy.rules), layout));
            }
        }
        return text;
    }
    let mut lines = Lines::default();
    for policy in policies {
        self::policy(&mut lines, policy, layout);
        lines.line("");
    }
    lines.line(count("policies", policies.len()));
    lines.into_text()
}

fn refs<T>(all: &[T]) -> Vec<&T> {
    all.iter().collect()
}

fn policy(lines: &mut Lines, policy: &PolicyView, layout: Layout) {
    lines.field("Policy Name", &policy.name);
    lines.optional("Description", policy.description.as_deref());
    lines.field("Store", &policy.store);
    lines.optional("Last Modified", policy.last_modified.as_deref());
    if layout.verbose {
        lines.optional("GUID", policy.guid.as_deref());
    }
    lines.field("Assigned", yes_no(policy.assigned));
    lines.field("Polling Interval", format!("{} minutes", policy.polling_interval_minutes));
    if let Some(main_mode) = &policy.main_mode {
        let (minutes, limit) = (main_mode.lifetime_minutes, main_mode.quick_mode_limit);
        lines.field("MainMode LifeTime", format!("{minutes} minutes / {limit} quick mode sessions"));
        lines.field("Master PFS", yes_no(main_mode.master_pfs));
        if layout.verbose {
            lines.line("Main Mode Security Method Order");
            let mut table = Table::new(&["Encryption", "Integrity", "DH Group"]);
            for offer in &main_mode.offers {
                table.row(vec![offer.encryption.clone(), offer.integrity.clone(), offer.group.clone()]);
            }
            lines.indented(|lines| lines.table(&table, true));
        }
    }
    lines.field("No. of Rules", policy.rules.len().to_string());
    if layout.verbose {
        lines.line("Rule Details");
        lines.line("------------");
        for rule in &policy.rules {
            lines.indented(|lines| self::rule(lines, rule, layout));
            lines.line("");
        }
    }
}

/// `show rule`.
pub(super) fn rules(rules: &[&RuleView], layout: Layout) -> String {
    if layout.table {
        let mut table =
            Table::new(&["ID", "Rule Name", "Active", "Filter List", "Filter Action", "Authentication", "Tunnel"]);
        for rule in rules {
            let methods: Vec<&str> = rule.authentication.iter().map(method_name).collect();
            table.row(vec![
                rule.id.to_string(),
                rule.name.clone().unwrap_or_else(|| "NONE".to_owned()),
                yes_no(rule.activated).to_owned(),
                rule.filter_list.as_ref().map_or_else(|| "<Dynamic>".to_owned(), |list| list.name.clone()),
                action_name(rule),
                methods.join(", "),
                rule.tunnel.clone().unwrap_or_else(|| "NONE".to_owned()),
            ]);
        }
        return table.text(layout.wide);
    }
    let mut lines = Lines::default();
    for rule in rules {
        self::rule(&mut lines, rule, layout);
        lines.line("");
    }
    lines.line(count("rules", rules.len()));
    lines.into_text()
}

fn action_name(rule: &RuleView) -> String {
    let named = rule.filter_action.as_ref().and_then(|action| action.name.clone());
    named.unwrap_or_else(|| "Default Response".to_owned())
}

fn rule(lines: &mut Lines, rule: &RuleView, layout: Layout) {
    let guid = rule.guid.as_deref().filter(|_| layout.verbose);
    lines.field("Rule ID", guid.map_or_else(|| rule.id.to_string(), |guid| format!("{}, GUID = {guid}", rule.id)));
    lines.optional("Rule Name", rule.name.as_deref());
    lines.optional("Description", rule.description.as_deref());
    lines.optional("Last Modified", rule.last_modified.as_deref());
    lines.field("Activated", yes_no(rule.activated));
    lines.field("Authentication Methods", format!("({})", rule.authentication.len()));
    lines.indented(|lines| rule.authentication.iter().for_each(|method| self::method(lines, method)));
    lines.optional("Tunnel Dest IP Address", rule.tunnel.as_deref());
    lines.field("Connection Type", rule.connection_type.to_uppercase());
    if !rule.beyond.is_empty() {
        lines.field("Also In The Policy File", rule.beyond.join(", "));
    }
    if !layout.verbose {
        let list = rule.filter_list.as_ref().map_or("<Dynamic>", |list| &list.name);
        lines.field("FilterList Name", list);
        lines.field("FilterAction Name", action_name(rule));
        return;
    }
    lines.line("");
    match &rule.filter_list {
        Some(list) => filter_list(lines, list, layout),
        None => lines.field("FilterList Name", "<Dynamic>"),
    }
    lines.line("");
    if let Some(action) = &rule.filter_action {
        filter_action(lines, action, layout);
    }
}

const fn method_name(method: &MethodView) -> &'static str {
    match method {
        MethodView::Kerberos => "Kerberos",
        MethodView::PresharedKey => "Preshared Key",
        MethodView::RootCa { .. } => "Root CA",
        MethodView::Certificate { .. } => "Certificate",
        MethodView::Hybrid => "Hybrid",
    }
}

fn method(lines: &mut Lines, method: &MethodView) {
    match method {
        MethodView::Kerberos => lines.line("KERBEROS"),
        // The key itself is for nobody's eyes.
        MethodView::PresharedKey => lines.line("Preshared Key"),
        MethodView::RootCa { name, certificate_mapping, exclude_ca_name } => {
            lines.field("Root CA", name);
            lines.indented(|lines| {
                lines.field("Certificate Mapping", yes_no(*certificate_mapping));
                lines.field("Exclude CA name", yes_no(*exclude_ca_name));
            });
        }
        MethodView::Certificate { certificate } => lines.field("Certificate", certificate),
        MethodView::Hybrid => lines.line("Hybrid"),
    }
}

/// `show filterlist`.
pub(super) fn filter_lists(lists: &[&FilterListView], layout: Layout) -> String {
    if layout.table {
        let mut table = Table::new(&["FilterList Name", "Filters", "Last Modified", "Description"]);
        for list in lists {
            table.row(vec![
                list.name.clone(),
                list.filters.len().to_string(),
                list.last_modified.clone().unwrap_or_default(),
                list.description.clone().unwrap_or_default(),
            ]);
        }
        let mut text = table.text(layout.wide);
        for list in lists.iter().filter(|_| layout.verbose) {
            text += &format!("\nFilters of {:?}\n\n{}", list.name, filters(&list.filters).text(layout.wide));
        }
        return text;
    }
    let mut lines = Lines::default();
    for list in lists {
        filter_list(&mut lines, list, layout);
        lines.line("");
    }
    lines.line(count("filter lists", lists.len()));
    lines.into_text()
}

fn filters(filters: &[FilterView]) -> Table {
    let headings =
        ["Mirrored", "Source", "Source Mask", "Destination", "Dest Mask", "Protocol", "Src Port", "Dest Port"];
    let mut table = Table::new(&headings);
    let side = |side: &SideView| side.dns_name.clone().unwrap_or_else(|| side.address.clone());
    for filter in filters {
        table.row(vec![
            yes_no(filter.mirrored).to_owned(),
            side(&filter.source),
            filter.source.mask.clone().unwrap_or_default(),
            side(&filter.destination),
            filter.destination.mask.clone().unwrap_or_default(),
            filter.protocol.clone(),
            port(filter.source_port),
            port(filter.destination_port),
        ]);
    }
    table
}

fn port(port: u16) -> String {
    if port == 0 { "ANY".to_owned() } else { port.to_string() }
}

fn filter_list(lines: &mut Lines, list: &FilterListView, layout: Layout) {
    lines.field("FilterList Name", &list.name);
    lines.optional("Description", list.description.as_deref());
    lines.field("Store", &list.store);
    lines.optional("Last Modified", list.last_modified.as_deref());
    if layout.verbose {
        lines.optional("GUID", list.guid.as_deref());
    }
    lines.field("No. of Filters", list.filters.len().to_string());
    if !layout.verbose {
        return;
    }
    lines.line("Filter(s)");
    lines.line("---------");
    for (at, filter) in list.filters.iter().enumerate() {
        if at > 0 {
            lines.line("");
        }
        self::filter(lines, filter, layout.resolve_dns);
    }
}

fn filter(lines: &mut Lines, filter: &FilterView, resolve_dns: bool) {
    lines.optional("Description", filter.description.as_deref());
    lines.field("Mirrored", yes_no(filter.mirrored));
    for (name, side) in [("Source", &filter.source), ("Destination", &filter.destination)] {
        lines.field(&format!("{name} IP Address"), &side.address);
        if let Some(mask) = &side.mask {
            lines.field(&format!("{name} Mask"), mask);
        }
        let word = if side.address.starts_with('<') { side.address.as_str() } else { "" };
        let found = || side.address.parse().ok().filter(|_| resolve_dns).and_then(ikedaemon::sys::host_name);
        let dns = side.dns_name.clone().or_else(found);
        lines.field(&format!("{name} DNS Name"), dns.as_deref().unwrap_or(word));
    }
    lines.field("Protocol", &filter.protocol);
    lines.field("Source Port", port(filter.source_port));
    lines.field("Destination Port", port(filter.destination_port));
}

/// `show filteraction`.
pub(super) fn filter_actions(actions: &[&FilterActionView], layout: Layout) -> String {
    if layout.table {
        let mut table = Table::new(&["FilterAction Name", "Action", "Methods", "Last Modified", "Description"]);
        for action in actions {
            table.row(vec![
                action.name.clone().unwrap_or_default(),
                action.action.to_uppercase(),
                action.offers.len().to_string(),
                action.last_modified.clone().unwrap_or_default(),
                action.description.clone().unwrap_or_default(),
            ]);
        }
        let mut text = table.text(layout.wide);
        for action in actions.iter().filter(|action| layout.verbose && !action.offers.is_empty()) {
            let name = action.name.as_deref().unwrap_or_default();
            text += &format!("\nSecurity Methods of {name:?}\n\n{}", methods(action).text(layout.wide));
        }
        return text;
    }
    let mut lines = Lines::default();
    for action in actions {
        filter_action(&mut lines, action, layout);
        lines.line("");
    }
    lines.line(count("filter actions", actions.len()));
    lines.into_text()
}

fn methods(action: &FilterActionView) -> Table {
    let mut table = Table::new(&["AH", "ESP", "Life (Sec/kB)", "Also"]);
    for offer in &action.offers {
        let esp = offer.esp.as_ref();
        let mut also = Vec::new();
        also.extend(offer.compression.then_some("IPComp"));
        also.extend(offer.extended_sequence_numbers.then_some("ESN"));
        table.row(vec![
            format!("[{}]", offer.ah.as_deref().unwrap_or("NONE")),
            esp.map_or_else(
                || "[NONE , NONE]".to_owned(),
                |esp| format!("[{} , {}]", esp.integrity, esp.confidentiality),
            ),
            format!("{}/{}", offer.lifetime_seconds, offer.lifetime_kilobytes),
            also.join(", "),
        ]);
    }
    table
}

fn filter_action(lines: &mut Lines, action: &FilterActionView, layout: Layout) {
    lines.optional("FilterAction Name", action.name.as_deref().or(Some("Default Response")));
    lines.optional("Description", action.description.as_deref());
    lines.field("Store", &action.store);
    let negotiates = action.action == "negotiate";
    lines.field("Action", if negotiates { "NEGOTIATE SECURITY".to_owned() } else { action.action.to_uppercase() });
    if let Some(inbound) = &action.inbound_action {
        lines.field("Inbound Action", inbound.to_uppercase());
    }
    if negotiates {
        lines.field("AllowUnsecure(Fallback)", yes_no(action.fallback_to_clear));
        lines.field("Inbound Passthrough", yes_no(action.inbound_passthrough));
        let pfs = action.quick_mode_pfs.as_deref();
        lines.field("QMPFS", pfs.map_or_else(|| "NO".to_owned(), |group| format!("YES ({group})")));
        lines.field("No. of Security.Methods", action.offers.len().to_string());
        if layout.verbose {
            lines.indented(|lines| lines.table(&methods(action), true));
        }
    }
    lines.optional("Last Modified", action.last_modified.as_deref());
    if layout.verbose {
        lines.optional("GUID", action.guid.as_deref());
    }
}
