//! The command `audit`: selects lines of the audit log and prints them. It only reads files.

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::commands::{Output, Reply};
use crate::config::values;
use crate::state::ids::{GithubTeamId, GithubUserId, MemberId};
use crate::state::meant::{PersonName, TeamName};
use crate::store::audit::read::{Line, Log};
use crate::text::{self, Quoted, Safe};

/// The answer goes out in pieces of about this many bytes.
const PIECE: usize = 32 << 10;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Only lines about these teams, as the user typed them; empty means all lines.
    pub teams: Vec<String>,
    pub person: Option<String>,
    pub since: Option<Timestamp>,
    /// Print the lines as they are in the file.
    pub json: bool,
    /// Include the API call and its answer.
    #[serde(default)]
    pub verbose: bool,
}

/// Reads a time as people write it: a date, a timestamp, `today`, `yesterday`, or an age.
pub fn since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    const DAY: u64 = 86_400_000;
    let midnight = now.0 / DAY * DAY;
    let date = || Timestamp::parse(&format!("{text}T00:00:00Z"));
    let age = || values::duration(text).ok().map(|age| now.before(age));
    let found = match text {
        "today" => Some(Timestamp(midnight)),
        "yesterday" => Some(Timestamp(midnight.saturating_sub(DAY))),
        _ => Timestamp::parse(text).or_else(date).or_else(age),
    };
    found.ok_or_else(|| {
        format!("`{text}` is not a time: write for example 2026-11-01, 2026-11-01T10:00:00Z, yesterday, 36h or 7d")
    })
}

/// The ids that the state and Sentry know for the names in the query, as far as they could be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The state was searched too, not only the audit log.
    pub state_was_asked: bool,
    pub teams: Vec<BTreeSet<GithubTeamId>>,
    pub users: BTreeSet<GithubUserId>,
    pub members: BTreeSet<MemberId>,
}

/// Prints the matching lines, oldest first. It stops quietly when nobody reads any more. A name that neither the log
/// nor the state knows is an error.
pub fn run(state_dir: &Path, query: &Query, known: Known, out: Output) -> Reply {
    let log = Log::of(state_dir);
    if let Some(err) = log.is_missing() {
        return Reply { err, ..Reply::default() };
    }
    let mut pieces = Pieces { n: 0, text: String::new(), out, is_closed: false };
    let wanted = Wanted::find(&log, query, known);
    if let Some(why) = wanted.as_ref().ok().and_then(Wanted::unknown) {
        return Reply::failed(why);
    }
    let told = wanted.and_then(|wanted| {
        let unread = log.each(query.since, &mut |text, line| match wanted.is(line) {
            true if query.json => pieces.put(format_args!("{}", text::json(text))),
            true if query.verbose => pieces.put(format_args!("{line}")),
            true => pieces.put(format_args!("{}", Columns(line))),
            false => Ok(()),
        })?;
        pieces.send()?;
        Ok(unread)
    });
    let err = match told {
        Ok(0) if pieces.n == 0 => "the audit log has no matching lines\n".into(),
        Ok(0) => String::new(),
        Ok(1) => "warning: 1 line of the log is damaged and was left out\n".into(),
        Ok(n) => format!("warning: {n} lines of the log are damaged and were left out\n"),
        Err(_) if pieces.is_closed => String::new(),
        Err(error) => {
            let dir = state_dir.display();
            return Reply::failed(format_args!("failed to read the audit log in `{dir}`: {error}"));
        }
    };
    Reply { err, ..Reply::default() }
}

struct Pieces<'a> {
    n: usize,
    text: String,
    out: Output<'a>,
    is_closed: bool,
}

impl Pieces<'_> {
    fn put(&mut self, line: fmt::Arguments) -> io::Result<()> {
        self.n += 1;
        let _ = writeln!(self.text, "{line}");
        if self.text.len() < PIECE {
            return Ok(());
        }
        self.send()
    }

    fn send(&mut self) -> io::Result<()> {
        let sent = if self.text.is_empty() { Ok(()) } else { (self.out)(&self.text) };
        self.is_closed = sent.is_err();
        self.text.clear();
        sent
    }
}

/// The names in the query, with their ids: not every line has both, and slugs and logins change.
struct Wanted {
    teams: Vec<Team>,
    person: Option<PersonName>,
    users: BTreeSet<GithubUserId>,
    members: BTreeSet<MemberId>,
    /// The log, the state or Sentry knows the person.
    is_heard_of: bool,
    state_was_asked: bool,
}

struct Team {
    name: TeamName,
    ids: BTreeSet<GithubTeamId>,
    is_heard_of: bool,
}

impl Wanted {
    /// Collects the teams that ever had the slugs, and the people who ever had the login.
    fn find(log: &Log, query: &Query, mut known: Known) -> io::Result<Self> {
        known.teams.resize(query.teams.len(), BTreeSet::new());
        let teams = query.teams.iter().zip(known.teams).map(|(text, mut ids)| {
            let name = TeamName::read(text);
            let is_heard_of = !ids.is_empty();
            if let TeamName::Id(team) = name {
                ids.insert(team);
            }
            Team { name, ids, is_heard_of }
        });
        let (teams, person) = (teams.collect(), query.person.as_deref().map(PersonName::read));
        let Known { state_was_asked, mut users, members, .. } = known;
        let is_heard_of = !users.is_empty() || !members.is_empty();
        if let Some(PersonName::Id(user)) = person {
            users.insert(user);
        }
        let mut wanted = Self { teams, person, users, members, is_heard_of, state_was_asked };
        if !wanted.teams.is_empty() || wanted.person.is_some() {
            log.each(None, &mut |_, line| {
                wanted.learn(line);
                Ok(())
            })?;
        }
        Ok(wanted)
    }

    fn learn(&mut self, line: &Line) {
        for team in &mut self.teams {
            if team.has_slug(line) {
                team.ids.extend(line.team);
                team.is_heard_of = true;
            }
            team.is_heard_of |= line.team.is_some_and(|id| team.ids.contains(&id));
        }
        if self.has_login(line) {
            self.users.extend(line.person);
            self.is_heard_of = true;
        }
        self.is_heard_of |= line.person.is_some_and(|user| self.users.contains(&user));
    }

    /// The error about names that nobody knows, with its fix; `None` if all are known.
    fn unknown(&self) -> Option<String> {
        let said = if self.state_was_asked { "there is no trace of" } else { "the audit log never mentions" };
        let team = |team: &Team| match &team.name {
            TeamName::Id(id) => format!("{said} a team with GitHub's id {id}"),
            TeamName::Slug(slug, _) => format!("{said} a team `{}`", Safe(slug)),
        };
        let teams: Vec<_> = self.teams.iter().filter(|team| !team.is_heard_of).map(team).collect();
        let person = self.person.as_ref().filter(|_| !self.is_heard_of).map(|person| match person {
            PersonName::Id(user) => format!("{said} a person with GitHub's id {user}"),
            PersonName::Login(login) => format!("{said} a person with the login `{}`", Safe(login.as_str())),
            PersonName::Mail(mail) => format!("{said} a person with the address `{}`", Safe(mail.as_str())),
        });
        let fix = if !teams.is_empty() {
            "`sentry-team-sync explain` lists the teams that are mirrored"
        } else {
            "give the login as in github.com/LOGIN; `sentry-team-sync audit` without it shows every line"
        };
        let all: Vec<_> = teams.into_iter().chain(person).collect();
        (!all.is_empty()).then(|| format!("{}\n  fix: {fix}", all.join("; ")))
    }

    fn has_login(&self, line: &Line) -> bool {
        let Some(PersonName::Login(login)) = &self.person else { return false };
        line.login.as_ref().is_some_and(|known| login.is(known))
    }

    fn is(&self, line: &Line) -> bool {
        let of_team = |team: &Team| team.has_slug(line) || line.team.is_some_and(|id| team.ids.contains(&id));
        let of_person = || {
            let is_user = line.person.is_some_and(|user| self.users.contains(&user));
            let is_member = line.member.is_some_and(|member| self.members.contains(&member));
            self.has_login(line) || is_user || is_member
        };
        (self.teams.is_empty() || self.teams.iter().any(of_team)) && (self.person.is_none() || of_person())
    }
}

impl Team {
    fn has_slug(&self, line: &Line) -> bool {
        let Some(slug) = self.name.slug() else { return false };
        line.slug.iter().chain(&line.to).any(|known| known.eq_ignore_ascii_case(slug))
    }
}

/// A short line: time, decision, team, person and reason. It omits details that matter only for debugging.
pub struct Columns<'a>(pub &'a Line);

impl fmt::Display for Columns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.0;
        let team = match (&line.slug, line.team) {
            (Some(slug), _) => Safe(slug).to_string(),
            (None, Some(team)) => format!("GitHub team {team}"),
            (None, None) => "-".into(),
        };
        let who = match (&line.login, line.person, line.member) {
            (Some(login), ..) if !login.is_empty() => Safe(login).to_string(),
            (_, Some(user), _) => format!("GitHub user {user}"),
            (_, None, Some(member)) => format!("Sentry member {member}"),
            (_, None, None) => String::new(),
        };
        let why = if line.reason.is_empty() { &line.event } else { &line.reason };
        let between = if who.is_empty() || why.is_empty() { "" } else { ": " };
        let (at, what) = (Safe(&line.at), Safe(&line.decision).to_string());
        write!(f, "{at}  {what:<16}  {team:<16}  {who}{between}{}", Safe(why))?;
        line.people(f)?;
        match &line.hold {
            // The hold may still be undecided, so show how to approve it.
            Some(hold) if line.decision == "hold" => {
                write!(f, "; approve it with `sentry-team-sync approve {}`", Safe(hold))
            }
            _ => Ok(()),
        }
    }
}

impl Line {
    /// Writes who asked for it, and their reason.
    fn people(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(by) = &self.by {
            write!(f, "; by {by}")?;
        }
        if let Some(said) = &self.said {
            write!(f, ", who said {}", Quoted(said))?;
        }
        Ok(())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", Safe(&self.at), Safe(&self.event), Safe(&self.decision))?;
        match (&self.login, self.person, self.member) {
            (Some(login), ..) if !login.is_empty() => write!(f, " {}", Safe(login))?,
            (_, Some(user), _) => write!(f, " GitHub user {user}")?,
            (_, None, Some(member)) => write!(f, " Sentry member {member}")?,
            (_, None, None) => {}
        }
        let place = if self.login.is_some() || self.person.is_some() { ", team" } else { "" };
        match (&self.slug, self.team) {
            (Some(slug), _) => write!(f, "{place} {}", Safe(slug))?,
            (None, Some(team)) => write!(f, "{place} GitHub team {team}")?,
            (None, None) => {}
        }
        if let Some(sentry) = self.sentry_team.filter(|_| self.person.is_none() && self.member.is_none()) {
            write!(f, " (Sentry team {sentry})")?;
        }
        if !self.reason.is_empty() {
            write!(f, ": {}", Safe(&self.reason))?;
        }
        if let Some(before) = &self.before {
            let n = |name: &str| before[name].as_array().map_or(0, Vec::len);
            write!(f, "; people: {}, projects: {}", n("members"), n("projects"))?;
        }
        if let Some(call) = &self.call {
            write!(f, "; {} -> {}", Safe(call), Safe(self.answer.as_deref().unwrap_or("no answer")))?;
        }
        self.people(f)?;
        match &self.hold {
            // The hold may still be undecided, so show how to approve it.
            Some(hold) if self.decision == "hold" => {
                write!(f, "; approve with: sentry-team-sync approve {}", Safe(hold))?;
            }
            Some(hold) => write!(f, " [hold {}]", Safe(hold))?,
            None => {}
        }
        if let Some(guid) = &self.delivery {
            write!(f, " [{}]", Safe(guid))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now = Timestamp::parse("2026-11-25T12:00:00Z").unwrap();
        for (text, at) in [
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("2026-11-01T10:00:00Z", "2026-11-01T10:00:00Z"),
            ("3d", "2026-11-22T12:00:00Z"),
            ("12h", "2026-11-25T00:00:00Z"),
            ("today", "2026-11-25T00:00:00Z"),
            ("yesterday", "2026-11-24T00:00:00Z"),
        ] {
            assert_eq!(since(text, now).unwrap().to_string(), at);
        }
        for text in ["", "last week", "2026-13-01", "3 days", "-1d"] {
            assert!(since(text, now).unwrap_err().ends_with("yesterday, 36h or 7d"), "{text}");
        }
    }

    #[test]
    fn a_short_line_has_columns_without_call_and_answer() {
        let line = |json: &str| Columns(&serde_json::from_str(json).unwrap()).to_string();
        assert_eq!(
            line(
                r#"{"at":"2026-11-25T12:00:00Z","delivery":"g-1","event":"membership.added","decision":"add member",
                "reason":"matched by public","team":7,"slug":"crew","person":5,"login":"ana","member":3,"call":"POST /x",
                "answer":"201"}"#
            ),
            "2026-11-25T12:00:00Z  add member        crew              ana: matched by public"
        );
        assert_eq!(
            line(r#"{"at":"t","event":"reconcile","decision":"hold","reason":"r","hold":"1f2e3d4c"}"#),
            "t  hold              -                 r; approve it with `sentry-team-sync approve 1f2e3d4c`"
        );
        assert_eq!(
            line(
                r#"{"at":"t","event":"e","decision":"reject","team":7,"by":{"uid":0,"user":"root"},"said":"no"}"#
            ),
            r#"t  reject            GitHub team 7     e; by root (uid 0), who said "no""#
        );
    }

    #[test]
    fn a_line_reads_as_a_sentence() {
        let line = |json: &str| serde_json::from_str::<Line>(json).unwrap().to_string();
        assert_eq!(
            line(
                r#"{"at":"2026-11-25T12:00:00Z","delivery":"g-1","event":"membership.added","decision":"add member",
                "reason":"matched by public","team":7,"slug":"crew","sentry_team":2,"person":5,"login":"ana","member":3,
                "call":"POST /x","answer":"201"}"#
            ),
            "2026-11-25T12:00:00Z membership.added: add member ana, team crew: matched by public; POST /x -> 201 [g-1]"
        );
        assert_eq!(
            line(
                r#"{"at":"2026-11-25T12:00:00Z","event":"team.created","decision":"create team","team":7,"slug":"crew",
                "sentry_team":2}"#
            ),
            "2026-11-25T12:00:00Z team.created: create team crew (Sentry team 2)"
        );
        assert_eq!(
            line(r#"{"at":"t","decision":"hold","team":7,"reason":"r"}"#),
            "t : hold GitHub team 7: r"
        );
        assert_eq!(
            line(r#"{"at":"t","event":"reconcile","decision":"hold","reason":"r","hold":"1f2e3d4c"}"#),
            "t reconcile: hold: r; approve with: sentry-team-sync approve 1f2e3d4c"
        );
        assert_eq!(
            line(
                r#"{"at":"t","event":"command","decision":"reject","team":7,"slug":"crew","sentry_team":2,"reason":"r",
                "hold":"1f2e3d4c","by":{"uid":0,"user":"root","login_uid":1000},"said":"not \"ours\""}"#
            ),
            r#"t command: reject crew (Sentry team 2): r; by root (uid 0), logged in as uid 1000, who said "not \"ours\"" [hold 1f2e3d4c]"#
        );
    }
}
