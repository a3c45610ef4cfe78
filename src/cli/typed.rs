//! The typed arguments, checked against the grammar.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::commands::grammar::{CommandHelp, Flag, Operand, Takes, Word, COMMANDS, VERBOSE};
use crate::error::{Error, Result};

#[derive(Default)]
pub(super) struct Typed {
    /// The words after the command's name.
    pub operands: Vec<String>,
    pub flags: Vec<(&'static Flag, Option<OsString>)>,
}

impl Typed {
    pub fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|(flag, _)| flag.name == name)
    }

    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.values(name).next().map(PathBuf::from)
    }

    pub fn texts(&self, name: &str) -> Result<Vec<String>> {
        self.values(name).cloned().map(text).collect()
    }

    pub fn text(&self, name: &str) -> Result<Option<String>> {
        Ok(self.texts(name)?.pop())
    }

    pub fn operand(mut self) -> Result<String> {
        self.operands.pop().ok_or_else(|| Error::usage("an argument is missing"))
    }

    /// The fix for a flag of another command.
    fn whose(&self, flag: &Flag, name: &str) -> String {
        let owner = COMMANDS.iter().find(|command| command.flags.iter().any(|own| own.name == flag.name));
        match owner.filter(|_| name == "serve") {
            Some(_) if flag.name == VERBOSE.name => {
                "did you mean `--version`? `-v` belongs to `status`, `check` and `audit`".into()
            }
            Some(owner) => format!("did you mean `{} --{}`?", owner.name, flag.name),
            None => format!("`sentry-team-sync {name} --help` lists its flags"),
        }
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a OsString> {
        self.flags.iter().filter(move |(flag, _)| flag.name == name).filter_map(|(_, value)| value.as_ref())
    }

    /// Checks the arguments against a command. A flag that does nothing for it is a mistake, and an error.
    pub fn check(&self, command: &'static CommandHelp) -> Result<()> {
        let name = command.name;
        for (n, (flag, _)) in self.flags.iter().enumerate() {
            if command.flags.iter().all(|own| own.name != flag.name) {
                return Err(Error::usage(format!(
                    "`{}` does not belong to the command `{name}`",
                    flag.usage()
                ))
                .fix(self.whose(flag, name)));
            }
            let again = self.flags[..n].iter().any(|(before, _)| before.name == flag.name);
            if again && !matches!(flag.takes, Takes::Many(_) | Takes::Nothing) {
                return Err(Error::usage(format!("`--{}` was given twice", flag.name)));
            }
        }
        let instead = self.flags.iter().any(|(flag, _)| is_instead(command, flag));
        match (command.operand, self.operands.as_slice()) {
            (Operand::Some(_), []) if instead => Ok(()),
            (Operand::Some(_), [_, ..]) if instead => Err(Error::usage(format!(
                "`{name}` takes either names or a flag that stands for all of them"
            ))),
            (Operand::One(word) | Operand::Some(word), []) => Err(lacks(command, word)),
            (Operand::None, [word, ..]) => {
                let wrong = Error::usage(format!("`{name}` takes no argument, but `{word}` was given"));
                // An optional value must follow an equals sign.
                let meant = self
                    .flags
                    .iter()
                    .find(|(flag, value)| matches!(flag.takes, Takes::Perhaps(_)) && value.is_none());
                Err(match meant {
                    Some((flag, _)) => wrong.fix(format!("write `--{}={word}`", flag.name)),
                    None => wrong.fix(format!("`sentry-team-sync {name} --help` shows what it takes")),
                })
            }
            (Operand::One(word) | Operand::Perhaps(word), [_, _, ..]) => {
                Err(Error::usage(format!("`{name}` needs {} only", word.what)))
            }
            _ => Ok(()),
        }
    }
}

fn lacks(command: &CommandHelp, word: Word) -> Error {
    let instead = command.flags.iter().filter(|flag| flag.is_instead);
    let or: String = instead.map(|flag| format!(", or {}", flag.usage())).collect();
    Error::usage(format!("`{}` needs {}{or}", command.name, word.what)).fix(word.fix)
}

fn is_instead(command: &CommandHelp, flag: &Flag) -> bool {
    command.flags.iter().any(|own| own.name == flag.name && own.is_instead)
}

/// An argument that must be text.
pub(super) fn text(value: OsString) -> Result<String> {
    value.into_string().map_err(|value| Error::usage(format!("`{}` is not UTF-8", value.to_string_lossy())))
}
