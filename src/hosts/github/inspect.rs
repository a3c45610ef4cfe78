//! What the doctor asks of GitHub: answers as they are, headers included. Reads only.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::Deserialize;
use serde_json::Value;

use super::app::{App, Installation};
use super::outcome::Sources;
use super::Github;
use crate::hosts::http::asked::Asked;
use crate::hosts::http::pace::Method;
use crate::hosts::http::{Reply, Request};
use crate::hosts::{unless_denied, Seen};
use crate::lock::{Mutex, RwLock};
use crate::state::event::{HookBody, HookConfigBody, Ping};
use crate::state::ids::{HookId, Login};
use crate::state::values::Source;
use crate::text::path_part;

/// A webhook as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    pub id: HookId,
    /// Whether it sends at all.
    pub active: bool,
    pub url: String,
    /// What a ping tells of it.
    pub settings: Ping,
}

impl Github {
    /// The same, knowing nothing of what was refused before.
    pub fn afresh(&self) -> Self {
        Self {
            host: Arc::new(self.host.afresh()),
            app: RwLock::new(self.app()),
            rest: self.rest.clone(),
            graphql: self.graphql.clone(),
            refused: Mutex::default(),
        }
    }

    /// One GET below the REST API's base, answered as it is.
    pub fn look(&self, path: &str) -> Reply {
        self.ask_rest(Asked::Github, &Request::get(format!("{}{path}", self.rest)))
    }

    /// The sources of addresses that turned out not to be open to the token.
    pub fn refused_sources(&self) -> Vec<Source> {
        let Sources { saml, verified, public } = *self.refused.lock();
        let all = [(Source::Saml, saml), (Source::Verified, verified), (Source::Public, public)];
        all.into_iter().filter(|(_, refused)| *refused).map(|(source, _)| source).collect()
    }

    /// The organisation's webhooks, up to 100; `None` if the token may not see them.
    pub fn hooks(&self, org: &Login) -> Seen<Vec<Hook>> {
        self.rows(format!("/orgs/{}/hooks?per_page=100", path_part(org.as_str())), HookRow::into_hook)
    }

    /// The App that is signed in as, as it sees itself; `None` if it is none, or its key is not accepted.
    pub fn app_itself(&self) -> Seen<AppFacts> {
        let row: Option<Value> = self.get("/app".into())?;
        Ok(row.as_ref().and_then(AppFacts::of))
    }

    /// The webhook of the App itself, with what the App is told of; `None` if it has none.
    pub fn app_hook(&self, events: &[String]) -> Seen<Hook> {
        let config: Option<HookConfigBody> = self.get("/app/hook/config".into())?;
        let hook = HookBody { kind: Some("App".into()), events: Some(events.to_vec()), config };
        let is_there = !hook.url().is_empty();
        Ok(is_there.then(|| Hook {
            id: HookId(0),
            active: true,
            url: hook.url().into(),
            settings: hook.settings(),
        }))
    }

    /// The App's installation, looked for if it is not known; the error is what GitHub says instead.
    pub fn app_installed(&self, app: &App) -> Result<Installation, Box<Reply>> {
        app.find(&self.host)
    }

    /// Exchanges the code of an App's manifest for its key. Nobody needs to be signed in for that.
    pub fn convert_manifest(&self, code: &str) -> Reply {
        let path = format!("{}/app-manifests/{}/conversions", self.rest, path_part(code));
        self.host.ask(Asked::App, &Request { method: Method::Post, path, body: None })
    }

    fn rows<R: DeserializeOwned, T>(&self, path: String, read: fn(R) -> T) -> Seen<Vec<T>> {
        let rows = unless_denied(self.get::<Vec<R>>(path))?;
        Ok(rows.map(|rows| rows.into_iter().map(read).collect()))
    }
}

/// What a GitHub App is and may do.
#[derive(Clone, Debug)]
pub struct AppFacts {
    pub id: u64,
    pub slug: String,
    /// Names and levels, sorted by name.
    pub permissions: Vec<(String, String)>,
    /// What it is told of.
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

#[derive(Deserialize)]
struct HookRow {
    id: HookId,
    #[serde(default)]
    active: bool,
    // Here and not flattened: for one place in the program serde's way is 10 KiB.
    #[serde(rename = "type")]
    kind: Option<String>,
    events: Option<Vec<String>>,
    config: Option<HookConfigBody>,
}

impl HookRow {
    fn into_hook(self) -> Hook {
        let Self { id, active, kind, events, config } = self;
        let hook = HookBody { kind, events, config };
        Hook { id, active, url: hook.url().into(), settings: hook.settings() }
    }
}
