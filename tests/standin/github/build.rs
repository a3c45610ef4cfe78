//! How a test describes people, teams, tokens and options of the pretend GitHub.
//!
//! Descriptions only; [`GithubStandin`](super::GithubStandin) puts them into the world.

use super::world::{OrgRole, Origin, Privacy};
use std::time::{Duration, SystemTime};

/// A GitHub account.
#[derive(Clone, Debug)]
pub struct GithubUser {
    pub(crate) login: String,
    pub(crate) id: Option<u64>,
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) verified: Vec<String>,
    pub(crate) saml: Option<String>,
    pub(crate) scim: Option<(String, Vec<String>)>,
    pub(crate) bot: bool,
    pub(crate) role: OrgRole,
}

impl GithubUser {
    /// An account without any address.
    pub fn new(login: &str) -> GithubUser {
        GithubUser {
            login: login.to_owned(),
            id: None,
            name: None,
            email: None,
            verified: Vec::new(),
            saml: None,
            scim: None,
            bot: false,
            role: OrgRole::Member,
        }
    }

    /// With this id instead of the next free one.
    pub fn id(mut self, id: u64) -> GithubUser {
        self.id = Some(id);
        self
    }

    /// With a public name.
    pub fn name(mut self, name: &str) -> GithubUser {
        self.name = Some(name.to_owned());
        self
    }

    /// With a public profile address.
    pub fn email(mut self, email: &str) -> GithubUser {
        self.email = Some(email.to_owned());
        self
    }

    /// With a verified address on one of the organisation's verified domains.
    pub fn verified(mut self, email: &str) -> GithubUser {
        self.verified.push(email.to_owned());
        self
    }

    /// Linked to a SAML identity with this nameId (switches the organisation's single sign-on on).
    pub fn saml(mut self, name_id: &str) -> GithubUser {
        self.saml = Some(name_id.to_owned());
        self
    }

    /// Linked to a SCIM identity.
    pub fn scim(mut self, user_name: &str, emails: &[&str]) -> GithubUser {
        self.scim = Some((user_name.to_owned(), emails.iter().map(|email| (*email).to_owned()).collect()));
        self
    }

    /// A bot account.
    pub fn bot(mut self) -> GithubUser {
        self.bot = true;
        self
    }

    /// An owner of the organisation, once in it.
    pub fn owner(mut self) -> GithubUser {
        self.role = OrgRole::Owner;
        self
    }
}

impl From<&str> for GithubUser {
    fn from(login: &str) -> GithubUser {
        GithubUser::new(login)
    }
}

/// A team.
#[derive(Clone, Debug)]
pub struct GithubTeam {
    pub(crate) name: String,
    pub(crate) id: Option<u64>,
    pub(crate) description: Option<String>,
    pub(crate) privacy: Privacy,
    pub(crate) origin: Origin,
    pub(crate) parent: Option<u64>,
    pub(crate) created: Option<SystemTime>,
}

impl GithubTeam {
    /// A visible team of the organisation, slug by GitHub's rule.
    pub fn new(name: &str) -> GithubTeam {
        GithubTeam {
            name: name.to_owned(),
            id: None,
            description: None,
            privacy: Privacy::Closed,
            origin: Origin::Organization,
            parent: None,
            created: None,
        }
    }

    /// With this id instead of the next free one.
    pub fn id(mut self, id: u64) -> GithubTeam {
        self.id = Some(id);
        self
    }

    /// With a description.
    pub fn description(mut self, text: &str) -> GithubTeam {
        self.description = Some(text.to_owned());
        self
    }

    /// Visible to owners and its members only. Cannot be nested.
    pub fn secret(mut self) -> GithubTeam {
        self.privacy = Privacy::Secret;
        self
    }

    /// Under another team.
    pub fn parent(mut self, parent: u64) -> GithubTeam {
        self.parent = Some(parent);
        self
    }

    /// Made at the enterprise.
    pub fn enterprise(mut self) -> GithubTeam {
        self.origin = Origin::Enterprise;
        self
    }

    /// Made at this moment instead of now.
    pub fn created(mut self, at: SystemTime) -> GithubTeam {
        self.created = Some(at);
        self
    }
}

impl From<&str> for GithubTeam {
    fn from(name: &str) -> GithubTeam {
        GithubTeam::new(name)
    }
}

/// What kind of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    FineGrained,
    Classic,
    /// An installation token of a GitHub App; nobody's.
    App,
}

/// How a missing permission shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// 403 `Resource not accessible by personal access token` (a fine-grained token of the
    /// organisation that lacks the permission).
    Forbidden,
    /// 404 (a token that does not reach the organisation, a classic one without the scope).
    NotFound,
}

/// A token to add.
#[derive(Clone, Debug)]
pub struct GithubToken {
    pub(crate) viewer: Option<u64>,
    pub(crate) kind: TokenKind,
    pub(crate) members: bool,
    pub(crate) webhooks: bool,
    pub(crate) denial: Denial,
    pub(crate) expires: Option<SystemTime>,
    pub(crate) graphql: bool,
    pub(crate) unauthorised: bool,
    /// A classic token's `user:email`; others see public addresses in any case.
    pub(crate) user_email: bool,
    pub(crate) other_orgs: Vec<(u64, String)>,
    /// When an App fetched it, and when it ends without a word of that in any header.
    pub(crate) made: Option<SystemTime>,
    pub(crate) ends: Option<SystemTime>,
}

impl GithubToken {
    /// A fine-grained token of this user without any permission: profiles, nothing else.
    pub fn no_permission(viewer: u64) -> GithubToken {
        GithubToken {
            viewer: Some(viewer),
            kind: TokenKind::FineGrained,
            members: false,
            webhooks: false,
            denial: Denial::Forbidden,
            expires: None,
            graphql: true,
            unauthorised: false,
            user_email: false,
            other_orgs: Vec::new(),
            made: None,
            ends: None,
        }
    }

    /// The same with Members: read (classic: `read:org`).
    pub fn members_read(viewer: u64) -> GithubToken {
        GithubToken { members: true, ..GithubToken::no_permission(viewer) }
    }

    /// An App's installation token with Members: read; sees secret teams.
    pub fn app() -> GithubToken {
        GithubToken { viewer: None, kind: TokenKind::App, ..GithubToken::members_read(0) }
    }

    /// May also list the organisation's hooks and deliveries (for an owner).
    pub fn webhooks(mut self) -> GithubToken {
        self.webhooks = true;
        self
    }

    /// A classic token; missing scopes show as 404. It has no `user:email`, so that GraphQL refuses it `User.email`.
    pub fn classic(mut self) -> GithubToken {
        self.kind = TokenKind::Classic;
        self.denial = Denial::NotFound;
        self
    }

    /// With the scope `user:email` too, which a classic token needs for `User.email` in GraphQL.
    pub fn user_email(mut self) -> GithubToken {
        self.user_email = true;
        self
    }

    /// How a missing permission shows.
    pub fn denial(mut self, denial: Denial) -> GithubToken {
        self.denial = denial;
        self
    }

    /// Expires then; told in a header on every answer, 401 afterwards.
    pub fn expires(mut self, at: SystemTime) -> GithubToken {
        self.expires = Some(at);
        self
    }

    /// Is refused by GraphQL altogether (403).
    pub fn without_graphql(mut self) -> GithubToken {
        self.graphql = false;
        self
    }

    /// The organisation enforces single sign-on, and nobody has authorised the token for it.
    pub fn unauthorised(mut self) -> GithubToken {
        self.unauthorised = true;
        self
    }

    /// Its user is also in this organisation.
    pub fn other_org(mut self, id: u64, login: &str) -> GithubToken {
        self.other_orgs.push((id, login.to_owned()));
        self
    }
}

/// Which GitHub is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// github.com: REST at the root, GraphQL at `/graphql`, rate limits.
    Dotcom,
    /// An older Enterprise Server: `/api/v3`, `/api/graphql`, no rate limits, no `role` and
    /// `inherited` in team members, one API version, two more headers on deliveries.
    EnterpriseServer,
}

/// Rate limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// REST calls per window and user.
    pub core: u64,
    /// GraphQL points per window and user.
    pub graphql: u64,
    /// Length of the window, from the first call.
    pub window: Duration,
    /// Calls at once, REST and GraphQL together, before the secondary limit.
    pub parallel: usize,
    /// REST and GraphQL points per minute before the secondary limit; GitHub's are 900 and 2,000.
    pub per_minute: Option<(u64, u64)>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            core: 5_000,
            graphql: 5_000,
            window: Duration::from_secs(3_600),
            parallel: 100,
            per_minute: None,
        }
    }
}

impl Limits {
    /// With the documented points per minute too.
    pub fn strict() -> Limits {
        Limits { per_minute: Some((900, 2_000)), ..Limits::default() }
    }
}

/// What GitHub sends along where its documentation leaves it open.
#[derive(Clone, Debug)]
pub struct Events {
    /// `membership.added` for the creator of a team.
    pub creator_membership: bool,
    /// `membership.removed` with `{id, name, deleted: true}` for each member of a deleted team.
    pub members_of_deleted: bool,
    /// `team.deleted` for each child of a deleted team.
    pub deleted_children: bool,
    /// `membership.removed` with scope `organization` per team of somebody who left.
    pub teams_of_leaver: bool,
    /// `team.edited` with empty `changes` when the parent changes.
    pub reparent: bool,
    /// `team` is only `{id, name}`.
    pub minimal: bool,
    /// `sender` is there.
    pub sender: bool,
    /// The fields of newer payloads (`type`, `organization_id`, `notification_setting`,
    /// `user_view_type`, `direct_membership`, …).
    pub newer_fields: bool,
    /// `installation` with this id, as for an App.
    pub installation: Option<u64>,
    /// `enterprise`, as for an organisation inside one.
    pub enterprise: bool,
}

impl Default for Events {
    /// The leanest that is documented: no event that GitHub does not promise.
    fn default() -> Events {
        Events {
            creator_membership: false,
            members_of_deleted: false,
            deleted_children: false,
            teams_of_leaver: false,
            reparent: false,
            minimal: false,
            sender: true,
            newer_fields: true,
            installation: None,
            enterprise: false,
        }
    }
}

/// The organisation's webhook.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Its id, in `X-GitHub-Hook-ID`.
    pub id: u64,
    /// Where it sends.
    pub url: String,
    /// Its secret; empty means none, and then no signature is sent.
    pub secret: String,
    /// Subscribed events.
    pub events: Vec<String>,
    /// `json` or `form`.
    pub content_type: String,
    /// `"0"`: certificates are checked.
    pub insecure_ssl: String,
    /// Whether it sends at all.
    pub active: bool,
}

impl Default for Hook {
    fn default() -> Hook {
        Hook {
            id: 109_948_940,
            url: String::new(),
            secret: "It's a Secret to Everybody".to_owned(),
            events: ["membership", "organization", "team"].map(str::to_owned).to_vec(),
            content_type: "json".to_owned(),
            insecure_ssl: "0".to_owned(),
            active: true,
        }
    }
}
