//! The Sentry teams that the mirror deleted, read from the audit log. The command `undo` restores them.

use std::collections::HashMap;
use std::io;

use serde::Deserialize;

use super::read::{Line, Log};
use crate::state::ids::{GithubTeamId, IntegrationId, MemberId, OwnerName, SentrySlug, SentryTeamId};
use crate::state::slug;
use crate::state::sorted::Map;

/// A deletion, and the team before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    pub at: String,
    pub team: GithubTeamId,
    pub sentry: SentryTeamId,
    pub slug: SentrySlug,
    pub name: String,
    /// Its members.
    pub members: Vec<Was>,
    /// Its projects; `None` if they could not be read.
    pub projects: Option<Vec<String>>,
    /// Its names in CODEOWNERS, if the mirror kept links.
    pub links: Vec<WasLinked>,
    /// The log confirms that it took place. Otherwise it was refused, or its outcome is unknown.
    pub is_certain: bool,
}

/// A former member of a team.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Was {
    /// Their Sentry member id at that time.
    pub member: MemberId,
    pub email: Option<String>,
}

/// A CODEOWNERS name that referred to a team.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WasLinked {
    pub name: OwnerName,
    /// `github` or `github_enterprise`.
    pub provider: Box<str>,
    pub integration: Option<IntegrationId>,
}

#[derive(Deserialize)]
struct Before {
    name: String,
    slug: SentrySlug,
    members: Vec<Was>,
    projects: Option<Vec<String>>,
    #[serde(default)]
    links: Vec<WasLinked>,
}

/// The last deletion of each Sentry team that the log still has, oldest first.
pub fn all(log: &Log) -> io::Result<Vec<Deletion>> {
    let mut found: Map<SentryTeamId, Deletion> = Map::default();
    let mut slugs: HashMap<SentryTeamId, String> = HashMap::new();
    log.each(None, &mut |_, line| {
        take(line, &mut found, &mut slugs);
        Ok(())
    })?;
    let mut all: Vec<_> = found.into_values().collect();
    all.sort_by(|a, b| (&a.at, a.sentry).cmp(&(&b.at, b.sentry)));
    Ok(all)
}

fn take(line: &Line, found: &mut Map<SentryTeamId, Deletion>, slugs: &mut HashMap<SentryTeamId, String>) {
    let (Some(sentry), Some(team)) = (line.sentry_team, line.team) else { return };
    match line.decision.as_str() {
        // A team may get a temporary slug just before its deletion. It isn't restored under that one.
        "rename team" => {
            if let Some(slug) = line.slug.as_ref().filter(|slug| !is_temporary(slug, sentry)) {
                slugs.insert(sentry, slug.clone());
            }
        }
        "will delete team" => {
            let before = line.before.clone().and_then(|before| serde_json::from_value(before).ok());
            let Some(Before { name, slug, members, projects, links }) = before else { return };
            let slug = match slugs.get(&sentry) {
                Some(known) if slug::is_temporary(&slug, sentry) => SentrySlug::from(known.as_str()),
                _ => slug,
            };
            let at = line.at.clone();
            let is_certain = false;
            let deletion = Deletion { at, team, sentry, slug, name, members, projects, links, is_certain };
            found.insert(sentry, deletion);
        }
        "delete team" | "end team" => {
            let answer = line.answer.as_deref().unwrap_or_default();
            let took_place =
                line.decision == "end team" || answer.starts_with('2') || answer.starts_with("404");
            if let Some(deletion) = found.get_mut(&sentry).filter(|_| took_place) {
                deletion.is_certain = true;
            }
        }
        _ => {}
    }
}

fn is_temporary(text: &str, sentry: SentryTeamId) -> bool {
    slug::is_temporary(&SentrySlug::from(text), sentry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{json, Value};

    fn fold(lines: &[Value]) -> Vec<Deletion> {
        let (mut found, mut slugs) = (Map::default(), HashMap::new());
        for line in lines {
            take(&serde_json::from_value(line.clone()).unwrap(), &mut found, &mut slugs);
        }
        found.into_values().collect()
    }

    fn line(decision: &str, more: Value) -> Value {
        let mut line =
            json!({ "at": "2026-11-25T00:00:00Z", "decision": decision, "team": 1, "sentry_team": 2 });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line
    }

    fn begun(slug: &str) -> Value {
        let before = json!({ "name": "A", "slug": slug, "members": [{ "member": 3, "email": null }], "projects": null });
        line("will delete team", json!({ "before": before }))
    }

    #[test]
    fn a_deletion_is_certain_once_its_call_was_answered_or_its_end_is_known() {
        let certain = |more: &[Value]| fold(&[&[begun("a")], more].concat())[0].is_certain;
        assert!(!certain(&[]));
        for (answer, is_certain) in [("204", true), ("404 gone", true), ("403 no", false), ("503", false)] {
            assert_eq!(certain(&[line("delete team", json!({ "answer": answer }))]), is_certain, "{answer}");
        }
        assert!(certain(&[line("delete team", json!({})), line("end team", json!({}))]));
        // A new attempt: the earlier end doesn't confirm it.
        assert!(!certain(&[line("end team", json!({})), begun("a")]));
        assert!(fold(&[line("will delete team", json!({})), line("end team", json!({}))]).is_empty());
    }

    /// The second attempt after a crash reads the team under the temporary slug that the first one gave it.
    #[test]
    fn a_slug_for_the_deletion_alone_is_not_the_one_to_come_back_under() {
        let renamed = line("rename team", json!({ "slug": "a-long-one", "to": "moving-2" }));
        assert_eq!(fold(&[renamed, begun("moving-2")])[0].slug.as_str(), "a-long-one");
        assert_eq!(fold(&[begun("moving-2")])[0].slug.as_str(), "moving-2");
        let called_so = line("rename team", json!({ "slug": "logistics", "to": "moving-2024" }));
        assert_eq!(fold(&[called_so, begun("moving-2024")])[0].slug.as_str(), "moving-2024");
    }
}
