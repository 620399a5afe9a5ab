//! A connection as swanctl.conf has it, which says the same as the control protocol.

use core::fmt::Write as _;

use crate::vici::{Section, Value};

use super::connection::Connection;

impl Connection {
    /// The text of a swanctl.conf with this connection, its secrets and its pools. Certificates are not among them.
    pub fn swanctl(&self) -> String {
        let (mut connections, mut secrets, mut pools) = (Section::new(), Section::new(), Section::new());
        for (command, message) in self.messages() {
            match command {
                "load-conn" => connections.0.extend(message.0),
                "load-pool" => pools.0.extend(message.0),
                "load-shared" => {
                    let kind = message.get("type").to_ascii_lowercase();
                    let mut secret = Section::new().text("secret", message.get("data"));
                    for (number, owner) in message.get_list("owners").iter().enumerate() {
                        secret = secret.text(&format!("id-{number}"), owner);
                    }
                    secrets = secrets.section(&format!("{kind}-{}", message.get("id")), secret);
                }
                _ => {}
            }
        }
        let all =
            Section::new().section("connections", connections).section("secrets", secrets).section("pools", pools);
        let mut out = String::new();
        write(&mut out, &all, 0);
        out
    }
}

fn write(out: &mut String, section: &Section, depth: usize) {
    let indent = "    ".repeat(depth);
    for (name, value) in &section.0 {
        // Writing to a String does not fail.
        let _ = match value {
            Value::Text(text) => writeln!(out, "{indent}{name} = \"{text}\""),
            Value::List(texts) => writeln!(out, "{indent}{name} = {}", texts.join(", ")),
            Value::Section(inner) => {
                let _ = writeln!(out, "{indent}{name} {{");
                write(out, inner, depth + 1);
                writeln!(out, "{indent}}}")
            }
        };
    }
}
