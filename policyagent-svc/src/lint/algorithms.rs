//! Algorithms, lives and flags that protect less than others would.
use ikecore::crypto::cipher::CipherAlg;
use ikecore::crypto::group::Group;
use ikecore::crypto::hash::HashAlg;
use ikecore::proposal::suite::{EspCipher, Integrity, IpsecSuite};

use super::{Findings, Kind};
use crate::model::default_response::ResponseAction;
use crate::model::{Action, FilterAction, Offer, Pfs, PolicyFile};

const DES: Kind = Kind::high("des", "offer aes256 or aes128: the key of DES is found within a day");
const TRIPLE_DES: Kind = Kind::low("3des", "offer aes256 or aes128 before it, or alone");
const MD5: Kind = Kind::medium("md5", "offer sha256");
const SHA1: Kind = Kind::low("sha1", "offer sha256 before it, or alone");
const SMALL_GROUP: Kind =
    Kind::high("small-group", "offer modp2048 or ecp256: groups of 1024 bits and less are broken by states");
const OLD_GROUP: Kind = Kind::low("old-group", "offer modp2048 or ecp256");
const UNEXPLAINED_GROUP: Kind = Kind::medium("unexplained-group", "offer modp2048 or ecp256 (RFC 8247 §2.4)");
const NO_CONFIDENTIALITY: Kind =
    Kind::low("no-confidentiality", "offer a cipher, if the traffic should not be read by others");
const NO_INTEGRITY: Kind = Kind::high(
    "no-integrity",
    "name an integrity algorithm, or AH around it: who can change packets can read much of what is in them (RFC 4303 §1)",
);
const SHORT_CHECK: Kind = Kind::medium("short-integrity-check", "offer the same cipher with 16 octets");
const LONG_LIFE: Kind = Kind::low("long-life", "let it be a day (86400 seconds) or less");
const MANY_OCTETS: Kind = Kind::medium(
    "many-octets",
    "give the offer a lifetime of 4194304 kilobytes (4 GiB) or less, or a cipher with blocks of 128 bits",
);
const NO_PFS: Kind =
    Kind::low("no-pfs", "set pfs = true, if what is recorded today shall not be read when a main mode's keys come out");
const FALLBACK: Kind = Kind::medium(
    "fallback-to-clear",
    "leave it off where traffic must not go in clear: whoever drops the packets of IKE gets it so",
);
const PASSTHROUGH: Kind = Kind::low("inbound-passthrough", "leave it off, unless peers begin in clear");

/// A day in seconds.
const DAY: u32 = 86_400;

/// Kilobytes after which blocks of 64 bits begin to repeat (Sweet32): 32 GiB is the birthday bound, this an eighth of it.
const SMALL_BLOCK_LIMIT: u32 = 4 << 20;

pub(super) fn check(file: &PolicyFile, findings: &mut Findings) {
    for policy in &file.policies {
        if let Some(ResponseAction::Own(action)) = policy.default_response.as_ref().map(|default| &default.action) {
            filter_action(action, &format!("the default response of policy {:?}", policy.name), findings);
        }
        let Some(main_mode) = &policy.main_mode else { continue };
        let object = format!("main mode of policy {:?}", policy.name);
        for offer in &main_mode.offers {
            let kinds = [cipher(offer.cipher), hash(offer.hash), group(offer.group)];
            for (kind, name) in kinds.into_iter().flatten() {
                findings.add(kind, &object, Some(policy.position), format!("it offers {name}"));
            }
        }
        if main_mode.lifetime.seconds > DAY {
            let message = format!("ISAKMP SAs live {} seconds", main_mode.lifetime.seconds);
            findings.add(LONG_LIFE, &object, Some(policy.position), message);
        }
    }
    for action in &file.filter_actions {
        filter_action(action, &format!("filter action {:?}", action.name), findings);
    }
}

fn filter_action(action: &FilterAction, object: &str, findings: &mut Findings) {
    let Action::Negotiate { offers, pfs, inbound_passthrough, fallback_to_clear, .. } = &action.action else { return };
    let mut add = |kind, message: String| findings.add(kind, object, None, message);
    for Offer { suite, lifetime, .. } in offers {
        let outer = suite.outer.map(|integrity| IpsecSuite::Ah { integrity });
        for suite in [Some(suite.main), outer].into_iter().flatten() {
            for (kind, name) in esp(suite) {
                add(kind, format!("it offers {name}"));
            }
        }
        if !encrypts(suite.main) {
            add(NO_CONFIDENTIALITY, format!("it offers {suite}, which does not encrypt"));
        }
        if !suite.authenticates() {
            add(NO_INTEGRITY, format!("it offers {suite}: forged and repeated packets are taken for the peer's"));
        }
        let kilobytes = lifetime.kilobytes;
        if has_small_blocks(suite.main) && (kilobytes == 0 || kilobytes > SMALL_BLOCK_LIMIT) {
            let life = if kilobytes == 0 { "any number of".to_owned() } else { kilobytes.to_string() };
            add(MANY_OCTETS, format!("it offers {suite}, whose blocks have 64 bits, for {life} kilobytes"));
        }
        if lifetime.seconds > DAY {
            add(LONG_LIFE, format!("IPsec SAs live {} seconds", lifetime.seconds));
        }
    }
    if *pfs == Pfs::Off {
        add(NO_PFS, "quick modes have no Diffie-Hellman exchange of their own".to_owned());
    }
    if let Pfs::Group(of) = pfs
        && let Some((kind, name)) = group(*of)
    {
        add(kind, format!("its pfs is {name}"));
    }
    if *fallback_to_clear {
        add(FALLBACK, "traffic with peers that do not answer goes in clear".to_owned());
    }
    if *inbound_passthrough {
        add(PASSTHROUGH, "clear packets that come in are accepted".to_owned());
    }
}

/// A fault of an algorithm, with the algorithm's name.
type Fault = (Kind, &'static str);

const fn cipher(cipher: CipherAlg) -> Option<Fault> {
    match cipher {
        CipherAlg::Des => Some((DES, cipher.name())),
        CipherAlg::TripleDes => Some((TRIPLE_DES, cipher.name())),
        _ => None,
    }
}

const fn hash(hash: HashAlg) -> Option<Fault> {
    match hash {
        HashAlg::Md5 => Some((MD5, hash.name())),
        HashAlg::Sha1 => Some((SHA1, hash.name())),
        _ => None,
    }
}

const fn group(group: Group) -> Option<Fault> {
    match group {
        Group::Modp768 | Group::Modp1024 => Some((SMALL_GROUP, group.name())),
        Group::Modp1024Order160 | Group::Modp2048Order224 | Group::Modp2048Order256 => {
            Some((UNEXPLAINED_GROUP, group.name()))
        }
        Group::Modp1536 | Group::Ecp192 | Group::Ecp224 | Group::Brainpool224 => Some((OLD_GROUP, group.name())),
        _ => None,
    }
}

fn esp(suite: IpsecSuite) -> Vec<Fault> {
    let (of_esp, integrity) = match suite {
        IpsecSuite::Esp { cipher, integrity } => (Some(cipher), integrity),
        IpsecSuite::Ah { integrity } => (None, Some(integrity)),
    };
    let of_cipher = of_esp.and_then(|cipher| {
        let kind = match cipher {
            EspCipher::DesCbc => DES,
            EspCipher::TripleDesCbc => TRIPLE_DES,
            EspCipher::Aes128Gcm8 | EspCipher::Aes192Gcm8 | EspCipher::Aes256Gcm8 => SHORT_CHECK,
            _ => return None,
        };
        Some((kind, cipher.name()))
    });
    let of_integrity = integrity.and_then(|integrity| {
        let kind = match integrity {
            Integrity::HmacMd5_96 => MD5,
            Integrity::HmacSha1_96 => SHA1,
            _ => return None,
        };
        Some((kind, integrity.name()))
    });
    of_cipher.into_iter().chain(of_integrity).collect()
}

const fn encrypts(suite: IpsecSuite) -> bool {
    matches!(suite, IpsecSuite::Esp { cipher, .. } if !matches!(cipher, EspCipher::Null))
}

const fn has_small_blocks(suite: IpsecSuite) -> bool {
    matches!(suite, IpsecSuite::Esp { cipher: EspCipher::DesCbc | EspCipher::TripleDesCbc, .. })
}
