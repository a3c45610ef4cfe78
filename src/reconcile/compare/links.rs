//! Compares the CODEOWNERS names that Sentry links to a team with what they should be.

use super::{Index, Sides};
use crate::hosts::sentry::external::ExternalTeam;
use crate::hosts::snapshot::GithubTeam;
use crate::reconcile::plan::{LinkPlan, LinkWay, Step};
use crate::state::ids::{GithubTeamId, OwnerName, SentryTeamId};
use crate::work::link_step::{self, LinkStep};

/// All rows, sorted by name and by team for lookups.
#[derive(Default)]
pub(super) struct Rows<'a> {
    by_name: Vec<&'a ExternalTeam>,
    by_team: Vec<&'a ExternalTeam>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(sides: &'a Sides) -> Self {
        let mut by_name: Vec<_> = sides.sentry.links.iter().flatten().collect();
        let mut by_team = by_name.clone();
        by_name.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        by_team.sort_by_key(|row| (row.team, row.id));
        Self { by_name, by_team }
    }

    /// The rows with this name, and the rows of this team.
    fn about(&self, name: &OwnerName, team: SentryTeamId) -> Vec<&'a ExternalTeam> {
        let first = self.by_name.partition_point(|row| row.name < *name);
        let named = self.by_name.iter().skip(first).take_while(|row| row.name == *name);
        let first = self.by_team.partition_point(|row| row.team < team);
        let own = self.by_team.iter().skip(first).take_while(|row| row.team == team);
        named.chain(own.filter(|row| row.name != *name)).copied().collect()
    }
}

impl Index<'_> {
    /// The change to the name of a team that has a Sentry team or gets one. If nothing is to be done, its row.
    pub(super) fn link(
        &self,
        team: &GithubTeam,
        sentry: Option<SentryTeamId>,
    ) -> (Option<LinkPlan>, Option<(GithubTeamId, ExternalTeam)>) {
        let name = OwnerName::of(self.sides.org, &team.facts.slug);
        let Some(name) = name.filter(|_| self.sides.sentry.links.is_some()) else { return (None, None) };
        // A team that is still to be created has no row yet.
        let place = sentry.unwrap_or(SentryTeamId(u64::MAX));
        let rows = self.rows.about(&name, place);
        let way = match link_step::step(self.sides.state, &name, place, &rows) {
            LinkStep::Keep(row) => return (None, Some((team.facts.id, row.clone()))),
            LinkStep::Conflict(row) => LinkWay::Conflict { sentry: row.team },
            LinkStep::Make => LinkWay::Link,
            LinkStep::Rename(row) => LinkWay::Relink { from: row.name.to_string() },
            LinkStep::Take(row) => LinkWay::Relink { from: format!("Sentry team {}", row.team) },
        };
        if self.sides.sentry.links_barred.is_some() && !matches!(way, LinkWay::Conflict { .. }) {
            return (None, None);
        }
        let rows = rows.into_iter().cloned().collect();
        (Some(LinkPlan { name, way, held: None, slug: team.facts.slug.clone(), rows }), None)
    }

    /// The change to the name of a deleted team whose Sentry team is kept, but emptied.
    pub(super) fn unlink(&self, team: GithubTeamId, step: &Step) -> Option<LinkPlan> {
        let ours = |(_, name): (_, &OwnerName)| name.clone();
        let name = self.sides.state.teams.links.of(team).map(ours).next();
        let name = name.filter(|_| self.sides.settings.links && matches!(step, Step::Empty { .. }))?;
        Some(LinkPlan { name, way: LinkWay::Unlink, held: None, slug: "".into(), rows: Vec::new() })
    }
}
