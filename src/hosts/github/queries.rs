//! The GraphQL queries, as strings. Each is valid against GitHub's published schema.

/// One person's addresses. Fields that need extra permissions are included only on request: if the token may not read
/// one of them, GitHub answers the whole query with an error.
pub(super) fn person(email: bool, verified: bool, saml: bool) -> String {
    let email = if email { " email" } else { "" };
    let verified = if verified { " organizationVerifiedDomainEmails(login: $org)" } else { "" };
    let saml = if saml {
        " organization(login: $org) { samlIdentityProvider { externalIdentities(first: 10, login: $login) { nodes \
         { user { databaseId } samlIdentity { nameId username emails { value } } \
         scimIdentity { username emails { value } } } } } }"
    } else {
        ""
    };
    let org = if verified.is_empty() && saml.is_empty() { "" } else { ", $org: String!" };
    format!("query Person($login: String!{org}) {{ user(login: $login) {{ databaseId login{email}{verified} }}{saml} }}")
}

/// A team's direct members, by its node id. REST's list includes the members of child teams.
pub(super) const TEAM_MEMBERS: &str =
    "query TeamMembers($id: ID!, $after: String) { node(id: $id) { ... on Team { \
    databaseId members(first: 100, after: $after, membership: IMMEDIATE) { totalCount \
    pageInfo { hasNextPage endCursor } nodes { databaseId login } } } } }";

pub(super) const TEAMS_OF: &str = "query TeamsOf($org: String!, $login: String!, $after: String) { \
    organization(login: $org) { teams(first: 100, after: $after, userLogins: [$login]) { \
    pageInfo { hasNextPage endCursor } nodes { databaseId } } } }";

/// Teams with their first 100 direct members each, and whether the token is an owner's.
pub(super) const TEAMS_WITH_MEMBERS: &str =
    "query TeamsWithMembers($org: String!, $first: Int!, $after: String) { organization(login: $org) { \
    viewerCanAdminister teams(first: $first, after: $after, orderBy: {field: NAME, direction: ASC}) { totalCount \
    pageInfo { hasNextPage endCursor } nodes { databaseId id name slug createdAt parentTeam { databaseId } \
    members(first: 100, membership: IMMEDIATE) { totalCount pageInfo { hasNextPage endCursor } \
    nodes { databaseId login } } } } } }";

/// Everybody in the organisation. Address fields are included only on request, for the reason given at [`person`].
pub(super) fn people(email: bool, verified: bool) -> String {
    let email = if email { " email" } else { "" };
    let verified = if verified { " organizationVerifiedDomainEmails(login: $org)" } else { "" };
    format!(
        "query People($org: String!, $first: Int!, $after: String) {{ organization(login: $org) {{ \
         membersWithRole(first: $first, after: $after) {{ totalCount pageInfo {{ hasNextPage endCursor }} \
         nodes {{ databaseId login{email}{verified} }} }} }} }}"
    )
}

/// What the organisation's identity provider says about its members.
pub(super) const IDENTITIES: &str =
    "query Identities($org: String!, $first: Int!, $after: String) { organization(login: $org) { \
    samlIdentityProvider { externalIdentities(first: $first, after: $after, membersOnly: true) { \
    pageInfo { hasNextPage endCursor } nodes { user { databaseId } \
    samlIdentity { nameId username emails { value } } scimIdentity { username emails { value } } } } } } }";
