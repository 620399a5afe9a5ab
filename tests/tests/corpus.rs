//! The committed corpora: replayed, and as the codec builds them.
use ikecore::fuzzing::{
    certificate_seeds, endpoint_seeds, fuzz_certificate, fuzz_endpoint, fuzz_message, fuzz_select, seeds, select_seeds,
};
use ikedaemon::fuzzing::{esp_seeds, fuzz_esp, fuzz_pfkey, pfkey_seeds};
use policyagent_svc::fuzzing::{
    blob, blob_seeds, capture, capture_seeds, command, command_seeds, document, document_seeds, import, import_seeds,
};
use std::path::PathBuf;

fn corpus(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "fuzz", "corpus", target].iter().collect()
}

/// The corpus of `target` holds these seeds, and all of it passes through `body`. `UPDATE_CORPUS=1` writes the seeds
/// first.
fn replay(target: &str, seeds: &[(&str, Vec<u8>)], body: fn(&[u8])) {
    let folder = corpus(target);
    for (name, octets) in seeds {
        let path = folder.join(name);
        if std::env::var_os("UPDATE_CORPUS").is_some() {
            std::fs::create_dir_all(&folder).expect("the corpus folder");
            std::fs::write(&path, octets).expect("a seed written");
        }
        let held = std::fs::read(&path).unwrap_or_default();
        assert_eq!(&held, octets, "{} is stale: run with UPDATE_CORPUS=1", path.display());
    }
    let entries = std::fs::read_dir(&folder).expect("the corpus folder");
    let count = entries.map(|entry| body(&std::fs::read(entry.expect("an entry").path()).expect("an input"))).count();
    assert!(count >= seeds.len());
}

#[test]
fn the_corpus_of_messages_holds_the_seeds_and_is_survived() {
    let seeds: Vec<_> = seeds().into_iter().map(|seed| (seed.name, seed.datagram)).collect();
    replay("message", &seeds, fuzz_message);
}

#[test]
fn the_corpus_of_proposals_holds_the_seeds_and_is_survived() {
    replay("select", &select_seeds(), fuzz_select);
}

#[test]
fn the_corpus_of_esp_holds_the_seeds_and_is_survived() {
    replay("esp", &esp_seeds(), fuzz_esp);
}

#[test]
fn the_corpus_of_pf_key_holds_the_seeds_and_is_survived() {
    replay("pfkey", &pfkey_seeds(), fuzz_pfkey);
}

#[test]
fn the_corpus_of_endpoints_holds_the_seeds_and_is_survived() {
    replay("endpoint", &endpoint_seeds(), fuzz_endpoint);
}

#[test]
fn the_corpus_of_certificates_holds_the_seeds_and_is_survived() {
    replay("certificate", &certificate_seeds(), fuzz_certificate);
}

#[test]
fn the_corpus_of_objects_of_a_directory_holds_the_seeds_and_is_survived() {
    replay("blob", &blob_seeds(), blob);
}

#[test]
fn the_corpus_of_commands_holds_the_seeds_and_is_survived() {
    replay("command", &command_seeds(), command);
}

#[test]
fn the_corpus_of_policy_documents_holds_the_seeds_and_is_survived() {
    replay("document", &document_seeds(), document);
}

#[test]
fn the_corpus_of_imports_holds_the_seeds_and_is_survived() {
    replay("import", &import_seeds(), import);
}

#[test]
fn the_corpus_of_captures_holds_the_seeds_and_is_survived() {
    replay("capture", &capture_seeds(), capture);
}
