//! Reads lists page by page. If a page fails, the whole list fails: half a list is never returned.
//!
//! REST names the next page in `Link`, GraphQL in `pageInfo`. If that cannot be relied on, the end of the list is not
//! known, and that is an error.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::outcome::{outcome, Outcome};
use super::{graphql_trouble, wire, Github, MOST_PAGES};
use crate::hosts::http::link::{behind, numbered, path_on_same_host, Behind};
use crate::hosts::http::verdict::Verdict;
use crate::hosts::http::{Trouble, TroubleKind};
use crate::hosts::snapshot::{Gap, Listed};
use crate::hosts::Seen;

/// Rows per page: GitHub's maximum, which every list that is read to its end asks for.
pub(super) const FULL: usize = 100;

/// One page of a REST list.
pub(super) struct RestPage<T> {
    pub(super) rows: Vec<T>,
    pub(super) nulls: usize,
    behind: Behind,
    path: String,
    /// A checksum that distinguishes a page from the previous one.
    sum: u64,
}

impl<T> RestPage<T> {
    /// Path and query of the next page: the linked one, or the next number after a full page without a link.
    pub(super) fn next(&self) -> Seen<String> {
        match &self.behind {
            Behind::Nothing => Ok(None),
            Behind::Perhaps => Ok(Some(numbered(&self.path))),
            Behind::Page(_) => self.linked(),
        }
    }

    /// The linked page only, for lists without page numbers.
    pub(super) fn linked(&self) -> Seen<String> {
        let Behind::Page(link) = &self.behind else { return Ok(None) };
        match path_on_same_host(&link.target, &self.path) {
            Some(next) if next == self.path => Err(leads_to_itself(&self.path)),
            Some(next) => Ok(Some(next)),
            None => Err(Trouble::broken(&self.path, "the link to the next page has no path")),
        }
    }

    /// Whether no page follows.
    pub(super) fn is_last(&self) -> bool {
        self.behind == Behind::Nothing
    }
}

/// All entries of a GraphQL connection.
pub(super) struct Connection<T> {
    pub(super) rows: Vec<T>,
    pub(super) nulls: usize,
    /// GitHub's count on the last page, if the query asked for it.
    pub(super) counted: Option<u64>,
}

impl Github {
    /// One page of a REST list; `None` if the list is not visible.
    pub(super) fn page<T: DeserializeOwned>(&self, path: &str) -> Seen<RestPage<T>> {
        let Some(RestPage { rows, nulls, behind, path, sum }) = self.page_of_values(path)? else {
            return Ok(None);
        };
        let rows: Result<_, _> = rows.into_iter().map(serde_json::from_value).collect();
        let rows = rows.map_err(|_| Trouble::unreadable(&path))?;
        Ok(Some(RestPage { rows, nulls, behind, path, sum }))
    }

    fn page_of_values(&self, path: &str) -> Seen<RestPage<Value>> {
        let Some(reply) = self.shown(path)? else { return Ok(None) };
        let sum = reply.answer.sum();
        let Ok(Value::Array(mut rows)) = serde_json::from_slice(&reply.answer.body) else {
            return Err(reply.into_trouble());
        };
        let n = rows.len();
        rows.retain(|row| !row.is_null());
        let nulls = n - rows.len();
        let behind = behind(reply.answer.headers.link.as_deref(), n, FULL)
            .map_err(|why| Trouble::broken(path, format!("the Link header is no use: {why}")))?;
        Ok(Some(RestPage { rows, nulls, behind, path: path.into(), sum }))
    }

    /// Passes each page of a REST list to `take`, which says whether to continue; `false` if it is not visible.
    pub(super) fn each_page<T: DeserializeOwned>(
        &self,
        path: &str,
        mut take: impl FnMut(&mut RestPage<T>) -> bool,
    ) -> Result<bool, Trouble> {
        let mut next = format!("{}{path}", self.rest);
        let mut before = None;
        for _ in 0..MOST_PAGES {
            let Some(mut page) = self.page::<T>(&next)? else { return Ok(false) };
            // A server that ignores page numbers sends the same page for every number.
            if before.replace(page.sum) == Some(page.sum) && !page.rows.is_empty() {
                return Err(Trouble::broken(&next, "the page is the same as the one before"));
            }
            let goes_on = take(&mut page);
            match page.next()? {
                Some(path) if goes_on => next = path,
                _ => return Ok(true),
            }
        }
        Err(endless(&next))
    }

    /// All rows of a REST list; `None` if the list is not visible.
    pub(super) fn pages<T: DeserializeOwned>(&self, path: &str) -> Seen<Listed<T>> {
        let (mut rows, mut nulls) = (Vec::new(), 0);
        let seen = self.each_page(path, |page| {
            rows.append(&mut page.rows);
            nulls += page.nulls;
            true
        })?;
        let gap = Gap::by_nulls(rows.len(), nulls);
        Ok(seen.then_some(Listed { rows, gap }))
    }

    /// All entries of a connection, each parsed by `read`; `None` if the object that holds it is missing or fails
    /// `is_it`. The number of entries is not compared with GitHub's count.
    pub(super) fn connection<T: DeserializeOwned, U>(
        &self,
        query: &str,
        mut vars: Value,
        at: &str,
        is_it: impl Fn(&Value) -> bool,
        read: impl Fn(T) -> Option<U>,
    ) -> Seen<Connection<U>> {
        let mut all = Connection { rows: Vec::new(), nulls: 0, counted: None };
        for _ in 0..MOST_PAGES {
            let reply = self.post(query, vars.clone());
            let data = match reply.verdict {
                Verdict::Done => match outcome(&reply.answer.body) {
                    Outcome::Data(data) => data,
                    Outcome::NotFound => match wire::data_with_holes::<Value>(&reply.answer.body) {
                        Some(data) => data,
                        None => return Ok(None),
                    },
                    other => return Err(graphql_trouble(reply, other)),
                },
                // The route itself is missing: a server without GraphQL.
                Verdict::Missing => {
                    return Err(Trouble { kind: TroubleKind::Denied, ..reply.into_trouble() })
                }
                _ => return Err(reply.into_trouble()),
            };
            let Some(page) = data.pointer(at).filter(|page| !page.is_null() && is_it(&data)) else {
                return Ok(None);
            };
            let Ok(page) = serde_json::from_value::<wire::Page<T>>(page.clone()) else {
                return Err(graphql_trouble(reply, Outcome::Failed("an unreadable page".into())));
            };
            let after = self.after(&page, vars["after"].as_str())?;
            all.counted = page.total_count;
            let (rows, nulls) = page.read(&read);
            all.rows.extend(rows);
            all.nulls += nulls;
            match after {
                Some(after) => vars["after"] = after.into(),
                None => return Ok(Some(all)),
            }
        }
        Err(endless(&self.graphql))
    }

    /// The cursor for the page after this one, which was requested with the cursor `before`; `None` if it is the last.
    pub(super) fn after<T>(&self, page: &wire::Page<T>, before: Option<&str>) -> Seen<String> {
        match page.next() {
            Ok(Some(after)) if Some(after.as_str()) == before => Err(leads_to_itself(&self.graphql)),
            Ok(after) => Ok(after),
            Err(()) => {
                Err(Trouble::broken(&self.graphql, "there is a next page, and no cursor to ask for it"))
            }
        }
    }
}

pub(super) fn endless(path: &str) -> Trouble {
    Trouble::broken(path, format!("more than {MOST_PAGES} pages"))
}

pub(super) fn leads_to_itself(path: &str) -> Trouble {
    Trouble::broken(path, "the page leads to itself")
}
