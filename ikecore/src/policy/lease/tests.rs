use super::*;

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

fn pool(ranges: &[&str]) -> Pool {
    let ranges = ranges.iter().map(|text| text.parse().expect("a range")).collect();
    Pool { name: "pool".to_owned(), ranges, dns: Vec::new(), split_networks: Vec::new(), domain: None, banner: None }
}

fn owner(name: &str) -> Owner {
    Owner::new(&Identity::Fqdn("host.example".to_owned()), Some(name))
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn take(leases: &mut Leases, pool: &Pool, name: &str, peer: IpAddr) -> Option<IpAddr> {
    let chosen = leases.choose(pool, &owner(name), peer.into(), true, None)?;
    leases.hold(chosen, &owner(name), peer.into());
    Some(chosen)
}

#[test]
fn every_owner_has_an_address_of_its_own_until_there_are_no_more() {
    let pool = pool(&["10.0.0.1-10.0.0.2", "10.0.1.1"]);
    let mut leases = Leases::default();
    let given: Vec<_> = ["a", "b", "c"].iter().filter_map(|name| take(&mut leases, &pool, name, HOME)).collect();
    assert_eq!(given, ["10.0.0.1", "10.0.0.2", "10.0.1.1"].map(address));
    assert_eq!(take(&mut leases, &pool, "d", HOME), None);
    assert_eq!(leases.held(), 3);
}

#[test]
fn an_owner_gets_its_address_back_even_after_others_came() {
    let pool = pool(&["10.0.0.1-10.0.0.3"]);
    let mut leases = Leases::default();
    let first = take(&mut leases, &pool, "a", HOME).expect("free");
    leases.release(first, Time::from_secs(1));
    assert_eq!(leases.held(), 0);
    assert_eq!(take(&mut leases, &pool, "b", HOME), Some(address("10.0.0.2")));
    assert_eq!(take(&mut leases, &pool, "a", AWAY), Some(first), "from elsewhere, but nobody holds it");
}

#[test]
fn two_sas_of_one_host_share_its_address_and_two_hosts_do_not() {
    let pool = pool(&["10.0.0.1-10.0.0.3"]);
    let mut leases = Leases::default();
    let first = take(&mut leases, &pool, "a", HOME).expect("free");
    assert_eq!(take(&mut leases, &pool, "a", HOME), Some(first), "a successor of the ISAKMP SA");
    assert_ne!(take(&mut leases, &pool, "a", AWAY), Some(first));
    // Held twice: one release is not enough.
    leases.release(first, Time::from_secs(1));
    assert_eq!(leases.held(), 2);
    leases.release(first, Time::from_secs(2));
    leases.release(first, Time::from_secs(3));
    assert_eq!(leases.held(), 1);
}

#[test]
fn the_longest_free_is_given_to_another_when_all_have_been_used() {
    let pool = pool(&["10.0.0.1-10.0.0.2"]);
    let mut leases = Leases::default();
    let a = take(&mut leases, &pool, "a", HOME).expect("free");
    let b = take(&mut leases, &pool, "b", HOME).expect("free");
    leases.release(b, Time::from_secs(1));
    leases.release(a, Time::from_secs(2));
    assert_eq!(take(&mut leases, &pool, "c", HOME), Some(b));
    // Its former owner gets what is left.
    assert_eq!(take(&mut leases, &pool, "b", HOME), Some(a));
}

#[test]
fn a_wish_is_granted_only_within_the_pool_and_if_nobody_else_had_it() {
    let pool = pool(&["10.0.0.1-10.0.0.9", "2001:db8::1"]);
    let mut leases = Leases::default();
    let choose = |leases: &Leases, name: &str, wanted: &str| {
        leases.choose(&pool, &owner(name), HOME.into(), true, Some(address(wanted)))
    };
    assert_eq!(choose(&leases, "a", "10.0.0.7"), Some(address("10.0.0.7")));
    assert_eq!(choose(&leases, "a", "10.0.0.10"), Some(address("10.0.0.1")));
    assert_eq!(choose(&leases, "a", "2001:db8::1"), Some(address("10.0.0.1")), "of the other family");
    leases.hold(address("10.0.0.7"), &owner("b"), AWAY.into());
    leases.release(address("10.0.0.7"), Time::ZERO);
    assert_eq!(choose(&leases, "a", "10.0.0.7"), Some(address("10.0.0.1")));
    assert_eq!(leases.choose(&pool, &owner("a"), HOME.into(), false, None), Some(address("2001:db8::1")));
}

#[test]
fn an_address_that_left_the_pool_is_not_given_again() {
    let mut leases = Leases::default();
    let old = pool(&["10.0.0.1"]);
    let first = take(&mut leases, &old, "a", HOME).expect("free");
    leases.release(first, Time::ZERO);
    assert_eq!(take(&mut leases, &pool(&["10.0.5.1"]), "a", HOME), Some(address("10.0.5.1")));
}
