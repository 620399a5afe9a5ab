//! `policyagent netsh`, as it is called.
mod command_line;
mod instance;
mod machine;
mod prompt;
mod samples;
mod scripts;
