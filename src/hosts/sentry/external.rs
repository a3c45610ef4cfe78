//! What CODEOWNERS calls Sentry's teams, as values.

use crate::state::ids::{ExternalTeamId, IntegrationId, OwnerName, SentryTeamId};

/// A name of CODEOWNERS, and the Sentry team that it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalTeam {
    pub id: ExternalTeamId,
    pub name: OwnerName,
    pub team: SentryTeamId,
    /// `github` or `github_enterprise`.
    pub provider: Box<str>,
    pub integration: Option<IntegrationId>,
}

/// What Sentry makes of a project's CODEOWNERS file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnersOf {
    /// The project's slug.
    pub project: String,
    /// Names of teams that mean none in Sentry.
    pub unknown: Vec<OwnerName>,
    /// Sentry teams, by slug, that a name means and whose project it is not.
    pub without_access: Vec<String>,
}

/// An integration of the organisation with a GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integration {
    pub id: IntegrationId,
    /// Which organisation it is with: `github.com/acme`.
    pub domain: Box<str>,
    /// `github` or `github_enterprise`.
    pub provider: Box<str>,
}
