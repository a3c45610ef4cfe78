//! Whether an account is in a team or in the organisation. GitHub takes a login here, but a login is not the account:
//! people rename themselves, a suspended account's login becomes a hash, and somebody else may take a login that was
//! given up. So a "no" counts only for the login that the account's id has now.

use serde_json::json;

use super::{queries, wire, Github};
use crate::hosts::http::Trouble;
use crate::hosts::Seen;
use crate::state::event::Person;
use crate::state::ids::{GithubOrgId, GithubTeamId, Login};
use crate::text::path_part;

impl Github {
    /// Whether a person is in a team or in one of its child teams. A pending invitation is a no.
    pub fn is_member(&self, org: GithubOrgId, team: GithubTeamId, person: &Person) -> Result<bool, Trouble> {
        self.is_active(person, |login| format!("/organizations/{org}/team/{team}/memberships/{login}"))
    }

    /// Whether a person is in the organisation, directly or through an enterprise team.
    pub fn is_in_org(&self, org: &Login, person: &Person) -> Result<bool, Trouble> {
        let org = path_part(org.as_str());
        self.is_active(person, |login| format!("/orgs/{org}/memberships/{login}"))
    }

    fn is_active(&self, person: &Person, path: impl Fn(&str) -> String) -> Result<bool, Trouble> {
        let by_login = |login: &Login| -> Result<bool, Trouble> {
            let row: Option<wire::MembershipRow> = self.get(path(&path_part(login.as_str())))?;
            Ok(row.is_some_and(|row| row.is_active_of(person.id)))
        };
        if by_login(&person.login)? {
            return Ok(true);
        }
        match self.login_now(person)? {
            Some(login) => by_login(&login),
            None => Ok(false),
        }
    }

    /// The teams that a person is in; `None` if the organisation is not visible.
    pub fn teams_of(&self, org: &Login, person: &Person) -> Seen<Vec<GithubTeamId>> {
        let by_login = |login: &Login| -> Seen<Vec<GithubTeamId>> {
            let vars = json!({ "org": org, "login": login });
            // Nobody is removed by this list alone, so nulls are dropped: a comparison or a single look covers them.
            let id = |team: wire::TeamIdNode| team.database_id;
            let teams = self.connection(queries::TEAMS_OF, vars, "/organization/teams", |_| true, id)?;
            Ok(teams.map(|teams| teams.rows))
        };
        let teams = by_login(&person.login)?;
        match teams.as_ref().is_some_and(Vec::is_empty).then(|| self.login_now(person)).transpose()? {
            Some(Some(login)) => by_login(&login),
            _ => Ok(teams),
        }
    }

    /// The account's login now, if it differs from the given one; `None` also if the account is gone.
    fn login_now(&self, person: &Person) -> Seen<Login> {
        let profile = self.profile_by_id(person.id)?;
        let now = profile.map(|profile| profile.person.login);
        Ok(now.filter(|login| !login.is(person.login.as_str())))
    }
}
