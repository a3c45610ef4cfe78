//! The vocabulary of the journal. Every change of state is one of these records, written before the change or right
//! after it. A snapshot is a list of the same records, so both are read in the same way.

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

/// The version of the format that this program writes, and the newest that it reads. It reads all older ones, and
/// rewrites them at start. Raise it for a new kind of record, or if a field may be absent that never was before: an
/// older program would take either for damage.
pub const FORMAT: u32 = 4;

tagged! {
    #[derive(Clone, Debug, PartialEq, Serialize)]
    #[serde(tag = "t")]
    pub enum Record {
        /// The first record of every file.
        "format" => Format {
            /// See [`FORMAT`].
            version: u32,
            /// When the state directory was made, which is the mirror's first start.
            first_start: Timestamp,
        },
        /// A signed delivery was accepted. Synced before the 2xx.
        "received" => Received(Delivery),
        "settled" => Settled {
            seqs: Vec<Seq>,
            how: Settled,
            /// Their effect, in words for people.
            note: Box<str>,
            /// The hold that they wait for.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            hold: Option<HoldName>,
            at: Timestamp,
        },
        /// A delivery could not be carried out. It is kept, with its event, until it is replayed or redelivered.
        "failed" => Failed {
            seq: Seq,
            /// Why, and what to do.
            why: Box<str>,
            at: Timestamp,
        },
        /// A failed delivery is processed again, because it was redelivered or replayed.
        "again" => Again {
            seq: Seq,
        },
        /// The GitHub organisation, pinned by its id.
        "org" => Org {
            id: GithubOrgId,
            login: Login,
            /// GitHub reported that it was deleted. Nothing is written any more.
            deleted: bool,
        },
        /// The token's permissions, found by asking GitHub.
        "mode" => Mode {
            mode: Mode,
            fingerprint: Box<str>,
            /// The token's account, if GitHub shows it. All its tokens count as having shown the same teams.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            by: Option<GithubUserId>,
        },
        /// A GitHub team and a Sentry team belong together. Closes the team's intent.
        "bound" => Bound {
            team: GithubTeamId,
            binding: Binding,
        },
        /// They no longer belong together: somebody else removed the Sentry team.
        "unbound" => Unbound {
            team: GithubTeamId,
        },
        /// The GitHub team was deleted. Closes its intent and its binding.
        "gone" => Gone {
            team: GithubTeamId,
            /// How its Sentry team ended.
            fate: Fate,
            /// Its slug proves nothing. Also set if the state itself knows a reason.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            apart: bool,
            /// The Sentry team that followed it. Only in snapshots; otherwise the state takes it from the binding.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            was: Option<Binding>,
            at: Timestamp,
        },
        /// GitHub shows a team again that had ended. The end no longer counts.
        "returned" => Returned {
            team: GithubTeamId,
            at: Timestamp,
            /// Its slug has changed. A Sentry team that has the new one may as well be somebody else's.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            apart: bool,
        },
        /// Teams that the token in use has shown. Only of these does its 404 mean that the team is gone.
        "shown" => Shown {
            /// GitHub's teams, without those that were known already.
            teams: Vec<GithubTeamId>,
        },
        /// A deleted Sentry team was made again, because a person asked for it or GitHub showed its team again.
        "restored" => Restored {
            deleted: SentryTeamId,
            /// The one that took its place. Only [`Record::Bound`] makes it follow a team.
            now: SentryTeamId,
        },
        /// A row of Sentry's external teams is the mirror's: made by it, or found correct. Only such rows are changed.
        "linked" => Linked {
            team: GithubTeamId,
            /// 0 while it is about to be made, or to get this name. Synced before the call.
            row: ExternalTeamId,
            name: OwnerName,
        },
        /// The row no longer exists, or is somebody else's by now.
        "unlinked" => Unlinked {
            row: ExternalTeamId,
        },
        /// Whether everybody in the GitHub team is still to be checked. That is needed after its Sentry team was made
        /// or adopted.
        "fill" => Fill {
            team: GithubTeamId,
            open: bool,
        },
        /// A team in Sentry is about to be changed. Synced before the call.
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
            /// The Sentry member, and how it was found.
            found: Match,
        },
        /// The match no longer holds: the member left Sentry, or a source contradicts it.
        "unmatched" => Unmatched {
            user: GithubUserId,
        },
        "invited" => Invited {
            user: GithubUserId,
            at: Timestamp,
        },
        /// GitHub has this person in the team, but Sentry does not know them yet.
        "wanted" => Wanted {
            team: GithubTeamId,
            user: GithubUserId,
            /// The login at that time.
            login: Login,
            /// Why no member was matched.
            why: Box<str>,
            at: Timestamp,
        },
        /// The person is no longer waited for: added, removed, or the team is gone.
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
            /// Carry it out; otherwise remember it as rejected.
            approved: bool,
            at: Timestamp,
        },
        /// The hold is over: carried out, expired, or no longer needed.
        "released" => Released {
            name: HoldName,
        },
        /// A held change was carried out or is no longer needed. The other changes of its hold stay.
        "not_due" => NotDue {
            change: HeldChange,
        },
        /// The journal was damaged and some records were lost. Removals and deletions are held.
        "damaged" => Damaged {
            at: Timestamp,
        },
        /// The members of the team were read from GitHub. This overrides older deliveries.
        "looked" => Looked {
            team: GithubTeamId,
            /// The place of the latest delivery when the read began.
            seq: Seq,
            people: Vec<GithubUserId>,
        },
        /// GitHub was read completely. A later, much shorter read is compared with this one.
        "read" => Read {
            sizes: Sizes,
            at: Timestamp,
        },
        /// A comparison was carried out under other rules than the previous one. They decide whom it may remove.
        "rules" => Rules {
            rules: Rules,
        },
        /// An operator paused writes to Sentry.
        "paused" => Paused {
            #[serde(default, skip_serializing_if = "str::is_empty")]
            reason: Box<str>,
            at: Timestamp,
        },
        /// Writing is allowed again.
        "resumed" => Resumed,
        /// A complete comparison found nothing to remove, or a person approved it. The damage no longer matters.
        "mended" => Mended,
        /// Whether Sentry accepts a team's id in place of its slug, found by asking.
        "team_ids" => TeamIds {
            /// The host and the organisation for which it was asked.
            place: SentryPlace,
            taken: bool,
            at: Timestamp,
        },
        /// Snapshots only: the remembered deliveries that are neither queued nor failed.
        "keys" => Keys {
            /// Key, place in the order, status, time.
            keys: Vec<(DeliveryKey, Seq, Status, Timestamp)>,
        },
        /// Snapshots only: the latest news on a team and its people.
        "news" => News {
            team: GithubTeamId,
            /// A `created` event arrived for it.
            born: bool,
            named: Option<Seq>,
            /// The first rename.
            first_named: Option<Seq>,
            /// Person, whether they are in the team, and the delivery that said so.
            people: Vec<(GithubUserId, bool, Seq)>,
        },
        /// Snapshots only: the last settled or failed deliveries, for people, oldest first.
        "recent" => Recent {
            list: Vec<Recent>,
        },
        /// Snapshots only: a webhook that has sent a delivery.
        "hook" => Hook {
            id: HookId,
        },
        /// Snapshots only: the next delivery's place in the order.
        "next" => Next {
            seq: Seq,
        },
    }
}
