//! Everything kept on disk: the journal, the audit log and their helpers. The service writes files only through them.

pub mod actor;
pub mod audit;
pub mod disk;
pub mod files;
pub mod frame;
pub mod interrupted;
pub mod journal;
pub mod owner;
pub mod state_dir;
