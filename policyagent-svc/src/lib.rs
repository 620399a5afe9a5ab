//! The service and the tools around it: what the `policyagent` binary is made of.
mod cli;
mod compile;
mod control;
mod document;
mod link;
mod model;
mod netsh;
mod paths;
mod service;
mod users;

pub use cli::main;
