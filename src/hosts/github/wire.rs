//! The fields of GitHub's rows that the service reads. Pure.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::Deserialize;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::hosts::github::facts::{Claims, Profile, Sent, TeamFacts};
use crate::hosts::http::graphql::{errors, Error};
use crate::state::event::Person;
use crate::state::ids::{GithubOrgId, GithubSlug, GithubTeamId, GithubUserId, InstallationId, Login};

#[derive(Deserialize)]
pub(super) struct OrgRow {
    pub(super) id: GithubOrgId,
    pub(super) login: Login,
}

#[derive(Deserialize)]
pub(super) struct TeamRow {
    id: GithubTeamId,
    #[serde(default)]
    node_id: String,
    name: String,
    slug: Option<GithubSlug>,
    created_at: Option<String>,
    parent: Option<ParentRow>,
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Includes the members of child teams. Lists of teams do not have it.
    pub(super) members_count: Option<u64>,
}

#[derive(Deserialize)]
struct ParentRow {
    id: GithubTeamId,
}

impl TeamRow {
    /// Created at the enterprise, not in the organisation.
    pub(super) fn is_of_enterprise(&self) -> bool {
        self.kind.as_deref() == Some("enterprise")
            || self.slug.as_ref().is_some_and(|slug| slug.as_str().starts_with("ent:"))
    }

    /// Whether the row says what kind of team it is; servers without enterprise teams do not.
    pub(super) fn tells_kind(&self) -> bool {
        self.kind.is_some()
    }

    pub(super) fn into_facts(self) -> TeamFacts {
        TeamFacts {
            id: self.id,
            node_id: self.node_id,
            name: self.name,
            slug: self.slug.unwrap_or_else(|| GithubSlug::from("")),
            created_at: self.created_at.as_deref().and_then(Timestamp::parse),
            parent: self.parent.map(|parent| parent.id),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct UserRow {
    id: GithubUserId,
    login: Login,
    email: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    inherited: Option<bool>,
}

impl UserRow {
    /// In the team only through a child team, where GitHub marks that.
    pub(super) fn is_inherited(&self) -> bool {
        self.inherited == Some(true)
    }

    /// Whether the row says that a membership is inherited or not; older Enterprise Servers do not.
    pub(super) fn tells_inherited(&self) -> bool {
        self.inherited.is_some()
    }

    pub(super) fn into_person(self) -> Person {
        let bot = self.kind.as_deref().is_some_and(|kind| kind != "User");
        Person { id: self.id, login: self.login, bot }
    }

    pub(super) fn into_profile(self) -> Profile {
        let email = self.email.clone().filter(|email| !email.is_empty());
        Profile { person: self.into_person(), email }
    }
}

#[derive(Deserialize)]
pub(super) struct SentRow {
    id: u64,
    guid: String,
    event: String,
    #[serde(default)]
    status_code: u16,
    delivered_at: Option<String>,
    installation_id: Option<InstallationId>,
}

impl SentRow {
    pub(super) fn into_sent(self) -> Sent {
        let at = self.delivered_at.as_deref().and_then(Timestamp::parse);
        let installation = self.installation_id;
        Sent { id: self.id, guid: self.guid, event: self.event, status: self.status_code, at, installation }
    }
}

#[derive(Deserialize)]
pub(super) struct MembershipRow {
    state: String,
    /// Only memberships of the organisation name the account.
    user: Option<MembershipUser>,
}

#[derive(Deserialize)]
struct MembershipUser {
    id: GithubUserId,
}

impl MembershipRow {
    /// Whether the membership is accepted and, if the row names its account, that of `user`.
    pub(super) fn is_active_of(&self, user: GithubUserId) -> bool {
        self.state == "active" && self.user.as_ref().is_none_or(|shown| shown.id == user)
    }
}

/// One page of a GraphQL connection.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "T: Deserialize<'de>")]
pub(super) struct Page<T> {
    /// The list or any entry of it may be null: an entry that is gone, or that GitHub cannot show.
    #[serde(deserialize_with = "Option::deserialize")]
    nodes: Option<Vec<Option<T>>>,
    page_info: PageInfo,
    /// How many entries there are on all pages, if the query asked for that.
    pub(super) total_count: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The parsed nodes, and how many nodes were null or unusable.
    pub(super) fn read<U>(self, read: impl Fn(T) -> Option<U>) -> (Vec<U>, usize) {
        let Some(nodes) = self.nodes else { return (Vec::new(), 1) };
        let n = nodes.len();
        let rows: Vec<_> = nodes.into_iter().flatten().filter_map(read).collect();
        let nulls = n - rows.len();
        (rows, nulls)
    }

    /// The cursor of the next page, if there is a next page; an error if GitHub gives no cursor for it.
    pub(super) fn next(&self) -> Result<Option<String>, ()> {
        match (self.page_info.has_next_page, &self.page_info.end_cursor) {
            (false, _) => Ok(None),
            (true, Some(cursor)) => Ok(Some(cursor.clone())),
            (true, None) => Err(()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TeamNode {
    database_id: Option<GithubTeamId>,
    id: String,
    name: String,
    slug: Option<GithubSlug>,
    created_at: Option<String>,
    parent_team: Option<TeamIdNode>,
    pub(super) members: Option<Page<UserNode>>,
}

impl TeamNode {
    /// `None` if it has no id.
    pub(super) fn into_facts(self) -> Option<TeamFacts> {
        Some(TeamFacts {
            id: self.database_id?,
            node_id: self.id,
            name: self.name,
            slug: self.slug.unwrap_or_else(|| GithubSlug::from("")),
            created_at: self.created_at.as_deref().and_then(Timestamp::parse),
            parent: self.parent_team.and_then(|parent| parent.database_id),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TeamIdNode {
    pub(super) database_id: Option<GithubTeamId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserNode {
    database_id: Option<GithubUserId>,
    login: Login,
}

impl UserNode {
    /// `None` if the account has no id.
    pub(super) fn into_person(self) -> Option<Person> {
        Some(Person { id: self.database_id?, login: self.login, bot: false })
    }
}

/// The answer's `organization` field: null if it is not visible, but never missing.
#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub(super) struct OrgData<T> {
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) organization: Option<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TeamsPart {
    pub(super) viewer_can_administer: bool,
    pub(super) teams: Page<TeamNode>,
}

/// A page of the organisation's people.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PeoplePart {
    pub(super) members_with_role: Page<PersonNode>,
}

/// A person with the requested addresses.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PersonNode {
    database_id: Option<GithubUserId>,
    login: Login,
    email: Option<String>,
    organization_verified_domain_emails: Option<Vec<String>>,
}

impl PersonNode {
    /// `None` if the account has no id.
    pub(super) fn into_parts(self) -> Option<(GithubUserId, Login, Claims)> {
        let mut verified = self.organization_verified_domain_emails.unwrap_or_default();
        verified.retain(|address| !address.is_empty());
        // The parser reserves room for four entries, even for a list of one.
        verified.shrink_to_fit();
        let public = self.email.filter(|address| !address.is_empty());
        Some((self.database_id?, self.login, Claims { saml: Vec::new(), verified, public }))
    }
}

/// A page of linked identities. An organisation without single sign-on has no provider.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IdentitiesPart {
    pub(super) saml_identity_provider: Option<ProviderPart>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProviderPart {
    pub(super) external_identities: Page<Value>,
}

/// A page of a team's direct members.
#[derive(Deserialize)]
pub(super) struct TeamData {
    #[serde(deserialize_with = "Option::deserialize")]
    pub(super) node: Option<TeamPart>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TeamPart {
    pub(super) database_id: GithubTeamId,
    pub(super) members: Page<UserNode>,
}

/// Reads the answer to the `person` query: whose it is, and the addresses by source.
pub(super) fn claims(data: &Value) -> Option<(GithubUserId, Claims)> {
    let user = data.get("user")?;
    let id = GithubUserId(user.get("databaseId")?.as_u64()?);
    let verified = user.get("organizationVerifiedDomainEmails").and_then(Value::as_array);
    let identities = data.pointer("/organization/samlIdentityProvider/externalIdentities/nodes");
    let mut saml = Vec::new();
    for node in identities.and_then(Value::as_array).into_iter().flatten() {
        if let Some((_, addresses)) = identity(node).filter(|(whose, _)| *whose == id) {
            saml.extend(addresses);
        }
    }
    saml.sort();
    saml.dedup();
    let verified = verified.into_iter().flatten().filter_map(text).collect();
    let public = user.get("email").and_then(text);
    Some((id, Claims { saml, verified, public }))
}

/// The account that an identity is linked to, and the addresses in it; `None` if no account is linked.
pub(super) fn identity(node: &Value) -> Option<(GithubUserId, Vec<String>)> {
    let id = GithubUserId(node.pointer("/user/databaseId")?.as_u64()?);
    let mut addresses = Vec::new();
    for (part, names) in [("samlIdentity", &["nameId", "username"][..]), ("scimIdentity", &["username"])] {
        let Some(part) = node.get(part).filter(|part| !part.is_null()) else { continue };
        addresses.extend(names.iter().filter_map(|name| part.get(*name).and_then(text)));
        let emails = part.get("emails").and_then(Value::as_array).into_iter().flatten();
        addresses.extend(emails.filter_map(|email| email.get("value").and_then(text)));
    }
    // A nameId or username may be something other than an address.
    addresses.retain(|address| address.contains('@'));
    Some((id, addresses))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(String::from)
}

/// The data of an answer without errors, parsed in one pass, where [`super::outcome()`] would build a tree first.
/// `None` for any other answer; [`super::outcome()`] then finds out what is wrong with it.
pub(super) fn data<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let whole: Whole<T> = serde_json::from_slice(body).ok()?;
    whole.errors.is_none_or(|errors| errors.is_empty()).then_some(whole.data)
}

/// The data of an answer whose only errors are about list entries that are gone; those are null in the data.
pub(super) fn data_with_holes<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let is_hole =
        |error: &Error| error.kind == "NOT_FOUND" && error.path.last().is_some_and(|part| part == "nodes");
    let are_holes = errors(body).iter().all(is_hole);
    let whole: Whole<T> = are_holes.then(|| serde_json::from_slice(body).ok())??;
    Some(whole.data)
}

#[derive(Deserialize)]
struct Whole<T> {
    data: T,
    errors: Option<Vec<IgnoredAny>>,
}

/// Whether the object requested by name is null, rather than something within it.
pub(super) fn is_null(body: &[u8], root: &str) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body.get("data").and_then(|data| data.get(root)).is_none_or(Value::is_null)
}

/// Example answers, for the fuzzer to corrupt.
#[cfg(test)]
pub(crate) const EXAMPLES: &[&str] = &[
    r#"{"data":{"organization":{"teams":{"pageInfo":{"hasNextPage":true,"endCursor":"x"},"nodes":[{"databaseId":1,"id":"T","slug":"crew","name":"Crew","createdAt":"2026-01-01T00:00:00Z","members":{"totalCount":1,"pageInfo":{"hasNextPage":false},"nodes":[{"databaseId":5}]}}]}}}}"#,
    r#"{"data":{"user":{"databaseId":5,"login":"octo","email":"","organizationVerifiedDomainEmails":["o@corp"]},"organization":{"samlIdentityProvider":{"externalIdentities":{"nodes":[{"user":{"databaseId":5},"samlIdentity":{"nameId":"o@saml","username":"octo","emails":null},"scimIdentity":null}]}}}}}"#,
    r#"{"data":null,"errors":[{"type":"FORBIDDEN","path":["user","a"],"message":"m"}]}"#,
    r#"[{"id":5,"login":"octo","type":"User"}]"#,
    r#"[{"id":1,"node_id":"T","name":"Crew","slug":"crew","created_at":"2026-01-01T00:00:00Z","parent":{"id":3}}]"#,
    r#"<https://api.github.com/organizations/1/team/2/members?page=2>; rel="next""#,
    r#"[{"id":1,"guid":"g","event":"team","action":"created","status_code":502,"delivered_at":"2026-01-01T00:00:00Z","redelivery":false}]"#,
    r#"{"id":38302899,"login":"acme","state":"active","role":"member"}"#,
];

/// Parses any bytes as every kind of row.
#[cfg(test)]
pub(crate) fn read_anything(bytes: &[u8]) {
    use crate::hosts::http::link::{behind, path_on_same_host, Behind};
    use crate::hosts::read_rows;
    drop(data::<OrgData<TeamsPart>>(bytes));
    drop(data::<OrgData<PeoplePart>>(bytes));
    drop(data::<TeamData>(bytes));
    drop(data_with_holes::<OrgData<TeamsPart>>(bytes));
    let value = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    drop((claims(&value["data"]), identity(&value)));
    drop((super::outcome::outcome(bytes), is_null(bytes, "organization")));
    read_rows(bytes, TeamRow::into_facts);
    read_rows(bytes, UserRow::into_person);
    drop(serde_json::from_value::<OrgRow>(value.clone()));
    drop(serde_json::from_value::<MembershipRow>(value));
    read_rows(bytes, SentRow::into_sent);
    // Whatever host a link names, the next page is requested from our own.
    if let Ok(Behind::Page(link)) = behind(Some(&String::from_utf8_lossy(bytes)), 0, 1) {
        assert!(path_on_same_host(&link.target, "/x?y").is_none_or(|path| path.starts_with('/')));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_by_source() {
        let data = serde_json::json!({
            "user": {"databaseId": 5, "login": "octo", "email": "", "organizationVerifiedDomainEmails": ["o@corp"]},
            "organization": {"samlIdentityProvider": {"externalIdentities": {"nodes": [
                {"user": {"databaseId": 5}, "samlIdentity": {"nameId": "o@saml", "username": "octo", "emails": null},
                 "scimIdentity": {"username": "octo", "emails": [{"value": "o@scim"}]}},
                {"user": {"databaseId": 6}, "samlIdentity": {"nameId": "other@saml", "username": "x", "emails": []},
                 "scimIdentity": null}]}}}
        });
        let (id, claims) = claims(&data).unwrap();
        assert_eq!(id, GithubUserId(5));
        assert_eq!(claims.saml, ["o@saml", "o@scim"]);
        assert_eq!((claims.verified, claims.public), (vec!["o@corp".to_string()], None));
    }

    #[test]
    fn an_organisation_that_is_not_told_is_no_organisation_that_is_not_there() {
        let read = |body: &str| {
            data::<OrgData<IdentitiesPart>>(body.as_bytes()).map(|data| data.organization.is_some())
        };
        assert_eq!(read(r#"{"data":{"organization":null}}"#), Some(false));
        assert_eq!(read(r#"{"data":{"organization":{"samlIdentityProvider":null}}}"#), Some(true));
        assert_eq!(read(r#"{"data":{}}"#), None);
        assert!(is_null(br#"{"data":{"organization":null}}"#, "organization"));
        assert!(!is_null(br#"{"data":{"organization":{"teams":null}}}"#, "organization"));
    }

    #[test]
    fn an_identity_without_an_account_is_nobodys() {
        let node = |user: Value| serde_json::json!({"user": user, "samlIdentity": {"nameId": "U123", "username": "a@saml", "emails": null}, "scimIdentity": null});
        assert_eq!(identity(&node(Value::Null)), None);
        let id = serde_json::json!({"databaseId": 7});
        assert_eq!(identity(&node(id)), Some((GithubUserId(7), vec!["a@saml".to_string()])));
    }
}
