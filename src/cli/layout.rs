//! Lays out an answer for people on a terminal: wraps long lines, and colours the words that matter.
//!
//! It works on the finished text, because only here does the program know how the reader types a command, and whether
//! there is a terminal.

use std::io::IsTerminal;

use crate::commands::paste::Invocation;
use crate::commands::Command;
use crate::config::Environment;
use crate::text::wrapped;

/// No line is longer, unless a word or a command to copy is longer.
const WIDTH: usize = 120;
/// The last column of text begins before this position.
const COLUMNS: usize = 80;

/// How to lay out an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    is_wrapped: bool,
    is_coloured: bool,
    /// How the reader types the program.
    program: String,
}

impl Layout {
    pub fn of(command: &Command, env: &Environment, reader: &Invocation) -> Self {
        let (is_report, is_wrapped) = match command {
            Command::Check { json, verbose, .. } => (!json, !json && !verbose),
            Command::Audit(query) => (false, !query.json && !query.verbose),
            Command::Explain { json, .. } => (false, !json),
            Command::Sync(sync) => (false, !sync.json),
            Command::Whois { .. } => (false, true),
            _ => (false, false),
        };
        let is_plain = env.get("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_coloured = is_report && !is_plain && std::io::stdout().is_terminal();
        Self { is_wrapped, is_coloured, program: reader.bare().into() }
    }

    pub fn put_on(&self, text: String) -> String {
        if !self.is_wrapped && !self.is_coloured {
            return text;
        }
        text.split_inclusive('\n').map(|line| self.line(line)).collect()
    }

    fn line(&self, line: &str) -> String {
        let line = if self.is_wrapped && !self.has_a_command(line) { broken(line) } else { line.into() };
        let inks = [("failed ", 31), ("warning ", 33), ("ok ", 32)];
        match inks.into_iter().find(|(word, _)| self.is_coloured && line.starts_with(word)) {
            Some((word, ink)) => format!("\x1b[{ink}m{word}\x1b[0m{}", &line[word.len()..]),
            None => line,
        }
    }

    /// Whether a line has a command to copy, which must stay on one line. Commands in backquotes are never split.
    fn has_a_command(&self, line: &str) -> bool {
        let mut found = line.match_indices(&self.program);
        found.any(|(at, _)| line[..at].matches('`').count().is_multiple_of(2))
    }
}

/// Wraps a line so that its last column continues below itself. At least two blanks separate columns.
fn broken(line: &str) -> String {
    let behind = |at: usize| line[..at].chars().count();
    let columns = line.match_indices("  ").map(|(at, blanks)| at + blanks.len());
    let at = columns.filter(|at| behind(*at) < COLUMNS).last().unwrap_or(0);
    // A third blank is still part of the separator.
    let at = at + usize::from(line[at..].starts_with(' '));
    format!("{}{}", &line[..at], wrapped(&line[at..], behind(at), WIDTH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_column_of_a_long_line_goes_on_below_itself() {
        let long = format!("warning  github   {}`a command` end\n", "word ".repeat(20));
        let lines = |text: &str| text.lines().map(String::from).collect::<Vec<_>>();
        assert_eq!(
            lines(&broken(&long)),
            [
                format!("warning  github   {}", "word ".repeat(20).trim_end()),
                format!("{:18}`a command` end", "")
            ]
        );
        let fix = format!("{:24}fix: {}", "", "word ".repeat(30));
        assert!(broken(&fix).lines().all(|line| line.starts_with(&" ".repeat(24))), "{}", broken(&fix));
        assert_eq!(broken("short  line\n"), "short  line\n");
        assert_eq!(broken("ä  ö\n"), "ä  ö\n");
    }

    #[test]
    fn levels_are_coloured_at_the_beginning_of_a_line_only() {
        let layout = Layout { is_wrapped: false, is_coloured: true, program: "sync".into() };
        let text = "failed   a failed \nnote     b\n".to_string();
        assert_eq!(layout.put_on(text), "\x1b[31mfailed \x1b[0m  a failed \nnote     b\n");
        let none = Layout { is_coloured: false, ..layout };
        assert_eq!(none.put_on("failed x".into()), "failed x");
    }

    #[test]
    fn a_command_to_copy_is_never_broken() {
        let layout = Layout { is_wrapped: true, is_coloured: false, program: "/x/sync".into() };
        let long = format!("{}: /x/sync approve 1f2e3d4c\n", "word ".repeat(30));
        assert_eq!(layout.put_on(long.clone()), long);
        let quoted = format!("{}`/x/sync approve 1f2e3d4c`\n", "word ".repeat(22));
        assert!(layout.put_on(quoted).ends_with("\n`/x/sync approve 1f2e3d4c`\n"));
    }
}
