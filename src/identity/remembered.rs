//! Which remembered matches still count. Pure.

use super::directory::Directory;
use super::Rules;
use crate::config::Trust;
use crate::state::values::{Match, Source};

/// Whether the settings still allow a match. Its source must be on. If an address decided and unverified ones never
/// count, the member must also show a verified one. Which address decided is not remembered.
pub fn is_allowed(found: &Match, rules: &Rules, directory: &Directory) -> bool {
    let is_on = |source| rules.order.contains(&source);
    match found.source {
        Source::Sentry => is_on(Source::Sentry),
        Source::SentryLogin => is_on(Source::Sentry) && is_on(Source::Public),
        source => {
            is_on(source)
                && (rules.trust_unverified != Trust::Never || directory.shows_verified(found.member))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::hosts::sentry::{Member, Standing};
    use crate::state::ids::MemberId;

    #[test]
    fn a_match_counts_while_its_source_is_on_and_its_trust_allowed() {
        let member = |id, verified: &[&str]| Member {
            id: MemberId(id),
            primary: Some(format!("m{id}@acme.test")),
            verified: verified.iter().map(|address| (*address).into()).collect(),
            links: vec![],
            no_teams: false,
            suspended: false,
            standing: Standing::Member,
        };
        let directory = Directory::new(&[member(1, &["m1@acme.test"]), member(2, &[])]);
        let allowed = |source, id, order: &[Source], trust_unverified| {
            let found = Match { member: MemberId(id), login: "ana".into(), source, at: Timestamp(0) };
            is_allowed(&found, &Rules { order, trust_unverified }, &directory)
        };
        let all = [Source::Map, Source::Sentry, Source::Verified, Source::Public];
        for (source, id, order, trust, counts) in [
            (Source::Verified, 2, &all[..], Trust::Primary, true),
            (Source::Verified, 2, &all, Trust::Never, false),
            (Source::Verified, 1, &all, Trust::Never, true),
            (Source::Verified, 1, &all[..2], Trust::Primary, false),
            (Source::Sentry, 2, &all, Trust::Never, true),
            (Source::Sentry, 2, &all[2..], Trust::Any, false),
            (Source::SentryLogin, 2, &all, Trust::Never, true),
            (Source::SentryLogin, 2, &all[..3], Trust::Any, false),
            (Source::Map, 2, &all, Trust::Never, false),
        ] {
            assert_eq!(allowed(source, id, order, trust), counts, "{source:?} {id} {order:?} {trust:?}");
        }
    }
}
