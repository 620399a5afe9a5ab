//! Pairs that carry nothing end, if the policy says so.
use super::*;
use crate::event::IpsecSaEvent;

fn idle(seed: u64, seconds: [u32; 2]) -> Network {
    let mut network = pair(seed, Weather::default(), |index, policy| policy.idle = seconds[index]);
    initiate(&mut network);
    network.run(Duration::from_secs(2));
    assert_eq!(twins(&network), 1);
    network
}

fn traffic(network: &mut Network, host: usize, inbound: u64, outbound: u64) {
    let driver = &mut network.hosts[host].driver;
    for id in driver.pairs.keys() {
        let usage = driver.usage.entry(*id).or_default();
        usage.inbound_packets += inbound;
        usage.outbound_packets += outbound;
    }
}

fn pairs(network: &Network) -> [usize; 2] {
    network.hosts.each_ref().map(|host| host.driver.pairs.len())
}

#[test]
fn a_pair_without_traffic_ends_and_the_peer_is_told() {
    for host in 0..2 {
        let mut seconds = [0, 0];
        seconds[host] = 300;
        let mut network = idle(1, seconds);
        network.run(Duration::from_secs(297));
        assert_eq!(pairs(&network), [1, 1]);
        network.run(Duration::from_secs(2));
        assert_eq!(pairs(&network), [0, 0]);
        let ended = network.hosts[host].events.iter().filter(|event| {
            matches!(
                &event.kind,
                EventKind::IpsecSa(IpsecSaEvent::Ended { reason: Failure::Idle { seconds: 300 }, .. })
            )
        });
        assert_eq!(ended.count(), 1);
        // The ISAKMP SA stays, and serves the next.
        network.feed(host, acquire(host));
        network.run(Duration::from_secs(2));
        assert_eq!((pairs(&network), network.hosts[host].endpoint.snapshot().counters.main_modes), ([1, 1], 1));
        shut_down(&mut network);
    }
}

#[test]
fn any_packet_either_way_keeps_it() {
    for (inbound, outbound) in [(1, 0), (0, 1)] {
        let mut network = idle(2, [300, 0]);
        for _ in 0..5 {
            network.run(Duration::from_secs(250));
            traffic(&mut network, 0, inbound, outbound);
        }
        assert_eq!(pairs(&network), [1, 1]);
        network.run(Duration::from_secs(601));
        assert_eq!(pairs(&network), [0, 0]);
        shut_down(&mut network);
    }
}

#[test]
fn without_the_setting_and_without_an_answer_of_the_driver_it_lives() {
    let mut network = idle(3, [0, 0]);
    network.run(Duration::from_secs(2_000));
    assert_eq!(pairs(&network), [1, 1]);
    shut_down(&mut network);
    let mut network = idle(4, [300, 0]);
    network.hosts[0].driver.mute = true;
    network.run(Duration::from_secs(1_000));
    assert_eq!((pairs(&network), network.hosts[0].unanswered.len()), ([1, 1], 3));
}

#[test]
fn a_member_of_a_cluster_is_left_after_a_minute() {
    for (seconds, lives) in [(300, 60), (20, 20), (0, 1_000)] {
        let config = Config { of_cluster: true, ..Config::default() };
        let mut network = pair_with(5, Weather::default(), &config, |_, policy| policy.idle = seconds);
        initiate(&mut network);
        network.run(Duration::from_secs(lives - 1));
        assert_eq!(pairs(&network), [1, 1], "{seconds}");
        network.run(Duration::from_secs(3));
        assert_eq!(pairs(&network), if seconds == 0 { [1, 1] } else { [0, 0] }, "{seconds}");
        shut_down(&mut network);
    }
}
