//! Turns GitHub's slugs into Sentry's. Pure.
//!
//! Sentry requires `^(?![0-9]+$)[a-z0-9_\-]+$` and at most 50 characters. Most GitHub slugs fit and are used unchanged,
//! after `SYNC_SLUG_PREFIX`. One that does not (longer, digits only, `ent:` of an enterprise team, another script) is
//! made readable by one rule: lower case, everything else becomes `-`, then `-` and 6 hex digits of the original's
//! SHA-256, cut before these so that the whole has at most 48 characters. The digits distinguish slugs that look alike
//! after the cut. Slugs of 49 or 50 characters, which Sentry deletes badly, never result. A team without a usable slug
//! (its name is only emoji, say) gets `team-` and its GitHub id.

use sha2::{Digest, Sha256};

use crate::state::ids::{GithubSlug, GithubTeamId, SentrySlug, SentryTeamId};

/// The longest slug that Sentry accepts.
const SENTRY_LIMIT: usize = 50;
/// The longest slug that this module makes.
const OWN_LIMIT: usize = 48;
/// The longest name that Sentry accepts, in characters.
const NAME_LIMIT: usize = 64;

/// The slug that a GitHub team has in Sentry. The same input always gives the same slug.
pub fn for_team(github: &GithubSlug, team: GithubTeamId, prefix: &str) -> SentrySlug {
    let wanted = format!("{prefix}{github}");
    if !github.as_str().is_empty() && fits(&wanted) {
        return SentrySlug::from(wanted);
    }
    let readable = words(github.as_str());
    if readable.is_empty() {
        return SentrySlug::from(format!("{prefix}team-{team}"));
    }
    let sum = hex::encode(&Sha256::digest(github.as_str().as_bytes())[..3]);
    let room = OWN_LIMIT.saturating_sub(prefix.len() + 1 + sum.len());
    let cut = readable.get(..room.min(readable.len())).unwrap_or_default().trim_end_matches('-');
    SentrySlug::from(format!("{prefix}{cut}-{sum}"))
}

/// GitHub's slug, derived from that of the team's Sentry team. Not exact if that was changed to fit.
pub fn on_github(sentry: &SentrySlug, prefix: &str) -> GithubSlug {
    GithubSlug::from(sentry.as_str().strip_prefix(prefix).unwrap_or(sentry.as_str()))
}

/// Whether all versions of Sentry accept this slug.
pub fn fits(slug: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    !slug.is_empty()
        && slug.len() <= SENTRY_LIMIT
        && slug.bytes().all(allowed)
        && !slug.bytes().all(|b| b.is_ascii_digit())
}

/// A slug for a team that must give up its own for a moment: during a swap, or before the deletion of a team whose slug
/// Sentry would not set free (49 and 50 characters). Sentry's team id makes it unique.
pub fn temporary(team: SentryTeamId, attempt: u32) -> SentrySlug {
    match attempt {
        0 => SentrySlug::from(format!("moving-{team}")),
        n => SentrySlug::from(format!("moving-{team}-{n}")),
    }
}

/// Whether the slug is a temporary one of this team. `moving-2024` may be the real slug of another team.
pub fn is_temporary(slug: &SentrySlug, team: SentryTeamId) -> bool {
    let rest = slug.as_str().strip_prefix(&*format!("moving-{team}"));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Whether Sentry would keep this slug taken after the team's deletion, or fail.
pub fn is_kept_after_deletion(slug: &SentrySlug) -> bool {
    slug.as_str().len() >= SENTRY_LIMIT - 1
}

/// The slug that GitHub gives to a team with this name. A rename event has only the old name (`changes.name.from`), so
/// the old slug is found with this. GitHub's rule, as documented and observed: it drops accents and everything up to
/// the last slash; the rest becomes lower case, with `-` for everything else.
pub fn from_name(name: &str) -> GithubSlug {
    GithubSlug::from(words(name.rsplit('/').next().unwrap_or_default()))
}

/// A team's name as Sentry accepts it: one line, trimmed, at most 64 characters, never empty.
pub fn display_name(name: &str, slug: &SentrySlug) -> String {
    let visible: String = name.chars().filter(|c| !c.is_control()).collect();
    let cut: String = visible.trim().chars().take(NAME_LIMIT).collect();
    match cut.trim_end() {
        "" => slug.as_str().into(),
        cut => cut.into(),
    }
}

/// Lower-case words of `[a-z0-9_]` without accents, joined by single `-`.
fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            out.push(c.to_ascii_lowercase());
        } else if let Some(letters) = base_letters(c) {
            out.push_str(letters);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(out.trim_end_matches('-').len());
    out
}

/// The unaccented form of a Latin letter, as GitHub's slugs have it.
fn base_letters(c: char) -> Option<&'static str> {
    Some(match c {
        'À'..='Å' | 'à'..='å' | 'Ā'..='ą' => "a",
        'Æ' | 'æ' => "ae",
        'Ç' | 'ç' | 'Ć'..='č' => "c",
        'Ď'..='đ' | 'Ð' | 'ð' => "d",
        'È'..='Ë' | 'è'..='ë' | 'Ē'..='ě' => "e",
        'Ĝ'..='ģ' => "g",
        'Ĥ'..='ħ' => "h",
        'Ì'..='Ï' | 'ì'..='ï' | 'Ĩ'..='ı' => "i",
        'Ĵ' | 'ĵ' => "j",
        'Ķ'..='ĸ' => "k",
        'Ĺ'..='ł' => "l",
        'Ñ' | 'ñ' | 'Ń'..='ŉ' => "n",
        'Ò'..='Ö' | 'Ø' | 'ò'..='ö' | 'ø' | 'Ō'..='ő' => "o",
        'Œ' | 'œ' => "oe",
        'Ŕ'..='ř' => "r",
        'Ś'..='š' => "s",
        'ß' => "ss",
        'Ţ'..='ŧ' => "t",
        'Ù'..='Ü' | 'ù'..='ü' | 'Ũ'..='ų' => "u",
        'Ŵ' | 'ŵ' => "w",
        'Ý' | 'ý' | 'ÿ' | 'Ŷ'..='Ÿ' => "y",
        'Ź'..='ž' => "z",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentry(github: &str, prefix: &str) -> String {
        for_team(&GithubSlug::from(github), GithubTeamId(42), prefix).to_string()
    }

    #[test]
    fn a_prefix_is_taken_off_where_it_is() {
        let on_github = |slug: &str, prefix: &str| on_github(&SentrySlug::from(slug), prefix).to_string();
        assert_eq!(on_github("gh-crew", "gh-"), "crew");
        assert_eq!([on_github("crew", "gh-"), on_github("crew", "")], ["crew", "crew"]);
    }

    #[test]
    fn a_name_with_accents_has_the_slug_of_its_base_letters() {
        for (name, slug) in [
            ("Ærø Äpfel", "aero-apfel"),
            ("Çelik Ďábel Đuro", "celik-dabel-duro"),
            ("Élan Ěst Ĝis Ħal", "elan-est-gis-hal"),
            ("Îles Ĵak Ķers", "iles-jak-kers"),
            ("Łódź Ñandú Œuvre Ő", "lodz-nandu-oeuvre-o"),
            ("Řeka Škoda Ştiri Straße Ţara", "reka-skoda-stiri-strasse-tara"),
            ("Über Ŵal Ýr Ÿ Żaba", "uber-wal-yr-y-zaba"),
        ] {
            assert_eq!(from_name(name).as_str(), slug, "{name}");
        }
    }

    #[test]
    fn a_slug_that_fits_is_taken_as_it_is() {
        for slug in ["backend", "a", "--", "-x-", "_x_", "team-2024", &"a".repeat(50)] {
            assert_eq!(sentry(slug, ""), slug);
        }
        assert_eq!(sentry("backend", "acme-"), "acme-backend");
    }

    #[test]
    fn a_slug_that_does_not_fit_gets_a_stable_readable_one() {
        assert_eq!(sentry("2024", ""), "2024-655773");
        assert_eq!(sentry("2024", "acme-"), "acme-2024");
        assert_eq!(sentry("ent:platform", ""), "ent-platform-2faf7e");
        assert_eq!(sentry("Größe", ""), "grosse-aedc3f");
        assert_eq!(sentry("", ""), "team-42");
        assert_eq!(sentry("🦀", "acme-"), "acme-team-42");
    }

    #[test]
    fn long_slugs_that_look_alike_stay_apart() {
        let (one, two) = (format!("{}1", "a".repeat(50)), format!("{}2", "a".repeat(50)));
        assert_ne!(sentry(&one, ""), sentry(&two, ""));
        for prefix in ["", "twenty-characters-0-"] {
            let slug = sentry(&one, prefix);
            assert!(fits(&slug) && slug.len() <= OWN_LIMIT, "{slug}");
        }
    }

    #[test]
    fn every_slug_made_here_fits() {
        for github in
            ["", "0", "ent:", "ENT:X", "é", "a b", "x/y", "-", ":", &"9".repeat(60), &"ü".repeat(300)]
        {
            for prefix in ["", "p-"] {
                let slug = sentry(github, prefix);
                assert!(fits(&slug), "{github} {prefix} -> {slug}");
            }
        }
    }

    #[test]
    fn names_become_slugs_as_github_makes_them() {
        for (name, slug) in [
            ("My TEam Näme", "my-team-name"),
            ("foo/bar@baz", "bar-baz"),
            ("Straße  &  Œuvre", "strasse-oeuvre"),
            ("  C++ / C# ", "c"),
            ("🦀", ""),
            ("under_score", "under_score"),
        ] {
            assert_eq!(from_name(name).as_str(), slug, "{name}");
        }
    }

    #[test]
    fn display_names_obey_sentrys_limits() {
        let slug = SentrySlug::from("x");
        assert_eq!(display_name(" Team\u{0} A\n", &slug), "Team A");
        assert_eq!(display_name("\u{7}", &slug), "x");
        assert_eq!(display_name(&"ü".repeat(65), &slug).chars().count(), 64);
    }

    #[test]
    fn slugs_of_49_and_50_characters_are_not_set_free() {
        for (n, kept) in [(48, false), (49, true), (50, true)] {
            assert_eq!(is_kept_after_deletion(&SentrySlug::from("a".repeat(n))), kept);
        }
    }
}
