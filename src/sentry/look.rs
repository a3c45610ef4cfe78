//! What the doctor asks of Sentry: answers as they are, headers included. Reads only.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::Sentry;
use crate::identity::directory::is_proxy;
use crate::ids::{SentrySlug, SentryTeamId};
use crate::upstream::{Reply, Request, Trouble, TroubleKind};
use crate::verdict::{Asked, Verdict};

/// Whose a token is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// Its scopes; `None` where Sentry does not tell.
    pub scopes: Option<Vec<String>>,
    /// An integration's: its user has no address, or one that Sentry made for it.
    pub is_integration: bool,
}

/// A team with what an identity provider says of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TeamRow {
    /// The key, as text.
    id: String,
    /// Its slug.
    pub slug: SentrySlug,
    #[serde(default)]
    flags: Value,
}

impl TeamRow {
    /// The key.
    pub fn id(&self) -> Option<SentryTeamId> {
        self.id.parse().ok().map(SentryTeamId)
    }

    /// An identity provider manages it.
    pub fn is_locked(&self) -> bool {
        self.flags.get("idp:provisioned") == Some(&Value::Bool(true))
    }
}

#[derive(Deserialize)]
struct IndexRow {
    auth: Option<super::wire::AuthRow>,
    user: Option<UserRow>,
}

#[derive(Deserialize)]
struct UserRow {
    #[serde(default)]
    email: String,
}

#[derive(Deserialize)]
struct OrgRow {
    #[serde(rename = "openMembership", default)]
    open_membership: Option<bool>,
}

impl Sentry {
    /// The same, knowing nothing of what was refused before.
    pub fn afresh(&self) -> Self {
        Self { host: Arc::new(self.host.afresh()), api: self.api.clone(), org: self.org.clone() }
    }

    /// Asks whose the token is: the answer as it is, and what it says.
    pub fn holder(&self) -> (Reply, Option<Holder>) {
        let reply = self.host.ask(Asked::Sentry, &Request::get(format!("{}/", self.api)));
        let row = match reply.verdict {
            Verdict::Done => serde_json::from_slice::<IndexRow>(&reply.answer.body).ok(),
            _ => None,
        };
        let holder = row.map(|row| Holder {
            scopes: row.auth.map(|auth| auth.scopes),
            is_integration: row.user.is_some_and(|user| user.email.is_empty() || is_proxy(&user.email)),
        });
        (reply, holder)
    }

    /// Whether everybody may join every team by themselves; `None` where the token may not read that, or Sentry does not
    /// tell.
    pub fn open_membership(&self) -> Result<Option<bool>, Trouble> {
        match self.get::<OrgRow>(self.org_path("?detailed=0")) {
            Ok(row) => Ok(row.and_then(|row| row.open_membership)),
            Err(Trouble { kind: TroubleKind::Denied, .. }) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }

    /// All teams with what an identity provider says of them; `None` where the token may not list them.
    pub fn team_rows(&self) -> Result<Option<Vec<TeamRow>>, Trouble> {
        match self.pages(&self.org_path("teams/?detailed=0&per_page=100"), Some::<TeamRow>) {
            Err(Trouble { kind: TroubleKind::Denied, .. }) => Ok(None),
            rows => rows,
        }
    }

    /// Whether the organisation's members may be read: the answer as it is.
    pub fn look_at_members(&self) -> Reply {
        let path = self.org_path("members/?per_page=1");
        self.host.ask(Asked::Sentry, &Request::get(path))
    }
}
