//! Asks that are done here: computations on worker threads, checks of users.
mod users;
mod workers;

pub use users::{UserChecks, Users};
pub use workers::Workers;
