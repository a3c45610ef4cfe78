//! The whole core from one seed: intake, journal, queue, work, identity, comparison, holds and commands, on threads of which
//! one runs at a time, under a hand clock, on a disk in memory, between both sites' stand-ins.

// Compiled into the example and into the tests, neither of which uses all of it.
#![allow(dead_code)]

mod baton;
mod disk;
mod draw;
mod ending;
mod explained;
pub mod formats;
mod happenings;
mod heard;
pub mod life;
mod links;
mod mail;
mod maps;
mod network;
pub mod org;
mod play;
mod post;
mod process;
mod profile;
mod rights;
mod rot;
pub mod rules;
pub mod seeded;
mod shown;
mod shrink;
pub mod sides;
mod stage;
mod steps;
pub mod tally;
mod threads;
mod years;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{catch_unwind, AssertUnwindSafe};

use sentry_team_sync::parts::Command;

pub use life::Life;
use play::Sequence;
use rules::Failure;
use tally::Tally;

/// Seeds whose GitHub token may read members, and may not.
const READS: u64 = 2;
const IS_TOLD: u64 = 42;
/// So many changes are a story.
const CHANGES: u64 = 8;

/// What became of a sequence.
pub struct Played {
    pub failure: Option<Failure>,
    pub tally: Tally,
    /// All that was said, by the world and by the processes.
    pub story: Vec<String>,
}

/// Plays a life.
pub fn play(life: &Life) -> Played {
    play_to_the_end(life).0
}

/// Plays a life; of every call to both sites, of all that was said, and of what lies on the disk in the end.
pub fn hash(life: &Life) -> u64 {
    let (played, sequence) = play_to_the_end(life);
    let mut hash = DefaultHasher::new();
    (&played.story, sequence.trace()).hash(&mut hash);
    hash.finish()
}

fn play_to_the_end(life: &Life) -> (Played, Sequence) {
    let mut sequence = Sequence::new(life.seed);
    let ended = catch_unwind(AssertUnwindSafe(|| sequence.play(life)));
    let failure = match ended {
        Ok(done) => done.err(),
        Err(_) => Some(Failure::new("nothing_panics", sequence.stage.heard.panics().join("\n"))),
    };
    if failure.is_some() {
        sequence.command(Command::Status { json: false, verbose: true });
    }
    sequence.say(&failure.as_ref().map_or("well".into(), ToString::to_string));
    let mut tally = std::mem::take(&mut sequence.tally);
    tally.sequences = 1;
    tally.calls = vec![sequence.stage.links.calls()];
    tally.died_at_its_seam = sequence.stage.baton.died_at_its_seam();
    tally.handed_on = sequence.stage.baton.handed_on();
    let story = sequence.stage.heard.lines();
    for wire in [&sequence.sides.github.wire, &sequence.sides.sentry.wire] {
        wire.take_undescribed();
    }
    (Played { failure, tally, story }, sequence)
}

/// Two stories of changes, in either mode, with a death at each `stride`th seam: how many there were, and what failed.
pub fn die_everywhere(stride: u64) -> (u64, Vec<(Life, Failure)>) {
    let (mut deaths, mut failures) = (0, Vec::new());
    for seed in [READS, IS_TOLD] {
        for at in (1..).step_by(stride as usize) {
            let life = Life::that_dies(seed, CHANGES, at);
            let played = play(&life);
            failures.extend(played.failure.map(|failure| (life, failure)));
            if !played.tally.died_at_its_seam {
                break;
            }
            deaths += 1;
        }
    }
    (deaths, failures)
}

/// The shortest life that was found which breaks the same rule.
pub fn shrink(life: &Life, failure: &Failure) -> (Life, Failure) {
    let with = |steps: &[steps::Step]| Life { steps: steps.into(), ..life.clone() };
    let (steps, failure) = shrink::shrink(&life.steps, failure, |steps| play(&with(steps)).failure);
    (with(&steps), failure)
}
