//! What a payload means: the few fields that matter, checked against the event name. Pure.
//!
//! The signature covers the body, not the headers, so the body must confirm what `X-GitHub-Event` claims: a
//! `team.deleted` sent under the name `organization` would otherwise stop the whole mirror. Unknown fields, events
//! and actions are normal: GitHub adds them at any time.

use serde::{Deserialize, Deserializer, Serialize};

use crate::state::ids::{GithubOrgId, GithubSlug, GithubTeamId, GithubUserId, Login};
use crate::state::slug;
use crate::state::tagged::tagged;

tagged! {
    /// A change that GitHub tells, reduced to what the mirror needs; at most 1 KiB in the journal.
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
            /// The slug that the old name stands for; `None` if the name did not change.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            slug_before: Option<GithubSlug>,
        },
        /// `team.deleted`, or another event whose team is marked `deleted: true`.
        "team_deleted" => TeamDeleted {
            /// The team that is no more.
            team: TeamRef,
        },
        /// `membership.added` or `.removed`.
        "membership" => Membership {
            team: TeamRef,
            /// Who; GitHub may send `null`.
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
        /// `organization.renamed`; the new login stands in the organisation of the same body.
        "org_renamed" => OrgRenamed {
            /// The login from now on.
            login: Login,
        },
        /// `organization.deleted`.
        "org_deleted" => OrgDeleted,
    }
}

/// Into a team or out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Added,
    Removed,
}

/// A team as an event shows it. Only `id` and `name` are sure to be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamRef {
    /// The only stable key.
    pub id: GithubTeamId,
    /// Free text, cut to 64 characters, which is all that Sentry takes.
    pub name: Box<str>,
    /// The slug at the time of the event; absent on deleted teams and in minimal payloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<GithubSlug>,
    /// The parent team, where the event tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<GithubTeamId>,
}

/// An account as an event shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The key: logins change hands.
    pub id: GithubUserId,
    /// The login at the time of the event.
    pub login: Login,
    /// GitHub says that this is no person.
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

/// What `ping` tells about the hook itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ping {
    /// `Organization`, `Repository`, `App`, …
    pub hook_type: String,
    /// The events that the hook sends; `None` if it does not say.
    pub events: Option<Vec<String>>,
    /// `json` or `form`.
    pub content_type: String,
    /// The hook does not check our certificate.
    pub insecure: bool,
}

/// A body that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Absent only in `ping` and in events that are ignored.
    pub org: Option<OrgRef>,
    pub meaning: Meaning,
}

/// What a body is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    Change(Event),
    /// The hook was made or tested.
    Ping(Ping),
    /// Nothing to mirror, and why.
    Ignored(String),
}

/// Longer logins and slugs than this do not exist; a record must stay small.
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
        _ => Meaning::Ignored(format!("`{}` events change no team", crate::text::plain(name, 60))),
    };
    let org = body.organization.map(|org| OrgRef { id: org.id, login: Login::from(org.login) });
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

/// The one shape that all bodies are read into. `member` keeps apart "absent" and "null".
///
/// GitHub's own description allows `null` or nothing at all for most fields. Only ids and names that nothing can be done
/// without are insisted on; everything else is an `Option` here, so that no delivery is lost for want of it.
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
    hook: Option<HookBody>,
}

fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

#[derive(Deserialize)]
struct OrgBody {
    id: GithubOrgId,
    login: String,
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

/// A webhook, as a ping and the list of webhooks tell it.
#[derive(Deserialize)]
pub(crate) struct HookBody {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) events: Option<Vec<String>>,
    pub(crate) config: Option<HookConfigBody>,
}

#[derive(Deserialize)]
pub(crate) struct HookConfigBody {
    url: Option<String>,
    content_type: Option<String>,
    // GitHub sends "0" or "1", its description also allows a number.
    insecure_ssl: Option<serde_json::Value>,
}

impl HookBody {
    pub(crate) fn settings(&self) -> Ping {
        let config = self.config.as_ref();
        let insecure = config.and_then(|c| c.insecure_ssl.as_ref()).is_some_and(|v| v == "1" || v == 1);
        Ping {
            hook_type: self.kind.clone().unwrap_or_default(),
            events: self.events.clone(),
            content_type: config.and_then(|c| c.content_type.clone()).unwrap_or_default(),
            insecure,
        }
    }

    pub(crate) fn url(&self) -> &str {
        self.config.as_ref().and_then(|config| config.url.as_deref()).unwrap_or_default()
    }
}

impl Body {
    fn ping(&self) -> Result<Ping, String> {
        let is_another = self.action.is_some() && (self.zen.is_none() || self.hook.is_none());
        if is_another || self.team.is_some() || self.member.is_some() || self.membership.is_some() {
            return Err(disagrees("ping"));
        }
        Ok(self.hook.as_ref().map(HookBody::settings).unwrap_or_default())
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
                    // Names are far shorter; a record must stay small whatever is sent.
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
mod tests {
    use super::*;

    const ORG: &str = r#""organization":{"id":1,"login":"acme"}"#;

    fn parse_text(name: &str, fields: &str) -> Result<Meaning, String> {
        parse(name, format!("{{{fields},{ORG}}}").as_bytes()).map(|parsed| parsed.meaning)
    }

    fn team(id: u64, slug: Option<&str>) -> TeamRef {
        TeamRef { id: GithubTeamId(id), name: "T".into(), slug: slug.map(GithubSlug::from), parent: None }
    }

    #[test]
    fn fault_no_slug_on_a_deleted_team_is_a_deletion_by_id() {
        let deleted =
            r#""action":"removed","member":{"id":5,"login":"x"},"team":{"id":7,"name":"T","deleted":true}"#;
        let expected = Meaning::Change(Event::TeamDeleted { team: team(7, None) });
        assert_eq!(parse_text("membership", deleted), Ok(expected));
    }

    #[test]
    fn a_rename_tells_the_slug_of_the_old_name() {
        let renamed = r#""action":"edited","team":{"id":7,"name":"T","slug":"t"},"changes":{"name":{"from":"Old Näme"}}"#;
        let slug_before = Some(GithubSlug::from("old-name"));
        let expected = Meaning::Change(Event::TeamEdited { team: team(7, Some("t")), slug_before });
        assert_eq!(parse_text("team", renamed), Ok(expected));
        let edited = r#""action":"edited","team":{"id":7,"name":"T","slug":"t"},"changes":{}"#;
        let expected = Meaning::Change(Event::TeamEdited { team: team(7, Some("t")), slug_before: None });
        assert_eq!(parse_text("team", edited), Ok(expected));
    }

    #[test]
    fn a_membership_may_name_nobody_and_a_bot() {
        let nobody = r#""action":"added","member":null,"team":{"id":7,"name":"T"}"#;
        let expected = Event::Membership { team: team(7, None), person: None, change: Change::Added };
        assert_eq!(parse_text("membership", nobody), Ok(Meaning::Change(expected)));
        let bot = r#""action":"added","member":{"id":5,"login":"b","type":"Bot"},"team":{"id":7,"name":"T"}"#;
        let person = Some(Person { id: GithubUserId(5), login: Login::from("b"), bot: true });
        let expected = Event::Membership { team: team(7, None), person, change: Change::Added };
        assert_eq!(parse_text("membership", bot), Ok(Meaning::Change(expected)));
    }

    #[test]
    fn a_ping_may_say_nothing_of_its_hook() {
        for hook in [r#""hook":{"type":null,"events":null,"config":null}"#, r#""hook":null"#, r#""zen":"z""#]
        {
            assert_eq!(parse_text("ping", hook), Ok(Meaning::Ping(Ping::default())), "{hook}");
        }
    }

    #[test]
    fn fault_no_look_at_the_event_name_a_body_under_another_name_is_refused() {
        let membership = r#""action":"added","member":{"id":5,"login":"x"},"team":{"id":7,"name":"T"}"#;
        let team = r#""action":"deleted","team":{"id":7,"name":"T","slug":"t"}"#;
        let organization = r#""action":"member_added","membership":{"user":{"id":5,"login":"x"}}"#;
        for (name, body) in [
            ("team", membership),
            ("organization", membership),
            ("membership", team),
            ("organization", team),
            ("membership", organization),
            ("team", organization),
            ("ping", team),
            ("ping", membership),
        ] {
            assert!(parse_text(name, body).is_err(), "{name} {body}");
        }
    }

    #[test]
    fn what_changes_no_team_is_ignored() {
        for (name, body) in [
            ("push", r#""ref":"x""#),
            ("team", r#""action":"added_to_repository","team":{"id":7,"name":"T"}"#),
            ("team", r#""action":"new_in_2030","team":{"id":7,"name":"T"}"#),
            ("organization", r#""action":"member_invited","invitation":{}"#),
            ("membership", r#""action":"sighed","member":null,"team":{"id":7,"name":"T"}"#),
        ] {
            assert!(matches!(parse_text(name, body), Ok(Meaning::Ignored(_))), "{name} {body}");
        }
    }

    #[test]
    fn missing_parts_are_named() {
        let error =
            parse("team", br#"{"action":"created","organization":{"id":1,"login":"a"}}"#).unwrap_err();
        assert_eq!(error.to_string(), "the body of this `team` event has no `team`");
        let error = parse("team", br#"{"action":"created","team":{"id":1,"name":"a"}}"#).unwrap_err();
        assert_eq!(error.to_string(), "the body of this `team` event has no `organization`");
        for body in
            ["", "[]", "{", "7", r#"{"team":{"id":"7","name":"x"}}"#, r#"{"team":{"id":-7,"name":"x"}}"#]
        {
            assert!(parse("team", body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn events_survive_the_journal_and_stay_small() {
        let team = TeamRef {
            id: GithubTeamId(u64::MAX),
            name: "🦀".repeat(64).into(),
            slug: Some(GithubSlug::from("s".repeat(255))),
            parent: Some(GithubTeamId(u64::MAX)),
        };
        let event = Event::TeamEdited { team, slug_before: Some(GithubSlug::from("s".repeat(255))) };
        let text = serde_json::to_string(&event).unwrap();
        assert!(text.len() < 1024, "{}", text.len());
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}
