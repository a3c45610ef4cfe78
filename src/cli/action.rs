//! Turns the typed command into an action. The grammar has already checked the arguments, so this must never accept
//! anything that the grammar lacks.

use std::path::PathBuf;

use super::app::{AppAsked, Step};
use super::typed::Typed;
use super::{complete, manual};
use crate::clock::Timestamp;
use crate::commands::audit::{self, Query};
use crate::commands::grammar::{CommandHelp, SHELL, VERBOSE};
use crate::commands::sync::Sync;
use crate::commands::Command;
use crate::config::values;
use crate::error::{Error, Result};
use crate::text::revealed;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Serve,
    Run(Asked),
    /// Runs in this process, whether or not a service is running.
    App(AppAsked),
    /// Print a text that needs nothing else: help, version, completions.
    Print(String),
    /// Print the names of undecided holds, for completions.
    Holds,
}

/// A command, and the files that this process reads and writes for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub command: Command,
    /// The file to save the plan to.
    pub save: Option<PathBuf>,
    pub kept: Option<PathBuf>,
}

impl From<Command> for Asked {
    fn from(command: Command) -> Self {
        Self { command, save: None, kept: None }
    }
}

/// The action for a command of the grammar.
pub(super) fn of(command: &CommandHelp, mut typed: Typed) -> Result<Action> {
    let (json, verbose) = (typed.has("json"), typed.has(VERBOSE.name));
    let command = match command.name {
        "serve" => return Ok(Action::Serve),
        "completions" => return completions(&typed.operand()?),
        "manual" => return Ok(Action::Print(manual::page())),
        "sync" => return sync(typed),
        "app" => return app(&typed),
        "status" => Command::Status { json, verbose },
        "check" => check(typed)?,
        "approve" => {
            Command::Approve { all: typed.has("all"), reason: typed.text("reason")?, holds: typed.operands }
        }
        "reject" => Command::Reject { reason: typed.text("reason")?, holds: typed.operands },
        "pause" => Command::Pause { reason: typed.text("reason")? },
        "resume" => Command::Resume,
        "whois" => Command::Whois { login: typed.operand()? },
        "explain" => Command::Explain { json, team: typed.operands.pop() },
        "replay" => {
            let (failed, github) = (typed.has("failed"), typed.has("github"));
            Command::Replay { failed, github, reason: typed.text("reason")?, deliveries: typed.operands }
        }
        "undo" => Command::Undo { reason: typed.text("reason")?, id: typed.operands.pop() },
        "audit" => audit(&typed)?,
        other => return Err(Error::usage(format!("`{other}` cannot be carried out"))),
    };
    Ok(Action::Run(command.into()))
}

fn completions(shell: &str) -> Result<Action> {
    if shell == complete::HOLDS {
        return Ok(Action::Holds);
    }
    let unknown = || Error::usage(format!("there are no completions for the shell `{shell}`")).fix(SHELL.fix);
    complete::script(shell).map(Action::Print).ok_or_else(unknown)
}

fn app(typed: &Typed) -> Result<Action> {
    let lacks = |what: &str| {
        Error::usage(format!("`app` needs {what}"))
            .fix("run `sentry-team-sync app --org ORG --url https://HOST/github`, then follow what it says")
    };
    let org = typed.text("org")?.ok_or_else(|| lacks("the organisation that will own the App: --org ORG"))?;
    values::organisation(&org).map_err(|why| Error::usage(revealed(&format!("--org {why}"))))?;
    let step = match (url(typed)?, typed.text("code")?) {
        (Some(url), None) => Step::Page { url },
        (None, Some(code)) => Step::Fetch { code },
        (Some(_), Some(_)) => {
            return Err(
                Error::usage("`--url` and `--code` cannot be used together").fix("leave one of them out")
            )
        }
        (None, None) => return Err(lacks("--url URL, or --code CODE")),
    };
    Ok(Action::App(AppAsked { org, step, into: typed.path("into").unwrap_or_else(|| ".".into()) }))
}

/// Reads `--url`, the address that deliveries go to.
fn url(typed: &Typed) -> Result<Option<String>> {
    let url = typed.text("url")?;
    if let Some(Err(why)) = url.as_deref().map(values::base_url) {
        let fix = "give the webhook's Payload URL: https://HOST/github";
        return Err(Error::usage(revealed(&format!("--url {why}"))).fix(fix));
    }
    Ok(url)
}

fn check(typed: Typed) -> Result<Command> {
    let url = url(&typed)?;
    let offline = typed.has("offline");
    if offline && url.is_some() {
        return Err(
            Error::usage("`--offline` and `--url` cannot be used together").fix("leave one of them out")
        );
    }
    Ok(Command::Check { json: typed.has("json"), verbose: typed.has(VERBOSE.name), url, offline })
}

fn sync(typed: Typed) -> Result<Action> {
    let (teams, save, apply) = (typed.texts("team")?, typed.path("save"), typed.has("apply"));
    let sync = Sync { json: typed.has("json"), teams, apply, kept: None, save: save.is_some() };
    Ok(Action::Run(Asked { command: Command::Sync(sync), save, kept: typed.path("apply") }))
}

fn audit(typed: &Typed) -> Result<Command> {
    let since = typed.text("since")?.map(|text| audit::since(&text, Timestamp::now())).transpose();
    let since = since.map_err(|why| Error::usage(format!("--since: {why}")))?;
    let (teams, person) = (typed.texts("team")?, typed.text("person")?);
    let (json, verbose) = (typed.has("json"), typed.has(VERBOSE.name));
    Ok(Command::Audit(Query { teams, person, since, json, verbose }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::grammar::COMMANDS;

    #[test]
    fn every_command_of_the_grammar_is_carried_out() {
        for command in COMMANDS {
            let mut typed = Typed { operands: vec!["bash".into()], ..Typed::default() };
            if command.name == "app" {
                let given = ["acme", "https://sync.example/github"].map(|value| Some(value.into()));
                typed.flags = command.flags.iter().zip(given).collect();
            }
            let name = match of(command, typed).unwrap() {
                Action::Serve => "serve",
                Action::App(_) => "app",
                Action::Run(asked) => asked.command.name(),
                Action::Print(text) if text.starts_with(".TH ") => "manual",
                Action::Print(_) | Action::Holds => "completions",
            };
            assert_eq!(name, command.name);
        }
    }
}
