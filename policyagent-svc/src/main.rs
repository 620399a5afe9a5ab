//! The `policyagent` binary: the service and the tools around it.
mod compile;
mod document;
mod model;

fn main() {}
