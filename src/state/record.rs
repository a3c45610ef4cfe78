//! The vocabulary of the journal: every change of state is one of these records, written before or right after it
//! is true. A snapshot is a list of the same records, so there is one way to read either.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::state::deliveries::Recent;
use crate::state::event::Event;
use crate::state::holds::{HeldChange, Hold, HoldName};
use crate::state::ids::{
    GithubOrgId, GithubTeamId, GithubUserId, HookId, Login, MemberId, SentrySlug, SentryTeamId, Seq,
};
use crate::state::tagged::tagged;

/// The version of the format that this program writes, and the newest that it reads. All older ones are read too, and
/// written anew at start. It is raised when kinds of records are added, or when a field may be absent that never was:
/// an older program would take that for damage.
pub const FORMAT: u32 = 3;

tagged! {
    /// One change of state.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    #[serde(tag = "t")]
    pub enum Record {
        /// First of every file.
        #[serde(rename = "format")]
        Format {
            /// See [`FORMAT`].
            version: u32,
            /// When the state directory was made: what "older than the first start" compares with.
            first_start: Timestamp,
        },
        /// A signed delivery was taken. Synced before the 2xx.
        #[serde(rename = "received")]
        Received(Delivery),
        /// Deliveries are dealt with.
        #[serde(rename = "settled")]
        Settled {
            seqs: Vec<Seq>,
            how: Settled,
            /// What they caused, for people.
            note: Box<str>,
            /// The hold that they wait for.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            hold: Option<HoldName>,
            at: Timestamp,
        },
        /// A delivery that can not be carried out; kept, with its event, until somebody replays it.
        #[serde(rename = "failed")]
        Failed {
            seq: Seq,
            /// Why, and what to do.
            why: Box<str>,
            at: Timestamp,
        },
        /// A failed delivery is looked at again: redelivered or replayed.
        #[serde(rename = "again")]
        Again {
            seq: Seq,
        },
        /// The GitHub organisation, pinned by its id.
        #[serde(rename = "org")]
        Org {
            id: GithubOrgId,
            login: Login,
            /// GitHub told that it is deleted: nothing is written any more.
            deleted: bool,
        },
        /// What the GitHub token may do, found by asking.
        #[serde(rename = "mode")]
        Mode {
            mode: Mode,
            fingerprint: Box<str>,
            /// Whose token it is, where GitHub tells: another token of the same account has shown what the first one has.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            by: Option<GithubUserId>,
        },
        /// GitHub team and Sentry team belong together. Closes the team's intent.
        #[serde(rename = "bound")]
        Bound {
            team: GithubTeamId,
            binding: Binding,
        },
        /// They no longer do: the Sentry team vanished without us.
        #[serde(rename = "unbound")]
        Unbound {
            team: GithubTeamId,
        },
        /// The GitHub team is deleted, for good. Closes its intent and its binding.
        #[serde(rename = "gone")]
        Gone {
            team: GithubTeamId,
            /// What became of its Sentry team.
            fate: Fate,
            /// Its slug proves nothing; what the state itself knows of that is added to it.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            apart: bool,
            /// The Sentry team that had followed it, where a snapshot tells it; otherwise the state knows that itself.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            was: Option<Binding>,
            at: Timestamp,
        },
        /// GitHub shows a team again whose end was known: that end counts no more.
        #[serde(rename = "returned")]
        Returned {
            team: GithubTeamId,
            at: Timestamp,
        },
        /// Teams that the token in use has shown itself. Only what it has shown can it tell to be gone.
        #[serde(rename = "shown")]
        Shown {
            /// GitHub's teams, those that were not known to be shown.
            teams: Vec<GithubTeamId>,
        },
        /// A Sentry team that the mirror deleted was made again because a person wanted it back. It follows nobody.
        #[serde(rename = "restored")]
        Restored {
            deleted: SentryTeamId,
            /// The one that took its place.
            now: SentryTeamId,
        },
        /// Everybody who is in the GitHub team is still to be looked at, because its Sentry team was just made or adopted; or
        /// has been.
        #[serde(rename = "fill")]
        Fill {
            team: GithubTeamId,
            /// Still to be done.
            open: bool,
        },
        /// About to change a team in Sentry. Synced before the call.
        #[serde(rename = "intends")]
        Intends {
            team: GithubTeamId,
            intent: Intent,
            at: Timestamp,
        },
        /// The intended change did not and will not take place.
        #[serde(rename = "dropped")]
        Dropped {
            team: GithubTeamId,
        },
        /// A GitHub account is this Sentry member.
        #[serde(rename = "matched")]
        Matched {
            user: GithubUserId,
            /// Sentry's side and how it was found.
            found: Match,
        },
        /// The match is no longer true: the member left Sentry, or a source says otherwise.
        #[serde(rename = "unmatched")]
        Unmatched {
            user: GithubUserId,
        },
        /// This person was invited to Sentry.
        #[serde(rename = "invited")]
        Invited {
            user: GithubUserId,
            at: Timestamp,
        },
        /// GitHub has this person in the team, Sentry does not know them yet.
        #[serde(rename = "wanted")]
        Wanted {
            team: GithubTeamId,
            user: GithubUserId,
            /// The login at that time.
            login: Login,
            /// Why nobody was matched.
            why: Box<str>,
            at: Timestamp,
        },
        /// Not waited for any more: added, removed, or the team is gone.
        #[serde(rename = "unwanted")]
        Unwanted {
            team: GithubTeamId,
            user: GithubUserId,
        },
        /// A guard stopped a change; a person decides.
        #[serde(rename = "held")]
        Held {
            hold: Hold,
        },
        #[serde(rename = "decided")]
        Decided {
            name: HoldName,
            /// Carried out, or remembered as refused.
            approved: bool,
            at: Timestamp,
        },
        /// The hold is history: carried out, expired, or no longer due.
        #[serde(rename = "released")]
        Released {
            name: HoldName,
        },
        /// A held change is done, or no longer due: whatever else its hold has stays.
        #[serde(rename = "not_due")]
        NotDue {
            change: HeldChange,
        },
        /// The journal was damaged and some records are lost: removals and deletions are held.
        #[serde(rename = "damaged")]
        Damaged {
            /// When it was found.
            at: Timestamp,
        },
        /// GitHub was looked at as a whole: who is in the team. Older words of deliveries give way to it.
        #[serde(rename = "looked")]
        Looked {
            team: GithubTeamId,
            /// The place of the latest delivery when the reading began.
            seq: Seq,
            people: Vec<GithubUserId>,
        },
        /// GitHub was read completely: what a later, much shorter reading is compared with.
        #[serde(rename = "read")]
        Read {
            /// How much it was.
            sizes: Sizes,
            at: Timestamp,
        },
        /// Other rules than at the comparison before say whom a comparison may take out.
        #[serde(rename = "rules")]
        Rules {
            /// Those of the comparison that was carried out now.
            rules: Rules,
        },
        /// An operator wants nothing to be written to Sentry any more.
        #[serde(rename = "paused")]
        Paused {
            /// Why, in their words.
            #[serde(default, skip_serializing_if = "str::is_empty")]
            reason: Box<str>,
            at: Timestamp,
        },
        /// Writing is allowed again.
        #[serde(rename = "resumed")]
        Resumed,
        /// A complete comparison found nothing to take away, or a person approved it: the damage is healed.
        #[serde(rename = "mended")]
        Mended,
        /// Whether Sentry takes a team's id in the place of its slug, found by asking.
        #[serde(rename = "team_ids")]
        TeamIds {
            /// Which host was asked, and about which organisation.
            place: SentryPlace,
            taken: bool,
            at: Timestamp,
        },
        /// Snapshots only: what is remembered of deliveries that are no longer queued.
        #[serde(rename = "keys")]
        Keys {
            /// Key, place in the order, status, when.
            keys: Vec<(DeliveryKey, Seq, Status, Timestamp)>,
        },
        /// Snapshots only: the latest word on a team and its people.
        #[serde(rename = "news")]
        News {
            team: GithubTeamId,
            /// A `created` was received for it.
            born: bool,
            named: Option<Seq>,
            /// The first rename.
            first_named: Option<Seq>,
            /// Person, in the team or not, by which delivery.
            people: Vec<(GithubUserId, bool, Seq)>,
        },
        /// Snapshots only: what was dealt with last, for people, oldest first.
        #[serde(rename = "recent")]
        Recent {
            list: Vec<Recent>,
        },
        /// Snapshots only: a hook that has sent something.
        #[serde(rename = "hook")]
        Hook {
            id: HookId,
        },
        /// Snapshots only: the next delivery's place in the order.
        #[serde(rename = "next")]
        Next {
            seq: Seq,
        },
    }
}

/// The settings that say whom a comparison may take out, in the words in which they are set: what is wider at the next
/// comparison is told by comparing them.
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
}

/// One Sentry organisation, as it is configured. Ids of teams mean nothing elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentryPlace {
    /// `SENTRY_URL`.
    pub host: Box<str>,
    /// `SENTRY_ORG_SLUG`.
    pub org: Box<str>,
}

/// How much a complete reading of GitHub was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    pub teams: usize,
    /// People in teams, each once.
    pub people: usize,
    pub memberships: usize,
}

/// A delivery as it is kept: what it says, not its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its place in the order of arrival.
    pub seq: Seq,
    /// When it arrived first.
    pub at: Timestamp,
    /// Two hooks may send the same event under the same GUID: the key is both.
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
    /// GUIDs are compared without case: they are hexadecimal.
    pub fn new(hook: HookId, guid: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(hook.0.to_be_bytes());
        hash.update(guid.to_ascii_lowercase().as_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&hash.finalize()[..16]);
        Self(u128::from_be_bytes(half))
    }
}

// JSON has no 128-bit numbers that every reader keeps; the key is written as 32 hex digits.
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

/// How a delivery was dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settled {
    /// Sentry is as the delivery (or GitHub, looked at again) says, or there was nothing to do.
    Done,
    /// Newer news on the same team and person had been received.
    Superseded,
    /// A guard stopped it; see the holds.
    Held,
}

/// What is remembered of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Waiting or being worked on.
    Queued,
    /// See [`Settled::Done`].
    Done,
    /// See [`Settled::Superseded`].
    Superseded,
    /// See [`Settled::Held`].
    Held,
    /// See [`Record::Failed`].
    Failed,
}

/// What the GitHub token allows, and with it where the truth comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The deliveries are the truth, in the order they arrived.
    Payload,
    /// GitHub is the truth, read again by id.
    Read,
}

/// A Sentry team that follows a GitHub team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Sentry's key of the team.
    pub sentry: SentryTeamId,
    /// Its slug when last seen: how Sentry's API addresses it.
    pub slug: SentrySlug,
    /// Its name when last seen.
    pub name: Box<str>,
    pub origin: Origin,
}

/// Who made a bound Sentry team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Created,
    /// It was there before.
    Adopted,
}

/// What became of the Sentry team of a deleted GitHub team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It was deleted or emptied, by us: counts against the hour's limit.
    Deleted,
    /// It was left alone, or there was none.
    Left,
    /// None followed it, and no event had told its slug: a later deletion that tells one may still find it.
    NotFound,
}

tagged! {
    /// A change of a team in Sentry that is under way.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
    #[serde(tag = "is")]
    pub enum Intent {
        /// A team is made. The slug was free when this was written.
        #[serde(rename = "creating")]
        Creating {
            slug: SentrySlug,
            name: Box<str>,
        },
        /// A bound team gets another slug and name.
        #[serde(rename = "renaming")]
        Renaming {
            /// The slug until now.
            from: SentrySlug,
            /// The slug from then on.
            to: SentrySlug,
            /// The name from then on.
            name: Box<str>,
        },
        /// A team is deleted.
        #[serde(rename = "deleting")]
        Deleting {
            sentry: SentryTeamId,
            slug: SentrySlug,
        },
        /// A deleted team is made again, with its people and projects. Open until all of it is done: only the command that
        /// asked for it goes on with it.
        #[serde(rename = "restoring")]
        Restoring {
            sentry: SentryTeamId,
            /// Its slug, free when this was written.
            slug: SentrySlug,
            name: Box<str>,
        },
    }
}

/// A GitHub account's Sentry member, remembered because GitHub stops telling addresses the moment somebody leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    pub member: MemberId,
    /// The login at that time.
    pub login: Login,
    /// Which source said so.
    pub source: Source,
    pub at: Timestamp,
}

/// Where an answer to "who is this in Sentry?" comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// `SYNC_USER_MAP`.
    Map,
    /// External users of Sentry's GitHub integration, by the GitHub user's id.
    Sentry,
    /// The same by login alone: made by hand, or guessed by Sentry. Asked just before [`Source::Public`], and as weak.
    SentryLogin,
    /// The organisation's single sign-on.
    Saml,
    /// Addresses on the organisation's verified domains.
    Verified,
    /// The address on the public profile.
    Public,
}

impl Source {
    /// Whether anybody could have written what it says: nobody is taken out of a team by a comparison for it.
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
