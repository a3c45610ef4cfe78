//! Who is in which team, a hundred teams per call: SCIM's groups, if the organisation's identity provider has SCIM
//! enabled. Nothing is written through SCIM, because the identity provider would own what is written.
//!
//! The pages are numbered, not chained: a team created or deleted between two of them shifts all later ones. So their
//! numbers have to fit together. Pages that do not fit are a failed reading, never an absence.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::{parsed, Sentry};
use crate::hosts::http::asked::Asked;
use crate::hosts::http::verdict::Verdict;
use crate::hosts::http::{Reply, Request, Trouble};
use crate::state::ids::{MemberId, SentryTeamId};

/// Groups per page: Sentry's maximum.
pub const A_PAGE: usize = 100;
/// For a page of groups, Sentry reads this many members, or slightly more, and silently drops the rest. On a page with
/// this many people, any group may be cut.
const MOST_PEOPLE: usize = 10_000;

/// Members by team, sorted. Sentry filters nothing here: deactivated users and requests to join are included. Left out
/// are teams that Sentry may have cut, teams whose members it does not show, and teams that are being deleted.
pub type Groups = HashMap<SentryTeamId, Vec<MemberId>>;

/// The result of asking for the groups.
#[derive(Debug)]
pub enum Told {
    All(Groups),
    /// SCIM is not enabled, or not for this token.
    Off,
    /// There are more pages than are worth reading.
    TooMany,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    total_results: usize,
    start_index: usize,
    items_per_page: usize,
    #[serde(rename = "Resources")]
    resources: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    id: String,
    members: Option<Vec<Row>>,
}

#[derive(Deserialize)]
struct Row {
    value: String,
}

/// The pages read so far.
#[derive(Default)]
struct Reading {
    total: Option<usize>,
    n_read: usize,
    seen: HashSet<SentryTeamId>,
    groups: Groups,
}

impl Reading {
    /// Adds a page. Returns whether more pages follow; the error says why the page does not fit.
    fn take(&mut self, page: Page) -> Result<bool, String> {
        let Page { total_results, start_index, items_per_page, resources } = page;
        if items_per_page != resources.len() {
            return Err(format!("a page of {items_per_page} groups has {}", resources.len()));
        }
        if start_index != self.n_read + 1 {
            return Err(format!("the page from {} begins with {start_index}", self.n_read + 1));
        }
        if self.total.is_some_and(|total| total != total_results) {
            return Err(format!("the number of groups changed to {total_results} while they were read"));
        }
        self.total = Some(total_results);
        let is_empty = resources.is_empty();
        self.n_read += resources.len();
        self.take_groups(resources)?;
        match self.n_read < total_results {
            true if is_empty => Err(format!("{} of {total_results} groups were told", self.n_read)),
            is_more if is_more || self.n_read == total_results => Ok(is_more),
            _ => Err(format!("{} groups were told of {total_results}", self.n_read)),
        }
    }

    /// Leaves out all groups of a page that may be cut: their teams are read one by one.
    fn take_groups(&mut self, page: Vec<Group>) -> Result<(), String> {
        let mut people: HashSet<MemberId> = HashSet::new();
        let mut groups = Vec::with_capacity(page.len());
        for Group { id, members } in page {
            let id = id.parse().map(SentryTeamId).map_err(|_| "a group has no number".to_string())?;
            if !self.seen.insert(id) {
                return Err(format!("group {id} was told twice"));
            }
            let Some(rows) = members else { continue };
            let ids: Result<Vec<_>, _> = rows.iter().map(|row| row.value.parse().map(MemberId)).collect();
            let mut ids = ids.map_err(|_| format!("a member of group {id} has no number"))?;
            ids.sort_unstable();
            ids.dedup();
            people.extend(&ids);
            groups.push((id, ids));
        }
        if people.len() < MOST_PEOPLE {
            self.groups.extend(groups);
        }
        Ok(())
    }
}

impl Sentry {
    /// Everybody in every team, in at most `most` calls if Sentry's pages are full.
    pub fn groups(&self, most: usize) -> Result<Told, Trouble> {
        let mut reading = Reading::default();
        loop {
            let first = reading.n_read + 1;
            let reply = self.ask_for_groups(first, A_PAGE);
            if first == 1 && is_off(&reply) {
                return Ok(Told::Off);
            }
            let page = page_of(reply)?;
            // Limits the number of calls, however odd the server's answers are.
            if page.total_results.div_ceil(A_PAGE) > most || first > most.saturating_mul(A_PAGE) {
                return Ok(Told::TooMany);
            }
            match reading.take(page) {
                Ok(true) => {}
                Ok(false) => return Ok(Told::All(reading.groups)),
                Err(why) => return Err(Trouble::broken(&self.groups_path(first, A_PAGE), why)),
            }
        }
    }

    /// Whether groups can be read. One call.
    pub fn has_groups(&self) -> Result<bool, Trouble> {
        let reply = self.ask_for_groups(1, 1);
        if is_off(&reply) {
            return Ok(false);
        }
        page_of(reply).map(|_| true)
    }

    fn ask_for_groups(&self, first: usize, count: usize) -> Reply {
        self.host.ask(Asked::Groups, &Request::get(self.groups_path(first, count)))
    }

    /// Sentry's SCIM paths have no slash at the end.
    fn groups_path(&self, first: usize, count: usize) -> String {
        self.org_path(&format!("scim/v2/Groups?startIndex={first}&count={count}"))
    }
}

/// Whether the API itself says that there is nothing to read: usually a 403 that names no reason.
fn is_off(reply: &Reply) -> bool {
    use Verdict::{Denied, Locked, Missing, Never, Nowhere, Postponed};
    matches!(reply.verdict, Denied(_) | Missing | Nowhere | Locked | Never(_) | Postponed(_))
}

fn page_of(reply: Reply) -> Result<Page, Trouble> {
    match reply.verdict {
        Verdict::Done => parsed(reply).map(|(page, _)| page),
        _ => Err(reply.into_trouble()),
    }
}

/// An example answer, for the fuzzer to corrupt.
#[cfg(test)]
pub(crate) const EXAMPLE: &str = r#"{"totalResults":2,"startIndex":1,"itemsPerPage":2,"Resources":[{"id":"7","displayName":"Crew","members":[{"value":"4","display":"a@x"}]},{"id":"8"}]}"#;

/// Parses any bytes as a page.
#[cfg(test)]
pub(crate) fn read_anything(bytes: &[u8]) {
    if let Ok(page) = serde_json::from_slice::<Page>(bytes) {
        let (total, mut reading) = (page.total_results, Reading::default());
        if let Ok(is_more) = reading.take(page) {
            assert!(is_more == (reading.n_read < total) && reading.groups.len() <= reading.n_read);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{json, Value};

    fn group(id: u64, members: &[u64]) -> Value {
        let members: Vec<_> =
            members.iter().map(|id| json!({ "value": id.to_string(), "display": "x" })).collect();
        json!({ "schemas": [], "id": id.to_string(), "displayName": "x", "meta": {}, "members": members })
    }

    fn read(pages: &[(usize, usize, Vec<Value>)]) -> Result<Option<Groups>, String> {
        let mut reading = Reading::default();
        for (total, start, groups) in pages {
            let n = groups.len();
            let page =
                json!({ "totalResults": total, "startIndex": start, "itemsPerPage": n, "Resources": groups });
            if !reading.take(serde_json::from_value(page).unwrap())? {
                return Ok(Some(reading.groups));
            }
        }
        Ok(None)
    }

    #[test]
    fn pages_that_fit_are_put_together() {
        let pages = [(3, 1, vec![group(1, &[7, 5, 7]), group(2, &[])]), (3, 3, vec![group(3, &[5])])];
        let groups = read(&pages).unwrap().unwrap();
        assert_eq!(groups[&SentryTeamId(1)], [MemberId(5), MemberId(7)]);
        assert_eq!((groups[&SentryTeamId(2)].len(), groups.len()), (0, 3));
        assert_eq!(read(&[(0, 1, vec![])]).unwrap().unwrap().len(), 0);
        assert!(read(&pages[..1]).unwrap().is_none(), "one more is to come");
    }

    #[test]
    fn pages_that_do_not_fit_are_no_reading() {
        let two = || vec![group(1, &[]), group(2, &[])];
        for (what, second) in [
            ("changed", (4, 3, vec![group(3, &[])])),
            ("begins with", (3, 2, vec![group(3, &[])])),
            ("twice", (3, 3, vec![group(2, &[])])),
            ("told", (3, 3, vec![])),
            ("told of", (3, 3, vec![group(3, &[]), group(4, &[])])),
        ] {
            let why = read(&[(3, 1, two()), second]).unwrap_err();
            assert!(why.contains(what), "{what}: {why}");
        }
        let odd =
            json!({ "totalResults": 2, "startIndex": 1, "itemsPerPage": 2, "Resources": [group(1, &[])] });
        assert!(Reading::default().take(serde_json::from_value(odd).unwrap()).is_err());
        assert!(read(&[(1, 1, vec![json!({ "id": "x", "members": [] })])]).is_err());
        assert!(read(&[(1, 1, vec![json!({ "id": "1", "members": [{ "value": "x" }] })])]).is_err());
    }

    #[test]
    fn groups_of_a_page_that_may_be_cut_and_such_as_tell_no_members_are_left_to_readings_of_their_own() {
        let people: Vec<_> = (1..=MOST_PEOPLE as u64).collect();
        let (half, other) = people.split_at(MOST_PEOPLE / 2);
        let cut = vec![group(1, half), group(2, other), group(3, &[1])];
        let whole = vec![group(4, half), group(5, &other[1..]), group(6, half), json!({ "id": "7" })];
        let groups = read(&[(7, 1, cut), (7, 4, whole)]).unwrap().unwrap();
        let mut ids: Vec<_> = groups.keys().map(|id| id.0).collect();
        ids.sort();
        assert_eq!((ids, groups[&SentryTeamId(5)].len()), (vec![4, 5, 6], MOST_PEOPLE / 2 - 1));
    }

    #[test]
    fn a_group_told_twice_is_no_reading_also_where_it_is_left_out() {
        let pages = [(2, 1, vec![json!({ "id": "7" })]), (2, 2, vec![json!({ "id": "7" })])];
        assert!(read(&pages).unwrap_err().contains("twice"));
    }
}
