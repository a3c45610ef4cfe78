//! The grammar of the command line: which commands there are, and what may follow each. Reading, the help texts, the manual
//! page, the completions, the README's table and commands shown to people come from it.
//!
//! It is data alone and must never call what reads a command or carries it out: rooms below the command line use it too.

pub struct CommandHelp {
    pub name: &'static str,
    pub operand: Operand,
    /// Its own flags; those of the settings go with every command.
    pub flags: &'static [Flag],
    pub help: &'static str,
}

/// What follows a command besides flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    None,
    Perhaps(Word),
    One(Word),
    /// At least one.
    Some(Word),
}

/// A word that a person has to fill in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// What stands for it in help texts.
    pub sign: &'static str,
    /// What it is, for the message that it lacks.
    pub what: &'static str,
    /// Where it is found, for the same message.
    pub fix: &'static str,
    /// All that it can be, if these are few.
    pub choices: &'static [&'static str],
}

pub struct Flag {
    /// Its name without `--`.
    pub name: &'static str,
    /// The letter that may be typed instead.
    pub short: Option<char>,
    pub takes: Takes,
    /// It stands instead of the operands.
    pub is_instead: bool,
    pub help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    Nothing,
    One(&'static str),
    /// A value, as often as it is given.
    Many(&'static str),
    /// A value behind `=`, or none.
    Perhaps(&'static str),
}

const fn command(name: &'static str, help: &'static str) -> CommandHelp {
    CommandHelp { name, operand: Operand::None, flags: &[], help }
}

const fn flag(name: &'static str, takes: Takes, help: &'static str) -> Flag {
    Flag { name, short: None, takes, is_instead: false, help }
}

const fn instead(name: &'static str, help: &'static str) -> Flag {
    Flag { is_instead: true, ..flag(name, Takes::Nothing, help) }
}

const JSON: Flag = flag("json", Takes::Nothing, "print JSON, for programs");
/// What people read is short; with this flag it is whole.
pub const VERBOSE: Flag = Flag {
    short: Some('v'),
    ..flag("verbose", Takes::Nothing, "show everything: whole lists, full ids, details")
};
const REASON: Flag = flag("reason", Takes::One("TEXT"), "why, for the audit log");
const LISTED: &str = "`sentry-team-sync status` lists them";
const HOLD: Word = Word { sign: "HOLD", what: "the name of a hold", fix: LISTED, choices: &[] };
const GUID: Word = Word { sign: "GUID", what: "the GUID of a delivery", fix: LISTED, choices: &[] };
const PERSON: Word = Word {
    sign: "PERSON",
    what: "one person: a GitHub login, id:NUMBER of GitHub, or an e-mail address",
    fix: "give the name as in github.com/LOGIN",
    choices: &[],
};
const TEAM: Word = Word {
    sign: "TEAM",
    what: "one team: its slug on GitHub or in Sentry, or id:NUMBER of GitHub",
    fix: "`sentry-team-sync explain` lists them",
    choices: &[],
};
const DELETED: Word = Word {
    sign: "ID",
    what: "the id or slug of one deleted Sentry team",
    fix: "`sentry-team-sync undo` lists them",
    choices: &[],
};
pub const SHELL: Word = Word {
    sign: "SHELL",
    what: "the name of one shell",
    fix: "bash, zsh and fish are known",
    choices: &["bash", "zsh", "fish"],
};

/// All commands, in the order in which they are shown.
pub const COMMANDS: &[CommandHelp] = &[
    command("serve", "receive deliveries and keep Sentry's teams following GitHub's (default)"),
    command("sync", "compare the whole organisation and show the plan; --apply carries it out, a kept one only if it still holds")
        .flags(&[
            JSON,
            flag("team", Takes::Many("TEAM"), "only this team: its slug on GitHub or in Sentry, or id:NUMBER of GitHub; may be given several times"),
            flag("save", Takes::One("FILE"), "keep the plan in a file"),
            flag("apply", Takes::Perhaps("FILE"), "carry the plan out; with a kept plan, only if a fresh one is the same"),
        ]),
    command("status", "queue, holds, failures, unmatched people, hosts, last deliveries").flags(&[JSON, VERBOSE]),
    command("check", "look whether all is right: tokens and what they may do, webhook, people, clock, state; changes nothing")
        .flags(&[
            JSON,
            flag("url", Takes::One("URL"), "send a signed ping to this public address too"),
            flag("offline", Takes::Nothing, "the configuration alone: nobody is asked, as before a restart with a new version"),
            VERBOSE,
        ]),
    command("approve", "carry out what a guard has stopped, after a fresh look")
        .operand(Operand::Some(HOLD))
        .flags(&[REASON, instead("all", "everything that is not decided yet")]),
    command("reject", "never carry out what a guard has stopped")
        .operand(Operand::Some(HOLD))
        .flags(&[REASON]),
    command("pause", "stop all writes to Sentry until `resume`; deliveries are still accepted, and both sides still compared")
        .flags(&[flag("reason", Takes::One("TEXT"), "why, for whoever reads the status")]),
    command("resume", "allow writes to Sentry again and work through what was queued, in order"),
    command("whois", "who a GitHub account is in Sentry, step by step; of an e-mail address, whose it is on both sides")
        .operand(Operand::One(PERSON)),
    command("explain", "what is known of a team, what both sides show, what would be done and why not; without a team, list them")
        .operand(Operand::Perhaps(TEAM))
        .flags(&[JSON]),
    command("replay", "look again at deliveries that failed; with --github, take in what GitHub could not deliver")
        .operand(Operand::Some(GUID))
        .flags(&[
            REASON,
            instead("failed", "everything that failed"),
            instead("github", "what GitHub could not hand over in the last three days, read from its list or sent again"),
        ]),
    command("undo", "bring back a Sentry team that was deleted, with its people and projects; without an id, list them")
        .operand(Operand::Perhaps(DELETED))
        .flags(&[REASON]),
    command("audit", "what was decided, why, with which call and answer, from the audit log")
        .flags(&[
            flag("team", Takes::Many("TEAM"), "only lines about this team: its slug on GitHub or in Sentry, or id:NUMBER of GitHub"),
            flag("person", Takes::One("PERSON"), "only lines about this person: a GitHub login, id:NUMBER, or an e-mail address"),
            flag("since", Takes::One("TIME"), "only lines from then on: 2026-11-01, 2026-11-01T10:00:00Z, or an age such as 3d"),
            JSON,
            VERBOSE,
        ]),
    command("app", "make a GitHub App for this service in a browser: writes the page for it; then fetches id, key and webhook secret into files")
        .flags(&[
            flag("org", Takes::One("ORG"), "the organisation that owns the App"),
            flag("url", Takes::One("URL"), "where deliveries go: https://HOST/github"),
            flag("code", Takes::One("CODE"), "what GitHub gave for the page; - reads it, or the address with it, from stdin"),
            flag("into", Takes::One("DIR"), "the folder for page and files (default: this one)"),
        ]),
    command("completions", "print what completes commands and flags in bash, zsh or fish")
        .operand(Operand::One(SHELL)),
    command("manual", "print the manual page, for man"),
];

impl CommandHelp {
    const fn operand(self, operand: Operand) -> Self {
        Self { operand, ..self }
    }

    const fn flags(self, flags: &'static [Flag]) -> Self {
        Self { flags, ..self }
    }

    pub fn has_state(&self) -> bool {
        !matches!(self.name, "app" | "completions" | "manual")
    }

    pub fn named(name: &str) -> Option<&'static CommandHelp> {
        COMMANDS.iter().find(|command| command.name == name)
    }

    /// What is typed, with everything that may follow.
    pub fn usage(&self) -> String {
        let mut usage = String::from(self.name);
        for flag in self.flags.iter().filter(|flag| !flag.is_instead) {
            let more = if matches!(flag.takes, Takes::Many(_)) { "…" } else { "" };
            usage += &format!(" [{}]{more}", flag.usage());
        }
        match self.operand {
            Operand::None => {}
            Operand::Perhaps(word) => usage += &format!(" [{}]", word.sign),
            Operand::One(word) => usage += &format!(" {}", word.sign),
            Operand::Some(word) => usage += &format!(" {}…", word.sign),
        }
        for flag in self.flags.iter().filter(|flag| flag.is_instead) {
            usage += &format!("|{}", flag.usage());
        }
        usage
    }
}

impl Flag {
    /// As the usage of its command shows it.
    pub fn usage(&self) -> String {
        self.short.map_or_else(|| self.long(), |letter| format!("-{letter}"))
    }

    /// As the list of flags shows it: both names, if it has two.
    pub fn names(&self) -> String {
        self.short.map_or_else(String::new, |letter| format!("-{letter}, ")) + &self.long()
    }

    fn long(&self) -> String {
        match self.takes {
            Takes::Nothing => format!("--{}", self.name),
            Takes::One(sign) | Takes::Many(sign) => format!("--{} {sign}", self.name),
            Takes::Perhaps(sign) => format!("--{}[={sign}]", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usages_read_as_people_know_them() {
        let usage = |name: &str| CommandHelp::named(name).unwrap().usage();
        assert_eq!(usage("serve"), "serve");
        assert_eq!(usage("sync"), "sync [--json] [--team TEAM]… [--save FILE] [--apply[=FILE]]");
        assert_eq!(usage("status"), "status [--json] [-v]");
        assert_eq!(VERBOSE.names(), "-v, --verbose");
        assert_eq!(usage("approve"), "approve [--reason TEXT] HOLD…|--all");
        assert_eq!(usage("whois"), "whois PERSON");
        assert_eq!(usage("undo"), "undo [--reason TEXT] [ID]");
    }

    /// Flags may stand before the command: what one takes must be known by its name alone.
    #[test]
    fn a_flag_takes_the_same_with_every_command_and_is_no_settings() {
        let all: Vec<&Flag> = COMMANDS.iter().flat_map(|command| command.flags).collect();
        for flag in &all {
            let same = all.iter().filter(|other| other.name == flag.name);
            assert!(same
                .clone()
                .all(|other| std::mem::discriminant(&other.takes) == std::mem::discriminant(&flag.takes)));
            assert!(
                crate::config::SETTINGS.iter().all(|setting| setting.flag() != flag.name),
                "{}",
                flag.name
            );
        }
    }
}
