//! A sequence as text: its seed and the steps that are taken of it.

use super::steps::{of_seed, Step};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    pub seed: u64,
    pub steps: Vec<Step>,
}

impl Life {
    pub fn of_seed(seed: u64) -> Self {
        Self { seed, steps: of_seed(seed) }
    }

    /// Lines that begin with `#` say what it is about.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let seed = lines.next()?.strip_prefix("seed ")?.parse().ok()?;
        Some(Self { seed, steps: lines.map(Step::parse).collect::<Option<_>>()? })
    }

    pub fn text(&self) -> String {
        let steps: String = self.steps.iter().map(|step| format!("{step}\n")).collect();
        format!("seed {}\n{steps}", self.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_read_as_it_is_written() {
        let life = Life::of_seed(9);
        assert_eq!(Life::parse(&format!("# what it shows\n\n{}", life.text())), Some(life));
        assert_eq!(Life::parse("seed 1\nDance 2"), None);
    }
}
