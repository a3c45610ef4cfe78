//! Which rows of Sentry's external teams are the mirror's: what CODEOWNERS calls its teams.
//!
//! A row is the mirror's if it was made by it, or was found as it should be. Nothing else may ever be changed or taken away,
//! whatever its name is.

use std::collections::{BTreeMap, HashMap};

use crate::state::ids::{ExternalTeamId, GithubTeamId, OwnerName};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    by_team: BTreeMap<(GithubTeamId, ExternalTeamId), OwnerName>,
    by_row: HashMap<ExternalTeamId, GithubTeamId>,
}

impl Links {
    /// The rows of a team, with the names that they had when last seen. More than one for a moment only, when teams take
    /// over each other's names.
    pub fn of(&self, team: GithubTeamId) -> impl Iterator<Item = (ExternalTeamId, &OwnerName)> {
        let all = (team, ExternalTeamId(1))..=(team, ExternalTeamId(u64::MAX));
        self.by_team.range(all).map(|((_, row), name)| (*row, name))
    }

    /// Whether a team was about to be given this name when that was last known: a row of its own that has the name by now was
    /// made so by the mirror.
    pub fn is_meant(&self, team: GithubTeamId, name: &OwnerName) -> bool {
        self.by_team.get(&(team, ExternalTeamId::NONE)) == Some(name)
    }

    /// The team that a row was made for; `None` if it is not the mirror's.
    pub fn owner(&self, row: ExternalTeamId) -> Option<GithubTeamId> {
        self.by_row.get(&row).copied()
    }

    pub fn len(&self) -> usize {
        self.by_row.len()
    }

    /// All rows, by team, and what is meant to be one.
    pub fn iter(&self) -> impl Iterator<Item = (GithubTeamId, ExternalTeamId, &OwnerName)> {
        self.by_team.iter().map(|((team, row), name)| (*team, *row, name))
    }

    pub(super) fn learn(&mut self, team: GithubTeamId, row: ExternalTeamId, name: OwnerName) {
        // With the row itself, what was meant has come true.
        self.by_team.remove(&(team, ExternalTeamId::NONE));
        if row != ExternalTeamId::NONE {
            self.forget(row);
            self.by_row.insert(row, team);
        }
        self.by_team.insert((team, row), name);
    }

    pub(super) fn forget(&mut self, row: ExternalTeamId) {
        if let Some(team) = self.by_row.remove(&row) {
            self.by_team.remove(&(team, row));
        }
    }

    pub(super) fn forget_team(&mut self, team: GithubTeamId) {
        let rows: Vec<_> = self.of(team).map(|(row, _)| row).collect();
        rows.into_iter().for_each(|row| self.forget(row));
        self.by_team.remove(&(team, ExternalTeamId::NONE));
    }
}
