//! How GitHub makes a team's slug from its name.
//!
//! Facts: special characters are replaced, letters lowered, blanks become `-`
//! (`My TEam Näme` → `my-team-name`); everything up to a slash is dropped (`foo/bar@baz` →
//! `bar-baz`); a name of emoji alone has no usable slug; digits alone stay digits. Other scripts are
//! documented nowhere and vanish here.

use crate::standin::encode::latin_base;

/// The slug of a name; may be empty.
pub fn slug(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    let mut out = String::new();
    for letter in last.chars() {
        let plain = latin_base(letter).map(str::to_owned).unwrap_or_else(|| letter.to_string());
        for letter in plain.to_lowercase().chars() {
            if letter.is_ascii_alphanumeric() || letter == '_' {
                out.push(letter);
            } else if !out.ends_with('-') {
                out.push('-');
            }
        }
    }
    out.trim_matches('-').to_owned()
}
