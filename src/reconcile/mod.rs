//! Comparison of the whole organisation: read both sides, compare them, show the plan, queue the allowed changes.

pub mod choice;
pub mod compare;
pub mod in_team;
pub mod incomplete;
pub mod invite;
pub mod judge;
mod links;
mod lists;
pub mod plan;
pub mod read;
pub mod reconciler;
pub mod rules;
pub mod run;
pub mod schedule;
pub mod scim;
pub mod team_ids;
pub mod unused;

/// Shows people who wait how far a reading has got.
pub type Progress<'a> = &'a (dyn Fn(&str) + Sync);

#[cfg(test)]
pub(crate) mod tests;
