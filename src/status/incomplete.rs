//! The lists that GitHub does not show completely, and the people who stay in a team because of that.

use serde::Serialize;

use super::text::View;
use super::{Status, SHOWN};
use crate::clock::{short, Shown, Timestamp};
use crate::reconcile::incomplete::{Known, LASTING};
use crate::text::counted;

#[derive(Clone, Debug, Default, Serialize)]
pub struct IncompleteView {
    pub n_lists: usize,
    /// Since when the first of them has been incomplete.
    pub since: Option<Shown>,
    pub lists: Vec<ListView>,
    /// How many people stay in teams although a comparison would otherwise have removed them.
    pub n_not_removed: usize,
    /// Since when the first of them has stayed.
    pub not_removed_since: Option<Shown>,
    pub not_removed: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ListView {
    pub list: String,
    pub gap: String,
    pub since: Shown,
}

impl IncompleteView {
    pub(super) fn of(known: &Known) -> Self {
        let lists = known.lists.values().map(|(entry, since)| ListView {
            list: entry.what.clone(),
            gap: entry.gap.to_string(),
            since: (*since).into(),
        });
        let not_removed = known.left_in.values().map(|(left, _)| {
            let who = crate::text::plain(&left.removal.who, 80);
            format!("{who} in {}: {}; {}", left.slug, left.removal.why, left.because)
        });
        Self {
            n_lists: known.lists.len(),
            since: known.oldest_list().map(Shown::from),
            lists: lists.take(SHOWN).collect(),
            n_not_removed: known.left_in.len(),
            not_removed_since: known.oldest_left_in().map(Shown::from),
            not_removed: not_removed.take(SHOWN).collect(),
        }
    }

    /// The remark that the headline adds. Empty if nothing is incomplete.
    pub(super) fn sentence(&self) -> String {
        let lists = counted(self.n_lists, "list is incomplete", "lists are incomplete");
        match (self.n_lists, self.n_not_removed) {
            (0, 0) => String::new(),
            (_, 0) => format!(" On GitHub {lists}, so nobody is removed because of that."),
            (_, n) => {
                let people = counted(n, "person stays in a team", "people stay in teams");
                format!(
                    " {people} because GitHub's lists were incomplete; `sentry-team-sync status` names them."
                )
            }
        }
    }

    /// The warning about lists that have been incomplete for so long that a person must look at them.
    pub(super) fn warning(known: &Known, now: Timestamp) -> Option<String> {
        let ages = known.lists.values().map(|(_, since)| now.since(*since));
        let lasting: Vec<_> = ages.filter(|age| *age >= LASTING).collect();
        let (lists, age) = (counted(lasting.len(), "list", "lists"), short(*lasting.iter().max()?));
        Some(format!(
            "GitHub has not shown {lists} completely for {age}, so nobody is removed because of that; see `sentry-team-sync check`"
        ))
    }
}

impl Status {
    pub(super) fn write_incomplete(&self, view: &mut View) {
        let incomplete = &self.incomplete;
        if incomplete.n_lists > 0 {
            view.heading(&counted(
                incomplete.n_lists,
                "list on GitHub is incomplete: nobody is removed because of it",
                "lists on GitHub are incomplete: nobody is removed because of them",
            ));
        }
        view.list(&incomplete.lists, incomplete.n_lists, |view, ListView { list, gap, since }| {
            view.line("  ", &format!("{list}: {gap}, since {since}"));
        });
        view.list(&incomplete.not_removed, incomplete.n_not_removed, |view, who| {
            view.line("  not removed: ", who);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::snapshot::{Gap, List};
    use crate::reconcile::plan::Incomplete;

    #[test]
    fn only_what_lasts_is_a_warning() {
        let at = Timestamp::parse("2026-11-25T12:00:00Z").unwrap();
        let gap = Gap { shown: 100, counted: Some(101), nulls: 1 };
        let entry = |list: List| Incomplete { list, what: list.to_string(), gap };
        let mut known = Known::default();
        assert_eq!(IncompleteView::warning(&known, at), None);
        known.lists.insert(List::Teams, (entry(List::Teams), at));
        known.lists.insert(List::People, (entry(List::People), at.after(LASTING)));
        assert_eq!(IncompleteView::warning(&known, at.after(LASTING / 2)), None);
        let told = IncompleteView::warning(&known, at.after(LASTING)).unwrap();
        assert!(told.starts_with("GitHub has not shown 1 list completely for 24h"), "{told}");
        let view = IncompleteView::of(&known);
        assert_eq!((view.n_lists, view.lists[0].gap.as_str()), (2, "1 of 101 is null"));
        assert_eq!(view.since, Some(at.into()));
        assert_eq!(
            view.sentence(),
            " On GitHub 2 lists are incomplete, so nobody is removed because of that."
        );
        let staying = IncompleteView { n_not_removed: 1, ..view };
        assert!(
            staying.sentence().starts_with(" 1 person stays in a team because"),
            "{}",
            staying.sentence()
        );
        assert_eq!(IncompleteView::default().sentence(), "");
    }
}
