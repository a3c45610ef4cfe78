//! Keeps Sentry's teams the same as GitHub's.

pub mod audit;
pub mod clock;
pub mod config;
pub mod error;
pub mod escape;
pub mod event;
pub mod gate;
pub mod github;
pub mod guard;
pub mod identity;
pub mod ids;
pub mod journal;
pub mod plan;
pub mod secret;
pub mod sentry;
pub mod slug;
pub mod state;
pub mod upstream;
pub mod verdict;
