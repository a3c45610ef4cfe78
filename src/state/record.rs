//! The vocabulary of the journal: every change of state is one of these records, written before or right after it
//! is true. A snapshot is a list of the same records, so there is one way to read either.

use serde::Serialize;

use crate::clock::Timestamp;
use crate::state::deliveries::Recent;
use crate::state::holds::{HeldChange, Hold, HoldName};
use crate::state::ids::{
    ExternalTeamId, GithubOrgId, GithubTeamId, GithubUserId, HookId, Login, OwnerName, SentryTeamId, Seq,
};
use crate::state::tagged::tagged;
use crate::state::values::{
    Binding, Delivery, DeliveryKey, Fate, Intent, Match, Mode, Rules, SentryPlace, Settled, Sizes, Status,
};

/// The version of the format that this program writes, and the newest that it reads. All older ones are read too, and
/// written anew at start. It is raised when kinds of records are added, or when a field may be absent that never was:
/// an older program would take that for damage.
pub const FORMAT: u32 = 4;

tagged! {
    #[derive(Clone, Debug, PartialEq, Serialize)]
    #[serde(tag = "t")]
    pub enum Record {
        /// First of every file.
        "format" => Format {
            /// See [`FORMAT`].
            version: u32,
            /// When the state directory was made: what "older than the first start" compares with.
            first_start: Timestamp,
        },
        /// A signed delivery was taken. Synced before the 2xx.
        "received" => Received(Delivery),
        "settled" => Settled {
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
        "failed" => Failed {
            seq: Seq,
            /// Why, and what to do.
            why: Box<str>,
            at: Timestamp,
        },
        /// A failed delivery is looked at again: redelivered or replayed.
        "again" => Again {
            seq: Seq,
        },
        /// The GitHub organisation, pinned by its id.
        "org" => Org {
            id: GithubOrgId,
            login: Login,
            /// GitHub told that it is deleted: nothing is written any more.
            deleted: bool,
        },
        /// What the GitHub token may do, found by asking.
        "mode" => Mode {
            mode: Mode,
            fingerprint: Box<str>,
            /// Whose token it is, where GitHub tells: another token of the same account has shown what the first one has.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            by: Option<GithubUserId>,
        },
        /// GitHub team and Sentry team belong together. Closes the team's intent.
        "bound" => Bound {
            team: GithubTeamId,
            binding: Binding,
        },
        /// They no longer do: the Sentry team vanished without us.
        "unbound" => Unbound {
            team: GithubTeamId,
        },
        /// The GitHub team is deleted, for good. Closes its intent and its binding.
        "gone" => Gone {
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
        "returned" => Returned {
            team: GithubTeamId,
            at: Timestamp,
            /// It has another slug than its Sentry team had: what has that in Sentry is as likely somebody else's.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            apart: bool,
        },
        /// Teams that the token in use has shown itself. Only what it has shown can it tell to be gone.
        "shown" => Shown {
            /// GitHub's teams, those that were not known to be shown.
            teams: Vec<GithubTeamId>,
        },
        /// A Sentry team that the mirror deleted was made again because a person wanted it back. It follows nobody.
        "restored" => Restored {
            deleted: SentryTeamId,
            /// The one that took its place.
            now: SentryTeamId,
        },
        /// A row of Sentry's external teams is the mirror's: made by it, or found as it should be. Only such rows are changed.
        "linked" => Linked {
            team: GithubTeamId,
            /// 0: it is about to be made, or to be given this name. Synced before the call.
            row: ExternalTeamId,
            name: OwnerName,
        },
        /// That row is not there any more, or is somebody else's by now.
        "unlinked" => Unlinked {
            row: ExternalTeamId,
        },
        /// Everybody who is in the GitHub team is still to be looked at, because its Sentry team was just made or adopted; or
        /// has been.
        "fill" => Fill {
            team: GithubTeamId,
            open: bool,
        },
        /// About to change a team in Sentry. Synced before the call.
        "intends" => Intends {
            team: GithubTeamId,
            intent: Intent,
            at: Timestamp,
        },
        /// The intended change did not and will not take place.
        "dropped" => Dropped {
            team: GithubTeamId,
        },
        /// A GitHub account is this Sentry member.
        "matched" => Matched {
            user: GithubUserId,
            /// Sentry's side and how it was found.
            found: Match,
        },
        /// The match is no longer true: the member left Sentry, or a source says otherwise.
        "unmatched" => Unmatched {
            user: GithubUserId,
        },
        "invited" => Invited {
            user: GithubUserId,
            at: Timestamp,
        },
        /// GitHub has this person in the team, Sentry does not know them yet.
        "wanted" => Wanted {
            team: GithubTeamId,
            user: GithubUserId,
            /// The login at that time.
            login: Login,
            /// Why nobody was matched.
            why: Box<str>,
            at: Timestamp,
        },
        /// Not waited for any more: added, removed, or the team is gone.
        "unwanted" => Unwanted {
            team: GithubTeamId,
            user: GithubUserId,
        },
        /// A guard stopped a change; a person decides.
        "held" => Held {
            hold: Hold,
        },
        "decided" => Decided {
            name: HoldName,
            /// Carried out, or remembered as refused.
            approved: bool,
            at: Timestamp,
        },
        /// The hold is history: carried out, expired, or no longer due.
        "released" => Released {
            name: HoldName,
        },
        /// A held change is done, or no longer due: whatever else its hold has stays.
        "not_due" => NotDue {
            change: HeldChange,
        },
        /// The journal was damaged and some records are lost: removals and deletions are held.
        "damaged" => Damaged {
            at: Timestamp,
        },
        /// GitHub was looked at as a whole: who is in the team. Older words of deliveries give way to it.
        "looked" => Looked {
            team: GithubTeamId,
            /// The place of the latest delivery when the reading began.
            seq: Seq,
            people: Vec<GithubUserId>,
        },
        /// GitHub was read completely: what a later, much shorter reading is compared with.
        "read" => Read {
            sizes: Sizes,
            at: Timestamp,
        },
        /// Other rules than at the comparison before say whom a comparison may take out.
        "rules" => Rules {
            /// Those of the comparison that was carried out now.
            rules: Rules,
        },
        /// An operator wants nothing to be written to Sentry any more.
        "paused" => Paused {
            /// Why, in their words.
            #[serde(default, skip_serializing_if = "str::is_empty")]
            reason: Box<str>,
            at: Timestamp,
        },
        /// Writing is allowed again.
        "resumed" => Resumed,
        /// A complete comparison found nothing to take away, or a person approved it: the damage is healed.
        "mended" => Mended,
        /// Whether Sentry takes a team's id in the place of its slug, found by asking.
        "team_ids" => TeamIds {
            /// Which host was asked, and about which organisation.
            place: SentryPlace,
            taken: bool,
            at: Timestamp,
        },
        /// Snapshots only: what is remembered of deliveries that are no longer queued.
        "keys" => Keys {
            /// Key, place in the order, status, when.
            keys: Vec<(DeliveryKey, Seq, Status, Timestamp)>,
        },
        /// Snapshots only: the latest word on a team and its people.
        "news" => News {
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
        "recent" => Recent {
            list: Vec<Recent>,
        },
        /// Snapshots only: a hook that has sent something.
        "hook" => Hook {
            id: HookId,
        },
        /// Snapshots only: the next delivery's place in the order.
        "next" => Next {
            seq: Seq,
        },
    }
}
