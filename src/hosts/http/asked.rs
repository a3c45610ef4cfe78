//! The kinds of calls. The same status means different things for different calls, which [`super::verdict`] judges.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A GET of GitHub's REST API.
    Github,
    /// A query of GitHub's GraphQL API.
    Graphql,
    /// A call that a GitHub App signs with its key, or the one that makes an App from its manifest, without a sign-in.
    App,
    /// `POST …/deliveries/{id}/attempts` of a webhook.
    SendAgain,
    /// A GET of Sentry's API.
    Sentry,
    /// A GET of SCIM groups. If it fails, Sentry's ordinary lists are read instead.
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

    /// The setting that has the token for this call, if it is a fixed token.
    pub(crate) fn token(self) -> &'static str {
        match self {
            Asked::App => "GH_APP_KEY",
            Asked::Github | Asked::Graphql | Asked::SendAgain => "GH_TOKEN",
            _ => "SENTRY_TOKEN",
        }
    }
}
