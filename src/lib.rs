//! Keeps Sentry's teams and memberships the same as GitHub's.
//!
//! The way of one delivery, in the order of the modules it meets:
//!
//! ```text
//! gate       one whole request, read under deadlines and limits, handed to tiny_http
//! intake     signature, headers, event::parse, organisation
//! journal      the record is on disk (group commit)        -> 202
//! lanes      one lane per team, person, organisation; hints fold together
//! work       takes a job
//!   truth      what GitHub says (read mode), or the deliveries (payload mode)
//!   who        who that is in Sentry: identity's rules over map, Sentry, SSO, addresses
//!   plan       what is to be done; guard: what is stopped
//!   apply      intent -> Sentry's call -> verdict -> record -> audit line
//! journal      settled
//! ```
//!
//! Pure, without clock, file or socket: [`event`], [`slug`], [`identity`], [`plan`], [`guard`], [`verdict`], [`state`].
//! Only [`apply`] writes to Sentry; only [`journal`] changes the state.

pub mod admin;
pub mod alone;
pub mod apply;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod control;
pub mod doctor;
pub mod engine;
pub mod error;
pub mod escape;
pub mod event;
pub mod explain;
pub mod failpoint;
#[cfg(test)]
mod fuzz;
pub mod gate;
pub mod github;
pub mod guard;
pub mod hours;
pub mod identity;
pub mod ids;
pub mod intake;
pub mod invite;
pub mod journal;
pub mod lanes;
pub mod map_guard;
pub mod notify;
pub mod plan;
pub mod profiles;
pub mod reconcile;
pub mod recover;
pub mod reload;
pub mod secret;
pub mod sentry;
pub mod serve;
pub mod slug;
pub mod snapshot;
pub mod state;
pub mod status;
pub mod truth;
pub mod upstream;
pub mod verdict;
pub mod watch;
pub mod who;
pub mod words;
pub mod work;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use cli::{Action, Asked, Cli};
use commands::Command;
use config::{Config, Need};
use error::{Context, Result};

/// The program: reads arguments and environment, does what they say, and returns the exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match run(args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            error.exit_code()
        }
    }
}

fn run(args: impl IntoIterator<Item = OsString>) -> Result<ExitCode> {
    let Cli { action, flags } = cli::parse(args)?;
    match action {
        Action::Print(text) => Ok(answer(&text, "", 0)),
        Action::Serve => {
            let env = config::environment();
            let config = config::load(&flags, &env, Need::Everything)?;
            start_log(&config);
            serve::run(&config, &flags, &env)?;
            // Threads that wait for a connection of their own end with the process.
            Ok(ExitCode::SUCCESS)
        }
        Action::Run(Asked { command, save, kept }) => {
            let env = config::environment();
            let (config, faults) = config::read(&flags, &env, Need::StateDir);
            // What else is set here is for whoever has no service: a running one has its own.
            config::refuse(faults.iter().filter(|fault| flags.contains_key(fault.var)))?;
            let command = with_kept_plan(command, kept)?;
            let progress = |text: &str| {
                if std::io::stderr().is_terminal() {
                    eprintln!("{text} …");
                }
            };
            let out = |text: &str| std::io::stdout().write_all(text.as_bytes());
            let mut reply = match control::ask(&config.settings.state_dir, &command, &progress, &out)? {
                Some(reply) => reply,
                None => {
                    if env.contains_key("RUST_LOG") {
                        start_log(&config);
                    }
                    let call = alone::Call { command: &command, progress: &progress, out: &out };
                    alone::run(&flags, &env, &call)?
                }
            };
            if let (Some(path), Some(plan)) = (save, &reply.plan) {
                let text = serde_json::to_string_pretty(plan).context("failed to write", path.display())?;
                std::fs::write(&path, text + "\n").context("failed to write", path.display())?;
                let path = path.display();
                reply.err.push_str(&format!(
                    "the plan is kept in `{path}`; to carry it out: sentry-team-sync sync --apply={path}\n"
                ));
            }
            Ok(answer(&reply.out, &reply.err, reply.exit))
        }
    }
}

/// Reads the plan that was kept in a file.
fn with_kept_plan(command: Command, kept: Option<PathBuf>) -> Result<Command> {
    let (Some(path), Command::Sync(sync)) = (kept, &command) else { return Ok(command) };
    let text = std::fs::read_to_string(&path).context("failed to read the kept plan", path.display())?;
    let plan = serde_json::from_str(&text).context("failed to read the kept plan", path.display())?;
    Ok(Command::Sync(reconcile::command::Sync { kept: Some(plan), ..sync.clone() }))
}

/// stdout is for the answer, stderr for talk. A pipe that was closed is nobody's fault.
fn answer(out: &str, err: &str, exit: u8) -> ExitCode {
    let _ = std::io::stdout().write_all(out.as_bytes());
    let _ = std::io::stderr().write_all(err.as_bytes());
    ExitCode::from(exit)
}

/// The log goes to stderr, without times: journald stamps lines.
fn start_log(config: &Config) {
    let mut builder = env_logger::Builder::new();
    builder.parse_filters(&config.settings.log).format(|to, record| {
        writeln!(to, "{} {}", record.level().as_str().to_ascii_lowercase(), record.args())
    });
    let _ = builder.try_init();
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        log::error!("internal error in thread {}: {panic}", thread.name().unwrap_or("?"));
    }));
}
