//! What must hold after each step, and of both sides at the end; each rule has a name.

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sentry_team_sync::parts::{for_team, GithubSlug, GithubTeamId, State};

use super::mail;
use super::network::MOST_CALLS;
use super::org::FOREIGN;
use super::play::{Done, Sequence, LEGACY_NAME, STRANGER};
use super::profile::{LONG_REST, REST_AT_REST};
use super::shown::Shown;
use super::sides::Truth;
use crate::standin::{Call, Comparison, Delivery, GithubTeamView};

/// All of them.
pub const ALL: [&str; 25] = [
    "nothing_panics",
    "no_lock_is_held_across_a_seam",
    "only_what_is_described_is_asked",
    "it_comes_to_an_end",
    "no_2xx_is_lost",
    "a_pause_writes_nothing",
    "nothing_is_written_before_the_first_approval",
    "a_hold_is_not_carried_out_unasked",
    "an_adopted_team_is_not_deleted_unasked",
    "an_unbound_team_is_never_touched",
    "no_link_of_others_is_touched",
    "unknown_is_never_removed",
    "no_call_is_harmful",
    "nothing_is_written_twice_that_harms",
    "at_rest_both_sides_agree",
    "nothing_is_left",
    "the_mode_is_what_github_says",
    "no_intent_is_left_open",
    "rest_is_rest",
    "what_is_kept_stays_small",
    "calls_stay_in_budget",
    "damage_is_told",
    "damage_removes_nothing_unasked",
    "a_state_of_the_future_is_left_alone",
    "each_write_is_explained",
];

/// A rule that was broken, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub rule: &'static str,
    pub what: String,
}

impl Failure {
    pub fn new(rule: &'static str, what: String) -> Self {
        assert!(ALL.contains(&rule), "`{rule}` is none of the rules");
        Self { rule, what }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

/// So long nothing happens at the end, but for comparisons.
const REST: Duration = Duration::from_secs(1800);
/// That is enough where they come each minute.
const REST_OF_MINUTES: Duration = Duration::from_secs(130);
/// So many bytes the journal may take after years of an organisation this small.
const JOURNAL_OF_YEARS: usize = 64 << 10;
/// `SYNC_AUDIT_KEEP` is 400 days: no more months than that touches.
const MONTHS: usize = 15;
/// So many calls are too many for that.
const CALLS_AT_REST: u64 = 40;

pub fn holds(is_so: bool, rule: &'static str, what: impl FnOnce() -> String) -> Done {
    if is_so {
        Ok(())
    } else {
        Err(Failure::new(rule, what()))
    }
}

impl Sequence {
    /// What must be so at every moment.
    pub fn check_step(&mut self) -> Done {
        self.look_at_mail();
        let panics = self.stage.heard.panics();
        holds(panics.is_empty(), "nothing_panics", || panics.join("\n"))?;
        let calls = self.stage.links.calls();
        holds(calls <= MOST_CALLS, "calls_stay_in_budget", || format!("{calls} calls"))?;
        let faults = self.stage.baton.faults();
        holds(faults.is_empty(), "no_lock_is_held_across_a_seam", || faults.join("\n"))?;
        for wire in [&self.sides.github.wire, &self.sides.sentry.wire] {
            let asked = wire.take_undescribed();
            holds(asked.is_empty(), "only_what_is_described_is_asked", || asked.join("\n"))?;
        }
        self.check_foreign()?;
        self.check_links_of_others()?;
        self.check_before_approval()?;
        self.check_what_is_rotten()?;
        self.check_what_is_unseen()?;
        if let Some(mark) = self.paused_at {
            let written = self.sides.writes_since(mark);
            holds(written.is_empty(), "a_pause_writes_nothing", || format!("{written:?}"))?;
        }
        Ok(())
    }

    /// Whatever was answered with a 2xx is known to the process that begins after a death.
    pub fn check_nothing_is_lost(&mut self) -> Done {
        let Some(process) = self.process.clone() else { return Ok(()) };
        let keys: Vec<_> = self.taken.iter().map(mail::key).collect();
        let known = self.stage.spawn(move || {
            let is_lost = |state: &State, n: usize| state.deliveries.known(keys[n]).is_none();
            process.mirror().state(|state| (0..keys.len()).filter(|n| is_lost(state, *n)).collect::<Vec<_>>())
        });
        let lost = known.wait().unwrap_or_default();
        let names = || lost.iter().map(|n| mail::name(&self.taken[*n])).collect::<Vec<_>>();
        // What a disk has forgotten is not the program's to know.
        holds(lost.is_empty() || self.rotten.is_some(), "no_2xx_is_lost", || names().join("\n"))
    }

    /// What was there before the mirror is not deleted because it is no longer to be seen.
    pub fn check_before_approval(&mut self) -> Done {
        if self.tally.approved > 0 {
            return Ok(());
        }
        for team in &self.owners {
            let there = self.sides.sentry.team_of_id(*team).is_some();
            holds(there, "a_hold_is_not_carried_out_unasked", || {
                format!("team {team} owns a project and was deleted")
            })?;
        }
        let Some((github, sentry)) = self.legacy else { return Ok(()) };
        let is_told = |delivery: &Delivery| {
            let payload = delivery.payload();
            let ended = delivery.action.as_deref() == Some("deleted") || payload["team"]["deleted"] == true;
            ended && payload["team"]["id"] == github
        };
        let there = self.sides.sentry.team_of_id(sentry).is_some()
            || self.sent.iter().chain(&self.missed).any(is_told);
        holds(there, "an_adopted_team_is_not_deleted_unasked", || format!("team {sentry}"))
    }

    /// Both sides are equal, nothing is left to decide, and nothing harmful was done.
    pub fn check(&mut self) -> Done {
        self.check_step()?;
        let differences = self.differences();
        holds(differences.is_empty(), "at_rest_both_sides_agree", || differences.join("\n"))?;
        let Some(Shown { holds: held, failed, mode: shown, .. }) = self.status() else {
            return Err(Failure::new("nothing_is_left", "the process tells nothing of itself".into()));
        };
        let is_left = !held.is_empty() || failed > 0;
        holds(!is_left, "nothing_is_left", || format!("{} held, {failed} failed", held.len()))?;
        self.check_nothing_is_lost()?;
        self.check_visitors()?;
        self.check_calls()?;
        self.check_log()?;
        let (mode, other) = match self.profile.truth {
            Truth::Github => ("read", "mode: payload"),
            Truth::Deliveries => ("payload", "mode: read"),
        };
        // Nothing but GitHub's own word says what its token may do, at no time.
        holds(!self.has_said(other), "the_mode_is_what_github_says", || other.into())?;
        // Without a delivery, nobody has said whose teams these are.
        let is_unknown = shown.is_none() && self.taken.is_empty() && self.profile.truth == Truth::Deliveries;
        self.check_rest()?;
        self.check_intents()?;
        let is_right = is_unknown || shown.as_deref() == Some(mode);
        holds(is_right, "the_mode_is_what_github_says", || format!("{shown:?}"))
    }

    /// Nothing that was begun is still to be looked at.
    fn check_intents(&mut self) -> Done {
        let Some(process) = self.process.clone() else { return Ok(()) };
        let teams: Vec<_> = self.org.ever.iter().copied().map(GithubTeamId).collect();
        let open = self.stage.spawn(move || {
            let open = |state: &State| {
                let open = teams.iter().filter(|team| state.teams.intent(**team).is_some());
                open.map(ToString::to_string).collect::<Vec<_>>()
            };
            process.mirror().state(open)
        });
        let open = open.wait().unwrap_or_default();
        holds(open.is_empty(), "no_intent_is_left_open", || format!("teams {open:?}"))
    }

    /// While nothing happens, nothing is written, and but for comparisons hardly anything is asked.
    fn check_rest(&mut self) -> Done {
        // What is on its way still comes to its end.
        let of_minutes = self.profile.interval == "1m";
        let (rest, looks) = if of_minutes { (REST_OF_MINUTES, LONG_REST) } else { (REST, REST_AT_REST) };
        self.stage.least_rest.store(looks, Ordering::Relaxed);
        self.pass(rest);
        let (mark, calls) = (self.sides.sentry.wire.mark(), self.stage.links.calls());
        self.pass(rest);
        let mut written = self.sides.writes_since(mark);
        // Of a deleted team's link the disk has forgotten whose it is: each comparison asks for it, and is shown that row.
        written.retain(|call| self.rotten.is_none() || !call.ends_with("/external-teams/ 200"));
        holds(written.is_empty(), "rest_is_rest", || format!("{written:?}"))?;
        let asked = self.stage.links.calls() - calls;
        holds(self.profile.interval != "off" || asked < CALLS_AT_REST, "rest_is_rest", || {
            format!("{asked} calls")
        })
    }

    /// Neither the journal nor the audit log grows with the years.
    pub fn check_what_is_kept(&self) -> Done {
        let files = self.stage.disk.all();
        let of =
            |part: &'static str| files.iter().filter(move |(path, _)| path.to_string_lossy().contains(part));
        // The reserve is as large as the disk allows, always.
        let journal = of("/journal/").filter(|(path, _)| !path.ends_with("reserve"));
        let size: usize = journal.map(|(_, bytes)| bytes.len()).sum();
        let months: Vec<_> = of("/audit/").collect();
        let is_small = size <= JOURNAL_OF_YEARS && months.len() <= MONTHS;
        holds(is_small, "what_is_kept_stays_small", || {
            format!("journal {size} bytes, {} months of audit", months.len())
        })
    }

    /// What differs, apart from what is nobody's business.
    pub fn differences(&self) -> Vec<String> {
        let adopted = self.legacy.and_then(|(_, sentry)| self.sides.sentry.team_of_id(sentry));
        let own_name = adopted.map(|(slug, _)| format!("team {slug}: named"));
        let slug = |team: &GithubTeamView| Some(self.sentry_slug(team));
        let all = Comparison::new(&self.sides.github, &self.sides.sentry, |login| {
            self.org.address(&self.sides, login)
        });
        let all = if self.profile.child_members { all.with_child_members() } else { all };
        let all = all.slugs(slug).ignoring_team(FOREIGN).ignoring_person(STRANGER).differences();
        // Brought back after an end that was none, it has the name again that it was found with.
        let kept = format!("named `{LEGACY_NAME}` in Sentry");
        // A team that waited for a person's word is called by its slug where its name was told by a delivery that is over.
        let is_nameless = !self.refused.is_empty() && self.profile.truth == Truth::Deliveries;
        let is_named_by_slug = |line: &String| {
            let told = line.strip_prefix("team ").and_then(|rest| rest.split_once(": "));
            told.is_some_and(|(slug, what)| what.starts_with(&format!("named `{slug}` in Sentry")))
        };
        let is_own = |line: &String| {
            line.contains(&kept)
                || own_name.as_ref().is_some_and(|own| line.starts_with(own))
                || is_nameless && is_named_by_slug(line)
                // Of whom the disk has forgotten that GitHub once showed them nothing can be said, and a team that it has
                // forgotten and that is adopted keeps its name.
                || self.rotten.is_some() && (line.ends_with("in Sentry only") || line.contains(": named `"))
        };
        all.into_iter().filter(|line| !is_own(line)).chain(self.unlinked()).collect()
    }

    /// The slug that a team of GitHub's has in Sentry.
    pub fn sentry_slug(&self, team: &GithubTeamView) -> String {
        for_team(&GithubSlug::from(team.slug.as_str()), GithubTeamId(team.id), "").to_string()
    }

    /// What is foreign is as it was.
    fn check_foreign(&self) -> Done {
        let rule = "an_unbound_team_is_never_touched";
        let Some((slug, view)) = self.sides.sentry.team_of_id(self.foreign) else {
            return Err(Failure::new(rule, "it is gone".into()));
        };
        let as_it_was = slug == FOREIGN && view.name == "Foreign" && view.members == [STRANGER];
        holds(as_it_was || self.has_taken_over_what_is_foreign(), rule, || format!("{slug} {view:?}"))
    }

    /// An older GitHub team whose own Sentry team the disk has forgotten takes over the one with its slug.
    fn has_taken_over_what_is_foreign(&self) -> bool {
        self.rotten.is_some() && self.has_said("adopted Sentry team `foreign`")
    }

    /// Whoever was put into a team by hand is in it, if it is there.
    fn check_visitors(&self) -> Done {
        for team in &self.visited {
            if let Some((slug, view)) = self.sides.sentry.team_of_id(*team) {
                let there = view.members.iter().any(|member| member == STRANGER);
                holds(there, "unknown_is_never_removed", || format!("the stranger of `{slug}`"))?;
            }
        }
        Ok(())
    }

    /// No call was harmful, whatever came of it.
    fn check_calls(&self) -> Done {
        // Whoever was put into a team that had taken another one's slug in that moment is taken back.
        let lines = self.stage.heard.lines();
        let taken_back = |member: &u64| {
            let told = format!("taking member {member} back");
            lines.iter().any(|line| line.ends_with(&told))
        };
        let steady = self.org.people.iter().filter(|person| self.org.is_steady(&person.address));
        let never: Vec<_> = steady
            .map(|person| &person.address)
            .filter_map(|address| self.sides.sentry.member_id(address))
            .chain([self.stranger])
            .filter(|member| !taken_back(member))
            .map(|member| format!("/members/{member}/teams/"))
            .collect();
        let calls = self.sides.sentry.wire.calls();
        for call in calls.iter().filter(|call| call.method != "GET") {
            let foreign = call.path.contains("/foreign/") && !self.has_taken_over_what_is_foreign();
            let removal = call.method == "DELETE" && never.iter().any(|part| call.path.contains(part));
            // Where people of child teams count, whoever never leaves a team leaves those above it as that is moved.
            // Where a team was kept, or held for a week, that another one then took over, a person has let its people go.
            // So it is where the disk has forgotten whose team it was, and somebody has approved a takeover.
            let is_forgotten = self.rotten.is_some() && self.tally.approved > 0;
            let taken_over = !self.refused.is_empty() || self.tally.expired > 0 || is_forgotten;
            let removal = removal && !self.profile.child_members && !taken_over;
            holds(!foreign && !removal, "no_call_is_harmful", || format!("{} {}", call.method, call.path))?;
        }
        let before = 1 + usize::from(self.legacy.is_some());
        let made = self.sides.sentry.n_teams_ever() - before;
        // What was announced, or what a person let happen while a list was short, may have been carried out, and undone.
        let announced = self.announced_and_sent() + self.approved_deletions;
        let most = self.org.ever.len() + announced + self.refused.len();
        // Of a team that the disk has forgotten, and a person renamed, nobody knows any more whose it is.
        let rule = "nothing_is_written_twice_that_harms";
        let told = || format!("{made} teams were made for {most}");
        holds(made <= most || self.rotten.is_some(), rule, told)?;
        let ends =
            |call: &&Call| call.route == "DELETE /teams/{org}/{slug}/" && (200..300).contains(&call.status);
        let ended = calls.iter().filter(ends).count();
        let most = self.org.deleted.len() + announced;
        holds(ended <= most || self.rotten.is_some(), rule, || {
            format!("{ended} teams were deleted for {most}")
        })
    }

    /// How often somebody was told of an end that never was.
    fn announced_and_sent(&self) -> usize {
        let told = |sent: &&Delivery| self.announced.iter().any(|told| told.guid == sent.guid);
        self.sent.iter().chain(&self.missed).filter(told).count()
    }
}
