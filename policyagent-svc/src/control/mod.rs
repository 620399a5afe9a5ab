//! The control socket: how the commands reach the service.
pub(crate) mod client;
#[cfg(test)]
pub(crate) mod example;
pub(crate) mod in_force;
mod incoming;
pub(crate) mod negotiations;
pub(crate) mod report;
pub(crate) mod request;
pub(crate) mod server;
#[cfg(test)]
mod tests;
