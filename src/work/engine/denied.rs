//! Sentry denies something: is it the token, or this team and this person? What names it is asked in the order of what it
//! costs: the refusal itself, the token's scopes, the members that every fitting token may read.

use super::{later_or_never, Engine, DENIED_PAUSE, REFUSED_PAUSE};
use crate::hosts::http::{Trouble, TroubleKind};
use crate::hosts::sentry::scopes::{self, lacking, Known, Needed};
use crate::queue::job::Outcome;

impl Engine {
    /// What a trouble with Sentry means for the hint that met it.
    pub fn sentry_trouble(&self, trouble: Trouble) -> Outcome {
        if trouble.kind != TroubleKind::Denied {
            return later_or_never(trouble);
        }
        if let Some(lacked) = scopes::lacked(&trouble.sufficient_scopes) {
            return self.lacks(&[lacked], &trouble);
        }
        let is_told = match self.scopes() {
            Known::Scopes(own) => match lacking(&own) {
                lacking if lacking.is_empty() => true,
                lacking => return self.lacks(&lacking, &trouble),
            },
            Known::Untold => false,
            Known::NotNow => return Outcome::Later(trouble.to_string(), Some(DENIED_PAUSE)),
        };
        // The members, which every fitting token may read, tell a token that may do nothing from one team or person.
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

    /// The scopes belong to another token.
    pub fn forget_scopes(&self) {
        // What is being asked is asked with the token of before.
        let _turn = self.asking_for_scopes.take();
        *self.scopes.lock() = scopes::Told::default();
    }

    fn scopes(&self) -> Known {
        let _turn = self.asking_for_scopes.take();
        let is_due = self.scopes.lock().is_due(self.clock.now());
        if is_due {
            let answer = self.sentry.scopes();
            self.scopes.lock().learn(answer, self.clock.now());
        }
        self.scopes.lock().known(self.clock.now())
    }
}
