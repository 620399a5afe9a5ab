//! The harness shared by the cross-crate tests.
