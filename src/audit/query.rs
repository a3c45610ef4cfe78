//! The command `audit`: which lines of the audit log are shown, and how. Reads files, and decides nothing.

use std::collections::HashSet;
use std::fmt::{self, Write};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::read::{Line, Log};
use crate::clock::Timestamp;
use crate::commands::{Output, Reply};
use crate::config::values;
use crate::escape::{self, Quoted, Safe};
use crate::ids::{GithubTeamId, GithubUserId};

/// The answer goes out in pieces of about this many bytes.
const PIECE: usize = 32 << 10;

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Lines about one of these teams: slugs in Sentry, or `id:` and GitHub's number; about all if there are none.
    pub teams: Vec<String>,
    /// Lines about this person: a GitHub login, or `id:` and GitHub's number.
    pub person: Option<String>,
    /// Lines from then on.
    pub since: Option<Timestamp>,
    /// As they are in the file.
    pub json: bool,
}

/// Reads `2026-11-01`, `2026-11-01T10:00:00Z`, or an age such as `3d`.
pub fn since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let date = || Timestamp::parse(&format!("{text}T00:00:00Z"));
    let age = || values::duration(text).ok().map(|age| now.before(age));
    Timestamp::parse(text).or_else(date).or_else(age).ok_or_else(|| {
        format!("`{text}` is no time: write 2026-11-01, 2026-11-01T10:00:00Z, or an age such as 12h or 3d")
    })
}

/// Prints the lines that were asked for, in the order of time. Stops quietly when nobody reads any more.
pub fn run(state_dir: &Path, query: &Query, out: Output) -> Reply {
    let log = Log::of(state_dir);
    if let Some(err) = log.is_missing() {
        return Reply { err, ..Reply::default() };
    }
    let mut pieces = Pieces { n: 0, text: String::new(), out, is_closed: false };
    let told = Wanted::find(&log, query).and_then(|wanted| {
        let unread = log.each(query.since, &mut |text, line| match wanted.is(line) {
            true if query.json => pieces.put(format_args!("{}", escape::json(text))),
            true => pieces.put(format_args!("{line}")),
            false => Ok(()),
        })?;
        pieces.send()?;
        Ok(unread)
    });
    let err = match told {
        Ok(0) if pieces.n == 0 => "the audit log has no line about that\n".into(),
        Ok(0) => String::new(),
        Ok(1) => "warning: 1 line of the log can not be read and was left out\n".into(),
        Ok(n) => format!("warning: {n} lines of the log can not be read and were left out\n"),
        Err(_) if pieces.is_closed => String::new(),
        Err(error) => {
            let dir = state_dir.display();
            return Reply::failed(format_args!("failed to read the audit log below `{dir}`: {error}"));
        }
    };
    Reply { err, ..Reply::default() }
}

struct Pieces<'a> {
    /// Lines so far.
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

/// Names as ids: not every line has both, and a slug or a login may have changed meanwhile.
struct Wanted<'a> {
    query: &'a Query,
    teams: HashSet<GithubTeamId>,
    users: HashSet<GithubUserId>,
}

impl<'a> Wanted<'a> {
    /// Which teams ever had the slugs, and who ever had the login.
    fn find(log: &Log, query: &'a Query) -> io::Result<Self> {
        let person = query.person.as_deref();
        let mut wanted = Self {
            query,
            teams: query.teams.iter().filter_map(|team| by_id(team)).map(GithubTeamId).collect(),
            users: person.and_then(by_id).map(GithubUserId).into_iter().collect(),
        };
        let by_name = query.teams.iter().map(String::as_str).chain(person).any(|name| by_id(name).is_none());
        if by_name {
            log.each(None, &mut |_, line| {
                if wanted.has_slug(line) {
                    wanted.teams.extend(line.team);
                }
                if wanted.has_login(line) {
                    wanted.users.extend(line.person);
                }
                Ok(())
            })?;
        }
        Ok(wanted)
    }

    fn has_slug(&self, line: &Line) -> bool {
        line.slug.iter().chain(&line.to).any(|slug| self.query.teams.contains(slug))
    }

    fn has_login(&self, line: &Line) -> bool {
        let person = self.query.person.as_deref().map(|name| name.trim_start_matches('@'));
        line.login.as_ref().zip(person).is_some_and(|(login, name)| login.eq_ignore_ascii_case(name))
    }

    fn is(&self, line: &Line) -> bool {
        let of_team = || self.has_slug(line) || line.team.is_some_and(|team| self.teams.contains(&team));
        let of_person = || self.has_login(line) || line.person.is_some_and(|user| self.users.contains(&user));
        (self.query.teams.is_empty() || of_team()) && (self.query.person.is_none() || of_person())
    }
}

/// The number of `id:NUMBER`.
fn by_id(text: &str) -> Option<u64> {
    text.strip_prefix("id:")?.parse().ok()
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
        if let Some(by) = &self.by {
            write!(f, "; by {by}")?;
        }
        if let Some(said) = &self.said {
            write!(f, ", who said {}", Quoted(said))?;
        }
        match &self.hold {
            // Whoever reads it while it is undecided can do so at once.
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
        ] {
            assert_eq!(since(text, now).unwrap().to_string(), at);
        }
        for text in ["", "yesterday", "2026-13-01", "3 days", "-1d"] {
            assert!(since(text, now).unwrap_err().contains("such as 12h or 3d"), "{text}");
        }
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
