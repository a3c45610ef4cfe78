//! The whole organisation: read both sides, compare, show the plan, hand what may be done to the lanes.

pub mod choice;
pub mod command;
pub mod compare;
pub mod in_team;
pub mod incomplete;
pub mod judge;
pub mod part;
pub mod plan;
pub mod read;
pub mod rules;
pub mod run;

#[cfg(test)]
pub(crate) mod tests;
