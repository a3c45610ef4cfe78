//! Which team is below which, as far as GitHub has shown it since the start. It makes no calls: its methods report to
//! the caller what moved.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::TeamFacts;
use crate::lock::Mutex;
use crate::state::ids::GithubTeamId;

#[derive(Default)]
pub struct TeamTree {
    /// `None` until teams have been read.
    leaves: Mutex<Option<HashMap<GithubTeamId, Leaf>>>,
    /// Teams may be missing, among them children of known ones.
    has_gaps: AtomicBool,
}

/// What is remembered of one team.
struct Leaf {
    parent: Option<GithubTeamId>,
    node_id: String,
}

impl Leaf {
    fn of(facts: &TeamFacts) -> Self {
        Self { parent: facts.parent, node_id: facts.node_id.clone() }
    }
}

impl TeamTree {
    /// Whether a team has child teams, whose members REST lists as its own; `None` if that is not known.
    pub fn has_children(&self, team: GithubTeamId) -> Option<bool> {
        let leaves = self.leaves.lock();
        let found = leaves.as_ref()?.values().any(|leaf| leaf.parent == Some(team));
        (found || !self.has_gaps.load(Ordering::Relaxed)).then_some(found)
    }

    /// The known child teams, sorted.
    pub fn children(&self, team: GithubTeamId) -> Vec<GithubTeamId> {
        let leaves = self.leaves.lock();
        let below = leaves.iter().flatten().filter(|(_, leaf)| leaf.parent == Some(team));
        let mut children: Vec<_> = below.map(|(child, _)| *child).collect();
        children.sort();
        children
    }

    /// The known teams above a team, the nearest first.
    pub fn above(&self, team: GithubTeamId) -> Vec<GithubTeamId> {
        let leaves = self.leaves.lock();
        let parent = |team: &GithubTeamId| leaves.as_ref()?.get(team)?.parent;
        // GitHub has no cycles, but events from different times can form one here.
        let mut above = Vec::new();
        let mut next = parent(&team);
        while let Some(team) = next.filter(|next| *next != team && !above.contains(next)) {
            above.push(team);
            next = parent(&team);
        }
        above
    }

    pub fn node_id(&self, team: GithubTeamId) -> Option<String> {
        let leaves = self.leaves.lock();
        leaves.as_ref()?.get(&team).map(|leaf| leaf.node_id.clone()).filter(|id| !id.is_empty())
    }

    /// Replaces the tree, or only adds to it if these are not all teams.
    pub fn learn_all<'a>(&self, teams: impl Iterator<Item = &'a TeamFacts>, are_all: bool) {
        let mut leaves = self.leaves.lock();
        let known = leaves.take().filter(|_| !are_all).into_iter().flatten();
        *leaves = Some(known.chain(teams.map(|facts| (facts.id, Leaf::of(facts)))).collect());
        self.has_gaps.store(!are_all, Ordering::Relaxed);
    }

    /// Learns one team's parent. Returns whether it has changed.
    pub fn learn(&self, facts: &TeamFacts) -> bool {
        let before = self.leaves.lock().as_mut().map(|leaves| leaves.insert(facts.id, Leaf::of(facts)));
        before.is_some_and(|before| before.and_then(|leaf| leaf.parent) != facts.parent)
    }

    /// Learns a parent from an event, which contains no node id. Returns whether it has changed.
    pub fn learn_parent(&self, team: GithubTeamId, parent: GithubTeamId) -> bool {
        let before = self.leaves.lock().as_mut().map(|leaves| {
            let leaf = leaves.entry(team).or_insert_with(|| Leaf { parent: None, node_id: String::new() });
            leaf.parent.replace(parent)
        });
        before.is_some_and(|before| before != Some(parent))
    }

    /// Forgets a deleted team. Returns whether it had a parent.
    pub fn forget(&self, team: GithubTeamId) -> bool {
        let leaf = self.leaves.lock().as_mut().and_then(|leaves| leaves.remove(&team));
        leaf.is_some_and(|leaf| leaf.parent.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::ids::GithubSlug;

    fn facts(team: u64, parent: Option<u64>) -> TeamFacts {
        TeamFacts {
            id: GithubTeamId(team),
            node_id: format!("T_{team}"),
            name: "T".into(),
            slug: GithubSlug::from("t"),
            created_at: None,
            parent: parent.map(GithubTeamId),
        }
    }

    #[test]
    fn a_team_that_has_another_parent_is_told_and_an_unknown_tree_tells_nothing() {
        let tree = TeamTree::default();
        let [one, two, three] = [1, 2, 3].map(GithubTeamId);
        assert!(!tree.learn(&facts(1, Some(2))) && !tree.learn_parent(one, two) && !tree.forget(one));
        assert_eq!((tree.has_children(two), tree.above(one)), (None, vec![]));
        tree.learn_all([facts(1, Some(2)), facts(2, Some(3)), facts(3, None)].iter(), true);
        assert_eq!((tree.has_children(one), tree.above(one)), (Some(false), vec![two, three]));
        assert!(!tree.learn(&facts(1, Some(2))) && !tree.learn_parent(one, two));
        assert!(tree.learn(&facts(1, Some(3))) && tree.learn_parent(one, two));
        // A cycle, formed by events from different times.
        assert!(tree.learn_parent(three, one));
        assert_eq!(tree.above(one), [two, three]);
        assert!(tree.forget(one) && !tree.forget(one));
        assert_eq!((tree.children(three), tree.node_id(two)), (vec![two], Some("T_2".into())));
        // A list with a gap: the missing teams may be children.
        tree.learn_all([facts(2, None)].iter(), false);
        assert_eq!((tree.has_children(two), tree.children(three)), (None, vec![]));
    }
}
