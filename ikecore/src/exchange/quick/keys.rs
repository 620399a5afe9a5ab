//! From what quick mode agreed on to SAs that a driver can install.
use super::{Companions, IpsecSa, Plan};
use crate::crypto::keymat::keymat;
use crate::event::Failure;
use crate::ids::Spi;
use crate::policy::db::PolicyDb;
use crate::proposal::select::ChosenQuickMode;
use crate::proposal::suite::{EspAlgorithm, IpsecSuite, Lifetime};
use crate::sa::driver::{Direction, OuterAh, SaName, SaPair, SaSpec};
use crate::secret::Secret;
use crate::wire::ProtocolId;

/// The inputs of KEYMAT (RFC 2409 §5.5).
pub(super) struct Seed<'a> {
    pub(super) g_xy: Option<&'a Secret<Vec<u8>>>,
    pub(super) ni: &'a [u8],
    pub(super) nr: &'a [u8],
}

/// Kilobytes: soft at nine tenths. Seconds: the core has timers of its own for the soft limit; the driver's hard limit is
/// a net for the case that the core is gone, and follows the core's.
fn limits(lifetime: Lifetime) -> (Lifetime, Lifetime) {
    let soft = Lifetime { seconds: 0, kilobytes: lifetime.kilobytes - lifetime.kilobytes / 10 };
    let seconds = if lifetime.seconds == 0 { 0 } else { lifetime.seconds.saturating_add(30) };
    (soft, Lifetime { seconds, kilobytes: lifetime.kilobytes })
}

/// The pair to install, and what the core remembers of it. `own` are the SPIs for packets that arrive, one at least for each
/// protocol that was chosen.
pub(super) fn make(
    plan: &Plan,
    chosen: &ChosenQuickMode,
    lifetime: Lifetime,
    own: &[(ProtocolId, Spi)],
    seed: &Seed<'_>,
    policies: &PolicyDb,
    replay_window: u32,
) -> Result<(SaPair, IpsecSa), Failure> {
    let suite = chosen.suite;
    let (local, remote) = (plan.path.own().ip(), plan.path.peer().ip());
    let (soft, hard) = limits(lifetime);
    let peers: Vec<_> =
        [(suite.main.protocol(), chosen.peer_spi)].into_iter().chain(chosen.companions.clone()).collect();
    let spec = |direction| -> Result<SaSpec, Failure> {
        let inbound = direction == Direction::Inbound;
        let spi = |protocol| spi_of(if inbound { own } else { &peers }, protocol);
        let main = spi(suite.main.protocol())?;
        let (encryption_key, integrity_key) = cut(plan, suite.main, main, seed)?;
        let cpi = suite.compression.then(|| spi(ProtocolId::IPCOMP)).transpose()?;
        let outer = suite.outer.map(|integrity| {
            let spi = spi(ProtocolId::AH)?;
            let (_, key) = cut(plan, IpsecSuite::Ah { integrity }, spi, seed)?;
            Ok(OuterAh { spi, integrity, key })
        });
        Ok(SaSpec {
            direction,
            spi: main,
            suite: suite.main,
            mode: plan.mode(),
            source: if inbound { remote } else { local },
            destination: if inbound { local } else { remote },
            scope: plan.path.scope(),
            selector: plan.selector,
            encapsulation: plan.ports(inbound),
            encryption_key,
            integrity_key,
            cpi,
            outer: outer.transpose()?,
            reqid: plan.rule.reqid,
            replay_window: if suite.authenticates() { replay_window } else { 0 },
            extended_sequence_numbers: chosen.extended_sequence_numbers,
            soft,
            hard,
        })
    };
    let policy = policies.pair_policy(&plan.rule, plan.selector, suite, local, remote);
    let pair = SaPair { id: plan.id, inbound: spec(Direction::Inbound)?, outbound: spec(Direction::Outbound)?, policy };
    let record = IpsecSa {
        id: plan.id,
        path: plan.path,
        inbound: pair.inbound.name(),
        outbound: pair.outbound.name(),
        companions: Box::new(Companions { inbound: others(&pair.inbound), outbound: others(&pair.outbound) }),
        suite,
        mode: plan.mode(),
        selector: plan.selector,
        lifetime,
        rule: plan.rule.clone(),
        encapsulated: plan.encapsulation.is_some(),
        extended_sequence_numbers: chosen.extended_sequence_numbers,
        replaces: plan.replaces,
    };
    Ok((pair, record))
}

/// The names of all layers but the main one.
fn others(spec: &SaSpec) -> Vec<SaName> {
    spec.names().filter(|name| *name != spec.name()).collect()
}

/// The SPI of a protocol.
pub(super) fn spi_of(spis: &[(ProtocolId, Spi)], protocol: ProtocolId) -> Result<Spi, Failure> {
    let found = spis.iter().find(|(of, _)| *of == protocol).map(|(_, spi)| *spi);
    found.ok_or_else(|| Failure::Crypto { operation: "quick mode", reason: format!("no SPI for {protocol}") })
}

/// The encryption key and the integrity key.
type SaKeys = (Secret<Vec<u8>>, Secret<Vec<u8>>);

/// Cuts the KEYMAT of one protocol and SPI: first the encryption key, then the integrity key (RFC 2409 §5.5, RFC 2407 §4.5).
fn cut(plan: &Plan, suite: IpsecSuite, spi: Spi, seed: &Seed<'_>) -> Result<SaKeys, Failure> {
    let len = suite.encryption_key_len() + suite.integrity_key_len();
    let g_xy = seed.g_xy.map(|secret| secret.expose().as_slice());
    let keymat = keymat(plan.keys.d(), g_xy, suite.protocol().0, spi, seed.ni, seed.nr, len);
    let (encryption, integrity) = keymat.expose().split_at(suite.encryption_key_len().min(keymat.expose().len()));
    // RFC 2451 §2.3, RFC 2405 §2.2: weak keys must not be used.
    if let IpsecSuite::Esp { cipher, .. } = suite
        && let EspAlgorithm::Cbc(cipher) = cipher.algorithm()
    {
        cipher.check_key(encryption).map_err(|error| Failure::Crypto {
            operation: "the encryption key of the SA",
            reason: error.to_string(),
        })?;
    }
    Ok((Secret::new(encryption.to_vec()), Secret::new(integrity.to_vec())))
}
