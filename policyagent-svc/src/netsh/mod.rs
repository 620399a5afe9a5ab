//! The command language of `netsh ipsec`.
mod command;
