//! Typed calls to GitHub and Sentry. Nothing here decides what happens to the job that a call is made for.

pub mod github;
pub mod http;
pub mod sentry;
pub mod snapshot;

use http::verdict::Verdict;
use http::{Reply, Trouble, TroubleKind};

/// The result of reading something from a host; `None` if it doesn't exist or the token cannot see it.
pub type Seen<T> = Result<Option<T>, Trouble>;

/// Treats something that the token may not read as absent, not as an error.
pub fn unless_denied<T>(read: Seen<T>) -> Seen<T> {
    match read {
        Err(Trouble { kind: TroubleKind::Denied, .. }) => Ok(None),
        read => read,
    }
}

/// Parses any bytes as a JSON list, and converts each row that has the form of `R`. For fuzzing.
#[cfg(test)]
fn read_rows<R: serde::de::DeserializeOwned, T>(bytes: &[u8], read: fn(R) -> T) {
    let rows = serde_json::from_slice::<Vec<serde_json::Value>>(bytes).unwrap_or_default().into_iter();
    rows.filter_map(|row| serde_json::from_value(row).ok()).for_each(|row| drop(read(row)));
}

/// The reply if the host showed what was asked for, `None` if that is missing, otherwise the trouble.
fn seen(reply: Reply) -> Seen<Reply> {
    match reply.verdict {
        Verdict::Done => Ok(Some(reply)),
        Verdict::Missing => Ok(None),
        _ => Err(reply.into_trouble()),
    }
}
