//! Draws that follow from a seed, a step and how many came before: a step that is left out changes nobody else's.

use crate::standin::rng::Rng;

#[derive(Clone, Debug)]
pub struct Draw(Rng);

impl Default for Draw {
    fn default() -> Self {
        Self::of(0, 0, 0)
    }
}

impl Draw {
    /// `what` tells draws of one step apart that are made for different ends.
    pub fn of(seed: u64, step: u64, what: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mixed = rng.next() ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ what.rotate_left(32);
        let mut rng = Rng::new(mixed);
        Self(Rng::new(rng.next()))
    }

    pub fn next(&mut self) -> u64 {
        self.0.next()
    }

    /// A number below `limit`; 0 when `limit` is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0.below(limit)
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn one_of<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len() as u64) as usize)
    }

    pub fn rng(&mut self) -> &mut Rng {
        &mut self.0
    }
}
