//! What GitHub shows of teams, people and deliveries, and what can be asked about them: values, nothing here makes a call.

use crate::clock::Timestamp;
use crate::state::event::Person;
use crate::state::ids::{GithubSlug, GithubTeamId, InstallationId};

/// A team as GitHub shows it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamFacts {
    pub id: GithubTeamId,
    /// The key for GraphQL; empty where GraphQL does not know the team or is refused.
    pub node_id: String,
    pub name: String,
    /// Its slug; may be empty.
    pub slug: GithubSlug,
    /// When it was made; REST's list does not tell.
    pub created_at: Option<Timestamp>,
    pub parent: Option<GithubTeamId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Id and login as they belong together now.
    pub person: Person,
    /// The public address; mostly there is none.
    pub email: Option<String>,
}

/// What GitHub says of a person's addresses, by source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    pub saml: Vec<String>,
    /// On the organisation's verified domains.
    pub verified: Vec<String>,
    pub public: Option<String>,
}

/// A delivery as GitHub lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its place in GitHub's list; a redelivery has another.
    pub id: u64,
    /// `X-GitHub-Delivery`.
    pub guid: String,
    /// `X-GitHub-Event`.
    pub event: String,
    /// What was answered; 0 if nothing was.
    pub status: u16,
    pub at: Option<Timestamp>,
    /// Of an App's hook: to which of its installations it belongs.
    pub installation: Option<InstallationId>,
}

/// Which of the sources beyond the profile are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub saml: bool,
    pub verified: bool,
}

/// Who counts as being in a team, of those whom REST lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Direct,
    /// The people of its child teams too.
    WithChildren,
}
