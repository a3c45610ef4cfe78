//! Runs the command that the user typed, in the running service or else in this process, and prints the answer.
//!
//! A running service has its own settings. Settings given here apply only if no service runs, and must never seem to
//! apply to a running one.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::action::Asked;
use crate::cli::alone;
use crate::cli::layout::Layout;
use crate::clock::Timestamp;
use crate::commands::paste::{absolute, quoted, Invocation};
use crate::commands::{Command, Reply};
use crate::config::{self, Config, Environment, Fault, Need, SETTINGS};
use crate::error::{Context, Error, Result};
use crate::service::control::Running;
use crate::store::actor::Claims;
use crate::store::journal::Journal;

/// Carries out a command. `log` starts the log; it is called only if `RUST_LOG` is set and no service runs.
pub fn run(asked: Asked, flags: &Environment, log: &dyn Fn(&Config, Invocation)) -> Result<ExitCode> {
    let Asked { command, save, kept } = asked;
    let env = config::environment();
    let (config, faults) = config::read(flags, &env, Need::StateDir);
    // If the state directory is unknown, another service could be asked, so refuse. `check` reports all faults itself.
    let is_check = matches!(command, Command::Check { .. });
    let is_lost = faults.iter().any(|fault| fault.var == "SYNC_STATE_DIR");
    let counts = |fault: &&Fault| flags.contains_key(fault.var) || is_lost && !is_check;
    config::refuse(faults.iter().filter(counts), &[])?;
    let dir = &config.settings.state_dir;
    let command = with_kept_plan(command, kept)?;
    let running = match &command {
        Command::Check { offline: true, .. } => None,
        _ if is_lost => None,
        _ => Running::find(dir)?,
    };
    let progress = |text: &str| {
        if std::io::stderr().is_terminal() {
            eprintln!("{text} …");
        }
    };
    let reader = Invocation::of_reader(flags.get("SYNC_STATE_DIR").map(String::as_str), &env);
    let layout = Layout::of(&command, &env, &reader);
    let shown = |text: &str| {
        if text.starts_with(['{', '[']) {
            reader.in_json(text)
        } else {
            layout.put_on(reader.in_text(text))
        }
    };
    // Streamed lines of JSON are copies from a file, so leave them as they are.
    let out = |text: &str| {
        if text.starts_with('{') {
            std::io::stdout().write_all(text.as_bytes())
        } else {
            std::io::stdout().write_all(layout.put_on(reader.in_text(text)).as_bytes())
        }
    };
    let mut reply = match running {
        Some(running) => {
            let warning = beside_a_service(&command, flags)?;
            let reply = running.ask(&command, Claims::of_self(&env), &progress, &out)?;
            Reply { err: warning + &reply.err, ..reply }
        }
        None => {
            if env.contains_key("RUST_LOG") {
                log(&config, reader.clone());
            }
            let call = alone::Call { command: &command, flags, env: &env, progress: &progress, out: &out };
            alone::run(&config, &faults, &call)?
        }
    };
    if let (Some(path), Some(plan)) = (save, &reply.plan) {
        reply.err.push_str(&keep(&path, plan, command.makes_state())?);
    }
    Ok(answer(&shown(&reply.out), &reader.in_text(&reply.err), reply.exit))
}

/// The names of the undecided holds, one per line. It reads the files on disk, which works even while a service writes.
/// Empty if they cannot be read.
pub fn undecided_holds(flags: &Environment) -> String {
    let (config, _) = config::read(flags, &config::environment(), Need::StateDir);
    let state = Journal::look(&config.settings.state_dir, Timestamp::now());
    let holds = state.iter().flat_map(|(state, _)| state.holds.iter());
    holds.filter(|hold| hold.decision.is_none()).map(|hold| format!("{}\n", hold.name)).collect()
}

/// Prints the answer to stdout and messages to stderr. A closed pipe is no error.
pub fn answer(out: &str, err: &str, exit: u8) -> ExitCode {
    let _ = std::io::stdout().write_all(out.as_bytes());
    let _ = std::io::stderr().write_all(err.as_bytes());
    ExitCode::from(exit)
}

fn with_kept_plan(command: Command, kept: Option<PathBuf>) -> Result<Command> {
    let (Some(path), Command::Sync(sync)) = (kept, &command) else { return Ok(command) };
    let read = || -> Result<_> {
        let text = std::fs::read(&path).context("failed to read the saved plan", path.display())?;
        serde_json::from_slice(&text).context("failed to read the saved plan", path.display())
    };
    let plan = read().map_err(|error| error.fix("name a file that `sync --save FILE` wrote"))?;
    Ok(Command::Sync(crate::commands::sync::Sync { kept: Some(plan), ..sync.clone() }))
}

/// Writes the plan to its file, and returns the message about it.
fn keep(path: &Path, plan: &serde_json::Value, is_carried_out: bool) -> Result<String> {
    let text = serde_json::to_string_pretty(plan).context("failed to write", path.display())?;
    std::fs::write(path, text + "\n").context("failed to write", path.display())?;
    let kept = format!("the plan is saved in `{}`", path.display());
    Ok(if is_carried_out {
        format!("{kept}\n")
    } else {
        let file = quoted(&absolute(path).to_string_lossy());
        format!("{kept}; to carry it out: sentry-team-sync sync --apply={file}\n")
    })
}

/// Warns about settings on the command line, which a running service ignores. They are refused for a command that would
/// change something, because the user may rely on a limit that they set.
fn beside_a_service(command: &Command, flags: &Environment) -> Result<String> {
    let given = SETTINGS.iter().filter(|setting| flags.contains_key(&setting.flag_var()));
    let given: Vec<_> = given.filter(|setting| setting.var != "SYNC_STATE_DIR").collect();
    if given.is_empty() {
        return Ok(String::new());
    }
    let names: Vec<_> = given.iter().map(|setting| format!("--{}", setting.flag())).collect();
    let names = names.join(", ");
    let says = |how: &str| format!("the running service has its own settings: {names} {how} ignored");
    if command.makes_state() && given.iter().any(|setting| !setting.secret) {
        return Err(Error::usage(says("would be"))
            .fix("leave it out, or change the service's settings and restart it"));
    }
    Ok(format!("warning: {}\n", says(if given.len() == 1 { "is" } else { "are" })))
}
