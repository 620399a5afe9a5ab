//! The IKE daemon around `ikecore`: listener, engine, SA drivers, asks, sinks.
pub mod driver;
pub mod sys;
