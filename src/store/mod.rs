//! What stays on this machine's disk: the journal and the audit log, and what both of them need. Nothing else writes files.

pub mod actor;
pub mod audit;
pub mod disk;
pub mod files;
pub mod frame;
pub mod interrupted;
pub mod journal;
pub mod owner;
pub mod state_dir;
