//! Proposals: as strongSwan and libreswan write them, and as policy documents do.
use std::rc::Rc;

use super::Syntax;
use super::connection::Offer;
use super::ledger::Entry;
use super::values::list;

/// What a word of a proposal stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Word {
    Cipher(&'static str),
    Combined(&'static str),
    Integrity(&'static str),
    /// The prf, by the hash that it is made of.
    Prf(&'static str),
    Group(&'static str),
    ExtendedSequenceNumbers(bool),
}

/// Words that both programs have, or one of them; where they differ, `word` sees to it.
const WORDS: [(&str, Word); 115] = [
    ("aes128", Word::Cipher("aes128")),
    ("aes192", Word::Cipher("aes192")),
    ("aes256", Word::Cipher("aes256")),
    ("aes_128", Word::Cipher("aes128")),
    ("aes_192", Word::Cipher("aes192")),
    ("aes_256", Word::Cipher("aes256")),
    ("aes_cbc128", Word::Cipher("aes128")),
    ("aes_cbc192", Word::Cipher("aes192")),
    ("aes_cbc256", Word::Cipher("aes256")),
    ("aes_cbc_128", Word::Cipher("aes128")),
    ("aes_cbc_192", Word::Cipher("aes192")),
    ("aes_cbc_256", Word::Cipher("aes256")),
    ("camellia", Word::Cipher("camellia128")),
    ("camellia128", Word::Cipher("camellia128")),
    ("camellia192", Word::Cipher("camellia192")),
    ("camellia256", Word::Cipher("camellia256")),
    ("camellia_cbc_128", Word::Cipher("camellia128")),
    ("camellia_cbc_256", Word::Cipher("camellia256")),
    ("3des", Word::Cipher("3des")),
    ("3des_cbc", Word::Cipher("3des")),
    ("des", Word::Cipher("des")),
    ("null", Word::Cipher("null")),
    ("aes128ctr", Word::Cipher("aes128ctr")),
    ("aes192ctr", Word::Cipher("aes192ctr")),
    ("aes256ctr", Word::Cipher("aes256ctr")),
    ("aes_ctr", Word::Cipher("aes128ctr")),
    ("aes_ctr128", Word::Cipher("aes128ctr")),
    ("aes_ctr192", Word::Cipher("aes192ctr")),
    ("aes_ctr256", Word::Cipher("aes256ctr")),
    ("aes_ctr_256", Word::Cipher("aes256ctr")),
    ("aes128gcm8", Word::Combined("aes128gcm8")),
    ("aes128gcm12", Word::Combined("aes128gcm12")),
    ("aes128gcm16", Word::Combined("aes128gcm16")),
    ("aes128gcm64", Word::Combined("aes128gcm8")),
    ("aes128gcm96", Word::Combined("aes128gcm12")),
    ("aes128gcm128", Word::Combined("aes128gcm16")),
    ("aes128gcm", Word::Combined("aes128gcm16")),
    ("aes192gcm8", Word::Combined("aes192gcm8")),
    ("aes192gcm12", Word::Combined("aes192gcm12")),
    ("aes192gcm16", Word::Combined("aes192gcm16")),
    ("aes192gcm64", Word::Combined("aes192gcm8")),
    ("aes192gcm96", Word::Combined("aes192gcm12")),
    ("aes192gcm128", Word::Combined("aes192gcm16")),
    ("aes192gcm", Word::Combined("aes192gcm16")),
    ("aes256gcm8", Word::Combined("aes256gcm8")),
    ("aes256gcm12", Word::Combined("aes256gcm12")),
    ("aes256gcm16", Word::Combined("aes256gcm16")),
    ("aes256gcm64", Word::Combined("aes256gcm8")),
    ("aes256gcm96", Word::Combined("aes256gcm12")),
    ("aes256gcm128", Word::Combined("aes256gcm16")),
    ("aes256gcm", Word::Combined("aes256gcm16")),
    ("aes_gcm128", Word::Combined("aes128gcm16")),
    ("aes_gcm192", Word::Combined("aes192gcm16")),
    ("aes_gcm256", Word::Combined("aes256gcm16")),
    ("aes_gcm_128", Word::Combined("aes128gcm16")),
    ("aes_gcm_256", Word::Combined("aes256gcm16")),
    ("aes_gcm_a128", Word::Combined("aes128gcm8")),
    ("aes_gcm_a256", Word::Combined("aes256gcm8")),
    ("aes_gcm_b128", Word::Combined("aes128gcm12")),
    ("aes_gcm_b256", Word::Combined("aes256gcm12")),
    ("aes_gcm_c128", Word::Combined("aes128gcm16")),
    ("aes_gcm_c256", Word::Combined("aes256gcm16")),
    ("sha", Word::Integrity("sha1")),
    ("sha1", Word::Integrity("sha1")),
    ("sha2", Word::Integrity("sha256")),
    ("sha256", Word::Integrity("sha256")),
    ("sha2_256", Word::Integrity("sha256")),
    ("sha2_256_128", Word::Integrity("sha256")),
    ("sha256_96", Word::Integrity("sha256_96")),
    ("sha2_256_96", Word::Integrity("sha256_96")),
    ("sha384", Word::Integrity("sha384")),
    ("sha2_384", Word::Integrity("sha384")),
    ("sha512", Word::Integrity("sha512")),
    ("sha2_512", Word::Integrity("sha512")),
    ("md5", Word::Integrity("md5")),
    ("hmac_md5", Word::Integrity("md5")),
    ("hmac_sha1", Word::Integrity("sha1")),
    ("hmac_sha2_256", Word::Integrity("sha256")),
    ("aesxcbc", Word::Integrity("aesxcbc")),
    ("aes_xcbc", Word::Integrity("aesxcbc")),
    ("prfmd5", Word::Prf("md5")),
    ("prfsha1", Word::Prf("sha1")),
    ("prfsha256", Word::Prf("sha256")),
    ("prfsha384", Word::Prf("sha384")),
    ("prfsha512", Word::Prf("sha512")),
    ("modp768", Word::Group("modp768")),
    ("modp1024", Word::Group("modp1024")),
    ("modp1536", Word::Group("modp1536")),
    ("modp2048", Word::Group("modp2048")),
    ("modp3072", Word::Group("modp3072")),
    ("modp4096", Word::Group("modp4096")),
    ("modp6144", Word::Group("modp6144")),
    ("modp8192", Word::Group("modp8192")),
    ("modp1024s160", Word::Group("modp1024s160")),
    ("modp2048s224", Word::Group("modp2048s224")),
    ("modp2048s256", Word::Group("modp2048s256")),
    ("ecp192", Word::Group("ecp192")),
    ("ecp224", Word::Group("ecp224")),
    ("ecp256", Word::Group("ecp256")),
    ("ecp384", Word::Group("ecp384")),
    ("ecp521", Word::Group("ecp521")),
    ("ecp224bp", Word::Group("ecp224bp")),
    ("ecp256bp", Word::Group("ecp256bp")),
    ("ecp384bp", Word::Group("ecp384bp")),
    ("ecp512bp", Word::Group("ecp512bp")),
    ("dh2", Word::Group("modp1024")),
    ("dh5", Word::Group("modp1536")),
    ("dh14", Word::Group("modp2048")),
    ("dh15", Word::Group("modp3072")),
    ("dh16", Word::Group("modp4096")),
    ("dh19", Word::Group("ecp256")),
    ("dh20", Word::Group("ecp384")),
    ("dh21", Word::Group("ecp521")),
    ("esn", Word::ExtendedSequenceNumbers(true)),
    ("noesn", Word::ExtendedSequenceNumbers(false)),
];

/// A proposal by its kinds of algorithms, the first of each: IKEv1 has one of a kind in a proposal.
#[derive(Default, Debug)]
struct Parts {
    ciphers: Vec<&'static str>,
    combined: bool,
    integrity: Option<&'static str>,
    prf: Option<&'static str>,
    group: Option<&'static str>,
    extended: Option<bool>,
    /// More of a kind.
    surplus: Vec<String>,
}

impl Parts {
    fn read(text: &str, syntax: Syntax) -> Result<Self, String> {
        let lower = text.trim().to_ascii_lowercase();
        let mut parts = Self::default();
        for word in lower.split(['-', ';']).filter(|word| !word.is_empty()) {
            parts.add(word, syntax)?;
        }
        Ok(parts)
    }

    fn add(&mut self, word: &str, syntax: Syntax) -> Result<(), String> {
        // Without a length libreswan proposes 256 and 128 bits.
        let ciphers: Option<(&[&'static str], bool)> = match (word, syntax) {
            ("aes" | "aes_cbc", Syntax::Libreswan) => Some((&["aes256", "aes128"], false)),
            ("aes_gcm" | "aes_gcm_c" | "aes_gcm_16", Syntax::Libreswan) => {
                Some((&["aes256gcm16", "aes128gcm16"], true))
            }
            ("aes_gcm_b" | "aes_gcm_12", Syntax::Libreswan) => Some((&["aes256gcm12", "aes128gcm12"], true)),
            ("aes_gcm_a" | "aes_gcm_8", Syntax::Libreswan) => Some((&["aes256gcm8", "aes128gcm8"], true)),
            ("aes", _) => Some((&["aes128"], false)),
            // Behind a cipher, that there is no integrity algorithm.
            ("null" | "none", Syntax::Libreswan) if self.combined => return Ok(()),
            _ => None,
        };
        if let Some((ciphers, combined)) = ciphers {
            if self.ciphers.is_empty() {
                self.ciphers = ciphers.to_vec();
                self.combined = combined;
            } else {
                self.surplus.push(word.to_owned());
            }
            return Ok(());
        }
        let Some((_, found)) = WORDS.iter().find(|(name, _)| *name == word) else { return Err(word.to_owned()) };
        let surplus = match *found {
            Word::Cipher(name) | Word::Combined(name) if self.ciphers.is_empty() => {
                self.ciphers.push(name);
                self.combined = matches!(found, Word::Combined(_));
                false
            }
            Word::Cipher(_) | Word::Combined(_) => true,
            Word::Integrity(name) => self.integrity.replace(self.integrity.unwrap_or(name)).is_some(),
            Word::Prf(name) => self.prf.replace(self.prf.unwrap_or(name)).is_some(),
            Word::Group(name) => self.group.replace(self.group.unwrap_or(name)).is_some(),
            Word::ExtendedSequenceNumbers(on) => self.extended.replace(self.extended.unwrap_or(on)).is_some(),
        };
        if surplus {
            self.surplus.push(word.to_owned());
        }
        Ok(())
    }
}

/// The main-mode offers that stand for strongSwan's defaults: what it proposes itself first, then what others have.
const STRONGSWAN_IKE: [&str; 6] = [
    "aes128-sha256-ecp256",
    "aes128-sha256-modp3072",
    "aes256-sha384-ecp384",
    "aes256-sha256-modp3072",
    "aes256-sha256-modp2048",
    "aes128-sha256-modp2048",
];

/// The same of libreswan 4 (`ipsec algparse -v1 ike`).
const LIBRESWAN_IKE: [&str; 9] = [
    "aes256-sha256-modp2048",
    "aes128-sha256-modp2048",
    "aes256-sha512-modp2048",
    "aes128-sha512-modp2048",
    "aes256-sha1-modp2048",
    "aes128-sha1-modp2048",
    "aes256-sha256-modp1536",
    "aes128-sha256-modp1536",
    "aes128-sha1-modp1536",
];

/// What is said of a list of proposals once. The entry is told, or the section without one needs no telling.
fn tell(entry: Option<&Rc<Entry>>, said: impl FnOnce(&Entry)) {
    if let Some(entry) = entry {
        said(entry);
    }
}

const ANOTHER: &str = "agree on another with the peer";

fn unknown(entry: Option<&Rc<Entry>>, proposal: &str, word: &str) {
    tell(entry, |entry| entry.lost(format!("{word} of {proposal:?} is not available"), ANOTHER));
}

/// What main mode may be negotiated with; empty if nothing is left.
pub(crate) fn main_mode(entry: Option<&Rc<Entry>>, syntax: Syntax) -> Vec<String> {
    let value = entry.map_or("", |entry| entry.value.as_str());
    let strict = value.trim_end().ends_with('!');
    let mut offers: Vec<String> = Vec::new();
    for proposal in list(value.trim_end().trim_end_matches('!')) {
        if proposal == "default" {
            offers.extend(STRONGSWAN_IKE.map(str::to_owned));
            tell(entry, |entry| {
                entry.differs(format!(
                    "default is written out, as {}; strongSwan accepts more",
                    STRONGSWAN_IKE.join(", ")
                ));
            });
            continue;
        }
        let parts = match Parts::read(proposal, syntax) {
            Ok(parts) => parts,
            Err(word) => {
                unknown(entry, proposal, &word);
                continue;
            }
        };
        if !parts.surplus.is_empty() {
            let surplus = parts.surplus.join(", ");
            tell(entry, |entry| {
                entry.differs(format!("{surplus} of {proposal:?} is left out: IKEv1 has one of a kind in a proposal"));
            });
        }
        if let Some(why) = not_for_main_mode(&parts) {
            tell(entry, |entry| entry.lost(format!("{proposal:?}: {why}"), ANOTHER));
            continue;
        }
        // libreswan has defaults for what is left out (`ipsec algparse -v1`), strongSwan does not.
        let hashes: Vec<&str> = match (parts.integrity, syntax) {
            (Some(hash), _) => vec![hash],
            (None, Syntax::Libreswan) => vec!["sha256", "sha512", "sha1"],
            (None, _) => Vec::new(),
        };
        let groups: Vec<&str> = match (parts.group, syntax) {
            (Some(group), _) => vec![group],
            (None, Syntax::Libreswan) => vec!["modp2048", "modp1536"],
            (None, _) => Vec::new(),
        };
        if hashes.is_empty() || groups.is_empty() {
            tell(entry, |entry| entry.lost(format!("{proposal:?} has no hash, or no group"), ANOTHER));
        }
        for group in groups {
            for hash in &hashes {
                offers.extend(parts.ciphers.iter().map(|cipher| format!("{cipher}-{hash}-{group}")));
            }
        }
    }
    if value.trim().is_empty() {
        match syntax {
            Syntax::Libreswan => offers.extend(LIBRESWAN_IKE.map(str::to_owned)),
            Syntax::Swanctl | Syntax::IpsecConf => offers.extend(STRONGSWAN_IKE.map(str::to_owned)),
        }
    } else if syntax == Syntax::IpsecConf && !strict {
        tell(entry, |entry| entry.differs("only these are accepted: strongSwan adds its defaults where no ! stands"));
    }
    without_repetitions(offers)
}

fn not_for_main_mode(parts: &Parts) -> Option<String> {
    let cipher = parts.ciphers.first()?;
    if parts.combined {
        return Some(format!("main mode has no {cipher}"));
    }
    if cipher.ends_with("ctr") || *cipher == "null" {
        return Some(format!("main mode is not encrypted with {cipher} here"));
    }
    if let Some(hash @ ("aesxcbc" | "sha256_96")) = parts.integrity {
        return Some(format!("{hash} is no hash of main mode"));
    }
    let prf = parts.prf.filter(|prf| Some(*prf) != parts.integrity)?;
    Some(format!("the prf of IKEv1 is that of the hash, not {prf}"))
}

fn without_repetitions<T: PartialEq>(all: Vec<T>) -> Vec<T> {
    let mut kept = Vec::new();
    for one in all {
        if !kept.contains(&one) {
            kept.push(one);
        }
    }
    kept
}

/// What quick mode is negotiated with.
#[derive(Debug)]
pub(crate) struct QuickMode {
    /// Empty if nothing is left.
    pub(crate) offers: Vec<Offer>,
    /// The group of perfect forward secrecy, if a proposal has one.
    pub(crate) group: Option<&'static str>,
}

/// How the proposals of quick mode are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Whose they are.
    pub(crate) syntax: Syntax,
    /// For AH.
    pub(crate) ah: bool,
    /// HMAC-SHA-256 is cut to 96 bits.
    pub(crate) sha256_96: bool,
    /// IPComp: `None` never, `Some(true)` always, `Some(false)` may be.
    pub(crate) compression: Option<bool>,
}

/// What quick mode may be negotiated with.
pub(crate) fn quick_mode(entry: Option<&Rc<Entry>>, reading: Reading) -> QuickMode {
    let Reading { syntax, ah, .. } = reading;
    let value = entry.map_or("", |entry| entry.value.as_str());
    let strict = value.trim_end().ends_with('!');
    let default: &str = match (syntax, ah) {
        (Syntax::Libreswan, true) => "sha1",
        (Syntax::Libreswan, false) => "aes-sha1",
        (_, true) => "sha256",
        (_, false) => "aes128-sha256,aes256-sha256,aes256-sha512,aes128gcm16,aes256gcm16",
    };
    let mut text = value.trim_end().trim_end_matches('!').to_owned();
    if text.trim().is_empty() {
        default.clone_into(&mut text);
    } else if syntax == Syntax::IpsecConf && !strict {
        tell(entry, |entry| entry.differs("only these are accepted: strongSwan adds its defaults where no ! stands"));
    }
    let mut offers: Vec<Offer> = Vec::new();
    let mut groups: Vec<Option<&'static str>> = Vec::new();
    for proposal in list(&text).flat_map(|one| if one == "default" { default.split(',') } else { one.split(',') }) {
        let parts = match Parts::read(proposal, syntax) {
            Ok(parts) => parts,
            Err(word) => {
                unknown(entry, proposal, &word);
                continue;
            }
        };
        if !parts.surplus.is_empty() && parts.extended.is_none() {
            let surplus = parts.surplus.join(", ");
            tell(entry, |entry| {
                entry.differs(format!("{surplus} of {proposal:?} is left out: IKEv1 has one of a kind in a proposal"));
            });
        }
        let integrity = match parts.integrity {
            Some("sha256") if reading.sha256_96 => Some("sha256_96"),
            // What libreswan takes for ESP where none is named (`ipsec algparse -v1 esp=aes`).
            None if syntax == Syntax::Libreswan && !ah && !parts.combined => Some("sha1"),
            integrity => integrity,
        };
        let algorithms: Vec<String> = match (ah, parts.ciphers.as_slice(), parts.combined, integrity) {
            (true, [], _, Some(integrity)) => vec![integrity.to_owned()],
            (false, [_, ..], true, _) => parts.ciphers.iter().map(|cipher| (*cipher).to_owned()).collect(),
            (false, [_, ..], false, Some(integrity)) => {
                parts.ciphers.iter().map(|cipher| format!("{cipher}-{integrity}")).collect()
            }
            _ => Vec::new(),
        };
        if algorithms.is_empty() {
            let what = if ah { "an integrity algorithm and no cipher" } else { "a cipher with an integrity algorithm" };
            tell(entry, |entry| entry.lost(format!("{proposal:?} is not {what}"), ANOTHER));
            continue;
        }
        groups.push(parts.group);
        // Both words: the peer chooses.
        let extended: &[bool] = match (parts.extended, parts.surplus.iter().any(|word| word.ends_with("esn"))) {
            (Some(_), true) => &[true, false],
            (Some(true), _) => &[true],
            _ => &[false],
        };
        let compressions: &[bool] = match reading.compression {
            None => &[false],
            Some(true) => &[true],
            Some(false) => &[true, false],
        };
        for compression in compressions {
            for extended_sequence_numbers in extended {
                offers.extend(algorithms.iter().map(|algorithms| Offer {
                    algorithms: algorithms.clone(),
                    ah,
                    compression: *compression,
                    extended_sequence_numbers: *extended_sequence_numbers,
                }));
            }
        }
    }
    // Of two that differ in how far they are cut only, which peers cannot tell apart, the first.
    let mut offers = without_repetitions(offers);
    let cut = |offer: &Offer| offer.algorithms.ends_with("sha256_96");
    if offers.iter().any(cut) && offers.iter().any(|offer| offer.algorithms.ends_with("sha256")) {
        tell(entry, |entry| {
            entry.lost("sha256 with 96 bits is left out: peers cannot tell it from that with 128", ANOTHER);
        });
        offers.retain(|offer| !cut(offer));
    }
    let group = groups.iter().flatten().next().copied();
    if groups.iter().any(|other| *other != group) {
        tell(entry, |entry| {
            let all = group.unwrap_or_default();
            entry.differs(format!("all offers have {all} for perfect forward secrecy: a filter action has one group"));
        });
    }
    QuickMode { offers, group }
}

/// The group with a name of either program, as documents write it.
pub(crate) fn group(name: &str) -> Option<&'static str> {
    let lower = name.trim().to_ascii_lowercase();
    WORDS.iter().find_map(|(word, found)| match found {
        Word::Group(group) if *word == lower => Some(*group),
        _ => None,
    })
}
