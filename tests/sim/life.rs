//! A sequence as text: its seed and the steps that are taken of it.

use super::steps::{of_seed, Kind, Step};

const RARITIES: &str = "with rarities";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    pub seed: u64,
    pub steps: Vec<Step>,
    /// The process dies so many seams behind its beginning.
    pub dies_at: Option<u64>,
    /// Something rare may come along with a step. Not in lives that were kept before there was such a thing.
    pub has_rarities: bool,
}

impl Life {
    pub fn of_seed(seed: u64) -> Self {
        Self { seed, steps: of_seed(seed), dies_at: None, has_rarities: true }
    }

    /// Changes and nothing else, and a death at that seam.
    pub fn that_dies(seed: u64, changes: u64, at: u64) -> Self {
        let steps = (1..=changes).map(|number| Step { kind: Kind::Change, number }).collect();
        Self { seed, steps, dies_at: Some(at), has_rarities: false }
    }

    /// Lines that begin with `#` say what it is about.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let seed = lines.next()?.strip_prefix("seed ")?.parse().ok()?;
        let mut lines: Vec<_> = lines.collect();
        let dies_at = lines.first().and_then(|line| line.strip_prefix("dies at ")).map(str::parse);
        lines.drain(..usize::from(dies_at.is_some()));
        let has_rarities = lines.first() == Some(&RARITIES);
        lines.drain(..usize::from(has_rarities));
        let steps = lines.into_iter().map(Step::parse).collect::<Option<_>>()?;
        Some(Self { seed, steps, dies_at: dies_at.transpose().ok()?, has_rarities })
    }

    pub fn text(&self) -> String {
        let steps: String = self.steps.iter().map(|step| format!("{step}\n")).collect();
        let death = self.dies_at.map(|at| format!("dies at {at}\n")).unwrap_or_default();
        let rarities = if self.has_rarities { format!("{RARITIES}\n") } else { String::new() };
        format!("seed {}\n{death}{rarities}{steps}", self.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_read_as_it_is_written() {
        for life in [Life::of_seed(9), Life::that_dies(2, 3, 41)] {
            assert_eq!(Life::parse(&format!("# what it shows\n\n{}", life.text())), Some(life));
        }
        assert_eq!(Life::parse("seed 1\nDance 2"), None);
    }
}
