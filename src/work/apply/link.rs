//! Writes CODEOWNERS links, in the same order as every other write: permit, intent, call, record, audit line. Repeating
//! a call is harmless, so an open intent only means that the name is the service's.

use serde_json::{json, Value};

use super::Apply;
use crate::hosts::http::Trouble;
use crate::hosts::sentry::external::{ExternalTeam, Integration};
use crate::hosts::sentry::links::OwnerLinked;
use crate::hosts::sentry::Written;
use crate::queue::job::Outcome;
use crate::state::holds::HeldChange;
use crate::state::ids::{ExternalTeamId, OwnerName, SentryTeamId};
use crate::state::record::Record;
use crate::state::values::Binding;
use crate::state::State;
use crate::store::audit::deletions::WasLinked;
use crate::store::audit::Entry;
use crate::work::link_step::is_ours;

/// Why a link was not written.
pub enum Refused {
    /// Nothing may be written now.
    Outcome(Outcome),
    Trouble(Trouble),
}

/// A row as the audit log keeps it.
pub(super) fn told(row: &ExternalTeam) -> Value {
    json!({ "name": row.name, "provider": row.provider, "integration": row.integration })
}

impl Apply<'_> {
    /// Records that a name is about to be the service's, before [`Self::link`] or [`Self::relink`] writes it.
    /// Otherwise, after a crash, a row with this name would be taken for somebody else's, and kept forever.
    pub fn mean(&self, name: &OwnerName) -> Result<(), Refused> {
        let (team, row, name) = (self.team, ExternalTeamId::NONE, name.clone());
        if self.mirror.state(|state| state.teams.links.is_meant(team, &name)) {
            return Ok(());
        }
        self.mirror.keep(Record::Linked { team, row, name }).map_err(Refused::Outcome)
    }

    /// Links a name to the bound team.
    pub fn link(
        &self,
        binding: &Binding,
        name: &OwnerName,
        with: &Integration,
    ) -> Result<OwnerLinked, Refused> {
        let permit = self.mirror.may_write().map_err(Refused::Outcome)?;
        let entry = self.about_link("link owner", binding, name).because(format!("`{name}`"));
        self.tell_link(entry, self.mirror.sentry.link_owner(&permit, binding.at(), name, with))
    }

    /// Gives a row this name, and moves it to the bound team.
    pub fn relink(
        &self,
        binding: &Binding,
        row: &ExternalTeam,
        name: &OwnerName,
        why: String,
    ) -> Result<OwnerLinked, Refused> {
        let permit = self.mirror.may_write().map_err(Refused::Outcome)?;
        let entry = self.about_link("relink owner", binding, name).because(format!("`{name}`, {why}"));
        self.tell_link(entry, self.mirror.sentry.relink_owner(&permit, binding.at(), row, name))
    }

    /// Removes the service's rows from a team that stays without its GitHub team. A row that Sentry won't delete stays.
    pub fn unlink(&self, binding: &Binding, rows: &[ExternalTeam]) -> Result<(), Outcome> {
        let ours = |row: &&ExternalTeam| self.mirror.state(|state| is_ours(state, row));
        for row in rows.iter().filter(ours) {
            let permit = self.mirror.may_write()?;
            let entry = self.about("unlink owner", binding).because(format!("`{}`", row.name));
            let written = self.mirror.sentry.unlink_owner(&permit, binding.at(), row.id);
            match self.tell_link(entry, written) {
                Err(Refused::Trouble(trouble)) if !trouble.is_for_good() => {
                    return Err(self.mirror.sentry_trouble(trouble))
                }
                _ => self.mirror.journal.note(Record::Unlinked { row: row.id }),
            }
        }
        Ok(())
    }

    /// Links a name to a team that was made again in the place of `before`. Returns why not, if the name means another
    /// team by now or Sentry refuses. A person may have made the name, so it does not become the service's.
    pub fn link_back(
        &self,
        binding: &Binding,
        was: &WasLinked,
        before: SentryTeamId,
    ) -> Result<Option<String>, Outcome> {
        let told = |trouble: Trouble| {
            if trouble.is_for_good() {
                Ok(Some(trouble.why))
            } else {
                Err(self.mirror.sentry_trouble(trouble))
            }
        };
        let WasLinked { name, provider, integration } = was;
        let Some(id) = *integration else { return Ok(Some("its integration is not known".into())) };
        // The deleted team's row may still have a name that another team has taken meanwhile.
        let taken =
            |state: &State| state.teams.links.iter().any(|(team, _, own)| team != self.team && own == name);
        if self.mirror.state(taken) {
            return Ok(Some("it means another Sentry team by now".into()));
        }
        let with = Integration { id, domain: "".into(), provider: provider.clone() };
        let linked = match self.link(binding, name, &with) {
            // Until Sentry has carried out the deletion, the row still belongs to the deleted team.
            Ok(OwnerLinked::Row(row)) if row.team == before => {
                self.relink(binding, &row, name, "from it".into())
            }
            linked => linked,
        };
        match linked {
            Ok(OwnerLinked::Row(row)) if row.team == binding.sentry => Ok(None),
            Ok(OwnerLinked::Row(row)) => Ok(Some(format!("it means Sentry team {} by now", row.team))),
            Ok(OwnerLinked::Taken | OwnerLinked::Missing) => {
                Ok(Some("it means another Sentry team by now".into()))
            }
            Err(Refused::Outcome(outcome)) => Err(outcome),
            Err(Refused::Trouble(trouble)) => told(trouble),
        }
    }

    fn about_link(&self, decision: &'static str, binding: &Binding, name: &OwnerName) -> Entry {
        let (slug, name) = (binding.slug.clone(), name.clone());
        let hold = self.decided(&HeldChange::Link { team: self.team, name, slug });
        Entry { hold, ..self.about(decision, binding) }
    }

    fn tell_link<T>(&self, entry: Entry, written: Result<Written<T>, Trouble>) -> Result<T, Refused> {
        match written {
            Ok(Written { outcome, exchange }) => {
                self.mirror.audit.write(entry.exchange(&exchange));
                Ok(outcome)
            }
            Err(trouble) => {
                self.tell(entry, &trouble);
                Err(Refused::Trouble(trouble))
            }
        }
    }
}
