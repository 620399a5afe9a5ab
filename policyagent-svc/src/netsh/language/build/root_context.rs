//! Commands of netsh itself.
use super::super::arguments::Arguments;
use super::Built;
use crate::netsh::command::{Command, Machine};

pub(in super::super) fn set_machine(a: &Arguments<'_>) -> Built<Command> {
    let (name, user, password) = (a.name_if_any("name")?, a.text("user")?, a.get("pwd").is_some());
    Ok(Command::SetMachine(Machine { name, user, password }))
}
