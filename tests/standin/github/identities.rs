//! Fields of the identity provider in GitHub's GraphQL: linked SAML and SCIM identities.
//!
//! Facts: null without single sign-on at the organisation; for owners and Apps only; an identity
//! that nobody claimed has no user. Must only read.

use super::connections::Kind;
use super::fields::{fail, text, value, Answer, Fields, Node};
use super::world::{node_id, Identity};
use crate::standin::graphql::{Arguments, Failure, Out};
use serde_json::{json, Value};

impl<'a> Fields<'a> {
    pub(super) fn provider_of_org(&self) -> Answer {
        self.permitted()?;
        if !self.viewer.is_owner(self.world) && !self.viewer.is_app() {
            return fail(
                "FORBIDDEN",
                "You do not have permission to view this organization's SAML identity provider.",
            );
        }
        Ok(Out::Node(self.world.org.saml.then_some(Node::Provider)))
    }

    fn identity(&self, id: u64) -> Result<&'a Identity, Failure> {
        let identity = self.world.org.identities.get(&id);
        identity.map_or_else(|| fail("NOT_FOUND", "Could not resolve to an ExternalIdentity"), Ok)
    }

    pub(super) fn identities(&mut self, name: &str, arguments: &Arguments) -> Answer {
        let world = self.world;
        let login = text(arguments, "login").map(|login| world.user_by_login(login).map(|user| user.id));
        let members_only = arguments.get("membersOnly") == Some(&json!(true));
        let user_name = text(arguments, "userName");
        let fits = |identity: &Identity| {
            let inside = identity.user.is_some_and(|id| world.org.members.contains_key(&id));
            let names = [identity.saml_name_id.as_deref(), identity.scim_user_name.as_deref()];
            login.is_none_or(|id| id.is_some() && identity.user == id)
                && (!members_only || inside)
                && user_name.is_none_or(|wanted| names.contains(&Some(wanted)))
        };
        let ids =
            world.org.identities.iter().filter(|(_, identity)| fits(identity)).map(|(id, _)| *id).collect();
        self.connection(name, Kind::Identities, ids, arguments)
    }

    pub(super) fn identity_field(&self, id: u64, name: &str) -> Answer {
        let identity = self.identity(id)?;
        match name {
            "id" => value(node_id("ExternalIdentity", id)),
            "guid" => value(format!("00000000-0000-4000-8000-{id:012x}")),
            "user" => Ok(Out::Node(identity.user.map(Node::User))),
            "samlIdentity" => Ok(Out::Node(identity.saml_name_id.is_some().then_some(Node::Saml(id)))),
            _ => Ok(Out::Node(identity.scim_user_name.is_some().then_some(Node::Scim(id)))),
        }
    }

    pub(super) fn attributes(&self, id: u64, saml: bool, name: &str) -> Answer {
        let identity = self.identity(id)?;
        match name {
            "nameId" => value(identity.saml_name_id.clone()),
            "username" if saml => value(identity.saml_name_id.clone()),
            "username" => value(identity.scim_user_name.clone()),
            "emails" => {
                let emails = identity.emails.iter().enumerate();
                let nodes =
                    emails.map(|(at, value)| Some(Node::Email { value: value.clone(), primary: at == 0 }));
                Ok(Out::Nodes(nodes.collect()))
            }
            "groups" => value(Vec::<String>::new()),
            _ => value(Value::Null),
        }
    }
}
