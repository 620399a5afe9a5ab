use super::*;

fn flow(port: u16) -> Flow {
    let [local, remote] = ["10.0.0.1", "10.0.0.2"].map(|address| address.parse().expect("an address"));
    Flow { local, remote, protocol: 17, local_port: port, remote_port: 9, scope: ikecore::address::Scope::ANY }
}

#[test]
fn the_first_packets_of_a_flow_wait_in_order() {
    let mut hold = Hold::default();
    for octet in 0..9 {
        hold.keep(Time::ZERO, flow(1), &[octet]);
    }
    hold.keep(Time::ZERO, flow(2), &[99]);
    assert_eq!(hold.take(Time::from_secs(4)), [[0], [1], [2], [3], [99]]);
    assert!(hold.is_empty());
}

#[test]
fn packets_wait_for_a_while_only() {
    let mut hold = Hold::default();
    hold.keep(Time::ZERO, flow(1), &[1]);
    hold.keep(Time::from_secs(3), flow(1), &[2]);
    assert_eq!(hold.take(Time::from_secs(6)), [[2]]);
}

#[test]
fn the_queue_is_bounded_in_packets_and_octets() {
    let mut hold = Hold::default();
    for port in 0..1000 {
        hold.keep(Time::ZERO, flow(port), &[0; 10]);
    }
    assert_eq!(hold.take(Time::ZERO).len(), MOST_PACKETS);
    for port in 0..60 {
        hold.keep(Time::ZERO, flow(port), &[0; 10_000]);
    }
    assert_eq!(hold.take(Time::ZERO).len(), MOST_OCTETS / 10_000);
    // What was given out has no part in the count any more.
    hold.keep(Time::ZERO, flow(0), &[0; 10_000]);
    assert_eq!(hold.take(Time::ZERO).len(), 1);
}

#[test]
fn one_acquire_a_second_for_each_flow_and_policy() {
    let mut hold = Hold::default();
    let at = |millis: u64| Time::from_micros(millis * 1000);
    assert!(hold.may_ask(at(0), flow(1), 5));
    assert!(!hold.may_ask(at(999), flow(1), 5));
    assert!(hold.may_ask(at(999), flow(1), 6));
    assert!(hold.may_ask(at(999), flow(2), 5));
    assert!(hold.may_ask(at(1000), flow(1), 5));
    let asked = (0..5000).filter(|port| hold.may_ask(at(1500), flow(*port), 7)).count();
    assert!(asked <= MOST_FLOWS, "{asked}");
    assert!(hold.may_ask(at(3000), flow(9), 8));
}
