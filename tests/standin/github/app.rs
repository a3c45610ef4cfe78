//! A GitHub App on the organisation: who it is, its installation, tokens, and the webhook of its own.
//!
//! Facts: calls as the App bear a JSON Web Token, signed by RS256, that ends at most ten minutes ahead and begins not in
//! the future; a token of the installation lives for an hour and may be narrowed to less than was granted; suspended, it
//! is refused by 403, taken off, by 401. The App's hook answers 404 on the organisation's routes.

use super::build::GithubToken;
use super::hooks;
use super::route::{AppRoute, OrgKey};
use super::site::{self, error, not_found};
use super::state::State;
use super::world::{node_id, World};
use crate::standin::deliver::Delivery;
use crate::standin::encode::base64_decode;
use crate::standin::http::{Request, Response};
use crate::standin::time::{self, epoch_seconds, iso_seconds};
use ring::signature::{KeyPair, RsaKeyPair, UnparsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use serde_json::{json, Value};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

/// The private key of the pretend App, made for the tests alone.
pub const APP_KEY: &str = include_str!("keys/app.pem");
/// The same as PKCS#8.
pub const APP_KEY_PKCS8: &str = include_str!("keys/app.pkcs8.pem");
/// A private key that no App knows.
pub const OTHER_KEY: &str = include_str!("keys/other.pem");

/// Refused as GitHub refuses the tokens of a suspended installation.
pub const SUSPENDED: &str = "This installation has been suspended";

/// An App, and its installation on the organisation.
#[derive(Clone, Debug)]
pub struct GithubApp {
    /// Its number.
    pub id: u64,
    /// Its other name.
    pub client_id: String,
    /// `None` while it is not installed.
    pub installation: Option<u64>,
    /// An owner has suspended it.
    pub suspended: bool,
    /// What was granted.
    pub permissions: BTreeMap<String, String>,
    /// What its hook sends.
    pub events: Vec<String>,
    /// The webhook belongs to the App, and not to the organisation.
    pub has_hook: bool,
    /// Also installed on these organisations: their ids and logins.
    pub elsewhere: Vec<(u64, String)>,
    /// How long a token lives.
    pub life: Duration,
    /// So long a new token is not known yet.
    pub young: Duration,
    /// GitHub's clock, in seconds ahead of the machine's.
    pub ahead: i64,
    /// What a manifest's code is exchanged for: the owner's login.
    pub manifest_owner: Option<String>,
}

impl Default for GithubApp {
    fn default() -> GithubApp {
        GithubApp {
            id: 424_242,
            client_id: "Iv23liTheTests".to_owned(),
            installation: Some(7_700_001),
            suspended: false,
            permissions: [("members", "read"), ("metadata", "read")]
                .map(|(name, level)| (name.to_owned(), level.to_owned()))
                .into(),
            events: ["membership", "organization", "team"].map(str::to_owned).to_vec(),
            has_hook: true,
            elsewhere: Vec::new(),
            life: Duration::from_secs(3600),
            young: Duration::ZERO,
            ahead: 0,
            manifest_owner: None,
        }
    }
}

impl GithubApp {
    fn now(&self) -> SystemTime {
        let by = Duration::from_secs(self.ahead.unsigned_abs());
        if self.ahead < 0 {
            time::now() - by
        } else {
            time::now() + by
        }
    }

    /// Whether a JSON Web Token is the App's, and good now; GitHub's words if not.
    pub(crate) fn admits(&self, token: &str) -> Result<(), Response> {
        let refused = |words: &str| Err(error(401, words));
        let undecoded = "A JSON web token could not be decoded";
        let parts: Vec<&str> = token.split('.').collect();
        let [head, claims, signature] = parts[..] else { return refused(undecoded) };
        let json = |part: &str| serde_json::from_slice::<Value>(&base64url(part)?).ok();
        let (Some(head), Some(said), Some(sum)) = (json(head), json(claims), base64url(signature)) else {
            return refused(undecoded);
        };
        let signed = &token.as_bytes()[..token.len() - signature.len() - 1];
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, PUBLIC_KEY.as_slice());
        if head["alg"] != "RS256" || public.verify(signed, &sum).is_err() {
            return refused(undecoded);
        }
        let by_number = said["iss"] == json!(self.id) || said["iss"] == json!(self.id.to_string());
        if !by_number && said["iss"] != json!(self.client_id) {
            return refused("Integration not found");
        }
        let now = epoch_seconds(self.now());
        let (Some(from), Some(until)) = (said["iat"].as_u64(), said["exp"].as_u64()) else {
            return refused("'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires");
        };
        if until <= now {
            return refused("'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires");
        }
        if until > now + 600 {
            return refused("'Expiration time' claim ('exp') is too far in the future");
        }
        if from > now {
            return refused("'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued");
        }
        Ok(())
    }

    fn row(&self, state: &State, world: &World) -> Option<Value> {
        let id = self.installation?;
        Some(self.installed(state, id, (world.org.id, &world.org.login)))
    }

    fn installed(&self, state: &State, id: u64, (org, login): (u64, &str)) -> Value {
        let bases = state.own_bases();
        let suspended = self.suspended.then(|| iso_seconds(self.now()));
        json!({
            "id": id, "account": {
                "login": login, "id": org, "node_id": node_id("Organization", org), "type": "Organization", "site_admin": false,
                "url": format!("{}/orgs/{login}", bases.api), "avatar_url": "",
            },
            "repository_selection": "all", "target_id": org, "target_type": "Organization", "app_id": self.id,
            "client_id": self.client_id, "app_slug": "team-sync", "permissions": self.permissions, "events": self.events,
            "access_tokens_url": format!("{}/app/installations/{id}/access_tokens", bases.api),
            "repositories_url": format!("{}/installation/repositories", bases.api), "html_url": "",
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "single_file_name": null,
            "suspended_at": suspended, "suspended_by": null,
        })
    }

    /// Whether a token of the installation may be used; GitHub's words if not.
    pub(crate) fn refusal_of(&self, token: &GithubToken) -> Option<Response> {
        let made = token.made?;
        let age = time::now().duration_since(made).unwrap_or_default();
        match self.installation {
            None => Some(error(401, "Bad credentials")),
            Some(_) if age < self.young => Some(error(401, "Bad credentials")),
            Some(_) if self.suspended => Some(error(403, SUSPENDED)),
            Some(_) => None,
        }
    }
}

/// The routes of an App; `state.app` is known to be there, and the token to be its own where one is needed.
pub(crate) fn answer(state: &mut State, world: &World, request: &Request, route: &AppRoute) -> Response {
    let Some(app) = state.app.clone() else { return not_found() };
    let is_read = matches!(request.method.as_str(), "GET" | "HEAD");
    match route {
        AppRoute::Token(id) if !is_read => token(state, &app, request, *id),
        AppRoute::Attempt(id) if !is_read => attempt(state, *id),
        AppRoute::Conversion(_) if !is_read => conversion(state, &app),
        AppRoute::Token(_) | AppRoute::Attempt(_) | AppRoute::Conversion(_) => not_found(),
        _ if !is_read => not_found(),
        AppRoute::Itself => itself(&app),
        AppRoute::OfOrg(login) => {
            let found = site::enter(world, &OrgKey::Login(login.clone())).ok();
            let found = found.and_then(|()| app.row(state, world));
            found.map_or_else(not_found, |row| Response::json(200, &row))
        }
        AppRoute::Installations => {
            let others = app.elsewhere.iter().enumerate();
            let others =
                others.map(|(n, (org, login))| app.installed(state, 7_800_000 + n as u64, (*org, login)));
            let rows: Vec<Value> = app.row(state, world).into_iter().chain(others).collect();
            Response::json(200, &rows.into())
        }
        AppRoute::HookConfig => {
            let hook = &state.hook;
            Response::json(
                200,
                &if app.has_hook {
                    json!({ "url": hook.url, "content_type": hook.content_type, "secret": "********", "insecure_ssl": hook.insecure_ssl })
                } else {
                    json!({ "content_type": "json", "insecure_ssl": "0" })
                },
            )
        }
        AppRoute::Deliveries => hooks::deliveries_of(state, request, "/app/hook/deliveries"),
        AppRoute::Delivery(id) => hooks::delivery_of(state, *id).unwrap_or_else(|refusal| refusal),
    }
}

fn itself(app: &GithubApp) -> Response {
    Response::json(
        200,
        &json!({
            "id": app.id, "slug": "team-sync", "client_id": app.client_id, "node_id": node_id("Integration", app.id),
            "owner": { "login": "acme", "id": 1 }, "name": "team-sync", "description": "", "external_url": "https://sync.example",
            "html_url": "https://github.com/apps/team-sync", "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z", "permissions": app.permissions, "events": app.events, "installations_count": 1,
        }),
    )
}

fn token(state: &mut State, app: &GithubApp, request: &Request, id: u64) -> Response {
    if app.installation != Some(id) {
        return not_found();
    }
    if app.suspended {
        return error(403, SUSPENDED);
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let asked: Option<BTreeMap<String, String>> = serde_json::from_value(body["permissions"].clone()).ok();
    if asked.iter().flatten().any(|(name, _)| !app.permissions.contains_key(name)) {
        return error(422, "The permissions requested are not granted to this installation.");
    }
    let permissions = asked.unwrap_or_else(|| app.permissions.clone());
    let text = format!("ghs_{}", state.rng.hex(36));
    let expires = app.now() + app.life;
    let token = GithubToken {
        members: permissions.contains_key("members"),
        webhooks: permissions.contains_key("organization_hooks"),
        made: Some(time::now()),
        ends: Some(time::now() + app.life),
        ..GithubToken::app()
    };
    state.tokens.insert(text.clone(), token);
    Response::json(
        201,
        &json!({ "token": text, "expires_at": iso_seconds(expires), "permissions": permissions, "repository_selection": "all" }),
    )
}

fn attempt(state: &mut State, id: u64) -> Response {
    let Some(sent) = state.sent.iter().find(|sent| sent.id == id) else { return not_found() };
    let again = sent.delivery.clone();
    state.asked_again.push(again);
    Response::json(202, &json!({}))
}

fn conversion(state: &State, app: &GithubApp) -> Response {
    let Some(owner) = &app.manifest_owner else { return not_found() };
    let mut made: Value = serde_json::from_slice(&itself(app).body).unwrap_or_default();
    made["owner"] = json!({ "login": owner, "id": 1 });
    made["pem"] = json!(APP_KEY);
    made["webhook_secret"] = json!(state.hook.secret);
    made["client_secret"] = json!("not for us");
    Response::json(201, &made)
}

impl State {
    /// What GitHub tells an App of its installation; there is no `organization` in it.
    pub fn installation_event(&mut self, action: &str) -> Delivery {
        let app = self.app.clone().unwrap_or_default();
        let world = self.history.now().clone();
        let mut row = app.row(self, &world).unwrap_or_else(|| json!({ "id": 7_700_001 }));
        row["account"] = json!({ "login": world.org.login, "id": world.org.id, "type": "Organization" });
        let payload =
            json!({ "action": action, "installation": row, "sender": { "login": "olive", "id": 1 } });
        let guid = self.next_guid();
        let mut delivery = Delivery::new(&guid, self.hook.id, world.org.id, "installation", &payload);
        delivery.target_type = "integration".to_owned();
        delivery
    }
}

fn base64url(text: &str) -> Option<Vec<u8>> {
    base64_decode(&text.replace('-', "+").replace('_', "/"))
}

/// Of the key above.
static PUBLIC_KEY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let lines: String = APP_KEY.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64_decode(&lines).expect("base64");
    RsaKeyPair::from_der(&der).expect("a key").public_key().as_ref().to_vec()
});
