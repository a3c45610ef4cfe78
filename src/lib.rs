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
//! Pure, without clock, file or socket: [`address`], [`event`], [`slug`], [`identity`], [`plan`], [`guard`], [`verdict`], [`state`].
//! Only [`apply`] writes to Sentry; only [`journal`] changes the state.

pub mod actor;
pub mod address;
pub mod admin;
pub mod alone;
pub mod apply;
pub mod audit;
pub mod cli;
pub mod client;
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
pub mod handover;
pub mod heard;
pub mod hours;
pub mod identity;
pub mod ids;
pub mod inner;
pub mod intake;
pub mod interrupted;
pub mod invite;
pub mod journal;
pub mod lanes;
pub mod map_guard;
pub mod meant;
pub mod notify;
pub mod owner;
pub mod paste;
pub mod pause;
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
mod tagged;
pub mod team_ids;
pub mod truth;
pub mod unused;
pub mod upstream;
pub mod verdict;
pub mod watch;
pub mod who;
pub mod words;
pub mod work;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use cli::{Action, Cli};
use config::{Config, Need};
use error::Result;
use paste::Invocation;

/// The program: reads arguments and environment, does what they say, and returns the exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<_> = args.into_iter().collect();
    let state_dir = cli::state_dir(&args);
    match run(args) {
        Ok(code) => code,
        Err(error) => {
            let reader = Invocation::of_reader(state_dir.as_deref(), &config::environment());
            eprintln!("error: {}", reader.in_text(&error.to_string()));
            error.exit_code()
        }
    }
}

fn run(args: impl IntoIterator<Item = OsString>) -> Result<ExitCode> {
    let Cli { action, flags } = cli::parse(args)?;
    match action {
        Action::Print(text) => Ok(client::answer(&text, "", 0)),
        Action::Serve => {
            let env = config::environment();
            let config = config::load(&flags, &env, Need::Everything)?;
            start_log(&config, Invocation::of_service(&config.settings.state_dir, &env));
            serve::run(&config, &flags, &env)?;
            // Threads that wait for a connection of their own end with the process.
            Ok(ExitCode::SUCCESS)
        }
        Action::Run(asked) => client::run(asked, &flags, &start_log),
    }
}

/// The log goes to stderr, without times: journald stamps lines.
fn start_log(config: &Config, reader: Invocation) {
    let mut builder = env_logger::Builder::new();
    builder.parse_filters(&config.settings.log).format(move |to, record| {
        let said = record.args().to_string();
        writeln!(to, "{} {}", record.level().as_str().to_ascii_lowercase(), reader.in_text(&said))
    });
    let _ = builder.try_init();
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        log::error!("internal error in thread {}: {panic}", thread.name().unwrap_or("?"));
    }));
}
