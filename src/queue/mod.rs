//! What waits to be done, and in which order: a lane for each team, person and organisation.

pub mod job;
pub mod lanes;
pub mod part;
pub mod replica_lag;
pub mod restore_request;
