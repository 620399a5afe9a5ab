//! The `policyagent` binary: the service and the tools around it.

fn main() {}
