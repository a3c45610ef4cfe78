//! GitHub and Sentry as typed calls. What becomes of a job that a call was made for is nobody's business here.

pub mod github;
pub mod http;
pub mod sentry;
pub mod snapshot;

use http::verdict::Verdict;
use http::{Reply, Trouble, TroubleKind};

/// What a host shows of a thing; `None` if it is not there, or not to be seen.
pub type Seen<T> = Result<Option<T>, Trouble>;

/// What the token may not see is not seen, and no trouble.
pub fn unless_denied<T>(read: Seen<T>) -> Seen<T> {
    match read {
        Err(Trouble { kind: TroubleKind::Denied, .. }) => Ok(None),
        read => read,
    }
}

/// Reads any bytes as rows, and these as what is known of them.
#[cfg(test)]
fn read_rows<R: serde::de::DeserializeOwned, T>(bytes: &[u8], read: fn(R) -> T) {
    let rows = serde_json::from_slice::<Vec<serde_json::Value>>(bytes).unwrap_or_default().into_iter();
    rows.filter_map(|row| serde_json::from_value(row).ok()).for_each(|row| drop(read(row)));
}

/// The answer, where what was asked for is there and to be seen.
fn seen(reply: Reply) -> Seen<Reply> {
    match reply.verdict {
        Verdict::Done => Ok(Some(reply)),
        Verdict::Missing => Ok(None),
        _ => Err(reply.into_trouble()),
    }
}
