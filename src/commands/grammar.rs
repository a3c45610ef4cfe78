//! The grammar of the command line: all commands, and what may follow each. The parser, the help texts, the manual
//! page, the completions, the README's table and commands shown to people are made from it.
//!
//! It is only data, and must never call code that parses or runs commands: modules below the command line use it too.

pub struct CommandHelp {
    pub name: &'static str,
    pub operand: Operand,
    /// Its own flags. Every command also takes the flags of the settings.
    pub flags: &'static [Flag],
    /// One line that says what it does.
    pub help: &'static str,
    /// More for its user to know, in full sentences.
    pub more: &'static str,
    /// A command line to copy, without the program's name.
    pub example: &'static str,
    pub exit_codes: &'static [(u8, &'static str)],
}

/// The arguments of a command besides its flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    None,
    Perhaps(Word),
    One(Word),
    /// At least one.
    Some(Word),
}

/// An argument that the user fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Its placeholder in help texts.
    pub sign: &'static str,
    /// Its description, for the error if it is missing.
    pub what: &'static str,
    /// Where to find its value, for the same error.
    pub fix: &'static str,
    /// All values that it can have, if there are only a few.
    pub choices: &'static [&'static str],
}

pub struct Flag {
    /// Its name without `--`.
    pub name: &'static str,
    /// The letter that can be typed instead.
    pub short: Option<char>,
    pub takes: Takes,
    /// It replaces the operands.
    pub is_instead: bool,
    pub help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    Nothing,
    One(&'static str),
    /// A value; the flag may be repeated.
    Many(&'static str),
    /// An optional value, after `=`.
    Perhaps(&'static str),
}

const FAILED: (u8, &str) = (1, "failed");
const USAGE: (u8, &str) = (64, "wrong usage or configuration");

const fn command(name: &'static str, help: &'static str) -> CommandHelp {
    CommandHelp {
        name,
        operand: Operand::None,
        flags: &[],
        help,
        more: "",
        example: name,
        exit_codes: &[(0, "done"), FAILED, USAGE],
    }
}

const fn flag(name: &'static str, takes: Takes, help: &'static str) -> Flag {
    Flag { name, short: None, takes, is_instead: false, help }
}

const fn instead(name: &'static str, help: &'static str) -> Flag {
    Flag { is_instead: true, ..flag(name, Takes::Nothing, help) }
}

const JSON: Flag = flag("json", Takes::Nothing, "print JSON, for programs");
/// Text for people is short by default; this flag shows everything.
pub const VERBOSE: Flag = Flag {
    short: Some('v'),
    ..flag("verbose", Takes::Nothing, "show everything: whole lists, full ids, details")
};
const REASON: Flag = flag("reason", Takes::One("TEXT"), "your reason, for the audit log");
const LISTED: &str = "`sentry-team-sync status` lists them";
pub const HOLD: Word = Word { sign: "HOLD", what: "the name of a hold", fix: LISTED, choices: &[] };
const GUID: Word = Word { sign: "GUID", what: "the GUID of a delivery", fix: LISTED, choices: &[] };
const PERSON: Word = Word {
    sign: "PERSON",
    what: "one person: a GitHub login, GitHub's id:NUMBER, or an e-mail address",
    fix: "give the login as in github.com/LOGIN",
    choices: &[],
};
const TEAM: Word = Word {
    sign: "TEAM",
    what: "one team: its slug on GitHub or in Sentry, or GitHub's id:NUMBER",
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
    fix: "choose bash, zsh or fish",
    choices: &["bash", "zsh", "fish"],
};

/// All commands, in the order in which they are shown.
pub const COMMANDS: &[CommandHelp] = &[
    command("serve", "run the service: receive deliveries and update Sentry (the default)").exit_codes(&[
        (0, "stopped by a signal"),
        FAILED,
        USAGE,
    ]),
    command("sync", "compare all teams and show the plan; --apply carries it out")
        .more("Without --apply it changes nothing.")
        .example("sync --team payments")
        .exit_codes(&[
            (0, "in sync, or everything was carried out"),
            FAILED,
            (2, "there are differences, or something is on hold"),
            USAGE,
        ])
        .flags(&[
            JSON,
            flag(
                "team",
                Takes::Many("TEAM"),
                "only this team: its slug on GitHub or in Sentry, or GitHub's id:NUMBER",
            ),
            flag("save", Takes::One("FILE"), "save the plan to a file"),
            flag(
                "apply",
                Takes::Perhaps("FILE"),
                "carry out the plan; with FILE, only if the saved plan is still the current one",
            ),
        ]),
    command("status", "show holds, problems, the queue and recent deliveries")
        .exit_codes(&[
            (0, "nothing needs you"),
            (1, "failed, or the service is not ready"),
            (2, "a hold needs your decision"),
            USAGE,
        ])
        .flags(&[JSON, VERBOSE]),
    command("check", "find problems with settings, tokens, webhook, people and state")
        .more("It asks GitHub and Sentry, and changes nothing. -v shows what is good, too.")
        .example("check --url https://sync.example.com/github")
        .exit_codes(&[(0, "no check failed; there may be warnings"), (1, "a check failed"), USAGE])
        .flags(&[
            JSON,
            flag("url", Takes::One("URL"), "also send a signed ping to this public address"),
            flag(
                "offline",
                Takes::Nothing,
                "check the settings only and contact nobody: for use before you restart with a new version",
            ),
            VERBOSE,
        ]),
    command("approve", "carry out changes that are on hold")
        .more("It looks at GitHub and Sentry again first, and carries out only what is still needed.")
        .example("approve 1f2e3d4c --reason \"team was split\"")
        .operand(Operand::Some(HOLD))
        .flags(&[REASON, instead("all", "everything that has not been decided yet")]),
    command("reject", "discard changes that are on hold")
        .more("They stay rejected for as long as a comparison would make them again.")
        .example("reject 1f2e3d4c --reason \"team is still needed\"")
        .operand(Operand::Some(HOLD))
        .flags(&[REASON]),
    command("pause", "stop all writes to Sentry")
        .more("Deliveries are still accepted and queued, and comparisons still run. `resume` ends the pause.")
        .example("pause --reason \"Sentry is being moved\"")
        .flags(&[flag("reason", Takes::One("TEXT"), "your reason, for everyone who reads the status")]),
    command("resume", "allow writes to Sentry again, and work through the queue"),
    command("whois", "show which Sentry member a GitHub account matches, and why")
        .more(
            "For an e-mail address, it shows which Sentry member has it and which GitHub account they match.",
        )
        .example("whois octocat")
        .operand(Operand::One(PERSON)),
    command("explain", "show what is known about a team and what a sync would change")
        .more("Without TEAM it lists all teams.")
        .example("explain payments")
        .exit_codes(&[(0, "done"), FAILED, (2, "there are differences, or something is on hold"), USAGE])
        .operand(Operand::Perhaps(TEAM))
        .flags(&[JSON]),
    command("replay", "retry failed deliveries; --github fetches those that GitHub could not deliver")
        .example("replay --failed")
        .operand(Operand::Some(GUID))
        .flags(&[
            REASON,
            instead("failed", "all failed deliveries"),
            instead(
                "github",
                "all that GitHub could not deliver in the last three days: read from its list, or sent again",
            ),
        ]),
    command("undo", "restore a deleted Sentry team with its members and projects")
        .more("Without ID it lists the teams that it can restore.")
        .example("undo payments")
        .operand(Operand::Perhaps(DELETED))
        .flags(&[REASON]),
    command("audit", "show what was decided, when and why")
        .example("audit --team payments --since 7d")
        .flags(&[
            flag(
                "team",
                Takes::Many("TEAM"),
                "only this team: its slug on GitHub or in Sentry, or GitHub's id:NUMBER",
            ),
            flag(
                "person",
                Takes::One("PERSON"),
                "only this person: a GitHub login, GitHub's id:NUMBER, or an e-mail address",
            ),
            flag(
                "since",
                Takes::One("TIME"),
                "only from this time on: 2026-11-01, 2026-11-01T10:00:00Z, or an age such as 36h or 7d",
            ),
            JSON,
            VERBOSE,
        ]),
    command("app", "create a GitHub App for this service in your browser")
        .more(
            "With --url it writes a page; open it, and create the App there. \
             Then --code fetches the App's ID, private key and webhook secret into files.",
        )
        .example("app --org acme --url https://sync.example.com/github")
        .flags(&[
            flag("org", Takes::One("ORG"), "the organisation that owns the App"),
            flag("url", Takes::One("URL"), "the webhook's address: https://HOST/github"),
            flag(
                "code",
                Takes::One("CODE"),
                "the code that GitHub showed; - reads it, or the address that contains it, from stdin",
            ),
            flag("into", Takes::One("DIR"), "the folder for the page and the files (default: this one)"),
        ]),
    command("completions", "print completions for bash, zsh or fish")
        .example("completions bash")
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

    const fn more(self, more: &'static str) -> Self {
        Self { more, ..self }
    }

    const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    const fn exit_codes(self, exit_codes: &'static [(u8, &'static str)]) -> Self {
        Self { exit_codes, ..self }
    }

    pub fn has_state(&self) -> bool {
        !matches!(self.name, "app" | "completions" | "manual")
    }

    pub fn named(name: &str) -> Option<&'static CommandHelp> {
        COMMANDS.iter().find(|command| command.name == name)
    }

    /// The usage line: the name, and everything that may follow it.
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
    /// The flag in a usage line.
    pub fn usage(&self) -> String {
        self.short.map_or_else(|| self.long(), |letter| format!("-{letter}"))
    }

    /// The flag in the list of flags: both names, if it has two.
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

    /// Flags may come before the command, so the name alone must decide whether a flag takes a value.
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
