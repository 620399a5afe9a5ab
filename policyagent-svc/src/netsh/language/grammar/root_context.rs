//! `netsh` itself.
use super::parameters::*;
use super::*;
use crate::netsh::language::build::root_context as build;

pub(super) const ENTRIES: &[Entry] = &[Entry {
    verb: "set",
    object: "machine",
    about: "has the commands that follow be carried out on another machine, by ssh",
    parameters: &[
        optional("name", Kind::Machine, "this host", "the machine"),
        optional("user", Kind::Text, "", "refused: ssh says who you are there"),
        optional("pwd", Kind::Password, "", "refused: ssh asks for what proves it"),
    ],
    remarks: &[
        "Scripts are read here, and other files there. It begins at the machine's local store.",
        "If it is not reached, the commands that follow fail, until another set machine; without a name that is this host.",
    ],
    example: "set machine name=admin@gate.example",
    build: build::set_machine,
}];
