//! Reads both sides, completely or not at all.
//!
//! GitHub and Sentry are read at the same time. Sentry's lists don't show who is in a team, so members are read with
//! several calls at once.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::scim::By;
use super::Progress;
use crate::config::Settings;
use crate::hosts::github::facts::Wanted;
use crate::hosts::http::several::{both, several_at_once};
use crate::hosts::http::{Trouble, TroubleKind};
use crate::hosts::sentry::external::ExternalTeam;
use crate::hosts::sentry::{Member, Team};
use crate::hosts::snapshot::{Gap, GithubSnapshot, List, SentrySnapshot};
use crate::identity::search::Depth;
use crate::identity::Identity;
use crate::reconcile::reconciler::Reconciler;
use crate::state::holds::HeldChange;
use crate::state::ids::{GithubTeamId, GithubUserId, Login, OwnerName, SentrySlug, SentryTeamId};
use crate::state::values::{Binding, Sizes, Source};
use crate::state::{slug, State};

/// Sentry's teams, and the rows that link CODEOWNERS names to them.
type Teams = (Vec<Team>, Vec<ExternalTeam>);

/// Both sides, and who is who.
pub struct Both {
    /// The settings that the reading used. A reload in between takes effect at the next comparison.
    pub settings: Arc<Settings>,
    pub github: GithubSnapshot,
    pub sentry: SentrySnapshot,
    /// How the members of Sentry's teams were read.
    pub by: By,
    /// Who everybody in a GitHub team is in Sentry.
    pub people: BTreeMap<GithubUserId, Identity>,
    /// People of whom too little could be read: their public profile, or the list with their addresses.
    pub unread: BTreeSet<GithubUserId>,
    /// Teams that GitHub has certainly deleted, and that are bound, being created, or waiting for approval to be bound.
    pub deleted: BTreeSet<GithubTeamId>,
    /// A Sentry team could not be found when its members were read, so its members aren't known.
    pub moved: bool,
    /// How much GitHub has, for the guards of this comparison.
    pub sizes: Sizes,
    /// The sizes that the next comparison's reading is checked against.
    pub measure: Sizes,
}

impl Reconciler {
    /// Reads both sides. An organisation that GitHub doesn't show is an error, never an empty one. `depth`: how far to
    /// search for people whom only a search in Sentry finds.
    pub fn read_both(&self, org: &Login, depth: Depth, progress: Progress) -> Result<Both, Trouble> {
        let settings = self.mirror.settings();
        let is_on = |source| settings.identity.contains(&source);
        let wanted = Wanted { saml: is_on(Source::Saml), verified: is_on(Source::Verified) };
        progress("reading GitHub's teams and people, and Sentry's");
        let (github, sentry) = both(|| self.mirror.github.snapshot(org, wanted), || self.read_sentry());
        let mut github = github?.ok_or_else(|| unseen(org))?;
        let (listed, members) = sentry?;
        self.mirror.matcher().learn_members(&members);
        let mut sentry = SentrySnapshot { listed: listed.is_some(), members, ..SentrySnapshot::default() };
        let (teams, has_lost) = match listed {
            Some(teams) => (teams, false),
            None => self.teams_by_slug(&settings, &github)?,
        };
        let mut rows;
        (sentry.teams, rows) = teams;
        if !sentry.listed {
            let mut others = self.mirror.owners.elsewhere(&self.mirror.clock);
            others.retain(|other| rows.iter().all(|row| row.id != other.id));
            rows.extend(others);
        }
        sentry.links = settings.links.then_some(rows);
        sentry.links_barred = self.what_bars_links(&settings, org, &github, sentry.links.as_deref());
        sentry.teams.sort_by(|a, b| a.slug.cmp(&b.slug));
        progress("reading who is in Sentry's teams");
        let teams = self.teams_of_interest(&settings, &github, &sentry);
        let (in_team, by) = self.read_in_team(&teams, &sentry, progress)?;
        sentry.in_team = in_team;
        let moved = has_lost || sentry.in_team.len() < teams.len();
        let deleted = self.read_deleted(&github)?;
        progress("searching Sentry for people whom its list does not show");
        let (people, unread) = self.mirror.matcher().identify_all(&mut github, depth)?;
        sentry.protected = self.mirror.matcher().protected_by_search();
        let shown = shown(&github);
        let last = self.mirror.state(|state| state.last_read.map(|(sizes, _)| sizes));
        let sizes = whole(&github, shown, last);
        // An incomplete reading must not be the measure for the next one.
        let measure = if github.gaps.lists.is_empty() { shown } else { last.unwrap_or(shown) };
        Ok(Both { settings, github, sentry, by, people, unread, deleted, moved, sizes, measure })
    }

    /// All teams, if the token may list them, and everybody in the organisation.
    fn read_sentry(&self) -> Result<(Option<Teams>, Vec<Member>), Trouble> {
        let settings = self.mirror.settings();
        let linked = settings.identity.contains(&Source::Sentry);
        let sentry = &self.mirror.sentry;
        let teams = || {
            if settings.links {
                return sentry.teams_with_links();
            }
            Ok(sentry.teams()?.map(|teams| (teams, Vec::new())))
        };
        let (members, teams) = both(|| self.mirror.read_members(linked), teams);
        let members = members?;
        Ok((teams?, members))
    }

    /// Why missing CODEOWNERS links can't be made, if there is a reason. The reason never stops the comparison.
    fn what_bars_links(
        &self,
        settings: &Settings,
        org: &Login,
        github: &GithubSnapshot,
        rows: Option<&[ExternalTeam]>,
    ) -> Option<String> {
        let rows = rows?;
        let names: HashSet<_> = rows.iter().map(|row| &row.name).collect();
        let mirrored = github.teams.iter().filter(|team| settings.teams.matches(&team.facts.slug));
        let mut wanted = mirrored.filter_map(|team| OwnerName::of(org, &team.facts.slug));
        if wanted.all(|name| names.contains(&name)) {
            return None;
        }
        match self.mirror.integration(org, rows) {
            Ok(_) => self.mirror.owners.barred(&self.mirror.clock),
            Err(trouble) => Some(trouble.to_string()),
        }
    }

    /// Without *Organization: Read*, the service asks for teams by the slugs that they have or should have. The flag
    /// says that a bound team wasn't found because its slug is changing.
    fn teams_by_slug(&self, settings: &Settings, github: &GithubSnapshot) -> Result<(Teams, bool), Trouble> {
        let mut slugs = wanted_slugs(settings, github);
        let bound: Vec<_> = self.mirror.state(|state| {
            let bound = state.teams.bindings();
            slugs.extend(
                bound.map(|(_, binding)| binding).chain(returning(state, github)).map(|was| was.slug.clone()),
            );
            state.teams.bindings().map(|(team, was)| (team, was.sentry, was.slug.clone())).collect()
        });
        let slugs: Vec<_> = slugs.into_iter().collect();
        let sentry = &self.mirror.sentry;
        let found = several_at_once(&slugs, |slug| {
            if settings.links {
                return sentry.team_of_slug_with_links(slug);
            }
            Ok(sentry.team(slug)?.map(|team| (team, Vec::new())))
        })?;
        if found.iter().all(Option::is_none) && !slugs.is_empty() {
            self.mirror.sentry.confirm_organisation()?;
        }
        let (found, rows): (Vec<Team>, Vec<_>) = found.into_iter().flatten().unzip();
        // The service is renaming it: the new slug is recorded by now, or will be in a moment.
        let has_lost = self.mirror.state(|state| {
            bound.iter().any(|(team, sentry, slug)| {
                let has_moved = state.teams.binding(*team).is_some_and(|now| now.slug != *slug);
                (has_moved || state.teams.intent(*team).is_some())
                    && found.iter().all(|team| team.id != *sentry)
            })
        });
        Ok(((found, rows.into_iter().flatten().collect()), has_lost))
    }

    /// The Sentry teams whose members matter: those that follow a GitHub team, or may be taken over by one.
    fn teams_of_interest(
        &self,
        settings: &Settings,
        github: &GithubSnapshot,
        sentry: &SentrySnapshot,
    ) -> Vec<Team> {
        let wanted = wanted_slugs(settings, github);
        let bound: BTreeSet<SentryTeamId> = self.mirror.state(|state| {
            let bound = state.teams.bindings().map(|(_, binding)| binding.sentry);
            bound.chain(returning(state, github).map(|was| was.sentry)).collect()
        });
        let matters = |team: &&Team| bound.contains(&team.id) || wanted.contains(&team.slug);
        sentry.teams.iter().filter(matters).cloned().collect()
    }

    /// Bound teams, teams being created and teams that wait for approval to be bound, if the snapshot doesn't show them
    /// and GitHub no longer has their id. Only a token that sees secret teams can distinguish deleted from invisible.
    fn read_deleted(&self, github: &GithubSnapshot) -> Result<BTreeSet<GithubTeamId>, Trouble> {
        let shown: BTreeSet<_> = github.teams.iter().map(|team| team.facts.id).collect();
        let Some((org, _)) = self.mirror.bearings() else { return Ok(BTreeSet::new()) };
        if !github.sees_secret || github.gaps.lacks_teams() {
            return Ok(BTreeSet::new());
        }
        let absent: BTreeSet<_> = self.mirror.state(|state| {
            let bound = state.teams.bindings().map(|(team, _)| team);
            let bound = bound.chain(state.teams.being_made().map(|(team, _)| team));
            let disputing = state.holds.iter().flat_map(|hold| &hold.changes).filter_map(HeldChange::team);
            let absent = bound.chain(disputing).filter(|team| !shown.contains(team));
            // A team that only another account's token has shown may be invisible to this one.
            absent.filter(|team| state.teams.was_shown(*team)).collect()
        });
        let absent: Vec<_> = absent.into_iter().collect();
        let found = several_at_once(&absent, |team| self.mirror.github.team(org.id, *team))?;
        Ok(absent.into_iter().zip(found).filter(|(_, facts)| facts.is_none()).map(|(team, _)| team).collect())
    }
}

/// The former bindings of teams that were recorded as ended, but that GitHub shows.
fn returning<'a>(state: &'a State, github: &'a GithubSnapshot) -> impl Iterator<Item = &'a Binding> {
    github.teams.iter().filter_map(|team| state.teams.gone(team.facts.id)?.was.as_ref())
}

/// The slugs that the mirrored teams should have in Sentry.
pub fn wanted_slugs(settings: &Settings, github: &GithubSnapshot) -> BTreeSet<SentrySlug> {
    let mirrored = github.teams.iter().filter(|team| settings.teams.matches(&team.facts.slug));
    mirrored.map(|team| slug::for_team(&team.facts.slug, team.facts.id, &settings.slug_prefix)).collect()
}

fn shown(github: &GithubSnapshot) -> Sizes {
    // A hash set, because a sorted set would first build a list of all memberships.
    let people: HashSet<_> = github.teams.iter().flat_map(|team| &team.members).collect();
    Sizes {
        teams: github.teams.len(),
        people: people.len(),
        memberships: github.teams.iter().map(|team| team.members.len()).sum(),
    }
}

/// How much GitHub has. An incomplete list counts with the number that GitHub gives for it. Anything uncounted is taken
/// to be as large as the last time, so that it doesn't look like a short reading.
fn whole(github: &GithubSnapshot, shown: Sizes, last: Option<Sizes>) -> Sizes {
    let gaps = &github.gaps;
    if gaps.lists.is_empty() {
        return shown;
    }
    let missing = |gap: &Gap, shown: usize| gap.whole().saturating_sub(shown);
    let in_teams = github.teams.iter().filter_map(|team| {
        let gap = gaps.of_team(team.facts.id)?;
        Some(missing(&gap, team.members.len()))
    });
    let teams = gaps.lists.get(&List::Teams).map_or(0, |gap| missing(gap, shown.teams));
    let last = last.unwrap_or_default();
    let unseen = if gaps.lacks_teams() { last } else { Sizes::default() };
    Sizes {
        teams: (shown.teams + teams).max(unseen.teams),
        people: shown.people.max(last.people),
        memberships: (shown.memberships + in_teams.sum::<usize>()).max(unseen.memberships),
    }
}

fn unseen(org: &Login) -> Trouble {
    let why = format!("GitHub does not show the organisation `{org}`");
    Trouble::of_call(TroubleKind::Unknown, "comparison".into(), why)
}
