//! What the `check` command asks of GitHub: raw answers with headers. Reads only, apart from `convert_manifest`.

use std::sync::Arc;

use serde_json::{json, Value};

use super::app::{App, Installation};
use super::outcome::Sources;
use super::Github;
use crate::hosts::http::asked::Asked;
use crate::hosts::http::pace::Method;
use crate::hosts::http::{Reply, Request};
use crate::hosts::{unless_denied, Seen};
use crate::lock::{Mutex, RwLock};
use crate::state::event::{hook_settings, Ping};
use crate::state::ids::{HookId, Login};
use crate::state::values::Source;
use crate::text::path_part;

/// A webhook as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    pub id: HookId,
    /// Whether it sends deliveries.
    pub active: bool,
    pub url: String,
    /// Its settings, as a ping shows them.
    pub settings: Ping,
    /// Whether a secret is set; GitHub shows it as asterisks.
    pub has_secret: bool,
}

impl Github {
    /// A copy that has forgotten earlier refusals.
    pub fn afresh(&self) -> Self {
        Self {
            host: Arc::new(self.host.afresh()),
            app: RwLock::new(self.app()),
            rest: self.rest.clone(),
            graphql: self.graphql.clone(),
            refused: Mutex::default(),
        }
    }

    /// Makes one GET below the REST API's base and returns the reply as it is.
    pub fn look(&self, path: &str) -> Reply {
        self.ask_rest(Asked::Github, &Request::get(format!("{}{path}", self.rest)))
    }

    /// The address sources that GitHub has refused to this token.
    pub fn refused_sources(&self) -> Vec<Source> {
        let Sources { saml, verified, public } = *self.refused.lock();
        let all = [(Source::Saml, saml), (Source::Verified, verified), (Source::Public, public)];
        all.into_iter().filter(|(_, refused)| *refused).map(|(source, _)| source).collect()
    }

    /// The organisation's webhooks, up to 100; `None` if the token may not see them.
    pub fn hooks(&self, org: &Login) -> Seen<Vec<Hook>> {
        let path = format!("/orgs/{}/hooks?per_page=100", path_part(org.as_str()));
        let rows: Option<Vec<Value>> = unless_denied(self.get(path))?;
        Ok(rows.map(|rows| rows.iter().filter_map(Hook::of).collect()))
    }

    /// The App that the service signs in as, as GitHub shows it; `None` if GitHub knows no such App.
    pub fn app_itself(&self) -> Seen<AppFacts> {
        let row: Option<Value> = self.get("/app".into())?;
        Ok(row.as_ref().and_then(AppFacts::of))
    }

    /// The App's own webhook, with the App's `events`, which its configuration lacks; `None` if there is none.
    pub fn app_hook(&self, events: &[String]) -> Seen<Hook> {
        let config: Option<Value> = self.get("/app/hook/config".into())?;
        let row = json!({ "id": 0, "type": "App", "active": true, "events": events, "config": config });
        Ok(Hook::of(&row).filter(|hook| !hook.url.is_empty()))
    }

    /// The App's installation, looked up if it is not known. The error is GitHub's reply.
    pub fn app_installed(&self, app: &App) -> Result<Installation, Box<Reply>> {
        app.find(&self.host)
    }

    /// Exchanges the code from an App's manifest for the App's key. This needs no sign-in.
    pub fn convert_manifest(&self, code: &str) -> Reply {
        let path = format!("{}/app-manifests/{}/conversions", self.rest, path_part(code));
        self.host.ask(Asked::App, &Request { method: Method::Post, path, body: None })
    }
}

/// What a GitHub App is, may do and receives.
#[derive(Clone, Debug)]
pub struct AppFacts {
    pub id: u64,
    pub slug: String,
    /// Names and levels, sorted by name.
    pub permissions: Vec<(String, String)>,
    /// The events that it receives.
    pub events: Vec<String>,
}

impl AppFacts {
    fn of(row: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let permissions = row.get("permissions").and_then(Value::as_object);
        let permissions = permissions.into_iter().flatten().map(|(name, level)| (name.clone(), text(level)));
        let events = row.get("events").and_then(Value::as_array).into_iter().flatten().map(text);
        Some(Self {
            id: row.get("id")?.as_u64()?,
            slug: row.get("slug").map(text).unwrap_or_default(),
            permissions: permissions.collect(),
            events: events.collect(),
        })
    }
}

impl Hook {
    fn of(row: &Value) -> Option<Self> {
        let url = row.pointer("/config/url").and_then(Value::as_str).unwrap_or_default();
        let active = row.get("active").and_then(Value::as_bool).unwrap_or_default();
        let id = HookId(row.get("id")?.as_u64()?);
        let has_secret =
            row.pointer("/config/secret").and_then(Value::as_str).is_some_and(|stars| !stars.is_empty());
        Some(Self { id, active, url: url.into(), settings: hook_settings(row), has_secret })
    }
}
