//! The command language of `netsh ipsec`.
mod arguments;
mod command;
mod fuzzing;
mod language;
mod run;
mod script;
mod shell;

pub(crate) use arguments::NetshArgs;
pub(crate) use fuzzing::{command_seeds, fuzz_command};
pub(crate) use run::fuzzing::dumped_script_is_read;
pub(crate) use shell::main;
