//! The simulation: thousands of lives of the whole core, each from its seed; what was found with it, as lives; and the
//! faults that prove it, which must still be what stands in the program.
//!
//! `SYNC_TEST_SEQUENCES` says how many, `SYNC_TEST_SEED` with which to begin. A failure is told by
//! `cargo run --release --example simulate -- --seed SEED`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;

use crate::sim::seeded::Fault;
use crate::sim::{self, Life};
use crate::world::number;

/// So many lives are compared byte by byte.
const TWICE: std::ops::Range<u64> = 1..101;

fn tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim").join(path)
}

fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let paths = std::fs::read_dir(tests(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|kind| kind == "txt")).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

/// Plays on both cores; what became of each, by seed.
fn hashes(seeds: std::ops::Range<u64>) -> Vec<(u64, u64)> {
    let (next, all) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    return;
                }
                let hash = sim::hash(&Life::of_seed(seed));
                all.lock().unwrap().push((seed, hash));
            });
        }
    });
    let mut all = all.into_inner().unwrap();
    all.sort_unstable();
    all
}

#[test]
fn no_sequence_breaks_a_rule() {
    let first = number("SYNC_TEST_SEED", 1);
    let last = first + number("SYNC_TEST_SEQUENCES", 500);
    let (next, failures) = (AtomicU64::new(first), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= last {
                    return;
                }
                if let Some(failure) = sim::play(&Life::of_seed(seed)).failure {
                    failures.lock().unwrap().push(format!("seed {seed}: {failure}"));
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn a_seed_leads_to_the_same_bytes_again_and_in_another_process() {
    const ASKED: &str = "SYNC_TEST_PRINT_HASHES";
    let here = hashes(TWICE);
    if std::env::var_os(ASKED).is_some() {
        println!("hashes: {here:?}");
        return;
    }
    assert_eq!(hashes(TWICE), here);
    let name = "simulation::a_seed_leads_to_the_same_bytes_again_and_in_another_process";
    let mut other = Command::new(std::env::current_exe().unwrap());
    let said = other.args([name, "--exact", "--nocapture"]).env(ASKED, "1").output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains(&format!("hashes: {here:?}")), "{said}");
}

#[test]
fn a_death_at_a_seam_loses_and_repeats_nothing() {
    let (deaths, failures) = sim::die_everywhere(number("SYNC_TEST_STRIDE", 29));
    let told: Vec<_> = failures.iter().map(|(life, failure)| format!("{}{failure}", life.text())).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    assert!(deaths > 20, "only {deaths}");
}

#[test]
fn what_was_found_once_is_well() {
    let lives = files("lives");
    assert!(!lives.is_empty());
    for (path, text) in lives {
        let life = Life::parse(&text).unwrap_or_else(|| panic!("{} is no life", path.display()));
        let failure = sim::play(&life).failure;
        assert!(failure.is_none(), "{}: {}", path.display(), failure.unwrap());
    }
}

#[test]
fn each_seeded_fault_is_still_one_of_this_program_and_each_rule_has_one() {
    let mut unbroken: BTreeSet<_> = sim::rules::ALL.into_iter().collect();
    for (path, text) in files("faults") {
        let fault = Fault::parse(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let at = Path::new(env!("CARGO_MANIFEST_DIR")).join(&fault.file);
        let source = std::fs::read_to_string(&at).unwrap_or_else(|error| panic!("{}: {error}", at.display()));
        let n = source.matches(&fault.old).count();
        assert_eq!(n, 1, "{} is outdated: its text stands {n} times in {}", path.display(), fault.file);
        assert_ne!(fault.old, fault.new);
        let rule = fault.breaks.as_str();
        assert!(sim::rules::ALL.contains(&rule), "{}: no rule {rule}", path.display());
        unbroken.remove(rule);
    }
    assert!(unbroken.is_empty(), "no fault shows that these can fail: {unbroken:?}");
}
