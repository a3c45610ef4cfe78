//! Calls that a host says it is retiring. Each is logged once, and kept for `check`.
//!
//! Sentry announces it in two headers, long before it answers the call with 410, first for hours and then for good.

use super::answer::Headers;
use super::Request;
use crate::lock::Mutex;
use crate::state::sorted::Map;
use crate::text::Quoted;

/// How many are kept. There are hardly more kinds of calls.
const MOST: usize = 20;

/// An announcement: the method, the date, and the call that replaces it.
type Told = (&'static str, Option<String>, Option<String>);

/// The announcements so far, each with its sentence.
#[derive(Debug, Default)]
pub struct RetiredCalls(Mutex<Map<Told, String>>);

impl RetiredCalls {
    /// Records what an answer announces. Returns the sentence if it is news.
    pub(super) fn learn(&self, request: &Request, headers: &Headers) -> Option<String> {
        let (since, instead) = (headers.retired_since.clone(), headers.replacement.clone());
        if since.is_none() && instead.is_none() {
            return None;
        }
        let told = (request.method.name(), since, instead);
        let mut calls = self.0.lock();
        if calls.contains_key(&told) || calls.len() >= MOST {
            return None;
        }
        let said = say(request, &told);
        calls.insert(told, said.clone());
        Some(said)
    }

    /// One sentence for each announcement.
    pub fn all(&self) -> Vec<String> {
        self.0.lock().values().cloned().collect()
    }
}

fn say(request: &Request, (method, since, instead): &Told) -> String {
    let path = request.path.split('?').next().unwrap_or_default();
    let since = since.as_ref().map_or(String::new(), |at| format!(" ({})", Quoted(at)));
    let instead = instead.as_ref().map_or(String::new(), |call| format!(", replaced by {}", Quoted(call)));
    format!("{method} {path} is being retired{since}{instead}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_announcement_is_news_once_whatever_the_team() {
        let calls = RetiredCalls::default();
        let of = |since: Option<&str>, instead: Option<&str>| Headers {
            retired_since: since.map(String::from),
            replacement: instead.map(String::from),
            ..Headers::default()
        };
        let learn = |path: &str, headers: &Headers| calls.learn(&Request::get(path.into()), headers);
        assert_eq!(learn("/a", &Headers::default()), None);
        let soon = of(Some("2026-12-01"), Some("/api/1/b\u{1b}"));
        assert_eq!(
            learn("/teams/a/?x=1", &soon).as_deref(),
            Some("GET /teams/a/ is being retired (\"2026-12-01\"), replaced by \"/api/1/b\\u{1b}\"")
        );
        assert_eq!(learn("/teams/b/", &soon), None);
        assert_eq!(
            learn("/c", &of(None, Some("/d"))).as_deref(),
            Some("GET /c is being retired, replaced by \"/d\"")
        );
        assert_eq!(calls.all().len(), 2);
        (0..50).for_each(|n| drop(learn("/e", &of(Some(&n.to_string()), None))));
        assert_eq!(calls.all().len(), MOST);
    }
}
