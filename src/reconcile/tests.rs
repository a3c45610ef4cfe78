//! The pure core of a comparison: both sides, what the mirror knows and the settings in, the plan out.
//!
//! `build` makes the two sides. What becomes of a plan, call by call, in any order and after any death, is the
//! simulation's subject.

mod build;
mod cases;
mod guards;
mod incomplete;
mod removals;
mod text;
mod word;
