//! One team's job: finds out what is wanted and what exists, then handles the team itself, then its people.

use std::time::Duration;

use super::batch::TeamBatch;
use super::bind::{self, How, Wish};
use super::{all, each, Ended, SECOND_LOOK};
use crate::hosts::github::facts::TeamFacts;
use crate::queue::job::{Ask, Hint, LaneKey, Origin, Outcome, Own};
use crate::queue::part::WantedTeam;
use crate::state::event::Event;
use crate::state::ids::{GithubSlug, GithubTeamId};
use crate::state::record::Record;
use crate::state::values::{Binding, Mode};
use crate::state::{slug, Org};
use crate::work::apply::Apply;
use crate::work::mirror::Mirror;
use crate::work::team_job::{Stop, TeamJob};
use crate::work::{come_back, end, link, members, nameless};

/// When to look again at a team that GitHub does not show: each wait follows the look before it.
const NOT_VISIBLE: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(15), Duration::from_secs(60)];

/// When to read a team's people again, if that failed after the team was made or adopted.
const FILL_AGAIN: Duration = Duration::from_secs(1);

/// A bound team that is getting its wanted name.
struct Shape {
    binding: Binding,
    how: How,
    /// The reason why it cannot have its wanted name yet.
    stuck: Option<Outcome>,
    /// Its slug on GitHub, if that is known.
    on_github: Option<GithubSlug>,
    /// GitHub shows another name than the latest rename event gave: one of its replicas lags.
    is_behind: bool,
}

pub fn run(mirror: &Mirror, team: GithubTeamId, hints: Vec<Hint>, org: Org, mode: Mode) -> Ended {
    let job = TeamJob { mirror, team, org, mode };
    for parent in hints.iter().filter_map(|hint| hint.team_ref()?.parent) {
        mirror.team_moved(mirror.tree.learn_parent(team, parent));
    }
    job.tell_those_above(&hints);
    let (mut over, mut hints) = (Ended::default(), hints);
    if job.fate().is_some() && !end::is_decided(&job) {
        (over, hints) = job.after_the_end(hints);
        if hints.is_empty() {
            return over;
        }
    }
    let folded = mirror.state(|state| TeamBatch::new(hints, state.teams.news(team)));
    let mut ended = job.work(folded);
    ended.results.extend(over.results);
    ended
}

impl TeamJob<'_> {
    /// If the members of child teams count, a person whom an event adds to a team or removes from it has to be looked
    /// at in the teams above it too.
    fn tell_those_above(&self, hints: &[Hint]) {
        if self.mode != Mode::Read || !self.mirror.settings().child_members {
            return;
        }
        for hint in hints.iter().filter(|hint| hint.delivery().is_some()) {
            let Some((person, change, _)) = hint.member() else { continue };
            for above in self.mirror.tree.above(self.team) {
                let ask = Ask::Member { person: person.clone(), change, sure: false };
                self.mirror.queue.lanes.add(
                    LaneKey::Team(above),
                    Hint::new(hint.seq, Origin::Own(Own::ChildTeam), ask, self.mirror.clock.now()),
                );
            }
        }
    }

    fn work(&self, mut folded: TeamBatch) -> Ended {
        let mut ended = Ended::default();
        let Some(cause) = folded.cause().cloned() else { return ended };
        for (hint, by) in std::mem::take(&mut folded.superseded) {
            ended
                .results
                .push((hint, Outcome::Superseded(format!("superseded by a newer delivery (no. {by})"))));
        }
        if end::is_due(self, &folded) {
            // A deletion that has a slug says more than one without.
            let telling = folded.ended.iter().find(|hint| hint.slug().is_some());
            let outcome =
                end::run(self, telling.or(folded.ended.first()), "decision", folded.ended.is_empty());
            let over = matches!(outcome, end::End::Over(_));
            ended.results.extend(folded.ended.drain(..).map(|hint| (hint, outcome.for_the_deletion())));
            if over {
                let rest = folded.team.into_iter().chain(folded.members.into_values());
                ended.results.extend(rest.map(|hint| (hint, outcome.for_others())));
                return ended;
            }
        }
        if self.mode == Mode::Payload && end::is_held(self) {
            let over = Outcome::Done("the team is deleted; its deletion in Sentry is on hold".into());
            let hints = folded.team.into_iter().chain(folded.members.into_values());
            ended.results.extend(all(hints.collect(), &over).results);
            return ended;
        }
        match self.bring(&folded, &cause) {
            Ok(shape) => self.people(folded, shape, &cause, &mut ended),
            Err(stop) => self.stopped(folded, stop, &mut ended),
        }
        ended
    }

    /// Makes sure that the team exists and is bound. It then has its wanted name, or is stuck on the way to it.
    fn bring(&self, folded: &TeamBatch, cause: &Hint) -> Result<Shape, Stop> {
        let apply = self.apply(cause);
        let how = bind::resolve_and_go_on(self, &apply)?;
        let wish = match self.mode {
            Mode::Read => self.wish_of_github(folded)?,
            Mode::Payload => self.wish_of_deliveries(folded)?,
        };
        let on_github = wish.as_ref().and_then(|wish| wish.on_github.clone());
        let is_behind = wish.as_ref().is_some_and(|wish| is_behind(folded, wish));
        let ensured = match wish {
            Some(wish) => bind::ensure(self, &apply, &wish, how, None),
            None => self
                .binding()
                .map(|binding| (binding, how))
                .ok_or_else(|| Outcome::Later("the team's match in Sentry has just changed".into(), None)),
        };
        match ensured {
            Ok((binding, how)) => {
                bind::release_adoptions(self);
                let on_github = on_github.or_else(|| self.slug_of_deliveries(folded, &binding, how));
                Ok(Shape { binding, how, stuck: None, on_github, is_behind })
            }
            Err(outcome) => self.stuck(outcome, on_github),
        }
    }

    /// Payload mode: the team's slug on GitHub, from an event, or from the Sentry team that was just adopted by its
    /// slug. Only a slug that leads to the bound team counts: an old event may have an old one.
    fn slug_of_deliveries(&self, folded: &TeamBatch, binding: &Binding, how: How) -> Option<GithubSlug> {
        let is_its_own = |slug: &GithubSlug| self.sentry_slug(slug) == binding.slug;
        let told = folded.slug().cloned().filter(is_its_own);
        let taken = || {
            let slug = slug::on_github(&binding.slug, &self.mirror.settings().slug_prefix);
            (how == How::Adopted && is_its_own(&slug)).then_some(slug)
        };
        told.or_else(taken).filter(|_| self.mode == Mode::Payload)
    }

    /// If a team's new name has to wait, its people are kept up to date under the old one, unless it is uncertain which
    /// name the team has.
    fn stuck(&self, outcome: Outcome, on_github: Option<GithubSlug>) -> Result<Shape, Stop> {
        let certain = self.mirror.state(|state| state.teams.intent(self.team).is_none());
        match self.binding() {
            Some(binding) if certain && self.mirror.paused_for().is_none() => {
                let (how, stuck) = (How::Known, Some(outcome));
                Ok(Shape { binding, how, stuck, on_github, is_behind: false })
            }
            _ => Err(outcome.into()),
        }
    }

    /// The team as GitHub shows it; `None` if that need not be read: most events are about people, not their team.
    fn wish_of_github(&self, folded: &TeamBatch) -> Result<Option<Wish>, Stop> {
        let known = self.binding().filter(|binding| !slug::is_temporary(&binding.slug, binding.sentry));
        if known.is_some() && !folded.asks_for_team() {
            self.wanted_by_filter(folded.slug(), known.as_ref())?;
            return Ok(None);
        }
        let Some(facts) = self.truth().facts()? else { return Err(Stop::NotVisible) };
        self.wanted_by_filter(Some(&facts.slug), None)?;
        Ok(Some(self.wish(folded, facts)))
    }

    fn wish(&self, folded: &TeamBatch, facts: TeamFacts) -> Wish {
        let renamed = folded.renamed();
        let slug = self.sentry_slug(&facts.slug);
        let older = self.mirror.state(|state| state.is_older_team(self.team, facts.created_at));
        let name = renamed.is_some().then(|| slug::display_name(&facts.name, &slug));
        Wish {
            before: renamed.and_then(|named| named.before).map(|before| self.sentry_slug(&before)),
            full_name: facts.name,
            on_github: Some(facts.slug),
            team: WantedTeam { slug, name, adoptable: older },
        }
    }

    /// The team as the deliveries describe it; `None` if they say nothing new.
    fn wish_of_deliveries(&self, folded: &TeamBatch) -> Result<Option<Wish>, Stop> {
        let binding = self.binding();
        self.wanted_by_filter(folded.slug(), binding.as_ref())?;
        let named = if binding.is_some() { folded.renamed() } else { folded.first_name() };
        let Some(named) = named else {
            return match (binding, self.disputed_adoption()) {
                (Some(_), _) => Ok(None),
                (None, Some(wish)) => Ok(Some(wish)),
                (None, None) if folded.is_our_own() => {
                    Err(Outcome::Done("the team is unknown".into()).into())
                }
                (None, None) => {
                    Err(Outcome::Waiting("no event has named the slug of this team yet".into()).into())
                }
            };
        };
        let slug = self.sentry_slug(&named.slug);
        let born = self.mirror.state(|state| state.teams.news(self.team).is_some_and(|news| news.born));
        let name = named.before.is_some().then(|| slug::display_name(&named.name, &slug));
        Ok(Some(Wish {
            before: named.before.map(|before| self.sentry_slug(&before)),
            full_name: named.name.into(),
            on_github: Some(named.slug),
            team: WantedTeam { slug, name, adoptable: !born },
        }))
    }

    /// The slug of a Sentry team whose adoption waits for approval or was approved. No event has to name it again.
    fn disputed_adoption(&self) -> Option<Wish> {
        let slug = self.mirror.state(|state| state.holds.disputed_slug(self.team).cloned())?;
        let full_name = slug.to_string();
        let team = WantedTeam { slug, name: None, adoptable: false };
        Some(Wish { team, full_name, before: None, on_github: None })
    }

    fn wanted_by_filter(&self, told: Option<&GithubSlug>, binding: Option<&Binding>) -> Result<(), Stop> {
        if self.is_left_out(told, binding) {
            Err(Outcome::Done("the team is left out by SYNC_TEAMS".into()).into())
        } else {
            Ok(())
        }
    }

    fn people(&self, folded: TeamBatch, shape: Shape, cause: &Hint, ended: &mut Ended) {
        let Shape { binding, how, stuck, on_github, is_behind } = shape;
        let note = match how {
            How::Known => format!("team `{}` is as it should be", binding.slug),
            How::Created => format!("created team `{}`", binding.slug),
            How::Adopted => format!("adopted team `{}`", binding.slug),
            How::Renamed => format!("renamed the team to `{}`", binding.slug),
        };
        let unfilled = self.mirror.state(|state| state.teams.is_unfilled(self.team));
        let everybody = unfilled || folded.asks_for_everybody();
        let fill = || {
            come_back::give_back(self, &self.apply(cause))?;
            members::fill(self, &binding, how, &folded, cause)
        };
        let outcome = match everybody.then(fill) {
            Some(Ok(filled)) => {
                if unfilled {
                    self.mirror.journal.note(Record::Fill { team: self.team, open: false });
                }
                Outcome::Done(filled.map_or(note.clone(), |filled| format!("{note}; {filled}")))
            }
            None => Outcome::Done(note),
            Some(Err(outcome)) => {
                // Even if no hint comes again, the team is still unfilled on disk. This look follows soon.
                self.mirror.queue.ask_later(LaneKey::Team(self.team), Own::FillTeam, Ask::Team, FILL_AGAIN);
                outcome
            }
        };
        // Only a first try waits for other teams.
        let patient = folded.team.iter().all(|hint| hint.tries == 0);
        let linked = on_github
            .map(|slug| link::follow(self, &self.apply(cause), &binding, &slug, patient, None).map(drop));
        let outcome = match (stuck.unwrap_or(outcome), linked) {
            (Outcome::Done(_), Some(Err(later))) => later,
            (outcome, _) => outcome,
        };
        ended.results.extend(folded.team.into_iter().map(|hint| {
            let outcome = match &outcome {
                Outcome::Done(_) if is_behind && hint.looks == 0 && is_rename(&hint) => shows_another_name(),
                // Everybody whom GitHub shows is added by now. If somebody left, they are still to be found.
                Outcome::Done(note) if nameless::is_it(&hint) => {
                    nameless::look(self.mirror, &hint, self.mode).after(note)
                }
                outcome => outcome.clone(),
            };
            (hint, outcome)
        }));
        ended.results.extend(members::run(self, &binding, folded.members.into_values().collect()));
    }

    fn stopped(&self, folded: TeamBatch, stop: Stop, ended: &mut Ended) {
        let told = folded.renamed().map(|named| self.sentry_slug(&named.slug));
        let hints = folded.team.into_iter().chain(folded.members.into_values());
        match stop {
            Stop::With(outcome) => {
                if matches!(outcome, Outcome::Later(..)) {
                    ended.pause = Some(Duration::ZERO);
                }
                // An adoption under another name than the latest rename's: GitHub may lag.
                let held = || self.mirror.state(|state| state.holds.disputed_slug(self.team).cloned());
                let is_behind = matches!(outcome, Outcome::Held(..))
                    && told.is_some_and(|told| held().is_some_and(|slug| slug != told));
                ended.results.extend(hints.map(|hint| {
                    let is_early = is_behind && hint.looks == 0 && is_rename(&hint);
                    let outcome = if is_early { shows_another_name() } else { outcome.clone() };
                    (hint, outcome)
                }));
            }
            Stop::NotVisible => {
                ended.results.extend(each(hints, |hint| Some(self.not_visible(hint))).results);
            }
        }
    }

    /// GitHub does not show the team: its replicas may lag, the token may not see it, or it was deleted and that event
    /// is on the way. This alone never removes anything. A token that has lost its permission sees no team at all,
    /// which is reported at once.
    pub fn not_visible(&self, hint: &Hint) -> Outcome {
        if let Err(outcome) = self.mirror.check_permission(&self.org) {
            return outcome;
        }
        if let Some(wait) = NOT_VISIBLE.get(usize::from(hint.looks)) {
            return Outcome::LookAgain("GitHub does not show the team".into(), *wait);
        }
        let apply = self.apply(hint);
        let given_up = bind::give_up_making(self, &apply).and_then(|()| self.give_up_slug(&apply, hint));
        if let Err(outcome) = given_up {
            return outcome;
        }
        log::warn!(
            "team {}: not visible to {}; nothing is removed",
            self.team,
            self.mirror.github_token.who()
        );
        Outcome::Done("not visible: GitHub does not show the team to this token; nothing was changed".into())
    }

    /// Another team wants the slug of one that GitHub does not show. If that team isn't in Sentry either, its slug is
    /// free: a person may have rejected its deletion, and deleted it in Sentry later.
    fn give_up_slug(&self, apply: &Apply, hint: &Hint) -> Result<(), Outcome> {
        match hint.origin {
            Origin::Own(Own::SlugIsWanted) => bind::look_for_it(self, apply),
            _ => Ok(()),
        }
    }

    /// Handles hints of a team whose end was recorded. A deletion with a slug may still find a Sentry team by it. In
    /// read mode, other hints make the service ask GitHub: if it shows the team again, they are returned to work on.
    fn after_the_end(&self, hints: Vec<Hint>) -> (Ended, Vec<Hint>) {
        let (deletions, others): (Vec<_>, Vec<_>) =
            hints.into_iter().partition(|hint| matches!(hint.event(), Some(Event::TeamDeleted { .. })));
        let mut ended = Ended::default();
        if !deletions.is_empty() {
            // It may have come back and ended again: a replica that lags still shows it.
            self.mirror.queue.hear_end(self.team);
        }
        for hint in deletions {
            let outcome = end::by_slug(self, &hint, hint.slug());
            ended.results.push((hint, outcome));
        }
        let is_over = Outcome::Done("the team is deleted".into());
        let outcome = match others.first().filter(|_| self.mode == Mode::Read) {
            Some(cause) => match come_back::run(self, &self.apply(cause)) {
                Ok(true) => return (ended, others),
                Ok(false) => is_over,
                Err(outcome) => outcome,
            },
            None => is_over,
        };
        ended.results.extend(all(others, &outcome).results);
        (ended, Vec::new())
    }
}

fn is_rename(hint: &Hint) -> bool {
    matches!(hint.event(), Some(Event::TeamEdited { slug_before: Some(_), .. }))
}

fn shows_another_name() -> Outcome {
    Outcome::LookAgain("GitHub shows another name".into(), SECOND_LOOK)
}

/// Whether GitHub shows another name than the latest rename event gave. It may lag by one rename, or by several.
fn is_behind(folded: &TeamBatch, wish: &Wish) -> bool {
    folded.renamed().is_some_and(|named| wish.on_github.is_some() && *named.name != *wish.full_name)
}
