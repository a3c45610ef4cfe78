//! A command as somebody has typed it: carried out by the running service, else by this process, and its answer.
//!
//! A running service has settings of its own. What is set here counts for whoever has none, and must never seem to count
//! for the other.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::table::COMMANDS;
use crate::cli::Asked;
use crate::commands::{Command, Reply};
use crate::config::{self, Config, Environment, Fault, Need, SETTINGS};
use crate::control::Running;
use crate::error::{Context, Error, Result};
use crate::{alone, reconcile};

/// Carries out a command. `log` starts the log, which is shown only where it was asked for and no service runs.
pub fn run(asked: Asked, flags: &Environment, log: &dyn Fn(&Config)) -> Result<ExitCode> {
    let Asked { command, save, kept } = asked;
    let env = config::environment();
    let (config, faults) = config::read(flags, &env, Need::StateDir);
    // Where the state directory is cannot be left open: another service could be asked. `check` tells all faults itself.
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
    let out = |text: &str| std::io::stdout().write_all(text.as_bytes());
    let mut reply = match running {
        Some(running) => {
            let warning = beside_a_service(&command, flags)?;
            let reply = running.ask(&command, &progress, &out)?;
            Reply { err: warning + &reply.err, ..reply }
        }
        None => {
            if env.contains_key("RUST_LOG") {
                log(&config);
            }
            let call = alone::Call { command: &command, progress: &progress, out: &out };
            alone::run(&config, &faults, flags, &env, &call)?
        }
    };
    if let (Some(path), Some(plan)) = (save, &reply.plan) {
        reply.err.push_str(&keep(&path, plan, command.makes_state())?);
    }
    if let Some(dir) = flags.get("SYNC_STATE_DIR") {
        reply = Reply { out: with_state_dir(reply.out, dir), err: with_state_dir(reply.err, dir), ..reply };
    }
    Ok(answer(&reply.out, &reply.err, reply.exit))
}

/// stdout is for the answer, stderr for talk. A pipe that was closed is nobody's fault.
pub fn answer(out: &str, err: &str, exit: u8) -> ExitCode {
    let _ = std::io::stdout().write_all(out.as_bytes());
    let _ = std::io::stderr().write_all(err.as_bytes());
    ExitCode::from(exit)
}

/// Reads the plan that was kept in a file.
fn with_kept_plan(command: Command, kept: Option<PathBuf>) -> Result<Command> {
    let (Some(path), Command::Sync(sync)) = (kept, &command) else { return Ok(command) };
    let read = || -> Result<_> {
        let text = std::fs::read_to_string(&path).context("failed to read the kept plan", path.display())?;
        serde_json::from_str(&text).context("failed to read the kept plan", path.display())
    };
    let plan = read().map_err(|error| error.fix("name a file that `sync --save FILE` has written"))?;
    Ok(Command::Sync(reconcile::command::Sync { kept: Some(plan), ..sync.clone() }))
}

/// Writes the plan into its file; what is said about that.
fn keep(path: &Path, plan: &serde_json::Value, is_carried_out: bool) -> Result<String> {
    let text = serde_json::to_string_pretty(plan).context("failed to write", path.display())?;
    std::fs::write(path, text + "\n").context("failed to write", path.display())?;
    let path = path.display();
    Ok(match is_carried_out {
        true => format!("the plan is kept in `{path}`\n"),
        false => {
            format!("the plan is kept in `{path}`; to carry it out: sentry-team-sync sync --apply={path}\n")
        }
    })
}

/// What is said of settings on the command line that a running service does not take over. Where it is about to change
/// something, they are refused: whoever limits what may happen must not be overheard.
fn beside_a_service(command: &Command, flags: &Environment) -> Result<String> {
    let given = SETTINGS.iter().filter(|setting| flags.contains_key(&setting.flag_var()));
    let given: Vec<_> = given.filter(|setting| setting.var != "SYNC_STATE_DIR").collect();
    if given.is_empty() {
        return Ok(String::new());
    }
    let names: Vec<_> = given.iter().map(|setting| format!("--{}", setting.flag())).collect();
    let names = names.join(", ");
    let says = |how: &str| format!("the running service has its own settings: {names} {how} not count");
    if command.makes_state() && given.iter().any(|setting| !setting.secret) {
        return Err(
            Error::usage(says("would")).fix("leave it out, or change the service's settings and restart it")
        );
    }
    Ok(format!("warning: {}\n", says("does")))
}

/// Commands that the answer shows, for this state directory: to be pasted as they are.
fn with_state_dir(mut text: String, dir: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    let dir = match dir.chars().all(plain) {
        true => dir.to_string(),
        false => format!("'{}'", dir.replace('\'', r"'\''")),
    };
    if !text.starts_with(['{', '[']) {
        for command in COMMANDS {
            let typed = format!("sentry-team-sync {}", command.name);
            text = text.replace(&typed, &format!("{typed} --state-dir {dir}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_commands_are_for_the_directory_that_was_named() {
        let shown = |text: &str, dir| with_state_dir(text.into(), dir);
        assert_eq!(
            shown("to leave it: sentry-team-sync reject 1f\n", "/var/lib/x"),
            "to leave it: sentry-team-sync reject --state-dir /var/lib/x 1f\n"
        );
        assert_eq!(
            shown("`sentry-team-sync status`", "a b'c"),
            r"`sentry-team-sync status --state-dir 'a b'\''c'`"
        );
        assert_eq!(shown("sentry-team-sync 0.1.0", "/x"), "sentry-team-sync 0.1.0");
        let json = "{\"fix\":\"sentry-team-sync check\"}";
        assert_eq!(shown(json, "/x"), json);
    }
}
