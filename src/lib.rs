//! Mirrors GitHub's teams and memberships to Sentry.
//!
//! The modules from top to bottom. Each imports only from those below it, and from `clock`, `error`, `lock` and `text`:
//!
//! ```text
//! cli         parses the command line, then runs the service, asks a running one, or does the job alone
//! service     the process: gates, tiny_http, control socket, admin listener, start and stop
//! commands    one file per command
//! status      the current status as one value, and its views
//! reconcile   comparisons: when to make one, reading both sides, comparing, planning, guards
//! intake      from request to durable delivery; finds missed deliveries
//! work        carries out one job at a time
//! queue       the pending jobs and their order
//! identity    matches GitHub accounts with Sentry members
//! hosts       typed calls to GitHub and Sentry
//! store       journal and audit log on disk
//! config      settings in use, secrets
//! state       the shared types, and the state that the journal's records add up to
//! ```
//!
//! The path of one delivery through the modules:
//!
//! ```text
//! service::gate      reads one whole request under deadlines and limits, and hands it to tiny_http
//! intake             checks signature, headers, payload (state::event::parse) and organisation
//! store::journal     syncs the record to disk (group commit)     -> 202
//! queue              notes what the delivery says, and adds it to a lane: one per team, person, organisation
//! work               takes a job
//!   team             folds a team's hints together (batch); team_job is shared by all parts of the job
//!   truth            what GitHub says (read mode), or the deliveries (payload mode)
//!   bind, end        facts -> step::next -> apply, until the Sentry team is as it should be
//!   members          adds and removes members by identity (map, Sentry, SSO, addresses), unless guard stops it
//!   apply            intent -> call to Sentry -> verdict -> record -> audit line
//!   trouble          what a failed call means for the hint
//! store::journal     records the delivery as settled
//! ```
//!
//! In a comparison, `reconcile::schedule` decides when, `reconciler` and `run` control it, `read` and `in_team` read
//! both sides (`hosts`), `identity::matcher` matches people, `compare` and `judge` make the plan, `run` puts its parts
//! into the `queue`, and `work::part` carries them out. `explain` uses `commands::explain::answer`, `live`, then
//! `work::truth`, `hosts`, and `reconcile::compare` for the planned changes.
//!
//! Pure, without clock, file or socket: `state`, `identity`, `reconcile::compare`, `work::step`, `work::guard`,
//! `hosts::http::verdict`. Tests can replace the clock (`clock`), the thread scheduling (`lock`), the network
//! (`hosts::http::transport`) and the disk (`store::files`). `work::mirror` holds the parts of a mirror together.
//! Only `work::apply` writes to Sentry; only `store::journal` changes the state.

/// Logs at any level, also at debug, which `log`'s own macros leave out of release builds (`release_max_level_info`).
macro_rules! say {
    ($level:expr, $($words:tt)+) => { crate::text::say($level, module_path!(), format_args!($($words)+)) };
}

mod cli;
mod clock;
mod commands;
mod config;
mod error;
#[cfg(test)]
mod fuzz;
mod hosts;
mod identity;
mod intake;
mod lock;
mod queue;
mod reconcile;
mod service;
mod state;
mod status;
mod store;
mod text;
mod work;

/// Internals for the tests, the benchmark and the demo. Nothing else may use them.
#[doc(hidden)]
pub mod parts {
    pub use crate::cli::help::EXIT_CODES;
    pub use crate::clock::{Clock, Hand, Timestamp};
    pub use crate::commands::check::Surroundings;
    pub use crate::commands::grammar::{CommandHelp, COMMANDS};
    pub use crate::commands::paste::Invocation;
    pub use crate::commands::sync::Sync;
    pub use crate::commands::{Bench, Command, Live, Reply};
    pub use crate::config::secret::Secret;
    pub use crate::config::sign_in::SignIn;
    pub use crate::config::values::{base_url, BaseUrl};
    pub use crate::config::{load, Need, Setting, SETTINGS};
    pub use crate::hosts::github::app::Whose;
    pub use crate::hosts::github::facts::{Claims, Count, Wanted};
    pub use crate::hosts::github::Github;
    pub use crate::hosts::http::answer::{Answer, Headers};
    pub use crate::hosts::http::tls::Way;
    pub use crate::hosts::http::transport::{
        Carrier, Outgoing, Transport, Unanswered, BODY_LIMIT, USER_AGENT,
    };
    pub use crate::hosts::http::{Trouble, TroubleKind};
    pub use crate::hosts::sentry::ids::TeamAt;
    pub use crate::hosts::sentry::Sentry;
    pub use crate::hosts::snapshot::{Gaps, GithubSnapshot, GithubTeam, List};
    pub use crate::intake::signature::signed_by;
    pub use crate::intake::{Answer as IntakeAnswer, Intake, Request as IntakeRequest};
    pub use crate::lock::{conduct, conductor, holds_any, Conductor, Seat};
    pub use crate::reconcile::reconciler::Reconciler;
    pub use crate::reconcile::schedule::Schedule;
    pub use crate::service::control::ShortPath;
    pub use crate::service::core::Core;
    pub use crate::service::reload::reload;
    pub use crate::state::event::{Change, Event, Person, TeamRef};
    pub use crate::state::ids::{
        GithubOrgId, GithubSlug, GithubTeamId, GithubUserId, HookId, Login, SentrySlug, SentryTeamId,
    };
    pub use crate::state::record::Record;
    pub use crate::state::slug::for_team;
    pub use crate::state::values::{Delivery, DeliveryKey};
    pub use crate::state::State;
    pub use crate::status::Observer;
    pub use crate::store::actor::Actor;
    pub use crate::store::files::{Files, Open, OpenFile, Space, Stat};
    pub use crate::store::interrupted::retried;
    pub use crate::store::journal::compact::{Keeper, EVERY};
    pub use crate::store::journal::{Entry, Journal};
    pub use crate::store::state_dir::StateDir;
    pub use crate::work::mirror::Mirror;
    pub use crate::work::run as work;
}

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use cli::action::Action;
use cli::{client, Cli};
use commands::paste::Invocation;
use config::{Config, Need};
use error::Result;

/// Runs the program by its arguments and environment, and returns the exit code.
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
        Action::Holds => Ok(client::answer(&client::undecided_holds(&flags), "", 0)),
        Action::Serve => {
            let env = config::environment();
            let config = config::load(&flags, &env, Need::Everything)?;
            start_log(&config, Invocation::of_service(&config.settings.state_dir, &env));
            service::run(&config, &flags, &env)?;
            // Threads that still wait for a connection end with the process.
            Ok(ExitCode::SUCCESS)
        }
        Action::App(asked) => cli::app::run(&asked, &flags),
        Action::Run(asked) => client::run(asked, &flags, &start_log),
    }
}

/// Sends the log to stderr, without timestamps because journald adds them.
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
