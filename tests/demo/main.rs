//! The demo: pretend GitHub, pretend Sentry, and the real service between them, on this machine alone.
//!
//! An example can not rely on the program having been built, so this binary is both: started with the private word
//! [`AS_SERVICE`], it is the service, and the demo starts itself that way. With a command of the program it runs that, so
//! that what log and page tell to type can be pasted.

// The stand-ins' world is made for tests, which say what must hold by stopping where it does not.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// The stand-ins fold names as GitHub and Sentry do.
#![allow(clippy::disallowed_methods)]

mod cast;
mod ending;
mod play;
mod scenes;
mod stage;
#[path = "../standin/mod.rs"]
mod standin;
mod watch;
#[path = "../world/mod.rs"]
mod world;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use play::Play;
use sentry_team_sync::parts::CommandHelp;
use stage::{Ink, Played, Stage, Stop};

/// The private word.
const AS_SERVICE: &str = "--as-service";

const HELP: &str = "\
Shows what sentry-team-sync does, without an account and without a network: stand-ins for GitHub and
Sentry on this machine, the real service between them, signed deliveries, and what each one causes.

usage: cargo run --release --example demo [-- [--exit] [--calls]]

  --exit    end after the last scene: 0 if both sides agree, 1 if not;
            without it, the status page stays up until Ctrl-C
  --calls   show each API call, too
  --help    show this help

Colours and pauses appear on a terminal only, and not with NO_COLOR.
";

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let word = args.first().and_then(|word| word.to_str()).unwrap_or_default();
    match (word == AS_SERVICE, CommandHelp::named(word)) {
        (true, _) => return sentry_team_sync::main(args.into_iter().skip(1)),
        (false, Some(_)) => return sentry_team_sync::main(args),
        (false, None) => {}
    }
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    if has("--help") || has("-h") {
        let _ = std::io::Write::write_all(&mut std::io::stdout(), HELP.as_bytes());
        return ExitCode::SUCCESS;
    }
    if let Some(other) = args.iter().find(|arg| *arg != "--exit" && *arg != "--calls") {
        eprintln!(
            "error: the demo takes --exit and --calls, not `{}`\n  fix: --help explains both",
            other.to_string_lossy()
        );
        return ExitCode::from(64);
    }
    perform(has("--exit"), has("--calls"))
}

/// Plays everything, cleans up, and says by the exit code whether both sides agreed.
fn perform(exit: bool, shows_calls: bool) -> ExitCode {
    match prepare(shows_calls).and_then(|mut play| {
        let played =
            open(&mut play).and_then(|()| scenes::all(&mut play)).and_then(|()| ending::run(&mut play, exit));
        // Also after a failure: first the service, then its folder.
        ending::clean_up(play);
        played
    }) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) | Err(Stop::Closed) => ExitCode::FAILURE,
        Err(Stop::Interrupted) => ExitCode::from(130),
        Err(Stop::Failed(why)) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn prepare(shows_calls: bool) -> Played<Play> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // The second one ends the process at once, should the first be of no avail.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, interrupted.clone())?;
        signal_hook::flag::register(signal, interrupted.clone())?;
    }
    let program = std::env::current_exe()?;
    Ok(Play::new(Stage::new(interrupted, shows_calls), &program, AS_SERVICE))
}

fn open(play: &mut Play) -> Played {
    let title = "sentry-team-sync: GitHub organisation acme -> Sentry organisation acme-sentry";
    play.stage.line(&play.stage.paint(Ink::Bold, title))?;
    play.stage.line("Both sides are stand-ins on this machine. The service between them is the real one.")
}
