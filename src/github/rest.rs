//! What REST tells of a whole organisation: everything, where GraphQL is refused, and enterprise teams in any case.
//!
//! Enterprise teams are made at the enterprise and assigned to organisations; their slugs begin with `ent:`, they are
//! never nested or secret. GitHub documents them for REST alone: GraphQL has no mark for them, and whether it lists them
//! is not said. Nothing rests on that here: REST's list of them is read beside GraphQL's teams, which is one call where
//! there are none, and those that GraphQL does not show are added, with a call for each 100 people. So GraphQL's silence
//! never makes a deleted team of one.
//!
//! REST refuses some calls on enterprise teams, by 422. If it refuses the list of them, or the members of one, they are
//! left out, and nothing may be concluded from the absence of any team: the snapshot then counts as one that does not
//! see all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::snapshot::{People, Teams, Unread};
use super::{direct, wire, Claims, Github, TeamFacts};
use crate::escape::path_part;
use crate::event::{OrgRef, Person};
use crate::ids::{GithubUserId, Login};
use crate::snapshot::{GithubPerson, GithubSnapshot, GithubTeam};
use crate::upstream::{Exchange, Trouble, TroubleKind};

impl Github {
    /// Everything, with a call for each team, and without addresses.
    pub(super) fn snapshot_by_rest(&self, org: &Login) -> Result<Option<GithubSnapshot>, Unread> {
        let Some(org) = self.org(org)? else { return Ok(None) };
        let login = path_part(org.login.as_str());
        let teams: Option<Vec<wire::TeamRow>> = self.pages(&format!("/orgs/{login}/teams?per_page=100"))?;
        let people: Option<Vec<wire::UserRow>> =
            self.pages(&format!("/orgs/{login}/members?per_page=100"))?;
        let (Some(teams), Some(people)) = (teams, people) else { return Ok(None) };
        let (enterprise, teams): (Vec<_>, Vec<_>) =
            teams.into_iter().partition(wire::TeamRow::is_of_enterprise);
        let teams: Vec<_> = teams.into_iter().map(wire::TeamRow::into_facts).collect();
        let parents: BTreeSet<_> = teams.iter().filter_map(|team| team.parent).collect();
        let mut all: People = people.into_iter().map(person_of_row).collect();
        let mut read = BTreeMap::new();
        for team in teams {
            let rows = self.team_by_rest(&org, &team, parents.contains(&team.id))?;
            let members: People = rows.into_iter().map(person_of_row).collect();
            // Where GraphQL is refused, its keys lead nowhere.
            let facts = TeamFacts { node_id: String::new(), ..team };
            read.insert(facts.id, GithubTeam { facts, members: members.keys().copied().collect() });
            for (id, person) in members {
                all.entry(id).or_insert(person);
            }
        }
        let mut teams = Teams { teams: read, ..Teams::default() };
        let enterprise = enterprise.into_iter().map(wire::TeamRow::into_facts).collect();
        self.add_enterprise_teams(&org.login, Some(enterprise), &mut teams)?;
        for (id, login) in teams.logins {
            all.entry(id).or_insert(GithubPerson { login, bot: false, claims: Claims::default() });
        }
        // REST does not tell an owner's token from a member's, and its lists have no addresses.
        Ok(Some(GithubSnapshot {
            teams: teams.teams.into_values().collect(),
            people: all,
            ..GithubSnapshot::default()
        }))
    }

    fn team_by_rest(
        &self,
        org: &OrgRef,
        team: &TeamFacts,
        parent: bool,
    ) -> Result<Vec<wire::UserRow>, Unread> {
        let path = format!("/organizations/{}/team/{}/members?per_page=100", org.id, team.id);
        let trouble = |kind, why: String| {
            let exchange = Exchange { call: format!("GET {}{path}", self.rest), answer: why.clone() };
            Trouble { kind, why, exchange }
        };
        let Some(mut rows) = self.pages::<wire::UserRow>(&path)? else {
            let why = format!("team {} (`{}`) was gone while its members were read", team.id, team.slug);
            return Err(Unread::Shifted(trouble(TroubleKind::Unknown, why)));
        };
        if parent && !rows.iter().all(wire::UserRow::tells_inherited) {
            let why = format!(
                "team {} (`{}`) has child teams, and this server's REST API does not tell its own members from theirs: \
                 the token needs GraphQL",
                team.id, team.slug
            );
            return Err(Unread::Failed(trouble(TroubleKind::Never, why)));
        }
        rows.retain(|row| !row.is_inherited());
        Ok(rows)
    }

    /// The enterprise teams that are assigned to the organisation; `None` if GitHub refuses to list them.
    pub(super) fn enterprise_teams(&self, org: &Login) -> Result<Option<Vec<TeamFacts>>, Trouble> {
        let path = format!("/orgs/{}/teams?team_type=enterprise&per_page=100", path_part(org.as_str()));
        let mut teams = Vec::new();
        let read = self.each_page(&path, |page| {
            let rows = std::mem::take(&mut page.rows);
            // A server that does not know the kind lists all teams, page after page.
            let knows = rows.iter().all(|row: &wire::TeamRow| row.tells_kind() || row.is_of_enterprise());
            let rows = rows.into_iter().filter(wire::TeamRow::is_of_enterprise);
            teams.extend(rows.map(wire::TeamRow::into_facts));
            knows
        });
        let seen = unless_refused(read.map(|seen| seen.then_some(())))?;
        Ok(seen.map(|()| teams))
    }

    /// Adds those of the enterprise teams that are not there yet, with their members. Where something was refused, no
    /// team counts as absent.
    pub(super) fn add_enterprise_teams(
        &self,
        org: &Login,
        listed: Option<Vec<TeamFacts>>,
        teams: &mut Teams,
    ) -> Result<(), Trouble> {
        let Some(listed) = listed else {
            log::info!("GitHub does not list the enterprise teams of `{org}`; no team counts as deleted");
            teams.sees_secret = false;
            return Ok(());
        };
        for facts in listed {
            if teams.teams.contains_key(&facts.id) {
                continue;
            }
            let Some(members) = self.enterprise_members(org, &facts)? else {
                let slug = crate::escape::Quoted(facts.slug.as_str());
                log::info!(
                    "GitHub does not tell who is in enterprise team {slug}; no team counts as deleted"
                );
                teams.sees_secret = false;
                continue;
            };
            let ids: BTreeSet<GithubUserId> = members.iter().map(|person| person.id).collect();
            teams.logins.extend(members.into_iter().map(|person| (person.id, person.login)));
            // GraphQL's key leads nowhere where GraphQL does not show the team.
            let facts = TeamFacts { node_id: String::new(), ..facts };
            teams.teams.insert(facts.id, GithubTeam { facts, members: ids.into_iter().collect() });
        }
        Ok(())
    }

    fn enterprise_members(&self, org: &Login, team: &TeamFacts) -> Result<Option<Vec<Person>>, Trouble> {
        let slug = path_part(team.slug.as_str());
        let path = format!("/orgs/{}/teams/{slug}/members?per_page=100", path_part(org.as_str()));
        Ok(unless_refused(self.pages::<wire::UserRow>(&path))?.map(direct))
    }
}

/// `None` also for a refusal of this one call.
fn unless_refused<T>(read: Result<Option<T>, Trouble>) -> Result<Option<T>, Trouble> {
    match read {
        Err(Trouble { kind: TroubleKind::Denied | TroubleKind::Never, .. }) => Ok(None),
        read => read,
    }
}

fn person_of_row(row: wire::UserRow) -> (GithubUserId, GithubPerson) {
    let person = row.into_person();
    (person.id, GithubPerson { login: person.login, bot: person.bot, claims: Claims::default() })
}
