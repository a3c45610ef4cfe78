//! A command where no service runs: this process takes the lock and does the same work itself.
//!
//! Commands that only read work without a state directory, and leave none behind. Only carrying out a plan creates one.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::Clock;
use crate::commands::check::{self, Shape, Surroundings};
use crate::commands::paste::{absolute, Invocation};
use crate::commands::{Bench, Command, Live, Output, Reply, LOOK};
use crate::config::{self, Config, Environment, Fault, Need};
use crate::error::{Context, Error, Result};
use crate::hosts::http::tls;
use crate::reconcile::reconciler::Reconciler;
use crate::reconcile::Progress;
use crate::service::{self, handover};
use crate::status::Observer;
use crate::store::actor::Actor;
use crate::store::journal::Journal;
use crate::store::owner;
use crate::store::state_dir::StateDir;
use crate::work;
use crate::work::mirror::Mirror;

/// A command to carry out, with its settings and outputs.
pub struct Call<'a> {
    pub command: &'a Command,
    pub flags: &'a Environment,
    pub env: &'a Environment,
    pub progress: Progress<'a>,
    pub out: Output<'a>,
}

/// Carries out a command. `config` and `faults` were read without requiring the tokens.
pub fn run(config: &Config, faults: &[Fault], call: &Call) -> Result<Reply> {
    let reply = carry_out(config, faults, call);
    let dir = &config.settings.state_dir;
    match owner::give_back(dir) {
        Ok(()) => reply,
        Err(why) => {
            let remark = format!(
                "what this command has made in `{}` could not be given to the folder's owner, and a service of theirs \
                 may be unable to write to it: {why}",
                absolute(dir).display()
            );
            reply.map(|reply| told(reply, &[remark]))
        }
    }
}

fn carry_out(config: &Config, faults: &[Fault], call: &Call) -> Result<Reply> {
    // `check` reports every fault of the configuration itself, and checks the rest in spite of them.
    if let Command::Check { json, verbose, url, offline } = call.command {
        let shape = Shape::of(*json, *verbose);
        let asked = check::Asked { shape, url: url.as_deref(), offline: *offline };
        return Ok(check::alone(call.flags, call.env, &asked, call.progress));
    }
    config::refuse(faults.iter(), &config.unknown)?;
    let reply = alone(config, call)?;
    let unknown: Vec<_> = config.unknown.iter().map(config::Unknown::told).collect();
    Ok(told(reply, &unknown))
}

fn alone(config: &Config, call: &Call) -> Result<Reply> {
    let (dir, command) = (&config.settings.state_dir, call.command);
    // Files that are only appended to can be read without the lock, even while another command holds it.
    if let Some(reply) = command.run_on_files(dir, call.out) {
        return Ok(reply);
    }
    let has_state = dir.join("journal").is_dir();
    if command.needs_tokens() && (has_state || !command.needs_state()) {
        return with_tokens(&config::load(call.flags, call.env, Need::Tokens)?, has_state, call);
    }
    let mut warning = String::new();
    if command.uses_tokens() {
        let config = config::load(call.flags, call.env, Need::Tokens);
        match config.and_then(|config| with_tokens(&config, has_state, call)) {
            Err(error) if has_state => {
                warning = format!("warning: GitHub and Sentry were not asked: {error}\n")
            }
            asked => return asked,
        }
    }
    if !has_state {
        return without_state(dir, command);
    }
    let (journal, remarks) = Journal::open(StateDir::claim(dir)?, Clock::System)?;
    let settings = Arc::new(config.settings.clone());
    let bench =
        Bench { journal: &journal, settings, live: None, out: call.out, by: Actor::of_self(call.env) };
    let reply = bench.run(command, call.progress);
    journal.close();
    let reply = told(reply, &remarks);
    Ok(Reply { err: warning + &reply.err, ..reply })
}

fn with_tokens(config: &Config, has_state: bool, call: &Call) -> Result<Reply> {
    let dir = &config.settings.state_dir;
    if has_state || call.command.makes_state() {
        service::make_private_dir(dir)?;
        return with_engine(config, dir, call);
    }
    let passing = Passing::new()?;
    with_engine(config, &passing.0, call)
}

fn told(reply: Reply, remarks: &[String]) -> Reply {
    let warnings: String = remarks.iter().map(|remark| format!("warning: {remark}\n")).collect();
    Reply { err: warnings + &reply.err, ..reply }
}

/// Shows absolute paths, because the user may have meant another folder.
fn without_state(dir: &Path, command: &Command) -> Result<Reply> {
    let out = match command {
        Command::Status { json: false, .. } => format!(
            "no service has run yet: `{}` {}; for a service with another folder, use --state-dir\n",
            absolute(dir).display(),
            if dir.is_dir() { "holds no state" } else { "does not exist" }
        ),
        Command::Status { json: true, .. } => "null\n".into(),
        _ => {
            return Err(Error::failed(format!("there is no state in `{}`", absolute(dir).display()))
                .fix("give the service's folder with --state-dir"))
        }
    };
    Ok(Reply { out, ..Reply::default() })
}

/// Runs a command with both tokens, and with workers that carry out changes.
fn with_engine(config: &Config, dir: &Path, call: &Call) -> Result<Reply> {
    let env = call.env;
    let (journal, remarks) = Journal::open(StateDir::claim(dir)?, Clock::System)?;
    let journal = Arc::new(journal);
    let way = tls::way(env, config.settings.is_all_local())?;
    way.announce(&config.settings);
    let reconciler = Arc::new(Reconciler::new(Arc::new(Mirror::new(config, &way, journal.clone()))));
    let observer = Observer::new(reconciler.clone(), Arc::default());
    let around = Surroundings::new(config, env, &way, Invocation::of_reader(None, env));
    let mirror = &reconciler.mirror;
    let found = reconciler
        .find_bearings(true)
        .map_err(|trouble| Error::failed("failed to find the GitHub organisation").why(trouble).fix(LOOK))?;
    if !found {
        return Err(Error::failed(mirror.why_no_organisation())
            .why("the token belongs to several organisations, or does not show any")
            .fix("set GH_ORG to its login, or run the service: the first signed event names it"));
    }
    let reply = std::thread::scope(|scope| {
        for _ in 0..config.settings.workers {
            scope.spawn(|| work::run(mirror));
        }
        let (settings, out) = (mirror.settings(), call.out);
        let by = Actor::of_self(env);
        let live = Some(Live { observer: &observer, around: &around });
        let bench = Bench { journal: &journal, settings, live, out, by };
        let has_bonds = || journal.read(|state| state.teams.n_bound() > 0);
        let had_bonds = has_bonds();
        let mut reply = bench.run(call.command, call.progress);
        if let (false, true, Some(said)) = (had_bonds, has_bonds(), handover::after_first_bonds(dir, env)) {
            reply.err.push_str(&said);
        }
        mirror.queue.lanes.stop();
        mirror.tell_ended_holds();
        reply
    });
    journal.close();
    Ok(told(reply, &remarks))
}

/// A temporary state directory for one command that only reads.
struct Passing(PathBuf);

impl Passing {
    fn new() -> Result<Self> {
        // Not by the process alone: one that was killed leaves its folder behind, and in a container all have one number.
        let number = RandomState::new().build_hasher().finish();
        let dir = std::env::temp_dir().join(format!("sentry-team-sync-{number}"));
        let made = std::fs::DirBuilder::new().mode(0o700).create(&dir);
        made.context("failed to make the folder", dir.display())?;
        Ok(Self(dir))
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
