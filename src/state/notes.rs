//! Reads the notes of settled deliveries, and adds what has changed since. Pure.
//!
//! A note is written once and read for weeks. By then, a wanted person may have been added, or a hold decided.

use std::collections::HashMap;

use crate::state::holds::{about_holds, with_decision, Holds, APPROVE_WITH};
use crate::state::ids::{GithubUserId, SentrySlug};
use crate::state::people::Wanted;
use crate::state::State;

/// Separates login and slug in the note about a person whom Sentry does not know.
const WANTED_IN: &str = "` is wanted in `";
/// The note about a person whom Sentry does not know.
pub fn wanted(login: &str, slug: &SentrySlug, why: &str) -> String {
    format!("`{login}{WANTED_IN}{slug}`: {why}")
}

/// Shortens a note to `limit` characters, but keeps the command to type.
pub fn short(note: &str, limit: usize) -> String {
    if note.chars().count() <= limit {
        return note.into();
    }
    let (said, to_type) = note.split_at(note.rfind(APPROVE_WITH).unwrap_or(note.len()));
    let room = limit.saturating_sub(to_type.chars().count() + 1);
    said.chars().take(room).chain(['…']).collect::<String>() + to_type
}

/// A note with what is true now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub text: String,
    pub open: Option<Open>,
}

/// The reason why a note is still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// A person has to decide about a hold.
    Decision,
    /// A person is still unknown to Sentry.
    Person,
}

/// Checks notes against the state. Looks wanted people up once for many notes.
pub struct Reader<'a> {
    state: &'a State,
    /// The wanted people, by login in lower case. Made on first use.
    wanted: Option<HashMap<String, (GithubUserId, &'a Wanted)>>,
}

impl<'a> Reader<'a> {
    pub fn new(state: &'a State) -> Self {
        Self { state, wanted: None }
    }

    pub fn read(&mut self, note: &str) -> Note {
        let (text, is_undecided) = decided(&self.state.holds, note);
        if is_undecided {
            return Note { text, open: Some(Open::Decision) };
        }
        let people = wishes(&text);
        if people.is_empty() {
            return Note { text, open: None };
        }
        if people.iter().any(|(login, slug)| self.is_wanted(login, slug)) {
            return Note { text, open: Some(Open::Person) };
        }
        let since = if people.iter().all(|(login, slug)| self.was_added(login, slug)) {
            "added since then"
        } else {
            "no longer wanted"
        };
        Note { text: format!("{text}; {since}"), open: None }
    }

    fn is_wanted(&mut self, login: &str, slug: &str) -> bool {
        let people = &self.state.people;
        let by_login = |(user, wish): (GithubUserId, &'a Wanted)| {
            (wish.login.as_str().to_ascii_lowercase(), (user, wish))
        };
        let all = self.wanted.get_or_insert_with(|| people.wanted().map(by_login).collect());
        let Some((_, wish)) = all.get(&login.to_ascii_lowercase()) else { return false };
        // If the team has another slug by now, any team in which the person is wanted may be the one.
        let owner = self.state.teams.owner(&SentrySlug::from(slug));
        owner.is_none_or(|team| wish.teams.contains(&team))
    }

    /// Whether somebody who is no longer wanted was matched, and is in the team by the latest news.
    fn was_added(&self, login: &str, slug: &str) -> bool {
        let mut matches = self.state.people.matches();
        let Some((user, _)) = matches.find(|(_, found)| found.login.is(login)) else { return false };
        let team = self.state.teams.owner(&SentrySlug::from(slug));
        let word = team.and_then(|team| self.state.teams.news(team)).and_then(|news| news.word(user));
        team.is_some() && word.is_none_or(|(present, _)| present)
    }
}

/// The note with the decisions about the holds that it names, and whether one of these is still undecided.
fn decided(holds: &Holds, note: &str) -> (String, bool) {
    let mut is_undecided = false;
    let text = about_holds(note, |name| match holds.get(name).map(|hold| hold.decision) {
        Some(None) => {
            is_undecided = true;
            None
        }
        decided => Some(with_decision(decided.flatten())),
    });
    (text, is_undecided)
}

/// The people whom a note calls wanted: login and slug of the team.
fn wishes(note: &str) -> Vec<(&str, &str)> {
    let wish = |(at, _): (usize, &str)| {
        let login = note[..at].rsplit('`').next()?;
        let slug = note[at + WANTED_IN.len()..].split('`').next()?;
        Some((login, slug))
    };
    note.match_indices(WANTED_IN).filter_map(wish).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::state::holds::{HeldChange, Hold};
    use crate::state::ids::{GithubTeamId, Login, MemberId, SentryTeamId, Seq};
    use crate::state::record::Record;
    use crate::state::values::{Binding, Match, Origin, Source};

    const TEAM: GithubTeamId = GithubTeamId(1);
    const ZOE: GithubUserId = GithubUserId(5);

    fn read(state: &State, note: &str) -> (String, Option<Open>) {
        let Note { text, open } = Reader::new(state).read(note);
        (text, open)
    }

    fn held(slug: &str) -> Hold {
        let change = HeldChange::Create { team: TEAM, slug: SentrySlug::from(slug) };
        Hold::new(vec![change], "rule".into(), Timestamp(1), vec![])
    }

    #[test]
    fn a_hold_is_told_as_it_stands_also_beside_others() {
        let mut state = State::new(Timestamp(0));
        let (one, two) = (held("a"), held("b"));
        let note = format!("r1{APPROVE_WITH}{}; and r2{APPROVE_WITH}{}", one.name, two.name);
        for hold in [&one, &two] {
            state.apply(Record::Held { hold: hold.clone() });
        }
        assert_eq!(read(&state, &note), (note.clone(), Some(Open::Decision)));
        let decide = |hold: &Hold, approved| Record::Decided {
            name: hold.name.clone(),
            approved,
            at: Timestamp(1000),
        };
        state.apply(decide(&one, true));
        let half = format!("r1; approved 1970-01-01T00:00:01Z; and r2{APPROVE_WITH}{}", two.name);
        assert_eq!(read(&state, &note), (half, Some(Open::Decision)));
        state.apply(decide(&two, false));
        let whole = "r1; approved 1970-01-01T00:00:01Z; and r2; rejected 1970-01-01T00:00:01Z";
        assert_eq!(read(&state, &note), (whole.into(), None));
        // A hold that is over needs no decision, whether or not the note was rewritten since.
        state.apply(Record::Released { name: one.name.clone() });
        assert_eq!(read(&state, whole), (whole.into(), None));
        assert_eq!(read(&state, &format!("r1{APPROVE_WITH}{}", one.name)).0, "r1; no longer held");
    }

    #[test]
    fn whoever_is_wanted_is_told_until_they_are_in() {
        let mut state = State::new(Timestamp(0));
        let slug = SentrySlug::from("crew");
        let binding =
            Binding { sentry: SentryTeamId(2), slug: slug.clone(), name: "".into(), origin: Origin::Created };
        state.apply(Record::Bound { team: TEAM, binding });
        let note = wanted("zoe", &slug, "no address is known from map");
        let (login, at) = (Login::from("Zoe"), Timestamp(1));
        let wish =
            Record::Wanted { team: TEAM, user: ZOE, login: login.clone(), why: "no address".into(), at };
        state.apply(wish);
        assert_eq!(read(&state, &note), (note.clone(), Some(Open::Person)));
        let mut left = state.clone();
        left.apply(Record::Unwanted { team: TEAM, user: ZOE });
        assert_eq!(read(&left, &note), (format!("{note}; no longer wanted"), None));
        let found = Match { member: MemberId(3), login, source: Source::Public, at };
        left.apply(Record::Matched { user: ZOE, found });
        assert_eq!(read(&left, &note), (format!("{note}; added since then"), None));
        // A person who has left the team since must not be reported as added.
        left.apply(Record::Looked { team: TEAM, seq: Seq(9), people: vec![] });
        left.apply(Record::News {
            team: TEAM,
            born: false,
            named: None,
            first_named: None,
            people: vec![(ZOE, false, Seq(9))],
        });
        assert_eq!(read(&left, &note).0, format!("{note}; no longer wanted"));
    }

    #[test]
    fn what_to_type_is_never_cut_off() {
        let note = format!("{}{APPROVE_WITH}0123abcd", "x".repeat(400));
        let cut = short(&note, 300);
        assert_eq!(cut.chars().count(), 300);
        assert!(cut.ends_with(&format!("x…{APPROVE_WITH}0123abcd")), "{cut}");
        assert_eq!(short("short", 300), "short");
        assert_eq!(short(&"y".repeat(301), 300).chars().count(), 300);
    }
}
