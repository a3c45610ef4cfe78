//! Tests the pure core of a comparison: both sides, the saved state and the settings go in, the plan comes out.
//!
//! `build` makes the two sides. The simulation tests how a plan is carried out: call by call, in any order, with
//! crashes.

mod build;
mod cases;
mod guards;
mod incomplete;
mod removals;
mod text;
mod word;
