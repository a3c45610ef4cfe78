//! What is read of a whole organisation over REST: everything if GraphQL is refused, and enterprise teams in any case.
//!
//! Enterprise teams are created at the enterprise and assigned to organisations. Their slugs begin with `ent:`, and
//! they are never nested or secret. GitHub documents them for REST only: GraphQL does not mark them, and GitHub does
//! not say whether GraphQL lists them. So nothing here depends on that. REST's list of them is read beside GraphQL's
//! teams (one call if there are none), and those that GraphQL lacks are added, with a call for each 100 people. A team
//! that GraphQL does not list is therefore never taken for deleted.
//!
//! REST refuses some calls on enterprise teams with 422. If it refuses their list, or the members of one, those teams
//! are left out. The snapshot then counts as one that does not see all teams, and the absence of a team proves nothing.

use std::collections::BTreeSet;

use super::facts::{Claims, TeamFacts};
use super::snapshot::{add_team_people, settled, People, Teams, Unread};
use super::{direct, wire, Github};
use crate::hosts::http::{Trouble, TroubleKind};
use crate::hosts::snapshot::{Gap, GithubPerson, GithubSnapshot, GithubTeam, List, Listed};
use crate::hosts::Seen;
use crate::state::event::Person;
use crate::state::ids::{GithubOrgId, GithubTeamId, GithubUserId, Login};
use crate::text::path_part;

/// The page size of servers that ignore the requested one, which is GitHub's default. A list of this many people or
/// more may be cut there, so it is compared with the team's own count.
const MAY_BE_CUT: usize = 30;

impl Github {
    /// The whole organisation, without addresses; reads each team in a call of its own.
    pub(super) fn snapshot_by_rest(
        &self,
        org: &Login,
        is_last: bool,
    ) -> Result<Option<GithubSnapshot>, Unread> {
        let Some(org) = self.org(org)? else { return Ok(None) };
        let login = path_part(org.login.as_str());
        let listed = self.pages::<wire::TeamRow>(&format!("/orgs/{login}/teams?per_page=100"))?;
        let people = self.pages::<wire::UserRow>(&format!("/orgs/{login}/members?per_page=100"))?;
        let (Some(listed), Some(people)) = (listed, people) else { return Ok(None) };
        let mut read = Teams::default();
        read.gaps.note(List::Teams, listed.gap);
        read.gaps.note(List::People, people.gap);
        let (enterprise, teams): (Vec<_>, Vec<_>) =
            listed.rows.into_iter().partition(wire::TeamRow::is_of_enterprise);
        let teams: Vec<_> = teams.into_iter().map(wire::TeamRow::into_facts).collect();
        let parents: BTreeSet<_> = teams.iter().filter_map(|team| team.parent).collect();
        let mut all: People = people.rows.into_iter().map(person_of_row).collect();
        for team in teams {
            let parent = parents.contains(&team.id);
            let name = format!("{} (`{}`)", team.id, team.slug);
            let Listed { rows, gap } =
                match settled(|is_last| self.team_by_rest((org.id, team.id), &name, parent, is_last))? {
                    Some(listed) => listed,
                    None if is_last => Listed { rows: Vec::new(), gap: Gap::by_nulls(0, 1) },
                    None => return Err(Unread::Shifted(gone(&team))),
                };
            read.gaps.note(List::Members(team.id), gap);
            let members: People = rows.into_iter().map(person_of_row).collect();
            // GraphQL is refused, so its node ids are useless.
            let facts = TeamFacts { node_id: String::new(), ..team };
            read.teams.insert(facts.id, GithubTeam { facts, members: members.keys().copied().collect() });
            for (id, person) in members {
                all.entry(id).or_insert(person);
            }
        }
        let enterprise = enterprise.into_iter().map(wire::TeamRow::into_facts).collect();
        self.add_enterprise_teams(&org.login, Some(Listed { rows: enterprise, gap: None }), &mut read)?;
        add_team_people(&mut all, read.logins, &mut read.gaps);
        // REST does not show whether the token is an owner's, and its lists have no addresses.
        Ok(Some(GithubSnapshot {
            teams: read.teams.into_values().collect(),
            people: all,
            gaps: read.gaps,
            ..GithubSnapshot::default()
        }))
    }

    /// A team's direct members; `None` if the team is gone. `name` is for people.
    pub(super) fn team_by_rest(
        &self,
        (org, team): (GithubOrgId, GithubTeamId),
        name: &str,
        parent: bool,
        is_last: bool,
    ) -> Result<Option<Listed<wire::UserRow>>, Unread> {
        let path = format!("/organizations/{org}/team/{team}");
        let list = format!("{path}/members?per_page=100");
        let Some(mut listed) = self.pages::<wire::UserRow>(&list)? else { return Ok(None) };
        if parent && !listed.rows.iter().all(wire::UserRow::tells_inherited) {
            let why = format!(
                "team {name} has child teams, and this server's REST API does not tell its own members from theirs: \
                 the token needs GraphQL"
            );
            let call = format!("GET {}{list}", self.rest);
            return Err(Unread::Failed(Trouble::of_call(TroubleKind::Never, call, why)));
        }
        if listed.gap.is_none() && listed.rows.len() >= MAY_BE_CUT {
            // Only the team itself contains GitHub's count; the lists do not.
            let counted = self.get::<wire::TeamRow>(path)?.and_then(|row| row.members_count);
            let is_short = counted.is_some_and(|counted| counted > listed.rows.len() as u64);
            let gap = Gap::by_count(listed.rows.len(), counted, 0).filter(|_| is_short);
            listed.gap = self.gap(&List::Members(team), gap, is_last)?;
        }
        listed.rows.retain(|row| !row.is_inherited());
        Ok(Some(listed))
    }

    /// The enterprise teams that are assigned to the organisation; `None` if GitHub refuses to list them.
    pub(super) fn enterprise_teams(&self, org: &Login) -> Seen<Listed<TeamFacts>> {
        let path = format!("/orgs/{}/teams?team_type=enterprise&per_page=100", path_part(org.as_str()));
        let (mut teams, mut nulls) = (Vec::new(), 0);
        let read = self.each_page(&path, |page| {
            nulls += page.nulls;
            let rows = std::mem::take(&mut page.rows);
            // A server that does not know `team_type` lists all teams: reading its other pages is pointless.
            let knows = rows.iter().all(|row: &wire::TeamRow| row.tells_kind() || row.is_of_enterprise());
            let rows = rows.into_iter().filter(wire::TeamRow::is_of_enterprise);
            teams.extend(rows.map(wire::TeamRow::into_facts));
            knows
        });
        let seen = unless_refused(read.map(|seen| seen.then_some(())))?;
        let gap = Gap::by_nulls(teams.len(), nulls);
        Ok(seen.map(|()| Listed { rows: teams, gap }))
    }

    /// Adds the enterprise teams that `teams` lacks, with their members. If GitHub refuses a part of that,
    /// `sees_secret` is cleared, so that no team counts as deleted.
    pub(super) fn add_enterprise_teams(
        &self,
        org: &Login,
        listed: Option<Listed<TeamFacts>>,
        teams: &mut Teams,
    ) -> Result<(), Trouble> {
        let Some(listed) = listed else {
            log::info!(
                "GitHub does not list the enterprise teams of `{org}`, so no team is treated as deleted"
            );
            teams.sees_secret = false;
            return Ok(());
        };
        teams.gaps.note(List::EnterpriseTeams, listed.gap);
        for facts in listed.rows {
            if teams.teams.contains_key(&facts.id) {
                continue;
            }
            let Some(members) = self.enterprise_members(org, &facts)? else {
                let slug = crate::text::Quoted(facts.slug.as_str());
                log::info!(
                    "GitHub does not show the members of enterprise team {slug}, so no team is treated as deleted"
                );
                teams.sees_secret = false;
                continue;
            };
            teams.gaps.note(List::Members(facts.id), members.gap);
            let ids: BTreeSet<GithubUserId> = members.rows.iter().map(|person| person.id).collect();
            teams.logins.extend(members.rows.into_iter().map(|person| (person.id, person.login)));
            // GraphQL does not show this team, so its node id is useless.
            let facts = TeamFacts { node_id: String::new(), ..facts };
            teams.teams.insert(facts.id, GithubTeam { facts, members: ids.into_iter().collect() });
        }
        Ok(())
    }

    fn enterprise_members(&self, org: &Login, team: &TeamFacts) -> Seen<Listed<Person>> {
        let slug = path_part(team.slug.as_str());
        let path = format!("/orgs/{}/teams/{slug}/members?per_page=100", path_part(org.as_str()));
        Ok(unless_refused(self.pages::<wire::UserRow>(&path))?.map(|listed| listed.map(direct)))
    }
}

/// Returns `None` also if GitHub refuses this one call.
fn unless_refused<T>(read: Seen<T>) -> Seen<T> {
    match read {
        Err(trouble) if trouble.is_for_good() => Ok(None),
        read => read,
    }
}

fn gone(team: &TeamFacts) -> Trouble {
    let why = format!("team {} (`{}`) was gone while its members were read", team.id, team.slug);
    Trouble::of_call(TroubleKind::Unknown, "team".into(), why)
}

fn person_of_row(row: wire::UserRow) -> (GithubUserId, GithubPerson) {
    let person = row.into_person();
    (person.id, GithubPerson { login: person.login, bot: person.bot, claims: Claims::default() })
}
