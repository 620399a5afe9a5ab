use super::*;
use crate::fuzzing::esp_seeds;

#[test]
fn the_seeds_reach_the_host_when_they_are_what_the_sa_is_for() {
    let accepted = |wanted: &str| {
        let (_, octets) = esp_seeds().into_iter().find(|(name, _)| *name == wanted).unwrap();
        arrive(&octets)
    };
    for name in ["tunnel", "tunnel-in-udp", "transport", "transport-in-udp"] {
        assert_eq!(accepted(name), 1, "{name}");
    }
    for name in ["tunnel-congestion", "tunnel-other-source", "dummy", "forged", "host"] {
        assert_eq!(accepted(name), 0, "{name}");
    }
}
