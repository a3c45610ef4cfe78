//! How a test describes people and tokens of the pretend Sentry.
//!
//! Descriptions only; [`SentryStandin`](super::SentryStandin) puts them into the world.

use super::world::InviteStatus;

/// A person to add to an organisation.
///
/// `NewMember::new("ana@acme.test").also("ana@home.test", true).github("@ana")`
#[derive(Clone, Debug)]
pub struct NewMember {
    pub(crate) email: String,
    pub(crate) name: String,
    pub(crate) username: Option<String>,
    pub(crate) role: String,
    pub(crate) verified: bool,
    pub(crate) more: Vec<(String, bool)>,
    pub(crate) joined: bool,
    pub(crate) expired: bool,
    pub(crate) active: bool,
    pub(crate) suspended: bool,
    pub(crate) service: bool,
    pub(crate) status: InviteStatus,
    pub(crate) idp_provisioned: bool,
    pub(crate) external: Vec<NewExternal>,
}

/// A name on GitHub or elsewhere that Sentry knows for a user.
#[derive(Clone, Debug)]
pub(crate) struct NewExternal {
    pub(crate) provider: String,
    pub(crate) name: String,
    pub(crate) external_id: Option<String>,
    /// The integration; the organisation's own with GitHub unless told.
    pub(crate) integration: Option<u64>,
}

impl NewMember {
    /// An active member of role `member` whose primary address is verified.
    pub fn new(email: &str) -> NewMember {
        NewMember {
            email: email.to_owned(),
            name: email.split('@').next().unwrap_or(email).to_owned(),
            username: None,
            role: "member".to_owned(),
            verified: true,
            more: Vec::new(),
            joined: true,
            expired: false,
            active: true,
            suspended: false,
            service: false,
            status: InviteStatus::Approved,
            idp_provisioned: false,
            external: Vec::new(),
        }
    }

    /// The display name.
    pub fn name(mut self, name: &str) -> NewMember {
        self.name = name.to_owned();
        self
    }

    /// The user name, when it is not the address.
    pub fn username(mut self, username: &str) -> NewMember {
        self.username = Some(username.to_owned());
        self
    }

    /// A service account: a member without a user, which has no address.
    pub fn service_account(name: &str) -> NewMember {
        NewMember { joined: false, service: true, ..NewMember::new("").name(name) }
    }

    /// The organisation role: `owner`, `manager`, `admin`, `member`, or `billing` of sentry.io.
    pub fn role(mut self, role: &str) -> NewMember {
        self.role = role.to_owned();
        self
    }

    /// The primary address was never confirmed.
    pub fn unverified(mut self) -> NewMember {
        self.verified = false;
        self
    }

    /// One more address of the same user.
    pub fn also(mut self, email: &str, verified: bool) -> NewMember {
        self.more.push((email.to_owned(), verified));
        self
    }

    /// Invited, not yet there.
    pub fn pending(mut self) -> NewMember {
        self.joined = false;
        self
    }

    /// Invited so long ago that the invite no longer works.
    pub fn expired(mut self) -> NewMember {
        self.joined = false;
        self.expired = true;
        self
    }

    /// The user was switched off.
    pub fn deactivated(mut self) -> NewMember {
        self.active = false;
        self
    }

    /// The user is suspended, and still active.
    pub fn suspended(mut self) -> NewMember {
        self.suspended = true;
        self
    }

    /// Asked to join, or was proposed.
    pub fn request(mut self, status: InviteStatus) -> NewMember {
        self.joined = false;
        self.status = status;
        self
    }

    /// Provisioned by an identity provider: may not be removed from the organisation.
    pub fn idp_provisioned(mut self) -> NewMember {
        self.idp_provisioned = true;
        self
    }

    /// A GitHub name (with `@`) that Sentry's GitHub integration knows for this user: made by hand, or guessed from commits.
    pub fn github(self, name: &str) -> NewMember {
        self.external("github", name, None, None)
    }

    /// The same with the id of a GitHub user, as Sentry makes it of a linked identity.
    pub fn github_user(self, name: &str, id: u64) -> NewMember {
        self.external("github", name, Some(&id.to_string()), None)
    }

    /// A name that any integration knows for this user: its provider, the name, the other side's id, the integration
    /// (of [`add_integration`](super::SentryStandin::add_integration)).
    pub fn external(
        mut self,
        provider: &str,
        name: &str,
        external_id: Option<&str>,
        integration: Option<u64>,
    ) -> NewMember {
        let (provider, name) = (provider.to_owned(), name.to_owned());
        self.external.push(NewExternal {
            provider,
            name,
            external_id: external_id.map(str::to_owned),
            integration,
        });
        self
    }
}

impl From<&str> for NewMember {
    fn from(email: &str) -> NewMember {
        NewMember::new(email)
    }
}

/// A token to add.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub(crate) member: Option<u64>,
    pub(crate) org_token: bool,
    pub(crate) scopes: Vec<String>,
    pub(crate) expired: bool,
}

impl NewToken {
    /// The token of an internal integration with these scopes.
    pub fn integration(scopes: &[&str]) -> NewToken {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        NewToken { member: None, org_token: false, scopes, expired: false }
    }

    /// A token of the user behind this member.
    pub fn user(member: u64, scopes: &[&str]) -> NewToken {
        NewToken { member: Some(member), ..NewToken::integration(scopes) }
    }

    /// An organisation token (`sntrys_…`); its only scope is `org:ci`.
    pub fn org() -> NewToken {
        NewToken { org_token: true, ..NewToken::integration(&["org:ci"]) }
    }

    /// Its time is over.
    pub fn expired(mut self) -> NewToken {
        self.expired = true;
        self
    }
}

/// Team: Admin and Member: Read & Write. Cannot list teams.
pub fn original_permissions() -> NewToken {
    NewToken::integration(&["team:read", "team:write", "team:admin", "member:read", "member:write"])
}

/// May read everything and only ask to change who is in a team: Sentry answers 202 where open membership is off.
pub fn asking_permissions() -> NewToken {
    NewToken::integration(&["org:read", "member:read", "team:read", "team:admin"])
}

/// The same as the original's and Organization: Read.
pub fn mirror_permissions() -> NewToken {
    NewToken::integration(&[
        "org:read",
        "team:read",
        "team:write",
        "team:admin",
        "member:read",
        "member:write",
    ])
}
