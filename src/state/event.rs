//! The meaning of a payload: the few fields that matter, checked against the event name. Pure.
//!
//! The signature covers the body but not the headers, so the body must confirm what `X-GitHub-Event` claims: a
//! `team.deleted` sent under the name `organization` would otherwise stop the whole mirror. Unknown fields, events and
//! actions are normal: GitHub adds them at any time.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::state::ids::{GithubOrgId, GithubSlug, GithubTeamId, GithubUserId, InstallationId, Login};
use crate::state::slug;
use crate::state::tagged::tagged;

tagged! {
    /// A change that GitHub reports, reduced to what the mirror needs; at most 1 KiB in the journal.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
    #[serde(tag = "is")]
    pub enum Event {
        /// `team.created`.
        "team_created" => TeamCreated {
            team: TeamRef,
        },
        /// `team.edited`, whatever was edited.
        "team_edited" => TeamEdited {
            /// The team as it is now.
            team: TeamRef,
            /// The slug that belonged to the old name; `None` if the name did not change.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            slug_before: Option<GithubSlug>,
        },
        /// `team.deleted`, or another event whose team is marked `deleted: true`.
        "team_deleted" => TeamDeleted {
            team: TeamRef,
        },
        /// `membership.added` or `.removed`.
        "membership" => Membership {
            team: TeamRef,
            /// GitHub may send `null`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            person: Option<Person>,
            change: Change,
        },
        /// `organization.member_added`.
        "member_added" => MemberAdded {
            /// Who joined the organisation; GitHub may send `null`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            person: Option<Person>,
        },
        /// `organization.member_removed`.
        "member_removed" => MemberRemoved {
            /// Who left the organisation; GitHub may send `null`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            person: Option<Person>,
        },
        /// `organization.renamed`, or `installation_target.renamed` for an App.
        "org_renamed" => OrgRenamed {
            /// The new login, from the same body.
            login: Login,
        },
        /// `organization.deleted`.
        "org_deleted" => OrgDeleted,
    }
}

/// Whether somebody joined or left a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Added,
    Removed,
}

/// A team as an event shows it. Only `id` and `name` are always there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamRef {
    /// The only stable key.
    pub id: GithubTeamId,
    /// Free text, cut to 64 characters, the most that Sentry accepts.
    pub name: Box<str>,
    /// The slug at the time of the event; absent on deleted teams and in minimal payloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<GithubSlug>,
    /// The parent team, if the event shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<GithubTeamId>,
}

/// An account as an event shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The key, because logins change hands.
    pub id: GithubUserId,
    /// The login at the time of the event.
    pub login: Login,
    /// GitHub says that this account is not a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bot: bool,
}

/// The organisation that an event belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgRef {
    pub id: GithubOrgId,
    /// The login at the time of the event.
    pub login: Login,
}

/// A webhook's settings, as `ping` or the list of webhooks shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ping {
    /// `Organization`, `Repository`, `App`, …
    pub hook_type: String,
    /// The events that the webhook sends; `None` if the body does not say.
    pub events: Option<Vec<String>>,
    /// `json` or `form`.
    pub content_type: String,
    /// The webhook does not check the service's certificate.
    pub insecure: bool,
}

/// A body that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Absent only in `ping`, in `installation`, and in events that are ignored.
    pub org: Option<OrgRef>,
    pub meaning: Meaning,
}

/// How the service uses a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    Change(Event),
    /// The webhook was created or tested.
    Ping(Ping),
    /// The GitHub App that the service signs in as has lost or gained access.
    Installation(InstallationNews),
    /// There is nothing to mirror; the text says why.
    Ignored(String),
}

/// GitHub's news on an App's installation. It is a hint: the service asks GitHub for the facts with the App's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstallationNews {
    pub id: InstallationId,
    /// It was deleted or suspended. Otherwise it was created, unsuspended, or given other permissions.
    pub is_gone: bool,
}

/// Longer logins and slugs do not exist, and a record must stay small. In bytes.
const TEXT_LIMIT: usize = 255;

/// Reads the body of a delivery whose `X-GitHub-Event` is `name`. The error is the second half of a sentence.
pub fn parse(name: &str, body: &[u8]) -> Result<Parsed, String> {
    let body: Body = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let action = body.action.clone().unwrap_or_default();
    let meaning = match name {
        "ping" => Meaning::Ping(body.ping()?),
        "team" => body.team_event(&action)?,
        "membership" => body.membership_event(&action)?,
        "organization" => body.organization_event(&action)?,
        "installation" => body.installation_event(&action)?,
        "installation_target" => body.target_event(&action)?,
        _ => Meaning::Ignored(format!("`{}` events change no team", crate::text::plain(name, 60))),
    };
    // For an App, events about its installation come without an `organization`.
    let given = body.account.as_ref().or_else(|| body.installation.as_ref()?.get("account"));
    let org = body.organization.or_else(|| account(given?));
    let org = org.map(|org| OrgRef { id: org.id, login: Login::from(org.login) });
    if org.is_none() && matches!(meaning, Meaning::Change(_)) {
        return Err(lacks(name, "organization"));
    }
    Ok(Parsed { org, meaning })
}

fn unreadable(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Data => format!("the body is not an event of GitHub: {error}"),
        _ => format!("the body is not JSON: {error}"),
    }
}

/// The one shape that all bodies are read into. `member` distinguishes "absent" from "null".
///
/// GitHub's own schema allows `null` or nothing at all for most fields. Only ids and names that the mirror cannot work
/// without are required. Everything else is an `Option`, so that no delivery is lost because it lacks a field.
#[derive(Deserialize)]
struct Body {
    action: Option<String>,
    organization: Option<OrgBody>,
    team: Option<TeamBody>,
    #[serde(default, deserialize_with = "present")]
    member: Option<Option<UserBody>>,
    membership: Option<MembershipBody>,
    changes: Option<ChangesBody>,
    zen: Option<String>,
    hook: Option<Value>,
    // Every delivery to an App names its installation, mostly by its id alone.
    installation: Option<Value>,
    account: Option<Value>,
}

fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

#[derive(Deserialize)]
struct OrgBody {
    id: GithubOrgId,
    login: String,
}

/// The organisation that owns an installation. `None` for a person's, and for an enterprise's, which has no login.
fn account(account: &Value) -> Option<OrgBody> {
    let is_orgs = account.get("type").is_none_or(|kind| kind == "Organization");
    let id = GithubOrgId(account.get("id")?.as_u64()?);
    Some(OrgBody { id, login: account.get("login")?.as_str()?.into() }).filter(|_| is_orgs)
}

#[derive(Deserialize)]
struct TeamBody {
    id: GithubTeamId,
    name: String,
    slug: Option<String>,
    parent: Option<ParentBody>,
    deleted: Option<bool>,
}

#[derive(Deserialize)]
struct ParentBody {
    id: GithubTeamId,
}

#[derive(Deserialize)]
struct UserBody {
    id: GithubUserId,
    login: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct MembershipBody {
    user: Option<UserBody>,
}

#[derive(Deserialize)]
struct ChangesBody {
    name: Option<FromBody>,
}

#[derive(Deserialize)]
struct FromBody {
    from: Option<String>,
}

/// The settings of a webhook, as a ping or the list of webhooks shows it.
pub(crate) fn hook_settings(hook: &Value) -> Ping {
    let of = |place: &str| hook.pointer(place);
    let text = |place| of(place).and_then(Value::as_str).unwrap_or_default().to_string();
    let names = |list: &Vec<Value>| list.iter().filter_map(Value::as_str).map(String::from).collect();
    Ping {
        hook_type: text("/type"),
        events: of("/events").and_then(Value::as_array).map(names),
        content_type: text("/config/content_type"),
        // GitHub sends "0" or "1"; its schema also allows a number.
        insecure: of("/config/insecure_ssl").is_some_and(|ssl| ssl == "1" || ssl == 1),
    }
}

impl Body {
    fn ping(&self) -> Result<Ping, String> {
        let is_another = self.action.is_some() && (self.zen.is_none() || self.hook.is_none());
        if is_another || self.team.is_some() || self.member.is_some() || self.membership.is_some() {
            return Err(disagrees("ping"));
        }
        Ok(self.hook.as_ref().map(hook_settings).unwrap_or_default())
    }

    fn team_event(&self, action: &str) -> Result<Meaning, String> {
        if self.member.is_some() || self.membership.is_some() {
            return Err(disagrees("team"));
        }
        let team = self.team.as_ref().ok_or_else(|| lacks("team", "team"))?;
        let team_ref = team.to_ref()?;
        Ok(match action {
            "created" | "edited" | "deleted" if team.deleted == Some(true) => {
                Meaning::Change(Event::TeamDeleted { team: team_ref })
            }
            "created" => Meaning::Change(Event::TeamCreated { team: team_ref }),
            "deleted" => Meaning::Change(Event::TeamDeleted { team: team_ref }),
            "edited" => {
                let from = self.changes.as_ref().and_then(|c| c.name.as_ref()).and_then(|n| n.from.as_ref());
                Meaning::Change(Event::TeamEdited {
                    team: team_ref,
                    // Real names are far shorter, but a record must stay small whatever is sent.
                    slug_before: from
                        .map(|name| slug::from_name(&name.chars().take(TEXT_LIMIT).collect::<String>())),
                })
            }
            _ => ignored("team", action),
        })
    }

    fn membership_event(&self, action: &str) -> Result<Meaning, String> {
        let member = self.member.as_ref().ok_or_else(|| disagrees("membership"))?;
        let team = self.team.as_ref().ok_or_else(|| lacks("membership", "team"))?;
        let change = match action {
            "added" => Change::Added,
            "removed" => Change::Removed,
            _ => return Ok(ignored("membership", action)),
        };
        let (deleted, team) = (team.deleted == Some(true), team.to_ref()?);
        if deleted {
            return Ok(Meaning::Change(Event::TeamDeleted { team }));
        }
        let person = member.as_ref().map(UserBody::to_person).transpose()?;
        Ok(Meaning::Change(Event::Membership { team, person, change }))
    }

    fn organization_event(&self, action: &str) -> Result<Meaning, String> {
        if self.team.is_some() || self.member.is_some() {
            return Err(disagrees("organization"));
        }
        let person = || {
            let membership = self.membership.as_ref().ok_or_else(|| lacks("organization", "membership"))?;
            membership.user.as_ref().map(UserBody::to_person).transpose()
        };
        Ok(Meaning::Change(match action {
            "member_added" => Event::MemberAdded { person: person()? },
            "member_removed" => Event::MemberRemoved { person: person()? },
            "renamed" => {
                let org = self.organization.as_ref().ok_or_else(|| lacks("organization", "organization"))?;
                Event::OrgRenamed { login: Login::from(bounded(&org.login, "organization.login")?) }
            }
            "deleted" => Event::OrgDeleted,
            _ => return Ok(ignored("organization", action)),
        }))
    }
}

impl Body {
    fn installation_event(&self, action: &str) -> Result<Meaning, String> {
        if self.team.is_some() || self.member.is_some() || self.membership.is_some() {
            return Err(disagrees("installation"));
        }
        let is_gone = match action {
            "deleted" | "suspend" => true,
            "created" | "unsuspend" | "new_permissions_accepted" => false,
            _ => return Ok(ignored("installation", action)),
        };
        let id = self.installation.as_ref().and_then(|installation| installation.get("id")?.as_u64());
        let id = id.ok_or_else(|| lacks("installation", "installation"))?;
        Ok(Meaning::Installation(InstallationNews { id: InstallationId(id), is_gone }))
    }

    /// The account that an App is installed on was renamed. For an App, this replaces `organization.renamed`.
    fn target_event(&self, action: &str) -> Result<Meaning, String> {
        if self.team.is_some() || self.member.is_some() || self.membership.is_some() {
            return Err(disagrees("installation_target"));
        }
        Ok(match self.account.as_ref().and_then(account) {
            Some(org) if action == "renamed" => {
                let login = Login::from(bounded(&org.login, "account.login")?);
                Meaning::Change(Event::OrgRenamed { login })
            }
            _ => ignored("installation_target", action),
        })
    }
}

impl TeamBody {
    fn to_ref(&self) -> Result<TeamRef, String> {
        Ok(TeamRef {
            id: self.id,
            name: self.name.chars().take(64).collect(),
            slug: self.slug.as_deref().map(|s| bounded(s, "team.slug")).transpose()?.map(GithubSlug::from),
            parent: self.parent.as_ref().map(|parent| parent.id),
        })
    }
}

impl UserBody {
    fn to_person(&self) -> Result<Person, String> {
        Ok(Person {
            id: self.id,
            login: Login::from(bounded(&self.login, "login")?),
            bot: self.kind.as_deref().is_some_and(|kind| kind != "User"),
        })
    }
}

fn bounded<'a>(text: &'a str, field: &str) -> Result<&'a str, String> {
    match text.len() {
        0..=TEXT_LIMIT => Ok(text),
        n => Err(format!("`{field}` has {n} bytes, more than {TEXT_LIMIT}")),
    }
}

fn ignored(event: &str, action: &str) -> Meaning {
    Meaning::Ignored(format!("`{event}.{}` changes no membership", crate::text::plain(action, 60)))
}

fn disagrees(event: &str) -> String {
    format!("the body is not that of a `{event}` event, which X-GitHub-Event names")
}

fn lacks(event: &str, field: &str) -> String {
    format!("the body of this `{event}` event has no `{field}`")
}

impl Event {
    /// `event.action` as GitHub names it.
    pub fn name(&self) -> &'static str {
        match self {
            Event::TeamCreated { .. } => "team.created",
            Event::TeamEdited { .. } => "team.edited",
            Event::TeamDeleted { .. } => "team.deleted",
            Event::Membership { change: Change::Added, .. } => "membership.added",
            Event::Membership { change: Change::Removed, .. } => "membership.removed",
            Event::MemberAdded { .. } => "organization.member_added",
            Event::MemberRemoved { .. } => "organization.member_removed",
            Event::OrgRenamed { .. } => "organization.renamed",
            Event::OrgDeleted => "organization.deleted",
        }
    }

    /// Every [`Event::name`], for counters.
    pub const NAMES: [&'static str; 9] = [
        "team.created",
        "team.edited",
        "team.deleted",
        "membership.added",
        "membership.removed",
        "organization.member_added",
        "organization.member_removed",
        "organization.renamed",
        "organization.deleted",
    ];

    pub fn team(&self) -> Option<&TeamRef> {
        match self {
            Event::TeamCreated { team }
            | Event::TeamEdited { team, .. }
            | Event::TeamDeleted { team }
            | Event::Membership { team, .. } => Some(team),
            _ => None,
        }
    }

    pub fn person(&self) -> Option<&Person> {
        match self {
            Event::Membership { person, .. }
            | Event::MemberAdded { person }
            | Event::MemberRemoved { person } => person.as_ref(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
