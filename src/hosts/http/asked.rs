//! What a host was asked: the same status means different things to different questions. What an answer means is judged
//! elsewhere.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A GET of GitHub's REST API.
    Github,
    /// A query of GitHub's GraphQL API.
    Graphql,
    /// A call that a GitHub App signs by its key.
    App,
    /// `POST …/deliveries/{id}/attempts` of a webhook.
    SendAgain,
    /// A GET of Sentry's API.
    Sentry,
    /// A GET of SCIM's groups, which Sentry's ordinary lists stand in for.
    Groups,
    /// `POST /organizations/{org}/teams/`.
    CreateTeam,
    /// `PUT /teams/{org}/{slug}/`.
    UpdateTeam,
    /// `DELETE /teams/{org}/{slug}/`.
    DeleteTeam,
    /// `POST /organizations/{org}/members/{id}/teams/{slug}/`.
    AddMember,
    /// `DELETE /organizations/{org}/members/{id}/teams/{slug}/`.
    RemoveMember,
    /// `POST /organizations/{org}/members/`.
    Invite,
    /// `POST /projects/{org}/{project}/teams/{slug}/`.
    LinkProject,
    /// `POST /teams/{org}/{slug}/external-teams/`, and `PUT` of one of these.
    LinkOwner,
    /// `DELETE /teams/{org}/{slug}/external-teams/{id}/`.
    UnlinkOwner,
}

impl Asked {
    pub fn is_github(self) -> bool {
        matches!(self, Asked::Github | Asked::Graphql | Asked::App | Asked::SendAgain)
    }

    /// The token that goes with it, by its setting, where one was set.
    pub(crate) fn token(self) -> &'static str {
        match self {
            Asked::App => "GH_APP_KEY",
            Asked::Github | Asked::Graphql | Asked::SendAgain => "GH_TOKEN",
            _ => "SENTRY_TOKEN",
        }
    }
}
