//! Help texts, from the tables of commands and settings.

use std::fmt::Write;

use crate::commands::grammar::{CommandHelp, COMMANDS};
use crate::config::{Setting, SETTINGS};

/// What the program is, in a sentence.
pub(super) const ABOUT: &str =
    "Keeps Sentry's teams and memberships the same as GitHub's, from an organisation webhook.";
/// What can be had without any configuration but this.
pub(super) const REQUIRED: &str =
    "GH_TOKEN, GH_WEBHOOK_TOKEN, SENTRY_TOKEN and SENTRY_ORG_SLUG are all that is required.";
pub const EXIT_CODES: &[(u8, &str)] = &[
    (0, "done or in sync"),
    (1, "failed"),
    (2, "differences shown, or something held"),
    (64, "wrong usage or configuration"),
];

/// From this column on a line says what stands before it.
const COLUMN: usize = 27;

pub fn all() -> String {
    let mut text = format!("{ABOUT}\n\nusage: sentry-team-sync [COMMAND] [FLAGS]\n\ncommands:\n");
    for command in COMMANDS {
        line(&mut text, &command.usage(), command.help);
    }
    text.push_str("  --help, --version; COMMAND --help tells a command's flags\n");
    text.push_str("\nflags, each with its environment variable (flags win):\n");
    for setting in SETTINGS {
        let (flag, variables, default) = (flag(setting), variables(setting), default(setting));
        let _ = writeln!(text, "  {flag}\n      {variables}: {} ({default})", setting.help);
    }
    let _ = write!(text, "\n{REQUIRED}\n{}", exit_codes());
    text
}

pub fn of(command: &CommandHelp) -> String {
    let mut text = format!("usage: sentry-team-sync {}\n\n{}\n", command.usage(), command.help);
    if !command.flags.is_empty() {
        text.push_str("\nflags:\n");
        for flag in command.flags {
            line(&mut text, &flag.names(), flag.help);
        }
    }
    let _ = write!(text, "\nsettings are flags too: sentry-team-sync --help lists them\n{}", exit_codes());
    text
}

fn line(text: &mut String, left: &str, right: &str) {
    // What is wider than its column has the line for itself.
    let gap = if left.chars().count() + 3 > COLUMN {
        format!("\n{:COLUMN$}", "")
    } else {
        " ".repeat(COLUMN - 2 - left.chars().count())
    };
    let _ = writeln!(text, "  {left}{gap}{right}");
}

fn exit_codes() -> String {
    let codes: Vec<_> = EXIT_CODES.iter().map(|(code, meaning)| format!("{code} {meaning}")).collect();
    format!("exit codes: {}\n", codes.join(", "))
}

/// A setting's flag with its value.
pub(super) fn flag(setting: &Setting) -> String {
    format!("--{} {}", setting.flag(), setting.value)
}

pub(super) fn variables(setting: &Setting) -> String {
    if setting.secret {
        format!("{} or {}_FILE", setting.var, setting.var)
    } else {
        setting.var.into()
    }
}

/// Its default, as people read it.
pub(super) fn default(setting: &Setting) -> String {
    match setting.default {
        "required" => "required".into(),
        default => format!("default: {default}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_help_names_every_command_and_setting() {
        let help = all();
        for setting in SETTINGS {
            assert!(help.contains(setting.var) && help.contains(&flag(setting)), "{}", setting.var);
        }
        assert!(COMMANDS.iter().all(|command| help.contains(&command.usage())));
    }

    #[test]
    fn a_commands_help_names_all_its_flags() {
        for command in COMMANDS {
            let help = of(command);
            assert!(help.contains(&command.usage()) && help.contains(command.help), "{help}");
            assert!(command
                .flags
                .iter()
                .all(|flag| help.contains(&flag.names()) && help.contains(flag.help)));
        }
    }
}
