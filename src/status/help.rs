//! Suggests how a person whom Sentry does not know could be matched. Pure.

use crate::identity::{BARRED, MANAGED, NO_MEMBER_HAS, SECOND};
use crate::state::values::Source;
use crate::text::plain;

/// Every source, for callers that do not know which ones are on.
pub const ALL: [Source; 5] = [Source::Map, Source::Sentry, Source::Saml, Source::Verified, Source::Public];

/// The advice for a person, depending on why nobody was matched and on the sources that are on.
pub fn what_would_match(login: &str, why: &str, order: &[Source]) -> String {
    if why == BARRED {
        return "give them another role in Sentry".into();
    }
    let has = |source| order.contains(&source);
    let login = plain(login, 60);
    let mut ways: Vec<String> = Vec::new();
    let is_second = why.starts_with(SECOND);
    let knows_address = is_second || why.starts_with(NO_MEMBER_HAS);
    let is_conflict = !knows_address && !why.starts_with("no address is known");
    // An invite to the address with GitHub's tag would create a second account.
    if knows_address && !why.contains(MANAGED) {
        ways.push(match why.contains("(there is ") {
            _ if is_second => "have them make it their primary address in Sentry".into(),
            true => "have the address verified in Sentry, or the invite renewed".into(),
            false => "invite that address to Sentry, or have it added to their account there".into(),
        });
    }
    if has(Source::Map) {
        ways.push(if is_conflict {
            format!("say in SYNC_USER_MAP who `{login}` is")
        } else {
            format!("add `{login}` with their Sentry address to SYNC_USER_MAP")
        });
    }
    if has(Source::Sentry) && !is_conflict {
        ways.push("link the GitHub account in Sentry".into());
    }
    if is_second {
        ways.push("set SYNC_TRUST_UNVERIFIED=any for everybody".into());
    }
    if !knows_address && !is_conflict && (has(Source::Verified) || has(Source::Public)) {
        ways.push(if has(Source::Verified) {
            "an e-mail of the organisation's verified domain on GitHub".into()
        } else {
            "a public e-mail on GitHub".into()
        });
    }
    if ways.is_empty() {
        return "no source that is on could match them: see SYNC_IDENTITY".into();
    }
    ways.join("; or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_fits_the_reason_and_the_sources() {
        let nobody = format!("{NO_MEMBER_HAS} public GitHub address: z…@acme.test");
        for (why, order, expected) in [
            (
                nobody.as_str(),
                &ALL[..],
                "invite that address to Sentry, or have it added to their account there; or add `zoe` with their Sentry address to SYNC_USER_MAP; or link the GitHub account in Sentry",
            ),
            (
                &format!("{nobody} (there is an invite that has expired)"),
                &[Source::Public],
                "have the address verified in Sentry, or the invite renewed",
            ),
            (
                "no address is known from map, verified",
                &[Source::Map, Source::Verified],
                "add `zoe` with their Sentry address to SYNC_USER_MAP; or an e-mail of the organisation's verified domain on GitHub",
            ),
            (
                &format!("{SECOND} public only as a second address of member 7 (w…@acme.test): z…@home.test"),
                &[Source::Map, Source::Public],
                "have them make it their primary address in Sentry; or add `zoe` with their Sentry address to SYNC_USER_MAP; or set SYNC_TRUST_UNVERIFIED=any for everybody",
            ),
            ("no address is known from public", &[Source::Public], "a public e-mail on GitHub"),
            (
                &format!("{nobody}{MANAGED}acme to the addresses of managed users; …)"),
                &[Source::Map, Source::Saml],
                "add `zoe` with their Sentry address to SYNC_USER_MAP",
            ),
            ("sentry says Sentry member 2, public says 1", &ALL, "say in SYNC_USER_MAP who `zoe` is"),
            ("no address is known from saml", &[Source::Saml], "no source that is on could match them: see SYNC_IDENTITY"),
        ] {
            assert_eq!(what_would_match("zoe", why, order), expected, "{why}");
        }
    }
}
