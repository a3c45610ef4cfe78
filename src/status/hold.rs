//! A hold as a question to a person, with what led to it, what approving it means, and whether `undo` could reverse it.

use std::collections::BTreeSet;

use serde::Serialize;

use super::SHOWN;
use crate::clock::Shown;
use crate::state::holds::{Decision, HeldChange, Hold};
use crate::state::{names, State};
use crate::text::{capital, counted};

#[derive(Clone, Debug, Default, Serialize)]
pub struct HoldView {
    /// The name that `approve` takes.
    pub name: String,
    pub n_changes: usize,
    /// At most 100 of them.
    pub changes: Vec<String>,
    /// Why the changes are not made.
    pub rule: String,
    pub since: Shown,
    /// `approved`, `rejected`, or not yet decided.
    pub decision: Option<&'static str>,
    /// The same changes with the names of teams and people.
    #[serde(skip)]
    pub asks: Vec<String>,
    #[serde(skip)]
    pub question: String,
    /// The cause of the hold, and the effect of approving it.
    #[serde(skip)]
    pub consequence: String,
    #[serde(skip)]
    pub(super) ends: Ends,
}

/// The kind of loss that approving a hold would cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ends {
    #[default]
    Nothing,
    /// Teams, which `undo` can restore.
    Teams,
    /// Memberships, or the independence of a Sentry team that is adopted, which `undo` cannot restore.
    Other,
}

impl HoldView {
    pub(super) fn of(hold: &Hold, state: &State) -> Self {
        let changes = || hold.changes.iter().take(SHOWN);
        let asks: Vec<_> = changes().map(|change| names::change(state, change)).collect();
        Self {
            name: hold.name.to_string(),
            n_changes: hold.changes.len(),
            changes: changes().map(ToString::to_string).collect(),
            rule: hold.rule.to_string(),
            since: hold.at.into(),
            decision: hold.decision.map(Decision::word),
            question: question(hold, &asks),
            consequence: consequence(hold),
            ends: ends(&hold.changes),
            asks,
        }
    }

    /// The setting or guard that stopped the changes, and its reason.
    pub fn rule_and_reason(&self) -> (&str, &str) {
        rule_and_reason(&self.rule)
    }

    /// Question, consequence and rule.
    pub fn in_a_line(&self) -> String {
        let rule = match self.rule_and_reason().0 {
            "" => String::new(),
            rule => format!(" [{rule}]"),
        };
        format!("{} {}{rule}", self.question, self.consequence)
    }

    /// Whether `undo` could reverse it. `gives_projects_back`: whether the token may restore projects, if known.
    pub fn undo(&self, gives_projects_back: Option<bool>) -> Option<String> {
        let projects = match gives_projects_back {
            Some(true) => "members and projects",
            Some(false) => "members, but not projects: SENTRY_TOKEN lacks project:write",
            None => "members, and with projects if SENTRY_TOKEN has project:write",
        };
        match self.ends {
            Ends::Nothing => None,
            Ends::Teams => Some(format!("`undo` could bring it back with its {projects}")),
            Ends::Other => Some("`undo` could not reverse it: it restores deleted teams only".into()),
        }
    }
}

fn rule_and_reason(rule: &str) -> (&str, &str) {
    rule.split_once(": ").unwrap_or(("", rule))
}

fn question(hold: &Hold, asks: &[String]) -> String {
    use HeldChange::{Delete, Remove, RemoveMember};
    let n = hold.changes.len();
    let all = |is_it: fn(&HeldChange) -> bool| hold.changes.iter().all(is_it);
    match asks {
        _ if hold.is_first() => {
            format!("Carry out the first comparison, with {}?", counted(n, "change", "changes"))
        }
        [one] if n == 1 => format!("{}?", capital(one)),
        _ if all(|change| matches!(change, Delete { .. })) => format!("Delete {n} Sentry teams?"),
        _ if all(|change| matches!(change, Remove { .. } | RemoveMember { .. })) => {
            let slugs: BTreeSet<_> = hold.changes.iter().filter_map(names::slug_of).collect();
            match slugs.into_iter().collect::<Vec<_>>().as_slice() {
                [slug] => format!("Remove {n} people from Sentry team `{slug}`?"),
                slugs => format!("Make {n} removals from {} Sentry teams?", slugs.len()),
            }
        }
        _ => format!("Make {n} changes in Sentry?"),
    }
}

fn consequence(hold: &Hold) -> String {
    let (_, why) = rule_and_reason(&hold.rule);
    let event = match hold.changes.as_slice() {
        [HeldChange::Delete { team, .. }] => format!("GitHub deleted its team ({team}). "),
        [HeldChange::Delete { .. }, ..] if ends(&hold.changes) == Ends::Teams => {
            "GitHub deleted their teams. ".into()
        }
        [HeldChange::Adopt { .. }] => {
            "It would follow the GitHub team's name and members from then on. ".into()
        }
        _ => String::new(),
    };
    format!("{event}{}.", capital(why))
}

fn ends(changes: &[HeldChange]) -> Ends {
    let is_team = |change: &HeldChange| matches!(change, HeldChange::Delete { .. });
    let is_other = |change: &HeldChange| {
        matches!(
            change,
            HeldChange::Remove { .. } | HeldChange::RemoveMember { .. } | HeldChange::Adopt { .. }
        )
    };
    match (changes.iter().any(is_team), changes.iter().any(is_other)) {
        (true, false) => Ends::Teams,
        (_, true) => Ends::Other,
        (false, false) => Ends::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::state::ids::{GithubTeamId, GithubUserId, SentrySlug, SentryTeamId};

    fn view(changes: Vec<HeldChange>, rule: &str) -> HoldView {
        HoldView::of(&Hold::new(changes, rule.into(), Timestamp(1), vec![]), &State::default())
    }

    fn delete(n: u64) -> HeldChange {
        let slug = SentrySlug::from(format!("t{n}"));
        HeldChange::Delete { team: GithubTeamId(n), sentry: SentryTeamId(n + 1), slug }
    }

    #[test]
    fn a_hold_asks_a_question_and_says_what_led_to_it_and_what_it_would_mean() {
        let rule = "unless-projects: the Sentry team still owns 1 project (checkout)";
        let one = view(vec![delete(1)], rule);
        assert_eq!(one.in_a_line(), "Delete Sentry team `t1` (2)? GitHub deleted its team (1). The Sentry team still owns 1 project (checkout). [unless-projects]");
        assert_eq!(
            one.undo(Some(false)).unwrap(),
            "`undo` could bring it back with its members, but not projects: SENTRY_TOKEN lacks project:write"
        );
        let two = view(vec![delete(1), delete(2)], "SYNC_MAX_DELETIONS 5%,2: the limit is 2");
        assert_eq!(
            (two.question.as_str(), two.consequence.as_str()),
            ("Delete 2 Sentry teams?", "GitHub deleted their teams. The limit is 2.")
        );
        let remove =
            HeldChange::Remove { team: GithubTeamId(1), user: GithubUserId(5), slug: SentrySlug::from("t1") };
        let other = |user| match &remove {
            HeldChange::Remove { team, slug, .. } => {
                HeldChange::Remove { team: *team, user: GithubUserId(user), slug: slug.clone() }
            }
            other => other.clone(),
        };
        let both = view(vec![other(6), other(7)], "rule: why");
        assert_eq!(both.question, "Remove 2 people from Sentry team `t1`?");
        let gone = view(vec![remove], "no rule");
        assert_eq!(gone.in_a_line(), "Remove GitHub user 5 from Sentry team `t1`? No rule.");
        assert!(gone.undo(None).unwrap().starts_with("`undo` could not reverse it"));
    }
}
