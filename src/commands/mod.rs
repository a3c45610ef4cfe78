//! The commands, carried out by a running service or on a state directory alone.

pub mod audit;
pub mod check;
pub mod explain;
pub mod grammar;
mod missed;
pub mod paste;
mod pause;
pub mod sync;
mod undo;
mod whois;

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::config::Settings;
use crate::queue::job::{Hint, LaneKey};
use crate::reconcile::Progress;
use crate::state::holds::HoldName;
use crate::state::ids::{HookId, Seq};
use crate::state::meant::{PersonName, TeamName};
use crate::state::record::Record;
use crate::state::tagged::tagged;
use crate::state::values::{DeliveryKey, Status};
use crate::state::{names, Pause, State};
use crate::status::{self, Observer};
use crate::store::actor::Actor;
use crate::store::audit::decisions::Asked;
use crate::store::audit::{Audit, Entry};
use crate::store::journal::{Journal, NotKept};
use crate::text::{self, Safe};
use crate::work::mirror::Mirror;
use audit::{Known, Query};
use sync::Sync;

tagged! {
    /// A command with its arguments, as it travels over the control socket.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
    #[serde(tag = "command")]
    pub enum Command {
        "status" => Status {
            json: bool,
            #[serde(default)]
            verbose: bool,
        },
        "check" => Check {
            json: bool,
            #[serde(default)]
            verbose: bool,
            /// A public address to send a ping to.
            url: Option<String>,
            /// Check the settings only; the running service is not asked.
            #[serde(default)]
            offline: bool,
        },
        "approve" => Approve {
            holds: Vec<String>,
            /// All undecided holds.
            all: bool,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            reason: Option<String>,
        },
        "reject" => Reject {
            holds: Vec<String>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            reason: Option<String>,
        },
        "sync" => Sync(Sync),
        "whois" => Whois { login: String },
        "replay" => Replay {
            deliveries: Vec<String>,
            failed: bool,
            /// Deliveries that GitHub could not deliver.
            #[serde(default)]
            github: bool,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            reason: Option<String>,
        },
        "explain" => Explain {
            /// A slug, or `id:` and GitHub's number; `None` lists the mirrored teams.
            team: Option<String>,
            json: bool,
        },
        "pause" => Pause { reason: Option<String> },
        "resume" => Resume,
        "audit" => Audit(Query),
        "undo" => Undo {
            /// Its id or slug; `None` lists the teams that can be restored.
            id: Option<String>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            reason: Option<String>,
        },
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    pub out: String,
    pub err: String,
    /// 0: done, 1: failed, 2: changes are on hold, or the sides differ, 64: wrong configuration.
    pub exit: u8,
    /// The plan to save to a file, if the caller asked for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<serde_json::Value>,
}

/// How many characters of a reason are kept.
const MOST_SAID: usize = 500;

/// The fix to suggest if GitHub or Sentry does not answer as expected.
pub const LOOK: &str =
    "`sentry-team-sync check` checks tokens, permissions and addresses, and shows how to fix them";

/// Prints a piece of an answer that may be too long to collect first. An error means that nobody reads it any more.
pub type Output<'a> = &'a (dyn Fn(&str) -> io::Result<()> + std::marker::Sync);

/// A mirror that can ask both sides: a running service's, or this command's own if it has both tokens.
#[derive(Clone, Copy)]
pub struct Live<'a> {
    pub observer: &'a Observer,
    pub around: &'a check::Surroundings,
}

impl<'a> Live<'a> {
    pub fn mirror(&self) -> &'a Mirror {
        self.observer.mirror()
    }
}

/// Everything that a command needs to run.
pub struct Bench<'a> {
    pub journal: &'a Journal,
    pub settings: Arc<Settings>,
    /// Access to both sides, if they can be asked.
    pub live: Option<Live<'a>>,
    pub out: Output<'a>,
    pub by: Actor,
}

impl<'a> Bench<'a> {
    fn mirror(&self) -> Option<&'a Mirror> {
        self.live.map(|live| live.mirror())
    }

    pub fn run(&self, command: &Command, progress: Progress) -> Reply {
        let mut reply = self.carry_out(command, progress);
        let pause = self.journal.read(|state| state.paused.clone()).filter(|_| command.is_kept_by_a_pause());
        if let Some(pause) = pause {
            reply.tell(&format!("{pause}; to resume: sentry-team-sync resume"));
        }
        reply
    }

    fn carry_out(&self, command: &Command, progress: Progress) -> Reply {
        let asked = |said: &Option<String>| self.asked(said.as_deref());
        let with_mirror = |run: &dyn Fn(Live) -> Reply| self.live.map(run).unwrap_or_default();
        match command {
            Command::Sync(sync) => {
                with_mirror(&|live| sync::run(&live.observer.reconciler, sync, &self.asked(None), progress))
            }
            Command::Status { json, verbose } => self.status(*json, *verbose),
            Command::Check { json, verbose, url, offline } => {
                let shape = check::Shape::of(*json, *verbose);
                let asked = check::Asked { shape, url: url.as_deref(), offline: *offline };
                with_mirror(&|live| check::beside(&live, &asked, progress))
            }
            Command::Approve { holds, all, reason } => self.decide((holds, *all), true, &asked(reason)),
            Command::Reject { holds, reason } => self.decide((holds, false), false, &asked(reason)),
            Command::Replay { github: true, reason, .. } => {
                with_mirror(&|live| missed::run(live.mirror(), &asked(reason), progress))
            }
            Command::Replay { deliveries, failed, reason, .. } => {
                self.replay(deliveries, *failed, &asked(reason))
            }
            Command::Whois { login } => with_mirror(&|live| whois::run(live.mirror(), login)),
            Command::Explain { team: Some(team), json } => explain::answer::run(self, team, *json),
            Command::Explain { team: None, json } => explain::answer::list(self, *json),
            Command::Pause { reason } => pause::pause(self, reason.as_deref(), progress),
            Command::Resume => pause::resume(self),
            Command::Undo { id: Some(id), reason } => {
                with_mirror(&|live| undo::run(live.mirror(), id, &asked(reason), progress))
            }
            Command::Undo { id: None, .. } => {
                let back = |deleted| self.journal.read(|state| state.teams.restored(deleted));
                undo::list(&self.settings.state_dir, &back)
            }
            Command::Audit(query) => match self.known(query) {
                Ok(known) => audit::run(&self.settings.state_dir, query, known, self.out),
                Err(why) => Reply::failed(why),
            },
        }
    }

    fn status(&self, json: bool, verbose: bool) -> Reply {
        let status = match self.live {
            Some(live) => live.observer.status(),
            None => {
                let now = self.journal.clock().wall();
                self.journal.read(|state| status::Status::of_state(state, &status::help::ALL, now))
            }
        };
        let held = status.holds.iter().any(|hold| hold.decision.is_none());
        let out = if json { text::pretty(&status) } else { status.to_text(verbose) };
        // Without a service, there is nothing that could be ready.
        let broken = status.started.is_some() && !status.ready;
        let exit = match (broken, held) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => 0,
        };
        Reply { out, exit, ..Reply::default() }
    }

    /// Resolves the names in a query to ids, as far as the state and Sentry know them.
    fn known(&self, query: &Query) -> Result<Known, String> {
        let teams: Vec<_> = query.teams.iter().map(|text| TeamName::read(text)).collect();
        let org = self.journal.read(|state| state.org.as_ref().map(|org| org.login.clone()));
        if let Some(why) = teams.iter().find_map(|team| team.stranger(org.as_ref())) {
            return Err(why);
        }
        let person = query.person.as_deref().map(PersonName::read);
        let mut known = self.journal.read(|state| Known {
            state_was_asked: true,
            teams: teams.iter().map(|team| team.in_state(state, &self.settings.slug_prefix)).collect(),
            users: person.as_ref().map(|person| person.in_state(state)).unwrap_or_default(),
            ..Known::default()
        });
        if let (Some(PersonName::Mail(address)), Some(mirror)) = (&person, self.mirror()) {
            mirror.need_directory().map_err(|_| {
                format!("Sentry could not be asked whose address `{}` is", Safe(address.as_str()))
            })?;
            let bearers = mirror.who.with_directory(|directory| directory.bearers(address));
            known.members = bearers.into_iter().map(|(member, _)| member).collect();
            let of_member = |member| mirror.state(|state| state.people.of_member(member));
            known.users = known.members.iter().copied().filter_map(of_member).collect();
        }
        Ok(known)
    }

    /// Who asked for something, and their reason.
    fn asked(&self, said: Option<&str>) -> Asked {
        Asked { by: Some(self.by.clone()), said: said.map(|said| text::plain(said, MOST_SAID)) }
    }

    fn audit(&self, lines: Vec<Entry>) {
        let write = |audit: &Audit| lines.into_iter().for_each(|line| audit.write(line));
        let (journal, settings) = (self.journal, &self.settings);
        match self.mirror() {
            Some(mirror) => write(&mirror.audit),
            None => {
                let clock = journal.clock().clone();
                write(&Audit::new(journal.files(), &settings.state_dir, settings.audit_keep, clock));
            }
        }
    }

    fn decide(&self, (names, all): (&[String], bool), approved: bool, asked: &Asked) -> Reply {
        let mut reply = Reply::default();
        let undecided = |state: &State| {
            let open = state.holds.iter().filter(|hold| hold.decision.is_none());
            open.map(|hold| hold.name.to_string()).collect()
        };
        let names = if all { self.journal.read(undecided) } else { names.to_vec() };
        if names.is_empty() {
            reply.say("nothing is on hold");
        }
        let mut n_decided = 0;
        for name in names {
            n_decided += usize::from(self.decide_one(&name, approved, asked, &mut reply));
        }
        if n_decided > 0 && self.mirror().is_none() {
            let what = if n_decided == 1 { "the decision is" } else { "the decisions are" };
            reply.tell(&format!(
                "no service is running: {what} saved and will be carried out when one starts"
            ));
        }
        reply
    }

    /// Returns whether a decision was recorded.
    fn decide_one(&self, name: &str, approved: bool, asked: &Asked, reply: &mut Reply) -> bool {
        // Hold names are lower case.
        let name = HoldName(name.trim().to_ascii_lowercase().into());
        if let Some(told) = self.journal.read(|state| already_decided(state, &name, approved)) {
            // The decision may be a moment old, and not be on disk yet.
            match self.journal.keep_all().map(|()| told) {
                Ok(Ok(said)) => reply.say(&said),
                Ok(Err(why)) => reply.fail(&why),
                Err(NotKept(why)) => reply.fail(&format!("failed to record the decision: {why}")),
            }
            return false;
        }
        let Some(hold) = self.journal.read(|state| state.holds.get(&name).cloned()) else {
            reply.fail(&format!("there is no hold `{name}`: `sentry-team-sync status` lists them"));
            return false;
        };
        // Write the audit lines first, so that no decision is without them.
        self.audit(asked.about(&hold, if approved { "approve" } else { "reject" }));
        let record = Record::Decided { name: name.clone(), approved, at: self.journal.clock().wall() };
        if let Err(NotKept(why)) = self.journal.keep(record) {
            let line = Entry { hold: Some(name.clone()), ..asked.entry("decision was not kept") };
            self.audit(vec![line.because(why.as_ref())]);
            reply.fail(&format!("failed to record the decision: {why}"));
            // The decision may be kept in memory; it is then written once the disk works again.
            let counts = |state: &State| state.holds.get(&name).is_some_and(|hold| hold.decision.is_some());
            if let Some(mirror) = self.mirror().filter(|_| self.journal.read(counts)) {
                reply.tell(
                    "the decision still counts once the journal can be written, unless the service stops before that",
                );
                mirror.look_at_hold(&hold, approved);
            }
            return false;
        }
        let word = if approved { "approved" } else { "rejected" };
        let asks = |change| self.journal.read(|state| names::change(state, change));
        hold.changes.iter().for_each(|change| reply.say(&format!("{word}: {}", asks(change))));
        if let Some(mirror) = self.mirror() {
            mirror.look_at_hold(&hold, approved);
        }
        true
    }

    fn replay(&self, guids: &[String], all: bool, asked: &Asked) -> Reply {
        let mut reply = Reply::default();
        let failed: Vec<(Seq, String)> = self.journal.read(|state| {
            let failed = state.deliveries.failed().map(|failure| &failure.delivery);
            failed.map(|delivery| (delivery.seq, delivery.guid.to_string())).collect()
        });
        let meant = |guid: &str| {
            failed.iter().filter(move |(_, known)| is_meant(guid, known)).map(|(seq, _)| *seq).collect()
        };
        let mut chosen = BTreeSet::new();
        for guid in guids.iter().map(|guid| guid.trim()) {
            let found: Vec<Seq> = meant(guid);
            match found.as_slice() {
                [one] => drop(chosen.insert(*one)),
                [] => {
                    let why = self.journal.read(|state| why_not_replayed(state, &guid.to_ascii_lowercase()));
                    reply.fail(&format!("no failed delivery is called `{}`: {why}", Safe(guid)));
                }
                several => reply.fail(&format!(
                    "{} failed deliveries begin with `{}`: give more of the GUID",
                    several.len(),
                    Safe(guid)
                )),
            }
        }
        let chosen: Vec<_> = failed.into_iter().filter(|(seq, _)| all || chosen.contains(seq)).collect();
        if chosen.is_empty() && reply.exit == 0 {
            reply.say("no delivery has failed");
        }
        if !chosen.is_empty() && self.mirror().is_none() {
            let what = if chosen.len() == 1 { "it is" } else { "they are" };
            reply.tell(&format!("no service is running: {what} retried when one starts"));
        }
        for (seq, guid) in chosen {
            let kept = self.journal.keep(Record::Again { seq });
            // The delivery is queued now, even if the journal has not been written yet.
            let delivery = self.journal.read(|state| state.deliveries.queued_at(seq));
            let team = delivery.as_ref().and_then(|delivery| delivery.event.team()).map(|team| team.id);
            if let (Some(mirror), Some(delivery)) = (self.mirror(), delivery) {
                mirror.queue.replays.note(seq);
                let key = LaneKey::of(&delivery.event);
                mirror.queue.lanes.add(key, Hint::of_delivery(delivery, mirror.clock.now()));
            }
            if let Err(NotKept(why)) = kept {
                reply.fail(&format!("failed to record the replay: {why}"));
                return reply;
            }
            reply.say(&format!("replaying {guid}"));
            let line = Entry { delivery: Some(guid.as_str().into()), team, ..asked.entry("replay") };
            self.audit(vec![line.because("it had failed")]);
        }
        reply
    }
}

/// The answer for a hold that was already decided this way, or is over. `None` if the hold can be decided.
fn already_decided(state: &State, name: &HoldName, approved: bool) -> Option<Result<String, String>> {
    let known = state.holds.get(name);
    let decision = match known {
        Some(hold) => hold.decision?,
        None => match state.holds.past(name)? {
            Some(decision) => decision,
            None => return Some(Err(format!("hold `{name}` is over: its changes were no longer needed"))),
        },
    };
    let (word, at) = (decision.word(), decision.at);
    match (decision.approved == approved, known) {
        (true, _) => Some(Ok(format!("hold {name} was already {word} at {at}"))),
        // The hold still exists, so a person may change the decision.
        (false, Some(_)) => None,
        (false, None) => Some(Err(format!("hold `{name}` is over: it was {word} at {at}"))),
    }
}

/// Whether the typed text is this GUID, or at least its first block.
fn is_meant(typed: &str, guid: &str) -> bool {
    let begins = guid.get(..typed.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(typed));
    begins && (typed.len() == guid.len() || typed.len() >= status::BLOCK)
}

/// Explains why a delivery is not among the failed ones, as far as the state remembers it.
fn why_not_replayed(state: &State, guid: &str) -> &'static str {
    let mut hooks = state.hooks.iter().copied().chain([HookId(0)]);
    let known = hooks.find_map(|hook| state.deliveries.known(DeliveryKey::new(hook, guid)));
    match known.map(|known| known.status) {
        Some(Status::Queued) => "it is queued and will be done",
        Some(Status::Done) => "it is done",
        Some(Status::Superseded) => "a newer delivery superseded it",
        Some(Status::Held) => "it is on hold: `sentry-team-sync status` shows the hold to approve",
        Some(Status::Failed) | None => "`sentry-team-sync status` lists them",
    }
}

impl Command {
    pub fn name(&self) -> &'static str {
        match self {
            Command::Status { .. } => "status",
            Command::Check { .. } => "check",
            Command::Approve { .. } => "approve",
            Command::Reject { .. } => "reject",
            Command::Replay { .. } => "replay",
            Command::Whois { .. } => "whois",
            Command::Explain { .. } => "explain",
            Command::Audit(_) => "audit",
            Command::Pause { .. } => "pause",
            Command::Resume => "resume",
            Command::Undo { .. } => "undo",
            Command::Sync(Sync { apply: true, .. }) => "sync --apply",
            Command::Sync(_) => "sync",
        }
    }

    /// Whether a pause delays the work that this command starts or shows.
    fn is_kept_by_a_pause(&self) -> bool {
        matches!(
            self,
            Command::Approve { .. }
                | Command::Replay { .. }
                | Command::Explain { team: Some(_), .. }
                | Command::Sync(Sync { apply: false, .. })
        )
    }

    /// Whether it must ask GitHub or Sentry, so that it needs tokens if no service runs.
    pub fn needs_tokens(&self) -> bool {
        matches!(
            self,
            Command::Sync(_)
                | Command::Whois { .. }
                | Command::Undo { id: Some(_), .. }
                | Command::Replay { github: true, .. }
        )
    }

    /// Whether it asks both sides if it can, and otherwise reports what the state knows.
    pub fn uses_tokens(&self) -> bool {
        matches!(self, Command::Explain { .. })
    }

    pub fn asks_hosts(&self) -> bool {
        self.needs_tokens() || self.uses_tokens() || matches!(self, Command::Check { .. })
    }

    /// Runs a command that only reads append-only files of a state directory, and therefore needs no lock.
    pub fn run_on_files(&self, state_dir: &Path, out: Output) -> Option<Reply> {
        match self {
            // Only Sentry knows who has an address, and here no service is running to ask it.
            Command::Audit(Query { person: Some(person), .. })
                if matches!(PersonName::read(person), PersonName::Mail(_)) =>
            {
                Some(Reply::failed(
                    "an e-mail address is looked up in Sentry, by a running service\n  fix: name the GitHub login, or id:NUMBER",
                ))
            }
            Command::Audit(query) => Some(audit::run(state_dir, query, Known::default(), out)),
            Command::Undo { id: None, .. } => Some(undo::list(state_dir, &|_| None)),
            _ => None,
        }
    }

    pub fn needs_state(&self) -> bool {
        matches!(self, Command::Undo { .. } | Command::Replay { .. })
    }

    pub fn makes_state(&self) -> bool {
        matches!(self, Command::Sync(Sync { apply: true, .. }))
    }
}

impl Reply {
    /// A failed command: the reason on the first line, the fix on the next.
    pub fn failed(why: impl fmt::Display) -> Self {
        Self { err: format!("error: {why}\n"), exit: 1, ..Self::default() }
    }

    /// Refuses a command that would write to Sentry during a pause.
    pub fn paused(pause: &Pause) -> Self {
        Self::failed(format_args!("{pause}; nothing was done\n  fix: sentry-team-sync resume"))
    }

    fn say(&mut self, line: &str) {
        let _ = writeln!(self.out, "{line}");
    }

    fn tell(&mut self, line: &str) {
        let _ = writeln!(self.err, "{line}");
    }

    fn fail(&mut self, line: &str) {
        self.tell(&format!("error: {line}"));
        self.exit = 1;
    }
}
