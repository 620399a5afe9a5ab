//! What is printed reads as what it was, and nothing that is typed panics.
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::super::values::algorithms::{CIPHERS, ESP_CIPHERS, HASHES};
use super::*;
use crate::model::{Offer, Server, Side};
use crate::netsh::command::*;
use ikecore::crypto::group::Group;
use ikecore::policy::pool::AddressRange;
use ikecore::policy::selector::Prefix;
use ikecore::proposal::offer::MainModeOffer;
use ikecore::proposal::suite::{Integrity, IpsecSuite, Lifetime, ProtectionSuite};
use std::net::IpAddr;

/// Any name that an object can have.
fn name() -> impl Strategy<Value = String> {
    let odd = prop_oneof![
        Just("\\'".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("=".to_owned()),
        "[ -~äß中]"
    ];
    prop::collection::vec(odd, 1..12)
        .prop_map(|parts| parts.concat())
        .prop_filter("not all", |name| !name.eq_ignore_ascii_case("all"))
}

fn text() -> impl Strategy<Value = Option<String>> {
    prop_oneof![Just(None), Just(Some(String::new())), name().prop_map(Some)]
}

fn maybe<T: core::fmt::Debug>(strategy: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::of(strategy)
}

fn ip() -> impl Strategy<Value = IpAddr> {
    // None that is unspecified, multicast or link-local.
    prop_oneof![
        (1_u32..0xdfff_ffff).prop_map(|bits| IpAddr::V4(bits.into())),
        any::<u64>().prop_map(|bits| IpAddr::V6(((0x2001_0db8_u128 << 96) | u128::from(bits)).into())),
    ]
}

fn side() -> impl Strategy<Value = Address> {
    prop_oneof![
        Just(Side::Any),
        ip().prop_map(|ip| Side::Prefix(Prefix::host(ip))),
        (ip(), 1_u8..=32)
            .prop_map(|(ip, length)| Prefix::new(ip, length).unwrap())
            .prop_filter_map("me or any", |prefix| {
                (!prefix.address().is_unspecified()).then_some(Side::Prefix(prefix))
            }),
        (ip(), ip()).prop_filter_map("two of one family", |(a, b)| {
            AddressRange::new(a.min(b), a.max(b)).ok().filter(|_| a != b).map(Side::Range)
        }),
    ]
    .prop_map(Address::Side)
    .boxed()
    .prop_union("[a-z][a-z0-9]{0,8}\\.example".prop_map(Address::Name).boxed())
}

/// Sides that go together.
fn sides() -> impl Strategy<Value = (Address, Address)> {
    let me = || Address::Side(Side::Me);
    prop_oneof![
        side().prop_map(move |side| (side, me())),
        side().prop_map(move |side| (me(), side)),
        prop::sample::select(Server::ALL.to_vec())
            .prop_map(move |(_, server)| (me(), Address::Side(Side::Server(server)))),
        side().prop_map(|side| (Address::Side(Side::Any), side)),
    ]
}

fn ports() -> impl Strategy<Value = (u8, u16, u16)> {
    prop_oneof![
        any::<u8>().prop_map(|protocol| (protocol, 0, 0)),
        (prop::sample::select(vec![6_u8, 17, 33, 132, 136]), any::<u16>(), any::<u16>()),
    ]
}

fn main_mode_offers() -> impl Strategy<Value = Option<Vec<MainModeOffer>>> {
    let ciphers = prop::sample::select(CIPHERS.to_vec());
    let hashes = prop::sample::select(HASHES.to_vec());
    let groups = prop::sample::select(Group::ALL.to_vec());
    let offer = (ciphers, hashes, groups);
    let offer = offer.prop_map(|((_, cipher), (_, hash), group)| MainModeOffer { cipher, hash, group });
    maybe(prop::collection::vec(offer, 1..5))
}

fn offers() -> impl Strategy<Value = Option<Vec<Offer>>> {
    let suites: Vec<IpsecSuite> = IpsecSuite::all().collect();
    assert!(suites.len() > ESP_CIPHERS.len());
    let lifetime = (prop_oneof![Just(0), 20_480..=0x7fff_ffff_u32], 300..=172_799_u32)
        .prop_map(|(kilobytes, seconds)| Lifetime { seconds, kilobytes });
    let outer = maybe(prop::sample::select(Integrity::ALL.to_vec()));
    let offer = (prop::sample::select(suites), outer, any::<bool>(), lifetime, any::<bool>());
    let offer = offer.prop_map(|(main, outer, compression, lifetime, extended_sequence_numbers)| {
        let outer = outer.filter(|_| matches!(main, IpsecSuite::Esp { .. }));
        let suite = ProtectionSuite { compression, main, outer };
        // Nothing else checks the upper half of the numbers.
        let extended_sequence_numbers = extended_sequence_numbers && suite.authenticates();
        Offer { suite, lifetime, extended_sequence_numbers }
    });
    maybe(prop::collection::vec(offer, 1..5))
}

fn methods() -> impl Strategy<Value = Option<Vec<Method>>> {
    let methods = (
        any::<bool>(),
        maybe(name()),
        prop::collection::vec(("CN=[a-z\"', ]{0,8}[a-z]", any::<bool>(), any::<bool>()), 0..3),
    );
    methods.prop_map(|(kerberos, key, authorities)| {
        let kerberos = kerberos.then_some(Method::Kerberos);
        let key = key.map(|key| Method::PresharedKey(Zeroizing::new(key)));
        let authorities = authorities.into_iter().map(|(name, certificate_mapping, exclude_ca_name)| Method::RootCa {
            name,
            certificate_mapping,
            exclude_ca_name,
        });
        Some(authorities.chain(key).chain(kerberos).collect::<Vec<_>>()).filter(|methods| !methods.is_empty())
    })
}

fn action() -> impl Strategy<Value = Option<Action>> {
    maybe(prop::sample::select(vec![Action::Permit, Action::Block, Action::Negotiate]))
}

fn yes_no() -> impl Strategy<Value = Option<bool>> {
    any::<Option<bool>>()
}

fn minutes(most: u32) -> impl Strategy<Value = Option<u32>> {
    maybe((1..=most).prop_map(|minutes| minutes * 60))
}

fn tunnel() -> impl Strategy<Value = Option<TunnelEnd>> {
    maybe(prop_oneof![ip().prop_map(TunnelEnd::Address), "[a-z]{1,8}\\.example".prop_map(TunnelEnd::Name)])
}

fn which() -> impl Strategy<Value = OneOrAll> {
    prop_oneof![Just(OneOrAll::All), name().prop_map(OneOrAll::One), Just(OneOrAll::One("all".to_owned()))]
}

prop_compose! {
    fn filter_action()(description in text(), quick_mode_pfs in yes_no(), inbound_passthrough in yes_no(), soft in yes_no(),
        action in action(), offers in offers()) -> FilterActionSettings {
        FilterActionSettings { description, quick_mode_pfs, inbound_passthrough, soft, action, offers }
    }
}

prop_compose! {
    fn policy()(description in text(), master_pfs in yes_no(), limit in any::<Option<u16>>(), main_mode_lifetime in minutes(2879),
        activate_default_rule in yes_no(), polling_interval in minutes(35_790), assign in yes_no(), offers in main_mode_offers())
        -> PolicySettings {
        let quick_mode_limit = match (master_pfs, limit) {
            (Some(true), _) => Some(1),
            (Some(false), Some(1)) => Some(0),
            (_, limit) => limit.map(u32::from),
        };
        PolicySettings {
            description, master_pfs, quick_mode_limit, main_mode_lifetime, activate_default_rule, polling_interval, assign, offers,
        }
    }
}

prop_compose! {
    fn rule()(filter_list in name(), filter_action in name(), description in text(), tunnel in tunnel(), activate in yes_no(),
        authentication in methods()) -> RuleSettings {
        RuleSettings {
            description, filter_list: Some(filter_list), filter_action: Some(filter_action), tunnel,
            connection_type: Some(ConnectionType::Lan), activate, authentication,
        }
    }
}

prop_compose! {
    fn filter()(filter_list in name(), (source, destination) in sides(), description in text(), (protocol, source_port, destination_port)
        in ports(), mirrored in any::<bool>()) -> AddFilter {
        AddFilter { filter_list, source, destination, description, protocol, mirrored, source_port, destination_port }
    }
}

prop_compose! {
    fn dynamic_rule()((source, destination) in sides(), (protocol, source_port, destination_port) in ports(),
        mirrored in any::<bool>(), tunnel in tunnel(), main in name(), quick in name(), action_inbound in action(),
        action_outbound in action(), authentication in methods()) -> DynamicRule {
        let key = RuleKey {
            source, destination, protocol, source_port, destination_port, mirrored, connection_type: ConnectionType::All, tunnel,
        };
        DynamicRule {
            key, main_mode_policy: Some(main), quick_mode_policy: Some(quick), action_inbound, action_outbound, authentication,
        }
    }
}

fn any_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        filter().prop_map(|filter| Command::Static(Static::AddFilter(filter))),
        (name(), filter_action()).prop_map(|(name, action)| Command::Static(Static::AddFilterAction { name, action })),
        (name(), text()).prop_map(|(name, description)| Command::Static(Static::AddFilterList { name, description })),
        (name(), policy()).prop_map(|(name, policy)| Command::Static(Static::AddPolicy { name, policy })),
        (name(), name(), rule()).prop_map(|(name, policy, rule)| Command::Static(Static::AddRule {
            name,
            policy,
            rule
        })),
        (name(), maybe(name()), policy(), maybe(name())).prop_map(|(name, new_name, policy, gpo)| {
            Command::Static(Static::SetPolicy { which: Named::Name(name), new_name, policy, gpo })
        }),
        (1_u32..0x7fff_ffff, name(), rule()).prop_map(|(id, policy, rule)| {
            Command::Static(Static::SetRule { which: RuleNamed::Id(id), policy, new_name: None, rule })
        }),
        which().prop_map(|which| Command::Static(Static::DeletePolicy(which))),
        (filter(), any::<Option<bool>>()).prop_map(|(filter, mirrored)| {
            let AddFilter { filter_list, source, destination, protocol, source_port, destination_port, .. } = filter;
            let filter = FilterPattern {
                source,
                destination,
                protocol: Some(protocol),
                source_port: Some(source_port),
                destination_port: Some(destination_port),
                mirrored,
            };
            Command::Static(Static::DeleteFilter { filter_list, filter })
        }),
        (maybe(name()), text(), any::<bool>()).prop_map(|(name, user, password)| Command::SetMachine(Machine {
            name,
            user,
            password
        })),
        dynamic_rule().prop_map(|rule| Command::Dynamic(Dynamic::AddRule(rule))),
        dynamic_rule().prop_map(|rule| Command::Dynamic(Dynamic::SetRule(rule))),
        dynamic_rule().prop_map(|rule| Command::Dynamic(Dynamic::DeleteRule(rule.key))),
        (name(), any::<Option<u16>>(), minutes(2879), minutes(2879), main_mode_offers()).prop_map(
            |(name, limit, lifetime, soft_sa_lifetime, offers)| {
                let quick_mode_limit = limit.map(u32::from);
                let policy = MainModeSettings { quick_mode_limit, lifetime, soft_sa_lifetime, offers };
                Command::Dynamic(Dynamic::AddMainModePolicy { name, policy })
            }
        ),
        (name(), yes_no(), prop::sample::select(Group::ALL.to_vec()), offers()).prop_map(
            |(name, soft, group, offers)| {
                let policy = QuickModeSettings { soft, pfs: Some(PfsGroup::Group(group)), offers };
                Command::Dynamic(Dynamic::SetQuickModePolicy { name, policy })
            }
        ),
        (side(), which()).prop_map(|(source, which)| {
            let ends = Ends { source: Some(source), destination: None, resolve_dns: true };
            Command::Dynamic(Dynamic::Show(ShowDynamic::MainModeFilter { which, specific: true, ends }))
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_printed_reads_as_what_it_was(command in any_command()) {
        let printed = line(&command, Secrets::Shown);
        match interpret(Context::Root, &printed) {
            Ok(Outcome::Command(read)) => prop_assert!(*read == command, "{printed}\n{read:?}\n{command:?}"),
            other => prop_assert!(false, "{printed}: {other:?}"),
        }
    }

    #[test]
    fn no_line_panics(text in "\\PC*", context in prop::sample::select(vec![Context::Root, Context::Static, Context::Dynamic])) {
        let _ = interpret(context, &text);
        let (at, _) = super::super::complete::complete(context, &text);
        prop_assert!(text.is_char_boundary(at.min(text.len())));
    }

    #[test]
    fn no_value_panics(tag in prop::sample::select(vec!["add filter F srcaddr", "add filter F me any srcmask", "add filter F me any protocol",
        "add policy P mmsecmethods", "add filteraction A qmsecmethods", "set defaultrule P rootca", "set policy guid"]), value in "[-a-zA-Z0-9ä\\[\\],:/+=. %{}']{0,40}") {
        let _ = interpret(Context::Static, &format!("{tag}=\"{value}\""));
        let _ = interpret(Context::Dynamic, &format!("set config bootexemptions value=\"{value}\""));
    }
}
