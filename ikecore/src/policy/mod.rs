//! Policy: which traffic is protected how, and with whom.
pub mod check;
pub mod db;
mod default_response;
pub mod exempt;
pub mod explain;
pub mod lease;
pub mod lookup;
pub mod pool;
pub mod remote_access;
pub mod review;
pub mod rule;
pub mod selector;
pub mod traffic_id;

#[cfg(test)]
pub(crate) mod tests;
