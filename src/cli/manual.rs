//! The manual page in the format of `man`, made from the tables of commands and settings.

use std::fmt::Write;

use super::help::{default, flag, variables, ABOUT, EXIT_CODES};
use crate::commands::grammar::{CommandHelp, COMMANDS};
use crate::config::SETTINGS;

const FILES: &[(&str, &str)] = &[
    ("journal/", "deliveries, bindings, matches and holds; everything else can be rebuilt from it"),
    ("audit/YYYY-MM.jsonl", "every decision, one file per month"),
    ("control", "the socket through which commands reach a running service"),
    ("lock", "keeps a second process out"),
];

pub fn page() -> String {
    let mut page = format!(
        ".TH SENTRY\\-TEAM\\-SYNC 1 \"\" \"sentry\\-team\\-sync {}\" \"User Commands\"\n\
         .SH NAME\nsentry\\-team\\-sync \\- mirrors GitHub teams into Sentry\n\
         .SH SYNOPSIS\n.B sentry\\-team\\-sync\n[\\fICOMMAND\\fR] [\\fIFLAGS\\fR]\n\
         .SH DESCRIPTION\n{}\n.SH COMMANDS\n",
        text(env!("CARGO_PKG_VERSION")),
        text(ABOUT),
    );
    COMMANDS.iter().for_each(|command| describe(&mut page, command));
    page.push_str(
        ".SH OPTIONS\nEvery setting is a flag and an environment variable; the flag wins. \
         A secret has no flag of its own, only one for the file that holds it.\n",
    );
    for setting in SETTINGS {
        item(&mut page, &flag(setting), &format!("{} ({})", setting.help, default(setting)));
        let _ = writeln!(page, ".br\n{}", text(&variables(setting)));
    }
    page.push_str(".SH EXIT STATUS\n");
    for (code, meaning) in EXIT_CODES {
        item(&mut page, &code.to_string(), meaning);
    }
    page.push_str(".SH FILES\nIn the state directory:\n");
    FILES.iter().for_each(|(name, what)| item(&mut page, name, what));
    page.push_str(".SH EXAMPLES\n");
    COMMANDS.iter().for_each(|command| {
        item(&mut page, &format!("sentry-team-sync {}", command.example), command.help);
    });
    page
}

fn describe(page: &mut String, command: &CommandHelp) {
    let CommandHelp { help, more, .. } = command;
    item(page, &command.usage(), &format!("{help}. {more}"));
    page.push_str(".RS\n");
    command.flags.iter().for_each(|flag| item(page, &flag.names(), flag.help));
    page.push_str(".RE\n");
}

fn item(page: &mut String, term: &str, what: &str) {
    let _ = writeln!(page, ".TP\n.B {}\n{}", text(term), text(what));
}

/// Escapes text for `man`: hyphens can be copied, and no line begins a request.
fn text(plain: &str) -> String {
    let escaped = plain.replace('\\', "\\e").replace('-', "\\-").replace('…', "...");
    if escaped.starts_with(['.', '\'']) {
        format!("\\&{escaped}")
    } else {
        escaped
    }
}
