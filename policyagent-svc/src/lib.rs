//! The service and the tools around it: what the `policyagent` binary is made of.
mod audit;
mod boot;
mod calendar;
mod capture;
mod cli;
mod compile;
mod control;
mod directory;
mod document;
mod format;
pub mod fuzzing;
mod guid;
mod hosts;
mod import;
mod link;
mod lint;
mod lock;
mod model;
mod monitor;
mod netsh;
mod paths;
mod rsop;
mod service;
mod ssh;
mod store;
mod users;

pub use cli::main;
