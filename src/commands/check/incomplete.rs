//! Lists that GitHub does not show completely, and who stays in a team because of that. Pure: the time is an argument.

use super::finding::{some_of, Area, Finding};
use crate::clock::{short, Timestamp};
use crate::hosts::snapshot::{Gaps, List};
use crate::reconcile::incomplete::{Known, LASTING};
use crate::state::ids::GithubTeamId;
use crate::text::counted;

const AREA: Area = Area::Github;
const FIX: &str = "a deleted or suspended account appears as null: remove it from the team on GitHub, or report the list to GitHub \
                   Support; until then this list removes nobody and deletes no team, while additions continue";

/// Reports what this reading lacks, and what a running service has known for a while.
pub(super) fn look(
    gaps: &Gaps,
    slug: impl Fn(GithubTeamId) -> Option<String>,
    known: Option<&Known>,
    now: Timestamp,
) -> Vec<Finding> {
    let since = |list: &List| known.and_then(|known| known.lists.get(list)).map(|(_, since)| *since);
    let lasts = |list: &List| since(list).is_some_and(|since| now.since(since) >= LASTING);
    let (lasting, new): (Vec<_>, Vec<_>) = gaps.lists.iter().partition(|(list, _)| lasts(list));
    let told = |lists: &[(&List, &crate::hosts::snapshot::Gap)]| {
        let names: Vec<_> = lists
            .iter()
            .map(|(list, gap)| match list {
                List::Members(team) => {
                    let team = slug(*team).unwrap_or_else(|| format!("GitHub team {team}"));
                    format!("members of {team}: {gap}")
                }
                list => format!("{list}: {gap}"),
            })
            .collect();
        let n = counted(lists.len(), "list", "lists");
        format!("GitHub does not show {n} completely: {}", some_of(names.iter().map(String::as_str)))
    };
    let mut findings = Vec::new();
    if !lasting.is_empty() {
        let oldest = lasting.iter().filter_map(|(list, _)| since(list)).min().unwrap_or(now);
        let what = format!("{}; this has lasted for {}", told(&lasting), short(now.since(oldest)));
        findings.push(AREA.failed(what, FIX));
    }
    if !new.is_empty() {
        findings.push(AREA.warning(told(&new), FIX));
    }
    findings.extend(known.and_then(|known| not_removed(known, now)));
    findings
}

fn not_removed(known: &Known, now: Timestamp) -> Option<Finding> {
    let age = short(now.since(known.oldest_left_in()?));
    let n = counted(known.left_in.len(), "person stays in a Sentry team", "people stay in Sentry teams");
    let what = format!("{n} though GitHub no longer shows them in the team, for up to {age}");
    let fix = "GitHub did not show enough to be sure; `sentry-team-sync status` names them and why; if somebody removes them \
               on GitHub again, that event is carried out";
    Some(AREA.failed(what, fix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::check::finding::Level;
    use crate::hosts::snapshot::Gap;
    use crate::queue::part::Removal;
    use crate::reconcile::plan::{Incomplete, LeftIn};
    use crate::state::ids::MemberId;

    #[test]
    fn a_list_fails_after_a_day_and_a_removal_that_is_not_done_at_once() {
        let now = Timestamp::parse("2026-11-25T12:00:00Z").unwrap();
        let gap = Gap { shown: 100, counted: Some(101), nulls: 1 };
        let crew = List::Members(GithubTeamId(7));
        let mut gaps = Gaps::default();
        let look =
            |gaps: &Gaps, known: Option<&Known>| super::look(gaps, |_| Some("crew".into()), known, now);
        assert!(look(&gaps, None).is_empty() && look(&gaps, Some(&Known::default())).is_empty());
        gaps.note(crew, Some(gap));
        let alone = look(&gaps, None);
        assert_eq!((alone.len(), alone[0].level), (1, Level::Warning));
        assert!(
            alone[0].what.ends_with("1 list completely: \"members of crew: 1 of 101 is null\""),
            "{alone:?}"
        );
        let mut known = Known::default();
        let entry = Incomplete { list: crew, what: crew.to_string(), gap };
        known.lists.insert(crew, (entry.clone(), now.before(LASTING / 2)));
        assert_eq!(look(&gaps, Some(&known))[0].level, Level::Warning);
        known.lists.insert(crew, (entry, now.before(LASTING)));
        let lasting = look(&gaps, Some(&known));
        assert_eq!((lasting.len(), lasting[0].level), (1, Level::Failed));
        assert!(lasting[0].what.ends_with("; this has lasted for 24h"), "{lasting:?}");
        let removal = Removal { user: None, who: "ana".into(), member: MemberId(3), why: "left", held: None };
        let left = LeftIn { team: GithubTeamId(7), slug: "crew".into(), removal, because: "why" };
        let since = now.before(std::time::Duration::from_secs(7200));
        known.left_in.insert((GithubTeamId(7), MemberId(3)), (left, since));
        let found = look(&Gaps::default(), Some(&known));
        assert_eq!((found.len(), found[0].level), (1, Level::Failed));
        assert!(
            found[0].what.starts_with("1 person stays") && found[0].what.ends_with("up to 2h"),
            "{found:?}"
        );
    }
}
