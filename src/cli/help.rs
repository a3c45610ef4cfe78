//! Help texts, from the tables of commands and settings. No line is longer than [`WIDTH`].

use std::fmt::Write;

use crate::commands::grammar::{CommandHelp, COMMANDS};
use crate::config::{Setting, SETTINGS};
use crate::text::wrapped;

pub(super) const ABOUT: &str =
    "Keeps Sentry's teams and their members the same as GitHub's, driven by a webhook.";
pub const EXIT_CODES: &[(u8, &str)] = &[
    (0, "done, or in sync"),
    (1, "failed"),
    (2, "there are differences, or something is on hold"),
    (64, "wrong usage or configuration"),
];
/// The word after `--help` that asks for all settings.
const ALL_SETTINGS: &str = "settings";
/// The required settings, and the one more that most people need.
const NEEDED: [&str; 5] = ["GH_TOKEN", "GH_WEBHOOK_TOKEN", "SENTRY_TOKEN", "SENTRY_ORG_SLUG", "GH_ORG"];
const WIDTH: usize = 100;

/// The first screen: commands, the settings that everybody needs, and where to find the rest.
pub fn first() -> String {
    let mut text = format!("{ABOUT}\n\nusage: sentry-team-sync [COMMAND] [FLAGS]\n\ncommands:\n");
    for command in COMMANDS {
        line(&mut text, 15, command.name, command.help);
    }
    text.push_str("\nsettings that you need, as environment variables:\n");
    for setting in SETTINGS.iter().filter(|setting| NEEDED.contains(&setting.var)) {
        line(&mut text, 20, setting.var, setting.help.split("; ").next().unwrap_or_default());
    }
    text.push_str("\nmore:\n");
    for (what, shows) in [
        ("COMMAND --help", "a command's flags, an example, and its exit codes"),
        ("--help settings", "all settings, their flags, and how to keep secrets in files"),
        ("manual", "everything: sentry-team-sync manual | man -l -"),
        ("--version", "this program's version"),
    ] {
        line(&mut text, 20, what, shows);
    }
    text
}

fn settings() -> String {
    let mut text = String::from(
        "All settings. Each is a flag and an environment variable; the flag wins.\n\
         A secret is read from its variable X, from the file that X_FILE names, or from a systemd credential.\n",
    );
    for setting in SETTINGS {
        let help = format!("{} ({})", setting.help, default(setting));
        let help = wrapped(&help, 6, WIDTH);
        let _ = writeln!(text, "\n  {}, {}\n      {help}", flag(setting), variables(setting));
    }
    text
}

pub fn of(command: &CommandHelp) -> String {
    let usage = format!("usage: sentry-team-sync {}", command.usage());
    let mut text = format!("{}\n\n{}\n", wrapped(&usage, 4, WIDTH), command.help);
    if !command.more.is_empty() {
        let _ = writeln!(text, "{}", wrapped(command.more, 0, WIDTH));
    }
    if !command.flags.is_empty() {
        text.push_str("\nflags:\n");
        for flag in command.flags {
            line(&mut text, 24, &flag.names(), flag.help);
        }
    }
    let codes: Vec<_> =
        command.exit_codes.iter().map(|(code, meaning)| format!("{code} {meaning}")).collect();
    let codes = wrapped(&codes.join("; "), 12, WIDTH);
    let example = command.example;
    let _ = write!(
        text,
        "\nexample: sentry-team-sync {example}\n\nexit codes: {codes}\n\
         settings are flags too: sentry-team-sync --help settings\n"
    );
    text
}

/// Help on a command or on `settings`; `None` for any other name.
pub fn on(name: &str) -> Option<String> {
    match name {
        ALL_SETTINGS => Some(settings()),
        name => CommandHelp::named(name).map(of),
    }
}

/// Writes `left` and, from `column` on, `right`. A `left` that is too wide gets a line of its own.
fn line(text: &mut String, column: usize, left: &str, right: &str) {
    let n = left.chars().count();
    let gap = if n + 3 > column { format!("\n{:column$}", "") } else { " ".repeat(column - 2 - n) };
    let _ = writeln!(text, "  {left}{gap}{}", wrapped(right, column, WIDTH));
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

/// The setting's default, as text for people.
pub(super) fn default(setting: &Setting) -> String {
    match setting.default {
        default if default.starts_with("required") => default.into(),
        default => format!("default: {default}"),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    /// Whether a terminal of ordinary width shows the text without wrapping it.
    fn is_narrow(text: &str) -> bool {
        text.lines().all(|line| line.chars().count() <= WIDTH)
    }

    #[test]
    fn the_first_help_is_one_screen_with_every_command_and_the_settings_that_everybody_needs() {
        let help = first();
        assert!(COMMANDS.iter().all(|command| help.contains(&format!("\n  {} ", command.name))), "{help}");
        assert!(NEEDED.iter().all(|var| help.contains(&format!("\n  {var} "))), "{help}");
        assert!(help.lines().count() <= 40 && is_narrow(&help), "{help}");
    }

    #[test]
    fn the_help_on_settings_names_every_one_with_its_flag_and_default() {
        let help = on(ALL_SETTINGS).unwrap();
        for setting in SETTINGS {
            assert!(help.contains(setting.var) && help.contains(&flag(setting)), "{}", setting.var);
        }
        assert!(is_narrow(&help), "{help}");
    }

    #[test]
    fn a_commands_help_names_all_its_flags_and_its_example_can_be_typed() {
        for command in COMMANDS {
            let help = on(command.name).unwrap();
            let is_there =
                |flag: &crate::commands::grammar::Flag| help.contains(&format!("  {}", flag.names()));
            assert!(command.flags.iter().all(is_there) && is_narrow(&help), "{help}");
            // Split it like a shell: quoted text is one word.
            let parts = command.example.split('"').enumerate();
            let words = parts.flat_map(|(n, part)| match n % 2 {
                0 => part.split_whitespace().map(OsString::from).collect(),
                _ => vec![OsString::from(part)],
            });
            assert!(crate::cli::parse(words).is_ok(), "{}", command.example);
        }
    }
}
