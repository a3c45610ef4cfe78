//! Which rows of Sentry's external teams are the mirror's: what CODEOWNERS calls its teams.
//!
//! A row is the mirror's if it was made by it, or was found as it should be. Nothing else may ever be changed or taken away,
//! whatever its name is.

use crate::state::ids::{ExternalTeamId, GithubTeamId, OwnerName};

/// The rows, sorted by team; of each, the name that it had when last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links(Vec<(GithubTeamId, ExternalTeamId, OwnerName)>);

impl Links {
    /// The rows of a team. More than one for a moment only, when teams take over each other's names.
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

    /// Whether a team was about to be given this name when that was last known: a row of its own that has the name by now was
    /// made so by the mirror.
    pub fn is_meant(&self, team: GithubTeamId, name: &OwnerName) -> bool {
        self.has(team, ExternalTeamId::NONE, name)
    }

    /// The team that a row was made for; `None` if it is not the mirror's.
    pub fn owner(&self, row: ExternalTeamId) -> Option<GithubTeamId> {
        self.rows().find(|(_, known, _)| *known == row).map(|(team, ..)| team)
    }

    /// All rows, by team.
    pub fn rows(&self) -> impl Iterator<Item = (GithubTeamId, ExternalTeamId, &OwnerName)> {
        self.iter().filter(|(_, row, _)| *row != ExternalTeamId::NONE)
    }

    /// The same, and what is meant to be one.
    pub fn iter(&self) -> impl Iterator<Item = (GithubTeamId, ExternalTeamId, &OwnerName)> {
        self.0.iter().map(|(team, row, name)| (*team, *row, name))
    }

    pub(super) fn learn(&mut self, team: GithubTeamId, row: ExternalTeamId, name: OwnerName) {
        // With the row itself, what was meant has come true; a team is given one name at a time.
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
