use super::*;
use crate::rng::SecureRandom;
use crate::testing::SeededRandom;

#[test]
fn the_seeds_lead_where_they_say() {
    for (name, seed) in endpoint_seeds() {
        fuzz_endpoint(&seed);
        if name != "negotiated" {
            continue;
        }
        let mut octets = Octets(&seed);
        let mut pair = Pair::new(octets.one() % 2 == 1);
        while !octets.0.is_empty() {
            pair.operation(&mut octets);
        }
        assert!(pair.hosts.iter().all(|host| host.driver.pairs.len() == 1));
        // What is forged passes the cipher and the hash.
        let failures = pair.hosts[1].endpoint.snapshot().counters.authentication_failures;
        pair.operation(&mut Octets(&[80, 1, 9, 11, 12, 0, 0, 0, 12, 0, 0, 0, 1, 1, 0, 0, 14]));
        let counters = pair.hosts[1].endpoint.snapshot().counters;
        assert_eq!((counters.authentication_failures, counters.dropped), (failures, 0));
    }
}

#[test]
fn random_operations_leave_nothing() {
    let mut random = SeededRandom::new(77);
    let seeds = endpoint_seeds();
    for round in 0..600 {
        let mut octets = [0; 300];
        random.fill(&mut octets).expect("randomness");
        let (_, seed) = &seeds[round % seeds.len()];
        // Behind a seed, so that there is something to break; and many deliveries among it.
        let mut data = seed.clone();
        for pair in octets.chunks_exact(2) {
            data.push(if pair[0] < 128 { pair[0] & 0x80 } else { pair[1] });
        }
        fuzz_endpoint(&data);
    }
}
