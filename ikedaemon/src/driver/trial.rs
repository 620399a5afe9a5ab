//! SAs that never see traffic: whether a driver takes one shows what it can do.
use ikecore::address::Scope;
use ikecore::ids::Spi;
use ikecore::policy::selector::{Prefix, Selector};
use ikecore::proposal::suite::{IpsecSuite, Lifetime, Mode, ProtectionSuite};
use ikecore::sa::driver::{Direction, OuterAh, SaSpec};
use ikecore::secret::Secret;
use std::net::IpAddr;

/// In the range that IANA reserves (RFC 4303 §2.1, RFC 3173 §3.3), so it meets no negotiated one.
const SPI: Spi = Spi(0xfe);

/// An outbound SA from `address`, one of the loopback, to itself.
pub(super) fn sa(suite: ProtectionSuite, extended_sequence_numbers: bool, mode: Mode, address: IpAddr) -> SaSpec {
    // No traffic ever sees these keys. Kernels in FIPS mode refuse 3DES keys with equal parts, AES keys never.
    let zeros = |len| Secret::new(vec![0; len]);
    let outer = |integrity| {
        let key = zeros(IpsecSuite::Ah { integrity }.integrity_key_len());
        OuterAh { spi: SPI, integrity, key }
    };
    SaSpec {
        direction: Direction::Outbound,
        spi: SPI,
        suite: suite.main,
        mode,
        source: address,
        destination: address,
        selector: Selector::between(Prefix::host(address), Prefix::host(address)),
        scope: Scope::ANY,
        encapsulation: None,
        encryption_key: zeros(suite.main.encryption_key_len()),
        integrity_key: zeros(suite.main.integrity_key_len()),
        cpi: suite.compression.then_some(SPI),
        outer: suite.outer.map(outer),
        reqid: 0,
        replay_window: if extended_sequence_numbers { 32 } else { 0 },
        extended_sequence_numbers,
        // Should the daemon die before it deletes it, the kernel clears up. PF_KEY of Linux wants both limits or none.
        soft: Lifetime { seconds: 1, kilobytes: 0 },
        hard: Lifetime { seconds: 2, kilobytes: 0 },
    }
}
