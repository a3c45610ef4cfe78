//! `cargo run --release --example simulate -- --seeds N [--from SEED] [--jobs N] [--until RULE]` plays so many sequences and prints a line
//! for each that fails. `--seed SEED` plays one; if it fails it is made shorter, and told. `--seed SEED --story` tells it
//! as it is, the same bytes every time; `--life FILE` plays one that was written down.
//! `--deaths` plays two stories with a death at every single seam. `--debug` tells every call too.

// A simulation stops where it does not go on as it should.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// The stand-ins fold names as GitHub and Sentry do.
#![allow(clippy::disallowed_methods)]

#[path = "mod.rs"]
mod sim;
#[path = "../standin/mod.rs"]
mod standin;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;
use std::time::Instant;

use rustix::thread::{sched_getaffinity, sched_setaffinity, CpuSet};
use sim::tally::Tally;
use sim::{Life, Played};

const USAGE: &str =
    "usage: simulate --seeds N [--from SEED] [--jobs N] [--until RULE] | --seed SEED [--story] | --life FILE | --deaths; --debug";

/// Of so many sequences, each kind of step and of fault must be in one of a hundred.
const ENOUGH: u64 = 10_000;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(code) => code,
        Err(why) => {
            eprintln!("error: {why}\n{USAGE}");
            ExitCode::from(64)
        }
    }
}

#[derive(Default)]
struct Asked {
    seeds: u64,
    from: u64,
    jobs: u64,
    life: Option<Life>,
    /// It is enough when this rule is broken.
    until: Option<String>,
    story: bool,
    debug: bool,
    deaths: bool,
}

impl Asked {
    fn read(args: &[String]) -> Result<Self, String> {
        let mut asked = Self { seeds: 1_000, from: 1, jobs: 1, ..Self::default() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut number = || {
                let value = args.next().and_then(|value| value.parse().ok());
                value.ok_or_else(|| format!("{arg} takes a number"))
            };
            match arg.as_str() {
                "--seeds" => asked.seeds = number()?,
                "--from" => asked.from = number()?,
                "--jobs" => asked.jobs = number()?.max(1),
                "--seed" => asked.life = Some(Life::of_seed(number()?)),
                "--until" => {
                    asked.until = Some(args.next().ok_or("--until takes the name of a rule")?.clone())
                }
                "--story" => asked.story = true,
                "--debug" => asked.debug = true,
                "--deaths" => asked.deaths = true,
                "--life" => {
                    let path = args.next().ok_or("--life takes a file")?;
                    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
                    asked.life = Some(Life::parse(&text).ok_or_else(|| format!("{path} is no life"))?);
                }
                other => return Err(format!("unknown: {other}")),
            }
        }
        Ok(asked)
    }
}

fn run(args: &[String]) -> Result<ExitCode, String> {
    let asked = Asked::read(args)?;
    if asked.deaths {
        let (deaths, failures) = sim::die_everywhere(1);
        failures.iter().for_each(|(life, failure)| println!("{failure}\n== the life\n{}", life.text()));
        println!("{deaths} deaths, {} failures", failures.len());
        return Ok(ExitCode::from(u8::from(!failures.is_empty())));
    }
    let failures = match &asked.life {
        Some(life) => one(&asked, life),
        None => many(&asked),
    };
    Ok(ExitCode::from(u8::from(failures > 0)))
}

fn tell(asked: &Asked, played: &Played) {
    let is_told = |line: &&String| asked.debug || !line.contains("Z debug ");
    played.story.iter().filter(is_told).for_each(|line| println!("{line}"));
}

/// Plays one life and tells it; how many failures.
fn one(asked: &Asked, life: &Life) -> u64 {
    let played = sim::play(life);
    let Some(failure) = played.failure.as_ref().filter(|_| !asked.story) else {
        if asked.story {
            tell(asked, &played);
        } else {
            println!("well");
        }
        return u64::from(played.failure.is_some());
    };
    let (shortest, _) = sim::shrink(life, failure);
    tell(asked, &sim::play(&shortest));
    println!("== the life\n{}", shortest.text());
    1
}

/// Of all threads of a life one runs at a time: handed on to another processor, it would only begin later.
fn stay_on_one_processor(job: u64) {
    let Ok(all) = sched_getaffinity(None) else { return };
    let mine: Vec<_> = (0..CpuSet::MAX_CPU).filter(|n| all.is_set(*n)).collect();
    let mut one = CpuSet::new();
    one.set(mine[job as usize % mine.len()]);
    // It is slower without, and the same.
    let _ = sched_setaffinity(None, &one);
}

/// Plays many, a line for each that fails; how many did.
fn many(asked: &Asked) -> u64 {
    let (began, next) = (Instant::now(), AtomicU64::new(asked.from));
    let (tally, failures) = (Mutex::new(Tally::default()), AtomicU64::new(0));
    let found = Mutex::new(None);
    let play = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= asked.from + asked.seeds || found.lock().expect("no play panics").is_some() {
            return;
        }
        let played = sim::play(&Life::of_seed(seed));
        tally.lock().expect("no play panics").add(played.tally);
        if let Some(failure) = played.failure {
            failures.fetch_add(1, Ordering::Relaxed);
            println!("seed {seed}: {}", failure.to_string().replace('\n', "; "));
            if asked.until.as_deref() == Some(failure.rule) {
                found.lock().expect("no play panics").get_or_insert(seed);
            }
        }
    };
    std::thread::scope(|scope| {
        for job in 0..asked.jobs {
            scope.spawn(move || {
                stay_on_one_processor(job);
                play();
            });
        }
    });
    let (failures, tally) = (failures.into_inner(), tally.into_inner().expect("no play panics"));
    if let (Some(rule), found) = (&asked.until, found.into_inner().expect("no play panics")) {
        match found {
            Some(seed) => println!("found: {rule} after {} sequences", seed - asked.from + 1),
            None => println!("not found: {rule} in {} sequences; {failures} broke other rules", asked.seeds),
        }
        return failures;
    }
    println!("{tally}");
    let rare = if asked.seeds >= ENOUGH { tally.rare() } else { Vec::new() };
    if !rare.is_empty() {
        println!("in less than one of a hundred sequences: {}", rare.join(", "));
    }
    let rate = asked.seeds as f64 / began.elapsed().as_secs_f64();
    println!("{} sequences, {failures} failures, {rate:.0} a second", asked.seeds);
    failures + rare.len() as u64
}
