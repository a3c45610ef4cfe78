//! GitHub and Sentry as typed calls. What becomes of a job that a call was made for is nobody's business here.

pub mod github;
pub mod http;
pub mod sentry;
pub mod snapshot;

/// What a host shows of a thing; `None` if it is not there, or not to be seen.
pub type Seen<T> = Result<Option<T>, http::Trouble>;
