//! One sequence: its world, and each of its steps carried out; a list of steps leads to the same calls and the same bytes
//! whenever it is played.

use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sentry_team_sync::parts::{Command, Reply};

use super::draw::Draw;
use super::life::Life;
use super::mail::Underway;
use super::org::{Org, FOREIGN};
use super::process::Process;
use super::profile::Profile;
use super::rules::Failure;
use super::shown::Shown;
use super::sides::{Sides, Truth};
use super::stage::{Spawned, Stage};
use super::steps::Kind;
use super::tally::Tally;
use crate::standin::{Call, Delivery, NewMember};

/// An address in Sentry that no GitHub account has anything to do with.
pub const STRANGER: &str = "stranger@elsewhere.test";
/// What the Sentry team that was there before is called.
pub const LEGACY_NAME: &str = "Legacy of old";
/// So often Sentry carries out the deletions that it has promised.
const SWEEP: Duration = Duration::from_secs(900);

/// What tells how things are, and is no news.
const STATUS: Command = Command::Status { json: true, verbose: false };

/// At so many of a hundred deaths.
const A_BIT_FALLS_OVER: u64 = 25;
const ANOTHER_VERSION: u64 = 15;

/// What a draw is for.
const OF_STEP: u64 = 2;
const OF_BATON: u64 = 3;
const OF_LINKS: u64 = 4;
const OF_CRASH: u64 = 5;
const OF_RARITIES: u64 = 9;

pub type Done = Result<(), Failure>;

pub struct Sequence {
    pub seed: u64,
    pub profile: Profile,
    pub sides: Sides,
    pub org: Org,
    pub foreign: u64,
    pub legacy: Option<(u64, u64)>,
    pub stranger: u64,
    /// Sentry teams that were mirrored before the first change.
    pub begun_with: BTreeSet<u64>,
    /// Sentry teams that own a project.
    pub owners: BTreeSet<u64>,
    /// Sentry teams whose deletion somebody has refused, and the GitHub teams that they followed.
    pub refused: BTreeSet<(u64, u64)>,
    /// Deletions that somebody has let happen at some time.
    pub approved_deletions: usize,
    /// Sentry teams into which somebody has put the stranger by hand.
    pub visited: BTreeSet<u64>,
    /// Names of CODEOWNERS that somebody has linked to a Sentry team.
    pub by_hand: BTreeSet<(u64, String)>,
    /// When Sentry has last carried out deletions.
    swept: Instant,
    /// Deliveries that arrive before the step of that number.
    pub late: Vec<(usize, Delivery)>,
    pub underway: Vec<Underway>,
    /// What was answered with a 2xx.
    pub taken: Vec<Delivery>,
    /// All that ever arrived, whatever became of it.
    pub sent: Vec<Delivery>,
    /// Deletions that were announced and never happened.
    pub announced: Vec<Delivery>,
    /// What GitHub could not hand over, and has in its list.
    pub missed: Vec<Delivery>,
    /// Whether Sentry has somebody new since the process has begun.
    pub has_new_people: bool,
    pub commands: Vec<(String, Spawned<Reply>)>,
    /// The place of the first call of Sentry's that came after a bit of the journal fell over, if one has.
    pub rotten: Option<usize>,
    /// The place of the first call of Sentry's that came after GitHub's token lost its permission.
    pub blind_since: Option<usize>,
    /// The place of the first call of Sentry's that came after a pause began.
    pub paused_at: Option<usize>,
    pub process: Option<Process>,
    /// The place of the first call of Sentry's that came after the process began.
    pub opened_at: usize,
    pub tally: Tally,
    pub draw: Draw,
    /// Whether something rare comes along with a step, if it may.
    rarities: Option<Draw>,
    pub stage: Arc<Stage>,
}

impl Sequence {
    pub fn new(seed: u64) -> Self {
        let profile = Profile::of_seed(seed);
        let stage = Arc::new(profile.stage());
        let sides = Sides::new(&stage, profile.truth);
        profile.set_up(&stage, &sides);
        let foreign = sides.sentry.add_team(FOREIGN, "Foreign");
        let stranger = sides.sentry.add_member(NewMember::new(STRANGER));
        sides.sentry.join(foreign, stranger);
        let org = Org::new(&sides, profile.truth);
        Org::crowd_in(&sides, profile.crowd);
        Self {
            seed,
            profile,
            sides,
            org,
            foreign,
            legacy: None,
            stranger,
            begun_with: BTreeSet::new(),
            owners: BTreeSet::new(),
            refused: BTreeSet::new(),
            approved_deletions: 0,
            visited: BTreeSet::new(),
            by_hand: BTreeSet::new(),
            swept: stage.hand.now(),
            late: Vec::new(),
            underway: Vec::new(),
            taken: Vec::new(),
            sent: Vec::new(),
            announced: Vec::new(),
            missed: Vec::new(),
            has_new_people: false,
            commands: Vec::new(),
            rotten: None,
            blind_since: None,
            paused_at: None,
            process: None,
            opened_at: 0,
            tally: Tally::default(),
            draw: Draw::of(seed, 0, OF_STEP),
            rarities: None,
            stage,
        }
    }

    /// Plays it to the end.
    pub fn play(&mut self, life: &Life) -> Done {
        self.rarities = life.has_rarities.then(|| Draw::of(self.seed, 0, OF_RARITIES));
        self.turn_to(0);
        self.begin()?;
        life.dies_at.into_iter().for_each(|at| self.stage.baton.die_after(at));
        for (n, step) in life.steps.iter().enumerate() {
            self.turn_to(step.number);
            if self.profile.grows_old && n == life.steps.len() / 2 {
                self.grow_old(n)?;
            }
            self.say(&format!("-- {step}"));
            self.step(n, step.kind)?;
            self.tally.saw(step.kind);
            self.check_step()?;
        }
        self.turn_to(u64::MAX);
        self.say("-- the end");
        self.end()
    }

    /// All draws from here on are that step's.
    fn turn_to(&mut self, number: u64) {
        self.draw = Draw::of(self.seed, number, OF_STEP);
        self.rarities = self.rarities.as_ref().map(|_| Draw::of(self.seed, number, OF_RARITIES));
        self.stage.baton.draw_from(Draw::of(self.seed, number, OF_BATON));
        self.stage.links.draw_from(Draw::of(self.seed, number, OF_LINKS));
    }

    /// Whether something comes along that does in so many of a hundred cases.
    pub fn rarely(&mut self, percent: u64) -> bool {
        self.rarities.as_mut().is_some_and(|draw| draw.percent(percent))
    }

    pub fn say(&mut self, line: &str) {
        // What the organisation tells of itself comes first.
        for told in self.org.story.drain(..) {
            self.stage.heard.say(told);
        }
        self.stage.heard.say(line.into());
    }

    /// Time passes, and the process goes on.
    pub fn pass(&mut self, span: Duration) {
        self.stage.baton.sleep(span);
        let now = self.stage.hand.now();
        if now.duration_since(self.swept) >= SWEEP {
            self.swept = now;
            self.sides.sentry.tick();
        }
        self.look_at_mail();
    }

    /// Whether anything rare may come along.
    pub fn has_rarities(&self) -> bool {
        self.rarities.is_some()
    }

    fn begin(&mut self) -> Done {
        self.begin_map();
        self.link_by_hand();
        if self.draw.percent(40) {
            let people: &[usize] = if self.profile.truth == Truth::Github { &[0, 2] } else { &[] };
            let github = self.org.old_team(&self.sides, "Legacy", people);
            let sentry = self.sides.sentry.add_team("legacy", LEGACY_NAME);
            self.sides.sentry.join(sentry, self.stranger);
            self.visited.insert(sentry);
            self.legacy = Some((github, sentry));
        }
        if self.profile.truth == Truth::Github && self.draw.percent(50) {
            self.org.old_team(&self.sides, "Old", &[1, 3, 4]);
        }
        if self.draw.percent(30) {
            self.fail_at_first();
        }
        self.open();
        let has_teams = !self.sides.github.teams().is_empty();
        if self.profile.waits_to_begin && has_teams && (self.profile.may_list || self.legacy.is_some()) {
            self.wait_for_approval()?;
        }
        // A team that was renamed before it was ever seen would be older than the mirror under its new name too.
        self.wait_until("old teams are mirrored", |seq| {
            let there = seq.sides.sentry.teams();
            Ok(seq.sides.github.teams().values().all(|team| {
                there.get(&team.slug).is_some_and(|there| there.members.len() >= team.members.len())
            }))
        })?;
        if let Some((github, _)) = self.legacy {
            let told = self.sides.github.edit_description(github, "of old");
            self.send_surely(told)?;
            self.wait_until("adopted", |seq| Ok(seq.has_said("adopted Sentry team")))?;
        }
        self.begun_with = self.sides.sentry.teams().into_values().map(|team| team.id).collect();
        self.begun_with.remove(&self.foreign);
        Ok(())
    }

    fn step(&mut self, n: usize, kind: Kind) -> Done {
        if self.process.is_none() && self.draw.percent(60) {
            self.revive();
        }
        match kind {
            _ if self.profile.is_heard && !kind.leaves_what_is_heard() => {}
            Kind::Change => self.change(n)?,
            Kind::Appear => {
                self.change_map();
                self.appear()?;
            }
            Kind::Visit => self.visit(),
            Kind::OwnProject => self.own_a_project(),
            Kind::RenameByHand => self.rename_by_hand(),
            Kind::Faults => self.change_faults(),
            Kind::Lag => self.change_lag(n)?,
            Kind::Gaps => self.show_incompletely(),
            Kind::FalseEnd => self.announce_an_end(n)?,
            Kind::Network => self.change_network(),
            Kind::Disk => self.change_disk(),
            Kind::Clock => self.set_clock(),
            Kind::Compare => self.compare_or_swap(n)?,
            Kind::Ask => self.ask_something(),
            Kind::Approve => self.approve_by_chance()?,
            Kind::Reject => self.reject_by_chance(),
            Kind::Pause => self.pause_or_resume()?,
            Kind::Replay => self.replay(),
            Kind::Undo => self.undo(),
            Kind::Die => self.die()?,
            Kind::Restart => self.restart()?,
            Kind::Reload => {
                self.change_map();
                self.reload();
            }
            Kind::Refusal => self.refuse(),
            Kind::Wait => {
                // Sixty comparisons of what has not changed tell no more than six.
                let longest = if self.profile.interval == "1m" { 400 } else { 4000 };
                let span = [1, 5, 20, 61, 400, longest][self.draw.below(6) as usize];
                self.say(&format!("{span} seconds pass"));
                self.pass(Duration::from_secs(span));
            }
        }
        if self.draw.percent(60) {
            let ms = self.draw.below(120);
            self.pass(Duration::from_millis(ms));
        }
        Ok(())
    }

    pub fn change(&mut self, n: usize) -> Done {
        let mut sent = self.org.change(&self.sides, self.draw.rng());
        self.tally.changes += 1;
        match self.profile.truth {
            Truth::Deliveries => {
                self.send_in_order(sent)?;
                self.look_into_the_list_in_vain();
                Ok(())
            }
            Truth::Github => {
                let (due, later): (Vec<_>, Vec<_>) =
                    std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= n);
                self.late = later;
                sent.extend(due.into_iter().map(|(_, delivery)| delivery));
                self.send_by_chance(n, sent)
            }
        }
    }

    /// Somebody puts the stranger into a Sentry team by hand.
    fn visit(&mut self) {
        let Some(team) = self.some_sentry_team() else { return };
        self.sides.sentry.join(team, self.stranger);
        self.visited.insert(team);
        self.say(&format!("the stranger is put into Sentry team {team}"));
        self.visit_links(team);
    }

    /// A Sentry team that follows a GitHub team, or may.
    fn some_sentry_team(&mut self) -> Option<u64> {
        let teams = self.sides.sentry.teams().into_values().map(|team| team.id);
        let teams: Vec<_> = teams.filter(|id| *id != self.foreign).collect();
        self.draw.one_of(&teams).copied()
    }

    /// From now on, the team is not deleted without a person's word.
    fn own_a_project(&mut self) {
        let Some(team) = self.some_sentry_team() else { return };
        self.sides.sentry.add_project(team, &format!("project-{}", self.owners.len()));
        self.say(&format!("Sentry team {team} owns a project"));
        // One whose projects were read before is deleted all the same, also by a call that Sentry takes half a minute
        // for: nobody can prevent that.
        self.pass(Duration::from_secs(40));
        if self.sides.sentry.team_of_id(team).is_some() {
            self.owners.insert(team);
        }
    }

    /// Somebody gives a Sentry team another slug, past the mirror. Not one that was made a moment ago: whose answer was
    /// lost, and who has another slug when it is looked for, nobody can find.
    fn rename_by_hand(&mut self) {
        if !(self.profile.may_list && self.profile.truth == Truth::Github) {
            return;
        }
        let Some(team) = self.some_sentry_team().filter(|team| self.begun_with.contains(team)) else {
            return;
        };
        // Sentry gives no slug twice.
        let mut slug = format!("by-hand-{}", self.draw.below(1000));
        while self.sides.sentry.teams().contains_key(&slug) {
            slug += "-again";
        }
        self.sides.sentry.rename_team(team, &slug, "By hand");
        self.say(&format!("Sentry team {team} is renamed by hand to `{slug}`"));
    }

    // Processes.

    /// A process begins; one that cannot is not there.
    pub fn open(&mut self) {
        self.has_new_people = false;
        self.opened_at = self.sides.sentry.wire.mark();
        let stage = self.stage.clone();
        let opened = self.stage.spawn(move || Process::open(&stage)).wait();
        match opened {
            Some(Ok(process)) => {
                process.begin(&self.stage);
                self.process = Some(process);
                self.say("a process begins");
            }
            Some(Err(why)) => self.say(&format!("no process begins: {why}")),
            None => self.bury(),
        }
    }

    pub fn revive(&mut self) {
        self.look_at_mail();
        if self.process.is_none() {
            self.open();
        }
    }

    /// The process is dead, and whatever was under way with it.
    pub fn bury(&mut self) {
        self.look_at_mail_once();
        let number = self.draw.next();
        let mut draw = Draw::of(self.seed, number, OF_CRASH);
        let power_cut = draw.percent(70);
        self.say(if power_cut { "the power is cut" } else { "the process dies" });
        self.tally.deaths += 1;
        self.stage.die(power_cut.then_some(&mut draw));
        self.process = None;
        for sent in std::mem::take(&mut self.underway) {
            self.list_as_missed(&sent.delivery);
        }
        self.commands.clear();
    }

    fn die(&mut self) -> Done {
        if self.process.is_some() && self.draw.percent(60) {
            let seams = self.draw.below(120);
            self.stage.baton.die_after(seams);
            return Ok(());
        }
        self.bury();
        if self.rarely(A_BIT_FALLS_OVER) {
            self.rot();
        } else if self.rarely(ANOTHER_VERSION) {
            self.change_version()?;
        }
        if self.profile.truth == Truth::Deliveries || self.draw.percent(70) {
            self.open();
        }
        self.check_nothing_is_lost()
    }

    /// Whatever is under way comes to its end; then another process begins.
    pub fn restart(&mut self) -> Done {
        let Some(process) = self.process.clone() else { return Ok(()) };
        self.say("the process ends in order");
        let ended = self.stage.spawn(move || process.end());
        ended.wait();
        self.pass(Duration::from_secs(10));
        if self.process.is_none() {
            return Ok(());
        }
        self.look_at_mail_once();
        self.stage.die(None);
        self.process = None;
        self.underway.clear();
        self.commands.clear();
        self.tally.restarts += 1;
        self.open();
        self.check_nothing_is_lost()
    }

    // Commands.

    /// Has the process carry out a command, and waits for it.
    pub fn command(&mut self, command: Command) -> Option<Reply> {
        let process = self.process.clone()?;
        let asked = command.clone();
        let reply = self.stage.spawn(move || process.command(&asked)).wait();
        if command != STATUS {
            let said = reply.as_ref().map(|reply| format!("{} {}{}", reply.exit, reply.out, reply.err));
            self.say(&format!("{command:?}: {}", said.as_deref().unwrap_or("no answer")));
        }
        self.look_at_mail();
        reply
    }

    /// Begins a command for whose end nobody waits.
    pub fn begin_command(&mut self, command: Command) {
        let Some(process) = self.process.clone() else { return };
        let told = format!("{command:?}");
        self.say(&format!("begins: {told}"));
        let begun = self.stage.spawn(move || process.command(&command));
        self.commands.push((told, begun));
    }

    /// What the process tells of itself, if it lives and answers.
    pub fn status(&mut self) -> Option<Shown> {
        let reply = self.command(STATUS)?;
        serde_json::from_str(&reply.out).ok()
    }

    /// Waits until `is_so`, with somebody who sees to what is held.
    pub fn wait_until(&mut self, what: &str, is_so: impl Fn(&mut Self) -> Result<bool, Failure>) -> Done {
        for n in 0..600 {
            if is_so(self)? {
                return Ok(());
            }
            self.revive();
            self.pass(Duration::from_millis(if n < 20 { 200 } else { 5_000 }));
        }
        Err(Failure::new("it_comes_to_an_end", format!("in vain: {what}")))
    }

    /// What the process has told of itself, so far.
    pub fn has_said(&self, part: &str) -> bool {
        self.stage.heard.has(part)
    }
}

impl Sequence {
    /// Every call to both sites in its order, and every file: what the same seed leads to always.
    pub fn trace(&self) -> impl Hash {
        let calls = [&self.sides.github.wire, &self.sides.sentry.wire].map(|wire| {
            let told = |call: Call| (call.method, call.path, call.status, call.body);
            wire.calls().into_iter().map(told).collect::<Vec<_>>()
        });
        (calls, self.stage.disk.all())
    }
}
