//! The plan as text: a paragraph for each team, what isn't done and why, what is on hold, and a summary.

use std::fmt::{self, Write};

use super::{
    n_changes, Counts, Incomplete, LeftIn, LinkPlan, LinkWay, Plan, PlannedHold, Skipped, Step, TeamPlan,
};
use crate::queue::part::{Addition, Removal};
use crate::state::holds::HoldName;
use crate::state::ids::SentrySlug;
use crate::text::{counted, plain, Quoted};
use crate::work::step::LOCKED;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for team in &self.teams {
            write!(f, "{team}")?;
        }
        if !self.skipped.is_empty() {
            writeln!(f, "people who match no Sentry member, left as they are:")?;
        }
        for Skipped { login, why, teams, .. } in &self.skipped {
            let slugs: Vec<_> = teams.iter().map(SentrySlug::as_str).collect();
            writeln!(f, "  {}: {why} (in {})", plain(login.as_str(), 60), slugs.join(", "))?;
        }
        // The fix is the same for everybody, so it is printed once.
        if let Some(fix) = self.skipped.iter().find_map(|person| person.fix) {
            writeln!(f, "  fix for those whom Sentry knows by a second address: {fix}")?;
        }
        if !self.incomplete.is_empty() {
            writeln!(
                f,
                "incomplete on GitHub; nobody is removed and no team deleted because of these lists:"
            )?;
        }
        for Incomplete { what, gap, .. } in &self.incomplete {
            writeln!(f, "  {what}: {gap}")?;
        }
        if !self.left_in.is_empty() {
            writeln!(f, "not removed, because GitHub did not show enough:")?;
        }
        for LeftIn { slug, removal, because, .. } in &self.left_in {
            writeln!(f, "  {} in {slug}: {}; {because}", plain(&removal.who, 80), removal.why)?;
        }
        if let Some(why) = self.links.as_ref().and_then(|links| links.barred.as_ref()) {
            writeln!(f, "no more names in CODEOWNERS are linked: {why}")?;
        }
        writeln!(f, "{}{}", self.on_hold(), self.summary())?;
        if self.unfollowed > 0 {
            let teams = counted(self.unfollowed, "Sentry team follows", "Sentry teams follow");
            writeln!(f, "{teams} no GitHub team: left alone, `explain` lists them")?;
        }
        Ok(())
    }
}

impl Plan {
    /// The changes that need a person's decision, with the command for each.
    pub fn on_hold(&self) -> String {
        let mut text = String::new();
        if !self.holds.is_empty() {
            text.push_str("on hold until you decide:\n");
        }
        for PlannedHold { name, rule, changes, others } in &self.holds {
            let n = changes.len();
            let chosen = if *others == 0 { String::new() } else { format!("{n} of ") };
            let all = n_changes(n + others);
            let _ = writeln!(text, "  {name}: {chosen}{all}: {rule}\n    sentry-team-sync approve {name}");
        }
        text
    }

    pub fn summary(&self) -> String {
        let counts = self.counts();
        let Counts { create, adopt, back, rename, delete, empty, add, remove, held, .. } = counts;
        let mut parts = counted_parts(&[
            (create, "to create"),
            (adopt, "to adopt"),
            (back, "to bring back"),
            (rename, "to rename"),
            (delete, "to delete"),
            (empty, "to empty"),
            (counts.link, "to link"),
            (counts.relink, "to relink"),
            (counts.unlink, "to unlink"),
            (add, "to add"),
            (remove, "to remove"),
        ]);
        match parts.last_mut() {
            Some(last) if held == counts.all() => last.push_str(" (on hold)"),
            Some(last) if held > 0 => last.push_str(&format!(" ({held} of these on hold)")),
            _ => {}
        }
        parts.extend(self.not_done(&counts));
        if parts.is_empty() {
            format!("in sync: {}", self.unchanged(&counts, ""))
        } else {
            format!("{}; {}", parts.join(", "), self.unchanged(&counts, ""))
        }
    }

    /// A summary of everything except the changes that are carried out.
    pub fn remaining(&self) -> String {
        let counts = self.counts();
        let mut parts = counted_parts(&[(counts.held, "on hold")]);
        parts.extend(self.not_done(&counts));
        let unchanged = self.unchanged(&counts, "already ");
        if parts.is_empty() {
            unchanged
        } else {
            format!("{}; {unchanged}", parts.join(", "))
        }
    }

    fn not_done(&self, counts: &Counts) -> Vec<String> {
        counted_parts(&[
            (self.left_in.len(), "not removed"),
            (counts.stuck, "waiting for a slug"),
            (counts.conflicts, "linked elsewhere"),
            (self.skipped.len(), if self.skipped.len() == 1 { "person skipped" } else { "people skipped" }),
        ])
    }

    fn unchanged(&self, counts: &Counts, already: &str) -> String {
        let teams = counted(self.in_sync, "team", "teams");
        let mut text = format!("{teams} {already}in sync, {} left out", self.dormant);
        if !self.rejected.is_empty() {
            let _ = write!(text, ", {} as rejected", self.rejected.len());
        }
        if counts.unseen > 0 {
            let _ = write!(text, ", {} not shown by GitHub", counts.unseen);
        }
        if !self.incomplete.is_empty() {
            let lists = counted(self.incomplete.len(), "incomplete list", "incomplete lists");
            let _ = write!(text, ", {lists}");
        }
        text
    }
}

fn counted_parts(parts: &[(usize, &str)]) -> Vec<String> {
    parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect()
}

impl fmt::Display for LinkPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = plain(self.name.as_str(), 120);
        match &self.way {
            LinkWay::Link => write!(f, "link {name}"),
            LinkWay::Relink { from } => write!(f, "relink {name}  from {}", plain(from, 120)),
            LinkWay::Unlink => write!(f, "unlink {name}"),
            LinkWay::Conflict { sentry } => write!(
                f,
                "conflict {name}  linked to Sentry team {sentry} by hand: change or delete that mapping in Sentry"
            ),
        }
    }
}

impl fmt::Display for TeamPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slug = &self.slug;
        let name = Quoted(&self.name);
        let held = |held: &Option<HoldName>| held.as_ref().map(|name| format!("  [on hold: {name}]"));
        let mark = held(&self.held).unwrap_or_default();
        match &self.step {
            Step::Keep => writeln!(f, "keep     {slug}{mark}")?,
            Step::Create => writeln!(f, "create   {slug}  {name}{mark}")?,
            Step::Adopt { sentry } => writeln!(f, "adopt    {slug}  Sentry team {sentry}{mark}")?,
            Step::Return { sentry, made } => {
                let does = if *made { "is made" } else { "follows it" };
                writeln!(f, "return   {slug}  GitHub shows it again: Sentry team {sentry} {does} again{mark}")?;
            }
            Step::Rename { from } => writeln!(f, "rename   {from} -> {slug}  {name}{mark}")?,
            Step::Delete { sentry, .. } => writeln!(f, "delete   {slug}  Sentry team {sentry}{mark}")?,
            Step::Empty { sentry, .. } => writeln!(f, "empty    {slug}  Sentry team {sentry}{mark}")?,
            Step::Leave { sentry, why } => writeln!(f, "leave    {slug}  Sentry team {sentry}: {why}{mark}")?,
            Step::Conflict { sentry, bound: false } => {
                writeln!(f, "conflict {slug}  Sentry team {sentry} was there before{mark}")?;
            }
            Step::Conflict { sentry, bound: true } => {
                writeln!(
                    f,
                    "conflict {slug}  Sentry team {sentry} has the slug: rename or delete it in Sentry"
                )?;
            }
            Step::Locked { sentry } => writeln!(
                f,
                "locked   {slug}  Sentry team {sentry} is {LOCKED}: change it there, or leave the team out with SYNC_TEAMS"
            )?,
            Step::Wait { owner } => writeln!(f, "wait     {slug}  GitHub team {owner} still has the slug")?,
            Step::NotVisible => writeln!(f, "unseen   {slug}  GitHub does not show the team to this token")?,
        }
        let mut lines = String::new();
        if let Some(link) = &self.link {
            let _ = writeln!(lines, "         {link}{}", held(&link.held).unwrap_or_default());
        }
        for Addition { login, source, .. } in &self.add {
            let _ = writeln!(lines, "         + {}  by {}", plain(login.as_str(), 60), source.name());
        }
        for Removal { who, why, held: name, .. } in &self.remove {
            let _ = writeln!(lines, "         - {}  {why}{}", plain(who, 80), held(name).unwrap_or_default());
        }
        f.write_str(&lines)
    }
}
