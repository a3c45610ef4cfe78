//! What was played.

/// What a sequence, or all of them, consisted of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub sequences: usize,
    pub changes: usize,
    pub deliveries: usize,
    pub lost: usize,
    pub doubled: usize,
    pub late: usize,
    pub deaths: usize,
    pub faults: usize,
    pub comparisons: usize,
    pub approved: usize,
    pub second_looks: usize,
    pub pauses: usize,
    pub first_holds: usize,
    pub announced: usize,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.sequences += other.sequences;
        self.changes += other.changes;
        self.deliveries += other.deliveries;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.late += other.late;
        self.deaths += other.deaths;
        self.faults += other.faults;
        self.comparisons += other.comparisons;
        self.approved += other.approved;
        self.second_looks += other.second_looks;
        self.pauses += other.pauses;
        self.first_holds += other.first_holds;
        self.announced += other.announced;
    }
}
