//! The GraphQL queries, as texts. Each is valid against GitHub's published schema.

/// One person's addresses. The parts that need more than a token without permissions are put in as asked for:
/// GitHub answers a field that the token may not see with an error for the whole query.
pub(super) fn person(verified: bool, saml: bool) -> String {
    let verified = if verified { " organizationVerifiedDomainEmails(login: $org)" } else { "" };
    let saml = if saml {
        " organization(login: $org) { samlIdentityProvider { externalIdentities(first: 10, login: $login) { nodes \
         { user { databaseId } samlIdentity { nameId username emails { value } } \
         scimIdentity { username emails { value } } } } } }"
    } else {
        ""
    };
    let org = if verified.is_empty() && saml.is_empty() { "" } else { ", $org: String!" };
    format!("query Person($login: String!{org}) {{ user(login: $login) {{ databaseId login email{verified} }}{saml} }}")
}

/// All teams, without their members. 100 a page: one point of the rate limit each.
pub(super) const TEAMS: &str = "query Teams($org: String!, $after: String) { organization(login: $org) { \
    teams(first: 100, after: $after, orderBy: {field: NAME, direction: ASC}) { pageInfo { hasNextPage endCursor } \
    nodes { databaseId id name slug createdAt parentTeam { databaseId } } } } }";

/// The direct members of a team, by its node id. REST counts the members of child teams in.
pub(super) const TEAM_MEMBERS: &str = "query TeamMembers($id: ID!, $after: String) { node(id: $id) { ... on Team { \
    databaseId members(first: 100, after: $after, membership: IMMEDIATE) { pageInfo { hasNextPage endCursor } \
    nodes { databaseId login } } } } }";

/// The teams that a person is in.
pub(super) const TEAMS_OF: &str = "query TeamsOf($org: String!, $login: String!, $after: String) { \
    organization(login: $org) { teams(first: 100, after: $after, userLogins: [$login]) { \
    pageInfo { hasNextPage endCursor } nodes { databaseId } } } }";
