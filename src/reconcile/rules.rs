//! Which settings decide whom a comparison may remove, and which are wider than at the previous comparison. Pure.
//!
//! A wider rule may suddenly affect many people whom nobody had in mind, so its first removals wait for approval. A
//! narrower rule must never count as wider, or every change of a setting would put something on hold.

use crate::config::{Settings, Trust};
use crate::state::values::{Rules, Source};

/// The values of `SYNC_REMOVE_MEMBERS`, from nobody to everybody.
const REMOVE: [&str; 4] = ["never", "left", "known", "all"];

const LINK: &str = "link";

/// Whether a rule's second value is wider than its first.
type IsWider<'a> = &'a dyn Fn(&str, &str) -> bool;

pub fn of(settings: &Settings) -> Rules {
    let sources: Vec<_> = settings.identity.iter().map(|source: &Source| source.name()).collect();
    Rules {
        remove: settings.remove_members.name().into(),
        trust: settings.trust_unverified.name().into(),
        teams: settings.teams.to_string().into(),
        children: if settings.child_members { "all" } else { "direct" }.into(),
        identity: sources.join(",").into(),
        links: if settings.links { LINK } else { "never" }.into(),
    }
}

/// The settings that are wider than before, each with both values, on one line. `None` if there are none.
pub fn widened(before: &Rules, now: &Rules) -> Option<String> {
    let rank = |order: &[&str], word: &str| order.iter().position(|known| *known == word);
    let is_higher = |order: &[&str], before: &str, now: &str| rank(order, now) > rank(order, before);
    let trust = Trust::WORDS.map(|(word, _)| word);
    let has_new =
        |before: &str, now: &str| now.split(',').any(|source| !before.split(',').any(|b| b == source));
    let differs = |before: &str, now: &str| before != now;
    let links = |before: &str, now: &str| before != LINK && now == LINK;
    let rules: [(_, _, _, IsWider); 6] = [
        ("SYNC_REMOVE_MEMBERS", &before.remove, &now.remove, &|b, n| is_higher(&REMOVE, b, n)),
        ("SYNC_TRUST_UNVERIFIED", &before.trust, &now.trust, &|b, n| is_higher(&trust, b, n)),
        ("SYNC_IDENTITY", &before.identity, &now.identity, &has_new),
        // Any change of these two can bring the members of some team into the comparison for the first time.
        ("SYNC_TEAMS", &before.teams, &now.teams, &differs),
        ("SYNC_CHILD_MEMBERS", &before.children, &now.children, &differs),
        ("SYNC_CODEOWNERS", &before.links, &now.links, &links),
    ];
    let wider = rules.into_iter().filter(|(_, before, now, is_wider)| is_wider(before, now));
    let told: Vec<_> =
        wider.map(|(name, before, now, _)| format!("{name} was {before} and is {now}")).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(remove: &str, trust: &str, teams: &str, children: &str, identity: &str) -> Rules {
        Rules {
            remove: remove.into(),
            trust: trust.into(),
            teams: teams.into(),
            children: children.into(),
            identity: identity.into(),
            links: "never".into(),
        }
    }

    #[test]
    fn a_rule_is_told_only_where_it_reaches_further() {
        let before = rules("left", "primary", "*", "direct", "map,saml");
        let told = |now: Rules| widened(&before, &now);
        assert_eq!(told(before.clone()), None);
        assert_eq!(told(rules("never", "never", "*", "direct", "map")), None);
        assert_eq!(told(rules("left", "primary", "*", "direct", "saml,map")), None, "another order");
        let links = |links: &str| Rules { links: links.into(), ..before.clone() };
        assert_eq!((told(links("never")), widened(&links("link"), &links("never"))), (None, None));
        let told_of_links = widened(&links("never"), &links("link"));
        assert_eq!(told_of_links.as_deref(), Some("SYNC_CODEOWNERS was never and is link"));
        for (now, expected) in [
            (rules("known", "primary", "*", "direct", "map"), "SYNC_REMOVE_MEMBERS was left and is known"),
            (rules("left", "any", "*", "direct", "map"), "SYNC_TRUST_UNVERIFIED was primary and is any"),
            (rules("left", "never", "*,!x", "direct", "map"), "SYNC_TEAMS was * and is *,!x"),
            (rules("left", "never", "*", "all", "map"), "SYNC_CHILD_MEMBERS was direct and is all"),
            (
                rules("never", "never", "*", "direct", "map,public"),
                "SYNC_IDENTITY was map,saml and is map,public",
            ),
            (
                rules("all", "any", "*", "direct", "map"),
                "SYNC_REMOVE_MEMBERS was left and is all, SYNC_TRUST_UNVERIFIED was primary and is any",
            ),
        ] {
            assert_eq!(told(now).as_deref(), Some(expected));
        }
    }
}
