//! What happens on GitHub, and the deliveries it sends for it, in order, as values.
//!
//! Nothing is sent here. An impossible request (an unknown id, a taken name, a nested secret team)
//! panics: that is a mistake of the test, not of the service. Where GitHub's documentation leaves
//! open what is sent, [`Events`](super::Events) decides; the default sends the least.

use super::build::{Events, GithubTeam, GithubUser};
use super::payload::{self, Bases};
use super::slug::slug;
use super::state::State;
use super::world::{Identity, OrgRole, Origin, Privacy, Team, TeamRole, User, World};
use crate::standin::deliver::Delivery;
use crate::standin::time;
use serde_json::{json, Value};
use std::collections::{BTreeMap, BTreeSet};

impl State {
    fn bases(&self) -> Bases {
        self.public_bases()
    }

    /// Wraps a payload into a delivery of the hook.
    fn delivery(&mut self, event: &str, payload: Value) -> Delivery {
        let world = self.history.now().clone();
        self.delivery_in(&world, event, payload)
    }

    fn delivery_in(&mut self, world: &World, event: &str, mut payload: Value) -> Delivery {
        let sender = self.actor.and_then(|id| world.users.get(&id)).cloned();
        let of_app = self.app.as_ref().filter(|app| app.has_hook).and_then(|app| app.installation);
        let events = Events { installation: of_app.or(self.events.installation), ..self.events.clone() };
        payload::envelope(&self.bases(), world, sender.as_deref(), &events, &mut payload);
        let guid = self.next_guid();
        let mut delivery = Delivery::new(&guid, self.hook.id, world.org.id, event, &payload);
        if events.installation.is_some() {
            delivery.target_type = "integration".to_owned();
        }
        if self.hook.content_type == "form" {
            delivery = delivery.form();
        }
        if self.enterprise_server() {
            delivery = delivery
                .with_header("X-GitHub-Enterprise-Host", "github.acme.test")
                .with_header("X-GitHub-Enterprise-Version", "3.14.2");
        }
        delivery
    }

    fn team_event(&mut self, action: &str, team: &Team, changes: Option<Value>) -> Delivery {
        let world = self.history.now().clone();
        let mut payload =
            json!({"action": action, "team": payload::event_team(&self.bases(), &world, team, &self.events)});
        if let Some(changes) = changes {
            payload["changes"] = changes;
        }
        self.delivery("team", payload)
    }

    fn membership_event(&mut self, action: &str, scope: &str, team: Value, user: u64) -> Delivery {
        let world = self.history.now().clone();
        let member =
            world.users.get(&user).map(|user| payload::event_user(&self.bases(), user, &self.events));
        let payload = json!({"action": action, "scope": scope, "member": member, "team": team});
        self.delivery("membership", payload)
    }

    fn event_team(&self, team: &Team) -> Value {
        payload::event_team(&self.bases(), self.history.now(), team, &self.events)
    }

    fn team(&self, id: u64) -> Team {
        let team = self.history.now().teams.get(&id);
        Team::clone(team.unwrap_or_else(|| panic!("no GitHub team {id}")))
    }

    /// Adds an account; nothing is sent.
    pub fn add_user(&mut self, new: GithubUser, in_org: bool) -> u64 {
        let id = new.id.unwrap_or_else(|| self.next_user());
        assert!(!self.history.now().users.contains_key(&id), "GitHub user {id} exists");
        let user = User {
            id,
            login: new.login,
            name: new.name,
            email: new.email,
            verified: new.verified,
            bot: new.bot,
            created: time::now(),
        };
        let world = self.history.change();
        world.put_user(user);
        if in_org {
            world.org.members.insert(id, new.role);
        }
        if new.saml.is_some() || new.scim.is_some() {
            let (scim_user_name, emails) =
                new.scim.map_or((None, Vec::new()), |(name, emails)| (Some(name), emails));
            let key = world.org.next_identity();
            let identity = Identity { user: Some(id), saml_name_id: new.saml, scim_user_name, emails };
            world.org.identities.insert(key, identity);
            world.org.saml = true;
        }
        if self.actor.is_none() {
            self.actor = Some(id);
        }
        id
    }

    /// Adds a team; nothing is sent.
    pub fn add_team(&mut self, new: GithubTeam) -> u64 {
        let slug = match new.origin {
            Origin::Enterprise => format!("ent:{}", slug(&new.name)),
            Origin::Organization => slug(&new.name),
        };
        self.assert_free(&slug, &new.name, None);
        assert!(new.privacy == Privacy::Closed || new.parent.is_none(), "a secret team cannot have a parent");
        let id = new.id.unwrap_or_else(|| self.next_team());
        let now = new.created.unwrap_or_else(time::now);
        self.history.change().put_team(Team {
            id,
            name: new.name,
            slug,
            description: new.description,
            privacy: new.privacy,
            origin: new.origin,
            parent: new.parent,
            created: now,
            updated: now,
            members: BTreeMap::new(),
            pending: BTreeSet::new(),
        });
        id
    }

    /// GitHub answers 422 `Name must be unique for this org`.
    fn assert_free(&self, slug: &str, name: &str, own: Option<u64>) {
        let taken =
            self.history.now().team_by_slug(slug).filter(|team| Some(team.id) != own && !slug.is_empty());
        assert!(taken.is_none(), "Name must be unique for this org: {name}");
    }

    /// Somebody makes a team and becomes its maintainer.
    pub fn create_team(&mut self, new: GithubTeam, creator: u64) -> (u64, Vec<Delivery>) {
        let id = self.add_team(new);
        self.join(id, creator, TeamRole::Maintainer);
        let team = self.team(id);
        let mut sent = vec![self.team_event("created", &team, None)];
        if self.events.creator_membership {
            let value = self.event_team(&team);
            sent.push(self.membership_event("added", "team", value, creator));
        }
        (id, sent)
    }

    /// A new name; the slug follows.
    pub fn rename_team(&mut self, id: u64, name: &str) -> Vec<Delivery> {
        let old = self.team(id);
        let new_slug =
            if old.origin == Origin::Enterprise { format!("ent:{}", slug(name)) } else { slug(name) };
        self.assert_free(&new_slug, name, Some(id));
        self.edit(id, |team| {
            team.name = name.to_owned();
            team.slug = new_slug;
        });
        let changes = json!({"name": {"from": old.name}});
        self.edited(id, changes)
    }

    fn edit(&mut self, id: u64, change: impl FnOnce(&mut Team)) {
        self.history.change().change_team(id, |team| {
            change(team);
            team.updated = time::now();
        });
    }

    fn edited(&mut self, id: u64, changes: Value) -> Vec<Delivery> {
        let team = self.team(id);
        vec![self.team_event("edited", &team, Some(changes))]
    }

    /// Another description.
    pub fn edit_description(&mut self, id: u64, text: &str) -> Vec<Delivery> {
        let old = self.team(id).description.unwrap_or_default();
        self.edit(id, |team| team.description = Some(text.to_owned()));
        self.edited(id, json!({"description": {"from": old}}))
    }

    /// Visible or secret.
    pub fn set_privacy(&mut self, id: u64, privacy: Privacy) -> Vec<Delivery> {
        let old = self.team(id);
        let nested = old.parent.is_some() || self.history.now().children(id).next().is_some();
        assert!(privacy == Privacy::Closed || !nested, "a secret team cannot be nested");
        let from = if old.privacy == Privacy::Secret { "secret" } else { "closed" };
        self.edit(id, |team| team.privacy = privacy);
        self.edited(id, json!({"privacy": {"from": from}}))
    }

    /// Another parent, or none.
    pub fn reparent(&mut self, id: u64, parent: Option<u64>) -> Vec<Delivery> {
        let family = self.history.now().family(id);
        assert!(parent.is_none_or(|parent| !family.contains(&parent)), "a team cannot be under itself");
        self.edit(id, |team| team.parent = parent);
        if self.events.reparent {
            self.edited(id, json!({}))
        } else {
            Vec::new()
        }
    }

    /// What is sent of a deletion, of a team that is not deleted.
    pub fn announce_deletion(&mut self, id: u64) -> Vec<Delivery> {
        let team = self.team(id);
        vec![self.team_event("deleted", &team, None)]
    }

    /// Deletes a team and, with it, everything below it.
    pub fn delete_team(&mut self, id: u64) -> Vec<Delivery> {
        let family = self.history.now().family(id);
        let gone: Vec<Team> = family.iter().map(|id| self.team(*id)).collect();
        let mut sent = Vec::new();
        for team in gone
            .iter()
            .filter(|team| team.id == id || self.events.deleted_children)
            .cloned()
            .collect::<Vec<_>>()
        {
            if self.events.members_of_deleted {
                let rest = json!({"id": team.id, "name": team.name, "deleted": true});
                for user in team.members.keys() {
                    sent.push(self.membership_event("removed", "team", rest.clone(), *user));
                }
            }
            sent.push(self.team_event("deleted", &team, None));
        }
        let world = self.history.change();
        family.into_iter().for_each(|id| world.remove_team(id));
        sent
    }

    /// Puts somebody into a team; nothing is sent.
    pub fn join(&mut self, id: u64, user: u64, role: TeamRole) {
        let known = self.history.now().users.contains_key(&user);
        assert!(known, "no GitHub user {user}");
        let team = self.history.change().people_of(id);
        let team = team.unwrap_or_else(|| panic!("no GitHub team {id}"));
        team.pending.remove(&user);
        team.members.insert(user, role);
    }

    /// Takes somebody out of a team; nothing is sent.
    pub fn leave(&mut self, id: u64, user: u64) {
        let team = self.history.change().people_of(id);
        let team = team.unwrap_or_else(|| panic!("no GitHub team {id}"));
        team.members.remove(&user);
    }

    /// Somebody joins a team.
    pub fn add_member(&mut self, id: u64, user: u64, role: TeamRole) -> Vec<Delivery> {
        self.join(id, user, role);
        let team = self.event_team(&self.team(id));
        vec![self.membership_event("added", "team", team, user)]
    }

    /// Somebody leaves a team.
    pub fn remove_member(&mut self, id: u64, user: u64) -> Vec<Delivery> {
        self.leave(id, user);
        let team = self.event_team(&self.team(id));
        vec![self.membership_event("removed", "team", team, user)]
    }

    fn org_membership(&self, user: u64, state: &str, role: &str) -> Value {
        let world = self.history.now();
        let user = world.users.get(&user).unwrap_or_else(|| panic!("no GitHub user {user}"));
        payload::event_membership(&self.bases(), world, user, state, role, &self.events)
    }

    /// Somebody joins the organisation.
    pub fn add_to_org(&mut self, user: u64) -> Vec<Delivery> {
        self.history.change().org.members.insert(user, OrgRole::Member);
        let membership = self.org_membership(user, "active", "member");
        vec![self.delivery("organization", json!({"action": "member_added", "membership": membership}))]
    }

    /// Somebody leaves the organisation, and with it every team.
    pub fn remove_from_org(&mut self, user: u64) -> Vec<Delivery> {
        let teams = self.history.now().teams_of(user);
        let world = self.history.change();
        world.org.members.remove(&user);
        for id in &teams {
            if let Some(team) = world.people_of(*id) {
                team.members.remove(&user);
            }
        }
        let membership = self.org_membership(user, "inactive", "unaffiliated");
        let mut sent = vec![
            self.delivery("organization", json!({"action": "member_removed", "membership": membership}))
        ];
        if self.events.teams_of_leaver {
            for id in teams {
                let team = self.event_team(&self.team(id));
                sent.push(self.membership_event("removed", "organization", team, user));
            }
        }
        sent
    }

    /// The organisation gets another login; the old one is nobody's.
    pub fn rename_org(&mut self, login: &str) -> Vec<Delivery> {
        let old = std::mem::replace(&mut self.history.change().org.login, login.to_owned());
        vec![self.delivery("organization", json!({"action": "renamed", "changes": {"login": {"from": old}}}))]
    }

    /// The organisation is gone.
    pub fn delete_org(&mut self) -> Vec<Delivery> {
        let sent = vec![self.delivery("organization", json!({"action": "deleted"}))];
        self.history.change().org.deleted = true;
        sent
    }

    /// A user takes another login; GitHub tells nobody.
    pub fn rename_user(&mut self, id: u64, login: &str) {
        let user = self.history.now().users.get(&id);
        let mut user = User::clone(user.unwrap_or_else(|| panic!("no GitHub user {id}")));
        user.login = login.to_owned();
        self.history.change().put_user(user);
    }

    /// What a hook says when it is made, and on demand.
    pub fn ping(&mut self) -> Delivery {
        let world = self.history.now().clone();
        let url = format!("{}/orgs/{}/hooks/{}", self.bases().api, world.org.login, self.hook.id);
        let now = crate::standin::time::iso_seconds(time::now());
        let payload = json!({
            "zen": "Anything added dilutes everything else.",
            "hook_id": self.hook.id,
            "hook": {
                "type": "Organization", "id": self.hook.id, "name": "web", "active": self.hook.active,
                "events": self.hook.events,
                "config": {
                    "content_type": self.hook.content_type, "insecure_ssl": self.hook.insecure_ssl,
                    "secret": "********", "url": self.hook.url,
                },
                "updated_at": now, "created_at": now, "url": url, "ping_url": format!("{url}/pings"),
                "deliveries_url": format!("{url}/deliveries"),
            },
        });
        self.delivery("ping", payload)
    }
}
