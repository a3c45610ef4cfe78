//! Turns trouble with one of the hosts, or with the disk, into an outcome for the hint that met it.
//!
//! If Sentry denies a call, either the token is at fault, or only this team or person. To find out, the cheapest source
//! is asked first: the refusal itself, then the token's scopes, then the members, which every suitable token may read.

use std::time::Duration;

use super::mirror::Mirror;
use crate::hosts::github::permission::Permission;
use crate::hosts::http::{Trouble, TroubleKind};
use crate::hosts::sentry::scopes::{self, lacking, Known, Needed};
use crate::queue::job::Outcome;
use crate::state::record::Record;
use crate::state::values::Mode;
use crate::store::journal::NotKept;

/// How long to wait before the token tries again what it was denied.
const DENIED_PAUSE: Duration = Duration::from_secs(300);
/// How long to wait before a wrong token or address is tried again.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);

impl Mirror {
    /// Keeps a synced record. If that fails, the hint is put off.
    pub fn keep(&self, record: Record) -> Result<(), Outcome> {
        self.journal.keep(record).map_err(not_kept)
    }

    /// The outcome of trouble with GitHub for the hint that met it. A refusal in read mode may mean that the token has
    /// lost its permission. That pauses the host, and never changes the mode.
    pub fn github_trouble(&self, trouble: Trouble) -> Outcome {
        let read_mode = self.bearings().is_some_and(|(_, mode)| mode == Mode::Read);
        match trouble.kind {
            TroubleKind::Denied if read_mode => {
                // One refused call doesn't mean that the token is refused. The probe decides: every token that may read
                // members may make that call.
                let org = self.bearings().map(|(org, _)| org);
                if org.is_some_and(|org| matches!(self.github.probe(&org.login), Permission::Lacks(_))) {
                    return Outcome::Later(
                        format!("{} ({trouble})", self.lose_permission()),
                        Some(REFUSED_PAUSE),
                    );
                }
                Outcome::Later(trouble.to_string(), Some(DENIED_PAUSE))
            }
            TroubleKind::Denied => Outcome::Later(trouble.to_string(), Some(DENIED_PAUSE)),
            _ => later_or_never(trouble),
        }
    }

    /// The outcome of trouble with Sentry for the hint that met it.
    pub fn sentry_trouble(&self, trouble: Trouble) -> Outcome {
        if trouble.kind != TroubleKind::Denied {
            return later_or_never(trouble);
        }
        if let Some(lacked) = scopes::lacked(&trouble.sufficient_scopes) {
            return self.lacks(&[lacked], &trouble);
        }
        let is_told = match self.scopes.known(|| self.sentry.scopes(), &self.clock) {
            Known::Scopes(own) => match lacking(&own) {
                lacking if lacking.is_empty() => true,
                lacking => return self.lacks(&lacking, &trouble),
            },
            Known::Untold => false,
            Known::NotNow => return Outcome::Later(trouble.to_string(), Some(DENIED_PAUSE)),
        };
        // Every suitable token may read the members, so this shows whether the token or only this call is at fault.
        let org = &self.settings().sentry_org;
        match self.sentry.confirm_organisation() {
            Ok(()) if is_told => Outcome::Failed(trouble.to_string()),
            Ok(()) => Outcome::Failed(format!(
                "Sentry does not say whether SENTRY_TOKEN lacks a permission: set Team to Admin and Member to Read & Write, \
                 then `sentry-team-sync replay --failed` ({trouble})"
            )),
            Err(denied @ Trouble { kind: TroubleKind::Denied, .. }) => {
                if let Some(lacked) = scopes::lacked(&denied.sufficient_scopes) {
                    return self.lacks(&[lacked], &denied);
                }
                let or = if is_told { "" } else { "it lacks member:read, or " };
                self.refuse_token(format!(
                    "SENTRY_TOKEN may do nothing in `{org}` ({trouble}): {or}it belongs to another organisation; correct the \
                     token or SENTRY_ORG_SLUG"
                ))
            }
            Err(other) => later_or_never(other),
        }
    }

    fn lacks(&self, lacking: &[Needed], trouble: &Trouble) -> Outcome {
        let names: Vec<_> = lacking.iter().map(|needed| needed.scope).collect();
        self.refuse_token(format!(
            "SENTRY_TOKEN lacks {} ({trouble}): set Team to Admin and Member to Read & Write in the integration's permissions",
            names.join(" and ")
        ))
    }

    fn refuse_token(&self, why: String) -> Outcome {
        self.sentry.host().refuse(&why);
        Outcome::Later(why, Some(REFUSED_PAUSE))
    }
}

/// The outcome if a record could not be kept: nothing was done, and nothing may be done until it can be kept.
pub fn not_kept(NotKept(why): NotKept) -> Outcome {
    Outcome::Later(format!("cannot write the journal: {why}"), None)
}

fn later_or_never(trouble: Trouble) -> Outcome {
    match trouble.kind {
        TroubleKind::Later(wait) => Outcome::Later(trouble.to_string(), Some(wait)),
        TroubleKind::Refused => Outcome::Later(trouble.to_string(), Some(REFUSED_PAUSE)),
        TroubleKind::Unknown | TroubleKind::Denied => Outcome::Later(trouble.to_string(), None),
        TroubleKind::Never => Outcome::Failed(trouble.to_string()),
    }
}
