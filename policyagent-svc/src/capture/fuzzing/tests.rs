use super::*;

#[test]
fn seeds_that_are_cut_or_bent_are_survived() {
    for (_, seed) in capture_seeds() {
        fuzz_capture(&seed);
        // The fuzzer tries every place; here each third has to do.
        for at in (0..seed.len()).step_by(3) {
            fuzz_capture(&seed[..at]);
            let mut bent = seed.clone();
            bent[at] ^= 0xff;
            fuzz_capture(&bent);
        }
    }
}
