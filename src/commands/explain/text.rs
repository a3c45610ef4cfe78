//! The explanation for a terminal: plain lines, with foreign text escaped. Writing to memory cannot fail.

use std::fmt::{self, Write};

use super::live::{Look, PersonView};
use super::{BindingView, Explanation, GoneView};
use crate::commands::audit::Columns;
use crate::state::values::{Binding, Fate, Mode, Origin};
use crate::text::{Quoted, Safe};

impl Explanation {
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) -> fmt::Result {
        let shown = self.look.as_ref().and_then(|look| look.github.as_ref()).map(|team| &team.slug);
        match shown.or(self.slug.as_ref()).filter(|slug| !slug.is_empty()) {
            Some(slug) => writeln!(text, "{} (GitHub team {})", Safe(slug), self.team)?,
            None => writeln!(text, "GitHub team {}", self.team)?,
        }
        self.write_github(text)?;
        self.write_sentry(text)?;
        if let Some(codeowners) = self.look.as_ref().and_then(|look| look.codeowners.as_ref()) {
            writeln!(text, "  in CODEOWNERS: {}", Safe(codeowners))?;
        }
        self.write_the_end(text)?;
        self.write_what_waits(text)?;
        if let Some(look) = self.look.as_ref().filter(|look| !look.people.is_empty()) {
            writeln!(text, "people:")?;
            for person in &look.people {
                writeln!(text, "  {}", Face(person))?;
            }
        }
        if !self.lines.is_empty() {
            writeln!(text, "last lines of the audit log:")?;
        }
        for line in &self.lines {
            writeln!(text, "  {}", Columns(line))?;
        }
        match &self.look {
            Some(look) => self.write_end(look, text),
            None => writeln!(text, "GitHub and Sentry were not asked"),
        }
    }

    fn write_github(&self, text: &mut String) -> fmt::Result {
        match self.look.as_ref().map(|look| &look.github) {
            Some(None) if self.gone.is_some() || self.is_end_held => writeln!(text, "  on GitHub: deleted"),
            Some(Some(team)) => {
                write!(text, "  on GitHub: {}", Quoted(&team.name))?;
                if let Some(at) = &team.created_at {
                    write!(text, ", created {at}")?;
                }
                if let Some(parent) = team.parent {
                    write!(text, ", child of GitHub team {parent}")?;
                }
                writeln!(text)?;
                if let Some(gap) = &team.incomplete {
                    writeln!(text, "    its list of members is incomplete ({gap}), so nobody is removed")?;
                }
                Ok(())
            }
            Some(None) if self.mode == Some(Mode::Read) => {
                writeln!(text, "  on GitHub: not shown to this token")
            }
            Some(None) => writeln!(text, "  on GitHub: not asked; payload mode trusts the deliveries"),
            None => Ok(()),
        }
    }

    fn write_sentry(&self, text: &mut String) -> fmt::Result {
        let Some(BindingView { at: Binding { sentry, slug, name, origin }, since }) = &self.binding else {
            return writeln!(text, "  in Sentry: no team follows it");
        };
        let origin = match origin {
            Origin::Created => "created by this service",
            Origin::Adopted => "adopted",
        };
        let since = since.as_ref().map(|at| format!(", followed since {at}")).unwrap_or_default();
        let name = Quoted(name);
        writeln!(
            text,
            "  in Sentry: {} (Sentry team {sentry}) {name}, {origin}{since}",
            Safe(slug.as_str())
        )?;
        match self.look.as_ref().map(|look| &look.sentry) {
            Some(None) => writeln!(text, "    it no longer exists, or now has another slug"),
            Some(Some(now)) if now.slug != slug.as_str() => {
                writeln!(text, "    in Sentry it is now called {}", Safe(&now.slug))
            }
            _ => Ok(()),
        }
    }

    fn write_the_end(&self, text: &mut String) -> fmt::Result {
        let Some(GoneView { at, fate, undo, back }) = &self.gone else { return Ok(()) };
        let fate = match fate {
            Fate::Deleted => "its Sentry team was deleted or emptied",
            Fate::Left => "its Sentry team was left alone, or there was none",
            Fate::NotFound => "no Sentry team was found for it",
        };
        writeln!(text, "  deleted on GitHub (handled {at}): {fate}")?;
        match (back, undo) {
            (Some(back), _) => {
                writeln!(text, "    restored as Sentry team {back}, which follows no GitHub team")
            }
            (None, Some(sentry)) => writeln!(text, "    to restore it: sentry-team-sync undo {sentry}"),
            (None, None) => Ok(()),
        }
    }

    fn write_what_waits(&self, text: &mut String) -> fmt::Result {
        if let Some(why) = &self.left_out {
            writeln!(text, "  left out by SYNC_TEAMS: {}; nothing is written", Safe(why))?;
        }
        if let Some(under_way) = &self.under_way {
            writeln!(text, "  under way since {}: {}", under_way.since, Safe(&under_way.what))?;
        }
        if self.is_unfilled {
            writeln!(text, "  its members have not been looked at yet")?;
        }
        for wait in &self.waits {
            let sooner = if wait.attempt.next_try.is_some() { ", or as soon as it is free" } else { "" };
            writeln!(text, "  waiting: {wait}{}{sooner}", wait.attempt)?;
        }
        for hold in &self.holds {
            let more = hold.n_changes - hold.changes.len();
            let more = if more > 0 { format!(" and {more} of other teams") } else { String::new() };
            let changes = hold.changes.join(", ");
            writeln!(text, "  on hold {}: {}{more} [{}]", hold.name, Safe(&changes), Safe(&hold.rule))?;
            match hold.decision {
                Some(decision) => writeln!(text, "    {decision}")?,
                None => {
                    writeln!(text, "    to carry it out: sentry-team-sync approve {}", hold.name)?;
                    writeln!(text, "    to discard it: sentry-team-sync reject {}", hold.name)?;
                }
            }
        }
        for queued in &self.queued {
            writeln!(text, "  queued since {}: {queued}{}", queued.since, queued.attempt)?;
        }
        for delayed in &self.delayed {
            writeln!(text, "  postponed: {}{}", delayed.event, delayed.attempt)?;
        }
        for failed in &self.failed {
            writeln!(text, "  failed {}: {}: {}", failed.at, failed.event, Safe(&failed.why))?;
            writeln!(text, "    sentry-team-sync replay {}", Safe(&failed.delivery))?;
        }
        // If both sides were read, the list of people includes them.
        for wanted in self.wanted.iter().filter(|_| self.look.is_none()) {
            let (login, why) = (Safe(&wanted.login), Safe(&wanted.why));
            writeln!(text, "  wanted since {}: {login}: {why}", wanted.since)?;
        }
        Ok(())
    }

    fn write_end(&self, look: &Look, text: &mut String) -> fmt::Result {
        if let Some(name) = &look.waits_for_first {
            writeln!(
                text,
                "the first comparison needs your approval before any other is carried out: sentry-team-sync approve {name}"
            )?;
        }
        for rule in &look.stopped_by {
            writeln!(text, "a guard puts some of it on hold: {}", Safe(rule))?;
        }
        let n = |does| look.people.iter().filter(|person| person.does == does).count();
        let people = format!("{} to add, {} to remove", n("add"), n("remove"));
        match (&look.step, look.differs) {
            _ if self.gone.is_some() => {
                writeln!(text, "GitHub deleted it; nothing is left to do")
            }
            _ if self.left_out.is_some() => writeln!(text, "nothing to do: it is left out"),
            _ if !self.queued.is_empty() => {
                writeln!(text, "queued work for it comes first")
            }
            _ if self.mode == Some(Mode::Payload) && look.differs => writeln!(
                text,
                "differs from the deliveries, and payload mode compares nothing: redeliver the event on GitHub"
            ),
            _ if self.mode == Some(Mode::Payload) => writeln!(text, "in sync with the deliveries"),
            (None, false) => writeln!(text, "in sync"),
            (None, true) if n("add") + n("remove") == 0 && look.codeowners.is_some() => {
                writeln!(text, "to do: its name in CODEOWNERS, see above")
            }
            (None, true) => writeln!(text, "to do: {people}"),
            (Some(step), false) => writeln!(text, "nothing to do: {}", Safe(step)),
            (Some(step), true) => writeln!(text, "to do: {}; {people}", Safe(step)),
        }
    }
}

struct Face<'a>(&'a PersonView);

impl fmt::Display for Face<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PersonView { who, member, source, in_github, in_sentry, does, why, .. } = self.0;
        let sign = match *does {
            "add" => '+',
            "remove" => '-',
            "skipped" => '?',
            _ => ' ',
        };
        write!(f, "{sign} {}  ", Safe(who))?;
        match (in_github, in_sentry) {
            (true, true) => f.write_str("on both sides")?,
            (true, false) => f.write_str("on GitHub only")?,
            (false, true) => f.write_str("in Sentry only")?,
            (false, false) => f.write_str("on neither side")?,
        }
        if let Some(member) = member {
            write!(f, ", member {member}")?;
        }
        if let Some(source) = source {
            write!(f, " by {source}")?;
        }
        match *does {
            "add" => f.write_str(": to be added")?,
            "remove" => f.write_str(": to be removed")?,
            "skipped" => f.write_str(": skipped")?,
            _ if !why.is_empty() => f.write_str(": stays")?,
            _ => {}
        }
        if why.is_empty() {
            return Ok(());
        }
        write!(f, ", {}", Safe(why))
    }
}
