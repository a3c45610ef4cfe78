//! Reads who is in Sentry's teams, for a comparison: through SCIM groups where they can be read, a hundred teams per
//! call; otherwise with one call or more for each team that has members.
//!
//! Groups also contain people whom Sentry's lists don't show, such as deactivated ones. Only people in the
//! organisation's member list count. Teams missing from the groups are read one by one; groups never prove an absence.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::scim::{By, Why};
use super::Progress;
use crate::hosts::http::several::several_at_once;
use crate::hosts::http::Trouble;
use crate::hosts::sentry::scim::{Groups, Told, A_PAGE};
use crate::hosts::sentry::{Member, Team};
use crate::hosts::snapshot::SentrySnapshot;
use crate::reconcile::reconciler::Reconciler;
use crate::state::ids::{MemberId, SentryTeamId};
use crate::state::values::Binding;
use crate::state::State;

type InTeam = HashMap<SentryTeamId, Vec<MemberId>>;

impl Reconciler {
    /// Who is in each of the teams. A team that can't be found is left out: a 404 doesn't mean an empty team.
    pub(super) fn read_in_team(
        &self,
        teams: &[Team],
        sentry: &SentrySnapshot,
        progress: Progress,
    ) -> Result<(InTeam, By), Trouble> {
        let (mut in_team, by) = match self.read_groups(teams, sentry) {
            Ok(groups) => (of_members(teams, groups, &sentry.members), By::Groups),
            Err(why) => (InTeam::new(), By::Teams(why)),
        };
        self.scim.tell(&by);
        let rest: Vec<_> = teams.iter().filter(|team| !in_team.contains_key(&team.id)).collect();
        in_team.extend(self.read_team_by_team(&rest, progress)?);
        Ok((in_team, by))
    }

    /// All groups, if they can be read and that saves calls. On any error, the caller reads team by team.
    fn read_groups(&self, teams: &[Team], sentry: &SentrySnapshot) -> Result<Groups, Why> {
        let most = teams.iter().map(calls_for).sum::<usize>().saturating_sub(1);
        let pages = if sentry.listed { sentry.teams.len().div_ceil(A_PAGE).max(1) } else { 1 };
        if pages > most {
            return Err(Why::Few);
        }
        let now = self.mirror.clock.now();
        if self.scim.is_off(now) {
            return Err(Why::Off);
        }
        let told = self.mirror.sentry.groups(most).map_err(|trouble| Why::Failed(trouble.to_string()))?;
        self.scim.learn(!matches!(told, Told::Off), now);
        match told {
            Told::All(groups) => Ok(groups),
            Told::Off => Err(Why::Off),
            Told::TooMany => Err(Why::Few),
        }
    }

    /// A team that was renamed after the listing is read under its new slug.
    fn read_team_by_team(&self, teams: &[&Team], progress: Progress) -> Result<InTeam, Trouble> {
        let n_read = AtomicUsize::new(0);
        let read = several_at_once(teams, |team| {
            let n = n_read.fetch_add(1, Ordering::Relaxed) + 1;
            if n.is_multiple_of(100) {
                progress(&format!("reading who is in Sentry's teams: {n} of {}", teams.len()));
            }
            if calls_for(team) == 0 {
                return Ok(Some(Vec::new()));
            }
            let members = self.mirror.sentry.team_member_ids(team.at())?;
            // If the service has renamed this team meanwhile, the old slug may belong to another team now.
            let has_slug = |binding: &Binding| binding.slug == team.slug;
            let is_it = |state: &State| state.teams.binding_of_sentry(team.id).is_none_or(has_slug);
            if members.is_some() && self.mirror.state(is_it) {
                return Ok(members);
            }
            match self.mirror.sentry.find(team.at())? {
                Some(now) => self.mirror.sentry.team_member_ids(now.at()),
                None => Ok(None),
            }
        })?;
        let read = teams.iter().zip(read).filter_map(|(team, members)| Some((team.id, members?)));
        Ok(read.collect())
    }
}

/// How many calls it takes to read the team's members without SCIM. Sentry's count includes deactivated people, so only
/// a count of zero is certain.
fn calls_for(team: &Team) -> usize {
    let n = team.member_count.map_or(1, |n| usize::try_from(n).unwrap_or(usize::MAX));
    n.div_ceil(A_PAGE)
}

/// The members of these teams by their groups, limited to the member list, in no more memory than needed.
fn of_members(teams: &[Team], mut groups: Groups, members: &[Member]) -> InTeam {
    let members: HashSet<_> = members.iter().map(|member| member.id).collect();
    let one = |team: &Team| {
        let mut ids = groups.remove(&team.id)?;
        ids.retain(|id| members.contains(id));
        ids.shrink_to_fit();
        Some((team.id, ids))
    };
    teams.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_team_costs_a_call_for_each_hundred_people_and_one_if_nobody_has_counted_them() {
        let team = |member_count| Team {
            id: SentryTeamId(1),
            slug: "a".into(),
            name: "A".into(),
            member_count,
            locked: false,
            projects: None,
        };
        let calls = [Some(0), Some(1), Some(100), Some(101), None].map(|n| calls_for(&team(n)));
        assert_eq!(calls, [0, 1, 1, 2, 1]);
    }
}
