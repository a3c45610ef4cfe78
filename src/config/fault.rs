//! Mistakes in the configuration, reported all at once, each with its fix and with hidden characters shown.

use crate::error::{Error, Result};
use crate::text;
use crate::text::revealed;

use super::{Environment, SETTINGS};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub var: &'static str,
    pub what: String,
    pub fix: String,
}

impl Fault {
    /// A mistake in a variable. Parts of its value in the texts are shown with their invisible characters.
    pub(super) fn new(var: &'static str, what: &str, fix: &str) -> Self {
        Self { var, what: revealed(what), fix: revealed(fix) }
    }
}

/// A mistake in a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The second half of a sentence that begins with the setting's name.
    pub why: String,
    /// The fix, if listing what the setting accepts is not enough.
    pub fix: Option<String>,
}

impl Wrong {
    pub(super) fn new(why: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { why: why.into(), fix: Some(fix.into()) }
    }
}

impl From<String> for Wrong {
    fn from(why: String) -> Self {
        Self { why, fix: None }
    }
}

/// A variable that looks like ours but is unknown: most likely a typing error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    pub name: String,
    /// The variable that may have been meant.
    pub meant: Option<String>,
}

impl Unknown {
    pub fn told(&self) -> String {
        let meant = self.meant.as_ref().map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
        revealed(&format!("the variable {} is not known to this version and is ignored{meant}", self.name))
    }
}

/// Fails with an error that names all of these faults, if there are any, and also the unknown variables.
pub fn refuse<'a>(faults: impl Iterator<Item = &'a Fault>, unknown: &[Unknown]) -> Result<()> {
    let mut lines: Vec<_> =
        faults.map(|Fault { what, fix, .. }| format!("  {what}\n    fix: {fix}")).collect();
    let what = match lines.len() {
        0 => return Ok(()),
        1 => "the configuration has a fault".into(),
        n => format!("the configuration has {n} faults"),
    };
    lines.extend(unknown.iter().map(|unknown| format!("  also: {}", unknown.told())));
    Err(Error::usage(format!("{what}:\n{}", lines.join("\n"))))
}

/// The names of all variables that have a meaning.
fn names() -> impl Iterator<Item = String> {
    SETTINGS.iter().flat_map(|setting| {
        let file = setting.secret.then(|| format!("{}_FILE", setting.var));
        std::iter::once(setting.var.to_string()).chain(file)
    })
}

/// Variables that begin with `SYNC_` and have no meaning.
pub(super) fn unknown(env: &Environment) -> Vec<Unknown> {
    let known: Vec<String> = names().collect();
    // Test harnesses and installers set these; the program does not read them.
    let is_foreign = |name: &str| name.starts_with("SYNC_TEST_") || known.iter().any(|known| known == name);
    let ours = env.keys().filter(|name| name.starts_with("SYNC_") && !is_foreign(name));
    let meant = |name: &str| text::nearest(name, known.iter().map(String::as_str)).map(String::from);
    ours.map(|name| Unknown { name: name.clone(), meant: meant(name) }).collect()
}

/// Finds the variable that was set in place of a missing one: its name differs by a typo. Other names, such as
/// `SENTRY_ORG` of Sentry's own command line, may have nothing to do with it.
pub(super) fn typed_for(var: &str, env: &Environment) -> Option<String> {
    let is_free = |name: &&str| !names().any(|known| known == *name);
    let set = env.iter().filter(|(_, value)| !value.is_empty()).map(|(name, _)| name.as_str());
    text::nearest(var, set.filter(is_free)).map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(names: &[&str]) -> Environment {
        names.iter().map(|name| (name.to_string(), "x".to_string())).collect()
    }

    #[test]
    fn a_name_that_begins_like_ours_is_told_with_the_one_that_was_meant() {
        let found =
            unknown(&env(&["SYNC_LISTN", "SYNC_PROTCET", "SYNC_TEST_X", "SYNC_FLYING", "SYNC_TEAMS"]));
        let told: Vec<_> = found.iter().map(Unknown::told).collect();
        assert_eq!(
            told,
            [
                "the variable SYNC_FLYING is not known to this version and is ignored",
                "the variable SYNC_LISTN is not known to this version and is ignored; did you mean SYNC_LISTEN?",
                "the variable SYNC_PROTCET is not known to this version and is ignored; did you mean SYNC_PROTECT?",
            ]
        );
    }

    #[test]
    fn what_was_typed_for_a_missing_variable_is_found_and_nothing_that_is_somebody_elses() {
        assert_eq!(typed_for("GH_TOKEN", &env(&["GH_TOKN", "GH_HOST"])).as_deref(), Some("GH_TOKN"));
        assert_eq!(
            typed_for("SENTRY_ORG_SLUG", &env(&["SENTRY_ORG_SULG"])).as_deref(),
            Some("SENTRY_ORG_SULG")
        );
        for other in ["SENTRY_TOKEN", "SENTRY_ORG", "GH_REPO", "HOME"] {
            assert_eq!(typed_for("GH_TOKEN", &env(&[other])), None, "{other}");
        }
    }

    #[test]
    fn unknown_names_stand_beside_the_faults() {
        let fault = Fault::new("SYNC_WORKERS", "SYNC_WORKERS is `ma\u{200b}ny`", "write a number");
        let unknown = unknown(&env(&["SYNC_LISTN"]));
        assert!(refuse([].iter(), &unknown).is_ok());
        let told = refuse([fault].iter(), &unknown).unwrap_err().to_string();
        assert_eq!(
            told,
            "the configuration has a fault:\n  SYNC_WORKERS is `ma\\u{200b}ny`\n    fix: write a number\n  also: the variable \
             SYNC_LISTN is not known to this version and is ignored; did you mean SYNC_LISTEN?"
        );
    }
}
