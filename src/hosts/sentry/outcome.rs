//! What came of the calls that write: what Sentry's answers can say, one type for each call.

use super::{Member, Team};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is there now.
    New(Team),
    Taken,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renamed {
    /// It has its new slug. The id tells whether it was the right team.
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

/// What came of putting a member into a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// In it now; the team that was hit.
    New(Team),
    Already,
    /// Sentry only filed an access request.
    Requested,
    /// An identity provider manages the team.
    Locked,
    /// Team or member, or both, are not there.
    Missing,
}

/// What came of giving a team a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linked {
    /// The team has it now.
    Done,
    /// Team or project, or both, are not there.
    Missing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invited {
    /// The open invite, which is a member with a state of its own.
    New(Member),
    /// Somebody has this address in Sentry, or an invite.
    Already,
    /// The organisation may invite nobody at all: its plan does not allow it.
    NotInPlan,
}

/// What came of taking a member out of a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removed {
    /// Not in it now; whether it was before, Sentry does not tell. The team that was hit, unless the answer was a 204
    /// without a body.
    Done(Option<Team>),
    /// An identity provider manages the team.
    Locked,
    /// Team or member, or both, are not there.
    Missing,
}
