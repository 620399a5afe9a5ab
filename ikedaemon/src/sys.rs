//! The only `unsafe` code of the workspace: system calls that no maintained crate wraps. Each block says why it is sound.
#![allow(unsafe_code, reason = "this is the one module where it is allowed")]
