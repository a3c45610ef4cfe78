//! Invites people who are in GitHub teams and unknown to Sentry. Only if `SYNC_INVITE` names a role.
//!
//! A single thread sends all invites, so that the daily count is exact. It must never use an address that anybody could
//! have written (sources `sentry` and `public`), nor invite anyone who was invited before or who used to be in Sentry.

use std::time::{Duration, Instant};

use crate::clock::Timestamp;
use crate::hosts::http::{Trouble, TroubleKind};
use crate::hosts::sentry::permit::Permit;
use crate::hosts::sentry::Invited;
use crate::identity::{self, matcher, Evidence};
use crate::queue::job::Outcome;
use crate::reconcile::reconciler::{InviteTrouble, Reconciler};
use crate::state::address::Address;
use crate::state::event::Person;
use crate::state::ids::GithubUserId;
use crate::state::record::Record;
use crate::state::values::Source;
use crate::state::State;
use crate::store::audit::Entry;

/// How long no invite is tried after one that failed, or after the daily limit was reached.
const AFTER_A_REFUSAL: Duration = Duration::from_secs(3600);
/// The period that `SYNC_MAX_INVITES` limits.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// The fix that is shown for a problem that may be temporary.
const LATER: &str = "it is tried again in an hour; the log says more";

/// Decides when invites are tried again.
#[derive(Debug, Default)]
pub struct Turn {
    not_before: Option<Instant>,
    /// The people waiting at the last look. Nobody is checked again until this list changes or `anew` is set.
    looked_at: Vec<GithubUserId>,
}

impl Turn {
    /// Invites everybody who is waiting and may be. `anew`: sources may give other answers than at the last look.
    pub fn take(&mut self, reconciler: &Reconciler, anew: bool) {
        let mirror = &reconciler.mirror;
        let settings = mirror.settings();
        let Some(role) = settings.invite.as_deref() else { return };
        if mirror.paused_for().is_some()
            || mirror.waits_to_begin()
            || self.not_before.is_some_and(|at| mirror.clock.now() < at)
        {
            return;
        }
        let people = mirror.state(candidates);
        let ids: Vec<_> = people.iter().map(|person| person.id).collect();
        if !anew && ids == self.looked_at {
            return;
        }
        for person in people {
            // A pause has begun: the others are invited after it.
            let Ok(permit) = mirror.may_write() else { return };
            if mirror.queue.lanes.is_stopping() {
                return;
            }
            match reconciler.invite(&permit, &person, role) {
                Ok(false) => {}
                Ok(true) => reconciler.learn_invite_trouble(None),
                Err(why) => {
                    reconciler.learn_invite_trouble(Some(why));
                    self.not_before = mirror.clock.now().checked_add(AFTER_A_REFUSAL);
                    return;
                }
            }
        }
        self.looked_at = ids;
    }
}

/// People with a known address who were never matched with a Sentry member, nor invited.
fn candidates(state: &State) -> Vec<Person> {
    let wanted = state.people.wanted().filter(|(user, wanted)| {
        wanted.why.starts_with(identity::NO_MEMBER_HAS) && !state.people.has_a_past(*user)
    });
    wanted.map(|(id, wanted)| Person { id, login: wanted.login.clone(), bot: false }).collect()
}

impl InviteTrouble {
    fn new(what: String, fix: &str) -> Self {
        Self { what, fix: fix.into() }
    }
}

impl Reconciler {
    /// Invites one person, if a trusted source names an address that nobody in Sentry has. Returns whether it did. An
    /// error ends the round, because other invites would fail too.
    fn invite(&self, permit: &Permit, person: &Person, role: &str) -> Result<bool, InviteTrouble> {
        let (source, address) = match self.address_to_invite(person) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(false),
            Err(Outcome::Later(why, _) | Outcome::Failed(why)) => return Err(InviteTrouble::new(why, LATER)),
            Err(_) => return Ok(false),
        };
        let since = Timestamp(self.mirror.clock.wall().0.saturating_sub(DAY.as_millis() as u64));
        let today = self.mirror.state(|state| state.people.invited_since(since));
        if today >= self.mirror.settings().max_invites {
            return Err(InviteTrouble::new(
                format!("{today} people were invited within a day, SYNC_MAX_INVITES allows no more"),
                "the others follow a day later; or set a higher SYNC_MAX_INVITES",
            ));
        }
        let written =
            self.mirror.sentry.invite(permit, address.as_str(), role).map_err(|trouble| refused(&trouble))?;
        if written.outcome == Invited::NotInPlan {
            return Err(InviteTrouble::new(
                format!("Sentry's plan lets the organisation invite nobody ({})", written.exchange.answer),
                "change the plan or let people sign up by single sign-on, or set SYNC_INVITE=never; people who are wanted \
                 stay wanted, and are put into their teams once they are in Sentry",
            ));
        }
        let record = Record::Invited { user: person.id, at: self.mirror.clock.wall() };
        self.mirror.journal.keep(record).map_err(|why| InviteTrouble::new(why.0.to_string(), LATER))?;
        if let Invited::New(member) = &written.outcome {
            self.mirror.who.learn(member);
        }
        let who = crate::text::Quoted(person.login.as_str());
        log::info!(
            "invite: {who} ({}) to Sentry as {role}, at the address from {}",
            person.id,
            source.name()
        );
        let entry = Entry {
            event: "invite",
            decision: "invite person",
            person: Some(person.id),
            login: Some(person.login.clone()),
            call: Some(written.exchange.call),
            answer: Some(written.exchange.answer),
            ..Entry::default()
        };
        self.mirror.audit.write(entry.because(format!("address from {}", source.name())));
        self.try_wish(person);
        Ok(true)
    }

    /// Why nobody can be invited, if the last attempt failed.
    pub fn invite_trouble(&self) -> Option<InviteTrouble> {
        self.invite_trouble.lock().clone()
    }

    /// Logs a problem once, not at every attempt, for as long as it stays the same.
    fn learn_invite_trouble(&self, trouble: Option<InviteTrouble>) {
        let mut known = self.invite_trouble.lock();
        if let Some(InviteTrouble { what, fix }) = trouble.as_ref().filter(|_| *known != trouble) {
            log::warn!("invite: {what}: {fix}");
        }
        *known = trouble;
    }

    fn address_to_invite(&self, person: &Person) -> Result<Option<(Source, Address)>, Outcome> {
        let map = self.mirror.user_map()?;
        self.mirror.need_directory()?;
        let claims = self.mirror.claims(person)?;
        let evidence = Evidence::new(person, map.address(person), &claims);
        // True if Sentry has any row for one of these addresses: expired invite, deactivated user, unverified address.
        if self.mirror.matcher().ask_for_fresh_rows(&evidence).map_err(|why| self.mirror.untold(why))? {
            return Ok(None);
        }
        let settings = self.mirror.settings();
        let rules = matcher::rules(&settings);
        Ok(self.mirror.who.with_directory(|directory| identity::invitation(&evidence, &rules, directory)))
    }
}

fn refused(trouble: &Trouble) -> InviteTrouble {
    let never = "or set SYNC_INVITE=never";
    match (trouble.kind, trouble.sufficient_scopes.as_slice()) {
        (TroubleKind::Denied, []) => InviteTrouble::new(
            format!("SENTRY_TOKEN may not invite ({trouble})"),
            "use the user token of an owner or manager with member:admin (newer Sentry lets an integration invite too, with \
             SYNC_INVITE=member alone), or set SYNC_INVITE=never",
        ),
        (TroubleKind::Denied, scopes) => InviteTrouble::new(
            format!("SENTRY_TOKEN may not invite, it lacks {} ({trouble})", scopes.join(" or ")),
            &format!("set Member to Read & Write in the integration's permissions, {never}"),
        ),
        _ => InviteTrouble::new(trouble.to_string(), LATER),
    }
}
