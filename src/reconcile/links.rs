//! What a comparison learns of CODEOWNERS links: which rows are the mirror's, and which are not any more.

use std::collections::{HashMap, HashSet};

use super::plan::Plan;
use super::read::Both;
use crate::hosts::sentry::external::{ExternalTeam, Integration};
use crate::reconcile::reconciler::Reconciler;
use crate::state::links::Links;
use crate::state::record::Record;
use crate::state::State;
use crate::work::link_step::is_ours;

/// What the mirror itself has linked since it began to read is newer than what it has read. `before`: the rows that were its
/// own when it began; `with`: what those that were made since were made with.
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
    /// Rows that are as they should be are the mirror's from now on. Those that are gone are not, nor are those that are
    /// otherwise than when they were last seen, unless the mirror itself has begun that.
    pub(super) fn note_links(&self, plan: &Plan, both: &Both, before: &Links) {
        let (Some(links), Some(rows)) = (&plan.links, &both.sentry.links) else { return };
        let known = self.mirror.state(|state| state.teams.links.clone());
        for (team, row) in links.rows.iter().filter(|(team, row)| !known.has(*team, row.id, &row.name)) {
            let (team, row, name) = (*team, row.id, row.name.clone());
            self.mirror.journal.note(Record::Linked { team, row, name });
        }
        let rows: HashMap<_, _> = rows.iter().map(|row| (row.id, row)).collect();
        let read: HashSet<_> = both.sentry.teams.iter().map(|team| team.id).collect();
        // What was said of a row since is newer.
        for (team, id, name) in before.rows().filter(|(team, id, name)| known.has(*team, *id, name)) {
            let record = self.mirror.state(|state| {
                let binding = state.teams.binding(team)?;
                let Some(row) = rows.get(&id) else {
                    // A row is with its team, or nowhere: if that was read.
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
