//! What CODEOWNERS calls a team, beside what it should.

use std::collections::HashMap;

use super::{Index, Sides};
use crate::hosts::sentry::external::ExternalTeam;
use crate::hosts::snapshot::GithubTeam;
use crate::reconcile::plan::{LinkPlan, LinkWay, Step};
use crate::state::ids::{GithubTeamId, OwnerName, SentryTeamId};
use crate::work::link_step::{self, LinkStep};

/// The rows by what they are looked up by.
#[derive(Default)]
pub(super) struct Rows<'a> {
    by_name: HashMap<&'a OwnerName, Vec<&'a ExternalTeam>>,
    by_team: HashMap<SentryTeamId, Vec<&'a ExternalTeam>>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(sides: &'a Sides) -> Self {
        let mut rows = Self::default();
        for row in sides.sentry.links.iter().flatten() {
            rows.by_name.entry(&row.name).or_default().push(row);
            rows.by_team.entry(row.team).or_default().push(row);
        }
        rows
    }

    /// Those of this name, and those of this team.
    fn about(&self, name: &OwnerName, team: Option<SentryTeamId>) -> Vec<&'a ExternalTeam> {
        let named = self.by_name.get(name).into_iter().flatten();
        let own = team.and_then(|team| self.by_team.get(&team)).into_iter().flatten();
        named.chain(own.filter(|row| row.name != *name)).copied().collect()
    }
}

impl Index<'_> {
    /// What is to be done about the name of a team that has a Sentry team, or gets one; and the row, if nothing is.
    pub(super) fn link(
        &self,
        team: &GithubTeam,
        sentry: Option<SentryTeamId>,
    ) -> (Option<LinkPlan>, Option<(GithubTeamId, ExternalTeam)>) {
        let name = OwnerName::of(self.sides.org, &team.facts.slug);
        let Some(name) = name.filter(|_| self.sides.sentry.links.is_some()) else { return (None, None) };
        let rows = self.rows.about(&name, sentry);
        // A team that is only to be made has no row yet.
        let place = sentry.unwrap_or(SentryTeamId(u64::MAX));
        let way = match link_step::step(self.sides.state, &name, place, rows.iter().copied()) {
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

    /// What becomes of the name of a deleted team whose Sentry team stays without its people.
    pub(super) fn unlink(&self, team: GithubTeamId, step: &Step) -> Option<LinkPlan> {
        let ours = |(_, name): (_, &OwnerName)| name.clone();
        let name = self.sides.state.teams.links.of(team).map(ours).next();
        let name = name.filter(|_| self.sides.settings.links && matches!(step, Step::Empty { .. }))?;
        Some(LinkPlan { name, way: LinkWay::Unlink, held: None, slug: "".into(), rows: Vec::new() })
    }
}
