//! The fields of Sentry's rows that the service reads, and Sentry's page links. Pure.

use serde::Deserialize;
use serde_json::Value;

use crate::config::values::BaseUrl;
use crate::hosts::http::link::{behind, Behind};
use crate::hosts::sentry::external::{ExternalTeam, Integration};
use crate::hosts::sentry::{Hit, Link, Member, Standing, Team};
use crate::state::ids::{GithubUserId, MemberId, SentrySlug, SentryTeamId};

#[derive(Deserialize)]
pub(super) struct TeamRow {
    id: String,
    slug: SentrySlug,
    name: Option<String>,
    #[serde(rename = "memberCount")]
    member_count: Option<u64>,
    projects: Option<Vec<ProjectRow>>,
    #[serde(rename = "externalTeams", default)]
    external: Value,
    // Kept as JSON: other flags do not matter, and an unknown form of it must not make the row unreadable.
    #[serde(default)]
    flags: Value,
}

#[derive(Deserialize)]
struct ProjectRow {
    slug: String,
}

impl TeamRow {
    /// The team's names in CODEOWNERS, and the team itself.
    pub(super) fn into_linked(mut self) -> Option<(Vec<ExternalTeam>, Team)> {
        let rows = self.external.take();
        let team = self.into_team()?;
        let rows = rows.as_array().into_iter().flatten().filter_map(|row| external_team(row, Some(team.id)));
        Some((rows.collect(), team))
    }

    pub(super) fn into_team(self) -> Option<Team> {
        Some(Team {
            id: SentryTeamId(self.id.parse().ok()?),
            name: self.name.unwrap_or_else(|| self.slug.to_string()),
            slug: self.slug,
            member_count: self.member_count,
            locked: self.flags["idp:provisioned"] == true,
            projects: self
                .projects
                .map(|projects| projects.into_iter().map(|project| project.slug).collect()),
        })
    }
}

/// A row of external teams, if its provider is GitHub. Some answers leave out the team; the caller knows it (`of`).
pub(super) fn external_team(row: &Value, of: Option<SentryTeamId>) -> Option<ExternalTeam> {
    let text = |key: &str| row[key].as_str();
    let provider = text("provider").filter(|provider| provider.starts_with("github"))?;
    let team = text("teamId").and_then(|id| id.parse().ok()).or(of)?;
    let name = text("externalName")?.into();
    let integration = text("integrationId").and_then(|id| id.parse().ok());
    Some(ExternalTeam { id: text("id")?.parse().ok()?, name, team, provider: provider.into(), integration })
}

/// One of the organisation's integrations, if its provider is GitHub.
pub(super) fn integration(row: &Value) -> Option<Integration> {
    let provider = row["provider"]["key"].as_str().filter(|key| key.starts_with("github"))?;
    let domain = row["domainName"].as_str().unwrap_or_default();
    Some(Integration {
        id: row["id"].as_str()?.parse().ok()?,
        domain: domain.into(),
        provider: provider.into(),
    })
}

/// The role whose members cannot be in a team.
const NO_TEAMS: &str = "billing";

#[derive(Deserialize)]
pub(super) struct MemberRow {
    id: String,
    email: Option<String>,
    name: Option<String>,
    user: Option<UserRow>,
    #[serde(default)]
    pending: bool,
    #[serde(default)]
    expired: bool,
    #[serde(rename = "orgRole")]
    role: Option<String>,
    #[serde(rename = "externalUsers", default)]
    external_users: Vec<ExternalRow>,
    /// Only in the list of a team's members: the slug of that team.
    #[serde(rename = "teamSlug")]
    pub(super) team_slug: Option<SentrySlug>,
}

#[derive(Default, Deserialize)]
struct UserRow {
    email: Option<String>,
    #[serde(default)]
    emails: Vec<EmailRow>,
    #[serde(rename = "isSuspended", default)]
    suspended: bool,
}

#[derive(Deserialize)]
struct EmailRow {
    email: String,
    #[serde(default)]
    is_verified: bool,
}

#[derive(Deserialize)]
struct ExternalRow {
    #[serde(default)]
    provider: String,
    #[serde(rename = "externalName", default)]
    name: String,
    #[serde(rename = "externalId")]
    id: Option<String>,
}

/// The provider of links to accounts of another GitHub than ours: github.com and Enterprise Servers have separate ids
/// and logins. `None` at any other address, such as one with data residency, because it is not known which of the two
/// its accounts belong to.
pub(super) fn other_github(github: &BaseUrl) -> Option<&'static str> {
    match (github.host(), github.path()) {
        ("api.github.com", _) => Some("github_enterprise"),
        (_, "/api/v3") => Some("github"),
        _ => None,
    }
}

impl MemberRow {
    /// Drops linked accounts of this provider.
    pub(super) fn without_links_of(mut self, provider: Option<&str>) -> Self {
        self.external_users.retain(|row| Some(row.provider.as_str()) != provider);
        self
    }

    pub(super) fn into_hit(mut self) -> Option<Hit> {
        let name = self.name.take().unwrap_or_default();
        Some(Hit { name, member: self.into_member()? })
    }

    pub(super) fn into_member(self) -> Option<Member> {
        let standing = match (self.pending || self.user.is_none(), self.expired) {
            (_, true) => Standing::Expired,
            (true, false) => Standing::Invited,
            (false, false) => Standing::Member,
        };
        let user = self.user.unwrap_or_default();
        let primary = user.email.or(self.email).filter(|email| !email.is_empty());
        let verified = user.emails.into_iter().filter(|row| row.is_verified && !row.email.is_empty());
        let mut verified: Vec<_> = verified.map(|row| row.email).collect();
        // A list that is collected in place keeps the larger allocation of the rows.
        verified.shrink_to_fit();
        // `github` and `github_enterprise`. A person's name begins with an @, a team's name contains a slash.
        let links = self.external_users.into_iter().filter(|row| row.provider.starts_with("github"));
        let link = |row: ExternalRow| {
            let user = row.id.and_then(|id| id.parse().ok()).map(GithubUserId);
            Some(Link { login: row.name.strip_prefix('@')?.into(), user })
        };
        Some(Member {
            id: MemberId(self.id.parse().ok()?),
            primary,
            verified,
            links: links.filter_map(link).collect(),
            no_teams: self.role.as_deref() == Some(NO_TEAMS),
            suspended: user.suspended,
            standing,
        })
    }
}

#[derive(Deserialize)]
pub(super) struct MemberTeamsRow {
    pub(super) teams: Vec<SentrySlug>,
}

#[derive(Deserialize)]
pub(super) struct TokenRow {
    pub(super) auth: Option<AuthRow>,
}

#[derive(Deserialize)]
pub(super) struct AuthRow {
    pub(super) scopes: Vec<String>,
}

/// Rows per page: Sentry's maximum and its default.
pub(super) const FULL: usize = 100;

/// The cursor of the page after page `number` (counted from 0), which has `rows` rows; `None` after the last page.
/// Sentry always sends a `next` link, but only `results="true"` means that there is a next page. The link's address
/// contains what the server takes for its own host, so only the cursor is used. A proxy that drops the header does not
/// end a list: after a full page, the cursor is built as Sentry builds it.
pub(super) fn next_cursor(link: Option<&str>, rows: usize, number: usize) -> Result<Option<String>, String> {
    let link = match behind(link, rows, FULL)? {
        Behind::Nothing => return Ok(None),
        Behind::Perhaps => return Ok(Some(format!("{FULL}:{}:0", number + 1))),
        Behind::Page(link) => link,
    };
    match (link.param("results"), link.param("cursor")) {
        (Some("false"), _) => Ok(None),
        (Some("true"), Some(cursor)) if !cursor.is_empty() => Ok(Some(cursor.into())),
        _ => Err("the link to the next page has no results or no cursor".into()),
    }
}

/// Example answers, for the fuzzer to corrupt.
#[cfg(test)]
pub(crate) const EXAMPLES: &[&str] = &[
    r#"[{"id":"4","email":"A@x","user":{"id":"5","email":"A@x","emails":[{"id":"1","email":"A@x","is_verified":false}]},"pending":false,"expired":false,"externalUsers":[{"provider":"github","externalName":"@octo"}]}]"#,
    r#"[{"id":"7","slug":"crew","name":"Crew","memberCount":2,"flags":{"idp:provisioned":true},"projects":[{"id":"1","slug":"shop"}]}]"#,
    r#"[{"id":"7","slug":"crew","externalTeams":[{"id":"3","provider":"github","externalName":"@acme/crew","integrationId":"1","teamId":"7"}]}]"#,
    r#"[{"id":"1","domainName":"github.com/acme","provider":{"key":"github"}}]"#,
    r#"<http://x/?&cursor=100:1:0>; rel="next"; results="true"; cursor="100:1:0""#,
    super::scim::EXAMPLE,
];

/// Parses any bytes as every kind of row.
#[cfg(test)]
pub(crate) fn read_anything(bytes: &[u8]) {
    crate::hosts::read_rows(bytes, TeamRow::into_team);
    crate::hosts::read_rows(bytes, TeamRow::into_linked);
    crate::hosts::read_rows(bytes, |row: Value| integration(&row));
    crate::hosts::read_rows(bytes, MemberRow::into_member);
    drop(serde_json::from_slice::<AuthRow>(bytes));
    super::scim::read_anything(bytes);
    drop(next_cursor(Some(&String::from_utf8_lossy(bytes)), 1, 0));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::values::base_url;

    #[test]
    fn a_next_page_without_results_is_the_end() {
        let link = |results: &str| {
            format!(
                "<http://x/?&cursor=100:-1:1>; rel=\"previous\"; results=\"false\"; cursor=\"100:-1:1\", \
                 <http://x/?&cursor=100:1:0>; rel=\"next\"; results=\"{results}\"; cursor=\"100:1:0\""
            )
        };
        let cursor = |header: &str| next_cursor(Some(header), FULL, 0);
        assert_eq!(cursor(&link("true")), Ok(Some("100:1:0".into())));
        assert_eq!(cursor(&link("false")), Ok(None), "also behind a full page");
        assert_eq!(cursor(&link("true").replace("\"next\"", "next")), Ok(Some("100:1:0".into())));
        for odd in [
            link("maybe"),
            link("true").replace("cursor=\"100:1:0\"", ""),
            link("true").replace("results=", "result="),
            "nonsense; , ;; rel=next".into(),
        ] {
            assert!(cursor(&odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_full_page_without_a_link_is_not_the_end() {
        for header in [None, Some("</a.css>; rel=preload")] {
            assert_eq!(next_cursor(header, 99, 0), Ok(None));
            assert_eq!(next_cursor(header, 100, 0), Ok(Some("100:1:0".into())));
            assert_eq!(next_cursor(header, 100, 4), Ok(Some("100:5:0".into())));
        }
    }

    #[test]
    fn a_team_of_an_identity_provider_is_told_by_its_flag_alone() {
        for (flags, locked) in [
            ("", false),
            (r#","flags":{"idp:provisioned":true}"#, true),
            (r#","flags":{"idp:provisioned":false,"other":true}"#, false),
            (r#","flags":{"other":true}"#, false),
            (r#","flags":null"#, false),
            (r#","flags":[1]"#, false),
            (r#","flags":{"idp:provisioned":"x"}"#, false),
        ] {
            let row: TeamRow =
                serde_json::from_str(&format!(r#"{{"id":"7","slug":"crew"{flags}}}"#)).unwrap();
            assert_eq!(row.into_team().unwrap().locked, locked, "{flags}");
        }
    }

    fn member(json: &str) -> Member {
        serde_json::from_str::<MemberRow>(json).unwrap().into_member().unwrap()
    }

    #[test]
    fn rows_of_every_kind_are_read() {
        let full = member(
            r#"{"id":"4","email":"A@x","user":{"id":"5","email":"A@x","emails":[{"id":"1","email":"A@x","is_verified":false},
               {"id":"2","email":"b@x","is_verified":true}]},"pending":false,"expired":false,"orgRole":"billing",
               "externalUsers":[{"provider":"github","externalName":"@octo","externalId":"583231"},{"provider":"slack","externalName":"@s"}]}"#,
        );
        assert_eq!((full.id, full.standing), (MemberId(4), Standing::Member));
        assert_eq!(full.primary.as_deref(), Some("A@x"));
        let link = Link { login: "octo".into(), user: Some(GithubUserId(583_231)) };
        assert_eq!((full.verified, full.links), (vec!["b@x".to_string()], vec![link]));
        assert!(full.no_teams && !member(r#"{"id":"4","orgRole":"member"}"#).no_teams);
        let invited = member(r#"{"id":"40","email":"p@x","user":null,"pending":true,"expired":false}"#);
        assert_eq!((invited.standing, invited.primary.as_deref()), (Standing::Invited, Some("p@x")));
        let expired = member(r#"{"id":"42","email":"e@x","user":null,"pending":true,"expired":true}"#);
        assert_eq!(expired.standing, Standing::Expired);
        let linked = |other| {
            let row = r#"{"id":"4","externalUsers":[{"provider":"github","externalName":"@a"},
                {"provider":"github_enterprise","externalName":"@b"}]}"#;
            let row = serde_json::from_str::<MemberRow>(row).unwrap().without_links_of(other);
            row.into_member().unwrap().links.into_iter().map(|link| link.login).collect::<Vec<_>>()
        };
        assert_eq!(
            (linked(Some("github")), linked(Some("github_enterprise"))),
            (vec!["b".into()], vec!["a".into()])
        );
        assert_eq!(linked(None), ["a", "b"]);
        let other = |url| other_github(&base_url(url).unwrap());
        assert_eq!(other("https://api.github.com"), Some("github_enterprise"));
        assert_eq!(other("https://ghes.example/api/v3"), Some("github"));
        assert_eq!(other("https://api.acme.ghe.com"), None);
        let nomail = member(
            r#"{"id":"38","email":"","user":{"email":"","emails":[{"email":"","is_verified":false}]}}"#,
        );
        assert_eq!((nomail.primary, nomail.verified), (None, vec![]));
    }
}
