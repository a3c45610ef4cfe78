//! The names that CODEOWNERS has for Sentry's teams, as values.

use crate::state::ids::{ExternalTeamId, IntegrationId, OwnerName, SentryTeamId};

/// A name in CODEOWNERS, and the Sentry team that it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalTeam {
    pub id: ExternalTeamId,
    pub name: OwnerName,
    pub team: SentryTeamId,
    /// `github` or `github_enterprise`.
    pub provider: Box<str>,
    pub integration: Option<IntegrationId>,
}

/// What Sentry says about a project's CODEOWNERS file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnersOf {
    /// The project's slug.
    pub project: String,
    /// Names of teams that mean no Sentry team.
    pub unknown: Vec<OwnerName>,
    /// Slugs of Sentry teams that a name means, but that have no access to the project.
    pub without_access: Vec<String>,
}

/// An integration of the organisation with GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integration {
    pub id: IntegrationId,
    /// The GitHub organisation that it connects to, such as `github.com/acme`.
    pub domain: Box<str>,
    /// `github` or `github_enterprise`.
    pub provider: Box<str>,
}
