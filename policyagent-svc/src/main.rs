//! The `policyagent` binary: the service and the tools around it.
mod cli;
mod compile;
mod control;
mod document;
mod link;
mod model;
mod paths;
mod service;
mod users;

fn main() -> std::process::ExitCode {
    cli::main()
}
