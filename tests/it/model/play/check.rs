//! What must be true of a sequence: of both sides at its end, and of every call on the way.

use sentry_team_sync::parts::{for_team, GithubSlug, GithubTeamId};

use super::{Sequence, LEGACY_NAME, STRANGER};
use crate::model::org::FOREIGN;
use crate::standin::{Call, Comparison, Delivery, GithubTeamView};
use crate::world::Truth;

impl Sequence {
    /// What was there before the mirror is not deleted because it is no longer to be seen.
    pub(super) fn check_before_approval(&self) {
        if self.tally.approved > 0 {
            return;
        }
        for team in &self.owners {
            let there = self.world.sentry.team_of_id(*team).is_some();
            assert!(there, "team {team} owns a project and was deleted: {}", self.context());
        }
        let Some((github, sentry)) = self.legacy else { return };
        let told = self.sent.iter().chain(&self.missed).any(|delivery| {
            let payload = delivery.payload();
            let ended = delivery.action.as_deref() == Some("deleted") || payload["team"]["deleted"] == true;
            ended && payload["team"]["id"] == github
        });
        if !told {
            let there = self.world.sentry.team_of_id(sentry).is_some();
            assert!(there, "a team that was only adopted was deleted: {}", self.context());
        }
    }

    /// Both sides are equal, nothing is left to decide, and nothing harmful was done.
    pub(super) fn check(&self) {
        let differences = self.differences();
        assert!(differences.is_empty(), "{differences:#?}: {}", self.context());
        let status = self.world.status();
        let held: Vec<_> = status["holds"].as_array().into_iter().flatten().collect();
        assert!(held.is_empty() && status["failed"] == 0, "held or failed: {}", self.context());
        self.check_strangers();
        self.check_calls();
        self.check_mode();
    }

    /// What differs, apart from what is nobody's business.
    pub(super) fn differences(&self) -> Vec<String> {
        let adopted = self.legacy.and_then(|(_, sentry)| self.world.sentry.team_of_id(sentry));
        let own_name = adopted.map(|(slug, _)| format!("team {slug}: named"));
        let slug = |team: &GithubTeamView| {
            let slug = for_team(&GithubSlug::from(team.slug.as_str()), GithubTeamId(team.id), "");
            Some(slug.to_string())
        };
        let all = Comparison::new(&self.world.github, &self.world.sentry, |login| {
            self.org.address(&self.world, login)
        });
        let all = all.slugs(slug).ignoring_team(FOREIGN).ignoring_person(STRANGER).differences();
        // Brought back after an end that was none, it has the name again that it was found with.
        let kept = format!("named `{LEGACY_NAME}` in Sentry");
        let is_own = |line: &String| {
            line.contains(&kept) || own_name.as_ref().is_some_and(|own| line.starts_with(own))
        };
        all.into_iter().filter(|line| !is_own(line)).collect()
    }

    /// Whoever was put into a team by hand is in it, if it is there; and what is foreign is as it was.
    fn check_strangers(&self) {
        for team in &self.visited {
            if let Some((slug, view)) = self.world.sentry.team_of_id(*team) {
                let there = view.members.iter().any(|member| member == STRANGER);
                assert!(there, "the stranger was taken out of `{slug}`: {}", self.context());
            }
        }
        let (slug, view) = self.world.sentry.team_of_id(self.foreign).expect("it is still there");
        assert_eq!((slug.as_str(), view.name.as_str()), (FOREIGN, "Foreign"), "{}", self.context());
        assert_eq!(view.members, [STRANGER], "{}", self.context());
    }

    /// No call was harmful, whatever came of it.
    fn check_calls(&self) {
        let steady: Vec<_> =
            self.org.people.iter().filter(|person| self.org.is_steady(&person.address)).collect();
        // Whoever was put into a team that had taken another one's slug in that moment is taken back.
        let taken_back = |member: &u64| {
            let told = format!("taking member {member} back");
            self.logs.iter().any(|log| log.lock().expect("log").iter().any(|line| line.ends_with(&told)))
        };
        let never: Vec<_> = steady
            .iter()
            .map(|person| &person.address)
            .chain(self.org.crowd.values().map(|(_, address)| address))
            .filter_map(|address| self.world.sentry.member_id(address))
            .chain([self.stranger])
            .filter(|member| !taken_back(member))
            .map(|member| format!("/members/{member}/teams/"))
            .collect();
        for call in self.world.sentry.wire.calls() {
            if call.method == "GET" {
                continue;
            }
            let foreign = call.path.contains("/foreign/");
            let removal = call.method == "DELETE" && never.iter().any(|part| call.path.contains(part));
            assert!(!foreign && !removal, "harm: {} {}: {}", call.method, call.path, self.context());
        }
        let before = 1 + usize::from(self.legacy.is_some());
        let made = self.world.sentry.n_teams_ever() - before;
        // What was announced may have been carried out, and undone.
        let announced = self.announced_and_sent();
        let most = self.org.ever.len() + announced;
        assert!(made <= most, "{made} teams were made for {most}: {}", self.context());
        let ends =
            |call: &&Call| call.route == "DELETE /teams/{org}/{slug}/" && (200..300).contains(&call.status);
        let ended = self.world.sentry.wire.calls().iter().filter(ends).count();
        let most = self.org.deleted.len() + announced;
        assert!(ended <= most, "{ended} teams were deleted for {most}: {}", self.context());
    }

    /// How often somebody was told of an end that never was.
    fn announced_and_sent(&self) -> usize {
        let told = |sent: &&Delivery| self.announced.iter().any(|told| told.guid == sent.guid);
        self.sent.iter().filter(told).count()
    }

    /// Nothing but GitHub's own word says what its token may do.
    fn check_mode(&self) {
        let mode = if self.truth == Truth::Github { "read" } else { "payload" };
        assert_eq!(self.world.status()["mode"], mode, "{}", self.context());
        let lines = self.logs.iter().flat_map(|log| log.lock().expect("log").clone());
        let other = if self.truth == Truth::Github { "mode: payload" } else { "mode: read" };
        let wrong: Vec<_> = lines.filter(|line| line.contains(other)).collect();
        assert!(wrong.is_empty(), "{wrong:?}: {}", self.context());
    }

    /// Everything that helps to find out what happened.
    pub(super) fn context(&self) -> String {
        let logs: Vec<_> = self.logs.iter().map(|log| log.lock().expect("log").join("\n")).collect();
        let settings: Vec<_> = self
            .world
            .env
            .iter()
            .filter(|(name, _)| name.starts_with("SYNC_"))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut status =
            self.world.is_started().then(|| self.world.try_status()).flatten().unwrap_or_default();
        status["hours"].take();
        format!(
            "seed {}, {:?}, {}\n== story\n{}\n== log\n{}\n== status\n{status:#}",
            self.seed,
            self.truth,
            settings.join(" "),
            self.org.story.join("\n"),
            logs.join("\n-- a new process\n"),
        )
    }
}
