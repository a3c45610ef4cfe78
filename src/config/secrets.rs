//! Secrets: where they come from, and what in them is probably there by mistake.
//!
//! Copied text often brings something invisible: a byte order mark, a line end, a blank, quotes. One byte order mark
//! and one line end are removed from a file. Anything else that is odd in a token is a fault. In a webhook's secret it
//! is only a warning, because people can type any text into GitHub's form.

use std::path::Path;

use super::app_key::AppKey;
use super::fault::Fault;
use super::{missing, non_empty, Environment, Origin};
use crate::config::secret::Secret;
use crate::text::is_hidden;

/// Reads the secrets one by one, and collects faults, warnings and origins.
pub(super) struct Secrets<'a> {
    flags: &'a Environment,
    env: &'a Environment,
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<Fault>,
    pub(super) origins: Vec<(&'static str, Origin)>,
}

impl<'a> Secrets<'a> {
    /// `faults` are those of the settings; the faults of secrets follow them.
    pub(super) fn new(flags: &'a Environment, env: &'a Environment, faults: Vec<Fault>) -> Self {
        Self { flags, env, faults, warnings: Vec::new(), origins: Vec::new() }
    }

    /// Reads a token, which has only visible ASCII characters.
    pub(super) fn token(&mut self, var: &'static str, required: bool, what: &str) -> Option<Secret> {
        let value = self.value(var, required, what)?;
        let odd = oddities(&value, true);
        if !odd.is_empty() {
            let what = format!("{var} {}", odd.join(", "));
            self.faults.push(Fault::new(var, &what, "put the token there alone, without anything around it"));
            return None;
        }
        Some(Secret::new(value))
    }

    /// Reads a webhook's secret, which can be any text.
    pub(super) fn webhook(&mut self, var: &'static str, required: bool, what: &str) -> Option<Secret> {
        let value = self.value(var, required, what)?;
        let odd = oddities(&value, false);
        if !odd.is_empty() {
            let what = format!("{var} {}: GitHub signs with exactly what its form has", odd.join(", "));
            let fix = "if the form has it without, put it there alone; else leave it as it is, or make another: openssl rand -hex 32";
            self.warnings.push(Fault::new(var, &what, fix));
        }
        Some(Secret::new(value))
    }

    /// Reads an App's private key, which is PEM.
    pub(super) fn app_key(&mut self, var: &'static str) -> Option<AppKey> {
        let value = self.value(var, false, "")?;
        match AppKey::read(&value) {
            Ok(key) => Some(key),
            Err(why) => {
                let fix =
                    "put the whole file there that GitHub gives under the App's settings → Private keys → \
                           Generate a private key";
                self.faults.push(Fault::new(var, &format!("{var} {why}"), fix));
                None
            }
        }
    }

    fn value(&mut self, var: &'static str, required: bool, what: &str) -> Option<String> {
        let fault = match find(self.flags, self.env, var) {
            Ok(Some((value, _))) if value.contains(char::REPLACEMENT_CHARACTER) => {
                Fault::new(var, &format!("{var} is not UTF-8"), "save it as UTF-8, or make another")
            }
            Ok(Some((value, origin))) => {
                self.origins.push((var, origin));
                return Some(value);
            }
            Ok(None) if required => {
                let fix = format!("set it, or {var}_FILE, or a systemd credential: {what}");
                missing(var, &fix, self.env)
            }
            Ok(None) => return None,
            Err((what, fix)) => Fault::new(var, &what, &fix),
        };
        self.faults.push(fault);
        None
    }
}

/// Everything that is odd about a secret, as parts of a sentence that begins with its name. It reveals only invisible
/// characters and, for a token, a character beyond ASCII, which no token has. `is_token`: a blank inside, or a quote at
/// only one end, is odd too.
fn oddities(value: &str, is_token: bool) -> Vec<String> {
    let mut odd = Vec::new();
    let quotes = ['"', '\'', '`', '\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}'];
    match (value.starts_with(quotes), value.ends_with(quotes)) {
        (true, true) => odd.push("is in quotes, which become part of it".to_string()),
        (true, false) | (false, true) if is_token => odd.push("has a quote at one end".into()),
        _ => {}
    }
    let told = if odd.is_empty() { &[][..] } else { &quotes };
    let inner = value.trim_matches(' ');
    if inner.len() < value.len() {
        let (begins, ends) = (value.starts_with(' '), value.ends_with(' '));
        odd.push(match (begins, ends) {
            (true, true) => "begins and ends with a blank".into(),
            (true, false) => "begins with a blank".into(),
            _ => "ends with a blank".into(),
        });
    }
    if is_token && inner.contains(' ') {
        odd.push("has a blank in it".into());
    }
    if let Some(first) = value.chars().find(|c| is_hidden(*c)) {
        let where_to = match (value.starts_with(first), value.ends_with(first)) {
            (true, _) => "begins with",
            (false, true) => "ends with",
            (false, false) => "has",
        };
        odd.push(format!("{where_to} \\u{{{:x}}}, which cannot be seen", first as u32));
    }
    let beyond = |c: &char| !c.is_ascii() && !is_hidden(*c) && !told.contains(c);
    match (value.chars().find(beyond), is_token) {
        (Some(first), true) => odd.push(format!("has \\u{{{:x}}}, which no token has", first as u32)),
        (Some(_), false) => {
            let n = value.chars().filter(beyond).count();
            odd.push(format!(
                "has {}",
                crate::text::counted(n, "character beyond ASCII", "characters beyond ASCII")
            ));
        }
        (None, _) => {}
    }
    odd
}

/// A secret's value and its origin. The error has the reason and the fix.
fn find(
    flags: &Environment,
    env: &Environment,
    var: &str,
) -> std::result::Result<Option<(String, Origin)>, (String, String)> {
    let file_var = format!("{var}_FILE");
    // A flag wins over the environment, whether that has the value or names a file.
    let (value, file) = match non_empty(flags, &file_var) {
        Some(path) => (None, Some(path)),
        None => (non_empty(env, var), non_empty(env, &file_var)),
    };
    match (value, file) {
        (Some(_), Some(_)) => {
            Err((format!("{var} and {file_var} are both set"), format!("unset one of them: `unset {var}`")))
        }
        (Some(value), None) => Ok(Some((value.into(), Origin::Variable))),
        (None, Some(path)) => match read_file(Path::new(path)) {
            Ok(value) => Ok(Some((value, Origin::File(path.into())))),
            Err(why) => Err((
                format!("{file_var}: {why}"),
                "name a file that this user can read, with the value and nothing else in it".into(),
            )),
        },
        (None, None) => {
            let credential = non_empty(env, "CREDENTIALS_DIRECTORY")
                .map(|dir| Path::new(dir).join(var.to_ascii_lowercase()))
                .filter(|path| path.exists());
            let Some(path) = credential else { return Ok(None) };
            match read_file(&path) {
                Ok(value) => Ok(Some((value, Origin::Credential(path)))),
                Err(why) => Err((
                    format!("the systemd credential of {var}: {why}"),
                    "put the value into the file that LoadCredential= names, and restart".into(),
                )),
            }
        }
    }
}

/// Reads a secret's file, without the byte order mark and the line end that editors add.
fn read_file(path: &Path) -> std::result::Result<String, String> {
    let text =
        std::fs::read_to_string(path).map_err(|e| format!("failed to read `{}`: {e}", path.display()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(format!("`{}` is empty", path.display()));
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_odd_about_a_token_is_told_without_the_token() {
        for (value, told) in [
            ("\u{feff}ghp_abc", "begins with \\u{feff}, which cannot be seen"),
            ("ghp_\u{200b}abc", "has \\u{200b}, which cannot be seen"),
            ("ghp_abc\r", "ends with \\u{d}, which cannot be seen"),
            ("ghp_abc\n", "ends with \\u{a}, which cannot be seen"),
            ("\u{a0}ghp_abc", "begins with \\u{a0}, which cannot be seen"),
            ("\"ghp_abc\"", "is in quotes, which become part of it"),
            ("'ghp_abc'", "is in quotes, which become part of it"),
            ("\u{201c}ghp_abc\u{201d}", "is in quotes, which become part of it"),
            ("\"ghp_abc", "has a quote at one end"),
            (" ghp_abc", "begins with a blank"),
            ("ghp_abc ", "ends with a blank"),
            ("Bearer ghp_abc", "has a blank in it"),
            ("ghp_\u{430}bc", "has \\u{430}, which no token has"),
        ] {
            assert_eq!(oddities(value, true), [told], "{value:?}");
        }
        assert_eq!(oddities("github_pat_11AB_c-d.e~f+/=", true), [""; 0]);
        assert_eq!(oddities(" \"a\u{200b}\"", true).len(), 3, "all of it at once");
    }

    #[test]
    fn a_webhooks_secret_may_be_any_text_and_is_warned_of_where_that_is_most_likely_not_meant() {
        for (value, told) in [
            ("\u{feff}abc", "begins with \\u{feff}, which cannot be seen"),
            ("abc\r", "ends with \\u{d}, which cannot be seen"),
            ("abc ", "ends with a blank"),
            ("\"abc\"", "is in quotes, which become part of it"),
            ("grüße", "has 2 characters beyond ASCII"),
        ] {
            assert_eq!(oddities(value, false), [told], "{value:?}");
        }
        for fine in ["It's a Secret to Everybody", "a b", "\"a", "#!$%&'()*+,-./"] {
            assert_eq!(oddities(fine, false), [""; 0], "{fine}");
        }
    }
}
