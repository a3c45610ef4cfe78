//! GitHub's REST routes of the organisation's hook and what it sent.
//!
//! Facts: for an owner's token with Webhooks: read only; the secret comes back masked; deliveries
//! are listed newest first, paged by cursor; `status=success` means codes 200 to 399; a single
//! delivery has the request that was sent, so a missed event can be read without being sent again.

use super::route::{OrgKey, Route};
use super::site::{self, not_found, Viewer};
use super::state::{Sent, State};
use super::world::World;
use crate::standin::http::{Request, Response};
use crate::standin::time::iso_seconds;
use serde_json::{json, Value};

/// Whether this caller may look at hooks.
pub(crate) fn enter(world: &World, org: &OrgKey, viewer: &Viewer) -> Result<(), Response> {
    site::enter(world, org)?;
    let allowed = viewer.token.as_ref().is_some_and(|token| token.webhooks && !token.unauthorised);
    if allowed && (viewer.is_owner(world) || viewer.is_app()) {
        Ok(())
    } else {
        Err(viewer.denied())
    }
}

/// `GET /orgs/{org}/hooks`.
fn list(state: &State) -> Response {
    let (hook, world) = (&state.hook, state.history.now());
    let url = format!("{}/orgs/{}/hooks/{}", state.own_bases().api, world.org.login, hook.id);
    let at = iso_seconds(world.org.created);
    if own(state, hook.id).is_err() {
        return Response::json(200, &json!([]));
    }
    Response::json(
        200,
        &json!([{
            "id": hook.id, "url": url, "ping_url": format!("{url}/pings"), "deliveries_url": format!("{url}/deliveries"),
            "name": "web", "events": hook.events, "active": hook.active, "updated_at": at, "created_at": at,
            "type": "Organization", "config": {
                "url": hook.url, "content_type": hook.content_type, "insecure_ssl": hook.insecure_ssl, "secret": "********",
            },
        }]),
    )
}

/// Answers a route of hooks.
pub(crate) fn answer(
    state: &State,
    world: &World,
    request: &Request,
    route: &Route,
) -> Result<Response, Response> {
    match route {
        Route::Deliveries(_, hook) => deliveries(state, world, request, *hook),
        Route::Delivery(_, hook, id) => own(state, *hook).and_then(|()| delivery_of(state, *id)),
        _ => Ok(list(state)),
    }
}

/// Whether a delivery passes the filter `status`.
fn passes(sent: &Sent, wanted: Option<&str>) -> bool {
    let code = sent.answer.as_ref().map_or(0, |answer| answer.status);
    match wanted {
        Some("success") => (200..400).contains(&code),
        // A delivery without any answer has no code, so no filter finds it.
        Some("failure") => (400..600).contains(&code),
        _ => true,
    }
}

/// The hook of the organisation: an App's is not found here.
fn own(state: &State, hook: u64) -> Result<(), Response> {
    let is_apps = state.app.as_ref().is_some_and(|app| app.has_hook);
    if hook == state.hook.id && !is_apps {
        Ok(())
    } else {
        Err(not_found())
    }
}

/// `GET …/deliveries`.
fn deliveries(state: &State, world: &World, request: &Request, hook: u64) -> Result<Response, Response> {
    own(state, hook)?;
    let path = format!("/organizations/{}/hooks/{hook}/deliveries", world.org.id);
    Ok(deliveries_of(state, request, &path))
}

/// The list; `path` is where its next page is.
pub(crate) fn deliveries_of(state: &State, request: &Request, path: &str) -> Response {
    let size = request.param("per_page").and_then(|text| text.parse().ok());
    let size = size.filter(|size| *size > 0).unwrap_or(30).min(100);
    let before = match request.param("cursor") {
        None => u64::MAX,
        Some(text) => match text.trim_start_matches("v1_").parse() {
            Ok(id) => id,
            Err(_) => return site::error(422, "Invalid cursor"),
        },
    };
    let wanted = request.param("status");
    let rows = state.sent.iter().rev().filter(|sent| sent.id < before);
    let mut rows = rows.filter(|sent| passes(sent, wanted.as_deref()));
    let shown: Vec<&Sent> = rows.by_ref().take(size).collect();
    let more = rows.next().is_some();
    let list: Vec<Value> = shown.iter().map(|sent| state.sent_item(sent)).collect();
    let response = Response::json(200, &list.into());
    let Some(last) = shown.last().filter(|_| more) else { return response };
    let base = state.own_bases().api;
    let mut query = format!("per_page={size}&cursor=v1_{}", last.id);
    if let Some(status) = wanted {
        query.push_str(&format!("&status={status}"));
    }
    response.with("Link", format!("<{base}{path}?{query}>; rel=\"next\""))
}

/// `GET …/deliveries/{delivery_id}`.
pub(crate) fn delivery_of(state: &State, id: u64) -> Result<Response, Response> {
    let known = state.sent.iter().find(|sent| sent.id == id);
    known.map(|sent| Response::json(200, &state.sent_details(sent))).ok_or_else(not_found)
}
