//! Policies of gateways: rules for peers at any address.

use std::fmt::Write as _;

use crate::netns::A;

/// A rule for clients.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// An authentication method, with its braces.
    pub authentication: String,
    /// The clients' users must prove who they are.
    pub users: bool,
    /// The pool that the clients' addresses are of; none: Mode Config is not for them, and they have [`Rule::far`].
    pub pool: Option<&'static str>,
    /// The addresses are given unasked.
    pub push: bool,
    /// The networks of the gateway that are for the clients.
    pub nets: Vec<&'static str>,
    /// The networks of the clients, where no pool says it.
    pub far: &'static str,
    /// More settings, a line each.
    pub more: String,
}

impl Rule {
    /// A rule for clients with addresses of the pool `office`.
    pub fn new(authentication: &str) -> Self {
        Self {
            name: "clients",
            authentication: authentication.to_owned(),
            users: false,
            pool: Some("office"),
            push: false,
            nets: vec![A.net],
            far: "10.99.0.0/24",
            more: String::new(),
        }
    }

    /// The same with users.
    #[must_use]
    pub fn with_users(self) -> Self {
        Self { users: true, ..self }
    }
}

/// A pre-shared key that both ends have by default.
pub const KEY: &str = "{ preshared_key = \"correct horse battery\" }";

/// A policy of the gateway on host `a`: its rules, and its pools with their addresses.
pub fn text(rules: &[Rule], pools: &[(&str, &[&str])]) -> String {
    let quoted = |all: &[&str]| all.iter().map(|one| format!("\"{one}\"")).collect::<Vec<_>>().join(", ");
    let (mut own, mut lists) = (String::new(), String::new());
    for Rule { name, authentication, users, pool, push, nets, far, more } in rules {
        let _ = write!(
            own,
            r#"
[[policy.rule]]
name = "{name}"
filter_list = "{name}"
filter_action = "protect"
authentication = [{authentication}]
tunnel = {{ local = "{}", remote = "any" }}
{more}
"#,
            A.wire
        );
        if *users {
            own += "xauth = \"server\"\n";
        }
        if let Some(pool) = pool {
            let _ = writeln!(own, "mode_config = {{ pool = \"{pool}\", push = {push} }}");
        }
        let far = pool.map_or(*far, |_| "pool");
        let filter = |net| format!("{{ source = \"{net}\", destination = \"{far}\" }}");
        let filters: Vec<String> = nets.iter().map(filter).collect();
        let _ = writeln!(lists, "[[filter_list]]\nname = \"{name}\"\nfilters = [{}]", filters.join(", "));
    }
    for (name, addresses) in pools {
        let _ = writeln!(lists, "[[pool]]\nname = \"{name}\"\naddresses = [{}]", quoted(addresses));
    }
    format!(
        r#"[[policy]]
name = "gateway"
assigned = true

[policy.main_mode]
offers = ["aes256-sha256-modp2048"]
{own}
[[filter_action]]
name = "protect"
action = "negotiate"
offers = [{{ esp = "aes256-sha256" }}]
pfs = "modp2048"

{lists}"#
    )
}
