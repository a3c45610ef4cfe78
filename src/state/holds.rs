//! Changes that a guard stopped, and people's decisions about them.
//!
//! A hold's name is a hash of its content, so the same change is the same hold every time.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::state::ids::{GithubTeamId, GithubUserId, MemberId, OwnerName, SentrySlug, SentryTeamId};
use crate::state::sorted::Map;
use crate::state::tagged::tagged;
use crate::state::values::DeliveryKey;

/// The start of the rule that holds a service's first comparison. Approving that hold lets the mirror begin.
pub const FIRST: &str = "SYNC_FIRST hold";

/// Separates the rule and the hold's name in the note of a held delivery.
pub const APPROVE_WITH: &str = "; approve with: sentry-team-sync approve ";
pub const APPROVED: &str = "approved";
pub const REJECTED: &str = "rejected";
/// The length of a hold's name.
const NAME: usize = 8;

/// 8 hex digits, which a person types after `approve`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HoldName(pub Box<str>);

impl fmt::Display for HoldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Changes that wait for a person's decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The hash of the changes that it was made with.
    pub name: HoldName,
    /// The changes that would be made, sorted.
    pub changes: Vec<HeldChange>,
    /// The rule that stopped it, with its numbers.
    pub rule: Box<str>,
    pub at: Timestamp,
    /// The deliveries that asked for it.
    pub deliveries: Vec<DeliveryKey>,
    pub decision: Option<Decision>,
    /// A comparison found it, not an event. It is over as soon as no comparison finds it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compared: bool,
}

tagged! {
    /// A change that a guard may stop.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
    #[serde(tag = "is")]
    pub enum HeldChange {
        /// A GitHub team was deleted, so its Sentry team would be too.
        "delete" => Delete {
            team: GithubTeamId,
            sentry: SentryTeamId,
            slug: SentrySlug,
        },
        /// A GitHub team would take over an existing Sentry team.
        "adopt" => Adopt {
            team: GithubTeamId,
            sentry: SentryTeamId,
            slug: SentrySlug,
        },
        /// A person would be taken out of a Sentry team.
        "remove" => Remove {
            team: GithubTeamId,
            user: GithubUserId,
            slug: SentrySlug,
        },
        /// A Sentry member whom no source matched would be taken out of a Sentry team.
        "remove_member" => RemoveMember {
            team: GithubTeamId,
            member: MemberId,
            slug: SentrySlug,
        },
        /// A Sentry team would be created.
        "create" => Create {
            team: GithubTeamId,
            slug: SentrySlug,
        },
        /// A team name in CODEOWNERS would refer to a Sentry team from now on.
        "link" => Link {
            team: GithubTeamId,
            name: OwnerName,
            slug: SentrySlug,
        },
        /// The user map's file has changed a lot.
        "user_map" => UserMap {
            fingerprint: Box<str>,
        },
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Carry it out. Otherwise it stays rejected for as long as it would be needed.
    pub approved: bool,
    pub at: Timestamp,
}

impl Decision {
    /// `approved` or `rejected`.
    pub fn word(self) -> &'static str {
        if self.approved {
            APPROVED
        } else {
            REJECTED
        }
    }
}

/// The text after a hold's rule: the person's decision, or that the hold ended without one.
pub(super) fn with_decision(decision: Option<Decision>) -> String {
    match decision {
        Some(decision) => format!("; {} {}", decision.word(), decision.at),
        None => "; no longer held".into(),
    }
}

/// Replaces the text about some holds in a note. `anew` returns the new text, or `None` to keep the old one.
pub(super) fn about_holds(note: &str, mut anew: impl FnMut(&HoldName) -> Option<String>) -> String {
    let mut parts = note.split(APPROVE_WITH);
    let mut text = String::from(parts.next().unwrap_or_default());
    for part in parts {
        let (name, rest) = part.split_at(part.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(part.len()));
        match Some(name).filter(|name| name.len() == NAME).and_then(|name| anew(&HoldName(name.into()))) {
            Some(words) => text += &words,
            None => text += &format!("{APPROVE_WITH}{name}"),
        }
        text += rest;
    }
    text
}

impl Hold {
    /// Whether it stops the service's first comparison.
    pub fn is_first(&self) -> bool {
        self.rule.starts_with(FIRST)
    }

    /// The final note of a delivery that waited for this hold; `None` if the note does not change.
    pub fn last_note(&self, note: &str) -> Option<String> {
        let anew = about_holds(note, |name| (*name == self.name).then(|| with_decision(self.decision)));
        (anew != note).then_some(anew)
    }
}

impl HeldChange {
    /// The GitHub team, if it is about one.
    pub fn team(&self) -> Option<GithubTeamId> {
        match self {
            HeldChange::Delete { team, .. }
            | HeldChange::Adopt { team, .. }
            | HeldChange::Remove { team, .. }
            | HeldChange::RemoveMember { team, .. }
            | HeldChange::Create { team, .. }
            | HeldChange::Link { team, .. } => Some(*team),
            HeldChange::UserMap { .. } => None,
        }
    }
}

/// The identity of a change for the person who decided: ids count, while a slug may have changed meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKey {
    /// Of a team: the kind of change, the team, and the other id.
    Team(u8, GithubTeamId, u64),
    /// Of the user map, by its content.
    UserMap(Box<str>),
}

impl HeldChange {
    /// Its identity, whatever its team is called now.
    pub fn key(&self) -> ChangeKey {
        match self {
            HeldChange::Delete { team, sentry, .. } => ChangeKey::Team(0, *team, sentry.0),
            HeldChange::Adopt { team, sentry, .. } => ChangeKey::Team(1, *team, sentry.0),
            HeldChange::Remove { team, user, .. } => ChangeKey::Team(2, *team, user.0),
            HeldChange::RemoveMember { team, member, .. } => ChangeKey::Team(3, *team, member.0),
            HeldChange::Create { team, .. } => ChangeKey::Team(4, *team, 0),
            HeldChange::Link { team, .. } => ChangeKey::Team(5, *team, 0),
            HeldChange::UserMap { fingerprint } => ChangeKey::UserMap(fingerprint.clone()),
        }
    }

    /// Whether a decision about one change also applies to the other.
    pub fn is_same(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl HeldChange {
    /// The text that a hold's name is made of. Never change it: names are in journals, logs and mails, and must be the
    /// same for the same changes in every version.
    fn code(&self) -> String {
        match self {
            HeldChange::Delete { team, sentry, slug } => {
                format!("delete Sentry team `{slug}` ({sentry}) of GitHub team {team}")
            }
            HeldChange::Adopt { team, sentry, slug } => {
                format!("let GitHub team {team} take over Sentry team `{slug}` ({sentry})")
            }
            HeldChange::Remove { team, user, slug } => {
                format!("remove GitHub user {user} from Sentry team `{slug}` of GitHub team {team}")
            }
            HeldChange::RemoveMember { team, member, slug } => {
                format!("remove Sentry member {member} from Sentry team `{slug}` of GitHub team {team}")
            }
            HeldChange::Create { team, slug } => {
                format!("create Sentry team `{slug}` for GitHub team {team}")
            }
            HeldChange::Link { team, name, slug } => {
                format!("link `{name}` in CODEOWNERS to Sentry team `{slug}` of GitHub team {team}")
            }
            HeldChange::UserMap { fingerprint } => {
                format!("use the user map as the file has it now (content {fingerprint})")
            }
        }
    }
}

impl fmt::Display for HeldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code())
    }
}

impl Hold {
    pub fn new(
        mut changes: Vec<HeldChange>,
        rule: String,
        at: Timestamp,
        deliveries: Vec<DeliveryKey>,
    ) -> Self {
        changes.sort();
        let mut hash = Sha256::new();
        for change in &changes {
            hash.update(change.code().as_bytes());
            hash.update(b"\n");
        }
        let name = HoldName(hex::encode(&hash.finalize()[..4]).into());
        Self { name, changes, rule: rule.into(), at, deliveries, decision: None, compared: false }
    }
}

/// How many holds that are over are remembered, so that a second decision can be answered with the first.
const PAST: usize = 100;

/// All holds that are not over, and the last ones that are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    by_name: Map<HoldName, Hold>,
    /// The last ones that are over, oldest first, each with the person's decision.
    past: Vec<(HoldName, Option<Decision>)>,
}

impl Holds {
    /// The holds in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Hold> {
        self.by_name.values()
    }

    pub fn get(&self, name: &HoldName) -> Option<&Hold> {
        self.by_name.get(name)
    }

    /// The decision about a hold that is over, if there was one; `None` if no such hold is remembered.
    pub fn past(&self, name: &HoldName) -> Option<Option<Decision>> {
        self.past.iter().find(|(known, _)| known == name).map(|(_, decision)| *decision)
    }

    /// The holds that are over, as holds without changes.
    pub(super) fn all_past(&self) -> impl Iterator<Item = Hold> + '_ {
        self.past.iter().map(|(name, decision)| {
            let at = decision.map_or(Timestamp(0), |decision| decision.at);
            Hold {
                name: name.clone(),
                decision: *decision,
                ..Hold::new(Vec::new(), String::new(), at, Vec::new())
            }
        })
    }

    fn end(&mut self, name: &HoldName) -> Option<Hold> {
        let over = self.by_name.remove(name)?;
        self.remember(name.clone(), over.decision);
        Some(over)
    }

    fn remember(&mut self, name: HoldName, decision: Option<Decision>) {
        self.past.retain(|(known, _)| *known != name);
        self.past.push((name, decision));
        let too_many = self.past.len().saturating_sub(PAST);
        self.past.drain(..too_many);
    }

    pub fn of_team(&self, team: GithubTeamId) -> impl Iterator<Item = &Hold> {
        self.iter().filter(move |hold| hold.changes.iter().any(|change| change.team() == Some(team)))
    }

    /// The slug of the Sentry team that a GitHub team would take over if a person approved it. A first comparison's
    /// hold doesn't count: an event may ask for that much by name. Of several slugs, the latest counts: the team was
    /// renamed since, and its older names no longer matter once it has a Sentry team.
    pub fn disputed_slug(&self, team: GithubTeamId) -> Option<&SentrySlug> {
        let disputes = self.iter().filter(|hold| !hold.is_first());
        let changes = disputes.flat_map(|hold| hold.changes.iter().map(|change| (hold.at, change)));
        let of_team = changes.filter_map(|(at, change)| match change {
            HeldChange::Adopt { team: theirs, slug, .. } if *theirs == team => Some((at, slug)),
            _ => None,
        });
        of_team.max_by_key(|(at, _)| *at).map(|(_, slug)| slug)
    }

    /// Whether any GitHub team would take over this Sentry team if a person approved it.
    pub fn is_disputed(&self, wanted: SentryTeamId) -> bool {
        let is_it =
            |change: &HeldChange| matches!(change, HeldChange::Adopt { sentry, .. } if *sentry == wanted);
        self.iter().any(|hold| hold.changes.iter().any(is_it))
    }

    /// All changes of a team in holds, decided or not.
    pub fn changes_of(&self, team: GithubTeamId) -> impl Iterator<Item = &HeldChange> {
        self.iter().flat_map(|hold| &hold.changes).filter(move |change| change.team() == Some(team))
    }

    /// The person's decision about this change; of several, the latest.
    pub fn decision(&self, change: &HeldChange) -> Option<Decision> {
        self.decided_by(change).map(|(_, decision)| decision)
    }

    /// The same, with the name of the hold.
    pub fn decided_by(&self, change: &HeldChange) -> Option<(&HoldName, Decision)> {
        let same = |hold: &&Hold| hold.changes.iter().any(|known| known.is_same(change));
        let decided = self.iter().filter(same).filter_map(|hold| Some((&hold.name, hold.decision?)));
        decided.max_by_key(|(_, decision)| decision.at)
    }

    /// Adds deliveries that wait for the hold's end.
    pub(super) fn wait_for(&mut self, name: &HoldName, keys: Vec<DeliveryKey>) {
        if let Some(hold) = self.by_name.get_mut(name) {
            let new: Vec<_> = keys.into_iter().filter(|key| !hold.deliveries.contains(key)).collect();
            hold.deliveries.extend(new);
        }
    }

    pub(super) fn hold(&mut self, hold: Hold) {
        match self.by_name.get_mut(&hold.name) {
            // The same changes are held again: keep the decision and the time, take the newest rule.
            Some(known) => {
                known.rule = hold.rule;
                known.compared &= hold.compared;
                self.wait_for(&hold.name, hold.deliveries);
            }
            // A hold without changes is over, even if the record of its end did not reach the disk.
            None if hold.changes.is_empty() => self.remember(hold.name, hold.decision),
            None => {
                self.past.retain(|(name, _)| *name != hold.name);
                self.by_name.insert(hold.name.clone(), hold);
            }
        }
    }

    pub(super) fn decide(&mut self, name: &HoldName, decision: Decision) {
        if let Some(hold) = self.by_name.get_mut(name) {
            hold.decision = Some(decision);
        } else if let Some((_, past)) = self.past.iter_mut().find(|(known, _)| known == name) {
            *past = Some(decision);
        }
    }

    /// A change was made or is no longer needed. Returns the holds that have no change left, which are over.
    pub(super) fn not_due(&mut self, change: &HeldChange) -> Vec<Hold> {
        let mut over = Vec::new();
        for hold in self.by_name.values_mut() {
            let before = hold.changes.len();
            hold.changes.retain(|known| !known.is_same(change));
            if hold.changes.is_empty() && before > 0 {
                over.push(hold.name.clone());
            }
        }
        over.iter().filter_map(|name| self.end(name)).collect()
    }

    pub(super) fn release(&mut self, name: &HoldName) -> Option<Hold> {
        self.end(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(slug: &str) -> HeldChange {
        HeldChange::Delete { team: GithubTeamId(1), sentry: SentryTeamId(2), slug: SentrySlug::from(slug) }
    }

    fn hold(slug: &str, rule: &str, at: u64) -> Hold {
        Hold::new(vec![change(slug)], rule.into(), Timestamp(at), vec![DeliveryKey(at as u128)])
    }

    #[test]
    fn the_same_changes_are_the_same_hold_in_any_order() {
        assert_eq!(hold("a", "r1", 1).name, hold("a", "r2", 2).name);
        assert_ne!(hold("a", "r", 1).name, hold("b", "r", 1).name);
        let both =
            |one, two| Hold::new(vec![change(one), change(two)], "r".into(), Timestamp(1), vec![]).name;
        assert_eq!(both("a", "b"), both("b", "a"));
    }

    #[test]
    fn a_holds_name_is_the_same_in_every_version() {
        let (team, sentry, slug) = (GithubTeamId(1), SentryTeamId(2), SentrySlug::from("a-b"));
        let changes = [
            HeldChange::Delete { team, sentry, slug: slug.clone() },
            HeldChange::Adopt { team, sentry, slug: slug.clone() },
            HeldChange::Remove { team, user: GithubUserId(3), slug: slug.clone() },
            HeldChange::RemoveMember { team, member: MemberId(4), slug: slug.clone() },
            HeldChange::Create { team, slug },
            HeldChange::UserMap { fingerprint: "0a1b".into() },
        ];
        let name = |changes: &[HeldChange]| {
            Hold::new(changes.to_vec(), String::new(), Timestamp(1), vec![]).name.to_string()
        };
        let names: Vec<_> = changes.iter().map(|change| name(std::slice::from_ref(change))).collect();
        assert_eq!(names, ["04a1113a", "6fca2756", "ac3f67c3", "34c80fd5", "915be60f", "73e68964"]);
        assert_eq!(name(&changes), "a90c0b07");
    }

    #[test]
    fn what_was_decided_is_remembered_when_the_hold_is_over() {
        let mut holds = Holds::default();
        let (decided, undecided) = (hold("a", "r", 1), hold("b", "r", 1));
        let decision = Decision { approved: false, at: Timestamp(2) };
        holds.hold(decided.clone());
        holds.hold(undecided.clone());
        holds.decide(&decided.name, decision);
        holds.release(&decided.name);
        holds.not_due(&change("b"));
        assert_eq!(holds.past(&decided.name), Some(Some(decision)));
        assert_eq!(holds.past(&undecided.name), Some(None));
        assert_eq!(holds.past(&HoldName("0".into())), None);
        // It is held again, so it is no longer over.
        holds.hold(decided.clone());
        assert_eq!((holds.past(&decided.name), holds.get(&decided.name).is_some()), (None, true));
        for n in 0..2 * PAST {
            let hold = hold(&format!("c{n}"), "r", 1);
            holds.hold(hold.clone());
            holds.release(&hold.name);
        }
        assert_eq!((holds.past.len(), holds.past(&undecided.name)), (PAST, None));
    }

    #[test]
    fn holding_again_keeps_the_decision() {
        let mut holds = Holds::default();
        let first = hold("a", "r1", 1);
        holds.hold(first.clone());
        holds.decide(&first.name, Decision { approved: false, at: Timestamp(2) });
        holds.hold(hold("a", "r2", 3));
        let known = holds.iter().next().unwrap();
        assert_eq!((known.at, &*known.rule, known.deliveries.len()), (Timestamp(1), "r2", 2));
        assert_eq!(holds.decision(&change("a")), Some(Decision { approved: false, at: Timestamp(2) }));
        let other = HeldChange::Delete {
            team: GithubTeamId(1),
            sentry: SentryTeamId(3),
            slug: SentrySlug::from("a"),
        };
        assert_eq!(holds.decision(&other), None);
        assert!(holds.decision(&change("renamed-meanwhile")).is_some());
    }

    /// The disk may have lost the record of its end. Nobody is asked again, and the decision is still known.
    #[test]
    fn a_hold_without_changes_is_over() {
        let past = Hold::new(Vec::new(), String::new(), Timestamp(3), Vec::new());
        let decision = Decision { approved: true, at: Timestamp(3) };
        let mut holds = Holds::default();
        holds.hold(past.clone());
        holds.decide(&past.name, decision);
        assert_eq!((holds.iter().count(), holds.past(&past.name)), (0, Some(Some(decision))));
    }

    #[test]
    fn a_team_that_was_renamed_asks_for_what_it_met_last() {
        let met = |slug: &str, at| {
            let sentry = SentryTeamId(at);
            let change = HeldChange::Adopt { team: GithubTeamId(1), sentry, slug: SentrySlug::from(slug) };
            Hold::new(vec![change], "r".into(), Timestamp(at), Vec::new())
        };
        let last = SentrySlug::from("last");
        for (first, second) in [(met("first", 1), met("last", 2)), (met("last", 2), met("first", 1))] {
            let mut holds = Holds::default();
            holds.hold(first);
            holds.hold(second);
            assert_eq!(holds.disputed_slug(GithubTeamId(1)), Some(&last));
            assert_eq!(holds.disputed_slug(GithubTeamId(2)), None);
        }
    }
}
