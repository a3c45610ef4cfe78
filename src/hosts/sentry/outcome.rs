//! The results of the calls that write: what Sentry can answer, with one type for each call.

use super::{Member, Team};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    New(Team),
    Taken,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renamed {
    /// The team has its new slug. The id shows whether it was the right team.
    Done(Team),
    /// The slug belongs to another team.
    Taken,
    /// No team has the old slug.
    Missing,
    /// An identity provider manages the team.
    Locked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    Done,
    Missing,
    /// An identity provider manages the team.
    Locked,
}

/// The result of adding a member to a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// The member is in this team now: the one that the call hit.
    New(Team),
    Already,
    /// Sentry only filed an access request.
    Requested,
    /// An identity provider manages the team.
    Locked,
    /// The team, the member or both do not exist.
    Missing,
}

/// The result of giving a team a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linked {
    /// The team has it now.
    Done,
    /// The team, the project or both do not exist.
    Missing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invited {
    /// The open invite, which is a [`Member`] with its own standing.
    New(Member),
    /// Somebody in Sentry has this address, or an open invite to it.
    Already,
    /// The organisation's plan does not allow invites at all.
    NotInPlan,
}

/// The result of removing a member from a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// The member is not in it now; Sentry does not say whether they were before. The team that the call hit, unless
    /// Sentry answered 204 without a body.
    Done(Option<Team>),
    /// An identity provider manages the team.
    Locked,
    /// The team, the member or both do not exist.
    Missing,
}
