//! What a guard stopped, and what people decided about it.
//!
//! A hold is named by its content: the same change is the same hold, however often it comes up.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::state::ids::{GithubTeamId, GithubUserId, MemberId, OwnerName, SentrySlug, SentryTeamId};
use crate::state::sorted::Map;
use crate::state::tagged::tagged;
use crate::state::values::DeliveryKey;

/// How the rule of a hold begins that stops a service's first comparison: approving it lets the mirror begin.
pub const FIRST: &str = "SYNC_FIRST hold";

/// Stands in the note of a held delivery, between the rule and the hold's name.
pub const APPROVE_WITH: &str = "; approve with: sentry-team-sync approve ";
pub const APPROVED: &str = "approved";
pub const REJECTED: &str = "rejected";
/// How long a hold's name is.
const NAME: usize = 8;

/// 8 hex digits: what a person types behind `approve`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HoldName(pub Box<str>);

impl fmt::Display for HoldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Changes that wait for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The hash of `changes`.
    pub name: HoldName,
    /// What would be done, sorted.
    pub changes: Vec<HeldChange>,
    /// The rule that stopped it, with its numbers.
    pub rule: Box<str>,
    pub at: Timestamp,
    /// The deliveries that asked for it.
    pub deliveries: Vec<DeliveryKey>,
    pub decision: Option<Decision>,
    /// A comparison found it, not an event: it is history as soon as no comparison finds it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compared: bool,
}

tagged! {
    /// A change that a guard may stop.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
    #[serde(tag = "is")]
    pub enum HeldChange {
        /// A GitHub team was deleted; its Sentry team would be.
        "delete" => Delete {
            team: GithubTeamId,
            sentry: SentryTeamId,
            slug: SentrySlug,
        },
        /// A GitHub team would take over a Sentry team that was there before it.
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
        /// Somebody whom no source matched would be taken out of a Sentry team.
        "remove_member" => RemoveMember {
            team: GithubTeamId,
            member: MemberId,
            slug: SentrySlug,
        },
        /// A Sentry team would be made.
        "create" => Create {
            team: GithubTeamId,
            slug: SentrySlug,
        },
        /// A name of CODEOWNERS would mean a Sentry team from now on.
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
    /// To be carried out; otherwise remembered as refused for as long as it would be due.
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

/// What became of a hold, behind its rule: how a person decided, or that it came to nothing by itself.
pub(super) fn with_decision(decision: Option<Decision>) -> String {
    match decision {
        Some(decision) => format!("; {} {}", decision.word(), decision.at),
        None => "; no longer held".into(),
    }
}

/// Replaces what is said of some holds. `anew` has other words, or leaves it as it is.
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
    /// Whether it stops the first comparison of all.
    pub fn is_first(&self) -> bool {
        self.rule.starts_with(FIRST)
    }

    /// The note of a delivery that waited for this hold, now that it is over.
    pub fn last_note(&self, note: &str) -> Option<String> {
        let anew = about_holds(note, |name| (*name == self.name).then(|| with_decision(self.decision)));
        (anew != note).then_some(anew)
    }
}

impl HeldChange {
    /// GitHub's team, if it is about one.
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

/// What makes a change the same for whoever decided: ids count, a slug may have changed meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ChangeKey {
    /// Of a team: the kind of change, the team, and what or who.
    Team(u8, GithubTeamId, u64),
    /// Of the user map, by its content.
    UserMap(Box<str>),
}

impl HeldChange {
    /// What it is, whatever its team is called now.
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

    /// Whether two changes are the same for whoever decided.
    pub fn is_same(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl HeldChange {
    /// What a hold's name is made of. Frozen: names stand in journals, logs and mails, and are those of the same changes in
    /// every version.
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

/// How many holds that are over are remembered, so that whoever decides a second time is told what was decided.
const PAST: usize = 100;

/// All holds that are not history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    by_name: Map<HoldName, Hold>,
    /// The last ones that are, oldest first, and what a person decided.
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

    /// What a person decided about a hold that is over, if anything; `None` if nothing is known of such a hold.
    pub fn past(&self, name: &HoldName) -> Option<Option<Decision>> {
        self.past.iter().find(|(known, _)| known == name).map(|(_, decision)| *decision)
    }

    /// The holds that are over, as ones without a change.
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

    /// The slug of the Sentry team that a GitHub team would take over if a person let it. Not what only waits for the mirror to
    /// begin: that much an event may ask for by name. Of several, the one that was met last: the team has been renamed since,
    /// and what its names of before would have led to is over once it has a Sentry team.
    pub fn disputed_slug(&self, team: GithubTeamId) -> Option<&SentrySlug> {
        let disputes = self.iter().filter(|hold| !hold.is_first());
        let changes = disputes.flat_map(|hold| hold.changes.iter().map(|change| (hold.at, change)));
        let of_team = changes.filter_map(|(at, change)| match change {
            HeldChange::Adopt { team: theirs, slug, .. } if *theirs == team => Some((at, slug)),
            _ => None,
        });
        of_team.max_by_key(|(at, _)| *at).map(|(_, slug)| slug)
    }

    /// Whether anybody would take over this Sentry team, if a person let them.
    pub fn is_disputed(&self, wanted: SentryTeamId) -> bool {
        let is_it =
            |change: &HeldChange| matches!(change, HeldChange::Adopt { sentry, .. } if *sentry == wanted);
        self.iter().any(|hold| hold.changes.iter().any(is_it))
    }

    /// All changes that wait for a person, or were decided, and concern a team.
    pub fn changes_of(&self, team: GithubTeamId) -> impl Iterator<Item = &HeldChange> {
        self.iter().flat_map(|hold| &hold.changes).filter(move |change| change.team() == Some(team))
    }

    /// What a person has decided about this change; of several decisions, the latest.
    pub fn decision(&self, change: &HeldChange) -> Option<Decision> {
        self.decided_by(change).map(|(_, decision)| decision)
    }

    /// The same with the hold that it was about.
    pub fn decided_by(&self, change: &HeldChange) -> Option<(&HoldName, Decision)> {
        let same = |hold: &&Hold| hold.changes.iter().any(|known| known.is_same(change));
        let decided = self.iter().filter(same).filter_map(|hold| Some((&hold.name, hold.decision?)));
        decided.max_by_key(|(_, decision)| decision.at)
    }

    /// Deliveries that wait for the hold's end.
    pub(super) fn wait_for(&mut self, name: &HoldName, keys: Vec<DeliveryKey>) {
        if let Some(hold) = self.by_name.get_mut(name) {
            let new: Vec<_> = keys.into_iter().filter(|key| !hold.deliveries.contains(key)).collect();
            hold.deliveries.extend(new);
        }
    }

    pub(super) fn hold(&mut self, hold: Hold) {
        match self.by_name.get_mut(&hold.name) {
            // The same change came up again: keep what was decided and since when, learn the newest rule.
            Some(known) => {
                known.rule = hold.rule;
                known.compared &= hold.compared;
                self.wait_for(&hold.name, hold.deliveries);
            }
            // One that is remembered is over, also where its end did not reach the disk.
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

    /// A change is done, or no longer due: the holds that have nothing else left are history.
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
        // It comes up again, and is no longer over.
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

    /// A disk may have lost that it is over: nobody is asked about nothing, and what was decided is still told.
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
