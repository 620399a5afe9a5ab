use openssl::bn::{BigNum, BigNumContext};

use super::*;
use crate::crypto::test_vectors::{cases, hex, load, number, octets, text};
use crate::rng::RngError;
use crate::testing::SeededRandom;

fn by_id(id: usize) -> Option<Group> {
    Group::try_from(u16::try_from(id).unwrap()).ok()
}

fn modp(group: Group) -> modp::Modp {
    match group.kind() {
        Kind::Modp(modp) => modp,
        Kind::Ecp(_) => panic!("{group} is no MODP group"),
    }
}

fn modp_groups() -> impl Iterator<Item = Group> {
    Group::ALL.into_iter().filter(|group| matches!(group.kind(), Kind::Modp(_)))
}

fn pair(group: Group, octets: &[u8]) -> KeyPair {
    KeyPair::derive(PrivateKey::from_octets(group, octets).unwrap()).unwrap()
}

#[test]
fn the_parameters_are_the_published_ones() {
    let file = load("dh_groups.json");
    let mut seen = 0;
    for case in cases(file.as_ref(), "groups") {
        let Some(group) = by_id(number(&case, "id")) else { continue };
        seen += 1;
        let bits = number(&case, "bits");
        assert!(group.name().starts_with(&format!("{} (", text(&case, "name"))), "{group}");
        match group.kind() {
            Kind::Modp(modp) => {
                assert_eq!(modp.prime(), octets(&case, "p"), "{group}");
                assert_eq!(modp.generator(), octets(&case, "g"), "{group}");
                if let modp::Field::Subgroup(parameters) = modp.field {
                    assert_eq!(parameters.order(), octets(&case, "q"), "{group}");
                }
                assert_eq!((group.public_len(), group.shared_len()), (bits / 8, bits / 8));
            }
            Kind::Ecp(_) => {
                let field = octets(&case, "p").len();
                assert_eq!((group.public_len(), group.shared_len()), (2 * field, field), "{group}");
                // The order bounds the private values; the generator is the public value of 1.
                let order = octets(&case, "n");
                let range = Err(GroupError::PrivateRange { group });
                assert_eq!(PrivateKey::from_octets(group, &order).map(drop), range);
                let mut one = vec![0; field];
                assert_eq!(PrivateKey::from_octets(group, &one).map(drop), range);
                one[field - 1] = 1;
                assert_eq!(pair(group, &one).public(), [octets(&case, "gx"), octets(&case, "gy")].concat());
                let mut largest = order;
                largest[field - 1] -= 1;
                let negative = pair(group, &largest);
                assert_eq!(negative.public()[..field], octets(&case, "gx"));
            }
        }
    }
    if file.is_some() {
        assert_eq!(seen, Group::ALL.iter().filter(|group| group.id() < 25).count());
    }
}

/// The digits of π that the primes are made of, computed from Machin's formula π = 16 arctan(1/5) - 4 arctan(1/239).
#[test]
fn the_primes_are_made_of_pi() {
    const GUARD: i32 = 64;
    let arctan_of_inverse = |x: u32| {
        let mut power = BigNum::from_u32(1).unwrap();
        power = shift(&power, 8062 + GUARD);
        power.div_word(x).unwrap();
        let mut sum = power.to_owned().unwrap();
        for (odd, subtract) in (3..).step_by(2).zip([true, false].into_iter().cycle()) {
            power.div_word(x * x).unwrap();
            let mut term = power.to_owned().unwrap();
            term.div_word(odd).unwrap();
            if term.num_bits() == 0 {
                return sum;
            }
            sum = if subtract { &sum - &term } else { &sum + &term };
        }
        sum
    };
    let mut five = arctan_of_inverse(5);
    five.mul_word(16).unwrap();
    let mut other = arctan_of_inverse(239);
    other.mul_word(4).unwrap();
    let mut pi = BigNum::new().unwrap();
    pi.rshift(&(&five - &other), GUARD).unwrap();
    // The second half of a prime is the digits plus k - 1, between 64 one bits on either side.
    for group in modp_groups() {
        let modp::Modp { bits, field: modp::Field::Safe { k }, .. } = modp(group) else { continue };
        let mut middle = BigNum::new().unwrap();
        middle.rshift(&pi, i32::try_from(8192 - bits).unwrap()).unwrap();
        middle.add_word(u32::try_from(k).unwrap()).unwrap();
        middle.sub_word(1).unwrap();
        let expected = [vec![0xff; 8], middle.to_vec(), vec![0xff; 8]].concat();
        assert_eq!(modp(group).prime(), expected, "{group}");
    }
}

fn shift(number: &BigNum, bits: i32) -> BigNum {
    let mut shifted = BigNum::new().unwrap();
    shifted.lshift(number, bits).unwrap();
    shifted
}

#[test]
fn the_smaller_primes_are_safe() {
    let mut context = BigNumContext::new().unwrap();
    for group in [Group::Modp768, Group::Modp1024, Group::Modp1536, Group::Modp2048] {
        let prime = BigNum::from_slice(&modp(group).prime()).unwrap();
        let mut half = BigNum::new().unwrap();
        half.rshift1(&prime).unwrap();
        assert!(prime.is_prime(4, &mut context).unwrap() && half.is_prime(4, &mut context).unwrap(), "{group}");
    }
}

#[test]
fn agrees_with_the_published_vectors() {
    let file = load("dh_groups.json");
    let mut seen = Vec::new();
    for case in cases(file.as_ref(), "vectors") {
        let Some(group) = by_id(number(&case, "group")) else { continue };
        let [initiator, responder] = ["x_i", "x_r"].map(|x| pair(group, &octets(&case, x)));
        assert_eq!(initiator.public(), octets(&case, "pub_i"), "{group}");
        assert_eq!(responder.public(), octets(&case, "pub_r"), "{group}");
        let shared = octets(&case, "shared");
        assert_eq!(*initiator.agree(responder.public()).unwrap().expose(), shared, "{group}");
        assert_eq!(*responder.agree(initiator.public()).unwrap().expose(), shared, "{group}");
        seen.push(group);
    }
    if file.is_some() {
        let numbers: Vec<u16> = seen.into_iter().map(Group::id).collect();
        assert_eq!(numbers, [1, 2, 5, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24]);
    }
}

/// RFC 5114 §A.4 and §A.5; the public value is x | y, the shared secret x alone.
#[test]
fn agrees_with_rfc_5114_on_the_small_curves() {
    for (group, private, x, y, peer_x, peer_y, shared) in [
        (
            Group::Ecp192,
            "323fa3169d8e9c6593f59476bc142000ab5be0e249c43426",
            "cd46489ecfd6c105e7b3d32566e2b122e249abaadd870612",
            "68887b4877df51dd4dc3d6fd11f0a26f8fd3844317916e9a",
            "519a121680e0045466ba21df2eee47f5973b500577ef13d5",
            "ff613ab4d64cee3a20875bdb10f953f6b30ca072c60aa57f",
            "ad420182633f8526bfe954acda376f05e5ff4f837f54febe",
        ),
        (
            Group::Ecp224,
            "b558eb6c288da707bbb4f8fbae2ab9e9cb62e3bc5c7573e22e26d37f",
            "49dfef309f81488c304cff5ab3ee5a2154367dc7833150e0a51f3eeb",
            "4f2b5ee45762c4f654c1a0c67f54cf88b016b51bce3d7c228d57adb4",
            "6b3ac96a8d0cde6a5599be8032edf10c162d0a8ad219506dcd42a207",
            "d491be99c213a7d1ca3706debfe305f361afcbb33e2609c8b1618ad5",
            "52272f50f46f4edc9151569092f46df2d96ecc3b6dc1714a4ea949fa",
        ),
    ] {
        let ours = pair(group, &hex(private));
        assert_eq!(ours.public(), [hex(x), hex(y)].concat(), "{group}");
        let agreed = ours.agree(&[hex(peer_x), hex(peer_y)].concat()).unwrap();
        assert_eq!(*agreed.expose(), hex(shared), "{group}");
    }
}

/// RFC 5903 §8.1; the public value is x | y, the shared secret x alone.
#[test]
fn agrees_with_rfc_5903() {
    let ours = pair(Group::Ecp256, &hex("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433"));
    let peer = "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63\
                56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab";
    let shared = ours.agree(&hex(peer)).unwrap();
    assert_eq!(*shared.expose(), hex("d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"));
}

#[test]
fn random_pairs_agree() {
    let mut random = SeededRandom::new(1);
    for group in Group::ALL {
        let mut draw = || KeyPair::derive(PrivateKey::random(group, &mut random).unwrap()).unwrap();
        let (a, b) = (draw(), draw());
        assert_ne!(a.public(), b.public(), "{group}");
        assert_eq!((a.group(), a.public().len()), (group, group.public_len()));
        let shared = a.agree(b.public()).unwrap();
        assert_eq!(shared.expose(), b.agree(a.public()).unwrap().expose(), "{group}");
        assert_eq!(shared.expose().len(), group.shared_len());
        assert_ne!(shared.expose(), a.agree(a.public()).unwrap().expose(), "{group}");
    }
}

/// g^xy goes into the prf with its leading zeros (RFC 2409 §5).
#[test]
fn a_shared_secret_that_begins_with_zero_keeps_its_length() {
    let mut random = SeededRandom::new(2);
    for group in [Group::Modp768, Group::Modp1024, Group::Ecp256] {
        let peer = KeyPair::derive(PrivateKey::random(group, &mut random).unwrap()).unwrap();
        // One in 256 of the small private values gives such a shared secret.
        let found = (1_u16..5000).find_map(|x| {
            let octets = match group.kind() {
                Kind::Modp(_) => x.to_be_bytes().to_vec(),
                Kind::Ecp(ecp) => [vec![0; ecp.len() - 2], x.to_be_bytes().to_vec()].concat(),
            };
            let ours = KeyPair::derive(PrivateKey::from_octets(group, &octets).unwrap()).unwrap();
            let shared = ours.agree(peer.public()).unwrap();
            (shared.expose()[0] == 0).then_some((ours, shared))
        });
        let (ours, shared) = found.expect("one of 5000 begins with a zero octet");
        assert_eq!(shared.expose().len(), group.shared_len(), "{group}");
        assert!(shared.expose()[1..].iter().any(|octet| *octet != 0));
        assert_eq!(shared.expose(), peer.agree(ours.public()).unwrap().expose(), "{group}");
    }
    // And a public value likewise: 2^1.
    let two = pair(Group::Modp768, &[1]);
    assert_eq!(two.public(), [vec![0; 95], vec![2]].concat());
}

#[test]
fn public_values_of_other_lengths_are_refused() {
    for group in Group::ALL {
        let ecp = matches!(group.kind(), Kind::Ecp(_));
        let ours = pair(group, &if ecp { vec![1; group.shared_len()] } else { vec![7] });
        let allowed = group.public_len();
        for got in [0, 1, allowed / 2, allowed - 1, allowed + 1, 4 * allowed] {
            let error = GroupError::PublicLength { group, got, allowed };
            assert_eq!(ours.agree(&vec![1; got]).map(drop), Err(error.clone()));
            assert_eq!(group.check_public(&vec![1; got]), Err(error));
        }
    }
}

#[test]
fn degenerate_public_values_are_refused() {
    for group in modp_groups() {
        let prime = modp(group).prime();
        let ours = pair(group, &[7]);
        let number = |value: u8| [vec![0; group.public_len() - 1], vec![value]].concat();
        let below_prime = |by: u8| {
            let mut octets = prime.clone();
            *octets.last_mut().unwrap() -= by;
            octets
        };
        let refused = Err(GroupError::Degenerate { group });
        for public in [number(0), number(1), below_prime(1), below_prime(0), vec![0xff; group.public_len()]] {
            assert_eq!(ours.agree(&public).map(drop), refused, "{group}");
            assert_eq!(group.check_public(&public), refused, "{group}");
        }
        for public in [number(2), number(3), below_prime(2)] {
            assert_eq!(group.check_public(&public), Ok(()), "{group}");
            assert_eq!(ours.agree(&public).is_ok(), !group.only_by_name(), "{group}");
        }
    }
}

/// A value outside of the subgroup has a factor of small order, and the shared secret with it tells the private value
/// modulo that order.
#[test]
fn values_outside_of_the_subgroup_are_refused() {
    let mut context = BigNumContext::new().unwrap();
    for group in modp_groups() {
        let modp::Field::Subgroup(parameters) = modp(group).field else { continue };
        let [prime, order] =
            [parameters.prime(), parameters.order()].map(|number| BigNum::from_slice(&number).unwrap());
        assert!(prime.is_prime(4, &mut context).unwrap() && order.is_prime(4, &mut context).unwrap(), "{group}");
        let ours = pair(group, &[7; 12]);
        let member = ours.public().to_vec();
        assert!(ours.agree(&member).is_ok());
        // The negative of a member has twice the order.
        let negative = &prime - &BigNum::from_slice(&member).unwrap();
        let negative = negative.to_vec_padded(i32::try_from(group.public_len()).unwrap()).unwrap();
        assert_eq!(group.check_public(&negative), Ok(()), "cheap checks see nothing");
        assert_eq!(ours.agree(&negative).map(drop), Err(GroupError::OutsideSubgroup { group }));
    }
}

#[test]
fn points_off_the_curve_are_refused() {
    let mut random = SeededRandom::new(3);
    for group in Group::ALL.into_iter().filter(|group| matches!(group.kind(), Kind::Ecp(_))) {
        let ours = KeyPair::derive(PrivateKey::random(group, &mut random).unwrap()).unwrap();
        let refused = Err(GroupError::NotOnCurve { group });
        let mut crooked = ours.public().to_vec();
        *crooked.last_mut().unwrap() ^= 1;
        let swapped = ours.public().rotate_halves();
        for public in [vec![0; group.public_len()], vec![0xff; group.public_len()], crooked, swapped] {
            assert_eq!(ours.agree(&public).map(drop), refused, "{group}");
            assert_eq!(group.check_public(&public), refused, "{group}");
        }
        assert_eq!(group.check_public(ours.public()), Ok(()));
    }
}

trait RotateHalves {
    fn rotate_halves(&self) -> Vec<u8>;
}

impl RotateHalves for [u8] {
    fn rotate_halves(&self) -> Vec<u8> {
        let (x, y) = self.split_at(self.len() / 2);
        [y, x].concat()
    }
}

#[test]
fn private_values_out_of_range_are_refused() {
    for group in modp_groups() {
        let refused = Err(GroupError::PrivateRange { group });
        for octets in [vec![], vec![0; 32], vec![1; group.public_len() + 1]] {
            assert_eq!(PrivateKey::from_octets(group, &octets).map(drop), refused, "{group}");
        }
        if let modp::Field::Subgroup(parameters) = modp(group).field {
            assert_eq!(PrivateKey::from_octets(group, &parameters.order()).map(drop), refused, "{group}");
            continue;
        }
        // (p-1)/2 is in range, but its public value is 1.
        let prime = BigNum::from_slice(&modp(group).prime()).unwrap();
        let mut half = BigNum::new().unwrap();
        half.rshift1(&prime).unwrap();
        let private = PrivateKey::from_octets(group, &half.to_vec()).unwrap();
        if group <= Group::Modp2048 {
            assert_eq!(KeyPair::derive(private).map(drop), Err(GroupError::Degenerate { group }));
        }
    }
}

#[test]
fn exponents_are_as_long_as_the_group_is_strong() {
    let mut random = SeededRandom::new(4);
    for group in Group::ALL {
        let private = PrivateKey::random(group, &mut random).unwrap();
        let bits = private.octets.expose().len() * 8;
        // A curve's private values, and those of RFC 5114's groups, are below the order.
        let least = match group.kind() {
            Kind::Ecp(ecp) => ecp.bits,
            Kind::Modp(_) if group.only_by_name() => 160,
            Kind::Modp(_) => 256,
        };
        assert!(bits >= least && bits >= 2 * usize::try_from(group.strength()).unwrap(), "{group}: {bits} bits");
        assert!(bits <= 528, "{group}: {bits} bits");
        assert_eq!(private.group(), group);
    }
}

/// Fills with one octet, or fails.
struct Broken(Option<u8>);

impl SecureRandom for Broken {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        out.fill(self.0.ok_or(RngError)?);
        Ok(())
    }
}

#[test]
fn broken_randomness_makes_no_key() {
    for group in Group::ALL {
        for broken in [None, Some(0)] {
            let result = PrivateKey::random(group, &mut Broken(broken)).map(drop);
            assert_eq!(result, Err(GroupError::Random(RngError)), "{group}");
        }
    }
    // All ones is more than the order of any curve.
    for group in Group::ALL.into_iter().filter(|group| matches!(group.kind(), Kind::Ecp(_))) {
        let result = PrivateKey::random(group, &mut Broken(Some(0xff))).map(drop);
        assert_eq!(result, Err(GroupError::Random(RngError)), "{group}");
    }
}

#[test]
fn numbers_map_to_groups_and_back() {
    for group in Group::ALL {
        assert_eq!(Group::try_from(group.id()), Ok(group));
        assert!(group.name().ends_with(&format!("({})", group.id())), "{group}");
    }
    for got in [0, 3, 4, 6, 13, 31, 0x8001, u16::MAX] {
        assert_eq!(Group::try_from(got), Err(GroupError::Unknown { got }));
    }
}

#[test]
fn shows_no_secret_and_travels_between_threads() {
    const fn travels<T: Send + Sync>() {}
    const { travels::<KeyPair>() };
    const { travels::<PrivateKey>() };
    let ours = pair(Group::Modp768, &[0xab; 32]);
    assert!(format!("{:?}", ours.private).contains("<secret>"));
    assert!(!format!("{:?}", ours.private).contains("171"));
}
