//! The IKE key schedule and its primitives.
