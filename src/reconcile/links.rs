//! Records what a comparison learns about CODEOWNERS links: which rows in Sentry belong to the service, or no longer
//! do.

use std::collections::{HashMap, HashSet};

use super::plan::Plan;
use super::read::Both;
use crate::hosts::sentry::external::{ExternalTeam, Integration};
use crate::reconcile::reconciler::Reconciler;
use crate::state::links::Links;
use crate::state::record::Record;
use crate::state::State;
use crate::work::link_step::is_ours;

/// Links that the service has made since the reading began are newer than what was read. `before`: its own rows when
/// the reading began; `with`: the integration that newer rows were made with.
pub(super) fn follow_own(
    rows: &mut Vec<ExternalTeam>,
    before: &Links,
    state: &State,
    with: Option<&Integration>,
) {
    for (team, id, name) in state.teams.links.rows().filter(|(team, id, name)| !before.has(*team, *id, name))
    {
        let Some(binding) = state.teams.binding(team) else { continue };
        let (name, team) = (name.clone(), binding.sentry);
        match (rows.iter_mut().find(|row| row.id == id), with) {
            (Some(row), _) => (row.name, row.team) = (name, team),
            (None, Some(with)) => {
                let (provider, integration) = (with.provider.clone(), Some(with.id));
                rows.push(ExternalTeam { id, name, team, provider, integration });
            }
            (None, None) => {}
        }
    }
}

impl Reconciler {
    /// Rows that are as they should be belong to the service from now on. Rows that are gone no longer do, nor do rows
    /// that have changed since they were last seen, unless the service made the change.
    pub(super) fn note_links(&self, plan: &Plan, both: &Both, before: &Links) {
        let (Some(links), Some(rows)) = (&plan.links, &both.sentry.links) else { return };
        let known = self.mirror.state(|state| state.teams.links.clone());
        for (team, row) in links.rows.iter().filter(|(team, row)| !known.has(*team, row.id, &row.name)) {
            let (team, row, name) = (*team, row.id, row.name.clone());
            self.mirror.journal.note(Record::Linked { team, row, name });
        }
        let rows: HashMap<_, _> = rows.iter().map(|row| (row.id, row)).collect();
        let read: HashSet<_> = both.sentry.teams.iter().map(|team| team.id).collect();
        // A record that was written since the reading began is newer than the reading, so it's left alone.
        for (team, id, name) in before.rows().filter(|(team, id, name)| known.has(*team, *id, name)) {
            let record = self.mirror.state(|state| {
                let binding = state.teams.binding(team)?;
                let Some(row) = rows.get(&id) else {
                    // Sentry lists a row with its team, so the row is gone only if that team was read.
                    return read.contains(&binding.sentry).then_some(Record::Unlinked { row: id });
                };
                let now = state.teams.of_sentry(row.team).filter(|_| is_ours(state, row));
                (row.name != *name || row.team != binding.sentry).then_some(match now {
                    Some(team) => Record::Linked { team, row: id, name: row.name.clone() },
                    None => Record::Unlinked { row: id },
                })
            });
            if let Some(record) = record {
                log::info!("team {team}: its link in CODEOWNERS, `{name}`, was changed in Sentry");
                self.mirror.journal.note(record);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::ids::{
        ExternalTeamId, GithubTeamId, IntegrationId, OwnerName, SentrySlug, SentryTeamId,
    };
    use crate::state::values::{Binding, Origin};

    #[test]
    fn what_the_mirror_has_linked_meanwhile_is_newer_than_what_was_read() {
        let (team, crew) = (GithubTeamId(1), SentryTeamId(11));
        let mut state = State::default();
        let (slug, name) = (SentrySlug::from("crew"), "Crew".into());
        let binding = Binding { sentry: crew, slug, name, origin: Origin::Created };
        state.apply(Record::Bound { team, binding });
        let linked =
            |row, name: &str| Record::Linked { team, row: ExternalTeamId(row), name: OwnerName::from(name) };
        state.apply(linked(5, "@acme/kept"));
        let before = state.teams.links.clone();
        state.apply(linked(6, "@acme/renamed"));
        state.apply(linked(7, "@acme/made"));
        let row = |id, name: &str, team| ExternalTeam {
            id: ExternalTeamId(id),
            name: OwnerName::from(name),
            team: SentryTeamId(team),
            provider: "github".into(),
            integration: Some(IntegrationId(3)),
        };
        // A row that was the service's before the reading counts as read, even if somebody has changed it since.
        let read = [row(5, "@acme/by-hand", 12), row(6, "@acme/old", 12), row(8, "@acme/other", 13)];
        let with =
            Integration { id: IntegrationId(3), domain: "github.com/acme".into(), provider: "github".into() };
        let mut rows = read.to_vec();
        follow_own(&mut rows, &before, &state, Some(&with));
        let renamed = row(6, "@acme/renamed", 11);
        let made = row(7, "@acme/made", 11);
        assert_eq!(rows, [read[0].clone(), renamed.clone(), read[2].clone(), made]);
        // Without a known integration, rows that were not read can't be filled in.
        let mut rows = read.to_vec();
        follow_own(&mut rows, &before, &state, None);
        assert_eq!(rows, [read[0].clone(), renamed, read[2].clone()]);
    }
}
