//! The command line: reads the flags of commands and of settings, as two tables define them.

pub mod action;
pub mod alone;
pub mod app;
pub mod client;
pub mod complete;
pub mod help;
mod layout;
pub mod manual;
mod typed;

use std::ffi::OsString;

use crate::commands::grammar::{CommandHelp, Takes, COMMANDS};
use crate::config::{Environment, Setting, SETTINGS};
use crate::error::{Error, Result};
use crate::text;
use action::Action;
use typed::{text, Typed};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cli {
    pub action: Action,
    /// Settings given as flags, by variable.
    pub flags: Environment,
}

/// Reads the arguments, without the program's name.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli> {
    let mut parser = lexopt::Parser::from_args(args);
    let mut flags = Environment::new();
    let mut typed = Typed::default();
    while let Some(arg) = parser.next().map_err(wrong)? {
        match arg {
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => {
                let help = match (typed.operands.first(), parser.next()) {
                    (Some(name), _) => help::on(name).unwrap_or_else(help::first),
                    (None, Ok(Some(lexopt::Arg::Value(word)))) => help_on(&text(word)?)?,
                    (None, _) => help::first(),
                };
                return Ok(Cli { action: Action::Print(help), flags });
            }
            lexopt::Arg::Short('V') | lexopt::Arg::Long("version") => {
                let version = format!("sentry-team-sync {}\n", env!("CARGO_PKG_VERSION"));
                return Ok(Cli { action: Action::Print(version), flags });
            }
            lexopt::Arg::Long(name) => {
                let name = name.to_string();
                let mut own = COMMANDS.iter().flat_map(|command| command.flags);
                if let Some(flag) = own.find(|flag| flag.name == name) {
                    let value = match flag.takes {
                        Takes::Nothing => None,
                        Takes::One(_) | Takes::Many(_) => Some(parser.value().map_err(wrong)?),
                        Takes::Perhaps(_) => parser.optional_value(),
                    };
                    typed.flags.push((flag, value));
                    continue;
                }
                let setting = SETTINGS
                    .iter()
                    .find(|setting| setting.flag() == name)
                    .ok_or_else(|| no_such_flag(&name))?;
                flags.insert(setting.flag_var(), text(parser.value().map_err(wrong)?)?);
            }
            lexopt::Arg::Value(word) => typed.operands.push(text(word)?),
            lexopt::Arg::Short(letter) => {
                let mut own = COMMANDS.iter().flat_map(|command| command.flags);
                let flag = own.find(|flag| flag.short == Some(letter));
                typed.flags.push((flag.ok_or_else(|| no_such(&format!("flag `-{letter}`"), None))?, None));
            }
        }
    }
    Ok(Cli { action: read(typed)?, flags })
}

/// The value of `--state-dir`, even if something else is wrong with the arguments.
pub fn state_dir(args: &[OsString]) -> Option<String> {
    const FLAG: &str = "--state-dir";
    let mut args = args.iter().map(|arg| arg.to_string_lossy());
    while let Some(arg) = args.next().filter(|arg| arg != "--") {
        match arg.strip_prefix(FLAG) {
            Some("") => return args.next().map(String::from),
            Some(rest) if rest.starts_with('=') => return Some(rest[1..].into()),
            _ => {}
        }
    }
    None
}

fn read(mut typed: Typed) -> Result<Action> {
    let name = if typed.operands.is_empty() { "serve".into() } else { typed.operands.remove(0) };
    // People type this by habit.
    if name == "help" {
        let asked = typed.operands.first().map(|name| help_on(name)).transpose()?;
        return Ok(Action::Print(asked.unwrap_or_else(help::first)));
    }
    let command = named(&name)?;
    typed.check(command)?;
    action::of(command, typed)
}

fn help_on(name: &str) -> Result<String> {
    help::on(name).map_or_else(|| named(name).map(help::of), Ok)
}

fn named(name: &str) -> Result<&'static CommandHelp> {
    CommandHelp::named(name).ok_or_else(|| {
        let meant = text::nearest(name, COMMANDS.iter().map(|command| command.name));
        no_such(&format!("command `{name}`"), meant)
    })
}

fn no_such_flag(name: &str) -> Error {
    if name == "dry-run" {
        return Error::usage("there is no flag `--dry-run`")
            .fix("`sync` alone shows the plan and changes nothing; `sync --apply` carries it out");
    }
    let settings: Vec<_> = SETTINGS.iter().map(Setting::flag).collect();
    // People try a secret's own name, but its flag takes a file.
    let secrets = settings.iter().filter_map(|flag| flag.strip_suffix("-file"));
    let secrets: Vec<_> = secrets.filter(|bare| !settings.iter().any(|flag| flag == bare)).collect();
    let of_commands = COMMANDS.iter().flat_map(|command| command.flags).map(|flag| flag.name);
    let all = settings.iter().map(String::as_str).chain(of_commands).chain(["help", "version"]);
    match text::nearest(name, all.chain(secrets.iter().copied())) {
        Some(secret) if secrets.contains(&secret) => no_secret(name, &[secret]),
        None if ["token", "secret", "password"].iter().any(|word| name.contains(word)) => {
            no_secret(name, &secrets)
        }
        meant => no_such(&format!("flag `--{name}`"), meant.map(|flag| format!("--{flag}")).as_deref()),
    }
}

/// The error for a secret on the command line. It does not repeat the value.
fn no_secret(name: &str, meant: &[&str]) -> Error {
    let way = |flag: &&str| format!("{}, or --{flag}-file FILE", flag.to_ascii_uppercase().replace('-', "_"));
    let ways: Vec<_> = meant.iter().map(way).collect();
    Error::usage(format!("there is no flag `--{name}`"))
        .why("everyone on this machine can read a command line, so secrets have no flags")
        .fix(format!("set {}", ways.join("; ")))
}

fn no_such(what: &str, meant: Option<&str>) -> Error {
    let meant = meant.map_or_else(String::new, |name| format!("did you mean `{name}`? "));
    Error::usage(format!("there is no {what}")).fix(format!("{meant}`sentry-team-sync --help` lists them"))
}

fn wrong(error: lexopt::Error) -> Error {
    Error::usage(error.to_string()).fix("`sentry-team-sync --help` lists commands and flags")
}

#[cfg(test)]
mod tests {
    use super::action::Asked;
    use super::*;
    use crate::commands::sync::Sync;
    use crate::commands::Command;

    fn typed(line: &str) -> Result<Cli> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn command(line: &str) -> Action {
        typed(line).unwrap().action
    }

    #[test]
    fn commands_are_read() {
        assert_eq!(command(""), Action::Serve);
        assert_eq!(command("serve"), Action::Serve);
        let status = |json, verbose| Action::Run(Command::Status { json, verbose }.into());
        assert_eq!(command("status --json"), status(true, false));
        assert_eq!(
            (command("status -v"), command("--verbose status")),
            (status(false, true), status(false, true))
        );
        let holds = vec!["a".to_string(), "b".to_string()];
        assert_eq!(
            command("approve a b"),
            Action::Run(Command::Approve { holds, all: false, reason: None }.into())
        );
        assert_eq!(
            command("replay --failed"),
            Action::Run(
                Command::Replay { deliveries: vec![], failed: true, github: false, reason: None }.into()
            )
        );
        assert_eq!(command("status --help"), Action::Print(help::of(CommandHelp::named("status").unwrap())));
        let sync = Sync { apply: true, teams: vec!["a".into(), "b".into()], ..Sync::default() };
        let asked = Asked { command: Command::Sync(sync), save: None, kept: Some("plan.json".into()) };
        assert_eq!(command("sync --team a --team=b --apply=plan.json"), Action::Run(asked));
    }

    #[test]
    fn flags_set_variables() {
        let cli = typed("serve --listen 127.0.0.1:1 --gh-token-file=/x --max-deletions 1%,1").unwrap();
        let flags: Vec<_> = cli.flags.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(flags, ["GH_TOKEN_FILE=/x", "SYNC_LISTEN=127.0.0.1:1", "SYNC_MAX_DELETIONS=1%,1"]);
    }

    #[test]
    fn wrong_usage_is_told() {
        for line in [
            "fly",
            "--fly",
            "-x",
            "approve",
            "approve a --all",
            "reject",
            "serve now",
            "sync -v",
            "status --all",
            "status --apply",
            "sync now",
            "serve --listen",
        ] {
            assert!(typed(line).is_err(), "{line}");
        }
    }
}
