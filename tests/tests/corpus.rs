//! The committed corpora: replayed, and as the codec builds them.
use ikecore::fuzzing::{fuzz_message, seeds};
use std::path::PathBuf;

fn corpus(target: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "fuzz", "corpus", target].iter().collect()
}

/// `UPDATE_CORPUS=1` writes the seeds first.
#[test]
fn the_corpus_holds_the_seeds_and_is_survived() {
    let folder = corpus("message");
    for seed in seeds() {
        let path = folder.join(seed.name);
        if std::env::var_os("UPDATE_CORPUS").is_some() {
            std::fs::create_dir_all(&folder).expect("the corpus folder");
            std::fs::write(&path, &seed.datagram).expect("a seed written");
        }
        let held = std::fs::read(&path).unwrap_or_default();
        assert_eq!(held, seed.datagram, "{} is stale: run with UPDATE_CORPUS=1", path.display());
    }
    let entries = std::fs::read_dir(&folder).expect("the corpus folder");
    let count = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            fuzz_message(&std::fs::read(&path).expect("a message"));
        })
        .count();
    assert!(count >= seeds().len());
}
