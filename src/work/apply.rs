//! The only place that writes to Sentry: permit, intent, call, verdict, record, audit line, in this order.
//!
//! A slug may be another team's by now, and an id still answers for a team whose deletion is pending. So the id and
//! slug in an answer are compared with the bound ones. A call that hit another team is undone where possible.

pub mod link;
pub mod restore;

use std::time::Duration;

use serde_json::{json, Value};

use crate::hosts::http::{Trouble, TroubleKind};
use crate::hosts::sentry::external::ExternalTeam;
use crate::hosts::sentry::ids::TeamAt;
use crate::hosts::sentry::permit::Permit;
use crate::hosts::sentry::{Added, Created, Deleted, Member, Removed, Renamed, Team, Written};
use crate::queue::job::{Hint, Outcome, Own};
use crate::state::holds::{HeldChange, HoldName};
use crate::state::ids::{GithubTeamId, MemberId, SentrySlug, SentryTeamId};
use crate::state::record::Record;
use crate::state::slug;
use crate::state::values::{Binding, Fate, Intent, Origin};
use crate::store::audit::Entry;
use crate::store::journal::Entry as Write;
use crate::work::guard;
use crate::work::mirror::Mirror;
use crate::work::trouble::not_kept;

/// When to look again for a team that was not under its slug.
const FOUND_AGAIN: Duration = Duration::from_millis(200);

/// One team's writes, on behalf of one event.
pub struct Apply<'a> {
    pub mirror: &'a Mirror,
    pub team: GithubTeamId,
    /// The delivery and event that led here.
    pub cause: Cause,
}

/// The state of a team before its deletion, as far as it can be restored.
pub struct Before<'a> {
    pub team: &'a Team,
    pub members: &'a [Member],
    pub links: &'a [ExternalTeam],
}

impl Before<'_> {
    /// For the audit log.
    fn told(&self) -> Value {
        let Self { team, members, links } = self;
        let member = |member: &Member| json!({ "member": member.id, "email": member.primary });
        let people: Vec<_> = members.iter().map(member).collect();
        let mut told =
            json!({ "name": team.name, "slug": team.slug, "members": people, "projects": team.projects });
        if !links.is_empty() {
            told["links"] = links.iter().map(link::told).collect();
        }
        told
    }
}

/// The reason for a write, for the audit log.
#[derive(Clone, Debug)]
pub struct Cause {
    pub delivery: Option<Box<str>>,
    /// `event.action`, or the service's own reason.
    pub event: &'static str,
}

impl Cause {
    pub fn of(hint: &Hint) -> Self {
        Self { delivery: hint.delivery().map(|delivery| delivery.guid.clone()), event: hint.event_name() }
    }

    /// A cause without a delivery.
    pub fn own(event: &'static str) -> Self {
        Self { delivery: None, event }
    }

    fn is_comparison(&self) -> bool {
        self.event == Own::Reconcile.name()
    }
}

/// The result of a rename.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    Done(Binding),
    /// Another team has the slug.
    Taken,
    /// The bound team was not where it should be.
    Lost,
}

impl Apply<'_> {
    /// An audit line about this team.
    pub fn entry(&self, decision: &'static str) -> Entry {
        Entry {
            delivery: self.cause.delivery.clone(),
            event: self.cause.event,
            decision,
            team: Some(self.team),
            ..Entry::default()
        }
    }

    fn about(&self, decision: &'static str, binding: &Binding) -> Entry {
        Entry { slug: Some(binding.slug.clone()), sentry_team: Some(binding.sentry), ..self.entry(decision) }
    }

    /// The hold that a person has decided about, if this was one of its changes.
    fn decided(&self, change: &HeldChange) -> Option<HoldName> {
        self.mirror.state(|state| state.holds.decided_by(change).map(|(name, _)| name.clone()))
    }

    fn decided_end(&self, binding: &Binding) -> Option<HoldName> {
        let (sentry, slug) = (binding.sentry, binding.slug.clone());
        self.decided(&HeldChange::Delete { team: self.team, sentry, slug })
    }

    /// Records what is about to be done under a slug, unless another team has the slug or is about to get it. Two teams
    /// may want it at the same moment, so check and record are one step. Returns whether it may be done.
    fn intend(&self, slug: &SentrySlug, intent: Intent) -> Result<bool, Outcome> {
        let record = Record::Intends { team: self.team, intent, at: self.mirror.clock.wall() };
        let free = self.mirror.journal.decide(|state| match state.teams.owner(slug) {
            Some(owner) if owner != self.team => Write::Nothing(false),
            _ => Write::Keep(vec![record], true),
        });
        free.map_err(not_kept)
    }

    /// Records that the intended change did not take place. Synced: after a crash, an open intent would make the
    /// service take other people's later changes for its own.
    pub fn drop_intent(&self) -> Result<(), Outcome> {
        self.mirror.keep(Record::Dropped { team: self.team })
    }

    /// If a write was not carried out, its intent is dropped. If the outcome is unknown, here or of an `earlier`
    /// attempt that it repeats, the intent stays open, and a look at both slugs resolves it. `entry`: its audit line.
    fn trouble(&self, entry: Entry, trouble: Trouble, earlier: bool) -> Outcome {
        if trouble.kind != TroubleKind::Unknown && !earlier {
            if let Err(outcome) = self.drop_intent() {
                return outcome;
            }
        }
        self.tell(entry, &trouble);
        self.mirror.sentry_trouble(trouble)
    }

    /// Audits a failed call, but not one that only has to be made later: an outage would fill the disk with these.
    fn tell(&self, entry: Entry, trouble: &Trouble) {
        if !matches!(trouble.kind, TroubleKind::Later(_)) {
            self.mirror.audit.write(entry.exchange(&trouble.exchange));
        }
    }

    /// Binds this GitHub team to a Sentry team, unless that follows another one by now. Closes the intent. `new`: its
    /// people still have to be looked at, which is recorded in the same step so that a crash cannot lose it.
    fn bind(&self, team: &Team, origin: Origin, new: bool) -> Result<Binding, Outcome> {
        let binding = team.bound(origin);
        let mut records = vec![Record::Bound { team: self.team, binding: binding.clone() }];
        if new {
            records.push(Record::Fill { team: self.team, open: true });
        }
        let free = self.mirror.journal.decide(|state| match state.teams.of_sentry(team.id) {
            Some(owner) if owner != self.team => Write::Nothing(false),
            _ => Write::Keep(records, true),
        });
        if free.map_err(not_kept)? {
            Ok(binding)
        } else {
            Err(Outcome::Later("another GitHub team has just taken over the Sentry team".into(), None))
        }
    }

    /// Binds to a team that an earlier attempt of ours made.
    pub fn made(&self, team: &Team, why: &str) -> Result<Binding, Outcome> {
        let binding = self.bind(team, Origin::Created, true)?;
        self.mirror.audit.write(self.about("create team", &binding).because(why));
        log::info!("team {}: Sentry team `{}` ({}): {why}", self.team, binding.slug, binding.sentry);
        Ok(binding)
    }

    /// Adopts a Sentry team as this GitHub team's own.
    pub fn adopt(&self, team: &Team, why: &str) -> Result<Binding, Outcome> {
        if team.locked {
            return Err(locked(&team.slug));
        }
        // Looked up first, because binding ends the hold.
        let change = HeldChange::Adopt { team: self.team, sentry: team.id, slug: team.slug.clone() };
        let hold = self.decided(&change);
        let binding = self.bind(team, Origin::Adopted, true)?;
        self.mirror.audit.write(Entry { hold, ..self.about("adopt team", &binding) }.because(why));
        log::info!("team {}: adopted Sentry team `{}` ({}): {why}", self.team, binding.slug, binding.sentry);
        Ok(binding)
    }

    /// Records that GitHub shows the team again, so its end no longer counts. If a Sentry team is given, the team
    /// follows it: this closes the intent, and its people still have to be looked at. `apart`: its slug has changed.
    pub fn come_back(&self, found: Option<(&Team, Origin)>, apart: bool) -> Result<(), Outcome> {
        const WHY: &str = "GitHub shows the team again";
        let shown = Record::Shown { teams: vec![self.team] };
        let mut records =
            vec![Record::Returned { team: self.team, at: self.mirror.clock.wall(), apart }, shown];
        let binding = found.map(|(team, origin)| team.bound(origin));
        if let Some(binding) = binding.clone() {
            records.push(Record::Bound { team: self.team, binding });
            records.push(Record::Fill { team: self.team, open: true });
        }
        let free = self.mirror.journal.decide(|state| {
            let owner = binding.as_ref().and_then(|binding| state.teams.of_sentry(binding.sentry));
            match owner {
                Some(owner) if owner != self.team => Write::Nothing(false),
                _ => Write::Keep(records, true),
            }
        });
        if !free.map_err(not_kept)? {
            let why = "another GitHub team has just taken over the Sentry team";
            return Err(Outcome::Later(why.into(), None));
        }
        let entry = match &binding {
            Some(binding) => self.about("follow team", binding),
            None => self.entry("forget end"),
        };
        self.mirror.audit.write(entry.because(WHY));
        log::info!("team {}: {WHY}: its end counts no more", self.team);
        Ok(())
    }

    /// Binds to a team that its id proves to be the one: others renamed it, or an earlier attempt wrote to it.
    pub fn follow(&self, team: &Team, origin: Origin, why: &str) -> Result<Binding, Outcome> {
        let binding = self.bind(team, origin, false)?;
        self.mirror.audit.write(self.about("follow team", &binding).because(why));
        log::info!("team {}: its Sentry team is `{}` ({}): {why}", self.team, binding.slug, binding.sentry);
        Ok(binding)
    }

    /// Makes a team; `None` if somebody else has the slug. With `earlier`, an attempt whose outcome is unknown is
    /// already recorded: a team that has the slug is then the one that it made.
    pub fn create(&self, at: &SentrySlug, name: &str, earlier: bool) -> Result<Option<Binding>, Outcome> {
        let permit = self.mirror.may_write()?;
        if !earlier {
            let intent = Intent::Creating { slug: at.clone(), name: name.into() };
            if !self.intend(at, intent)? {
                return Ok(None);
            }
        }
        let name = slug::display_name(name, at);
        let entry = Entry { slug: Some(at.clone()), ..self.entry("create team") };
        let written = self.mirror.sentry.create_team(&permit, at, &name);
        let Written { outcome, exchange } =
            written.map_err(|trouble| self.trouble(entry.clone(), trouble, earlier))?;
        let sentry_team = if let Created::New(team) = &outcome { Some(team.id) } else { None };
        self.mirror.audit.write(Entry { sentry_team, ..entry }.exchange(&exchange));
        match outcome {
            Created::New(team) => {
                log::info!("team {}: created Sentry team `{}` ({})", self.team, team.slug, team.id);
                self.mirror.queue.hear_making(self.team, self.cause.is_comparison());
                self.bind(&team, Origin::Created, true).map(Some)
            }
            Created::Taken => {
                let made = if earlier { self.look(at)? } else { None };
                match made.filter(|team| self.is_free(team.id) && !team.locked) {
                    Some(team) => self.bind(&team, Origin::Created, true).map(Some),
                    None => self.drop_intent().map(|()| None),
                }
            }
        }
    }

    /// The Sentry team that `at` was, under whatever slug it has now.
    pub fn find(&self, at: TeamAt) -> Result<Option<Team>, Outcome> {
        self.mirror.sentry.find(at).map_err(|trouble| self.mirror.sentry_trouble(trouble))
    }

    /// The same, but looks first where it was.
    pub fn look_for(&self, at: TeamAt) -> Result<Option<Team>, Outcome> {
        self.mirror.sentry.look_for(at).map_err(|trouble| self.mirror.sentry_trouble(trouble))
    }

    /// The same, but looks only where it was, or where its id leads.
    pub fn look_at(&self, at: TeamAt) -> Result<Option<Team>, Outcome> {
        self.mirror.sentry.bound(at).map_err(|trouble| self.mirror.sentry_trouble(trouble))
    }

    /// The binding of the team where it was; `None` if it has to be found again. If its id shows that it was renamed in
    /// Sentry, the binding follows it.
    pub fn look_bound(&self, binding: &Binding) -> Result<Option<Binding>, Outcome> {
        self.look_at(binding.at())?.map(|team| self.follow_to(binding, &team)).transpose()
    }

    /// The binding of a team that was just seen. If the team was renamed in Sentry, the binding follows it.
    pub fn follow_to(&self, binding: &Binding, team: &Team) -> Result<Binding, Outcome> {
        if team.slug == binding.slug {
            return Ok(binding.clone());
        }
        let followed = self.follow(team, binding.origin, "it was renamed in Sentry")?;
        self.mirror.queue.moved(self.team);
        Ok(followed)
    }

    pub fn look(&self, at: &SentrySlug) -> Result<Option<Team>, Outcome> {
        self.mirror.sentry.team(at).map_err(|trouble| self.mirror.sentry_trouble(trouble))
    }

    fn is_free(&self, sentry: SentryTeamId) -> bool {
        self.mirror.state(|state| state.teams.of_sentry(sentry)).is_none_or(|owner| owner == self.team)
    }

    /// Gives the bound team another slug, and another name if one is given.
    pub fn rename(&self, binding: &Binding, to: &SentrySlug, name: Option<&str>) -> Result<Moved, Outcome> {
        let permit = self.mirror.may_write()?;
        let name = slug::display_name(name.unwrap_or(&binding.name), to);
        // A rename that hits another team can be undone, except for that team's old name. One that hits a team whose
        // deletion is pending takes the slug with it. So look first.
        let Some(team) = self.look_at(binding.at())? else { return Ok(Moved::Lost) };
        let binding = &self.follow_to(binding, &team)?;
        let from = binding.slug.clone();
        if team.locked {
            // Older servers would allow it.
            return Err(locked(&from));
        }
        let intent = Intent::Renaming { from: from.clone(), to: to.clone(), name: name.as_str().into() };
        if !self.intend(to, intent)? {
            return Ok(Moved::Taken);
        }
        let entry = Entry { to: Some(to.clone()), ..self.about("rename team", binding) };
        let entry = entry.because(format!("to `{to}`"));
        let written = self.mirror.sentry.rename_team(&permit, binding.at(), to, Some(&name));
        let Written { outcome, exchange } =
            written.map_err(|trouble| self.trouble(entry.clone(), trouble, false))?;
        self.mirror.audit.write(entry.exchange(&exchange));
        match outcome {
            Renamed::Done(team) if team.id == binding.sentry => {
                log::info!("team {}: renamed Sentry team `{from}` to `{}`", self.team, team.slug);
                let binding = self.bind(&team, binding.origin, false)?;
                self.mirror.queue.moved(self.team);
                Ok(Moved::Done(binding))
            }
            Renamed::Done(other) => {
                self.take_back_rename(&permit, &other, &from)?;
                Ok(Moved::Lost)
            }
            Renamed::Taken => self.drop_intent().map(|()| Moved::Taken),
            Renamed::Missing => self.drop_intent().map(|()| Moved::Lost),
            Renamed::Locked => self.drop_intent().and_then(|()| Err(locked(&from))),
        }
    }

    /// Somebody gave our slug to another team between our last look and the call. That team gets it back.
    fn take_back_rename(&self, permit: &Permit, other: &Team, from: &SentrySlug) -> Result<(), Outcome> {
        log::error!("team {}: `{from}` was Sentry team {}, not ours; renaming it back", self.team, other.id);
        let entry =
            Entry { slug: Some(from.clone()), sentry_team: Some(other.id), ..self.entry("take back rename") };
        let entry = entry.because("the slug belonged to another Sentry team");
        let written = self.mirror.sentry.rename_team(permit, other.at(), from, None);
        let Written { exchange, .. } =
            written.map_err(|trouble| self.trouble(entry.clone(), trouble, false))?;
        self.mirror.audit.write(entry.exchange(&exchange));
        self.drop_intent()
    }

    /// Records the end of the GitHub team. Its Sentry team, if it has one, is left alone from now on.
    pub fn end(&self, decision: &'static str, why: &str, fate: Fate) -> Result<(), Outcome> {
        let binding = self.mirror.state(|state| state.teams.binding(self.team).cloned());
        let hold = binding.as_ref().and_then(|binding| self.decided_end(binding));
        // Noted first: once the end is recorded, others may ask how long ago it was.
        self.mirror.queue.hear_end(self.team);
        self.mirror.keep(Record::Gone {
            team: self.team,
            fate,
            apart: false,
            was: None,
            at: self.mirror.clock.wall(),
        })?;
        let entry = match &binding {
            Some(binding) => self.about(decision, binding),
            None => self.entry(decision),
        };
        self.mirror.audit.write(Entry { hold, ..entry }.because(why));
        self.mirror.team_moved(self.mirror.tree.forget(self.team));
        self.mirror.queue.moved(self.team);
        Ok(())
    }

    /// Deletes the bound team, if the guard allows it or a person approved it. Otherwise returns the guard's rule.
    pub fn delete(
        &self,
        binding: &Binding,
        before: &Before,
        approved: bool,
    ) -> Result<Option<String>, Outcome> {
        let team = before.team;
        if team.locked {
            return Err(locked(&binding.slug));
        }
        let permit = self.mirror.may_write()?;
        let (now, mirror) = (self.mirror.clock.wall(), self.mirror);
        let intent = Intent::Deleting { sentry: binding.sentry, slug: binding.slug.clone() };
        let record = Record::Intends { team: self.team, intent, at: now };
        // Several deletions may be judged at the same moment, so count and intent are one step.
        let judged =
            mirror.journal.decide(|state| match guard::deletion(&mirror.settings(), state, self.team, now) {
                Err(rule) if !approved => Write::Nothing(Err(rule)),
                _ => Write::Keep(vec![record], Ok(())),
            });
        if let Err(rule) = judged.map_err(not_kept)? {
            return Ok(Some(rule));
        }
        let hold = self.decided_end(binding);
        let entry = Entry {
            before: Some(before.told()),
            hold: hold.clone(),
            ..self.about("will delete team", binding)
        };
        if let Err(error) = mirror.audit.write_synced(entry) {
            self.drop_intent()?;
            return Err(Outcome::Later(
                format!("cannot write the audit log, so nothing is deleted: {error}"),
                None,
            ));
        }
        let entry = Entry { hold, ..self.about("delete team", binding) };
        let written = mirror
            .sentry
            .delete_team(&permit, binding.at())
            .map_err(|trouble| self.trouble(entry.clone(), trouble, false))?;
        mirror.audit.write(entry.exchange(&written.exchange));
        match written.outcome {
            // It is not under this slug, but not gone either: somebody has just renamed it in Sentry.
            Deleted::Missing if self.find(binding.at())?.is_some() => {
                self.drop_intent()?;
                Err(Outcome::Later(
                    "looking for the Sentry team under another slug".into(),
                    Some(FOUND_AGAIN),
                ))
            }
            Deleted::Done | Deleted::Missing => {
                log::info!("team {}: deleted Sentry team `{}` ({})", self.team, binding.slug, binding.sentry);
                self.end("end team", "the GitHub team is deleted", Fate::Deleted)?;
                Ok(None)
            }
            Deleted::Locked => self.drop_intent().and_then(|()| Err(locked(&binding.slug))),
        }
    }

    pub fn add(&self, binding: &Binding, member: MemberId, entry: Entry) -> Result<Added, Outcome> {
        self.mirror.journal.keep_people().map_err(not_kept)?;
        let permit = self.mirror.may_write()?;
        let sentry = &self.mirror.sentry;
        let written = sentry.add_member(&permit, member, binding.at());
        let Written { outcome, exchange } = self.member_call(written, &entry)?;
        self.mirror.audit.write(entry.exchange(&exchange));
        match &outcome {
            Added::New(hit) if !self.is_bound(binding, hit)? => {
                let written = sentry.remove_member(&permit, member, binding.at());
                self.take_back(binding, written, member, hit)?;
                Ok(Added::Missing)
            }
            // This answer doesn't say which team it was.
            Added::Already if !self.is_alive(binding)? => Ok(Added::Missing),
            _ => Ok(outcome),
        }
    }

    /// Whether a write hit the bound team, and the team is alive. If it was renamed in Sentry, the binding follows it.
    fn is_bound(&self, binding: &Binding, hit: &Team) -> Result<bool, Outcome> {
        let now = self.mirror.sentry.confirm(binding.at(), hit);
        let Some(now) = now.map_err(|trouble| self.mirror.sentry_trouble(trouble))? else { return Ok(false) };
        if self.mirror.state(|state| state.teams.binding(self.team) == Some(binding)) {
            self.follow_to(binding, &now)?;
        }
        Ok(true)
    }

    fn is_alive(&self, binding: &Binding) -> Result<bool, Outcome> {
        let is_alive = self.mirror.sentry.is_alive(binding.at());
        is_alive.map_err(|trouble| self.mirror.sentry_trouble(trouble))
    }

    pub fn remove(&self, binding: &Binding, member: MemberId, entry: Entry) -> Result<Removed, Outcome> {
        let (team, slug) = (self.team, binding.slug.clone());
        let hold = self.decided(&match entry.person {
            Some(user) => HeldChange::Remove { team, user, slug },
            None => HeldChange::RemoveMember { team, member, slug },
        });
        let entry = Entry { hold, ..entry };
        let permit = self.mirror.may_write()?;
        let written = self.mirror.sentry.remove_member(&permit, member, binding.at());
        let Written { outcome, exchange } = self.member_call(written, &entry)?;
        self.mirror.audit.write(entry.exchange(&exchange));
        match &outcome {
            Removed::Done(Some(hit)) if !self.is_bound(binding, hit)? => {
                if hit.id != binding.sentry {
                    // Sentry doesn't say whether they were in that team, so a person has to look.
                    log::error!(
                        "team {}: `{}` was Sentry team {}, not ours; member {member} may have been taken out of it",
                        self.team,
                        binding.slug,
                        hit.id
                    );
                }
                Ok(Removed::Missing)
            }
            _ => Ok(outcome),
        }
    }

    fn member_call<T>(
        &self,
        written: Result<Written<T>, Trouble>,
        entry: &Entry,
    ) -> Result<Written<T>, Outcome> {
        written.map_err(|trouble| {
            self.tell(entry.clone(), &trouble);
            self.mirror.sentry_trouble(trouble)
        })
    }

    fn take_back(
        &self,
        binding: &Binding,
        written: Result<Written<Removed>, Trouble>,
        member: MemberId,
        hit: &Team,
    ) -> Result<(), Outcome> {
        let why = if hit.id == binding.sentry {
            "Sentry is deleting the team"
        } else {
            "the slug belonged to another Sentry team"
        };
        log::error!(
            "team {}: `{}`, Sentry team {}: {why}; taking member {member} back",
            self.team,
            binding.slug,
            hit.id
        );
        let entry = Entry {
            slug: Some(binding.slug.clone()),
            sentry_team: Some(hit.id),
            member: Some(member),
            ..self.entry("take back member")
        };
        let Written { exchange, .. } = self.member_call(written, &entry)?;
        self.mirror.audit.write(entry.because(why).exchange(&exchange));
        Ok(())
    }
}

fn locked(slug: &SentrySlug) -> Outcome {
    Outcome::Failed(crate::work::step::locked(slug))
}
