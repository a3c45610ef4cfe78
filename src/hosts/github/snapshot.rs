//! Reads a whole organisation in few calls: teams with their direct members, people with their addresses.
//!
//! These readings decide who is absent. So an answer with errors is never used as data, and every list with a count is
//! compared with GitHub's own. A list that does not match its count is read once more. If it still does not match, or
//! contains nulls, the snapshot marks it as incomplete. A list that shrank while it was read must never count as a
//! change. What only REST shows is in [`super::rest`].

use std::collections::{BTreeMap, HashMap};

use serde::de::DeserializeOwned;
use serde_json::{json, Value};

use super::facts::{Claims, TeamFacts, Wanted};
use super::outcome::{outcome, Forbidden, Outcome, Sources};
use super::pages::{endless, leads_to_itself};
use super::{graphql_trouble, queries, wire, Github, MOST_PAGES};
use crate::hosts::http::several::both;
use crate::hosts::http::verdict::Verdict;
use crate::hosts::http::{Trouble, TroubleKind};
use crate::hosts::snapshot::{Gap, Gaps, GithubPerson, GithubSnapshot, GithubTeam, List};
use crate::hosts::Seen;
use crate::state::ids::{GithubTeamId, GithubUserId, Login};

/// Teams per page at first. With 100 members each that is 5,050 nodes, well below what GitHub answers within its 10 s.
const TEAMS_A_PAGE: u32 = 50;
/// People and identities per page at first: GitHub's maximum.
const PEOPLE_A_PAGE: u32 = 100;

/// Why a list could not be read.
#[derive(Debug)]
pub(super) enum Unread {
    /// Its pages do not fit together: something changed between them. Reading it again may help.
    Shifted(Trouble),
    Failed(Trouble),
}

impl From<Trouble> for Unread {
    fn from(trouble: Trouble) -> Self {
        Unread::Failed(trouble)
    }
}

/// The result of one query.
enum Told<T> {
    Data(T),
    /// The object requested by name is not visible.
    Nothing,
    /// A smaller page may work.
    TooMuch(Trouble),
    /// The token may not read a part of it: which part, and the trouble to report if it cannot be left out.
    Forbidden(Forbidden, Trouble),
}

/// The teams, and the logins of everybody in them.
#[derive(Default)]
pub(super) struct Teams {
    pub(super) sees_secret: bool,
    pub(super) teams: BTreeMap<GithubTeamId, GithubTeam>,
    pub(super) logins: BTreeMap<GithubUserId, Login>,
    pub(super) gaps: Gaps,
}

pub(super) type People = BTreeMap<GithubUserId, GithubPerson>;
type Members = BTreeMap<GithubUserId, Login>;
type Identities = HashMap<GithubUserId, Vec<String>>;

impl Github {
    /// Everything that the token can see of an organisation: its teams with their direct members, and its people with
    /// their addresses from all wanted sources that the token may read. Incomplete lists are named in `gaps`; any other
    /// failure fails the whole reading. `None` if the organisation is not visible.
    ///
    /// If GraphQL is refused altogether, the organisation is read over REST: a call for each team, and no addresses.
    pub fn snapshot(&self, org: &Login, wanted: Wanted) -> Seen<GithubSnapshot> {
        match self.snapshot_by_queries(org, wanted) {
            Err(trouble) if trouble.is_for_good() => {
                log::info!("GitHub: {trouble}; reading `{org}` over REST, without e-mail addresses");
                settled(|is_last| self.snapshot_by_rest(org, is_last))
            }
            read => read,
        }
    }

    fn snapshot_by_queries(&self, org: &Login, wanted: Wanted) -> Seen<GithubSnapshot> {
        // Within a list each page needs the previous page's cursor, but the lists are read in parallel.
        let identities = || {
            if wanted.saml {
                self.all_identities(org)
            } else {
                Ok(Some((Identities::new(), None)))
            }
        };
        let (first, second) = both(
            || Ok(both(|| self.all_teams(org), || self.all_people(org, wanted.verified))),
            || Ok(both(identities, || self.enterprise_teams(org).map(Some))),
        );
        let ((teams, people), (identities, enterprise)) = (first?, second?);
        let mut troubles = Vec::new();
        let teams = kept(teams, &mut troubles);
        let people = kept(people, &mut troubles);
        let identities = kept(identities, &mut troubles);
        let enterprise = kept(enterprise, &mut troubles);
        // A refused call makes the other lists wait. The refusal says more than their waiting, so it is reported.
        troubles.sort_by_key(|trouble| matches!(trouble.kind, TroubleKind::Later(_)));
        if let Some(trouble) = troubles.into_iter().next() {
            return Err(trouble);
        }
        let (Some(mut teams), Some(people), Some(identities)) = (teams, people, identities) else {
            return Ok(None);
        };
        self.add_enterprise_teams(org, enterprise.flatten(), &mut teams)?;
        let tells_public = !self.refused.lock().public;
        Ok(Some(GithubSnapshot { tells_public, ..together(teams, people, identities) }))
    }

    fn all_teams(&self, org: &Login) -> Seen<Teams> {
        let mut size = TEAMS_A_PAGE;
        settled(|is_last| {
            let (mut read, mut total, mut nulls) = (Teams::default(), None, 0);
            let query = || Some(queries::TEAMS_WITH_MEMBERS.to_string());
            let seen = self.list(org, &mut size, query, Sources::NONE, |part: wire::TeamsPart| {
                read.sees_secret = part.viewer_can_administer;
                total = part.teams.total_count;
                let next = self.after(&part.teams, None)?;
                let (teams, n) = part.teams.read(|mut team: wire::TeamNode| {
                    let first = team.members.take();
                    Some((team.into_facts()?, first))
                });
                nulls += n;
                for (facts, first) in teams {
                    self.take_team(facts, first, &mut read, is_last)?;
                }
                Ok(next)
            })?;
            if !seen {
                return Ok(None);
            }
            let gap = Gap::by_count(read.teams.len(), total, nulls);
            read.gaps.note(List::Teams, self.gap(&List::Teams, gap, is_last)?);
            Ok(Some(read))
        })
    }

    /// Adds a team and its members. A team that appears twice, because pages shifted, is kept once.
    fn take_team(
        &self,
        facts: TeamFacts,
        first: Option<wire::Page<wire::UserNode>>,
        read: &mut Teams,
        is_last: bool,
    ) -> Result<(), Unread> {
        let list = List::Members(facts.id);
        let mut first = Some(first);
        let members = settled(|is_last| match first.take() {
            // GitHub sent no member list with the team: none of its members is known.
            Some(None) => Ok(Some((Members::new(), Gap::by_nulls(0, 1)))),
            page => self.members_from(&facts, page.flatten(), is_last),
        })?;
        let (members, gap) = match members {
            Some(read) => read,
            None if is_last => (Members::new(), Gap::by_nulls(0, 1)),
            None => {
                let why =
                    format!("team {} (`{}`) was gone while its members were read", facts.id, facts.slug);
                return Err(Unread::Shifted(self.odd(why)));
            }
        };
        read.gaps.note(list, gap);
        let ids = members.keys().copied().collect();
        read.logins.extend(members);
        read.teams.insert(facts.id, GithubTeam { facts, members: ids });
        Ok(())
    }

    /// A team's direct members; `first` is their first page, if it was read already. `None` if the team is gone.
    fn members_from(
        &self,
        team: &TeamFacts,
        first: Option<wire::Page<wire::UserNode>>,
        is_last: bool,
    ) -> Result<Option<(Members, Option<Gap>)>, Unread> {
        let (mut members, mut nulls) = (Members::new(), 0);
        let mut page = first;
        let mut after = None;
        for _ in 0..MOST_PAGES {
            let now = match page.take() {
                Some(page) => page,
                None => match self.members_page(team, after.as_deref())? {
                    Some(page) => page,
                    None => return Ok(None),
                },
            };
            let (total, next) = (now.total_count, self.after(&now, after.as_deref())?);
            let (people, n) = now.read(wire::UserNode::into_person);
            members.extend(people.into_iter().map(|person| (person.id, person.login)));
            nulls += n;
            if next.is_none() {
                let gap = Gap::by_count(members.len(), total, nulls);
                let gap = self.gap(&List::Members(team.id), gap, is_last)?;
                return Ok(Some((members, gap)));
            }
            after = next;
        }
        Err(endless(&self.graphql).into())
    }

    fn members_page(&self, team: &TeamFacts, after: Option<&str>) -> Seen<wire::Page<wire::UserNode>> {
        let vars = json!({ "id": team.node_id, "after": after });
        match self.told::<wire::TeamData>(queries::TEAM_MEMBERS, vars, "node")? {
            Told::Data(data) => {
                Ok(data.node.filter(|node| node.database_id == team.id).map(|node| node.members))
            }
            Told::Nothing => Ok(None),
            Told::TooMuch(trouble) | Told::Forbidden(_, trouble) => Err(trouble),
        }
    }

    fn all_people(&self, org: &Login, verified: bool) -> Seen<(People, Option<Gap>)> {
        let mut size = PEOPLE_A_PAGE;
        let may_be_left_out = Sources { saml: false, verified, public: true };
        settled(|is_last| {
            let (mut people, mut total, mut nulls) = (People::new(), None, 0);
            let query = || {
                let refused = *self.refused.lock();
                Some(queries::people(!refused.public, verified && !refused.verified))
            };
            let seen = self.list(org, &mut size, query, may_be_left_out, |part: wire::PeoplePart| {
                let page = part.members_with_role;
                total = page.total_count;
                let next = self.after(&page, None)?;
                let (read, n) = page.read(wire::PersonNode::into_parts);
                nulls += n;
                let person = |login, claims| GithubPerson { login, bot: false, claims };
                people.extend(read.into_iter().map(|(id, login, claims)| (id, person(login, claims))));
                Ok(next)
            })?;
            if !seen {
                return Ok(None);
            }
            let gap = self.gap(&List::People, Gap::by_count(people.len(), total, nulls), is_last)?;
            Ok(Some((people, gap)))
        })
    }

    /// The addresses in linked identities. Their number is not checked: if one is missing, a person lacks an address,
    /// but nobody counts as absent. An unlinked identity is not a gap; a null one is, because it may be anybody's.
    fn all_identities(&self, org: &Login) -> Seen<(Identities, Option<Gap>)> {
        let mut size = PEOPLE_A_PAGE;
        let may_be_left_out = Sources { saml: true, ..Sources::NONE };
        settled(|_| {
            let (mut identities, mut shown, mut nulls) = (Identities::new(), 0, 0);
            let query = || (!self.refused.lock().saml).then(|| queries::IDENTITIES.to_string());
            let seen = self.list(org, &mut size, query, may_be_left_out, |part: wire::IdentitiesPart| {
                let Some(provider) = part.saml_identity_provider else { return Ok(None) };
                let next = self.after(&provider.external_identities, None)?;
                let (nodes, n) = provider.external_identities.read(Some::<Value>);
                shown += nodes.len();
                nulls += n;
                for (id, addresses) in nodes.iter().filter_map(wire::identity) {
                    identities.entry(id).or_default().extend(addresses);
                }
                Ok(next)
            })?;
            Ok(seen.then_some((identities, Gap::by_nulls(shown, nulls))))
        })
    }

    /// Passes the pages of an organisation's list to `take`, which returns the next cursor; `false` if the organisation
    /// is not visible. A page that is too big for GitHub is halved, and so is the rest of the list. A refused source is
    /// left out if `may_be_left_out` contains it. Without a query there is nothing to ask.
    fn list<T: DeserializeOwned>(
        &self,
        org: &Login,
        size: &mut u32,
        query: impl Fn() -> Option<String>,
        may_be_left_out: Sources,
        mut take: impl FnMut(T) -> Result<Option<String>, Unread>,
    ) -> Result<bool, Unread> {
        let mut after: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let Some(query) = query() else { return Ok(true) };
            let vars = json!({ "org": org, "first": *size, "after": after });
            match self.told::<wire::OrgData<T>>(&query, vars, "organization")? {
                Told::Nothing | Told::Data(wire::OrgData { organization: None }) => return Ok(false),
                Told::Data(wire::OrgData { organization: Some(part) }) => match take(part)? {
                    next @ Some(_) if next == after => return Err(leads_to_itself(&self.graphql).into()),
                    Some(next) => after = Some(next),
                    None => return Ok(true),
                },
                Told::TooMuch(trouble) if *size == 1 => return Err(trouble.into()),
                Told::TooMuch(trouble) => {
                    *size /= 2;
                    log::info!("{trouble}; retrying with {size} per page");
                }
                Told::Forbidden(forbidden, trouble) => {
                    if !self.leave_out(&forbidden, may_be_left_out) {
                        return Err(trouble.into());
                    }
                }
            }
        }
        Err(endless(&self.graphql).into())
    }

    /// Sends one query. `root` is the field that holds the requested object.
    fn told<T: DeserializeOwned>(&self, query: &str, vars: Value, root: &str) -> Result<Told<T>, Trouble> {
        let reply = self.post(query, vars);
        match reply.verdict {
            Verdict::Done => {}
            Verdict::Unknown(_) if reply.is_late() => return Ok(Told::TooMuch(reply.into_trouble())),
            // The route itself is missing: a server without GraphQL.
            Verdict::Missing => return Err(Trouble { kind: TroubleKind::Denied, ..reply.into_trouble() }),
            _ => return Err(reply.into_trouble()),
        }
        if let Some(data) = wire::data(&reply.answer.body) {
            return Ok(Told::Data(data));
        }
        match outcome(&reply.answer.body) {
            Outcome::NotFound if wire::is_null(&reply.answer.body, root) => Ok(Told::Nothing),
            Outcome::NotFound => match wire::data_with_holes(&reply.answer.body) {
                Some(data) => Ok(Told::Data(data)),
                None => Err(graphql_trouble(reply, Outcome::NotFound)),
            },
            Outcome::TooMuch(why) => Ok(Told::TooMuch(graphql_trouble(reply, Outcome::TooMuch(why)))),
            Outcome::Forbidden(forbidden) => {
                let trouble = graphql_trouble(reply, Outcome::Forbidden(forbidden.clone()));
                Ok(Told::Forbidden(forbidden, trouble))
            }
            Outcome::Data(_) => Err(graphql_trouble(reply, Outcome::Failed("an unreadable page".into()))),
            other => Err(graphql_trouble(reply, other)),
        }
    }

    /// What a list lacks. If it may have changed while it was read, it is read once more before that is believed.
    pub(super) fn gap(&self, list: &List, gap: Option<Gap>, is_last: bool) -> Result<Option<Gap>, Unread> {
        match gap {
            Some(gap) if gap.is_shift() && !is_last => {
                Err(Unread::Shifted(self.odd(format!("{list}: {gap}; they change while they are read"))))
            }
            gap => Ok(gap),
        }
    }

    /// For answers that are valid one by one, but contradict each other.
    fn odd(&self, why: String) -> Trouble {
        Trouble::of_call(TroubleKind::Unknown, format!("POST {}", self.graphql), why)
    }
}

/// Reads once more if something shifted during the reading. `read` gets `true` if its result is final.
pub(super) fn settled<T>(mut read: impl FnMut(bool) -> Result<T, Unread>) -> Result<T, Trouble> {
    let read = match read(false) {
        Err(Unread::Shifted(trouble)) => {
            log::info!("{trouble}; reading it again");
            read(true)
        }
        read => read,
    };
    read.map_err(|unread| match unread {
        Unread::Shifted(trouble) | Unread::Failed(trouble) => trouble,
    })
}

fn kept<T>(read: Seen<T>, troubles: &mut Vec<Trouble>) -> Option<T> {
    read.unwrap_or_else(|trouble| {
        troubles.push(trouble);
        None
    })
}

/// Combines the three lists. Everybody in a team is kept as a person, even if the list of people lacks them.
fn together(
    teams: Teams,
    (mut people, no_people): (People, Option<Gap>),
    (identities, no_identities): (Identities, Option<Gap>),
) -> GithubSnapshot {
    for (id, mut addresses) in identities {
        if let Some(person) = people.get_mut(&id) {
            addresses.sort();
            addresses.dedup();
            person.claims.saml = addresses;
        }
    }
    let Teams { sees_secret, teams, logins, mut gaps } = teams;
    gaps.note(List::People, no_people);
    gaps.note(List::Identities, no_identities);
    add_team_people(&mut people, logins, &mut gaps);
    // A `BTreeMap` that was filled in order has half-empty nodes; one that is built at once has full nodes.
    let people = people.into_iter().collect();
    GithubSnapshot { teams: teams.into_values().collect(), people, sees_secret, tells_public: false, gaps }
}

/// Adds people who appear only in teams.
pub(super) fn add_team_people(people: &mut People, logins: BTreeMap<GithubUserId, Login>, gaps: &mut Gaps) {
    for (id, login) in logins {
        let new = || GithubPerson { login, bot: false, claims: Claims::default() };
        let n = people.len();
        people.entry(id).or_insert_with(new);
        if people.len() > n && gaps.lists.contains_key(&List::People) {
            gaps.unlisted.insert(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(why: &str) -> Trouble {
        Trouble::of_call(TroubleKind::Unknown, String::new(), why.into())
    }

    #[test]
    fn what_shifted_is_read_once_more_and_what_failed_is_not() {
        let shifted = || Err(Unread::Shifted(trouble("shifted")));
        let mut answers = vec![Ok(7), shifted()];
        assert_eq!(settled(|_| answers.pop().unwrap()).unwrap(), 7);
        let mut answers: Vec<Result<i32, _>> = vec![Ok(7), shifted(), shifted()];
        assert_eq!(settled(|_| answers.pop().unwrap()).unwrap_err().why, "shifted");
        assert_eq!(answers.len(), 1);
        let mut answers: Vec<Result<i32, _>> = vec![Ok(7), Err(Unread::Failed(trouble("failed")))];
        assert_eq!(settled(|_| answers.pop().unwrap()).unwrap_err().why, "failed");
        assert_eq!(answers.len(), 1);
    }

    #[test]
    fn everybody_in_a_team_is_somebody_and_identities_belong_to_people() {
        let person =
            |login: &str| GithubPerson { login: login.into(), bot: false, claims: Claims::default() };
        let people = People::from([(GithubUserId(1), person("ana"))]);
        let teams = Teams {
            logins: BTreeMap::from([(GithubUserId(1), "ana".into()), (GithubUserId(2), "bo".into())]),
            ..Teams::default()
        };
        let addresses = || vec!["b@x".to_string(), "a@x".into(), "b@x".into()];
        let identities = Identities::from([(GithubUserId(1), addresses()), (GithubUserId(2), addresses())]);
        let snapshot = together(teams, (people, None), (identities, None));
        assert_eq!(snapshot.people[&GithubUserId(1)].claims.saml, ["a@x", "b@x"]);
        assert_eq!(snapshot.people[&GithubUserId(2)], person("bo"));
        assert_eq!(snapshot.people.len(), 2);
    }
}
