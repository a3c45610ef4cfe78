//! The manual page, in the language of `man`, from the tables of commands and settings.

use std::fmt::Write;

use super::help::{default, flag, variables, ABOUT, EXIT_CODES, REQUIRED};
use crate::commands::grammar::{CommandHelp, COMMANDS};
use crate::config::SETTINGS;

const FILES: &[(&str, &str)] = &[
    ("journal/", "deliveries, bindings, matches and holds: the only truth"),
    ("audit/YYYY-MM.jsonl", "every decision"),
    ("control", "the socket over which commands reach a running service"),
    ("lock", "keeps a second process out"),
];
const EXAMPLES: &[(&str, &str)] = &[
    ("sentry-team-sync sync", "show what a comparison would do; it changes nothing"),
    ("sentry-team-sync status", "how things are, beside a running service"),
    ("sentry-team-sync approve --all", "carry out everything that a guard has stopped"),
];

pub fn page() -> String {
    let mut page = format!(
        ".TH SENTRY\\-TEAM\\-SYNC 1 \"\" \"sentry\\-team\\-sync {}\" \"User Commands\"\n\
         .SH NAME\nsentry\\-team\\-sync \\- mirrors GitHub teams into Sentry\n\
         .SH SYNOPSIS\n.B sentry\\-team\\-sync\n[\\fICOMMAND\\fR] [\\fIFLAGS\\fR]\n\
         .SH DESCRIPTION\n{}\n.PP\n{}\n.SH COMMANDS\n",
        text(env!("CARGO_PKG_VERSION")),
        text(ABOUT),
        text(REQUIRED)
    );
    COMMANDS.iter().for_each(|command| tell(&mut page, command));
    page.push_str(
        ".SH OPTIONS\nEvery setting is a flag and an environment variable; flags win. \
         A secret has no flag but one for the file that holds it.\n",
    );
    for setting in SETTINGS {
        item(&mut page, &flag(setting), &format!("{} ({})", setting.help, default(setting)));
        let _ = writeln!(page, ".br\n{}", text(&variables(setting)));
    }
    page.push_str(".SH EXIT STATUS\n");
    for (code, meaning) in EXIT_CODES {
        item(&mut page, &code.to_string(), meaning);
    }
    page.push_str(".SH FILES\nBelow the state directory:\n");
    FILES.iter().for_each(|(name, what)| item(&mut page, name, what));
    page.push_str(".SH EXAMPLES\n");
    EXAMPLES.iter().for_each(|(command, does)| item(&mut page, command, does));
    page
}

fn tell(page: &mut String, command: &CommandHelp) {
    item(page, &command.usage(), command.help);
    if command.flags.is_empty() {
        return;
    }
    page.push_str(".RS\n");
    command.flags.iter().for_each(|flag| item(page, &flag.names(), flag.help));
    page.push_str(".RE\n");
}

fn item(page: &mut String, term: &str, what: &str) {
    let _ = writeln!(page, ".TP\n.B {}\n{}", text(term), text(what));
}

/// Text as `man` takes it literally: hyphens that can be copied, and no line that begins a request.
fn text(plain: &str) -> String {
    let escaped = plain.replace('\\', "\\e").replace('-', "\\-").replace('…', "...");
    if escaped.starts_with(['.', '\'']) {
        format!("\\&{escaped}")
    } else {
        escaped
    }
}
