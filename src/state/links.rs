//! Which rows of Sentry's external teams are the mirror's. Each row maps a CODEOWNERS team name to a Sentry team.
//!
//! A row is the mirror's if the mirror made it, or found it correct. No other row may ever be changed or removed,
//! whatever its name.

use crate::state::ids::{ExternalTeamId, GithubTeamId, OwnerName};

/// The rows, sorted by team, each with the name that it had when last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links(Vec<(GithubTeamId, ExternalTeamId, OwnerName)>);

impl Links {
    /// The rows of a team. There is more than one only briefly, while teams take over each other's names.
    pub fn of(&self, team: GithubTeamId) -> impl Iterator<Item = (ExternalTeamId, &OwnerName)> {
        self.all_of(team).filter(|(row, _)| *row != ExternalTeamId::NONE)
    }

    fn all_of(&self, team: GithubTeamId) -> impl Iterator<Item = (ExternalTeamId, &OwnerName)> {
        let first = self.0.partition_point(|(of, ..)| *of < team);
        let rest = self.0.get(first..).unwrap_or_default();
        rest.iter().take_while(move |(of, ..)| *of == team).map(|(_, row, name)| (*row, name))
    }

    /// Whether a team has this row, under this name.
    pub fn has(&self, team: GithubTeamId, row: ExternalTeamId, name: &OwnerName) -> bool {
        self.all_of(team).any(|(known, called)| known == row && called == name)
    }

    /// Whether the mirror was about to give the team this name. If it was, a row of this team that has the name by now
    /// got it from the mirror.
    pub fn is_meant(&self, team: GithubTeamId, name: &OwnerName) -> bool {
        self.has(team, ExternalTeamId::NONE, name)
    }

    /// The team that a row was made for; `None` if the row is not the mirror's.
    pub fn owner(&self, row: ExternalTeamId) -> Option<GithubTeamId> {
        self.rows().find(|(_, known, _)| *known == row).map(|(team, ..)| team)
    }

    /// All rows, by team.
    pub fn rows(&self) -> impl Iterator<Item = (GithubTeamId, ExternalTeamId, &OwnerName)> {
        self.iter().filter(|(_, row, _)| *row != ExternalTeamId::NONE)
    }

    /// The same, with the names that are only about to be given.
    pub fn iter(&self) -> impl Iterator<Item = (GithubTeamId, ExternalTeamId, &OwnerName)> {
        self.0.iter().map(|(team, row, name)| (*team, *row, name))
    }

    pub(super) fn learn(&mut self, team: GithubTeamId, row: ExternalTeamId, name: OwnerName) {
        // A known row replaces the intention to make it. A team is given one name at a time.
        let is_new = row == ExternalTeamId::NONE;
        self.0.retain(|(of, known, called)| {
            let was_meant = *of == team && *known == ExternalTeamId::NONE && (is_new || *called == name);
            !was_meant && (*known != row || is_new)
        });
        let at = self.0.partition_point(|(of, known, _)| (*of, *known) < (team, row));
        self.0.insert(at, (team, row, name));
    }

    pub(super) fn forget(&mut self, row: ExternalTeamId) {
        self.0.retain(|(_, known, _)| *known != row);
    }

    pub(super) fn forget_team(&mut self, team: GithubTeamId) {
        self.0.retain(|(of, ..)| *of != team);
    }
}
