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

/// An integration of the organisation with a GitHub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Integration {
    pub id: IntegrationId,
    /// Which organisation it is with: `github.com/acme`.
    pub domain: Box<str>,
    /// `github` or `github_enterprise`.
    pub provider: Box<str>,
}
