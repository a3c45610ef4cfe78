//! The pure core of a comparison under thousands of seeded worlds, and its texts and guards one by one.
//!
//! `world` mirrors a GitHub organisation, `apart` lets both sides drift, `model` carries out plans call by call. A failure
//! tells the seed of its world: `World::new(seed)`, or `World::generous(seed)` where limits hold nothing back, makes it
//! again.

mod apart;
mod build;
mod cases;
mod converge;
mod guards;
mod incomplete;
mod judged;
mod model;
mod rules;
mod text;
mod word;
pub(crate) mod world;
