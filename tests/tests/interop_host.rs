//! Interoperation in network namespaces on this host's kernel, with ESP in user space at both ends.

use std::time::Duration;

use ikecore::testing::authority::KeyKind;
use tests::capture::{Capture, Kind, count};
use tests::charon::{Charon, Connection, Kernel, Mode};
use tests::daemon::Driver;
use tests::netns::{A, B, World};
use tests::scenario::certificates::{Fault, refuses_certificate, signatures};
use tests::scenario::liveliness::Mourning;
use tests::scenario::mode_config;
use tests::scenario::moving::{Unique, comes_back_elsewhere};
use tests::scenario::refusals::{Mismatch, refuses};
use tests::scenario::remote_access::{Phase1, Unlike};
use tests::scenario::{
    GCM_CUT, Role, SUITES, aggressive, commit_bit, driver_failure, fragments, identities, liveliness, many, moving_in,
    nat, netsh, recovery, rekeys, rekeys_and_deletes, remote_access, road_warriors, vpnc, whole_life,
};

/// The harness itself, proven with a peer at both ends: what fails elsewhere is then ours.
#[test]
fn harness_two_charons() {
    let world = World::new();
    let a = Charon::start(&world.a, Kernel::Libipsec, &Connection::between(A, B).encapsulated());
    let b = Charon::start(&world.b, Kernel::Libipsec, &Connection::between(B, A).encapsulated());
    let capture = Capture::start(&world);
    a.initiate().expect("two charons agree");
    b.wait_installed();
    assert_eq!(world.a.ping(A.inside, B.inside, 3), 3, "pings through the tunnel");
    for charon in [&a, &b] {
        let sas = charon.list_sas();
        assert_eq!((sas.len(), sas[0].state.as_str()), (1, "ESTABLISHED"));
        assert_eq!(sas[0].suite, "AES_CBC 256 PRF_HMAC_SHA2_256 MODP_2048");
        let child = &sas[0].children[0];
        assert_eq!((child.packets_in, child.packets_out), (3, 3));
        assert_eq!((child.mode.as_str(), child.encapsulated), ("TUNNEL", true));
    }
    assert_eq!(a.installed()[0].spi_in, b.installed()[0].spi_out);
    a.rekey_child();
    // At both ends: what arrives before the third message of quick mode is lost.
    for charon in [&a, &b] {
        charon.wait_sas("a new pair of SAs", Duration::from_secs(10), |sas| sas[0].children.len() == 2);
    }
    assert_eq!(world.a.ping(A.inside, B.inside, 2), 2, "pings after the rekey");
    b.terminate();
    a.wait_sas("no SAs after the peer's delete", Duration::from_secs(10), <[_]>::is_empty);
    let packets = capture.finish();
    assert_eq!(
        (count(&packets, Kind::EspInUdp), count(&packets, Kind::Echo)),
        (10, 0),
        "5 pings and 5 replies, none in clear"
    );
    assert!(count(&packets, Kind::Ike) >= 9, "main mode and quick mode: {}", count(&packets, Kind::Ike));
}

/// The daemon configured by `netsh` alone, with algorithms of then and of now.
#[test]
fn netsh_static_3des() {
    netsh::static_policy(Driver::Userspace, Kernel::Libipsec, Mode::Tunnel, &netsh::WORDS[0]);
}

#[test]
fn netsh_static_aes() {
    netsh::static_policy(Driver::Userspace, Kernel::Libipsec, Mode::Tunnel, &netsh::WORDS[1]);
}

#[test]
fn netsh_dynamic_aes() {
    netsh::dynamic_policy(Driver::Userspace, Kernel::Libipsec, Mode::Tunnel, &netsh::WORDS[1]);
}

/// One test a suite and role: with the daemon's own ESP against charon's own, in tunnel mode, which is all
/// that charon's can.
macro_rules! whole_lives {
    ($($name:ident: $suite:expr, $role:ident;)*) => {
        $(
            #[test]
            fn $name() {
                whole_life(Driver::Userspace, Kernel::Libipsec, $suite, Mode::Tunnel, Role::$role);
            }
        )*
    };
}

whole_lives! {
    aes128_sha1_modp1024_initiator: SUITES[0], Initiator;
    aes128_sha1_modp1024_responder: SUITES[0], Responder;
    aes256_sha256_modp2048_initiator: SUITES[1], Initiator;
    aes256_sha256_modp2048_responder: SUITES[1], Responder;
    tripledes_sha1_modp1024_initiator: SUITES[2], Initiator;
    tripledes_sha1_modp1024_responder: SUITES[2], Responder;
    aes256_sha512_ecp384_initiator: SUITES[3], Initiator;
    aes256_sha512_ecp384_responder: SUITES[3], Responder;
    aes128gcm8_initiator: GCM_CUT[0], Initiator;
    aes128gcm8_responder: GCM_CUT[0], Responder;
    aes192gcm12_initiator: GCM_CUT[1], Initiator;
    aes192gcm12_responder: GCM_CUT[1], Responder;
}

#[test]
fn the_daemon_rekeys_and_deletes() {
    rekeys_and_deletes(Driver::Userspace, Kernel::Libipsec, Mode::Tunnel);
}

#[test]
fn rekeys_lose_no_packet() {
    rekeys::lose_no_packet(Driver::Userspace, Kernel::Libipsec, Mode::Tunnel);
}

#[test]
fn rekeys_by_both_ends_at_once_lose_no_packet() {
    rekeys::at_once(Driver::Userspace, Kernel::Libipsec, Mode::Tunnel, 2);
}

macro_rules! refusals {
    ($($name:ident: $mismatch:ident, $role:ident;)*) => {
        $(
            #[test]
            fn $name() {
                refuses(Driver::Userspace, Kernel::Libipsec, Mismatch::$mismatch, Role::$role);
            }
        )*
    };
}

refusals! {
    wrong_key_initiator: Key, Initiator;
    wrong_key_responder: Key, Responder;
    no_common_main_mode_proposal_initiator: MainMode, Initiator;
    no_common_main_mode_proposal_responder: MainMode, Responder;
    other_key_length_initiator: KeyLength, Initiator;
    other_key_length_responder: KeyLength, Responder;
    other_hash_initiator: Hash, Initiator;
    other_hash_responder: Hash, Responder;
    other_group_initiator: Group, Initiator;
    other_group_responder: Group, Responder;
    wrong_identity_initiator: Identity, Initiator;
    wrong_identity_responder: Identity, Responder;
    no_common_quick_mode_proposal_initiator: QuickMode, Initiator;
    no_common_quick_mode_proposal_responder: QuickMode, Responder;
    other_integrity_initiator: Integrity, Initiator;
    other_integrity_responder: Integrity, Responder;
    other_group_of_pfs_initiator: PfsGroup, Initiator;
    other_group_of_pfs_responder: PfsGroup, Responder;
    no_pfs_initiator: Pfs, Initiator;
    no_pfs_responder: Pfs, Responder;
    no_extended_sequence_numbers_initiator: SequenceNumbers, Initiator;
    no_extended_sequence_numbers_responder: SequenceNumbers, Responder;
    ah_for_esp_initiator: Protocol, Initiator;
    ah_for_esp_responder: Protocol, Responder;
    transport_for_tunnel_mode_initiator: Mode, Initiator;
    transport_for_tunnel_mode_responder: Mode, Responder;
    mismatched_selectors_initiator: Selectors, Initiator;
    mismatched_selectors_responder: Selectors, Responder;
    mismatched_ports_initiator: Ports, Initiator;
    mismatched_ports_responder: Ports, Responder;
}

/// One test for each place of the NAT and role.
macro_rules! nats {
    ($($name:ident: $hidden:ident, $role:ident;)*) => {
        $(
            #[test]
            fn $name() {
                nat::nets_through_a_nat(nat::Hidden::$hidden, Role::$role);
            }
        )*
    };
}

nats! {
    nets_through_a_nat_initiator: Client, Initiator;
    nets_through_a_nat_responder: Client, Responder;
    nets_through_two_nats_initiator: Both, Initiator;
    nets_through_two_nats_responder: Both, Responder;
}

#[test]
fn eight_quick_modes_at_once() {
    many::quick_modes_at_once(Driver::Userspace, Kernel::Libipsec);
}

#[test]
fn a_main_mode_for_each_quick_mode() {
    many::master_pfs(Driver::Userspace, Kernel::Libipsec);
}

#[test]
fn the_daemon_is_killed() {
    recovery::the_daemon_is_killed(Driver::Userspace, Kernel::Libipsec, Mode::Tunnel);
}

#[test]
fn ike_messages_in_fragments_initiator() {
    fragments::in_fragments(Driver::Userspace, Kernel::Libipsec, Role::Initiator);
}

#[test]
fn ike_messages_in_fragments_of_a_short_route() {
    fragments::of_a_short_route(Driver::Userspace, Kernel::Libipsec);
}

#[test]
fn ike_messages_in_fragments_responder() {
    fragments::in_fragments(Driver::Userspace, Kernel::Libipsec, Role::Responder);
}

#[test]
fn the_peer_asks_whether_the_daemon_lives() {
    liveliness::the_peer_asks(Driver::Userspace, Kernel::Libipsec);
}

#[test]
fn the_peer_answers_that_it_lives() {
    liveliness::the_peer_answers(Driver::Userspace, Kernel::Libipsec);
}

#[test]
fn idle_sas_end() {
    liveliness::idle_sas_end(Driver::Userspace, Kernel::Libipsec);
}

#[test]
fn the_peer_speaks_another_version() {
    liveliness::the_peer_speaks_another_version(Driver::Userspace, Kernel::Libipsec);
}

#[test]
fn the_peer_speaks_another_version_alone() {
    liveliness::the_peer_speaks_another_version_alone(Driver::Userspace, Kernel::Libipsec);
}

#[test]
fn the_peer_dies_and_the_daemon_clears() {
    liveliness::the_peer_dies(Driver::Userspace, Kernel::Libipsec, Mourning::Clear);
}

#[test]
fn the_peer_dies_and_the_daemon_holds() {
    liveliness::the_peer_dies(Driver::Userspace, Kernel::Libipsec, Mourning::Hold);
}

#[test]
fn the_peer_dies_and_the_daemon_restarts() {
    liveliness::the_peer_dies(Driver::Userspace, Kernel::Libipsec, Mourning::Restart);
}

#[test]
fn the_device_vanishes() {
    driver_failure::the_device_vanishes(Kernel::Libipsec);
}

/// One test for each proof before the user's, and each end that the daemon is.
macro_rules! remote_access {
    ($($name:ident: $end:ident($($argument:expr),*);)*) => {
        $(
            #[test]
            fn $name() {
                remote_access::$end($($argument),*);
            }
        )*
    };
}

remote_access! {
    gives_an_address_when_asked: gateway(Phase1::Key, false);
    gives_an_address_unasked: gateway(Phase1::Key, true);
    gives_an_address_after_rsa_signatures: gateway(Phase1::Signatures, false);
    gives_an_address_by_hybrid_authentication: gateway(Phase1::Hybrid, false);
    gives_an_address_by_hybrid_authentication_in_aggressive_mode: gateway(Phase1::HybridAggressive, false);
    asks_for_an_address: client(Phase1::Key, false);
    takes_an_address_unasked: client(Phase1::Key, true);
    asks_for_an_address_after_rsa_signatures: client(Phase1::Signatures, false);
    asks_for_an_address_by_hybrid_authentication: client(Phase1::Hybrid, false);
    asks_for_an_address_by_hybrid_authentication_in_aggressive_mode: client(Phase1::HybridAggressive, false);
    users_of_one_end_only_as_gateway: unlike(Unlike::Xauth, Role::Responder);
    users_of_one_end_only_as_client: unlike(Unlike::Xauth, Role::Initiator);
    users_of_the_other_end_only_as_gateway: unlike(Unlike::NoXauth, Role::Responder);
    users_of_the_other_end_only_as_client: unlike(Unlike::NoXauth, Role::Initiator);
    hybrid_authentication_of_one_end_as_gateway: unlike(Unlike::Hybrid, Role::Responder);
    hybrid_authentication_of_one_end_as_client: unlike(Unlike::Hybrid, Role::Initiator);
    hybrid_authentication_of_the_other_end_as_gateway: unlike(Unlike::NoHybrid, Role::Responder);
    hybrid_authentication_of_the_other_end_as_client: unlike(Unlike::NoHybrid, Role::Initiator);
    another_mode_as_gateway: unlike(Unlike::Aggressive, Role::Responder);
    extended_authentication_by_pam: gateway_with_pam();
    wrong_password: wrong_password(Phase1::Key);
    wrong_password_after_rsa_signatures: wrong_password(Phase1::Signatures);
    wrong_password_by_hybrid_authentication: wrong_password(Phase1::Hybrid);
}

#[test]
fn mode_config_unasked_and_asked_as_gateway() {
    mode_config::gateway_meets(false);
}

#[test]
fn mode_config_where_both_wait_as_gateway() {
    mode_config::gateway_meets(true);
}

#[test]
fn mode_config_unasked_and_asked_as_client() {
    mode_config::client_meets(false);
}

#[test]
fn mode_config_where_both_wait_as_client() {
    mode_config::client_meets(true);
}

#[test]
fn mode_config_without_pool() {
    mode_config::without_pool();
}

#[test]
fn mode_config_without_address_of_the_peer() {
    mode_config::without_address_of_the_peer();
}

#[test]
fn mode_config_of_both_families_as_client() {
    mode_config::client_of_both_families();
}

#[test]
fn mode_config_exhausted_when_asked() {
    mode_config::exhausted(false);
}

#[test]
fn mode_config_exhausted_unasked() {
    mode_config::exhausted(true);
}

#[test]
fn a_peer_comes_back_elsewhere_and_is_kept() {
    comes_back_elsewhere(Driver::Userspace, Kernel::Libipsec, Unique::Keep);
}

#[test]
fn a_peer_comes_back_elsewhere_and_is_replaced() {
    comes_back_elsewhere(Driver::Userspace, Kernel::Libipsec, Unique::Replace);
}

#[test]
fn a_peer_comes_back_elsewhere_and_is_refused() {
    comes_back_elsewhere(Driver::Userspace, Kernel::Libipsec, Unique::Refuse);
}

#[test]
fn two_pools_for_two_identities() {
    road_warriors::two_pools(Driver::Userspace, Kernel::Libipsec);
}

#[test]
fn addresses_of_both_families() {
    road_warriors::both_families(Driver::Userspace, Kernel::Libipsec);
}

#[test]
fn two_road_warriors_with_users() {
    road_warriors::with_users(Driver::Userspace, Kernel::Libipsec);
}

#[test]
fn two_road_warriors_with_certificates() {
    road_warriors::with_certificates(Driver::Userspace, Kernel::Libipsec);
}

#[test]
fn aggressive_mode_initiator() {
    aggressive::with_charon(Role::Initiator);
}

#[test]
fn aggressive_mode_responder() {
    aggressive::with_charon(Role::Responder);
}

/// One test a pair of identities and role.
macro_rules! blocks {
    ($($name:ident: $own:literal, $other:literal, $role:ident;)*) => {
        $(
            #[test]
            fn $name() {
                identities::blocks_with_charon(Role::$role, $own, $other);
            }
        )*
    };
}

blocks! {
    subnet_and_range_as_identities_initiator: "10.9.0.0/24", "10.9.1.1-10.9.1.9", Initiator;
    subnet_and_range_as_identities_responder: "10.9.0.0/24", "10.9.1.1-10.9.1.9", Responder;
    range_and_subnet_as_identities_initiator: "fd00::1-fd00::9", "10.9.0.0/16", Initiator;
    range_and_subnet_as_identities_responder: "fd00::1-fd00::9", "10.9.0.0/16", Responder;
}

/// One test a pair of names and role.
macro_rules! names {
    ($($name:ident: $own:literal, $other:literal, $role:ident;)*) => {
        $(
            #[test]
            fn $name() {
                identities::names_with_charon(Role::$role, identities::NAMES[$own], identities::NAMES[$other]);
            }
        )*
    };
}

names! {
    fqdn_and_user_as_identities_initiator: 0, 1, Initiator;
    user_and_fqdn_as_identities_responder: 1, 0, Responder;
    distinguished_name_and_key_id_as_identities_initiator: 2, 3, Initiator;
    key_id_and_distinguished_name_as_identities_responder: 3, 2, Responder;
}

#[test]
fn the_commit_bit_is_passed_over() {
    commit_bit::charon_passes_it_over();
}

#[test]
fn aggressive_mode_unwanted() {
    aggressive::with_ike_scan();
}

#[test]
fn vpnc_connects() {
    vpnc::connects();
}

/// One test a kind of key and role; the hash of main mode is another than that of the signature.
macro_rules! signatures {
    ($($name:ident: $key:expr, $main_mode:literal, $role:ident;)*) => {
        $(
            #[test]
            fn $name() {
                signatures(Driver::Userspace, Kernel::Libipsec, $key, $main_mode, Role::$role);
            }
        )*
    };
}

signatures! {
    rsa_signatures_initiator: KeyKind::Rsa(2048), "aes256-sha256-modp2048", Initiator;
    rsa_signatures_responder: KeyKind::Rsa(2048), "aes256-sha256-modp2048", Responder;
    ecdsa_p256_signatures_initiator: KeyKind::P256, "aes256-sha384-modp2048", Initiator;
    ecdsa_p256_signatures_responder: KeyKind::P256, "aes256-sha384-modp2048", Responder;
    ecdsa_p384_signatures_initiator: KeyKind::P384, "aes256-sha1-modp2048", Initiator;
    ecdsa_p384_signatures_responder: KeyKind::P384, "aes256-sha1-modp2048", Responder;
    ecdsa_p521_signatures_initiator: KeyKind::P521, "aes256-sha512-ecp384", Initiator;
    ecdsa_p521_signatures_responder: KeyKind::P521, "aes256-sha512-ecp384", Responder;
}

/// In aggressive mode, one test a kind of key and role.
macro_rules! aggressive_signatures {
    ($($name:ident: $key:expr, $role:ident;)*) => {
        $(
            #[test]
            fn $name() {
                tests::scenario::certificates::aggressive(Driver::Userspace, Kernel::Libipsec, $key, Role::$role);
            }
        )*
    };
}

aggressive_signatures! {
    rsa_signatures_in_aggressive_mode_initiator: KeyKind::Rsa(2048), Initiator;
    rsa_signatures_in_aggressive_mode_responder: KeyKind::Rsa(2048), Responder;
    ecdsa_p256_signatures_in_aggressive_mode_initiator: KeyKind::P256, Initiator;
    ecdsa_p256_signatures_in_aggressive_mode_responder: KeyKind::P256, Responder;
}

/// By the name of their authority, one test a role, with the name told and not.
macro_rules! by_root_ca {
    ($($name:ident: $excluded:expr, $role:ident;)*) => {
        $(
            #[test]
            fn $name() {
                tests::scenario::certificates::by_root_ca(Driver::Userspace, Kernel::Libipsec, $excluded, Role::$role);
            }
        )*
    };
}

by_root_ca! {
    by_root_ca_as_initiator: false, Initiator;
    by_root_ca_as_responder: false, Responder;
    by_root_ca_excluded_as_initiator: true, Initiator;
    by_root_ca_excluded_as_responder: true, Responder;
}

macro_rules! wrong_certificates {
    ($($name:ident: $fault:ident, $role:ident;)*) => {
        $(
            #[test]
            fn $name() {
                refuses_certificate(Driver::Userspace, Kernel::Libipsec, Fault::$fault, Role::$role);
            }
        )*
    };
}

wrong_certificates! {
    a_revoked_certificate_as_initiator: Revoked, Initiator;
    a_revoked_certificate_as_responder: Revoked, Responder;
    an_expired_certificate_as_initiator: Expired, Initiator;
    an_expired_certificate_as_responder: Expired, Responder;
    another_peer_of_the_same_authority_as_initiator: OtherPeer, Initiator;
    another_peer_of_the_same_authority_as_responder: OtherPeer, Responder;
    an_expired_certificate_of_ours_as_initiator: OwnExpired, Initiator;
    no_revocation_list_as_initiator: NoList, Initiator;
    no_revocation_list_as_responder: NoList, Responder;
    stale_revocation_lists_as_initiator: StaleLists, Initiator;
    stale_revocation_lists_as_responder: StaleLists, Responder;
    a_certificate_not_yet_valid_as_initiator: NotYetValid, Initiator;
    a_certificate_not_yet_valid_as_responder: NotYetValid, Responder;
    an_unknown_authority_as_initiator: UnknownAuthority, Initiator;
    an_unknown_authority_as_responder: UnknownAuthority, Responder;
    a_key_that_is_not_for_signatures_as_initiator: KeyUsage, Initiator;
    a_key_that_is_not_for_signatures_as_responder: KeyUsage, Responder;
    a_certificate_for_something_else_as_initiator: Purpose, Initiator;
    a_certificate_for_something_else_as_responder: Purpose, Responder;
    a_key_and_a_certificate_as_initiator: OneHasKey, Initiator;
    a_key_and_a_certificate_as_responder: OneHasKey, Responder;
    an_ecdsa_and_an_rsa_key_as_initiator: OtherKind, Initiator;
    an_ecdsa_and_an_rsa_key_as_responder: OtherKind, Responder;
}

/// One test for each configuration that is imported, and each role.
macro_rules! moving_in {
    ($($name:ident: $from:ident($($role:ident)?);)*) => {
        $(
            #[test]
            fn $name() {
                moving_in::$from($(Role::$role)?);
            }
        )*
    };
}

moving_in! {
    moving_in_from_swanctl_as_initiator: from_swanctl(Initiator);
    moving_in_from_swanctl_as_responder: from_swanctl(Responder);
    moving_in_from_ipsec_conf_as_initiator: from_ipsec_conf(Initiator);
    moving_in_from_ipsec_conf_as_responder: from_ipsec_conf(Responder);
    moving_in_from_libreswan_as_initiator: from_libreswan(Initiator);
    moving_in_from_libreswan_as_responder: from_libreswan(Responder);
    moving_in_as_a_client: client_from_swanctl();
}
