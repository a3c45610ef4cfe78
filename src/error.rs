//! The error type for everything that a person reads: what happened, why, and what to do.
//!
//! A host's answer to a single call is not an error of this type; see [`crate::hosts::http::verdict`].

use std::fmt;
use std::process::ExitCode;

/// The exit code with which an error ends the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something went wrong while doing the work: exit code 1.
    Failed,
    /// The command line or the configuration is wrong: exit code 64.
    Usage,
}

/// `what: why`, and the fix on a line of its own. Lower case, no full stop, names in backticks.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    what: String,
    why: Option<String>,
    fix: Option<String>,
}

/// The result of everything whose errors a person reads.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The work failed. `what` begins with `failed to`, as a rule.
    pub fn failed(what: impl Into<String>) -> Self {
        Self { kind: Kind::Failed, what: what.into(), why: None, fix: None }
    }

    pub fn usage(what: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, ..Self::failed(what) }
    }

    /// The cause, as the other side said it.
    pub fn why(mut self, why: impl fmt::Display) -> Self {
        self.why = Some(why.to_string());
        self
    }

    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// The message (what happened and why), and the fix.
    pub fn parts(&self) -> (String, &str) {
        let what = match &self.why {
            Some(why) => format!("{}: {why}", self.what),
            None => self.what.clone(),
        };
        (what, self.fix.as_deref().unwrap_or("see the log"))
    }

    pub fn exit_code(&self) -> ExitCode {
        match self.kind {
            Kind::Failed => ExitCode::from(1),
            Kind::Usage => ExitCode::from(64),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(why) = &self.why {
            write!(f, ": {why}")?;
        }
        if let Some(fix) = &self.fix {
            write!(f, "\n  fix: {fix}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Adds a sentence to an I/O error: `context("failed to read", &path)`.
pub trait Context<T> {
    /// Puts `what` in front of the cause, with the thing in backticks.
    fn context(self, what: &str, thing: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, what: &str, thing: impl fmt::Display) -> Result<T> {
        self.map_err(|cause| Error::failed(format!("{what} `{thing}`")).why(cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_why_and_the_fix_on_its_own_line() {
        let error = Error::failed("failed to open `x`").why("permission denied").fix("run it as its owner");
        assert_eq!(error.to_string(), "failed to open `x`: permission denied\n  fix: run it as its owner");
    }
}
