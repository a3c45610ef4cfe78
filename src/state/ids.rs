//! Ids and names of both sides as types, so that mixing two of them does not compile.
//!
//! GitHub's ids are the keys of everything, because slugs, logins and names change. Sentry sends its ids as JSON
//! strings of digits; here they are numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

number_id! {
    /// A GitHub organisation. Survives a rename; the login does not.
    GithubOrgId
}
number_id! {
    /// A GitHub team. Survives a rename, a new parent and a new slug; never reused.
    GithubTeamId
}
number_id! {
    /// A GitHub account. Survives a change of login.
    GithubUserId
}
number_id! {
    /// A GitHub webhook, from `X-GitHub-Hook-ID`. 0 if a relay has dropped the header.
    HookId
}
number_id! {
    /// A GitHub App's installation on one organisation. Installing it again gives a new id.
    InstallationId
}
number_id! {
    SentryTeamId
}
number_id! {
    /// A membership row of a Sentry organisation. Not the user's id; a person who leaves and returns gets a new one.
    MemberId
}
number_id! {
    /// A row of Sentry's external teams: one team name in CODEOWNERS, and the Sentry team that it refers to.
    ExternalTeamId
}
number_id! {
    /// Sentry's installation of its integration with a GitHub organisation.
    IntegrationId
}
number_id! {
    /// A delivery's place in the order of arrival: the journal's own count, from 1.
    Seq
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Box<str>);

        impl $name {
            /// The text as it came.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
    };
}

text_id! {
    /// A team's slug on GitHub. May be empty, all digits, longer than 50 characters or begin with `ent:`.
    GithubSlug
}
text_id! {
    /// A team's slug in Sentry, by which its API addresses it. Made from a [`GithubSlug`] by [`crate::state::slug`].
    SentrySlug
}
text_id! {
    /// A GitHub account's name. It can change, and a stranger can take a free one, so it is never a key.
    Login
}

text_id! {
    /// A team as CODEOWNERS names it: `@acme/crew`, in GitHub's own spelling. Sentry compares it letter by letter.
    OwnerName
}

impl ExternalTeamId {
    /// The id of a row that is only about to be made or changed.
    pub const NONE: Self = Self(0);
}

impl OwnerName {
    /// The name of a team of this organisation. `None` if CODEOWNERS cannot name it: enterprise teams (`ent:…`) cannot
    /// own anything.
    pub fn of(org: &Login, team: &GithubSlug) -> Option<Self> {
        let fits =
            |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_.-".contains(c));
        (fits(org.as_str()) && fits(team.as_str())).then(|| Self(format!("@{org}/{team}").into()))
    }

    /// The organisation, without the `@`.
    pub fn org(&self) -> &str {
        self.0.strip_prefix('@').and_then(|name| name.split_once('/')).map_or("", |(org, _)| org)
    }
}

impl Login {
    /// GitHub ignores case in logins.
    pub fn is(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}
