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
    pub(crate) status: InviteStatus,
    pub(crate) idp_provisioned: bool,
    pub(crate) external: Vec<(String, String)>,
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

    /// The organisation role: `owner`, `manager`, `admin` or `member`.
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

    /// A GitHub name (with `@`) that Sentry's GitHub integration knows for this user.
    pub fn github(mut self, name: &str) -> NewMember {
        self.external.push(("github".to_owned(), name.to_owned()));
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
