//! External teams: CODEOWNERS' names for Sentry's teams. Only [`crate::work::apply`] may make the calls that write.
//!
//! Sentry's rules: creating a row is get-or-create, so a 200 may return another team's row, with its team. Rows come
//! with teams and have no GET. A change through a team's address moves the row to that team. A name is unique in a team
//! on 23.7.1, today in the organisation. A plan without code owners looks like a missing permission.

use std::cell::RefCell;

use serde_json::{json, Value};

use super::external::{ExternalTeam, Integration, OwnersOf};
use super::ids::TeamAt;
use super::permit::Permit;
use super::{parsed, wire, written, Answered, Sentry, Team};
use crate::hosts::http::asked::Asked;
use crate::hosts::http::pace::Method;
use crate::hosts::http::verdict::Verdict;
use crate::hosts::http::{Request, Trouble};
use crate::hosts::{unless_denied, Seen};
use crate::state::ids::{ExternalTeamId, OwnerName, SentrySlug, SentryTeamId};

/// The result of linking a name to a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerLinked {
    /// The row with its team, which is not always the requested one.
    Row(ExternalTeam),
    /// Another row has the name.
    Taken,
    /// The team, the row or both do not exist.
    Missing,
}

impl Sentry {
    /// All teams with their rows; `None` where the token may not list them, which needs *Organization: Read*.
    pub fn teams_with_links(&self) -> Seen<(Vec<Team>, Vec<ExternalTeam>)> {
        self.linked_teams("detailed=1")
    }

    /// The rows of all teams that have any; `None` where the token may not list them.
    pub fn links(&self) -> Seen<Vec<ExternalTeam>> {
        Ok(self.linked_teams("detailed=1&query=hasExternalTeams%3Atrue")?.map(|(_, links)| links))
    }

    fn linked_teams(&self, query: &str) -> Seen<(Vec<Team>, Vec<ExternalTeam>)> {
        let path = self.org_path(&format!("teams/?{query}&per_page=100"));
        let links = RefCell::new(Vec::new());
        let read = |row: wire::TeamRow| {
            let (rows, team) = row.into_linked()?;
            links.borrow_mut().extend(self.of_our_github(rows));
            Some(team)
        };
        let teams = unless_denied(self.pages(&path, read))?;
        Ok(teams.map(|teams| (teams, links.take())))
    }

    /// A team with its rows.
    pub fn team_with_links(&self, at: TeamAt) -> Seen<(Team, Vec<ExternalTeam>)> {
        Ok(self.with_links(&self.key(at))?.filter(|(team, _)| team.id == at.id))
    }

    /// The same by slug, whichever team has that slug.
    pub fn team_of_slug_with_links(&self, slug: &SentrySlug) -> Seen<(Team, Vec<ExternalTeam>)> {
        self.with_links(slug.as_str())
    }

    fn with_links(&self, key: &str) -> Seen<(Team, Vec<ExternalTeam>)> {
        let path = self.team_path(key) + "?collapse=organization&expand=externalTeams";
        let Some(row) = self.get::<wire::TeamRow>(path.clone())? else { return Ok(None) };
        let (rows, team) = row.into_linked().ok_or_else(|| Trouble::unreadable(&path))?;
        Ok(Some((team, self.of_our_github(rows))))
    }

    /// Drops the other GitHub's rows: a name on an Enterprise Server is not the same name on github.com.
    fn of_our_github(&self, mut rows: Vec<ExternalTeam>) -> Vec<ExternalTeam> {
        rows.retain(|row| Some(&*row.provider) != self.other_github);
        rows
    }

    /// The organisation's integrations with GitHub; others, which older servers list too, are dropped. `None` if the
    /// token may not list them, or the host has no such list, like the hosts of sentry.io's regions.
    pub fn integrations(&self) -> Seen<Vec<Integration>> {
        let path = self.org_path("integrations/?providerKey=github&includeConfig=0");
        let reply = self.host.ask(Asked::Sentry, &Request::get(path));
        match reply.verdict {
            Verdict::Done => {
                let (rows, _): (Value, _) = parsed(reply)?;
                Ok(Some(rows.as_array().into_iter().flatten().filter_map(wire::integration).collect()))
            }
            Verdict::Missing | Verdict::Nowhere | Verdict::Denied(_) => Ok(None),
            _ => Err(reply.into_trouble()),
        }
    }

    /// What Sentry says about each CODEOWNERS file; `None` if the token may not ask.
    pub fn owners_of_projects(&self) -> Seen<Vec<OwnersOf>> {
        let told: Option<Value> = unless_denied(self.get(self.org_path("codeowners-associations/")))?;
        let Some(told) = told else { return Ok(None) };
        let texts = |value: &Value| -> Vec<String> {
            let all = value.as_array().into_iter().flatten().filter_map(Value::as_str);
            all.map(str::to_string).collect()
        };
        let of = |(project, told): (&String, &Value)| OwnersOf {
            project: project.clone(),
            unknown: texts(&told["errors"]["missing_external_teams"])
                .into_iter()
                .map(OwnerName::from)
                .collect(),
            without_access: texts(&told["errors"]["teams_without_access"]),
        };
        Ok(Some(told.as_object().into_iter().flatten().map(of).collect()))
    }

    /// Links a name to a team. If the name is linked already, returns that row.
    pub fn link_owner(
        &self,
        permit: &Permit,
        at: TeamAt,
        name: &OwnerName,
        with: &Integration,
    ) -> Answered<OwnerLinked> {
        let path = self.team_path(&self.key(at)) + "external-teams/";
        let body = json!({ "external_name": name, "provider": with.provider, "integration_id": with.id.0 });
        self.put_link(permit, Method::Post, path, at.id, body)
    }

    /// Gives a row this name, and moves it to this team.
    pub fn relink_owner(
        &self,
        permit: &Permit,
        at: TeamAt,
        row: &ExternalTeam,
        name: &OwnerName,
    ) -> Answered<OwnerLinked> {
        let path = format!("{}external-teams/{}/", self.team_path(&self.key(at)), row.id);
        let mut body = json!({ "external_name": name, "provider": row.provider });
        if let Some(id) = row.integration {
            body["integration_id"] = id.0.into();
        }
        self.put_link(permit, Method::Put, path, at.id, body)
    }

    fn put_link(
        &self,
        permit: &Permit,
        method: Method,
        path: String,
        team: SentryTeamId,
        body: Value,
    ) -> Answered<OwnerLinked> {
        let reply = self.write(permit, Asked::LinkOwner, method, path, Some(body));
        match reply.verdict {
            Verdict::Done => {
                let row = reply.answer.json().and_then(|row| wire::external_team(&row, Some(team)));
                match row {
                    Some(row) => Ok(written(reply, OwnerLinked::Row(row))),
                    None => Err(reply.into_trouble()),
                }
            }
            Verdict::Taken => Ok(written(reply, OwnerLinked::Taken)),
            Verdict::Missing => Ok(written(reply, OwnerLinked::Missing)),
            _ => Err(reply.into_trouble()),
        }
    }

    /// Deletes a row. Repeating it is harmless.
    pub fn unlink_owner(&self, permit: &Permit, at: TeamAt, row: ExternalTeamId) -> Answered<()> {
        let path = format!("{}external-teams/{row}/", self.team_path(&self.key(at)));
        let reply = self.write(permit, Asked::UnlinkOwner, Method::Delete, path, None);
        match reply.verdict {
            Verdict::Done | Verdict::Missing => Ok(written(reply, ())),
            _ => Err(reply.into_trouble()),
        }
    }
}
