//! What GitHub shows of teams, people and deliveries, and options for reading them: values that make no call.

use crate::clock::Timestamp;
use crate::state::event::Person;
use crate::state::ids::{GithubSlug, GithubTeamId, InstallationId};

/// A team as GitHub shows it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamFacts {
    pub id: GithubTeamId,
    /// The key for GraphQL; empty if GraphQL does not know the team, or is refused.
    pub node_id: String,
    pub name: String,
    /// May be empty.
    pub slug: GithubSlug,
    /// When it was created; REST's list of teams does not say.
    pub created_at: Option<Timestamp>,
    pub parent: Option<GithubTeamId>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The id, and the login that the account has now.
    pub person: Person,
    /// The public address; most accounts have none.
    pub email: Option<String>,
}

/// A person's addresses as GitHub gives them, by source.
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
    /// The entry's id in GitHub's list; a redelivery has another one.
    pub id: u64,
    /// `X-GitHub-Delivery`.
    pub guid: String,
    /// `X-GitHub-Event`.
    pub event: String,
    /// The status of our answer; 0 if GitHub got none.
    pub status: u16,
    pub at: Option<Timestamp>,
    /// In an App's list: the installation that the delivery belongs to.
    pub installation: Option<InstallationId>,
}

/// Which of the sources beyond the profile are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub saml: bool,
    pub verified: bool,
}

/// Which of the people that REST lists for a team count as its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Direct,
    /// The members of its child teams too.
    WithChildren,
}
