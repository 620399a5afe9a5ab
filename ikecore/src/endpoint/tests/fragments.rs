//! IKE fragmentation: when long messages go out in pieces, and what becomes of true and forged ones.
use super::*;
use crate::crypto::group::Group;
use crate::event::{Detail, MessageEvent, Reject};
use crate::wire::payload::vendor::FRAGMENTATION;
use crate::wire::{Header, PayloadType};
use std::net::SocketAddr;

/// What a path that takes 576 octets leaves to IKE.
const SHORT_PATH: usize = 576 - 28;

/// Messages 3 and 4 have more than 512 octets, and those of quick mode too.
fn long_messages(config: &[Config; 2], seed: u64) -> Network {
    let host = |index: usize, local, remote| {
        let mut policy = TestPolicy::new(local, remote);
        policy.main_mode[0].group = Group::Modp4096;
        policy.quick_mode[0].pfs = Some(Group::Modp4096);
        Host::new(config[index].clone(), seed * 2 + index as u64, policy.database())
    };
    let mut network = Network::new([host(0, A, B), host(1, B, A)], Weather::default(), seed);
    initiate(&mut network);
    network
}

fn both(fragmentation: bool) -> [Config; 2] {
    let config = Config { fragmentation, detail: Detail::Trace, ..Config::default() };
    [config.clone(), config]
}

fn is_fragment(transmit: &Transmit) -> bool {
    Header::decode(&transmit.octets).is_ok_and(|header| header.next_payload == PayloadType::FRAGMENT)
}

fn fragments(network: &Network) -> [usize; 2] {
    [0, 1].map(|host| network.log.iter().filter(|(from, sent)| *from == host && is_fragment(sent)).count())
}

#[test]
fn after_the_first_time_outs_long_messages_go_in_fragments() {
    let mut network = long_messages(&both(true), 1);
    network.longest = Some(SHORT_PATH);
    let began = network.now;
    network.run(Duration::from_millis(2_900));
    assert_eq!(fragments(&network), [0, 0], "not before two repetitions");
    network.run(Duration::from_secs(100));
    assert_eq!(twins(&network), 1, "{:?}", network.hosts.each_ref().map(Host::failures));
    let established = network.hosts[0].endpoint.snapshot().ipsec_sas[0].since;
    assert!(established.since(began) < Duration::from_secs(4), "from then on they go in fragments at once");
    // Messages 3, 4 of main mode, 1 and 2 of quick mode; message 3 of main mode went whole three times.
    assert_eq!(fragments(&network), [4, 4]);
    assert!(network.log.iter().all(|(_, sent)| sent.octets.len() <= SHORT_PATH || !is_fragment(sent)));
    network.hosts.iter().for_each(assert_settled);
    assert!(network.hosts.iter().all(|host| host.endpoint.fragments.load_of_all() == (0, 0)));
    shut_down(&mut network);
}

#[test]
fn where_whole_messages_arrive_none_is_cut() {
    let mut network = long_messages(&both(true), 2);
    network.run(Duration::from_secs(60));
    assert_eq!((twins(&network), fragments(&network)), (1, [0, 0]));
    shut_down(&mut network);
}

#[test]
fn what_hardly_any_path_takes_goes_in_fragments_at_once() {
    let config = both(true);
    let mut network = Network::new(
        [(0, A, B), (1, B, A)].map(|(index, local, remote)| {
            let mut policy = TestPolicy::new(local, remote);
            policy.main_mode[0].group = Group::Modp8192;
            let offers = (0..16).flat_map(|_| policy.quick_mode.clone()).collect();
            policy.quick_mode = offers;
            for offer in &mut policy.quick_mode {
                offer.pfs = Some(Group::Modp8192);
            }
            Host::new(config[index].clone(), 6 + index as u64, policy.database())
        }),
        Weather::default(),
        3,
    );
    network.longest = Some(1_472);
    initiate(&mut network);
    network.run(Duration::from_secs(60));
    assert_eq!(twins(&network), 1, "{:?}", network.hosts.each_ref().map(Host::failures));
    assert!(fragments(&network)[0] >= 3, "quick mode message 1");
    assert_eq!(network.hosts[0].endpoint.snapshot().counters.retransmitted, 0);
    shut_down(&mut network);
}

/// What the system knows of a path is used at once, and fragments are as long as it takes them.
#[test]
fn on_a_path_that_is_known_to_be_short_long_messages_go_in_fragments_at_once() {
    const MTU: usize = 620;
    let mut network = long_messages(&both(true), 7);
    network.longest = Some(MTU - 28);
    let until = network.now + Duration::from_secs(3);
    let mut told = false;
    while network.step(until) {
        let sent = network.log.iter().find(|(from, sent)| *from == 0 && sent.octets.len() > SHORT_PATH);
        let Some((_, Transmit { remote, .. })) = sent.filter(|_| !told) else { continue };
        let (remote, octets) = (*remote, MTU);
        // Of others it says nothing, and what is longer nothing new.
        let other = SocketAddr::new(remote.ip(), remote.port() + 1);
        let before = network.log.len();
        network.feed(0, Input::PathMtu { remote: other, octets });
        network.feed(0, Input::PathMtu { remote, octets: 1_500 });
        assert_eq!(network.log.len(), before);
        network.feed(0, Input::PathMtu { remote, octets });
        assert_eq!(network.log.len(), before + 2, "the message again, in fragments");
        network.feed(0, Input::PathMtu { remote, octets });
        assert_eq!(network.log.len(), before + 2);
        told = true;
    }
    assert_eq!(twins(&network), 1, "{:?}", network.hosts.each_ref().map(Host::failures));
    assert_eq!(network.hosts[0].endpoint.snapshot().counters.retransmitted, 0);
    // The first one went whole, before the path was known. Who gets fragments sends such as every path takes.
    let whole = network.log.iter().filter(|(_, sent)| sent.octets.len() > MTU - 28).count();
    assert_eq!((whole, told), (1, true));
    let longest = network.log.iter().filter(|(_, sent)| is_fragment(sent)).map(|(_, sent)| sent.octets.len()).max();
    assert_eq!(longest, Some(MTU - 28));
    shut_down(&mut network);
}

/// Nonsense, which a router or somebody else may say, makes fragments no shorter than every path takes; and where they do
/// not arrive either, they become so short.
#[test]
fn what_is_known_of_a_path_may_be_wrong() {
    for (octets, longest) in [(0, SHORT_PATH), (620, SHORT_PATH)] {
        let mut network = long_messages(&both(true), 8);
        network.longest = Some(longest);
        let until = network.now + Duration::from_secs(100);
        let mut seen = 0;
        while network.step(until) {
            while seen < network.log.len() {
                let (from, remote) = (network.log[seen].0, network.log[seen].1.remote);
                seen += 1;
                network.feed(from, Input::PathMtu { remote, octets });
            }
        }
        assert_eq!(twins(&network), 1, "{:?}", network.hosts.each_ref().map(Host::failures));
        let least = network.log.iter().filter(|(_, sent)| is_fragment(sent)).map(|(_, sent)| sent.octets.len()).max();
        assert_eq!(least, Some(if octets == 0 { SHORT_PATH } else { 620 - 28 }));
        network.hosts.iter().for_each(assert_settled);
        shut_down(&mut network);
    }
}

/// Spoils both forms of the announcement.
fn without_fragmentation(octets: &mut [u8]) {
    while let Some(at) = octets.windows(16).position(|window| window == FRAGMENTATION) {
        octets[at] ^= 0xff;
    }
}

#[test]
fn only_who_announces_it_is_sent_fragments() {
    for (meddle, config) in [(true, both(true)), (false, both(false))] {
        let mut network = long_messages(&config, 4);
        network.longest = Some(SHORT_PATH);
        // What was sent before is on its way: begin anew.
        network.meddle = meddle.then_some(without_fragmentation as fn(&mut [u8]));
        network.run(Duration::from_secs(1));
        if meddle {
            network.hosts[0].command(network.now, Command::DeleteAll);
            network.log.clear();
            initiate(&mut network);
        }
        network.run(Duration::from_secs(100));
        assert_eq!((twins(&network), fragments(&network)), (0, [0, 0]));
        let failures = network.hosts[0].failures();
        assert!(
            matches!(failures.last(), Some(Failure::TimedOut { message: "main mode message 3", .. })),
            "{failures:?}"
        );
    }
}

/// Forgeries of a fragment by somebody who sees it: any octet changed, and any flag.
fn forgeries(octets: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let spots = (0..Header::LEN + 8).chain((Header::LEN + 8..octets.len()).step_by(97));
    for at in spots {
        for mask in [0x01, 0x80] {
            let mut forged = octets.to_vec();
            forged[at] ^= mask;
            all.push(forged);
        }
    }
    all
}

#[test]
fn a_forged_fragment_neither_changes_an_exchange_nor_spoils_a_message() {
    for (before, count) in [(true, 1), (false, 1), (true, usize::MAX), (false, usize::MAX)] {
        let total = forgeries(&[0; SHORT_PATH]).len();
        for first in (0..if count == 1 { total } else { 1 }).step_by(3) {
            let mut network = long_messages(&both(true), 5);
            network.longest = Some(SHORT_PATH);
            // Runs, and forges each fragment.
            let until = network.now + Duration::from_secs(100);
            let mut seen = 0;
            while network.step(until) {
                while seen < network.log.len() {
                    let (from, sent) = network.log[seen].clone();
                    seen += 1;
                    if !is_fragment(&sent) {
                        continue;
                    }
                    let to = 1 - from;
                    let now = network.now;
                    if !before {
                        // The true one is not there yet either, but the one before it is.
                        network.hosts[to].receive(now, sent.remote, sent.local, &sent.octets);
                    }
                    for forged in forgeries(&sent.octets).iter().skip(first).take(count) {
                        network.hosts[to].receive(now, sent.remote, sent.local, forged);
                        let elsewhere: SocketAddr = "198.51.100.66:500".parse().expect("an address");
                        network.hosts[to].receive(now, sent.remote, elsewhere, forged);
                    }
                }
            }
            let what = format!("before {before}, {count} from {first}");
            assert_eq!(twins(&network), 1, "{what}: {:?}", network.hosts.each_ref().map(Host::failures));
            let own: Vec<_> = outcomes(&network.hosts[0]).into_values().collect();
            assert_eq!(own[0], Ok(()), "{what}");
            network.hosts.iter().for_each(assert_settled);
            assert!(network.hosts.iter().all(|host| host.endpoint.fragments.load_of_all() == (0, 0)), "{what}");
            shut_down(&mut network);
        }
    }
}

#[test]
fn fragments_that_wait_are_bounded_in_octets_and_time() {
    let mut network = long_messages(&both(true), 6);
    network.longest = Some(SHORT_PATH);
    network.run(Duration::from_secs(5));
    assert_eq!(twins(&network), 1);
    let (from, like) = network.log.iter().find(|(_, sent)| is_fragment(sent)).expect("a fragment").clone();
    let host = &mut network.hosts[1 - from];
    let now = network.now;
    for id in 0..2_000_u16 {
        for number in [1, 2, 3, 250] {
            let mut octets = like.octets.to_vec();
            octets[32..34].copy_from_slice(&id.to_be_bytes());
            octets[34] = number;
            octets[35] = 0;
            host.receive(now, like.remote, like.local, &octets);
        }
        let (sets, octets) = host.endpoint.fragments.load_of_all();
        assert!(sets <= 8 && octets <= 131_072, "{sets} with {octets} octets");
    }
    assert_eq!(host.endpoint.fragments.load_of_all().0, 8);
    // Without the right cookies nothing is kept.
    for at in [0, 8] {
        let mut octets = like.octets.to_vec();
        octets[at] ^= 1;
        octets[32] = 0xee;
        host.receive(now, like.remote, like.local, &octets);
    }
    let mut first = like.octets.to_vec();
    first[8..16].fill(0);
    host.receive(now, like.remote, like.local, &first);
    let refused = host.events.iter().rev().find_map(|event| match &event.kind {
        EventKind::Message(MessageEvent::Dropped { reason, .. }) => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(refused, Some(Reject::FragmentOfFirst));
    assert_eq!(host.endpoint.fragments.load_of_all().0, 8);
    network.run(Duration::from_secs(69));
    assert_eq!(network.hosts[1 - from].endpoint.fragments.load_of_all().0, 8);
    network.run(Duration::from_secs(2));
    assert_eq!(network.hosts[1 - from].endpoint.fragments.load_of_all(), (0, 0));
    assert_eq!(twins(&network), 1);
    shut_down(&mut network);
}

#[test]
fn in_a_storm_fragments_arrive_all_the_same() {
    let mut agreed = 0;
    for seed in 0..40 {
        let mut network = long_messages(&both(true), 100 + seed);
        network.longest = Some(SHORT_PATH);
        network.weather = Weather { loss: 15, duplicates: 20, reordered: 20 };
        network.run(Duration::from_secs(600));
        network.hosts.iter().for_each(assert_settled);
        agreed += usize::from(twins(&network) == 1);
        shut_down(&mut network);
    }
    assert!(agreed >= 36, "only {agreed} of 40");
}
