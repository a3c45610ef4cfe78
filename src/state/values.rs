//! The values in records: deliveries, modes, bindings, intents, matches.
//!
//! Their JSON is on disk, so it must never change without a new version of the journal's format. Nothing here may use a
//! record or the fold over records.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::state::event::Event;
use crate::state::ids::{HookId, Login, MemberId, SentrySlug, SentryTeamId, Seq};
use crate::state::tagged::tagged;

/// The settings that decide whom a comparison may remove, as the operator wrote them. The next comparison compares them
/// with its own, to see what has become wider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// `SYNC_REMOVE_MEMBERS`.
    pub remove: Box<str>,
    /// `SYNC_TRUST_UNVERIFIED`.
    pub trust: Box<str>,
    /// `SYNC_TEAMS`.
    pub teams: Box<str>,
    /// `SYNC_CHILD_MEMBERS`.
    pub children: Box<str>,
    /// `SYNC_IDENTITY`.
    pub identity: Box<str>,
    /// `SYNC_CODEOWNERS`. Older versions had no links and did not write it.
    #[serde(default = "no_links")]
    pub links: Box<str>,
}

fn no_links() -> Box<str> {
    "never".into()
}

/// A configured Sentry organisation. Team ids are valid only within one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentryPlace {
    /// `SENTRY_URL`.
    pub host: Box<str>,
    /// `SENTRY_ORG_SLUG`.
    pub org: Box<str>,
}

/// The size of a complete read of GitHub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    pub teams: usize,
    /// People in teams, each counted once.
    pub people: usize,
    pub memberships: usize,
}

/// A delivery as it is stored: its meaning, not its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its place in the order of arrival.
    pub seq: Seq,
    /// When it first arrived.
    pub at: Timestamp,
    /// Part of the key, because two webhooks may send different events under the same GUID.
    pub hook: HookId,
    /// `X-GitHub-Delivery`.
    pub guid: Box<str>,
    pub event: Event,
}

impl Delivery {
    /// The key under which it is remembered.
    pub fn key(&self) -> DeliveryKey {
        DeliveryKey::new(self.hook, &self.guid)
    }
}

/// Hook and GUID in 16 bytes: half a SHA-256, so that 100,000 remembered deliveries fit into a few MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryKey(pub u128);

impl DeliveryKey {
    /// GUIDs are hexadecimal, so case is ignored.
    pub fn new(hook: HookId, guid: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(hook.0.to_be_bytes());
        hash.update(guid.to_ascii_lowercase().as_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&hash.finalize()[..16]);
        Self(u128::from_be_bytes(half))
    }
}

// Not every JSON reader keeps 128-bit numbers, so the key is written as 32 hex digits.
impl Serialize for DeliveryKey {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{:032x}", self.0))
    }
}

impl<'de> Deserialize<'de> for DeliveryKey {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        u128::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    /// Sentry is as the delivery (or a new read of GitHub) says, or there was nothing to do.
    Done,
    /// A newer delivery on the same team and person had arrived.
    Superseded,
    /// A guard stopped it; see the holds.
    Held,
}

/// The remembered status of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Queued,
    Done,
    Superseded,
    Held,
    /// It could not be carried out, and stays failed until it is replayed or redelivered.
    Failed,
}

/// Whose data the mirror trusts. The GitHub token's permissions determine it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Webhook payloads are trusted as they are, in the order in which they arrived.
    Payload,
    /// Every event is verified with GitHub, which is read again by id.
    Read,
}

/// A Sentry team that follows a GitHub team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The team's key in Sentry.
    pub sentry: SentryTeamId,
    /// Its slug when last seen, by which Sentry's API addresses it.
    pub slug: SentrySlug,
    /// Its name when last seen.
    pub name: Box<str>,
    pub origin: Origin,
}

/// Whether the mirror made a bound Sentry team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Created,
    /// The team existed already.
    Adopted,
}

/// How the Sentry team of a deleted GitHub team ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The mirror deleted or emptied it. This counts against the hour's limit.
    Deleted,
    /// It was left alone, or there was none.
    Left,
    /// There was none, and no event had named the slug. A later deletion that names one may still find a team.
    NotFound,
}

tagged! {
    /// A change of a team in Sentry that is under way.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
    #[serde(tag = "is")]
    pub enum Intent {
        /// A team is being made. Its slug was free when this was written.
        "creating" => Creating {
            slug: SentrySlug,
            name: Box<str>,
        },
        /// A bound team is getting another slug and name.
        "renaming" => Renaming {
            from: SentrySlug,
            to: SentrySlug,
            name: Box<str>,
        },
        "deleting" => Deleting {
            sentry: SentryTeamId,
            slug: SentrySlug,
        },
        /// A deleted team is being made again, with its people and projects. Open until all of that is done; only the
        /// operation that began it continues it.
        "restoring" => Restoring {
            sentry: SentryTeamId,
            /// Its slug, free when this was written.
            slug: SentrySlug,
            name: Box<str>,
            /// GitHub showed the team again. Otherwise, a person asked for it.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            shown: bool,
        },
    }
}

impl Intent {
    /// The slug that the team is about to get.
    pub fn slug(&self) -> Option<&SentrySlug> {
        match self {
            Intent::Creating { slug, .. }
            | Intent::Renaming { to: slug, .. }
            | Intent::Restoring { slug, .. } => Some(slug),
            Intent::Deleting { .. } => None,
        }
    }
}

/// A GitHub account's Sentry member. Remembered, because GitHub stops showing addresses the moment somebody leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    pub member: MemberId,
    /// The login at that time.
    pub login: Login,
    pub source: Source,
    pub at: Timestamp,
}

/// Where the answer to "who is this in Sentry?" comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// `SYNC_USER_MAP`.
    Map,
    /// External users of Sentry's GitHub integration, by the GitHub user's id.
    Sentry,
    /// The same by login alone: set by hand, or guessed by Sentry. Asked before [`Source::Public`], and just as weak.
    SentryLogin,
    /// The organisation's single sign-on.
    Saml,
    /// Addresses on the organisation's verified domains.
    Verified,
    /// The address on the public profile.
    Public,
}

impl Source {
    /// Whether anybody could have written what it says. No comparison removes a person because of such a match.
    pub fn is_weak(self) -> bool {
        matches!(self, Source::SentryLogin | Source::Public)
    }

    /// The name in `SYNC_IDENTITY`, logs and reports.
    pub fn name(self) -> &'static str {
        match self {
            Source::Map => "map",
            Source::Sentry => "sentry",
            Source::SentryLogin => "sentry-login",
            Source::Saml => "saml",
            Source::Verified => "verified",
            Source::Public => "public",
        }
    }
}
