//! The `policyagent` binary.

fn main() -> std::process::ExitCode {
    policyagent_svc::main()
}
