//! The command line: one table of commands, and the flags of the one table of settings.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::PathBuf;

use crate::commands::Command;
use crate::config::{Environment, SETTINGS};
use crate::error::{Error, Result};
use crate::reconcile::command::Sync;

/// What was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cli {
    /// What to do.
    pub action: Action,
    /// Settings given as flags, by variable.
    pub flags: Environment,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run the service.
    Serve,
    /// Run a command.
    Run(Asked),
    /// Print the help text.
    Help,
    /// Print the version.
    Version,
}

/// A command, and the files that it reads and writes on this side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What is to be carried out.
    pub command: Command,
    /// Where the plan is to be kept.
    pub save: Option<PathBuf>,
    /// Where the plan was kept.
    pub kept: Option<PathBuf>,
}

impl From<Command> for Asked {
    fn from(command: Command) -> Self {
        Self { command, save: None, kept: None }
    }
}

/// One command, for help texts.
pub struct CommandHelp {
    /// What is typed.
    pub usage: &'static str,
    /// One sentence.
    pub help: &'static str,
}

/// All commands.
pub const COMMANDS: &[CommandHelp] = &[
    CommandHelp {
        usage: "serve",
        help: "receive deliveries and keep Sentry's teams following GitHub's (default)",
    },
    CommandHelp {
        usage: "sync [--json] [--team SLUG]… [--save FILE] [--apply[=FILE]]",
        help: "compare the whole organisation and show the plan; --apply carries it out, a kept one only if it still holds",
    },
    CommandHelp {
        usage: "status [--json]",
        help: "queue, holds, failures, unmatched people, hosts, last deliveries",
    },
    CommandHelp {
        usage: "approve HOLD…|--all",
        help: "carry out what a guard has stopped, after a fresh look",
    },
    CommandHelp { usage: "reject HOLD…", help: "never carry out what a guard has stopped" },
    CommandHelp { usage: "whois LOGIN", help: "who a GitHub account is in Sentry, step by step" },
    CommandHelp { usage: "replay GUID…|--failed", help: "look again at deliveries that failed" },
];

/// What belongs to single commands, as it was typed.
#[derive(Default)]
struct Words {
    words: Vec<String>,
    json: bool,
    all: bool,
    failed: bool,
    teams: Vec<String>,
    save: Option<PathBuf>,
    apply: Option<Option<PathBuf>>,
}

/// Reads the arguments, without the program's name.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli> {
    let mut parser = lexopt::Parser::from_args(args);
    let mut flags = Environment::new();
    let mut typed = Words::default();
    while let Some(arg) = parser.next().map_err(wrong)? {
        match arg {
            lexopt::Arg::Short('h') | lexopt::Arg::Long("help") => {
                return Ok(Cli { action: Action::Help, flags })
            }
            lexopt::Arg::Short('V') | lexopt::Arg::Long("version") => {
                return Ok(Cli { action: Action::Version, flags })
            }
            lexopt::Arg::Long("json") => typed.json = true,
            lexopt::Arg::Long("all") => typed.all = true,
            lexopt::Arg::Long("failed") => typed.failed = true,
            lexopt::Arg::Long("team") => typed.teams.push(text(parser.value().map_err(wrong)?)?),
            lexopt::Arg::Long("save") => typed.save = Some(parser.value().map_err(wrong)?.into()),
            lexopt::Arg::Long("apply") => typed.apply = Some(parser.optional_value().map(PathBuf::from)),
            lexopt::Arg::Long(name) => {
                let name = name.to_string();
                let setting = SETTINGS.iter().find(|setting| setting.flag() == name).ok_or_else(|| {
                    Error::usage(format!("there is no flag `--{name}`"))
                        .fix("sentry-team-sync --help lists them")
                })?;
                flags.insert(setting.flag_var(), text(parser.value().map_err(wrong)?)?);
            }
            lexopt::Arg::Value(word) => typed.words.push(text(word)?),
            lexopt::Arg::Short(letter) => {
                return Err(Error::usage(format!("there is no flag `-{letter}`"))
                    .fix("sentry-team-sync --help lists them"))
            }
        }
    }
    Ok(Cli { action: action(typed)?, flags })
}

fn action(typed: Words) -> Result<Action> {
    let mut words = typed.words.iter().cloned();
    let name = words.next().unwrap_or_else(|| "serve".into());
    let rest: Vec<String> = words.collect();
    only_its_own_flags(&name, &typed)?;
    let some = |rest: Vec<String>, every: bool, what: &str| match (rest.is_empty(), every) {
        (true, false) => {
            Err(Error::usage(format!("`{name}` needs {what}")).fix("sentry-team-sync status lists them"))
        }
        (false, true) => Err(Error::usage(format!("`{name}` takes either names or all"))),
        _ => Ok(rest),
    };
    let none = |rest: &[String]| match rest.first() {
        Some(word) => Err(Error::usage(format!("`{name}` takes no argument, but `{word}` was given"))),
        None => Ok(()),
    };
    let Words { json, all, failed, teams, save, apply, .. } = typed;
    let command = match name.as_str() {
        "serve" => return none(&rest).map(|()| Action::Serve),
        "status" => none(&rest).map(|()| Command::Status { json })?,
        "sync" => {
            none(&rest)?;
            let sync = Sync { json, teams, apply: apply.is_some(), kept: None, save: save.is_some() };
            let asked = Asked { command: Command::Sync(sync), save, kept: apply.flatten() };
            return Ok(Action::Run(asked));
        }
        "approve" => Command::Approve { holds: some(rest, all, "the name of a hold, or --all")?, all },
        "reject" => Command::Reject { holds: some(rest, false, "the name of a hold")? },
        "replay" => {
            Command::Replay { deliveries: some(rest, failed, "the GUID of a delivery, or --failed")?, failed }
        }
        "whois" => match <[String; 1]>::try_from(rest) {
            Ok([login]) => Command::Whois { login },
            Err(_) => return Err(Error::usage("`whois` needs one GitHub login")),
        },
        other => {
            return Err(Error::usage(format!("there is no command `{other}`"))
                .fix("sentry-team-sync --help lists them"))
        }
    };
    Ok(Action::Run(command.into()))
}

/// A flag that does nothing for a command is a mistake, and told.
fn only_its_own_flags(command: &str, typed: &Words) -> Result<()> {
    let own: &[&str] = match command {
        "status" => &["json"],
        "sync" => &["json", "team", "save", "apply"],
        "approve" => &["all"],
        "replay" => &["failed"],
        _ => &[],
    };
    let given = [
        ("json", typed.json),
        ("all", typed.all),
        ("failed", typed.failed),
        ("team", !typed.teams.is_empty()),
        ("save", typed.save.is_some()),
        ("apply", typed.apply.is_some()),
    ];
    match given.into_iter().find(|(flag, given)| *given && !own.contains(flag)) {
        Some((flag, _)) => {
            Err(Error::usage(format!("`--{flag}` does not belong to the command `{command}`"))
                .fix("sentry-team-sync --help lists commands and flags"))
        }
        None => Ok(()),
    }
}

fn text(value: OsString) -> Result<String> {
    value.into_string().map_err(|value| Error::usage(format!("`{}` is not UTF-8", value.to_string_lossy())))
}

fn wrong(error: lexopt::Error) -> Error {
    Error::usage(error.to_string()).fix("sentry-team-sync --help lists commands and flags")
}

/// The help text.
pub fn help() -> String {
    let mut text = String::from(
        "Keeps Sentry's teams and memberships the same as GitHub's, from an organisation webhook.\n\n\
         usage: sentry-team-sync [COMMAND] [FLAGS]\n\ncommands:\n",
    );
    for command in COMMANDS {
        // A usage that is wider than its column has the line for itself.
        let gap = if command.usage.chars().count() > 24 { "\n                           " } else { " " };
        let _ = writeln!(text, "  {:<24}{gap}{}", command.usage, command.help);
    }
    text.push_str("  --help, --version\n\nflags, each with its environment variable (flags win):\n");
    for setting in SETTINGS {
        let flag = format!("--{} {}", setting.flag(), setting.value);
        let var = if setting.secret {
            format!("{} or {}_FILE", setting.var, setting.var)
        } else {
            setting.var.into()
        };
        let default = match setting.default {
            "required" => "required".into(),
            default => format!("default: {default}"),
        };
        let _ = writeln!(text, "  {flag}\n      {var}: {} ({default})", setting.help);
    }
    text.push_str(
        "\nGH_TOKEN, GH_WEBHOOK_TOKEN, SENTRY_TOKEN and SENTRY_ORG_SLUG are all that is required.\n\
         exit codes: 0 done or in sync, 1 failed, 2 differences or something held, 64 wrong usage or configuration\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(command("status --json"), Action::Run(Command::Status { json: true }.into()));
        let holds = vec!["a".to_string(), "b".to_string()];
        assert_eq!(command("approve a b"), Action::Run(Command::Approve { holds, all: false }.into()));
        assert_eq!(
            command("replay --failed"),
            Action::Run(Command::Replay { deliveries: vec![], failed: true }.into())
        );
        assert_eq!(command("status --help"), Action::Help);
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
            "status --all",
            "status --apply",
            "sync now",
            "serve --listen",
        ] {
            assert!(typed(line).is_err(), "{line}");
        }
    }

    #[test]
    fn help_names_every_command_and_setting() {
        let help = help();
        for setting in SETTINGS {
            assert!(
                help.contains(setting.var) && help.contains(&format!("--{} ", setting.flag())),
                "{}",
                setting.var
            );
        }
        assert!(COMMANDS.iter().all(|command| help.contains(command.usage)));
    }
}
