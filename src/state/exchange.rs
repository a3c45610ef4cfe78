//! A call to a host, for the audit log.

/// A call and its answer in a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// `POST /api/0/…`.
    pub call: String,
    /// `201`, or why there is no answer.
    pub answer: String,
}
