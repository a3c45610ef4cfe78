//! What network, disk, clock, both APIs and people do meanwhile.

use std::time::Duration;

use sentry_team_sync::parts::{Command, Sync};

use super::disk::Weather;
use super::network::{GITHUB, SENTRY};
use super::play::{Done, Sequence};
use super::rules::Failure;
use super::shown::Shown;
use super::sides::Truth;
use crate::standin::{mirror_permissions, original_permissions, Fault, GraphqlFault, RandomFaults, Rule};

/// Of so many of a hundred refusals, the reason is what GitHub's token may do.
const LOSES_PERMISSION: u64 = 10;

impl Sequence {
    pub fn change_faults(&mut self) {
        if self.draw.percent(60) {
            let faults = self.some_faults();
            self.sides.sentry.wire.set_random(faults);
        }
        if self.draw.percent(60) {
            let faults = self.some_faults();
            self.sides.github.wire.set_random(faults);
        }
        self.say("both sites fail otherwise than before");
    }

    fn some_faults(&mut self) -> Option<RandomFaults> {
        let seed = self.draw.next();
        self.draw.percent(65).then_some(RandomFaults {
            seed,
            errors_percent: 15.0,
            after_percent: 50.0,
            limited_percent: 4.0,
            odd_percent: 4.0,
        })
    }

    /// GitHub's replicas lag, or no longer.
    pub fn change_lag(&mut self, step: usize) -> Done {
        if self.profile.truth == Truth::Github && self.rarely(30) {
            return self.compare_behind_an_end(step);
        }
        let lag = [0, 50, 200, 700, 3000][self.draw.below(5) as usize];
        let percent = [50.0, 100.0][self.draw.below(2) as usize];
        self.set_lag(lag, percent);
        Ok(())
    }

    fn set_lag(&mut self, lag: u64, percent: f64) {
        self.sides.github.set_uneven_lag(Duration::from_millis(lag), percent);
        self.say(&format!("{percent} of a hundred replicas lag by {lag} ms"));
    }

    /// Comparisons meet replicas that do not know of a team's end yet.
    fn compare_behind_an_end(&mut self, step: usize) -> Done {
        self.set_lag(3000, 50.0);
        let told = self.org.delete(&self.sides, self.draw.rng());
        self.send_by_chance(step, told)?;
        for _ in 0..3 {
            self.pass(Duration::from_millis(700));
            self.compare_meanwhile();
        }
        Ok(())
    }

    /// GitHub's lists have nulls in them, or counts that do not fit, until the weather changes: nobody is removed for that,
    /// which is seen by whoever never leaves.
    pub fn show_incompletely(&mut self) {
        if self.profile.truth != Truth::Github {
            return;
        }
        let wire = &self.sides.github.wire;
        wire.clear_faults();
        let gaps = GraphqlFault::gaps();
        if let Some(gap) = gaps.get(self.draw.below(gaps.len() as u64 * 2) as usize) {
            wire.script(Rule::new("POST /graphql", Fault::Graphql(gap.clone())).always());
            self.say(&format!("GitHub's lists are incomplete: {gap:?}"));
        }
    }

    /// The first calls of all are answered by anybody but GitHub: that says nothing of what the token may do.
    pub fn fail_at_first(&mut self) {
        let others = Fault::of_others();
        let fault = others[self.draw.below(others.len() as u64) as usize].clone();
        self.say(&format!("GitHub's first answers are {fault:?}"));
        // After a few more of them, GitHub would be down for a minute.
        let times = 1 + self.draw.below(3) as usize;
        self.sides.github.wire.script(Rule::new("*", fault).times(times));
    }

    /// An owner suspends the App; mostly GitHub tells it. That it is over, nobody tells.
    fn suspend(&mut self) {
        self.sides.github.change_app(|app| app.suspended = true);
        self.say("the App is suspended");
        if self.draw.percent(60) {
            let told = self.sides.github.installation_event("suspend");
            self.put_underway(told);
        }
    }

    /// Some calls are refused or answered oddly, by the site or by somebody on the way.
    pub fn refuse(&mut self) {
        if self.profile.is_app && self.draw.percent(30) {
            return self.suspend();
        }
        if self.rarely(LOSES_PERMISSION) && self.lose_permission() {
            return;
        }
        let by_github = self.draw.percent(65);
        let kinds = match self.draw.below(if by_github { 8 } else { 3 }) {
            0 => vec![Fault::Unauthorized, Fault::Stall(Duration::from_secs(30))],
            1 => Fault::of_others().into(),
            2 => Fault::odd_lists(),
            3 => Fault::policies().into(),
            _ => Fault::of_github(),
        };
        let fault = kinds[self.draw.below(kinds.len() as u64) as usize].clone();
        let calls = if matches!(fault, Fault::Graphql(_)) { "POST /graphql" } else { "*" };
        let times = 1 + self.draw.below(3) as usize;
        self.say(&format!(
            "{} calls are answered otherwise by {}: {fault:?}",
            times,
            if by_github { "GitHub" } else { "Sentry" }
        ));
        let site = if by_github { &self.sides.github.wire } else { &self.sides.sentry.wire };
        site.script(Rule::new(calls, fault).times(times));
    }

    /// The configuration is read again, mostly with other tokens of the same rights.
    pub fn reload(&mut self) {
        let Some(process) = self.process.clone() else { return };
        if self.draw.percent(50) {
            let token = self.sides.sentry.add_token(if self.profile.may_list {
                mirror_permissions()
            } else {
                original_permissions()
            });
            self.stage.set("SENTRY_TOKEN", &token);
        }
        let env = self.stage.env();
        self.stage.spawn(move || process.reload(&env)).wait();
        self.say("the configuration is read again");
        self.look_at_mail();
    }

    /// GitHub says that a team is deleted, shows it to nobody for a moment, and has it all the same.
    pub fn announce_an_end(&mut self, step: usize) -> Done {
        if self.profile.truth != Truth::Github {
            return Ok(());
        }
        let Some(team) = self.org.some_team(self.draw.rng()) else { return Ok(()) };
        self.say(&format!("team {team} is said to be deleted, and is not"));
        let not_found = Fault::Refusal { status: 404, message: "Not Found".into() };
        let by_id = Rule::new("GET /organizations/{org_id}/team/{team_id}", not_found);
        let times = 1 + self.draw.below(3) as usize;
        self.sides.github.wire.script(by_id.times(times));
        let told = self.sides.github.announce_deletion(team);
        self.tally.announced += told.len() as u64;
        self.announced.extend(told.iter().cloned());
        self.send_by_chance(step, told)?;
        if self.rarely(40) {
            let told = self.org.spell_otherwise(&self.sides, team);
            return self.send_by_chance(step, told);
        }
        Ok(())
    }

    /// Somebody whom Sentry did not know appears there, now and then just before a start at which GitHub can not be asked.
    pub fn appear(&mut self) -> Done {
        let is_waited_for = self.profile.truth == Truth::Deliveries && self.rarely(40);
        if is_waited_for {
            let told = self.org.add_late(&self.sides, self.draw.rng());
            self.send_in_order(told)?;
            self.pass(Duration::from_secs(1));
        }
        self.has_new_people |= self.org.appear(&self.sides);
        if is_waited_for {
            self.stage.links.set_down(GITHUB, true);
            self.say("GitHub is down");
            self.bury();
            self.open();
        }
        Ok(())
    }

    pub fn change_network(&mut self) {
        let slow = [0, 0, 20, 300, 4000][self.draw.below(5) as usize];
        self.stage.links.set_slow(slow);
        let [github, sentry] = [GITHUB, SENTRY].map(|port| {
            let down = self.draw.percent(15);
            self.stage.links.set_down(port, down);
            down
        });
        self.say(&format!("calls take up to {slow} ms; GitHub down: {github}, Sentry down: {sentry}"));
    }

    pub fn change_disk(&mut self) {
        let dies_after = self.draw.percent(60).then(|| self.draw.below(12));
        let weather = [Weather::Well, Weather::Full, Weather::ReadOnly, Weather::FailsToSync { dies_after }];
        let weather = weather[self.draw.below(4) as usize];
        self.stage.disk.set_weather(weather);
        self.say(&format!("the disk: {weather:?}"));
    }

    pub fn set_clock(&mut self) {
        let minutes: i64 = [-1, 1, -10, 10, -700, 700][self.draw.below(6) as usize];
        let by = Duration::from_secs(minutes.unsigned_abs() * 60);
        let wall = self.stage.hand.wall();
        self.stage.hand.set_wall(if minutes < 0 { wall.before(by) } else { wall.after(by) });
        self.say(&format!("the clock is set by {minutes} minutes"));
    }

    /// Everything outside is as it should be again.
    pub fn clear_the_sky(&mut self) {
        for site in [&self.sides.sentry.wire, &self.sides.github.wire] {
            site.clear_faults();
        }
        self.sides.github.set_lag(Duration::ZERO);
        self.regain_permission();
        if self.profile.is_app {
            self.sides.github.change_app(|app| app.suspended = false);
        }
        self.stage.links.set_slow(0);
        [GITHUB, SENTRY].into_iter().for_each(|port| self.stage.links.set_down(port, false));
        self.stage.disk.set_weather(Weather::Well);
        self.mend_map();
    }

    /// A comparison that nobody waits for.
    pub fn compare_meanwhile(&mut self) {
        self.tally.comparisons += 1;
        self.begin_command(Command::Sync(Sync { apply: true, ..Sync::default() }));
    }

    /// The same, now and then while two teams take each other's name.
    pub fn compare_or_swap(&mut self, step: usize) -> Done {
        let swaps = self.profile.truth == Truth::Github && self.rarely(35);
        let is_first = self.rarely(50);
        if !swaps || is_first {
            self.compare_meanwhile();
        }
        if swaps {
            let told = self.org.swap(&self.sides, self.draw.rng());
            self.send_by_chance(step, told)?;
            if !is_first {
                self.compare_meanwhile();
            }
        }
        Ok(())
    }

    pub fn ask_something(&mut self) {
        let team = self.org.some_team(self.draw.rng()).map(|id| format!("id:{id}"));
        let command = match self.draw.below(5) {
            0 => Command::Status { json: false, verbose: false },
            1 => Command::Sync(Sync { json: true, ..Sync::default() }),
            2 => Command::Whois { login: "person3".into() },
            3 => Command::Check { json: true, verbose: false, url: None, offline: false },
            _ => Command::Explain { team, json: true },
        };
        self.begin_command(command);
    }

    /// What is held and nobody has decided: name and changes.
    pub fn held(&mut self) -> Vec<(String, Vec<String>)> {
        let shown = self.status();
        let undecided = shown.iter().flat_map(Shown::undecided);
        undecided.map(|hold| (hold.name.clone(), hold.changes.clone())).collect()
    }

    pub fn approve_by_chance(&mut self) -> Done {
        let held = self.held();
        let Some((hold, changes)) = self.draw.one_of(&held).cloned() else { return Ok(()) };
        self.check_before_approval()?;
        self.tally.approved += 1;
        let deletes = |change: &&String| change.starts_with("delete Sentry team ");
        self.approved_deletions += changes.iter().filter(deletes).count();
        self.begin_command(Command::Approve { holds: vec![hold], all: false, reason: None });
        Ok(())
    }

    /// Sentry teams stay whose end somebody refuses.
    pub fn reject_by_chance(&mut self) {
        let held = self.held().into_iter().filter_map(|(name, changes)| Some((name, only_ends(&changes)?)));
        let held: Vec<_> = held.collect();
        let Some((hold, teams)) = self.draw.one_of(&held).cloned() else { return };
        self.tally.rejected += 1;
        self.refused.extend(teams);
        self.begin_command(Command::Reject { holds: vec![hold], reason: None });
    }

    /// A person lets everything through but what would take over the foreign team. Whether there was anything.
    pub fn approve(&mut self) -> Result<bool, Failure> {
        let shown = self.status();
        shown.map_or(Ok(false), |shown| self.approve_of(&shown))
    }

    /// The same by what was just shown.
    pub fn approve_of(&mut self, shown: &Shown) -> Result<bool, Failure> {
        let holds: Vec<_> = shown.undecided().map(|hold| hold.name.clone()).collect();
        if holds.is_empty() {
            return Ok(false);
        }
        self.check_before_approval()?;
        self.tally.approved += holds.len() as u64;
        self.command(Command::Approve { holds, all: false, reason: None });
        Ok(true)
    }

    /// Somebody stops all writes, or allows them again.
    pub fn pause_or_resume(&mut self) -> Done {
        if self.process.is_none() {
            return Ok(());
        }
        match self.paused_at {
            Some(mark) => {
                let written = self.sides.writes_since(mark);
                if !written.is_empty() {
                    return Err(Failure::new("a_pause_writes_nothing", format!("{written:?}")));
                }
                // Whatever is said: who has asked for it can not know whether it was done before the end.
                self.command(Command::Resume);
                self.paused_at = None;
            }
            None => {
                let reply = self.command(Command::Pause { reason: None });
                if reply.is_some_and(|reply| reply.exit == 0) {
                    self.paused_at = Some(self.sides.sentry.wire.mark());
                    self.tally.pauses += 1;
                }
            }
        }
        Ok(())
    }

    pub fn replay(&mut self) {
        self.begin_command(Command::Replay {
            deliveries: Vec::new(),
            failed: true,
            github: false,
            reason: None,
        });
    }

    pub fn undo(&mut self) {
        self.begin_command(Command::Undo { id: None, reason: None });
    }

    /// The first comparison waits for a person; nothing is written before.
    pub fn wait_for_approval(&mut self) -> Done {
        let mark = self.sides.sentry.wire.mark();
        let is_held = self.wait_until("the first comparison is held", |seq| Ok(seq.held().len() == 1));
        self.check_nothing_written(mark)?;
        is_held?;
        let held = self.held();
        for _ in 0..1 + self.draw.below(4) {
            match self.draw.below(4) {
                0 => drop(self.command(Command::Sync(Sync::default()))),
                1 => {
                    self.bury();
                    self.open();
                }
                2 => drop(self.org.add_known(&self.sides, self.draw.rng())),
                _ => self.pass(Duration::from_secs(70)),
            }
            self.check_nothing_written(mark)?;
        }
        self.wait_until("the same is held", |seq| Ok(seq.held() == held))?;
        self.tally.first_holds += 1;
        let holds = held.into_iter().map(|(name, _)| name).collect();
        self.command(Command::Approve { holds, all: false, reason: None });
        Ok(())
    }

    fn check_nothing_written(&self, mark: usize) -> Done {
        match self.sides.writes_since(mark) {
            written if written.is_empty() => Ok(()),
            written => {
                let what = format!("{written:?}");
                Err(Failure::new("nothing_is_written_before_the_first_approval", what))
            }
        }
    }
}

/// The Sentry teams that a hold would delete and the GitHub teams that they followed, if it would do nothing else.
pub fn only_ends(changes: &[String]) -> Option<Vec<(u64, u64)>> {
    let ids = |change: &String| {
        let (_, behind) = change.strip_prefix("delete Sentry team `")?.split_once("` (")?;
        let (sentry, github) = behind.split_once(") of GitHub team ")?;
        Some((sentry.parse().ok()?, github.parse().ok()?))
    };
    changes.iter().map(ids).collect()
}
