//! Audit lines about people's decisions: one for each change, so that a search for a team or a person finds it, and one
//! for the end of each hold.

use super::Entry;
use crate::state::holds::{Decision, HeldChange, Hold};
use crate::store::actor::Actor;

/// Who asked for something, and why, in their own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `None` if the mirror itself did.
    pub by: Option<Actor>,
    pub said: Option<String>,
}

impl Asked {
    /// A line about something that was asked for.
    pub fn entry(&self, decision: &'static str) -> Entry {
        let event = if self.by.is_some() { "command" } else { "hold" };
        Entry { event, decision, by: self.by.clone(), said: self.said.clone(), ..Entry::default() }
    }

    /// The lines of a decision about a hold, one for each change.
    pub fn about(&self, hold: &Hold, decision: &'static str) -> Vec<Entry> {
        let line = |change: &HeldChange| {
            let entry = Entry { hold: Some(hold.name.clone()), ..with_change(self.entry(decision), change) };
            entry.because(format!("{change}; it was held by: {}", hold.rule))
        };
        hold.changes.iter().map(line).collect()
    }
}

/// Fills in the fields that say what a change is about.
fn with_change(entry: Entry, change: &HeldChange) -> Entry {
    let entry = Entry { team: change.team(), ..entry };
    match change {
        HeldChange::Delete { sentry, slug, .. } | HeldChange::Adopt { sentry, slug, .. } => {
            Entry { sentry_team: Some(*sentry), slug: Some(slug.clone()), ..entry }
        }
        HeldChange::Remove { user, slug, .. } => {
            Entry { person: Some(*user), slug: Some(slug.clone()), ..entry }
        }
        HeldChange::RemoveMember { member, slug, .. } => {
            Entry { member: Some(*member), slug: Some(slug.clone()), ..entry }
        }
        HeldChange::Create { slug, .. } | HeldChange::Link { slug, .. } => {
            Entry { slug: Some(slug.clone()), ..entry }
        }
        HeldChange::UserMap { .. } => entry,
    }
}

/// The line for the end of a hold.
pub fn ended(hold: &Hold) -> Entry {
    let why = match hold.decision {
        Some(Decision { approved: true, at }) => {
            format!("approved {at}: all of it is done, or no longer due")
        }
        Some(Decision { approved: false, at }) => format!("rejected {at}: it is no longer due"),
        None => "nobody has decided: it is no longer due, has expired, or is part of another hold".into(),
    };
    // A hold that was released as a whole still lists its changes. If all are about one team, the line names it.
    let team = hold.changes.first().and_then(HeldChange::team);
    let team = team.filter(|team| hold.changes.iter().all(|change| change.team() == Some(*team)));
    let entry = Entry { hold: Some(hold.name.clone()), team, ..Asked::default().entry("end hold") };
    entry.because(why)
}
