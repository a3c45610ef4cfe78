//! Makes a failing list of steps shorter, as long as the same rule is broken: whole stretches first, then step by step.

use super::rules::Failure;
use super::steps::Step;

/// So many plays are enough.
const TRIES: usize = 400;

/// The shortest list that was found, and how it fails.
pub fn shrink(
    steps: &[Step],
    failure: &Failure,
    play: impl Fn(&[Step]) -> Option<Failure>,
) -> (Vec<Step>, Failure) {
    let (mut best, mut failure, mut tries) = (steps.to_vec(), failure.clone(), 0);
    let mut stretch = (best.len() / 2).max(1);
    loop {
        let (mut at, before) = (0, best.len());
        while at < best.len() && tries < TRIES {
            let mut fewer = best.clone();
            fewer.drain(at..(at + stretch).min(best.len()));
            tries += 1;
            match play(&fewer) {
                Some(other) if other.rule == failure.rule => (best, failure) = (fewer, other),
                _ => at += stretch,
            }
        }
        if stretch == 1 && best.len() == before || tries >= TRIES {
            return (best, failure);
        }
        stretch = (stretch / 2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::steps::of_seed;

    #[test]
    fn what_is_not_needed_is_left_out() {
        let steps = of_seed(3);
        let needed = [steps[1], steps[steps.len() - 2]];
        let fails = |some: &[Step]| {
            let all = needed.iter().all(|step| some.contains(step));
            all.then(|| Failure::new("at_rest_both_sides_agree", String::new()))
        };
        let failure = fails(&steps).unwrap();
        assert_eq!(shrink(&steps, &failure, fails).0, needed);
    }
}
